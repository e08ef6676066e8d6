"""A bound on the mean response time that holds for every composition and dispatch policy, tighter than V(n) alone.

V(n) may come from another allocation for every n. A composition has one: with n jobs present it serves v_x(n) at most,
for one x among the relaxed allocations (:mod:`chainopt.exact.allocations`), and E[T] >= M(v_x) / λ
(:mod:`chainopt.exact.served`). The least of that over all x is bounded from below.

*Tangents*: at an x that makes M small (found by the method of Frank and Wolfe, corrected on all vertices found so far),
its derivatives w_n and the slopes a_n give an inequality Σ w_n v(n) <= b for all x, with b from column generation.
Over all v that satisfy it, and v <= V, M is bounded by dynamic programming (:mod:`chainopt.exact.least_mean`).
*Branching*: on the total rate r of x, in intervals; where r is large, few jobs cannot be served as fast as V says.
Proof: docs/theory/bounds.md.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.errors import UnstableError
from chainopt.exact.allocations import Allocations, Most
from chainopt.exact.least_mean import least_mean
from chainopt.exact.mixture import Mixture
from chainopt.exact.served import mean_and_weights, mean_served, served
from chainopt.exact.worth import RATE, Worth, worth_above

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.envelope import Envelope
    from chainopt.exact.profiled import ProfiledAllocations

ACCURACY = 2e-3
"""Relative distance to what some relaxed allocation attains at which there is nothing more to prove."""

_ROUNDS = 12
GAP, _ROUGH = 1e-5, 1e-2
"""Relative gaps of what is worth most: close to the end, and to begin with."""
_STANDSTILL = 1e-4
_LINES = 8
"""Lines above v(n) that are proven anew for an interval of r."""
_FEWEST_STEPS, _MOST_STEPS, _STEPS_PER_STATE = 1_000, 20_000, 8
_MOST_STATES = 2_500
"""Beyond, steps would be too few for so many states, and the dynamic program slow."""
_NARROW, _PATIENCE = 1e-4, 8
"""An interval so narrow, relative, is not split; nor is anything after so many intervals that prove next to nothing."""
_DISCOUNTED, _FACTORS = (0.5, 0.75), (0.4, 0.75, 1.3)
"""States up to these shares of M may weigh less than the derivatives say, by factors that are tried."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class _Interval:
    """Allocations with a total rate of `low` to `high`.

    Attributes
    ----------
    lines
        Above their v, slopes and intercepts.
    bound
        On their M.
    worth, slopes
        Of the last tangent, to start from.
    scales
        What the weights of its first states are multiplied by.
    """

    low: float
    high: float
    lines: tuple[tuple[float, float], ...]
    bound: float
    worth: Worth
    slopes: NDArray[np.float64]
    scales: NDArray[np.float64]


class _Tangent(NamedTuple):
    """Derivatives at an allocation: w of n = 1, ..., N and of all further states, a of n = 1, ..., N; and M."""

    weights: NDArray[np.float64]
    slopes: NDArray[np.float64]
    mean: float


def allocation_bound(
    envelope: Envelope, arrival_rate: float, proven: float, deadline: float = math.inf, *, hull: bool = False
) -> float:
    """Proven lower bound on the mean response time of any composition, seconds.

    Parameters
    ----------
    envelope
        Refined by :func:`~chainopt.exact.response_bound.response_bound`.
    proven
        What is proven already; the result is never less.
    hull
        Whether to cut off what no whole number of jobs does at a server.

    Raises
    ------
    UnstableError
        If it is proven that no composition carries the arrival rate.
    """
    if envelope.most_jobs > _MOST_STATES or time.monotonic() > deadline:
        return proven
    allocations = Allocations(envelope.parts, envelope.chains, envelope.most_jobs)
    bounding = Bounding(allocations, envelope, envelope.most, arrival_rate, proven * arrival_rate, deadline)
    bound = bounding.branched(hull=hull)
    if math.isinf(bound):
        raise UnstableError(f"no composition is stable at {arrival_rate:g} jobs/s")
    return bound / arrival_rate


