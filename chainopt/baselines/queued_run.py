"""What simulations with one queue for all jobs have in common: jobs that have come and have not started are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from chainopt.simulation.records import Records

if TYPE_CHECKING:
    from numpy.typing import NDArray


class QueuedRun(ABC):
    """A simulation in steps, in which jobs start in order of arrival.

    Parameters
    ----------
    kinds
        Numbers that make up a demand, D.
    """

    def __init__(self, kinds: int) -> None:
        self._arrivals, self._demands = np.empty(0), np.empty((0, kinds))

    def serve(
        self, arrivals: NDArray[np.float64], demands: NDArray[np.float64], choices: NDArray[np.float64]
    ) -> Records:
        """Serve the next jobs; the records are of the jobs that started and had no record yet."""
        waiting = self._arrivals.size
        self._arrivals = np.concatenate([self._arrivals, arrivals])
        self._demands = np.concatenate([self._demands, demands])
        return self._run(waiting, drain=False)

    def drain(self) -> Records:
        """Let all jobs that still wait start."""
        return self._run(self._arrivals.size, drain=True)

    def _run(self, waiting: int, *, drain: bool) -> Records:
        jobs = self._arrivals.size
        start, departure, chain = np.empty(jobs), np.empty(jobs), np.empty(jobs, dtype=np.int64)
        started = self._start(waiting, drain, start, departure, chain)
        records = Records(self._arrivals[:started], start[:started], departure[:started], chain[:started])
        self._arrivals, self._demands = self._arrivals[started:].copy(), self._demands[started:].copy()
        return records

    @abstractmethod
    def _start(
        self,
        waiting: int,
        drain: bool,
        start: NDArray[np.float64],
        departure: NDArray[np.float64],
        chain: NDArray[np.int64],
    ) -> int:
        """Serve the jobs that are here, of which the first `waiting` have come before; how many have started.

        Parameters
        ----------
        drain
            Whether no more jobs will come, so that all of them start.
        start, departure, chain
            Written for the jobs that start.
        """
