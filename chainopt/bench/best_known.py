"""The best solution known of each instance: NAME.sol.json beside NAME.json, and an index of them all.

A solution gets there only if `verify` finds nothing in it, and its numbers are computed anew from its composition: what
a result claims counts for nothing. A bound cannot be checked so, for proofs are not kept in files. It is believed of
chainopt's own methods only, until a verified value lies beyond it; who ran counts, not what a solution says of itself.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chainopt.bench.joining import BOUND_BY, SOLVED, join, with_bound
from chainopt.errors import ChainoptError, FormatError
from chainopt.facade import built_in
from chainopt.files import digest, read_instance, read_solution, write_solution
from chainopt.files.document import dump, parse_record
from chainopt.files.text import write_text
from chainopt.model.solution import Objective, Solution, Status, as_records
from chainopt.queueing import evaluate
from chainopt.verification import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from chainopt.model.instance import Instance

INDEX = "index.csv"
COLUMNS = (
    "family",
    "name",
    "servers",
    "blocks",
    "arrival_rate",
    "sha256",
    "value",
    "bound",
    "gap",
    "status",
    "method",
    "version",
    "date",
)
SOLUTION = ".sol.json"
"""Ends the name of the best-known solution beside an instance."""
DATE = "date"
"""Parameter of a best-known solution: the day on which it was written (UTC)."""


def instance_files(root: Path) -> list[Path]:
    """All instances below a folder."""
    return sorted(path for path in root.rglob("*.json") if not path.name.endswith(SOLUTION))


def solution_file(instance_file: Path) -> Path:
    """Where the best-known solution of an instance stands."""
    return instance_file.with_name(f"{instance_file.stem}{SOLUTION}")


def update_best(records: Iterable[Mapping[str, Any]], files: Iterable[Path]) -> list[str]:
    """Replace the best-known solutions of instances by better ones from results.

    Only response times are kept. Of the results of other objectives, and of other instances, nothing is taken. If the
    folder of a solution that is written, or one above it, has an index.csv, it is brought up to date.

    Parameters
    ----------
    records
        Lines of results.jsonl.
    files
        Instances.

    Returns
    -------
    list of str
        A line for each file that was written, and for each solution that was refused because it is not what it claims.

    Raises
    ------
    FormatError
        If an instance or a solution beside it cannot be read, or a file cannot be written.
    """
    offers: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record.get("objective") == Objective.RESPONSE_TIME and isinstance(record.get("solution"), dict):
            offers.setdefault(str(record.get("sha256")), []).append(record)
    lines: list[str] = []
    indices: set[Path] = set()
    for path in files:
        instance = read_instance(path)
        candidates = []
        for record in offers.get(digest(instance), ()):
            try:
                candidates.append(_candidate(instance, record))
            except (ChainoptError, TypeError, ValueError) as error:
                lines.append(f"{instance.name}: refused a solution by {record.get('method')!r}: {error}")
        written = keep(instance, candidates, path) if candidates else []
        lines.extend(written)
        above = _index_above(path.parent) if written else None
        if above is not None:
            indices.add(above)
    for above in sorted(indices):
        index(above)
    return lines


def _index_above(folder: Path) -> Path | None:
    """The folder, or the first above it, that has an index like ours, so that it can be kept up to date."""
    header = ",".join(COLUMNS)
    for above in (folder.resolve(), *folder.resolve().parents):
        path = above / INDEX
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as file:
                return above if file.readline(len(header) + 1).rstrip("\n") == header else None
    return None


def _candidate(instance: Instance, record: Mapping[str, Any]) -> Solution:
    """The solution of a result, with its numbers computed anew, and without proofs of methods that are not ours."""
    solution = recomputed(instance, parse_record(dump(dict(record["solution"])), Solution, "its document"))
    parameters = {key: value for key, value in solution.parameters.items() if key not in (DATE, BOUND_BY)}
    solution = solution.replace(parameters=parameters)
    if solution.method in built_in() and "code" not in dict(record.get("options") or {}):
        return solution
    if solution.status is Status.INFEASIBLE:
        raise FormatError(f"the method {solution.method!r} is not known to prove that no composition exists")
    return with_bound(solution, None)


def keep(instance: Instance, candidates: Iterable[Solution], path: Path) -> list[str]:
    """Write the best of what stands beside an instance and of some solutions, if it is not there already.

    Parameters
    ----------
    candidates
        As `recomputed` returns them.
    path
        File of the instance.

    Returns
    -------
    list of str
        One line on what was written; none if nothing was.
    """
    target = solution_file(path)
    known = best = recomputed(instance, read_solution(target), str(target)) if target.exists() else None
    for candidate in candidates:
        best = join(best, candidate)
    if best is None or best is known:
        return []
    best = best.replace(parameters={**best.parameters, DATE: f"{datetime.now(UTC):%Y-%m-%d}"})
    write_solution(best, target)
    return [f"{instance.name}: {_told(best)}; before: {'nothing' if known is None else _told(known)}"]


def _told(solution: Solution) -> str:
    if solution.status not in SOLVED or solution.value is None:
        return f"{solution.status} by {solution.method}"
    bound = "no bound" if solution.bound is None else f"bound {solution.bound:.9g}"
    return f"{solution.value:.9g} s by {solution.method}, {bound}, {solution.status}"


def recomputed(instance: Instance, solution: Solution, source: str | None = None) -> Solution:
    """A solution after `verify`, with every number computed anew from its composition; `source` names it in errors.

    Raises
    ------
    FormatError
        If `verify` finds something wrong, or the objective is not the response time.
    """
    if solution.objective is not Objective.RESPONSE_TIME:
        message = f"expected the objective {Objective.RESPONSE_TIME}, got {solution.objective}"
        raise FormatError(message, source=source)
    if wrong := verify(instance, solution):
        raise FormatError(f"verify finds {len(wrong)} violations, the first: {wrong[0]}", source=source)
    reference = solution.instance.replace(name=instance.name)
    solution = solution.replace(instance=reference).bind(instance)
    if not solution.chains:
        return solution
    composition = solution.composition
    placement, chains = as_records(instance, composition)
    evaluation = evaluate(composition, float(instance.workload.arrival_rate))
    return with_bound(solution.replace(placement=placement, chains=chains, evaluation=evaluation), solution.bound)


def index(root: Path) -> Path:
    """Write index.csv: one row for each instance below a folder, with what is known of it.

    Raises
    ------
    FormatError
        If an instance or a solution cannot be read, or the index cannot be written.
    """
    write_text(index_text(root), root / INDEX)
    return root / INDEX


def index_text(root: Path) -> str:
    """What index.csv has to be."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(path, root) for path in instance_files(root))
    return text.getvalue()


def _row(path: Path, root: Path) -> list[str]:
    instance = read_instance(path)
    family = path.parent.relative_to(root).as_posix()
    row = [
        "" if family == "." else family,
        instance.name,
        str(len(instance.servers)),
        str(instance.service.blocks),
        f"{instance.workload.arrival_rate:f}",
        digest(instance),
    ]
    target = solution_file(path)
    if not target.exists():
        return [*row, *[""] * (len(COLUMNS) - len(row))]
    solution = read_solution(target, instance)
    numbers = ["" if number is None else repr(number) for number in (solution.value, solution.bound, solution.gap)]
    date = str(solution.parameters.get(DATE, ""))
    return [*row, *numbers, solution.status.value, solution.method, solution.version, date]
