"""Compositions to report on, small enough to do the sums by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainopt.answer import Answer
from chainopt.model import Composition, Instance, Objective, Placement, Server, Service, Status, Workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model import Solution


def solved(
    instance: Instance,
    placement: Placement,
    chains: Sequence[Sequence[int]],
    capacities: Sequence[int],
    **changes: Any,
) -> Solution:
    """A solution of these chains."""
    composition = Composition.of(instance, placement, chains, capacities)
    answer = Answer(instance, "by hand", Objective.RESPONSE_TIME, 0, {})
    return answer.solution(Status.FEASIBLE, composition).replace(**changes)


def two_chains(rate: float = 0.5, ids: Sequence[str] = ("a", "b", "c", "d", "e")) -> tuple[Instance, Solution]:
    """Servers a 0:4 and b 4:10, a chain of 2 jobs; c 0:10, a chain of 1 job; d hosts 0:2 in vain, e nothing.

    All have 12 GB, of which c keeps 0.5 back; blocks of 1 GB, 0.25 GB a job and block; 1 s to reach, 0.1 s a block.
    T_0 = 1 + 0.4 + 1 + 0.6 = 3 s, T_1 = 1 + 1 = 2 s, so ν = 2/3 + 1/2 = 7/6 jobs/s.
    """
    servers = [
        Server(id=name, memory_gb=13 if j == 2 else 12, comm_s=1, comp_s_per_block=0.1, reserve_gb=0.5 if j == 2 else 0)
        for j, name in enumerate(ids)
    ]
    instance = Instance(
        name="two-chains",
        service=Service(name="toy", blocks=10, block_gb=1, cache_gb=0.25),
        workload=Workload(arrival_rate=rate),
        servers=servers,
    )
    return instance, solved(instance, Placement([0, 4, 0, 0, 0], [4, 10, 10, 2, 0]), [[0, 1], [2]], [2, 1])


def one_chain(rate: float = 0.1) -> tuple[Instance, Solution]:
    """A single chain through both servers, each of them full: 4 blocks and 2 jobs at each fill 4 + 0.5 · 4 = 6 GB."""
    servers = [Server(id=f"s{j}", memory_gb=6, comm_s=1, comp_s_per_block=0.5) for j in range(2)]
    instance = Instance(
        name="one-chain",
        service=Service(blocks=8, block_gb=1, cache_gb=0.25),
        workload=Workload(arrival_rate=rate),
        servers=servers,
    )
    return instance, solved(instance, Placement([0, 4], [4, 8]), [[0, 1]], [2])


def many(servers: int, blocks: int = 8) -> tuple[Instance, Solution]:
    """Pairs of servers, each a chain; later ones are faster, so that they carry more."""
    count = servers // 2
    instance = Instance(
        name="many",
        service=Service(blocks=blocks, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=count / 100),
        servers=[
            Server(id=f"s{j}", memory_gb=blocks, comm_s=1 + (servers - j) / servers, comp_s_per_block=0.1)
            for j in range(2 * count)
        ],
    )
    half = blocks // 2
    start, stop = [0, half] * count, [half, blocks] * count
    return instance, solved(instance, Placement(start, stop), [[2 * k, 2 * k + 1] for k in range(count)], [1] * count)
