"""Random draws that are the same everywhere: all of them come from one method whose values Python guarantees.

The documentation of `random` promises that `Random(seed).random()` gives the same sequence in every version; it does
not promise it of `shuffle`, `sample` or `gauss`, and numpy does not promise it of its generators. So these are built
here, from that method, the basic operations of floats and correctly rounded decimals, which leave nothing to the
machine or its mathematical library.
"""

from __future__ import annotations

import random
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import TYPE_CHECKING, TypeVar

from chainopt.quantity import rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

CONTEXT = Context(prec=28, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
"""Of all decimal arithmetic here, whatever that of the caller is."""


class Draws:
    """A source of random draws.

    Parameters
    ----------
    seed
        Integer, 0 or more.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = random.Random(seed).random

    def index(self, count: int) -> int:
        """One of 0, ..., count - 1, all equally likely."""
        return int(self._random() * count)

    def integer(self, least: int, most: int) -> int:
        """One of least, ..., most, all equally likely."""
        return least + self.index(most - least + 1)

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[self.index(len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items in random order; with the same seed, a smaller sample starts a larger one."""
        pool = list(items)
        for i in range(count):
            j = i + self.index(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:count]

    def spread(self, middle: Decimal, ratio: Decimal, places: int) -> Decimal:
        """A positive number around `middle`, its logarithm uniform, rounded, but never down to 0.

        Parameters
        ----------
        middle
            Geometric mean.
        ratio
            Largest possible value over the smallest; 1 gives `middle`.
        """
        with localcontext(CONTEXT):
            share = Decimal(self._random()) - Decimal("0.5")
            value = middle * (share * ratio.ln()).exp()
        return positive(value, places)


def positive(value: Decimal, places: int) -> Decimal:
    """`value` > 0 rounded to so many decimal places, but never down to 0."""
    return max(rounded(value, places), Decimal(1).scaleb(-places))
