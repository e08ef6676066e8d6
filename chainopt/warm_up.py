"""Kernels compiled, or loaded from the cache, before the clock of a time limit starts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from chainopt.allocation import ALLOCATIONS
from chainopt.exact import bound
from chainopt.exact.joint import solve_joint
from chainopt.model.instance import Instance, Server, Service, Workload
from chainopt.placement import PLACEMENTS
from chainopt.protocols import PlacementOptions
from chainopt.queueing import evaluate
from chainopt.search import search
from chainopt.tuning import Criterion, choose

if TYPE_CHECKING:
    from chainopt.model.solution import Objective


@cache
def warm_up(objective: Objective, *, enumerates: bool) -> None:
    """Run what `auto` runs, once a process, on a small instance.

    The first time on a machine this takes as long as numba needs to compile, later some tenths of a second. A time
    limit of two seconds would otherwise be over before anything was searched.

    Parameters
    ----------
    enumerates
        Whether the exact method will be tried too.
    """
    instance = _instance((3, 4, 5, 4, 6, 3))
    choice = choose(
        instance,
        PLACEMENTS["gbp-cr"].rule(instance, PlacementOptions()),
        ALLOCATIONS["gca"].rule,
        objective,
        Criterion.EXACT,
    )
    assert choice is not None, "the instance has chains"
    evaluate(choice.composition, 0.5)
    bound(instance, objective)
    busy = instance.replace(workload=Workload(arrival_rate=0.8))  # or the first of its steps proves all there is
    bound(busy, objective, any_policy=True)  # begins like the other, and goes on with kernels of its own
    search(instance, objective, iterations=2_000)  # a tenth of it lets a beam of layouts end
    search(_instance((3, 4, 5, 4, 6, 3) * 2), objective, iterations=400)  # more than ten servers are annealed otherwise
    if enumerates:
        solve_joint(_instance((3, 4, 4)), objective, time_limit_s=1)


def _instance(memory_gb: tuple[int, ...]) -> Instance:
    return Instance(
        name="warm-up",
        service=Service(blocks=4, block_gb=1, cache_gb=0.25),
        workload=Workload(arrival_rate=0.05),
        servers=[
            Server(id=str(j), memory_gb=memory, comm_s=1 + j % 3, comp_s_per_block=0.1)
            for j, memory in enumerate(memory_gb)
        ],
    )
