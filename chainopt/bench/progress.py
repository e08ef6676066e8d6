"""How far a benchmark is, on standard error: a bar with the time left, or now and then a line."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_LINE_S = 30.0
_SOLVED = ("optimal", "feasible")


class Progress:
    """A context manager that is told of every record.

    Parameters
    ----------
    runs
        How many there will be.
    done
        How many of them are there already.
    note
        Says a line; None for silence.
    """

    def __init__(self, runs: int, done: int, note: Callable[[str], None] | None) -> None:
        self._runs, self._done = runs, done
        self._note = note
        self._bar: Any = None
        self._spoke = time.monotonic()
        self._first: tuple[int, float] | None = None
        self._outcomes: Counter[str] = Counter()

    def __enter__(self) -> Self:
        if self._note is not None and sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task("", total=self._runs, completed=self._done, told="")
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def add(self, record: dict[str, Any]) -> None:
        """One more run is done."""
        self._done += 1
        odd = not record["verified"] and record["status"] != "error"
        self._outcomes["unverified" if odd else record["status"]] += 1
        if self._first is None:
            self._first = self._done, time.monotonic()  # the first one may have had to compile kernels
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, told=self._told())
        elif self._note is not None and time.monotonic() - self._spoke > _LINE_S:
            self._spoke = time.monotonic()
            self._note(f"{self._done} of {self._runs} runs{self._left()}{self._told()}")

    def _told(self) -> str:
        """Outcomes that are not as they should be."""
        odd = [f"{count} {status}" for status, count in self._outcomes.items() if status not in _SOLVED]
        return f"; {', '.join(odd)}" if odd else ""

    def _left(self) -> str:
        if self._first is None or self._done == self._first[0]:
            return ""
        made, began = self._first
        seconds = (time.monotonic() - began) / (self._done - made) * (self._runs - self._done)
        return f", about {f'{seconds:.0f} s' if seconds < 100 else f'{seconds / 60:.0f} min'} left"


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
        console=Console(stderr=True),
        transient=True,
    )
