"""What became of each job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Records:
    """One entry a job, in order of arrival; times in seconds, shape (n,).

    Attributes
    ----------
    arrival, start, departure
        When the job came, when a job server took it, when it left.
    chain
        Index of the chain that served it, chains as they were given.
    """

    arrival: NDArray[np.float64]
    start: NDArray[np.float64]
    departure: NDArray[np.float64]
    chain: NDArray[np.int64]

    @property
    def waiting(self) -> NDArray[np.float64]:
        """From arrival to start."""
        return self.start - self.arrival

    @property
    def service(self) -> NDArray[np.float64]:
        """From start to departure."""
        return self.departure - self.start

    @property
    def response(self) -> NDArray[np.float64]:
        """From arrival to departure."""
        return self.departure - self.arrival

    def select(self, which: NDArray[np.bool_]) -> Records:
        """These jobs only."""
        return Records(self.arrival[which], self.start[which], self.departure[which], self.chain[which])

    def queue_length(self, times: ArrayLike) -> NDArray[np.int64]:
        """Jobs that wait just after each of these times."""
        return _passed(self.arrival, times) - _passed(np.sort(self.start), times)

    def jobs_in_system(self, times: ArrayLike) -> NDArray[np.int64]:
        """Jobs that wait or run just after each of these times."""
        return _passed(self.arrival, times) - _passed(np.sort(self.departure), times)


def joined(parts: Sequence[Records]) -> Records:
    """Records of one stretch of jobs after another."""
    return Records(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("arrival", "start", "departure", "chain")
        )
    )


def _passed(ascending: NDArray[np.float64], times: ArrayLike) -> NDArray[np.int64]:
    return np.searchsorted(ascending, np.asarray(times, dtype=np.float64), side="right")
