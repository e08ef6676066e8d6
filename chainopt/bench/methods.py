"""What takes part: methods that compose chains, functions of users, systems that serve jobs by themselves."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StrictBool, ValidationError

from chainopt.baselines import SYSTEMS
from chainopt.errors import ChainoptError
from chainopt.facade import ALIASES, AUTO, EXACT, DispatchPolicy, methods, rules
from chainopt.files.document import mistake
from chainopt.model.record import Integer, Name, Record
from chainopt.model.solution import Objective
from chainopt.plug_in import is_file, is_plug_in, load
from chainopt.tuning import Criterion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainopt.bench.suite import Entry


class Kind(StrEnum):
    """How a run of a method goes."""

    COMPOSER = "composer"
    """`compose` is called."""
    PLUG_IN = "plug-in"
    """A function of a user is called."""
    SYSTEM = "system"
    """It is deployed, and simulated."""


class AutoOptions(Record):
    """Of the method ``auto``."""

    iterations: Annotated[Integer, Field(ge=0)] | None = None
    policy: DispatchPolicy = DispatchPolicy.JFFC


class ExactMethodOptions(Record):
    """Of the method ``exact``."""

    engine: Name = "sizes"
    backend: Name = "highs"
    threads: Annotated[Integer, Field(ge=1)] = 1
    policy: DispatchPolicy = DispatchPolicy.JFFC


class RuleOptions(Record):
    """Of a placement rule and an allocation rule."""

    criterion: Criterion | None = None
    cache_reservation: Annotated[Integer, Field(ge=1, le=10**9)] | None = None
    stop: Literal["rate", "never"] | None = None
    bound: StrictBool = False
    policy: DispatchPolicy = DispatchPolicy.JFFC


@dataclass(frozen=True, eq=False)
class Entrant:
    """A method that takes part.

    Attributes
    ----------
    label
        What tables call it.
    name
        What it is called by: a name of a registry or of an entry point, or a file with an absolute path.
    options
        What it takes besides, as JSON has it.
    time_limit_s
        Seconds, None where it has no limit or takes none.
    code
        What a user's function was made of, None for a method of chainopt.
    long_label
        What tables call it if another one has its label already; None where there is nothing else to call it.
    """

    label: str
    name: str
    kind: Kind
    options: dict[str, Any]
    time_limit_s: float | None
    code: str | None = None
    long_label: str | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What determines what it does: not where its file lies, nor what it is called here."""
        name = self.name if self.code is None else f"{self.code}:{self.name.rpartition(':')[2]}"
        return {"name": name, "kind": self.kind.value, "options": self.options, "time_limit_s": self.time_limit_s}


class OptionError(ChainoptError):
    """Something is wrong with an entry; `path` leads to it."""

    def __init__(self, message: str, *path: str | int) -> None:
        self.message = message
        self.path = path
        super().__init__(message)


def entrant(entry: Entry, folder: Path, time_limit_s: float | None, objectives: Sequence[Objective]) -> Entrant:
    """The method that an entry of a suite asks for.

    Parameters
    ----------
    folder
        What paths start from.
    time_limit_s
        Of the suite.

    Raises
    ------
    OptionError
        If there is no such method, or it does not take these options.
    """
    limit = entry.time_limit or time_limit_s
    if entry.name in SYSTEMS:
        if any(objective is not Objective.RESPONSE_TIME for objective in objectives):
            raise OptionError("a system has a response time only, no job servers and no total service rate", "name")
        if entry.time_limit is not None:
            raise OptionError("a system takes no time limit", "time_limit")
        _fits(SYSTEMS[entry.name].rule, entry.options)
        return Entrant(entry.label or entry.name, entry.name, Kind.SYSTEM, dict(entry.options), None)
    name = ALIASES.get(entry.name, entry.name)
    if name not in methods() or is_plug_in(name):
        return _plug_in(entry, folder, limit)
    if name not in (AUTO, EXACT):
        rules(name)
    kinds: dict[str, type[Record]] = {AUTO: AutoOptions, EXACT: ExactMethodOptions}
    try:
        options = kinds.get(name, RuleOptions).model_validate(entry.options)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise OptionError(mistake(detail), "options", *detail["loc"]) from None
    given = options.model_dump(mode="json", exclude_unset=True)
    if "iterations" in given:
        limit = entry.time_limit  # the seed alone is to decide, unless this entry itself has a limit
    return Entrant(entry.label or entry.name, name, Kind.COMPOSER, given, limit)


def _plug_in(entry: Entry, folder: Path, limit: float | None) -> Entrant:
    if not is_plug_in(entry.name):
        known = ", ".join([*methods(), *SYSTEMS])
        raise OptionError(f"no method {entry.name!r}; known are {known}; or FILE.py:FUNCTION", "name")
    try:
        plug_in = load(entry.name, folder)
    except ChainoptError as error:
        raise OptionError(str(error), "name") from error
    try:
        plug_in.check(entry.options)
    except ChainoptError as error:
        raise OptionError(str(error), "options" if entry.options else "name") from error
    limited = limit if "time_limit_s" in plug_in.takes else None
    if not is_file(entry.name):
        label = entry.label or entry.name
        return Entrant(label, entry.name, Kind.PLUG_IN, dict(entry.options), limited, plug_in.code)
    name = f"{plug_in.path}:{entry.name.rpartition(':')[2]}"
    short, long = (entry.label, None) if entry.label else (Path(entry.name).name, entry.name)
    return Entrant(short, name, Kind.PLUG_IN, dict(entry.options), limited, plug_in.code, long)


def _fits(function: Callable[..., Any], options: dict[str, Any]) -> None:
    if "seed" in options:
        raise OptionError("seeds are the suite's", "options", "seed")
    parameters = inspect.signature(function).parameters
    for name in options:
        if name not in parameters:
            raise OptionError(f"unknown key {name!r}", "options", name)
