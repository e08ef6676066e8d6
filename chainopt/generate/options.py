"""What a parameter of a family may be: each kind checks values and knows how to explain itself.

The parameters of a family are the fields of one frozen dataclass. The command line, the documentation and the tests
read the kinds off its fields, so a parameter is described in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from chainopt.errors import FormatError
from chainopt.model.record import shown
from chainopt.quantity import exact

MOST_PLACES = 15


@dataclass(frozen=True)
class Count:
    """An integer."""

    least: int
    most: int

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        return f"an integer from {self.least} to {self.most}"

    def checked(self, value: object) -> int:
        """The value, if it is one.

        Raises
        ------
        ValueError
            If it is not.
        """
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise ValueError
        return value


@dataclass(frozen=True)
class Quantity:
    """A decimal number; a float stands for the shortest decimal that reads back as it.

    Attributes
    ----------
    open_least, open_most
        Whether the bound itself is left out.
    """

    least: Decimal
    most: Decimal
    open_least: bool = False
    open_most: bool = False

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        least = f"above {self.least:f}" if self.open_least else f"from {self.least:f}"
        most = f"{'and below' if self.open_most else 'to'} {self.most:f}"
        return f"a number {least} {most} with at most {MOST_PLACES} decimal places"

    def checked(self, value: object) -> Decimal:
        """The value as a decimal, if it is one.

        Raises
        ------
        ValueError
            If it is not.
        """
        try:
            number = exact(value)
        except TypeError:
            raise ValueError from None
        if not number.is_finite() or not self.least <= number <= self.most:
            raise ValueError
        if int(number.as_tuple().exponent) < -MOST_PLACES:
            raise ValueError
        if (self.open_least and number == self.least) or (self.open_most and number == self.most):
            raise ValueError
        return number


@dataclass(frozen=True)
class Word:
    """A text.

    Attributes
    ----------
    choices
        The texts that are allowed; any if there are none.
    """

    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        return f"one of {', '.join(self.choices)}" if self.choices else "a text"

    def checked(self, value: object) -> str:
        """The value, if it is one.

        Raises
        ------
        ValueError
            If it is not.
        """
        if not isinstance(value, str) or (self.choices and value not in self.choices):
            raise ValueError
        return value


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    expected = "true or false"

    def checked(self, value: object) -> bool:
        """The value, if it is one.

        Raises
        ------
        ValueError
            If it is not.
        """
        if not isinstance(value, bool):
            raise ValueError
        return value


Kind = Count | Quantity | Word | Flag


@dataclass(frozen=True)
class Option:
    """A parameter.

    Attributes
    ----------
    name
        Name of the field, with underscores.
    text
        What it means, for users.
    default
        ``None`` where something else decides unless it is given; `text` then says what.
    """

    name: str
    kind: Kind
    text: str
    default: Any


def count(text: str, *, least: int = 1, most: int) -> dict[str, Any]:
    """Metadata of the field of an integer."""
    return {"kind": Count(least, most), "text": text}


def quantity(
    text: str, *, least: str = "0", most: str, open_least: bool = False, open_most: bool = False
) -> dict[str, Any]:
    """Metadata of the field of a decimal number."""
    return {"kind": Quantity(Decimal(least), Decimal(most), open_least, open_most), "text": text}


def word(text: str, choices: tuple[str, ...] = ()) -> dict[str, Any]:
    """Metadata of the field of a text."""
    return {"kind": Word(choices), "text": text}


def flag(text: str) -> dict[str, Any]:
    """Metadata of the field of a yes or no."""
    return {"kind": Flag(), "text": text}


def options_of(parameters: type[Any]) -> tuple[Option, ...]:
    """The parameters of a family, in the order of its dataclass."""
    return tuple(Option(f.name, f.metadata["kind"], f.metadata["text"], f.default) for f in fields(parameters))


def check(parameters: Any) -> None:
    """Check the fields of a dataclass of parameters, and turn numbers into decimals.

    Raises
    ------
    FormatError
        If a value is not what is expected.
    """
    for option in options_of(type(parameters)):
        value = getattr(parameters, option.name)
        if value is None and option.default is None:
            continue
        try:
            checked = option.kind.checked(value)
        except ValueError:
            raise FormatError(f"expected {option.kind.expected}, got {shown(value)}", path=option.name) from None
        object.__setattr__(parameters, option.name, checked)


TOKENS_IN = count("Tokens of a job's prompt, in the mean", most=1_000_000)
TOKENS_OUT = count("Tokens that a job generates, in the mean", most=1_000_000)
MAX_TOKENS = count("Tokens that the cache of a job has room for", most=10_000_000)
FAST_SHARE = quantity("Share η of fast servers (MIG 3g.40gb); the others are 2g.20gb", most="1")
OVERHEAD_MS = quantity("Milliseconds of an exchange besides the round trip", most="100000")
RESERVE_GIB = quantity("Memory of each slice that is not ours, GiB", most="1000")
BLOCK_GB = quantity("Block size s_m, GB", least="0.001", most="1000")
CACHE_GB = quantity("Cache size s_c of a job at a block, GB", least="0.001", most="1000")
COMM_S = quantity("Geometric mean of τ^c, s", least="0.001", most="1000")
COMP_S = quantity("Geometric mean of τ^p, s a block", least="0.001", most="1000")
MEMORY_SPREAD = quantity("Largest possible memory over the smallest, 1 for all alike", least="1", most="10000")
COMM_SPREAD = quantity("Largest possible τ^c over the smallest, 1 for all alike", least="1", most="10000")
COMP_SPREAD = quantity("Largest possible τ^p over the smallest, 1 for all alike", least="1", most="10000")
