"""How long a search goes on: a number of iterations, a time, or both; and the slices in which it gets there.

Kernels cannot be interrupted, so they run in slices of a few hundredths of a second. The temperature depends on the
iteration alone if their number is given, so that slices, and with them the machine, do not change what is found.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Slice = Callable[[int, int, float], int]

SLICE_S = 0.03
"""Time that a slice is to take."""
_FIRST_SLICE = 8
"""Iterations of the first slice of a stage, whose iterations may take long."""


class Budget:
    """What is left of a search.

    Parameters
    ----------
    time_limit_s, iterations
        Limits, None for none; at least one is needed.

    Attributes
    ----------
    done
        Iterations so far.
    looks
        States that were looked at so far.
    """

    def __init__(self, time_limit_s: float | None, iterations: int | None) -> None:
        self.begin = time.monotonic()
        self.done = 0
        self.looks = 0
        self._limit_s = math.inf if time_limit_s is None else time_limit_s
        self._iterations = iterations
        self._shares = 0.0
        self._slice = _FIRST_SLICE
        self._first = True

    @property
    def elapsed_s(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self.begin

    @property
    def deadline(self) -> float:
        """When the time is up, as `time.monotonic` counts."""
        return self.begin + self._limit_s

    @property
    def deadline_for_starts(self) -> float:
        """When to end looking for starts: a tenth of the time, or all of it if iterations are to decide."""
        return self.begin + self._limit_s / (10 if self._iterations is None else 1)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return self.elapsed_s >= self._limit_s or (self._iterations is not None and self.done >= self._iterations)

    @property
    def left(self) -> float:
        """Share of the whole that is not spent or being spent."""
        return 1.0 - self._shares

    @property
    def timed(self) -> bool:
        """Whether a time is a limit."""
        return math.isfinite(self._limit_s)

    def spend(self, share: float, run: Slice, after: Callable[[], None]) -> None:
        """Spend a share of the whole on slices.

        Parameters
        ----------
        run
            Runs the iterations from a first to before a last one, of which each is so much of the stage; returns the
            number of states that it looked at.
        after
            Called after each slice.
        """
        self._shares = min(self._shares + share, 1.0)
        self._slice = _FIRST_SLICE
        if self._iterations is not None:
            last = min(round(self._shares * self._iterations), self._iterations) - self.done
            done = 0
            while done < last and not self.exhausted:
                done += self._run(done, min(done + self._slice, last), 1 / last, run, after)
            return
        started, ends = self.elapsed_s, self._shares * self._limit_s
        done = 0
        while (passed := self.elapsed_s) < ends:
            progress = (passed - started) / (ends - started)
            each = progress / done if done else 1e-9
            done += self._run(done, done + self._slice, each, run, after)

    def _run(self, begin: int, end: int, each: float, run: Slice, after: Callable[[], None]) -> int:
        started = time.monotonic()
        self.looks += run(begin, end, each)
        took = max(time.monotonic() - started, 1e-6)
        self.done += end - begin
        if self._first:  # the first slice may have compiled or loaded kernels
            self._first = False
        else:
            self._slice = max(1, int(self._slice * min(2.0, SLICE_S / took)))
        after()
        return end - begin
