"""The least servers for a target, against all subsets."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.errors import ChainoptError
from chainopt.exact.cover import Cover
from chainopt.model import Instance, Server, Service, Workload
from chainopt.sizing import Target, least_servers


def offered(memories: list[float], times: list[float], rate: float) -> Instance:
    """Servers for a model of two blocks."""
    return Instance(
        name="offered",
        service=Service(blocks=2, block_gb=1, cache_gb=0.5),
        workload=Workload(arrival_rate=rate),
        servers=[
            Server(id=f"s{j}", memory_gb=m, comm_s=t, comp_s_per_block=0.5)
            for j, (m, t) in enumerate(zip(memories, times, strict=True))
        ],
    )


def test_three_equal_servers_and_work_for_two() -> None:
    """Each runs one job of 2 s alone, M/M/1 with μ = 1/2; two are M/M/2: 0.6 jobs/s within 3.2 s needs two."""
    # M/M/2 with λ = 0.6, μ = 0.5: ρ = 0.6, E[T] = 1/μ / (1 - ρ²) = 2 / 0.64 = 3.125 s
    found = least_servers(offered([3, 3, 3], [1, 1, 1], 0.6), Target(3.2), iterations=100)
    assert found.solution is not None
    assert (found.cost, found.bound, found.optimal) == (2, 2, True)
    assert found.value_s == pytest.approx(3.125)
    assert chainopt.verify(found.instance, found.solution) == []


def test_the_cheapest_are_not_the_fewest() -> None:
    """One dear server does what two cheap ones do: the price decides."""
    instance = offered([4, 3, 3], [1, 1, 1], 0.6)  # the first has room for two jobs
    few = least_servers(instance, Target(3.2), iterations=100)
    assert [server.id for server in few.instance.servers] == ["s0"]
    cheap = least_servers(instance, Target(3.2), [5.0, 2.0, 2.0], iterations=100)
    assert sorted(server.id for server in cheap.instance.servers) == ["s1", "s2"]
    assert cheap.cost == 4
    assert cheap.optimal


def test_more_than_all_servers_can_do() -> None:
    """Three servers never run more than six jobs, of 2 s at least: 3.1 jobs/s are proven impossible."""
    found = least_servers(offered([3, 3, 3], [1, 1, 1], 3.1), Target(100), iterations=10)
    assert found.solution is None
    assert math.isinf(found.bound)
    assert not found.optimal


def test_without_a_target_the_design_rate_counts() -> None:
    """λ/ρ̄ = 0.65 / 0.7 = 0.93 jobs/s takes two servers of 1/2 jobs/s."""
    found = least_servers(offered([3, 3, 3], [1, 1, 1], 0.65), iterations=100)
    assert (found.cost, found.bound) == (2, 2)


@settings(max_examples=25, deadline=None)
@given(
    memories=st.lists(st.sampled_from([2.0, 2.5, 3.0, 4.0]), min_size=2, max_size=4),
    data=st.data(),
)
def test_the_bound_is_below_every_subset_that_meets_the_target(memories: list[float], data: st.DataObject) -> None:
    """All subsets by the exact method: none that meets the target costs less than the bound."""
    n = len(memories)
    times = data.draw(st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=n, max_size=n))
    costs = data.draw(st.lists(st.sampled_from([1.0, 2.0, 3.5]), min_size=n, max_size=n))
    instance = offered(memories, times, data.draw(st.sampled_from([0.1, 0.3, 0.6])))
    target = Target(data.draw(st.sampled_from([2.0, 3.0, 5.0])))
    best = math.inf
    for size in range(1, n + 1):
        for chosen in itertools.combinations(range(n), size):
            only = instance.replace(servers=[instance.servers[j] for j in chosen])
            try:
                value = chainopt.compose(only, "exact").value
            except ChainoptError:
                continue
            if value is not None and target.met(value):
                best = min(best, sum(costs[j] for j in chosen))
    try:
        found = least_servers(instance, target, costs, iterations=300)
    except ChainoptError:
        assert math.isinf(best)
        return
    assert found.bound <= best + 1e-6
    assert found.cost >= best - 1e-6
    if found.solution is not None:
        assert target.met(found.value_s if found.value_s is not None else math.inf)


def test_lines_of_all_servers_hold_for_subsets() -> None:
    """Cheapest covers grow with the rate that is asked for."""
    instance = offered([3, 3, 4, 2.5], [1, 1, 2, 0.5], 0.5)
    last = 0.0
    for rate in (0.1, 0.5, 0.9, 1.3):
        cover = Cover(instance, np.ones(4), rate)
        cover.cheapest()
        assert cover.cost >= last
        last = cover.cost


def test_fractional_prices_are_proven_too() -> None:
    """Four equal servers at 0.35, of which one is enough."""
    found = least_servers(offered([3, 3, 3, 3], [1, 1, 1, 1], 0.1), Target(5), [0.35] * 4, iterations=50)
    assert found.cost == 0.35
    assert found.optimal
