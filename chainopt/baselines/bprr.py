"""BPRR: blocks placed for a design number of sessions, and every job on the route with the least time and waits.

Blocks: `chainopt.placement.cg_bp`. Routes: the rule ``ws-rr`` of `chainopt.simulation.routing`. If earlier jobs leave
a server at T_1 <= T_2 <= ..., and M_1, M_2, ... slots with it, the wait there of a job that needs m is until the first
T_k at which free + M_1 + ... + M_k >= m. That is when the server by itself gives it the slots. The job starts when all
of its servers have given it theirs, so it waits for the maximum where the route counts the sum.

All memory beside the blocks is cache.

References
----------
T. Sun, T. He, B. Ji, P. Parag, Optimizing Resource Allocation for Geographically-Distributed Inference by Large
Language Models, arXiv 2512.21884.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from chainopt.baselines.deployment import Deployment
from chainopt.baselines.pilot import best_simulated
from chainopt.placement.candidates import cg_bp_candidates
from chainopt.placement.cg_bp import cg_bp
from chainopt.placement.greedy import reservations
from chainopt.protocols import PlacementOptions
from chainopt.simulation.routing import RoutingRun

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.protocols import Candidate


def bprr_faithful(instance: Instance, *, seed: int = 0) -> Deployment:
    """BPRR for the least number of sessions R that is enough for the traffic on the placement that is made for it.

    If the fastest route takes T then λ T jobs run at once in the mean where nobody waits; R is enough if it is at least
    that and one standard deviation of a Poisson number more, R >= λT + sqrt(max(λT, 1)), which is the allowance of the
    authors. Where no R for which all blocks can be hosted is enough, it is the largest one.

    Nothing is drawn, so `seed` makes no difference.

    Raises
    ------
    InfeasibleError
        If the blocks cannot be hosted with the cache of one session.
    """
    rate = float(instance.workload.arrival_rate)
    ends = reservations(instance)
    for candidate in _candidates(instance):
        placement, least = candidate.placement, candidate.cache_reservation or 1
        most = ends[bisect_left(ends, least)]
        running = rate * _fastest_s(instance, placement)
        enough = max(least, math.ceil(running + math.sqrt(max(running, 1.0))))
        if enough <= most:
            return _deployed(instance, placement, enough)
    return _deployed(instance, placement, most)


def bprr_tuned(instance: Instance, *, seed: int = 0) -> Deployment:
    """BPRR for the number of sessions R that is best in a simulation; all R with different placements are tried.

    Raises
    ------
    InfeasibleError
        If the blocks cannot be hosted with the cache of one session.
    """
    deployments = [_deployed(instance, each.placement, each.cache_reservation or 1) for each in _candidates(instance)]
    return best_simulated(instance, deployments, seed)


def _candidates(instance: Instance) -> list[Candidate]:
    candidates = list(cg_bp_candidates(instance, PlacementOptions()))
    if not candidates:
        cg_bp(instance, 1)  # raises, and says what is missing
    return candidates


def _deployed(instance: Instance, placement: Placement, sessions: int) -> Deployment:
    def run(jobs: int) -> RoutingRun:
        return RoutingRun(instance, placement, "ws-rr")

    return Deployment(placement, run, {"sessions": sessions})


def _fastest_s(instance: Instance, placement: Placement) -> float:
    """Mean time of a job on the fastest route, when nobody else is there."""
    run = RoutingRun(instance, placement, "ws-rr")
    return float(run.step([0.0], [[1.0]]).response[0])
