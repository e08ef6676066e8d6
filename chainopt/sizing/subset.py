"""The fewest or the cheapest servers, out of those on offer, that meet a target at an arrival rate."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.answer import Answer
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact.bounds import bound as prove
from chainopt.exact.cover import Cover
from chainopt.facade import compose
from chainopt.model.solution import Objective, Status
from chainopt.quantity import at_least

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution
    from chainopt.sizing.target import Target

TIME_LIMIT_S = 20.0
SAME = 5e-6
"""Costs that are as much above the bound, relative, count as proven: the bound is eased for the solver's tolerances."""
_TRIES = 20
_MARGINS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Shares of the rate that subsets are asked for on top, one after the other until one meets the target."""
_BISECTIONS = 4
_EXCLUSIONS = 100
_PROOF_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class LeastServers:
    """The cheapest subset that was found.

    Attributes
    ----------
    instance
        The instance with these servers only.
    solution
        Its composition, None where nothing was found.
    value_s
        The mean or quantile, seconds; None where there is no target.
    cost
        Of the servers; infinite where nothing was found.
    bound
        Proven, for every placement, allocation and dispatch policy that finishes all jobs: no subset that meets the
        target costs less. Infinite where not even all servers do.
    """

    instance: Instance
    solution: Solution | None
    value_s: float | None
    cost: float
    bound: float

    @property
    def optimal(self) -> bool:
        """Whether nothing cheaper exists."""
        return self.solution is not None and self.cost <= self.bound * (1 + SAME)


def least_servers(
    instance: Instance,
    target: Target | None = None,
    costs: Sequence[float] | None = None,
    *,
    time_limit_s: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
) -> LeastServers:
    """Search for the servers of least cost that meet a target at the arrival rate of an instance.

    Parameters
    ----------
    target
        If None, a total service rate of at least λ/ρ̄ is what is asked for.
    costs
        Of each server, none negative; 1 each if None, so that the fewest are looked for.
    time_limit_s
        Seconds; `TIME_LIMIT_S` if neither this nor iterations are given.
    iterations
        Of each search, instead of a time: the seed alone decides what is found.

    Raises
    ------
    InfeasibleError
        If not even all servers have a composition.
    """
    if time_limit_s is None and iterations is None:
        time_limit_s = TIME_LIMIT_S
    weights = np.ones(len(instance.servers)) if costs is None else np.asarray(costs, dtype=np.float64)
    return _Sizing(instance, target, weights, time_limit_s, iterations, seed).run()


class _Sizing:
    """One run: what was tried, and the best of it."""

    def __init__(
        self,
        instance: Instance,
        target: Target | None,
        costs: NDArray[np.float64],
        time_limit_s: float | None,
        iterations: int | None,
        seed: int,
    ) -> None:
        self.instance, self.target, self.costs = instance, target, costs
        self.iterations, self.seed, self.time_limit_s = iterations, seed, time_limit_s
        self.deadline = math.inf if time_limit_s is None else time.monotonic() + time_limit_s
        self.rate = float(instance.workload.arrival_rate)
        self.whole = bool(np.all(costs == np.round(costs)))
        if target is None:
            self.cover = Cover(instance, costs, instance.design_rate)
        else:
            jobs = math.inf if target.probability is not None else self.rate * target.response_time_s
            self.cover = Cover(instance, costs, self.rate, jobs)
        self.tried: dict[bytes, bool] = {}
        self.best: tuple[NDArray[np.bool_], Composition] | None = None

    def run(self) -> LeastServers:
        """Try all servers, then few, then fewer."""
        everything = np.ones(len(self.instance.servers), dtype=bool)
        self.cover.cheapest(self._soon())
        if self.cover.cost < math.inf and not self._impossible(everything):
            self._try(everything)
            self._raise_bound()
            self._cover()
            self._thin_out()
        else:
            self.cover.cost = math.inf
        return self._answer()

    def _raise_bound(self) -> None:
        """Leave out, one after the other, cheapest subsets that are proven not to meet the target."""
        end = min(self.deadline, time.monotonic() + _PROOF_SHARE * (self.time_limit_s or math.inf))
        for _ in range(_EXCLUSIONS):
            chosen = self.cover.cheapest(min(end, self._soon()))
            if chosen is None or time.monotonic() > end or not self._impossible(chosen):
                return
            self.cover.exclude(chosen)

    def _cover(self) -> None:
        """Subsets that the bound allows with more and more to spare, until one meets the target; then with less."""
        failing, passing = -1.0, math.inf
        for margin in _MARGINS:
            if self._out_of_time():
                return
            if self._covers(margin):
                passing = margin
                break
            failing = margin
        for _ in range(_BISECTIONS if 0 <= failing < passing < math.inf else 0):
            middle = (failing + passing) / 2
            if self._out_of_time() or self._closed():
                return
            if self._covers(middle):
                passing = middle
            else:
                failing = middle

    def _covers(self, margin: float) -> bool:
        """Whether a cheapest subset with so much to spare meets the target, as far as can be found."""
        chosen = self.cover.cheapest(self._soon(), margin)
        if chosen is None:
            return False
        known = np.packbits(chosen).tobytes()
        if known in self.tried:
            return self.tried[known]
        return not self._impossible(chosen) and self._try(chosen)

    def _thin_out(self) -> None:
        """Take away servers as long as the rest meets the target, dearest first; of equal servers one is tried."""
        improved = True
        while improved and self.best is not None and not self._closed() and not self._out_of_time():
            improved = False
            for without in self._smaller(self.best[0]):
                if self._out_of_time():
                    return
                if np.packbits(without).tobytes() not in self.tried and self._try(without):
                    improved = True
                    break

    def _smaller(self, chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
        """Subsets without one server, and with one server exchanged for a cheaper one."""
        servers = self.instance.servers
        kinds = [(s.memory_gb - s.reserve_gb, s.comm_s, s.comp_s_per_block, s.pin) for s in servers]
        inside = sorted(np.flatnonzero(chosen).tolist(), key=lambda j: (-self.costs[j], servers[j].memory_gb))
        seen = set()
        for j in inside:
            if (kinds[j], self.costs[j]) in seen:
                continue
            seen.add((kinds[j], self.costs[j]))
            yield self._changed(chosen, [j], [])
        for j in inside:
            for i in np.flatnonzero(~chosen & (self.costs < self.costs[j])).tolist():
                yield self._changed(chosen, [j], [i])

    @staticmethod
    def _changed(chosen: NDArray[np.bool_], out: list[int], new: list[int]) -> NDArray[np.bool_]:
        changed = chosen.copy()
        changed[out] = False
        changed[new] = True
        return changed

    def _try(self, chosen: NDArray[np.bool_]) -> bool:
        """Whether a composition on these servers is found that meets the target; the cheapest one is kept."""
        key = np.packbits(chosen).tobytes()
        if key in self.tried or not chosen.any():
            return self.tried.get(key, False)
        composition = self._composed(chosen)
        self.tried[key] = composition is not None and self._meets(composition)
        if composition is None or not self.tried[key]:
            return False
        used = np.zeros(chosen.size, dtype=bool)
        used[np.flatnonzero(chosen)[np.unique(composition.hops)]] = True
        if self.best is None or self.costs[chosen].sum() < self.costs[self.best[0]].sum():
            self.best = (chosen, composition)
        if not np.array_equal(used, chosen):
            self._try(used)  # some serve no chain
        return True

    def _meets(self, composition: Composition) -> bool:
        if self.target is None:
            return at_least(composition.total_service_rate, self.instance.design_rate)
        return self.target.met(self.target.value_s(composition, self.rate))

    def _composed(self, chosen: NDArray[np.bool_]) -> Composition | None:
        limit = None
        if self.time_limit_s is not None:
            limit = min(self.time_limit_s / _TRIES, max(0.1, self.deadline - time.monotonic()))
        objective = Objective.RATE if self.target is None else Objective.RESPONSE_TIME
        try:
            return compose(
                self._only(chosen),
                objective=objective,
                time_limit_s=limit,
                iterations=self.iterations,
                seed=self.seed,
            ).composition
        except (InfeasibleError, UnstableError):
            return None

    def _only(self, chosen: NDArray[np.bool_]) -> Instance:
        return self.instance.replace(servers=[self.instance.servers[j] for j in np.flatnonzero(chosen)])

    def _impossible(self, chosen: NDArray[np.bool_]) -> bool:
        """Whether it is proven that these servers do not meet the target."""
        only = self._only(chosen)
        limit = None if self.time_limit_s is None else self._soon() - time.monotonic()
        try:
            if self.target is None:
                return not at_least(prove(only, Objective.RATE, limit), self.instance.design_rate)
            proven = prove(only, Objective.RESPONSE_TIME, limit, any_policy=True)
            fastest = self.target.least_s(self._fastest_s(only))
            return max(fastest, proven if self.target.probability is None else 0.0) > self.target.response_time_s
        except (InfeasibleError, UnstableError):
            return True

    @staticmethod
    def _fastest_s(instance: Instance) -> float:
        from chainopt.exact.bounds import envelope_of

        return envelope_of(instance).fastest_s

    def _soon(self) -> float:
        if self.time_limit_s is None:
            return math.inf
        return min(self.deadline, time.monotonic() + _PROOF_SHARE * self.time_limit_s / 2)

    def _out_of_time(self) -> bool:
        return time.monotonic() > self.deadline

    def _closed(self) -> bool:
        return self.best is not None and float(self.costs[self.best[0]].sum()) <= self._bound() * (1 + SAME)

    def _bound(self) -> float:
        """The bound on the cost, a whole number where all costs are."""
        cost = self.cover.cost
        return float(math.ceil(cost - 1e-6)) if self.whole and math.isfinite(cost) else cost

    def _answer(self) -> LeastServers:
        if self.best is None:
            return LeastServers(self.instance, None, None, math.inf, self._bound())
        chosen, composition = self.best
        only = self._only(chosen)
        asked = {} if self.target is None else {"response_time_s": self.target.response_time_s}
        answer = Answer(only, "size", Objective.RESPONSE_TIME, self.seed, asked)
        stable = not at_least(self.rate, composition.total_service_rate)
        status = Status.FEASIBLE if stable else Status.UNSTABLE
        solution = answer.solution(status, composition, None)
        value = None if self.target is None else self.target.value_s(composition, self.rate)
        return LeastServers(only, solution, value, float(self.costs[chosen].sum()), self._bound())
