"""Laws of chance by their names, with their parameters behind colons: ``poisson``, ``lognormal:2``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from chainopt.errors import FormatError
from chainopt.model.record import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

# float() takes more: underscores, spaces, digits of other scripts, nan
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Law(Generic[T]):
    """A law that can be asked for by its name.

    Attributes
    ----------
    build
        Makes the law of its parameters.
    parameters
        What to call those that follow the name.
    """

    build: Callable[..., T]
    parameters: tuple[str, ...] = ()


def syntax(laws: Mapping[str, Law[T]]) -> tuple[str, ...]:
    """How each law is written, such as ``lognormal:SCV``."""
    return tuple(":".join((name, *law.parameters)) for name, law in laws.items())


def parse_law(text: str, laws: Mapping[str, Law[T]], *given: float) -> T:
    """The law that a text names.

    Parameters
    ----------
    given
        Parameters that stand before those in the text.

    Raises
    ------
    FormatError
        If there is no such law, or its parameters are not what they should be.
    """
    name, *words = text.split(":")
    if name not in laws:
        raise FormatError(f"expected one of {', '.join(syntax(laws))}, got {shown(text)}")
    law = laws[name]
    if len(words) != len(law.parameters):
        raise FormatError(f"expected {':'.join((name, *law.parameters))}, got {shown(text)}")
    numbers = [_number(word, parameter, text) for word, parameter in zip(words, law.parameters, strict=True)]
    return law.build(*given, *numbers)


def _number(word: str, parameter: str, text: str) -> float:
    if not _NUMBER.fullmatch(word):
        raise FormatError(f"expected a number for {parameter}, got {shown(word)} in {shown(text)}")
    return float(word)


def check_between(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Raise unless a number is above `least` and below `most`."""
    if not least < value < most:
        limits = f"above {least:g}" if math.isinf(most) else f"between {least:g} and {most:g}"
        raise FormatError(f"expected a finite number {limits}, got {shown(value)}", path=name)
