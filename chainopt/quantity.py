"""Exact decimals: a number in a file means what is written, and a floor is taken on exactly that.

Binary floating point gets 76 of the slot counts of BLOOM-176B below 80 GB wrong by one, so memory is counted in
integers: the decimals of an instance are multiplied by one power of ten, once.
"""

from __future__ import annotations

import math
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
    if isinstance(value, float | np.floating):
        return Decimal(repr(float(value)))
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
    """`value` rounded to so many significant digits, half to even, in plain notation."""
    if not value:
        return Decimal(0)
    number = Fraction(value)
    places = digits - 1 - math.floor(math.log10(abs(number)))
    return rounded(number, places)


def rounded(value: float | Fraction | Decimal, places: int) -> Decimal:
    """`value` rounded to so many decimal places, half to even, in plain notation."""
    units = round(Fraction(value) * Fraction(10) ** places)
    number = Decimal(units).scaleb(-places).normalize()
    return number if number.as_tuple().exponent <= 0 else number.quantize(Decimal(1))  # type: ignore[operator]
