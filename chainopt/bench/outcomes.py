"""What became of each run: the lines of results.jsonl as the tables and figures need them."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from chainopt.errors import FormatError
from chainopt.files.text import read_text, source_name
from chainopt.model.record import shown
from chainopt.model.solution import Objective, Status

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping


def readable(text: object) -> object:
    """A text without halves of surrogate pairs, which names of files can have and no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8") if isinstance(text, str) else text


Number = Annotated[float, Field(allow_inf_nan=False)]
Readable = Annotated[str, BeforeValidator(readable)]


class Outcome(StrEnum):
    """What became of a run."""

    SOLVED = "solved"
    """A solution with a value, in which `verify` found nothing wrong."""
    INFEASIBLE = "infeasible"
    UNSTABLE = "unstable"
    UNKNOWN = "unknown"
    ERROR = "error"
    UNVERIFIED = "unverified"
    """A solution in which `verify` found something wrong, whatever its status claims."""
    NOT_RUN = "not run"
    """Others were run on this problem; this method was not, or not yet."""


class Problem(NamedTuple):
    """What methods are compared on; all that is simulated on one problem sees the same jobs."""

    objective: Objective
    instance: str
    sha256: str
    seed: int


class Run(BaseModel):
    """One line of results.jsonl, as far as it matters here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str = ""
    instance: Readable
    sha256: str = ""
    source: Readable | None = None
    method: Readable
    seed: int
    objective: Objective
    status: str
    value: Number | None
    half_width: Number | None = None
    simulated: dict[str, Any] | None = None
    bound: Number | None = None
    best_known: Number | None = None
    gap: Number | None = None
    runtime_s: Number | None = None
    verified: bool | None = None
    error: Readable | None = None
    violations: tuple[Readable, ...] = ()
    version: Readable | None = None

    @property
    def problem(self) -> Problem:
        """The problem that it was to solve."""
        return Problem(self.objective, self.instance, self.sha256, self.seed)

    @property
    def family(self) -> str:
        """Folder of the instance as the suite gives it, or the first word of what generated it; never empty."""
        source = self.source or ""
        if source.endswith(".json"):
            return PurePath(source).parent.as_posix()
        return next(iter(source.split()), ".")

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        if self.status == Outcome.ERROR:
            return Outcome.ERROR
        if self.verified is False:
            return Outcome.UNVERIFIED
        if self.status in (Status.OPTIMAL, Status.FEASIBLE):
            if self.verified is None:
                return Outcome.UNVERIFIED
            return Outcome.UNKNOWN if self.value is None else Outcome.SOLVED
        return Outcome(self.status)

    @property
    def solved(self) -> bool:
        """Whether its value counts."""
        return self.outcome is Outcome.SOLVED


def read_results(source: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The records of a results.jsonl; what follows the last newline was cut by a kill, and is left out.

    Raises
    ------
    FormatError
        If it cannot be read, or a line is no JSON object; the error names the line.
    """
    *lines, _ = read_text(source).split("\n")
    return [_object(line, source_name(source), number) for number, line in enumerate(lines, 1)]


def _object(line: str, source: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON: {error}", source=source, line=number) from None
    if not isinstance(record, dict):
        raise FormatError(f"expected an object, got {shown(record)}", source=source, line=number)
    return record


def runs_of(
    records: Iterable[Mapping[str, Any]], source: str = "results", labels: Mapping[str, str] | None = None
) -> list[Run]:
    """The runs of records, by problem and method; of several runs of a method on a problem the last one counts.

    Parameters
    ----------
    source
        What errors call the records.
    labels
        What the method of each run is called, by the key of the run; other runs are left out. None for all records,
        under the labels that they have.

    Raises
    ------
    FormatError
        If a record lacks what every run has; the error names the record, counted from 1.
    """
    runs: dict[tuple[Problem, str], Run] = {}
    for number, record in enumerate(records, 1):
        try:
            run = Run.model_validate(record)
            _ = run.outcome  # an unknown status is an error here, not in the middle of a table
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            message = f"{first['msg']}, got {shown(first['input'])}"
            raise FormatError(message, source=source, line=number, path=place) from None
        except ValueError:
            message = f"expected a status of a solution or 'error', got {shown(run.status)}"
            raise FormatError(message, source=source, line=number, path="status") from None
        if labels is not None:
            if run.key not in labels:
                continue
            run = run.model_copy(update={"method": readable(labels[run.key])})
        runs[run.problem, run.method] = run
    return [runs[key] for key in sorted(runs)]


def objectives_of(runs: Iterable[Run]) -> list[Objective]:
    """The objectives of runs, in the order in which they are always shown."""
    found = {run.objective for run in runs}
    return [objective for objective in Objective if objective in found]
