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

from chainopt.exact.columns import cheapest_on_hull
from chainopt.exact.master import Master
from chainopt.exact.pricing import cheapest_chain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts

_SMOOTHING, _SLACK = 0.7, 0.3
"""Of prices; and the part of what is missing that a chain has to be worth more than it costs, at first."""


class Worth:
    """φ(T) = Σ_n w_n max(0, 1/T - a_n), for w_n >= 0 and a_n >= 0: piecewise linear in 1/T."""

    def __init__(self, weights: NDArray[np.float64], slopes: NDArray[np.float64]) -> None:
        order = np.argsort(slopes, kind="stable")
        self._at = slopes[order]
        self._weight = np.cumsum(weights[order])
        self._less = np.cumsum(weights[order] * self._at)

    def of(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """φ of each time."""
        rate = 1 / time_s
        below = np.searchsorted(self._at, rate, side="right") - 1
        worth = self._weight[below] * rate - self._less[below]
        return np.where(below >= 0, np.maximum(worth, 0.0), 0.0)


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
    most_jobs
        More jobs than these no allocation runs.

    Attributes
    ----------
    time_s
        T of the chains generated so far, seconds.
    """

    def __init__(self, parts: Parts, chains: Iterable[NDArray[np.int64]], most_jobs: float) -> None:
        self._parts = parts
        self._most_jobs = most_jobs
        self._master = Master(parts)
        self.time_s = np.zeros(0)
        self._add(list(chains))

    def most(self, worth: Worth, least_rate: float, deadline: float, gap: float) -> Most:
        """Of all allocations with at least this total rate, what is worth most, up to a relative gap.

        Some chains generated before have the rate.
        """
        best, best_prices, share = math.inf, None, 0.0
        while True:
            value, prices = self._master.maximise(worth.of(self.time_s), least_rate)
            jobs = self._master.amounts()
            least_slack = gap * value / (2 * self._most_jobs)
            slack = max(share * (best - value) / self._most_jobs, least_slack) if share else least_slack
            added = 0
            for weight in (_SMOOTHING, 0.0) if best_prices is not None else (0.0,):
                mixed = prices if best_prices is None else prices.mixed(best_prices, weight)
                chains, missing = self._price(mixed.parts, mixed.rate, worth, slack)
                proven = float(mixed.rooms.sum()) - mixed.rate * least_rate + missing * self._most_jobs
                if proven < best:
                    best, best_prices = proven, mixed
                added = self._add(chains)
                if added or best <= value * (1 + gap):
                    break
            if best <= value * (1 + gap) or time.monotonic() > deadline or not (added or slack > least_slack):
                return Most(jobs, best)
            share = _SLACK if added else 0.0

    def cut(self) -> bool:
        """Cut off the last optimum where whole numbers of jobs do not reach it; whether anywhere."""
        return self._master.cut()

    def _add(self, chains: list[NDArray[np.int64]]) -> int:
        added = self._master.add(chains)
        new = self._master.chains[self.time_s.size :]
        self.time_s = np.append(self.time_s, [float(self._parts.time_s[chain].sum()) for chain in new])
        return added

    def _price(
        self, price: NDArray[np.float64], rate: float, worth: Worth, slack: float
    ) -> tuple[list[NDArray[np.int64]], float]:
        """Chains that are worth more than they cost by more than the slack, and by how much any is at most."""
        parts = self._parts

        def cheapest(cost: NDArray[np.float64]) -> NDArray[np.int64]:
            chain: NDArray[np.int64] = cheapest_chain(parts.first, parts.blocks, cost, parts.total)[0]
            return chain

        def value(time_s: float) -> float:
            return float(worth.of(np.array([time_s]))[0]) + rate / time_s

        chains, least = cheapest_on_hull(cheapest, price, parts.time_s, value, -slack)
        return chains, max(slack, -least)
