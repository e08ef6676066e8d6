"""A composition in operation: what the simulator needs to run it under any policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.model.placement import checked_slots
from chainopt.simulation.engine import run_of
from chainopt.simulation.policies import POLICIES
from chainopt.simulation.routing import RoutingRun

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.simulation.engine import Run
    from chainopt.simulation.pace import Pace
    from chainopt.simulation.summary import Summary


@dataclass(frozen=True, eq=False)
class Operation:
    """A composition and how long jobs take in it.

    Attributes
    ----------
    instance, composition
        What is operated.
    pace
        How long jobs take, D demands.
    expected
        Demands of the mean job, shape (D,), for policies that route; None where D = 1.
    """

    instance: Instance
    composition: Composition
    pace: Pace
    expected: tuple[float, ...] | None = None

    def run(self, policy: str, jobs: int, thresholds: NDArray[np.int64] | None = None) -> Run:
        """Nothing going on yet, under a policy of `POLICIES` or `ROUTING`, for so many jobs at most."""
        if policy not in POLICIES:
            return RoutingRun(self.instance, self.composition.placement, policy, pace=self.pace, expected=self.expected)
        composition = self.composition
        pace = self.pace.along(composition)
        if pace.shape[1] == 1:
            pace = composition.service_times_s[:, None]  # in exact arithmetic, rounded once
        return run_of(policy, composition.service_rates, composition.capacities, pace, jobs, thresholds)

    def ways(self, run: Run) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Servers and blocks of each chain, or of each route that a run has taken, as records number them."""
        ways = run.routes if isinstance(run, RoutingRun) else self.composition.chains
        return [(way.servers, way.blocks) for way in ways]

    def slots_in_use(self, run: Run, summary: Summary) -> NDArray[np.float64]:
        """Share of each server's cache slots that jobs held in the mean; nan of servers that have none, shape (J,)."""
        used = np.zeros(len(self.instance.servers))
        for (servers, blocks), busy_s in zip(self.ways(run), summary.busy_s.tolist(), strict=False):
            for j, n in zip(servers, blocks, strict=True):
                used[j] += n * busy_s
        slots = checked_slots(self.instance, self.composition.placement).astype(np.float64)
        hosts = (self.composition.placement.sizes > 0) & (slots > 0)
        held = np.full(used.size, np.nan)
        if summary.duration_s > 0:
            held[hosts] = used[hosts] / (slots[hosts] * summary.duration_s)
        return held
