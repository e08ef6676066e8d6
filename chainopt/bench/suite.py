"""Suites: what is run on what, as a TOML file says it, or the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, StrictBool, ValidationError

from chainopt.bench.toml import document, locate
from chainopt.errors import FormatError
from chainopt.files.document import follow, mistake, shown_path
from chainopt.files.text import read_text, source_name
from chainopt.model.record import Integer, Name, Real, Record, Share, Tags, Text
from chainopt.model.solution import Objective

if TYPE_CHECKING:
    import os

    from pydantic_core import ErrorDetails

    from chainopt.files.document import Path

MOST_SEED = 2**63 - 1
MOST_JOBS = 10**10

T = TypeVar("T")


def _different(values: tuple[T, ...]) -> tuple[T, ...]:
    twice = next((value for n, value in enumerate(values) if value in values[:n]), None)
    if twice is not None:
        raise ValueError(f"{twice} stands there twice")
    return values


Seeds = Annotated[
    tuple[Annotated[Integer, Field(ge=0, le=MOST_SEED)], ...], Field(min_length=1), AfterValidator(_different)
]
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
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1), AfterValidator(_different)] = (
        Objective.RESPONSE_TIME,
    )
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
        return self.first({path: message})

    def first(self, mistakes: dict[Path, str]) -> FormatError:
        """The error to raise about the mistake that comes first in the file."""
        path, line, column = next(iter(mistakes)), None, None
        if self._text is not None:
            path, line, column = locate(self._text, mistakes)
        return FormatError(mistakes[path], source=self._source, line=line, column=column, path=shown_path(path))


def read_suite(source: str | os.PathLike[str]) -> tuple[Suite, Position]:
    """Read a suite, and what locates its mistakes.

    Raises
    ------
    FormatError
        If it is none: file, line, column, the value and what was expected.
    """
    text, name = read_text(source), source_name(source)
    position = Position(text, name)
    data = document(text, name)
    try:
        return Suite.model_validate(data), position
    except ValidationError as error:
        details = error.errors(include_url=False)
        mistakes: dict[Path, str] = {}
        for detail in details:
            if detail["type"] == "too_short" and any(_inside(other, detail) for other in details):
                continue  # it has elements, but they are wrong
            path, _ = follow(data, (*detail["loc"], *detail.get("ctx", {}).get("path", ())))
            mistakes.setdefault(path, mistake(detail))
        raise position.first(mistakes) from None


def _inside(detail: ErrorDetails, outer: ErrorDetails) -> bool:
    """Whether a mistake is about an element of what another one is about."""
    return detail["loc"] != outer["loc"] and detail["loc"][: len(outer["loc"])] == outer["loc"]
