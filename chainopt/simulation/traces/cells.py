"""Columns of text turned into numbers, all rows at a time.

Each function takes the cells of a column, none with a NUL in it, and returns their numbers and which of them are what
they should be. The numbers of the others mean nothing. Text becomes a matrix of bytes, and the checks are on those, as
the conversions of Python and numpy take far more than the formats have: underscores, spaces, ``nan``, ``now``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_COUNT = 10**9
MOST_SECONDS = 1e12
_FIRST_YEAR, _LAST_YEAR = 1970, 2261  # what int64 nanoseconds reach
_ZERO = ord("0")
_DECIMAL = np.zeros(256, dtype=np.bool_)
_DECIMAL[list(b"\x000123456789.+-eE")] = True


def counts(cells: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Integers from 0 to `MOST_COUNT`."""
    characters = _characters(cells, 10)
    values, good = _number(characters)
    return values, good & (characters[:, 0] != 0) & (values <= MOST_COUNT)


def seconds(cells: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Decimal numbers from 0 to `MOST_SECONDS`."""
    characters = _characters(cells, 40)
    good = _DECIMAL[characters].all(axis=1) & (characters[:, 0] != 0)
    texts = np.where(good, characters.view(f"S{characters.shape[1]}")[:, 0], b"nan")
    try:
        values = texts.astype(np.float64)
    except ValueError:  # "1e", "--1": not one by one unless it must be
        values = np.array([_float(text) for text in texts.tolist()])
    return values, (values >= 0) & (values <= MOST_SECONDS)


def timestamps(cells: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Nanoseconds since 1970 of times such as ``2023-11-16 18:17:03.9799600``, in UTC.

    The fraction has at most nine digits, or is left out with its point; ``+00:00`` may follow.
    """
    text = _characters([cell.removesuffix("+00:00") for cell in cells], 29, least=20)
    year, month, day = _number(text[:, 0:4]), _number(text[:, 5:7]), _number(text[:, 8:10])
    hour, minute, second = _number(text[:, 11:13]), _number(text[:, 14:16]), _number(text[:, 17:19])
    fraction = _number(text[:, 20:])
    good = np.logical_and.reduce([part[1] for part in (year, month, day, hour, minute, second, fraction)])
    for place, character in ((4, "-"), (7, "-"), (10, " "), (13, ":"), (16, ":")):
        good &= text[:, place] == ord(character)
    pointed = (text[:, 19] == ord(".")) & (text[:, 20:21] != 0).any(axis=1)
    good &= pointed | (text[:, 19] == 0)
    good &= (_FIRST_YEAR <= year[0]) & (year[0] <= _LAST_YEAR) & (1 <= month[0]) & (month[0] <= 12) & (1 <= day[0])
    good &= (hour[0] < 24) & (minute[0] < 60) & (second[0] < 60) & (text[:, 18] != 0)
    months = (12 * (year[0] - 1970) + month[0] - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day[0] - 1)
    good &= days.astype("datetime64[M]") == months  # there is no 31st of June
    whole = ((days.astype(np.int64) * 24 + hour[0]) * 60 + minute[0]) * 60 + second[0]
    digits = (text[:, 20:] != 0).sum(axis=1)
    return np.where(good, whole * 10**9 + fraction[0] * 10 ** (9 - digits), 0), good


def _characters(cells: Sequence[str], most: int, least: int = 1) -> NDArray[np.uint8]:
    """The bytes of cells of ASCII, padded with NULs, shape (n, width); of others, and of longer ones, NULs only."""
    longest = max(map(len, cells))
    if longest > most or not "".join(cells).isascii():
        cells = [cell if len(cell) <= most and cell.isascii() else "" for cell in cells]
        longest = most
    width = max(longest, least)
    return np.array(cells, dtype=f"S{width}").view(np.uint8).reshape(len(cells), width)


def _number(characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The number that digits make, up to the first NUL, and whether they are digits; 0 if there are none."""
    values = np.zeros(len(characters), dtype=np.int64)
    good = np.ones(len(characters), dtype=np.bool_)
    for column in characters.T:
        digits = column - np.uint8(_ZERO)  # wraps around below "0"
        values = np.where(column != 0, values * 10 + digits, values)
        good &= (digits < 10) | (column == 0)
    return values, good


def _float(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
