"""Rows that are drawn in blocks and handed out in whatever numbers are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BLOCK = 65_536
"""Rows drawn at a time: enough to forget the overhead of numpy, few enough to stay in the cache."""


class Stream:
    """The rows of blocks, one after another.

    The blocks do not know how many rows are asked for, so the rows do not depend on how they are asked for either.

    Parameters
    ----------
    blocks
        Arrays that differ in their first dimension only, at least one.
    """

    def __init__(self, blocks: Iterator[NDArray[np.float64]]) -> None:
        self._blocks = blocks
        self._block = next(blocks)
        self._taken = 0

    def take(self, count: int) -> NDArray[np.float64]:
        """The next rows, shape (count,) or (count, D).

        Raises
        ------
        FormatError
            If there are not so many.
        """
        rows = np.empty((count, *self._block.shape[1:]))
        filled = 0
        while filled < count:
            if not len(self._block):
                self._block = self._next(self._taken + count, self._taken + filled)
            piece = self._block[: count - filled]
            rows[filled : filled + len(piece)] = piece
            self._block = self._block[len(piece) :]
            filled += len(piece)
        self._taken += count
        return rows

    def _next(self, asked: int, available: int) -> NDArray[np.float64]:
        block = next(self._blocks, None)
        if block is None:
            raise FormatError(f"expected at most {available} jobs, as many as were recorded, got {asked}")
        return block
