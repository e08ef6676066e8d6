"""Exact decimals: a number in a file means what is written, and a floor is taken on exactly that.

Of the 2,416 slot counts floor((M - 1.32 m) / 0.11) of BLOOM-176B for whole M up to 80 GB, binary floating point gets
103 wrong by one, so memory is counted in integers: the decimals of an instance are multiplied by one power of ten.
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

EXACT = Context(prec=100)
"""Enough digits for every sum of two numbers of an instance; the usual 28 are not."""
RELATIVE_TOLERANCE = 1e-12
"""Rates closer than this, relative to the larger, count as equal. The only tolerance of decisions."""


def exact(value: object) -> Decimal:
    """The decimal that a number stands for: itself, or the shortest one that reads back as the same float.

    Raises
    ------
    TypeError
        If `value` is not a number; a ``bool`` is none.
    """
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(float.__repr__(value))
    if isinstance(value, np.floating):
        return Decimal(str(value))
    if isinstance(value, np.integer):
        return Decimal(int(value))
    raise TypeError(f"not a number: {value!r}")


def decimal_places(values: Iterable[Decimal]) -> int:
    """Least d >= 0 such that every value times 10^d is an integer."""
    places = 0
    for value in values:
        exponent = value.normalize(EXACT).as_tuple().exponent
        assert isinstance(exponent, int), "values are finite"
        places = max(places, -exponent)
    return places


def scaled(values: Sequence[Decimal], places: int) -> list[int]:
    """Each value times 10^places, rounded to the nearest integer; exact where `places` suffices."""
    factor = 10**places
    return [round(Fraction(value) * factor) for value in values]


def integers(values: Sequence[int]) -> NDArray[np.int64]:
    """Read-only int64 array.

    Raises
    ------
    OverflowError
        If a value does not fit.
    """
    array = np.array(values, dtype=np.int64)
    array.setflags(write=False)
    return array


def at_least(value: float, target: float) -> bool:
    """Whether `value` >= `target`, up to :data:`RELATIVE_TOLERANCE`."""
    return value >= target - RELATIVE_TOLERANCE * max(abs(value), abs(target))


def exact_argsort(keys: NDArray[np.float64], exact_key: Callable[[int], Fraction]) -> NDArray[np.intp]:
    """Stable order of rational keys, of which `keys` holds the nearest floats.

    Keys that differ by more than the rounding of floats are in the right order already; runs of nearly equal ones
    are put in order by their exact values, ties by position.

    Parameters
    ----------
    keys
        Shape (n,).
    exact_key
        The exact key of position i, called only for the positions in such runs.
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    close = np.flatnonzero(np.diff(ordered) <= RELATIVE_TOLERANCE * np.abs(ordered[1:]))
    for first, last in _runs(close):
        run = order[first : last + 1]
        order[first : last + 1] = sorted(run.tolist(), key=lambda i: (exact_key(i), i))
    return order


def _runs(steps: NDArray[np.intp]) -> Iterable[tuple[int, int]]:
    """Maximal runs (first, last) of positions that are linked by the steps i -> i + 1."""
    if steps.size == 0:
        return
    breaks = np.flatnonzero(np.diff(steps) > 1)
    firsts = np.concatenate(([steps[0]], steps[breaks + 1]))
    lasts = np.concatenate((steps[breaks], [steps[-1]])) + 1
    yield from zip(firsts.tolist(), lasts.tolist(), strict=True)


def significant(value: float | Fraction, digits: int) -> Decimal:
    """`value` rounded to so many significant digits, half to even, in plain notation; floats as their decimals."""
    number = _fraction(value)
    return plain(Context(prec=digits).divide(Decimal(number.numerator), Decimal(number.denominator)))


def rounded(value: float | Fraction | Decimal, places: int) -> Decimal:
    """`value` rounded to so many decimal places, half to even, in plain notation; floats as their decimals."""
    return plain(Decimal(round(_fraction(value) * Fraction(10) ** places)).scaleb(-places, EXACT))


def plain(number: Decimal) -> Decimal:
    """The same number without an exponent and without trailing zeros behind the point."""
    return Decimal(format(number.normalize(EXACT), "f"))


def _fraction(value: float | Fraction | Decimal) -> Fraction:
    return Fraction(exact(value) if isinstance(value, float) else value)
