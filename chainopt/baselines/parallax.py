"""Parallax: fixed pipelines of servers that share none, and jobs on them in turn.

Blocks: `chainopt.placement.parallax`, by its dynamic program. Pipelines: a job that has been on one server goes on
where the next begins exactly at its end. For each server with the first block, by the cost of the cheapest pipeline
from it, the cheapest pipeline of servers that are in none so far is registered. Jobs take them in turn, those that are
full are passed over.

What stands for its measurements: τ^p_j for the latency of a layer, τ^c_j for the round trip to j. A pipeline is full
with min_j floor(0.25 M_j / (s_c m_j)) jobs, by its share of memory for caches; its own limit of requests is not one of
memory, since it takes the larger of two where the smaller would be needed. A job that finds all pipelines full waits in
one queue, where Parallax has its clients ask again; that is an extension.

References
----------
GradientHQ/parallax, src/scheduling/request_routing.py, RoundRobinOverFixedPipelinesRouting.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt.baselines.deployment import Deployment
from chainopt.baselines.pilot import best_simulated
from chainopt.baselines.round_robin import RoundRobinRun
from chainopt.errors import InfeasibleError
from chainopt.model.composition import Composition
from chainopt.placement.parallax import BLOCKS_SHARE, CACHE_SHARE, OTHER_SHARES, capacities, parallax
from chainopt.simulation.pace import pace_by_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement


def parallax_faithful(instance: Instance, *, seed: int = 0) -> Deployment:
    """Parallax with its default shares of memory, and the cost of a server that of one layer, as its code has it.

    Nothing is drawn, so `seed` makes no difference.

    Raises
    ------
    InfeasibleError
        If there is no pipeline, or none that has the cache for one job.
    """
    return _deployed(instance, BLOCKS_SHARE, CACHE_SHARE, layers=False)


def parallax_fixed(instance: Instance, *, seed: int = 0) -> Deployment:
    """The same with the cost of all layers of a server, and of the way to the first.

    Raises
    ------
    InfeasibleError
        As `parallax_faithful`.
    """
    return _deployed(instance, BLOCKS_SHARE, CACHE_SHARE, layers=True)


def parallax_tuned(instance: Instance, *, seed: int = 0) -> Deployment:
    """The same with the shares of memory that are best in a simulation [``--param-mem-ratio``].

    What blocks do not have caches have, less a tenth for everything else, as by default.

    Raises
    ------
    InfeasibleError
        As `parallax_faithful`, if that is so for all shares.
    """
    deployments, error = [], None
    for share in (BLOCKS_SHARE, *OTHER_SHARES):
        try:
            deployments.append(_deployed(instance, share, 1 - Fraction(1, 10) - share, layers=True))
        except InfeasibleError as reason:
            error = error or reason
    if not deployments:
        assert error is not None, "there are shares"
        raise error
    return best_simulated(instance, deployments, seed)


def registered(instance: Instance, placement: Placement, *, layers: bool) -> list[list[int]]:
    """The pipelines that Parallax registers, in the order in which they take turns; none where there is none.

    Ties of heads, and of what comes before a server on its pipeline, go to the server that comes first.

    Parameters
    ----------
    layers
        Whether a server costs τ^c_j + τ^p_j m_j; else it costs τ^p_j whatever it hosts, and τ^c_j only where it is not
        the first.
    """
    start, stop = placement.start, placement.stop
    hosts = np.flatnonzero(stop > start).tolist()
    heads = [j for j in hosts if start[j] == 0]
    best = {j: _cheapest(instance, placement, j, set(hosts), layers=layers) for j in heads}
    pipelines: list[list[int]] = []
    unused = set(hosts)
    for head in sorted((j for j in heads if best[j]), key=lambda j: (_cost(instance, placement, best[j], layers), j)):
        if head in unused:
            pipeline = _cheapest(instance, placement, head, unused, layers=layers)
            if pipeline:
                pipelines.append(pipeline)
                unused -= set(pipeline)
    return pipelines


def _cheapest(
    instance: Instance, placement: Placement, head: int, allowed: AbstractSet[int], *, layers: bool
) -> list[int]:
    """The cheapest pipeline from a server on, none where there is none."""
    start, stop, blocks = placement.start, placement.stop, instance.service.blocks
    found = {int(stop[head]): (_cost(instance, placement, [head], layers), [head])}  # by where pipelines have come to
    for j in sorted(allowed, key=lambda j: (start[j], j)):
        before = found.get(int(start[j])) if start[j] > 0 else None
        if before is not None:
            pipeline = [*before[1], j]
            cost = _cost(instance, placement, pipeline, layers)
            if int(stop[j]) not in found or cost < found[int(stop[j])][0]:
                found[int(stop[j])] = cost, pipeline
    return found[blocks][1] if blocks in found else []


def _cost(instance: Instance, placement: Placement, pipeline: Sequence[int], layers: bool) -> int:
    """Estimate of the latency of a pipeline, in ticks."""
    comm, comp, sizes = instance.time.comm, instance.time.comp, placement.sizes
    if layers:
        return sum(int(comm[j]) + int(comp[j]) * int(sizes[j]) for j in pipeline)
    return sum(int(comp[j]) for j in pipeline) + sum(int(comm[j]) for j in pipeline[1:])


def _deployed(instance: Instance, blocks_share: Fraction, cache_share: Fraction, *, layers: bool) -> Deployment:
    placement = parallax(instance, capacities(instance, blocks_share))
    memory, sizes = instance.memory, placement.sizes
    pipelines, jobs = [], []
    for pipeline in registered(instance, placement, layers=layers):
        most = min(int(cache_share * int(memory.free[j])) // (memory.cache * int(sizes[j])) for j in pipeline)
        if most:
            pipelines.append(pipeline)
            jobs.append(most)
    if not pipelines:
        raise InfeasibleError(
            f"Parallax has no pipeline with the cache of one job in {float(cache_share):g} of its servers' memory"
        )
    composition = Composition.of(instance, placement, pipelines, jobs)
    pace = pace_by_size(instance).along(composition)
    parameters = {
        "param_mem_ratio": float(blocks_share),
        "kvcache_mem_ratio": float(cache_share),
        "pipelines": [
            {"servers": [instance.servers[j].id for j in pipeline], "jobs": most}
            for pipeline, most in zip(pipelines, jobs, strict=True)
        ],
    }
    return Deployment(placement, lambda _: RoundRobinRun(pace, composition.capacities), parameters)