class Bounding:
    """A bound on M over some allocations, the least M of any of them that was met, and intervals of r.

    Parameters
    ----------
    allocations
        Which.
    envelope
        What is above their v.
    largest_rate
        Above their r.
    proven
        What is proven already; means are numbers of jobs.
    gap
        Relative, of what is worth most: small enough.
    accuracy
        Relative distance to `attained` at which a bound is close enough.

    Attributes
    ----------
    attained
        The least M of a relaxed allocation that was met; nothing more is proven close to it.
    """

    def __init__(
        self,
        allocations: Allocations | ProfiledAllocations,
        envelope: Envelope,
        largest_rate: float,
        arrival_rate: float,
        proven: float,
        deadline: float,
        gap: float = GAP,
        accuracy: float = ACCURACY,
    ) -> None:
        self._allocations, self._envelope, self._gap, self._accuracy = allocations, envelope, gap, accuracy
        self._largest_rate, self._arrival_rate = largest_rate, arrival_rate
        self._proven, self._deadline = proven, deadline
        self.attained = math.inf

    def at_once(self) -> float:
        """The bound for all of them together; infinite where none has the arrival rate."""
        root = self._root()
        return self._without_any() if root is None else root.bound

    def _without_any(self) -> float:
        """The bound where no allocation that was met has the arrival rate."""
        return math.inf if self._largest_rate <= self._arrival_rate else self._proven

    def _root(self) -> _Interval | None:
        """All values of r, bounded; None where no allocation that was met is stable."""
        if not self._find_fastest(self._arrival_rate):
            return None
        worth, slopes = self._tangent_of_lines()
        lines, scales = tuple(self._envelope.lines), np.ones(len(_DISCOUNTED))
        root = _Interval(self._arrival_rate, self._largest_rate, lines, self._proven, worth, slopes, scales)
        return self._bounded(root)

    def branched(self, *, hull: bool = False) -> float:
        """The bound after branching on r; like that of all together where no allocation is stable."""
        root = self._root()
        if root is None:
            return self._without_any()
        while hull and time.monotonic() < self._deadline and self._allocations.cut():
            self.attained = math.inf
            if not self._find_fastest(self._arrival_rate):
                return root.bound
            root = self._bounded(root)
        count = itertools.count()
        heap = [(root.bound, next(count), root)]
        bounds = []
        while not self._done(heap[0][2]):
            interval = heap[0][2]
            interval = replace(interval, high=min(interval.high, self._largest_rate))
            middle = (interval.low + interval.high) / 2
            if self._fastest_rate <= middle and not self._find_fastest(middle):
                middle = (interval.low + min(middle, self._fastest_rate)) / 2
            narrow = interval.high - interval.low <= _NARROW * interval.high
            bounds.append(interval.bound)
            stands = len(bounds) > _PATIENCE and bounds[-1] <= bounds[-1 - _PATIENCE] * (1 + _STANDSTILL)
            if narrow or stands or middle <= interval.low:
                break
            heapq.heappop(heap)
            for low, high in ((interval.low, middle), (middle, interval.high)):
                half = self._bounded(self._with_lines(interval, low, high))
                heapq.heappush(heap, (half.bound, next(count), half))
        return heap[0][0]

    def _find_fastest(self, more_than: float) -> bool:
        """Find an allocation with a larger total rate than this; whether there is one that was met."""
        for gap in (1.0, _ROUGH, self._gap):
            self._fastest, most = self._allocations.most(RATE, 0.0, self._deadline, gap)
            self._largest_rate = min(self._largest_rate, most * (1 + _ROUNDING))
            self._fastest_rate = float(self._fastest @ (1 / self._allocations.time_s[: self._fastest.size]))
            if self._fastest_rate > more_than:
                return True
        return False

    def _tangent_of_lines(self) -> tuple[Worth, NDArray[np.float64]]:
        """What jobs are worth where V were attained: to begin with."""
        envelope = self._envelope
        jobs = np.arange(1.0, max(2.0, math.ceil(envelope.most_jobs)))
        at = np.argmin([slope * jobs + intercept for slope, intercept in envelope.lines], axis=0)
        slopes = np.array(envelope.lines)[at, 0]
        _, weights, further = mean_and_weights(envelope.above(jobs), envelope.most, self._arrival_rate)
        return worth_above(np.append(weights, further), np.append(slopes, 0.0)), slopes

    def _closed(self, bound: float) -> bool:
        return bound >= self.attained * (1 - self._accuracy)

    def _with_lines(self, interval: _Interval, low: float, high: float) -> _Interval:
        """A part of an interval, with lines above v that hold for its total rates."""
        lines = list(interval.lines)
        if low > interval.low:
            at = np.linspace(0, interval.slopes.size - 1, _LINES).astype(np.int64)
            for slope in np.unique(interval.slopes[at]).tolist():
                most = self._allocations.most(
                    worth_above(np.ones(1), np.array([slope])), low, self._deadline, self._gap
                )
                lines.append((slope, most.bound * (1 + _ROUNDING)))
        return replace(interval, low=low, high=high, lines=tuple(lines))

    def _bounded(self, interval: _Interval) -> _Interval:
        """The interval with the best bound that was found."""
        objective = _Served(self._arrival_rate, interval.high)
        first = self._allocations.most(interval.worth, interval.low, self._deadline, _ROUGH).jobs
        mixture = Mixture(self._allocations, objective, (first, self._fastest), _STANDSTILL / 10)
        before = math.inf
        gap = _ROUGH
        for _ in range(_ROUNDS):
            tangent = objective.tangent(*mixture.correct())
            mean = tangent.mean
            self.attained = min(self.attained, mean)
            interval, most = self._cut_by(tangent, interval, np.ones(len(_DISCOUNTED)), gap)
            if self._done(interval) or (gap == self._gap and mean >= before * (1 - _STANDSTILL)):
                break
            gap = self._gap if mean >= before * (1 - _ROUGH) else _ROUGH
            before = mean
            mixture.add(most.jobs)
        return self._rescaled(tangent, interval)

    def _rescaled(self, tangent: _Tangent, interval: _Interval) -> _Interval:
        """The interval with the best bound of those where the first states weigh more or less."""
        if not self._done(interval) and (interval.scales != 1).any():
            interval, _ = self._cut_by(tangent, interval, interval.scales, self._gap)
        for factor, state in itertools.product(_FACTORS, range(len(_DISCOUNTED))):
            while not self._done(interval):
                scales = interval.scales.copy()
                scales[state] *= factor
                tried, _ = self._cut_by(tangent, interval, scales, self._gap)
                if tried.bound <= interval.bound * (1 + _STANDSTILL):
                    break
                interval = replace(tried, scales=scales)
        return interval

    def _done(self, interval: _Interval) -> bool:
        return self._closed(interval.bound) or time.monotonic() > self._deadline

    def _cut_by(
        self, tangent: _Tangent, interval: _Interval, scales: NDArray[np.float64], gap: float
    ) -> tuple[_Interval, Most]:
        """The interval with the bound that a tangent gives, with its weights scaled, and the allocation it touches."""
        jobs = np.arange(1.0, tangent.slopes.size + 1)
        weights = tangent.weights.copy()
        for end, scale in zip(_DISCOUNTED, scales.tolist(), strict=True):
            weights[:-1][jobs < end * tangent.mean] *= scale
        worth = worth_above(weights, np.append(tangent.slopes, 0.0))
        most = self._allocations.most(worth, interval.low, self._deadline, gap)
        # the second part covers the rounding of worths whose weights differ by many orders of magnitude, too
        budget = (most.bound + float(weights[:-1] @ (tangent.slopes * jobs))) * (1 + _ROUNDING)
        found = least_mean(
            weights,
            self._ceilings(interval, jobs),
            budget,
            self._arrival_rate,
            interval.bound,
            max(tangent.mean, interval.bound),
            min(max(_FEWEST_STEPS, _STEPS_PER_STATE * jobs.size), _MOST_STEPS),
        )
        bound = max(interval.bound, found * (1 - _ROUNDING))
        return replace(interval, bound=bound, worth=worth, slopes=tangent.slopes), most

    def _ceilings(self, interval: _Interval, jobs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The least line at each n, and the largest rate beyond."""
        slopes, intercepts = np.array(interval.lines).T
        lines = np.min(slopes[:, None] * jobs + intercepts[:, None], axis=0)
        return np.append(np.minimum(lines, interval.high), interval.high)


class _Served:
    """M(v_x) as an objective, in jobs."""

    def __init__(self, arrival_rate: float, most: float) -> None:
        self._arrival_rate, self._most = arrival_rate, most

    def mean(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> float:
        return float(mean_served(time_s, jobs, self._most, self._arrival_rate))

    def look(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        tangent = self.tangent(time_s, jobs)
        if tangent.mean == math.inf:
            return tangent.mean, 1 / time_s
        return tangent.mean, worth_above(tangent.weights, np.append(tangent.slopes, 0.0)).of(time_s)

    def tangent(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> _Tangent:
        found = served(time_s, jobs)
        rates, total = np.minimum(found.rates, self._most), min(found.total, self._most)
        mean, weights, further = mean_and_weights(rates, total, self._arrival_rate)
        return _Tangent(np.append(weights, further), found.slopes, mean)
