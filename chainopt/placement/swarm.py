"""SWARM: the blocks in stages, every server in one of them, and all stages about equally strong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.errors import InfeasibleError
from chainopt.model.placement import Placement
from chainopt.placement.even_split import split_at_last
from chainopt.placement.greedy import pinned_ranges
from chainopt.placement.pipelines import servers_without_pin
from chainopt.placement.rates import rate
from chainopt.protocols import Candidate
from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainopt.model.instance import Instance
    from chainopt.protocols import PlacementOptions


def swarm(instance: Instance, stages: int | None = None, cache_reservation: int = 1) -> Placement:
    """Servers by decreasing rate, each to the stage with the least rate so far; then servers move where that helps.

    Every server of a stage can follow every server of the stage before. The rate of a server is `rates.rate` with
    the blocks of a stage; ties of servers go to the later one, of stages to the earlier one. Servers without the
    memory for the blocks of a stage and `cache_reservation` jobs stay empty, and pins stay as pinned.

    Afterwards the strongest stage gives a server to the weakest as long as the weaker of both becomes stronger: the
    server with which it becomes strongest, ties by position. SWARM does so by the lengths of queues. Right after the
    first step that can only help where stages have different numbers of blocks.

    Parameters
    ----------
    stages
        S; None for `fewest_stages`. Where S does not divide L, which SWARM asks for, the last stages have a block
        more.

    Raises
    ------
    InfeasibleError
        If a stage has no server.
    ValueError
        If the number of stages is not from 1 to L.

    References
    ----------
    M. Ryabinin et al., SWARM Parallelism: Training Large Models Can Be Surprisingly Communication-Efficient, ICML
    2023, arXiv 2301.11913; the layout as in Helix (Mei et al., ASPLOS 2025),
    simulator/initial_layout/heterogeneous_layout/swarm_layout.py.
    """
    count = fewest_stages(instance, cache_reservation) if stages is None else stages
    if count is not None and not 1 <= count <= instance.service.blocks:
        raise ValueError(f"expected 1 to {instance.service.blocks} stages, got {count}")
    layout = None if count is None else _stages(instance, count, cache_reservation)
    if layout is None:
        number = "" if count is None else f"{count} "
        raise InfeasibleError(f"not all {number}stages have a server with room for {cache_reservation} jobs")
    return layout


def fewest_stages(instance: Instance, cache_reservation: int = 1) -> int | None:
    """The least S that divides L and with which every server can host a stage; what Helix' experiments take.

    Servers with room for no block and pinned ones do not count; None where no other is left. Where L is prime, or the
    smallest server otherwise calls for stages of one block, S need not divide L, which is an extension.
    """
    blocks, sizes = instance.service.blocks, instance.memory.sizes(cache_reservation)
    least = min((int(sizes[j]) for j in servers_without_pin(instance) if sizes[j]), default=0)
    if not least:
        return None
    stages = next(s for s in range(1, blocks + 1) if blocks % s == 0 and blocks // s <= least)
    return stages if stages < blocks else -(-blocks // least)


def swarm_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """Every number of stages that divides L, and the number that the smallest server calls for."""
    blocks, c = instance.service.blocks, options.cache_reservation or 1
    usual = fewest_stages(instance, c)
    divisors = [s for s in range(1, min(blocks, len(instance.servers)) + 1) if blocks % s == 0]
    for stages in sorted({*divisors, usual or 1}):
        layout = _stages(instance, stages, c)
        if layout is not None:
            yield Candidate(layout, options.cache_reservation)


def _stages(instance: Instance, count: int, cache_reservation: int) -> Placement | None:
    """The layout with so many stages, None where one of them remains empty."""
    sizes = instance.memory.sizes(cache_reservation)
    blocks = split_at_last(instance.service.blocks, count)
    free = [j for j in servers_without_pin(instance) if sizes[j] >= blocks[-1]]
    if len(free) < count:
        return None
    rates = {(j, k): rate(instance, j, k) for j in free for k in {blocks[0], blocks[-1]}}
    members: list[list[int]] = [[] for _ in blocks]
    for j in sorted(free, key=lambda j: (-rates[j, blocks[-1]], -j)):
        weakest = min(range(count), key=lambda s: (_total(rates, members[s], blocks[s]), s))
        members[weakest].append(j)
    _rebalance(members, blocks, rates)
    start, stop = pinned_ranges(instance)
    first = 0
    for stage, k in zip(members, blocks, strict=True):
        for j in stage:
            start[j], stop[j] = first, first + k
        first += k
    return Placement(start, stop)


def _rebalance(members: list[list[int]], blocks: list[int], rates: dict[tuple[int, int], float]) -> None:
    """Move servers from the strongest stage to the weakest as long as the weaker of both becomes stronger."""
    while True:
        totals = [_total(rates, stage, k) for stage, k in zip(members, blocks, strict=True)]
        strongest, weakest = totals.index(max(totals)), totals.index(min(totals))

        def weaker_after(j: int, source: int = strongest, target: int = weakest) -> float:
            rest = [i for i in members[source] if i != j]
            return min(_total(rates, rest, blocks[source]), _total(rates, [*members[target], j], blocks[target]))

        best = max(members[strongest], key=lambda j: (weaker_after(j), -j))
        if strongest == weakest or weaker_after(best) <= totals[weakest] * (1 + RELATIVE_TOLERANCE):
            return
        members[strongest].remove(best)
        members[weakest].append(best)


def _total(rates: dict[tuple[int, int], float], servers: list[int], blocks: int) -> float:
    """Σ T_j(k) of a stage, in an order that is always the same."""
    return sum(rates[j, blocks] for j in sorted(servers))
