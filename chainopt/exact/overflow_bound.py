"""A bound on the mean response time under JFFC that holds for every composition, tighter than with jobs that move.

Under JFFC a job stays in its chain. With q the probability that more jobs are there than job servers, B_τ the share of
other arrivals that find all job servers with times up to τ busy, and R_τ their total rate, R in all,

    E[T] = ∫ max(0, (1 - q) B_τ + q (1 - R_τ / λ)) dτ + q / λ + q / (R - λ)

where B and q are bounded as in :mod:`chainopt.exact.overflow`. That is convex for all that was seen, but nothing rests
on it: at an allocation that makes it small there are planes below B, one for each of many ranges of τ, and a tangent to
1 / (R - λ), which all hold for every composition. Together they are linear in what chains run, so the bound is one
linear program over the relaxed allocations. Proof: docs/theory/bounds.md.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.exact.mixture import Mixture
from chainopt.exact.overflow import Hunt, least_waiting, least_with, overflow
from chainopt.exact.served import served
from chainopt.exact.worth import RATE, Worth, worth_above

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.exact.allocations import Allocations
    from chainopt.exact.envelope import Envelope
    from chainopt.exact.profiled import ProfiledAllocations

_RANGES = 32
"""Of τ, at least; times of chains divide these further."""
_ROUNDS, _STANDSTILL = 30, 1e-4
_GAP, _ROUGH = 0.2, 1e-3
"""Relative, of linear programs: for what is worth most, as a part of the accuracy; and for the total rate."""
_FIRST, _LEVELS = 1.02, 6
"""So much more than what is known is tried to prove first; and so many levels in all."""
_LINES, _BEYOND = 32, 1.05
"""Above v(n); and so much more than what was attained with fewer lines is tried to prove."""
_LAST, _HALVINGS = 10.0, 30
"""The integral is over τ up to so many times that of the fastest chain; and halvings of a level that is too high."""
_CLOSE, _ROUNDING = 1e-5, 1e-9


class _Planes(NamedTuple):
    """B_τ + `per_server` c + `per_rate` R >= `heights`, for τ in ranges that follow one another, shape (A,).

    Attributes
    ----------
    ends_s
        Where ranges begin and end, shape (A + 1,).
    counts, rates, shares
        c, R and B where they touch.
    heights
        Empty until proven.
    total_rate, mean_s
        Of the allocation that they were found at.
    """

    ends_s: NDArray[np.float64]
    counts: NDArray[np.float64]
    rates: NDArray[np.float64]
    shares: NDArray[np.float64]
    per_server: NDArray[np.float64]
    per_rate: NDArray[np.float64]
    heights: NDArray[np.float64]
    total_rate: float
    mean_s: float

    def first(self, count: int) -> _Planes:
        """Only so many of them."""
        return self._replace(
            ends_s=self.ends_s[: count + 1],
            counts=self.counts[:count],
            rates=self.rates[:count],
            shares=self.shares[:count],
            per_server=self.per_server[:count],
            per_rate=self.per_rate[:count],
        )


class _Overflow:
    """The bound of one allocation, in seconds, as an objective; between whole numbers of jobs it is made up.

    Attributes
    ----------
    last_s
        The integral is over τ up to here.
    """

    def __init__(self, hunt: Hunt, fastest_s: float, level: float) -> None:
        self._hunt, self._fastest_s = hunt, fastest_s
        self._waiting = least_waiting(hunt)
        self.last_s = self._last(level)
        self._time_s, self._ends_s = np.zeros(0), np.zeros(0)

    def mean(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> float:
        planes = self._at(time_s, jobs)
        return math.inf if planes is None else planes.mean_s

    def look(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        planes = self.planes(time_s, jobs)
        if planes is None:
            return math.inf, 1 / time_s
        return planes.mean_s, self.worth(planes).of(time_s)

    def planes(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> _Planes | None:
        """Planes that touch B where it is, still without heights; none where it is not stable.

        B falls less and less with every job server. Where that fails, the next plane is made flatter, so that what a
        job is worth stays convex: any slopes will do.
        """
        planes = self._at(time_s, jobs)
        if planes is None:
            return None
        planes = planes.first(int(np.count_nonzero(self._integrand(planes.rates, planes.shares) > 0)))
        ends, per_server, per_rate = planes.ends_s, planes.per_server, planes.per_rate
        before = math.inf
        for a in range(per_rate.size):
            per_server[a] = max(per_server[a], -per_rate[a] / ends[a + 1])
            here = per_server[a] + per_rate[a] / ends[a]
            if here > before:
                factor = max(before, 0.0) / here
                per_server[a] *= factor
                per_rate[a] *= factor
            before = per_server[a] + per_rate[a] / ends[a + 1]
        return planes

    def with_heights(self, planes: _Planes, deadline: float) -> _Planes | None:
        """The planes, proven; None if time is out before."""
        near = planes.counts.astype(np.int64)
        ranges = zip(planes.per_server, planes.per_rate, planes.ends_s[:-1], planes.ends_s[1:], near, strict=True)
        heights = []
        for values in ranges:
            if time.monotonic() > deadline:
                return None
            heights.append(least_with(self._hunt, *values, _CLOSE))
        return planes._replace(heights=np.array(heights))

    def worth(self, planes: _Planes) -> Worth:
        """What a job is worth on a chain: by how much it lowers the planes and the tangent, in all.

        On a chain with time T it lowers those for τ >= T: ∫ (α + β/T) dτ from T to the end of the range that T is in,
        with α and β of the plane, and so much for every later range.
        """
        waiting = self._waiting
        per_server = (1 - waiting) * planes.per_server
        per_rate = (1 - waiting) * planes.per_rate + waiting / self._hunt.arrival_rate
        width, ends = np.diff(planes.ends_s), planes.ends_s[1:]
        tangent = waiting / (planes.total_rate - self._hunt.arrival_rate) ** 2
        slopes = _later(width * per_rate) + per_rate * ends + tangent
        offsets = per_rate - _later(width * per_server) - per_server * ends
        return Worth(
            np.append(0.0, 1 / ends[::-1]),
            np.append(tangent, slopes[::-1]),
            np.append(0.0, offsets[::-1]),
            np.append(0.0, per_server[::-1]),
        )

    def constant(self, planes: _Planes) -> float:
        """The sum of planes and tangent is so much less what the jobs are worth."""
        waiting = self._waiting
        spare = planes.total_rate - self._hunt.arrival_rate
        service = float(planes.ends_s[0]) + float(np.diff(planes.ends_s) @ ((1 - waiting) * planes.heights + waiting))
        return service + waiting * (1 / self._hunt.arrival_rate + 1 / spare + planes.total_rate / spare**2)

    def always_waiting(self, last_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Below the sum for q = 1, with planes up to some τ, for every composition.

        It has ∫ (1 - R_τ / λ) dτ; with c job servers up to the last τ, ∫ R_τ dτ = τ R_τ - c, and R_τ <= V(c).
        """
        hunt = self._hunt
        lowered = np.max(np.outer(last_s, hunt.ceilings) - np.arange(hunt.ceilings.size), axis=1)
        least: NDArray[np.float64] = last_s - (lowered - 1) / hunt.arrival_rate
        return least + 1 / (hunt.high - hunt.arrival_rate)

    def _last(self, level: float) -> float:
        """The last τ for which :meth:`always_waiting` is no less than that, or where it is largest."""
        hunt, jobs = self._hunt, np.arange(self._hunt.ceilings.size)
        rising, falling = hunt.ceilings < hunt.arrival_rate, hunt.ceilings > hunt.arrival_rate

        def limits(level: float) -> tuple[float, float]:
            """Where τ (1 - V(c) / λ) + c / λ + 1 / λ + 1 / (R - λ) is no less for all c."""
            spare = jobs + 1 - hunt.arrival_rate * (level - 1 / (hunt.high - hunt.arrival_rate))
            latest = np.min(spare[falling] / (hunt.ceilings[falling] - hunt.arrival_rate), initial=np.inf)
            earliest = np.max(-spare[rising] / (hunt.arrival_rate - hunt.ceilings[rising]))
            return max(float(earliest), self._fastest_s), float(latest)

        earliest, latest = limits(level)
        low, high = 0.0, level
        for _ in range(_HALVINGS if earliest > latest else 0):
            middle = (low + high) / 2
            earliest, latest = limits(middle)
            low, high = (middle, high) if earliest <= latest else (low, middle)
        return min(max(limits(low)[1] if earliest > latest else latest, self._fastest_s), _LAST * self._fastest_s)

    def _at(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> _Planes | None:
        total_rate = float(jobs @ (1 / time_s))
        spare = total_rate - self._hunt.arrival_rate
        if spare <= 0:
            return None
        last = min(float(time_s[-1]), self.last_s)
        if time_s is not self._time_s:  # the same for many allocations
            self._time_s = time_s
            self._ends_s = np.union1d(np.linspace(self._fastest_s, last, _RANGES), time_s[time_s < last])
        ends = self._ends_s
        counts, rates, shares, per_server, per_rate = overflow(self._hunt, ends, time_s, jobs)
        integrand = self._integrand(rates, shares)
        mean = float(ends[0] + np.diff(ends) @ np.maximum(integrand, 0.0))
        mean += self._waiting * (1 / self._hunt.arrival_rate + 1 / spare)
        return _Planes(ends, counts, rates, shares, per_server, per_rate, np.zeros(0), total_rate, mean)

    def _integrand(self, rates: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1 - self._waiting) * shares + self._waiting * (1 - rates / self._hunt.arrival_rate)


@dataclass
class _Part:
    """Compositions with a total rate within the limits of a hunt, what is proven of them, and what was attained."""

    hunt: Hunt
    bound: float
    attained: float = math.inf
    slopes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    lines: bool = False


class OverflowBounding:
    """Proven lower bound on the mean response time under JFFC of some compositions, in seconds.

    Parameters
    ----------
    allocations, most
        Which, relaxed, with at most so many job servers.
    envelope
        What is above their v.
    proven
        What is proven already; the bound is never less.
    accuracy
        Relative distance to what one of them attains at which nothing more is tried.
    """

    def __init__(
        self,
        allocations: Allocations | ProfiledAllocations,
        most: int,
        envelope: Envelope,
        arrival_rate: float,
        proven: float,
        accuracy: float,
        deadline: float,
    ) -> None:
        self._allocations, self._fastest_s = allocations, envelope.fastest_s
        self._accuracy, self._gap, self._deadline = accuracy, accuracy * _GAP, deadline
        fastest, largest = allocations.most(RATE, 0.0, deadline, _ROUGH)
        self._vertices = [fastest]
        self._fastest_rate = float(fastest @ (1 / allocations.time_s[: fastest.size]))
        ceilings = np.append(0.0, envelope.above(np.arange(1.0, most + 1)))
        largest = min(largest * (1 + _ROUNDING), float(ceilings[-1]))
        # V(n) is below the arrival rate up to here
        slopes, intercepts = np.array(envelope.lines).T
        busy = float(np.max((arrival_rate - intercepts[slopes > 0]) / slopes[slopes > 0]))
        self._service_s = busy / arrival_rate
        hunt = Hunt(arrival_rate, np.minimum(ceilings, largest), arrival_rate, largest)
        self._parts = [_Part(hunt, proven if largest > arrival_rate else math.inf)]
        if self._fastest_rate > arrival_rate:
            self._prove(self._parts[0])

    @property
    def bound(self) -> float:
        """Infinite if none is stable."""
        return min(part.bound for part in self._parts)

    def refine(self) -> None:
        """Prove more of the part with the least bound: by closer ceilings, and then by halving the range of its rates.

        Where the total rate is so low that waiting alone makes up for more than was attained, that is proven for a part
        of its own.
        """
        part = min(self._parts, key=lambda part: part.bound)
        if part.attained == math.inf or time.monotonic() > self._deadline:
            return
        hunt = part.hunt
        if not part.lines:
            waiting, target = least_waiting(hunt), max(part.attained, part.bound) * _BEYOND
            room = target - self._service_s - waiting / hunt.arrival_rate
            low = hunt.arrival_rate + waiting / room if room > 0 else math.inf
            if low >= min(hunt.high, self._fastest_rate):
                part.bound = part.attained = target
                return
            if low > hunt.low:
                below = Hunt(hunt.arrival_rate, np.minimum(hunt.ceilings, low), hunt.low, low)
                self._parts.append(_Part(below, target, target, part.slopes, lines=True))
                part.hunt = hunt._replace(low=low)
            self._with_lines(part)
            return
        middle = (hunt.low + min(hunt.high, self._fastest_rate)) / 2
        if middle <= hunt.low:
            return
        upper = _Part(hunt._replace(low=middle), part.bound, slopes=part.slopes, lines=True)
        self._with_lines(upper)
        part.hunt = Hunt(hunt.arrival_rate, np.minimum(hunt.ceilings, middle), hunt.low, middle)
        self._prove(part)
        self._parts.append(upper)

    def _with_lines(self, part: _Part) -> None:
        part.lines = True
        if self._fastest_rate <= part.hunt.low:
            return
        ceilings = part.hunt.ceilings
        jobs = np.arange(1.0, ceilings.size)
        at = np.linspace(0, part.slopes.size - 1, _LINES).astype(np.int64)
        for slope in np.unique(part.slopes[at]).tolist():
            if time.monotonic() > self._deadline:
                return
            worth = worth_above(np.ones(1), np.array([slope]))
            most = self._allocations.most(worth, part.hunt.low, self._deadline, self._gap).bound * (1 + _ROUNDING)
            ceilings = np.minimum(ceilings, np.append(0.0, slope * jobs + most))
        part.hunt = part.hunt._replace(ceilings=ceilings)
        self._prove(part)

    def _prove(self, part: _Part) -> None:
        """Choose planes up to the τ from which on they would fall below what the others prove.

        The further they go, the larger is their sum, and the smaller what :meth:`_Overflow.always_waiting` allows.
        """
        level = part.bound * _FIRST
        for _ in range(_LEVELS):
            objective = _Overflow(part.hunt, self._fastest_s, level)
            proven = self._least_sum(objective, part)
            allowed = float(objective.always_waiting(np.array([objective.last_s]))[0])
            part.bound = max(part.bound, min(proven, allowed) * (1 - _ROUNDING))
            if abs(proven - allowed) <= self._accuracy * allowed or time.monotonic() > self._deadline:
                break
            level = (proven + allowed) / 2

    def _least_sum(self, objective: _Overflow, part: _Part) -> float:
        """Proven for the least sum of planes and tangent, close to what some relaxed allocation attains."""
        mixture = Mixture(self._allocations, objective, self._vertices, self._accuracy * _GAP)
        proven, attained = -math.inf, math.inf
        for _ in range(_ROUNDS):
            before = attained
            found = mixture.correct()
            touching = objective.planes(*found)
            assert touching is not None, "an allocation is stable, so the best mixture is"
            attained = min(attained, touching.mean_s)
            planes = objective.with_heights(touching, self._deadline)
            if planes is None:
                break
            jobs, most = self._allocations.most(objective.worth(planes), part.hunt.low, self._deadline, self._gap)
            value = objective.constant(planes) - most
            improved = value > proven + abs(proven) * _STANDSTILL
            proven = max(proven, value)
            if proven >= attained * (1 - self._accuracy):
                break
            if not improved and attained >= before * (1 - _STANDSTILL):
                break
            mixture.add(jobs)
        self._vertices = [self._vertices[0], *mixture.used]
        part.attained, part.slopes = attained, served(*found).slopes
        return proven


def _later(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of all later ones, for each."""
    return np.append(np.cumsum(values[:0:-1])[::-1], 0.0)
