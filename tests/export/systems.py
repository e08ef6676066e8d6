"""Small compositions with known answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import chainopt
from chainopt.allocation import gca
from chainopt.answer import Answer
from chainopt.model import Instance, Objective, Placement, Server, Service, Status, Workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model import Composition, Solution


def solution_of(instance: Instance, composition: Composition) -> Solution:
    """A valid solution of this composition."""
    solution = Answer(instance, "by-hand", Objective.RESPONSE_TIME, 0, {}).solution(Status.FEASIBLE, composition)
    assert not chainopt.verify(instance, solution)
    return solution


def instance_of(
    memories: Sequence[float],
    *,
    ids: Sequence[str] | None = None,
    blocks: int = 12,
    block_gb: float = 1,
    cache_gb: float = 0.1,
    rate: float = 0.1,
    name: str = "small",
    **server: object,
) -> Instance:
    """Servers of these memories, equally fast but for what each hosts."""
    names = ids or [f"s{j}" for j in range(len(memories))]
    servers = [
        Server(id=names[j], memory_gb=memory, comm_s=0.5, comp_s_per_block=0.01, **server)
        for j, memory in enumerate(memories)
    ]
    service = Service(name="org/model", blocks=blocks, block_gb=block_gb, cache_gb=cache_gb)
    return Instance(name=name, service=service, workload=Workload(arrival_rate=rate), servers=servers)


def two_chains(ids: Sequence[str] | None = None) -> tuple[Instance, Solution]:
    """Two chains that do not meet: s0 0:5, s1 5:12 and s2 0:4, s3 4:8, s4 8:12.

    s0 has room for floor((10 - 5) / 0.1 / 5) = 10 jobs, s1 for floor((12 - 7) / 0.1 / 7) = 7: capacity 7. The others
    have floor((8.1 - 4) / 0.1 / 4) = 10.
    """
    instance = instance_of([10, 12, 8.1, 8.1, 8.1], ids=ids)
    placement = Placement([0, 5, 0, 4, 8], [5, 12, 4, 8, 12])
    from chainopt.model import Composition

    composition = Composition.of(instance, placement, [[0, 1], [2, 3, 4]], [7, 10])
    return instance, solution_of(instance, composition)


def worked_example() -> tuple[Instance, Solution]:
    """The paper's example: chains 1>2, 1>4>5 and 3>4>5, of which each meets another."""
    times = [1, 2, 1, 1, 1]
    servers = [
        Server(id=f"s{j + 1}", memory_gb=3 if j == 1 else 2, comm_s=times[j], comp_s_per_block=round((j + 1) * 0.01, 2))
        for j in range(5)
    ]
    instance = Instance(
        name="worked-example",
        service=Service(name="toy", blocks=3, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=1),
        servers=servers,
    )
    placement = Placement([0, 1, 0, 1, 2], [1, 3, 1, 2, 3])
    return instance, solution_of(instance, gca(instance, placement))


def overlapping() -> tuple[Instance, Solution]:
    """A chain s0 0:5, s1 5:8, s2 8:12, whose last server hosts from block 4 on, for a chain s0 0:5, s2 5:12 too."""
    from chainopt.model import Composition

    instance = instance_of([10, 10, 20])
    placement = Placement([0, 3, 4], [5, 8, 12])
    return instance, solution_of(instance, Composition.of(instance, placement, [[0, 2], [0, 1, 2]], [2, 3]))
