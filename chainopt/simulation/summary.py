"""What a run says of response times, waits and chains, gathered stretch by stretch in constant memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from chainopt.simulation.histogram import Histogram
from chainopt.simulation.intervals import CONFIDENCE, Estimate, of_batches
from chainopt.simulation.records import Records, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

N = TypeVar("N", np.int64, np.float64)
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
TIMES = ("response", "waiting", "service")


@dataclass(frozen=True, eq=False)
class Measure:
    """One of the times of a job.

    Attributes
    ----------
    mean
        Of all jobs that count, s.
    batches
        Mean of each batch of jobs, s, shape (b,).
    batch_quantiles
        Each of `QUANTILES` of each batch, s, shape (b, 5).
    quantiles
        The same of all jobs that count, s, shape (5,), to 0.012 %.
    least, most
        Extremes, s.
    """

    mean: float
    batches: NDArray[np.float64]
    batch_quantiles: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    least: float
    most: float

    def interval(self, confidence: float = CONFIDENCE) -> Estimate:
        """Interval of the mean, as wide as the means of the batches say."""
        return Estimate(self.mean, of_batches(self.batches, confidence).half_width)

    def quantile_interval(self, share: float, confidence: float = CONFIDENCE) -> Estimate:
        """One of `QUANTILES` and its interval, from the quantiles of the batches."""
        position = QUANTILES.index(share)
        spread = of_batches(self.batch_quantiles[:, position], confidence)
        return Estimate(float(self.quantiles[position]), spread.half_width)


@dataclass(frozen=True, eq=False)
class Summary:
    """A run, after its warm-up.

    Attributes
    ----------
    jobs
        Jobs that count.
    duration_s
        From the first of them to the last event that counts.
    response, waiting, service
        Times of jobs.
    waited
        Share of the jobs that did not start at once.
    shares
        Share of the jobs that each chain served, up to the last chain that served any.
    busy_s
        Time that the job servers of each of these chains were busy during the run, s.
    mean_queue, mean_jobs
        Jobs that wait, and jobs in the system, in the mean over time.
    """

    jobs: int
    duration_s: float
    response: Measure
    waiting: Measure
    service: Measure
    waited: float
    shares: NDArray[np.float64]
    busy_s: NDArray[np.float64]
    mean_queue: float
    mean_jobs: float


class Gathering:
    """Adds up records as they come, in order of arrival.

    Parameters
    ----------
    jobs
        How many will come.
    warm_up
        Share of the jobs that do not count, those that come first.
    batches
        How many batches the others make, one after another and equally large up to one job.
    to_the_end
        Whether time is counted until the last departure; else until the last arrival, as for a steady state.
    """

    def __init__(self, jobs: int, *, warm_up: float, batches: int, to_the_end: bool) -> None:
        first = int(warm_up * jobs)
        count = max(1, min(batches, jobs - first))
        self._edges = first + (np.arange(count + 1) * (jobs - first)) // count
        self._to_the_end = to_the_end
        self._seen = 0
        self._since = np.nan
        self._times = {name: _Time(count) for name in TIMES}
        self._waited = 0
        self._served = np.zeros(0, dtype=np.int64)
        self._busy_s = np.zeros(0)
        self._queue_s = self._system_s = 0.0
        self._last_arrival = self._last_departure = np.nan
        self._late: Records | None = None

    def add(self, records: Records) -> None:
        """Add the next jobs."""
        jobs = records.arrival.size
        if not jobs:
            return
        begin = self._seen
        self._seen += jobs
        self._integrate(records, int(self._edges[0]) - begin)
        counted = slice(max(0, int(self._edges[0]) - begin), None)
        self._served = _sum(self._served, np.bincount(records.chain[counted]))
        self._waited += int(np.count_nonzero(records.start[counted] > records.arrival[counted]))
        for name, time in self._times.items():
            values = getattr(records, name)
            for batch in range(self._edges.size - 1):
                low, high = (int(edge) - begin for edge in self._edges[batch : batch + 2])
                if low < jobs and high > 0:
                    time.add(batch, values[max(low, 0) : high])
                    if high <= jobs:
                        time.close(batch, high - low)

    def _integrate(self, records: Records, first: int) -> None:
        """Add to the areas under the numbers of jobs; `first` is the position of the first job that counts."""
        if first < 0:
            self._add(records, +1, self._since)
        elif first < records.arrival.size:
            self._since = float(records.arrival[first])
            if self._late is not None:
                self._add(self._late, +1, self._since)  # of the warm-up, but still there
            self._add(records, +1, self._since)
        self._last_arrival = float(records.arrival[-1])
        self._last_departure = float(np.fmax(self._last_departure, np.max(records.departure)))
        late = records if self._late is None else joined([self._late, records])
        self._late = late.select(late.departure > self._last_arrival)

    def _add(self, records: Records, sign: int, since: float) -> None:
        """Add the part of the areas after a moment."""
        records = records.select(records.departure > since)
        running = records.departure - np.maximum(records.start, since)
        self._busy_s = _sum(self._busy_s, np.bincount(records.chain, weights=sign * running).astype(np.float64))
        present = records.departure - np.maximum(records.arrival, since)
        self._system_s += sign * float(np.sum(present))
        self._queue_s += sign * float(np.sum(present - running))

    def summary(self) -> Summary:
        """What all of it says; nothing can be added after that."""
        until = self._last_departure
        if not self._to_the_end and self._late is not None:
            until = self._last_arrival
            self._add(self._late, -1, until)
        duration = until - self._since
        counted = int(np.sum(self._served))
        return Summary(
            counted,
            duration,
            self._times["response"].measure(),
            self._times["waiting"].measure(),
            self._times["service"].measure(),
            self._waited / counted if counted else np.nan,
            self._served / max(counted, 1),
            self._busy_s,
            self._queue_s / duration if duration > 0 else np.nan,
            self._system_s / duration if duration > 0 else np.nan,
        )


class _Time:
    """Means and quantiles of one of the times, for every batch and for all of them."""

    def __init__(self, batches: int) -> None:
        self._sums = np.zeros(batches)
        self._jobs = 0
        self._means = np.full(batches, np.nan)
        self._quantiles = np.full((batches, len(QUANTILES)), np.nan)
        self._all, self._batch = Histogram(), Histogram()
        self._least, self._most = np.inf, -np.inf

    def add(self, batch: int, values: NDArray[np.float64]) -> None:
        self._sums[batch] += np.sum(values)
        self._jobs += values.size
        self._batch.add(values)
        self._least, self._most = min(self._least, float(np.min(values))), max(self._most, float(np.max(values)))

    def close(self, batch: int, jobs: int) -> None:
        self._means[batch] = self._sums[batch] / jobs
        self._quantiles[batch] = self._batch.quantiles(QUANTILES)
        self._all.take(self._batch)

    def measure(self) -> Measure:
        mean = float(np.sum(self._sums)) / self._jobs if self._jobs else np.nan
        return Measure(mean, self._means, self._quantiles, self._all.quantiles(QUANTILES), self._least, self._most)


def _sum(a: NDArray[N], b: NDArray[N]) -> NDArray[N]:
    """Sum of two vectors, of which the shorter one is filled up with zeros."""
    if a.size < b.size:
        a, b = b, a
    total = a.copy()
    total[: b.size] += b
    return total
