"""All allocations of all placements, relaxed: the one that is worth most, where jobs of faster chains are worth more.

An allocation runs x_k jobs in chain k, and Σ_k w_j(n_jk) x_k <= 1 at every server j (:mod:`chainopt.exact.parts`). With
a worth φ that is convex and falls with the time, max Σ_k φ(T_k) x_k is solved by column generation, and every round
proves a bound on it.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.exact.master import Master
from chainopt.exact.pricing import worthy_chains

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts
    from chainopt.exact.worth import Worth

_SMOOTHING, _SLACK = 0.7, 0.3
"""Of prices; and the part of what is missing that a chain has to be worth more than it costs, at first."""


_TOLERANCE = 1e-6
"""So many jobs without a chain are none."""


class Most(NamedTuple):
    """The allocation that is worth most: x of the chains generated so far; and what none is worth more than."""

    jobs: NDArray[np.float64]
    bound: float


class Allocations:
    """The allocations of an instance.

    Parameters
    ----------
    parts
        What chains are made of.
    chains
        To begin with, as parts.
    least, most
        Jobs that an allocation runs, at least and at most.

    Attributes
    ----------
    time_s
        T of the chains generated so far, seconds.
    """

    def __init__(self, parts: Parts, chains: Iterable[NDArray[np.int64]], most: float, least: float = 0.0) -> None:
        self._parts, self._least, self._most = parts, least, most
        self._master = Master(parts)
        self.time_s = np.zeros(0)
        self._useful: set[int] = set()
        self._add(list(chains))

    @property
    def useful(self) -> list[NDArray[np.int64]]:
        """The chains of all optima that were found."""
        return [self._master.chains[k] for k in sorted(self._useful)]

    def most(self, worth: Worth, least_rate: float, deadline: float, gap: float) -> Most:
        """Of all allocations with at least this total rate, what is worth most, up to a relative gap.

        The bound is proven even where no allocation has the rate, or none so many jobs.
        """
        best, best_prices, share = math.inf, None, 0.0
        while True:
            value, prices = self._master.maximise(worth.of(self.time_s), least_rate, self._least, self._most)
            jobs = self._master.amounts()
            least_slack = gap * abs(value) / (2 * self._most)
            slack = max(share * (best - value) / self._most, least_slack) if share else least_slack
            added = 0
            for weight in (_SMOOTHING, 0.0) if best_prices is not None else (0.0,):
                mixed = prices if best_prices is None else prices.mixed(best_prices, weight)
                chains, missing = worthy_chains(self._parts, mixed.parts, worth, slack, mixed.rate, mixed.job)
                proven = max(mixed.job * self._least, mixed.job * self._most) + missing * self._most
                proven += float(mixed.rooms.sum()) - mixed.rate * least_rate
                if proven < best:
                    best, best_prices = proven, mixed
                added = self._add(chains)
                if added or best <= value * (1 + gap):
                    break
            if best <= value * (1 + gap) or time.monotonic() > deadline or not (added or slack > least_slack):
                self._useful.update(np.flatnonzero(jobs).tolist())
                attained = self._master.missing < _TOLERANCE
                return Most(jobs if attained else np.zeros_like(jobs), best)
            share = _SLACK if added else 0.0

    def cut(self) -> bool:
        """Cut off the last optimum where whole numbers of jobs do not reach it; whether anywhere."""
        return self._master.cut()

    def _add(self, chains: list[NDArray[np.int64]]) -> int:
        added = self._master.add(chains)
        new = self._master.chains[self.time_s.size :]
        self.time_s = np.append(self.time_s, [float(self._parts.time_s[chain].sum()) for chain in new])
        return added
