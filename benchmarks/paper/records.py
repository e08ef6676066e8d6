"""Results of the figures: one JSON object a line, computed by several processes and written by one.

A figure is a list of *cells*, dictionaries of plain values that say what to measure, and a function that measures one
of them. A log keeps what was measured, so that a run which was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import numpy as np

from chainopt.simulation.intervals import Estimate, of_batches

Cell = dict[str, Any]
Record = dict[str, Any]
Measure = Callable[[Cell], Record]
Tell = Callable[[int, int], None]

SOURCES = (Path(__file__).parent, Path(__file__).parents[2] / "chainopt", Path(__file__).parents[2] / "formulations")


def made_with() -> str:
    """A digest of the code that the results hang on."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class Log:
    """The results in a file, in order of completion.

    Parameters
    ----------
    path
        A line that a kill cut in the middle is cut off. If the results were made with other code, they are dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = 0
        self._known: dict[str, Record] = {}
        code = made_with()
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        read = [json.loads(line) for line in lines]
        if read and read[0] == {"made_with": code}:
            self._known = {key_of(record["figure"], record["cell"]): record for record in read[1:]}
            kept = b"".join(line + b"\n" for line in lines)
        else:
            self.dropped = max(0, len(read) - 1)
            kept = json.dumps({"made_with": code}).encode() + b"\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kept)

    def known(self, figure: str, cell: Cell) -> Record | None:
        """What is known of a cell."""
        return self._known.get(key_of(figure, cell))

    def add(self, record: Record) -> None:
        """Keep a record, on disk when this returns."""
        with self.path.open("ab") as file:
            file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._known[key_of(record["figure"], record["cell"])] = record


def key_of(figure: str, cell: Cell) -> str:
    """What a record is known by."""
    return json.dumps([figure, cell], sort_keys=True)


def gather(
    figure: str, cells: Sequence[Cell], measure: Measure, workers: int, log: Log | None = None, tell: Tell | None = None
) -> list[Record]:
    """Measure the cells that the log does not know, and return the records of all, in the order of the cells.

    A record has the fields ``figure``, ``cell``, and those that `measure` returns.
    """
    found: dict[str, Record] = {}
    missing = []
    for cell in cells:
        record = log.known(figure, cell) if log else None
        if record is None:
            missing.append(cell)
        else:
            found[key_of(figure, cell)] = record
    for cell, values in _measured(missing, measure, workers):
        record = {"figure": figure, "cell": cell, **values}
        found[key_of(figure, cell)] = record
        if log:
            log.add(record)
        if tell:
            tell(len(found), len(cells))
    return [found[key_of(figure, cell)] for cell in cells]


def _measured(cells: Sequence[Cell], measure: Measure, workers: int) -> Iterable[tuple[Cell, Record]]:
    if workers == 1 or len(cells) < 2:
        for cell in cells:
            yield cell, measure(cell)
        return
    from loky import get_reusable_executor

    executor = get_reusable_executor(max_workers=workers)
    futures = {executor.submit(measure, cell): cell for cell in cells}
    for future in as_completed(futures):
        yield futures[future], future.result()


def select(records: Iterable[Record], **values: Any) -> list[Record]:
    """The records whose cells have these values."""
    return [record for record in records if all(record["cell"].get(name) == value for name, value in values.items())]


def interval(values: Iterable[float | None]) -> Estimate:
    """Mean over runs, and half width of its 95 % interval; runs without a value make it nan."""
    known = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return of_batches(known) if known.size else Estimate(np.nan, np.nan)


def shown(estimate: Estimate, digits: int = 3) -> str:
    """A mean and its half width, for tables."""
    if not np.isfinite(estimate.mean):
        return "–"
    half = "" if not np.isfinite(estimate.half_width) else f" ± {estimate.half_width:.2g}"
    return f"{estimate.mean:.{digits}g}{half}"
