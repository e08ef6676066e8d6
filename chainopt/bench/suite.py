"""Suites: what is run on what, as a TOML file says it, or the command line."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StrictBool, ValidationError

from chainopt.errors import FormatError
from chainopt.files.document import follow, mistake, shown_path
from chainopt.files.text import read_text, source_name
from chainopt.model.record import Integer, Name, Real, Record, Share, Tags, Text
from chainopt.model.solution import Objective

if TYPE_CHECKING:
    from pathlib import Path

MOST_SEED = 2**63 - 1
MOST_JOBS = 10**10

Seeds = Annotated[tuple[Annotated[Integer, Field(ge=0, le=MOST_SEED)], ...], Field(min_length=1)]
Seconds = Annotated[Real, Field(gt=0)]


class Entry(Record):
    """A method as a suite has it.

    Attributes
    ----------
    name
        A method of `solve`, a system, a user's ``file.py:function`` or entry point.
    label
        What tables call it, the name if None.
    options
        What the method takes besides.
    time_limit
        Seconds, instead of the suite's.
    """

    name: Name
    label: Name | None = None
    options: Tags = Field(default_factory=dict)
    time_limit: Seconds | None = None


class Generated(Record):
    """Instances of a family, one for each seed, with these parameters."""

    family: Name
    seeds: Seeds = (0,)
    parameters: dict[str, Any] = Field(default_factory=dict)


class Simulation(Record):
    """What is simulated, and how.

    Attributes
    ----------
    policy
        How compositions dispatch jobs; systems have their own way.
    jobs
        How many.
    arrivals, sizes
        Laws, as of ``chainopt simulate``.
    steady
        Whether the mean of a system that has run for ever is estimated, after a warm-up; else that of these jobs, the
        first of which find an empty system.
    warm_up
        Share of the jobs that do not count.
    compositions
        ``exact`` where the value of compositions is computed, ``simulated`` where they are simulated like systems. If
        None: computed if that is possible, that is with ``jffc``, Poisson arrivals, exponential sizes and `steady`.
    """

    policy: Name = "jffc"
    jobs: Annotated[Integer, Field(ge=1, le=MOST_JOBS)] = 100_000
    arrivals: Name = "poisson"
    sizes: Name = "exponential"
    steady: StrictBool = True
    warm_up: Share | None = None
    compositions: Literal["exact", "simulated"] | None = None

    @property
    def standard(self) -> bool:
        """Whether the exact formulas, and so bounds, are about this traffic."""
        return self.steady and (self.arrivals, self.sizes) == ("poisson", "exponential")

    @property
    def share_of_warm_up(self) -> float:
        """Share of the jobs that do not count."""
        if self.warm_up is not None:
            return float(self.warm_up)
        return 0.1 if self.steady else 0.0


class Suite(Record):
    """What is run on what.

    Attributes
    ----------
    instances
        Files, folders and patterns; paths start from the folder of the suite.
    objectives, seeds
        Every method is run with each.
    time_limit
        Seconds a run, for methods that take a limit; None leaves it to the method.
    bound_time_limit
        Seconds in which a bound is proven for each instance and objective, before all runs; None for no such bound.
    """

    name: Name
    note: Text | None = None
    instances: tuple[Name, ...] = ()
    generate: tuple[Generated, ...] = ()
    methods: Annotated[tuple[Entry, ...], Field(min_length=1)]
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)] = (Objective.RESPONSE_TIME,)
    seeds: Seeds = (0,)
    time_limit: Seconds | None = None
    bound_time_limit: Seconds | None = None
    simulate: Simulation | None = None


class Position:
    """Makes errors that say where in the file of a suite something stands; without a text, only what it is."""

    def __init__(self, text: str | None, source: str) -> None:
        self._text = text
        self._source = source

    def error(self, message: str, *path: str | int) -> FormatError:
        """The error to raise about this part of the suite."""
        line = column = None
        if self._text is not None:
            line, column = _locate(self._text, path)
        return FormatError(message, source=self._source, line=line, column=column, path=shown_path(path))


def read_suite(source: str | Path) -> tuple[Suite, Position]:
    """Read a suite, and what locates its mistakes.

    Raises
    ------
    FormatError
        If it is none: file, line, column, the value and what was expected.
    """
    text, name = read_text(source), source_name(source)
    position = Position(text, name)
    try:
        data = tomllib.loads(text, parse_float=_number)
    except tomllib.TOMLDecodeError as error:
        raise _syntax(str(error), text, name) from None
    try:
        return Suite.model_validate(data), position
    except ValidationError as error:
        mistakes = []
        for detail in error.errors(include_url=False):
            path, _ = follow(data, (*detail["loc"], *detail.get("ctx", {}).get("path", ())))
            mistakes.append((_locate(text, path), path, mistake(detail)))
        _, path, message = min(mistakes, key=lambda found: found[0])
        raise position.error(message, *path) from None


def _number(literal: str) -> Decimal | float:
    number = Decimal(literal)
    return number if number.is_finite() else float(number)


def _syntax(message: str, text: str, name: str) -> FormatError:
    """The message of tomllib, which ends with where it is."""
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    reason = message[: found.start()] if found else message
    if found and found.group(1):
        line, column = int(found.group(1)), int(found.group(2))
    else:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    return FormatError(f"not TOML: {reason[0].lower()}{reason[1:]}", source=name, line=line, column=column)


def _locate(text: str, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Line and column of the statement that brings a part of the document.

    The part is there once as many lines are read as it takes, and what stands between that line and the last one
    before it up to which the text is whole, is the statement.
    """
    lines = text.split("\n")
    whole = 0
    for count in range(1, len(lines) + 1):
        try:
            data = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if follow(data, path)[0] == path:
            break
        whole = count
    if not path:
        return 1, 1
    keys = [step for step in path if isinstance(step, str)]
    for number in range(whole, min(count, len(lines))):
        found = re.search(rf"(?<![\w-]){re.escape(keys[-1])}(?![\w-])", lines[number]) if keys else None
        if found:
            return number + 1, found.start() + 1
    return whole + 1, 1
