"""Homogeneous pipelines: a cluster of its own for each kind of server, each filled pipeline by pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.errors import InfeasibleError
from chainopt.placement.greedy import reservations
from chainopt.placement.pipelines import placed, servers_without_pin
from chainopt.placement.rates import rate
from chainopt.protocols import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.protocols import PlacementOptions


def homogeneous(instance: Instance, cache_reservation: int, *, fill_gaps: bool = False) -> Placement:
    """Pipelines of servers of one kind, each with as many blocks as it can host, the last of a pipeline with the rest.

    Servers with equal memory and computation time are of one kind. Kinds come by decreasing k T(k), blocks per second
    of one server with the k = m_j(c) blocks that it can host, ties by position; of servers of one kind the order in
    the instance counts, where Helix shuffles them.

    Parameters
    ----------
    cache_reservation
        c, jobs that each server is to have room for at each block.
    fill_gaps
        Whether a pipeline that the servers of one kind cannot complete is completed by the next kind; else its
        servers stay empty.

    Raises
    ------
    InfeasibleError
        If no pipeline can be completed.

    References
    ----------
    Y. Mei et al., Helix, ASPLOS 2025, the baseline "separate pipelines"; with `fill_gaps` as in its simulator,
    simulator/initial_layout/homogeneous_layout/homogeneous_layout.py.
    """
    pipelines = _pipelines(instance, cache_reservation, fill_gaps=fill_gaps)
    if not pipelines:
        kind = "servers without a pin" if fill_gaps else "servers of one kind"
        raise InfeasibleError(f"no pipeline of {kind} has room for {cache_reservation} jobs at each block")
    return placed(instance, pipelines)


def homogeneous_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """Pipelines of one kind, and those with filled gaps, for every c that makes a difference."""
    given = options.cache_reservation
    tried: set[Placement] = set()
    for c in reservations(instance) if given is None else [given]:
        for fill_gaps in (False, True):
            pipelines = _pipelines(instance, c, fill_gaps=fill_gaps)
            if not pipelines:
                continue
            placement = placed(instance, pipelines)
            if placement not in tried:
                tried.add(placement)
                yield Candidate(placement, c)


def kinds(instance: Instance, cache_reservation: int) -> list[list[int]]:
    """Servers without a pin and with room for a block, by kind: the most blocks per second first, ties by position."""
    sizes = instance.memory.sizes(cache_reservation)
    by_kind: dict[tuple[int, int], list[int]] = {}
    for j in servers_without_pin(instance):
        if sizes[j]:
            by_kind.setdefault((int(instance.memory.free[j]), int(instance.time.comp[j])), []).append(j)

    def speed(kind: list[int]) -> float:
        return max(float(sizes[j]) * rate(instance, j, int(sizes[j])) for j in kind)

    return sorted(by_kind.values(), key=lambda kind: (-speed(kind), kind))


def _pipelines(instance: Instance, cache_reservation: int, *, fill_gaps: bool) -> list[list[tuple[int, int]]]:
    sizes, blocks = instance.memory.sizes(cache_reservation), instance.service.blocks
    pipelines: list[list[tuple[int, int]]] = []
    pipeline: list[tuple[int, int]] = []
    left = blocks
    for kind in kinds(instance, cache_reservation):
        if not fill_gaps:
            pipeline, left = [], blocks
        for j in kind:
            pipeline.append((j, min(int(sizes[j]), left)))
            left -= pipeline[-1][1]
            if left == 0:
                pipelines.append(pipeline)
                pipeline, left = [], blocks
    return pipelines
