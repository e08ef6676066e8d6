"""PETALS: servers choose their blocks, every client its route, and jobs wait for room in the caches.

Blocks: `chainopt.placement.petals`. Routes: the rule ``petals`` of `chainopt.simulation.routing`. It counts τ^c_j for
an exchange with a server and τ^p_j for a block on it, where a client adds up half round trip times and the inverse of
reported speeds for one token; how far servers are from one another an instance does not say. Caches: one pool a server.
Jobs queue for it at each server, hold what they have while they wait elsewhere, and never give up, where PETALS would
reject them after ten minutes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.baselines.deployment import Deployment
from chainopt.baselines.pilot import best_simulated
from chainopt.errors import InfeasibleError
from chainopt.placement.petals import PetalsMemory, petals
from chainopt.simulation.routing import RoutingRun

if TYPE_CHECKING:
    from chainopt.model.instance import Instance


def petals_faithful(instance: Instance, *, seed: int = 0) -> Deployment:
    """PETALS with its default cache of 4,096 tokens, 16,384 where heads share keys and values.

    Raises
    ------
    InfeasibleError
        If some block is on no server, or no route has the cache for one job.
    """
    return _deployed(instance, PetalsMemory.of(instance), seed)


def petals_tuned(instance: Instance, *, seed: int = 0) -> Deployment:
    """PETALS with the cache for as many jobs as are best in a simulation [``--attn_cache_tokens``].

    All numbers of jobs c are tried with which servers host different numbers of blocks, each the largest that leaves
    these numbers as they are, so that the memory is used.

    Raises
    ------
    InfeasibleError
        If no cache lets all blocks be hosted.
    """
    default = PetalsMemory.of(instance)
    deployments, error = [], None
    for memory in _caches(instance, default):
        try:
            deployments.append(_deployed(instance, memory, seed))
        except InfeasibleError as reason:
            error = error or reason
    if not deployments:
        assert error is not None, "the default cache is tried"
        raise error
    return best_simulated(instance, deployments, seed)


def _caches(instance: Instance, default: PetalsMemory) -> list[PetalsMemory]:
    """The default cache, and that for c jobs for each c after which some server hosts fewer blocks."""
    block, cache = Fraction(instance.service.block_gb), Fraction(instance.service.cache_gb)
    memories = {Fraction(server.memory_gb) - Fraction(server.reserve_gb) for server in instance.servers}
    ends = {
        int((memory - default.reserve_gb - block * size) // (cache * size))
        for memory in memories
        for size in range(1, instance.service.blocks + 1)
    }
    return [default, *(default.for_jobs(instance, c) for c in sorted(ends) if c >= 1)]


def _deployed(instance: Instance, memory: PetalsMemory, seed: int) -> Deployment:
    placement = petals(instance, memory, seed=seed)
    slots = memory.slots(instance, placement.sizes)

    def run(jobs: int) -> RoutingRun:
        return RoutingRun(instance, placement, "petals", slots=slots)

    run(0)  # raises where no route has the cache for one job
    jobs = memory.pool_gb / Fraction(instance.service.cache_gb)
    parameters = {"cache_jobs": float(jobs), "pool_gb": float(memory.pool_gb), "reserve_gb": float(memory.reserve_gb)}
    return Deployment(placement, run, parameters)
