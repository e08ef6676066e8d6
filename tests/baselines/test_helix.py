"""Helix as a system: jobs follow the flow where there is room, by hand, and what must hold of any records."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.baselines.flow_routing import FlowRun
from chainopt.baselines.helix import helix_faithful, helix_heuristic
from chainopt.errors import InfeasibleError
from chainopt.model import Instance, Placement
from chainopt.placement.flow import Flow, largest_flow
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.pace import pace_by_size
from chainopt.simulation.records import Records, joined
from chainopt.simulation.sizes import Exponential
from tests.oracles.strategies import placed_instances
from tests.placement.examples import small


def flow_of(links: dict[tuple[int, int], float]) -> Flow:
    """A flow along links, -1 is the coordinator."""
    ends = np.array(list(links))
    value = sum(through for (source, _), through in links.items() if source < 0)
    return Flow(value, ends[:, 0], ends[:, 1], np.array(list(links.values())))


def served(run: FlowRun, arrivals: list[float]) -> tuple[list[tuple[int, ...]], Records]:
    """Servers of each job, and its times; all jobs are of size 1."""
    ones = np.ones((len(arrivals), 1))
    records = joined([run.serve(np.array(arrivals, dtype=float), ones, np.zeros(len(arrivals))), run.drain()])
    return [run.routes[route] for route in records.chain.tolist()], records


def test_shares_by_hand() -> None:
    """Flows 4 and 2: a job adds 1/4 and 1/2 to the loads; ties go to the first."""
    instance = small([(9, 1, 0), (9, 1, 0)], blocks=1)
    flow = flow_of({(-1, 0): 4.0, (-1, 1): 2.0, (0, -1): 4.0, (1, -1): 2.0})
    run = FlowRun(instance, Placement([0, 0], [1, 1]), flow, pace_by_size(instance))

    # 1/4 | 1/2: 0. 2/4 | 1/2: 0. 3/4 | 1/2: 1. 3/4 | 1: 0. 1 | 1: 0. 5/4 | 1: 1
    routes, records = served(run, [0, 0, 0, 0, 0, 0])
    assert routes == [(0,), (0,), (1,), (0,), (0,), (1,)]
    assert records.departure.tolist() == [1] * 6


def test_full_servers_are_passed_over_and_jobs_wait() -> None:
    """One job each: the second goes where it has room, the third waits, as if it had not tried."""
    instance = small([(1.1, 1, 0), (1.1, 5, 0)], blocks=1)
    flow = flow_of({(-1, 0): 100.0, (-1, 1): 50.0, (0, -1): 100.0, (1, -1): 50.0})
    run = FlowRun(instance, Placement([0, 0], [1, 1]), flow, pace_by_size(instance))
    routes, records = served(run, [0, 0, 0, 0, 9])

    assert routes == [(0,), (1,), (0,), (0,), (0,)]
    assert records.start.tolist() == [0, 0, 1, 2, 9]


def test_room_for_all_blocks_of_a_server_is_asked_for() -> None:
    """Server 1 hosts two blocks with 3 slots; jobs from server 0 need one, but a second one finds 2 - 1 < 2 free."""
    # server 0: 8 slots. Server 1: (2.3 - 2) / 0.1 = 3 slots
    instance = small([(1.8, 1, 0), (2.3, 2, 0)], blocks=2)
    flow = flow_of({(-1, 0): 1.0, (0, 1): 1.0, (1, -1): 1.0})
    run = FlowRun(instance, Placement([0, 0], [1, 2]), flow, pace_by_size(instance))
    routes, records = served(run, [0, 0, 0])

    assert routes == [(0, 1)] * 3
    assert records.start.tolist() == [0, 0, 3]  # 3, then 2 slots free, then 1


def test_thin_links_are_not_used() -> None:
    """Less than a twentieth of what leaves; of many equally thin ones all are used."""
    instance = small([(90, 1, 0), (90, 1, 0)], blocks=1)
    flow = flow_of({(-1, 0): 97.0, (-1, 1): 3.0, (0, -1): 97.0, (1, -1): 3.0})
    run = FlowRun(instance, Placement([0, 0], [1, 1]), flow, pace_by_size(instance))
    assert set(served(run, [0] * 200)[0]) == {(0,)}

    many = small([(90, 1, 0)] * 25, blocks=1)
    flow = largest_flow(many, Placement([0] * 25, [1] * 25))
    run = FlowRun(many, Placement([0] * 25, [1] * 25), flow, pace_by_size(many))
    assert sorted(served(run, [0] * 25)[0]) == [(j,) for j in range(25)]


def test_links_have_their_shares_in_the_long_run() -> None:
    """Where nothing is ever full every link has as many jobs as its flow says, to within one."""
    # 890 and 295 jobs/s, then 890 and 526: both of the first are as busy as can be
    instance = small([(90, 1, 0), (60, 2, 0), (90, 1, 0), (80, 1.5, 0)], blocks=2)
    placement = Placement([0, 0, 1, 1], [1, 1, 2, 2])
    flow = largest_flow(instance, placement)
    run = FlowRun(instance, placement, flow, pace_by_size(instance))
    jobs = 5_000
    routes, _ = served(run, [9.0 * i for i in range(jobs)])

    firsts = Counter(route[0] for route in routes)
    for source, target, through in zip(flow.source, flow.target, flow.through, strict=True):
        if source < 0:
            assert firsts[int(target)] == pytest.approx(jobs * through / flow.value, abs=1.5)


@settings(deadline=None, max_examples=60)
@given(
    case=placed_instances(least_servers=1),
    jobs=st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 8]), st.integers(0, 8)), max_size=30),
    cut=st.floats(0, 1),
)
def test_what_holds_of_any_records(case: tuple[Instance, Placement], jobs: list[tuple[int, int]], cut: float) -> None:
    """Start in order, all blocks in order, no slot twice, times along the way; in one stretch as in two."""
    instance, placement = case
    flow = largest_flow(instance, placement)
    pace = pace_by_size(instance)
    if flow.value == 0:
        with pytest.raises(InfeasibleError, match="no jobs flow"):
            FlowRun(instance, placement, flow, pace)
        return
    arrivals = np.cumsum([gap for gap, _ in jobs], dtype=float)
    sizes = np.array([[size / 4] for _, size in jobs]).reshape(-1, 1)
    half = round(cut * len(jobs))
    whole, parts = (FlowRun(instance, placement, flow, pace) for _ in range(2))
    luck = np.zeros(len(jobs))
    records = joined([whole.serve(arrivals, sizes, luck), whole.drain()])
    first, second = (parts.serve(arrivals[cut], sizes[cut], luck[cut]) for cut in (slice(half), slice(half, None)))
    again = joined([first, second, parts.drain()])
    for name in ("arrival", "start", "departure", "chain"):
        np.testing.assert_array_equal(getattr(again, name), getattr(records, name))
    assert whole.routes == parts.routes

    assert np.all(np.diff(records.start) >= 0)
    assert np.all(records.start >= records.arrival)
    held = np.zeros((len(whole.routes), len(instance.servers)), dtype=np.int64)
    for k, route in enumerate(whole.routes):
        block, seconds = 0, 0.0
        for j in route:
            assert placement.start[j] <= block < placement.stop[j]
            held[k, j] = placement.stop[j] - block
            seconds += float(pace.hop_s[j, 0] + pace.block_s[j, 0] * held[k, j])
            block = int(placement.stop[j])
        assert block == instance.service.blocks
        mine = records.chain == k
        np.testing.assert_allclose(records.service[mine], sizes[mine, 0] * seconds, rtol=1e-9, atol=1e-9)
    slots = instance.memory.slots(placement.sizes)
    for i, now in enumerate(records.start.tolist()):
        running = (records.start[: i + 1] <= now) & (records.departure[: i + 1] > now)
        assert np.all(held[records.chain[: i + 1][running]].sum(axis=0) <= slots)


def test_deployed() -> None:
    """An idle system serves in what its chain takes; the parameters say that the program is done."""
    instance = small([(3, 1, 0.5), (3, 1, 0.5)], blocks=4)
    deployment = helix_faithful(instance)
    summary = observe(deployment.run(20_000), Traffic(Poisson(0.01), Exponential(), 20_000, 1))

    assert sorted(deployment.placement.start.tolist()) == [0, 2]
    assert deployment.parameters["proven"] is True
    assert deployment.parameters["flow"] == pytest.approx(5 / 2, rel=1e-5)  # (3 - 2) / 0.1 / 2 jobs of 1 + 2 · 0.5 s
    assert summary.response.mean == pytest.approx(4, rel=0.05)


def test_heuristic_layout_deployed() -> None:
    """Half of the memory for blocks; an error where that does not do."""
    deployment = helix_heuristic(small([(4, 1, 0.5), (4, 1, 0.5)], blocks=4), seed=3)

    assert sorted(deployment.placement.start.tolist()) == [0, 2]
    with pytest.raises(InfeasibleError, match="no server hosts block"):
        helix_heuristic(small([(3, 1, 0.5), (3, 1, 0.5)], blocks=4))
