"""Routing job by job: small systems solved by hand, an event-driven witness, and what must hold of any records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainopt.allocation import gca
from chainopt.errors import InfeasibleError
from chainopt.files import read_instance
from chainopt.model import Instance, Placement, Server, Service, Workload
from chainopt.placement import gbp_cr
from chainopt.simulation.pace import Pace
from chainopt.simulation.routing import ROUTING, Routed, RoutingRun, simulate_routing
from tests.oracles.chains import cache_slots
from tests.oracles.routing import open_paths, simulate
from tests.oracles.strategies import placed_instances

BLOOM = Path(__file__).parents[2] / "instances" / "bloom" / "bloom-ripe-j20-eta20-s1-medium.json"


def small(servers: list[tuple[float, float, float]], blocks: int) -> Instance:
    """Blocks and caches of 1 GB, and servers given by memory, τ^c and τ^p."""
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=1),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(id=f"s{j}", memory_gb=memory, comm_s=comm, comp_s_per_block=comp)
            for j, (memory, comm, comp) in enumerate(servers)
        ],
    )


def served(records: Routed) -> list[tuple[tuple[int, ...], float, float]]:
    """Servers, start and departure of each job."""
    return [
        (records.routes[route].servers, start, departure)
        for route, start, departure in zip(
            records.chain.tolist(), records.start.tolist(), records.departure.tolist(), strict=True
        )
    ]


def unit_jobs(instance: Instance, placement: Placement, rule: str, arrivals: list[float], **more: Any) -> Routed:
    """Jobs of size 1, which wait for all their slots together."""
    return simulate_routing(instance, placement, rule, arrivals, np.ones((len(arrivals), 1)), hold_early=False, **more)


# Both servers host both blocks. Server 0: 2 slots, one job, 1 + 2·1 = 3 s. Server 1: 4 slots, two jobs, 2 + 2·1 = 4 s.
TWO_WHOLE = small([(4, 1, 1), (6, 2, 1)], blocks=2), Placement([0, 0], [2, 2])


def test_petals_does_not_see_the_queue() -> None:
    """Where all servers look full the fastest is taken, however long its queue."""
    records = unit_jobs(*TWO_WHOLE, "petals", [0, 0, 0, 0, 0, 3])

    assert served(records) == [
        ((0,), 0, 3),
        ((1,), 0, 4),  # 3 + 200 > 4
        ((1,), 0, 4),
        ((0,), 3, 6),  # 3 + 200 < 4 + 200
        ((0,), 6, 9),  # server 1 would have started it at 4
        ((0,), 9, 12),  # at 3 the fourth job is already running
    ]
    assert [(route.servers, route.blocks) for route in records.routes] == [((0,), (2,)), ((1,), (2,))]


def test_ws_rr_sees_the_queue() -> None:
    """The wait counts, so the fifth job prefers the slower server."""
    records = unit_jobs(*TWO_WHOLE, "ws-rr", [0, 0, 0, 0, 0])

    assert served(records) == [
        ((0,), 0, 3),
        ((1,), 0, 4),  # 3 + 3 > 4
        ((1,), 0, 4),
        ((0,), 3, 6),  # 3 + 3 < 4 + 4
        ((1,), 4, 8),  # 6 + 3 > 4 + 4
    ]


def test_petals_asks_for_room_for_the_whole_range() -> None:
    """Server 1 has the one slot that a job needs behind server 0, but hosts two blocks."""
    instance = small([(9, 1, 0), (3, 1, 0), (9, 5, 0)], blocks=2)  # 8, 1 and 8 slots
    placement = Placement([0, 0, 1], [1, 2, 2])

    assert served(unit_jobs(instance, placement, "petals", [0])) == [((0, 2), 0, 6)]  # 1 + 1 + 200 > 1 + 5
    free_of_penalties = unit_jobs(instance, placement, "petals", [0], allocation_penalty_s=0)
    assert served(free_of_penalties) == [((0, 1), 0, 2)]


def test_waiting_jobs_are_not_overtaken() -> None:
    """A job waits behind one that waits for another server, although its own slots are free."""
    instance = small([(3, 1, 0), (2, 1, 0), (9, 4, 0)], blocks=2)  # 2, 1 and 8 slots
    placement = Placement([0, 1, 1], [1, 2, 2])
    records = unit_jobs(instance, placement, "ws-rr", [0, 0, 0])

    assert served(records) == [
        ((0, 1), 0, 2),
        ((0, 1), 2, 4),  # 1 + (2 + 1) < 1 + 4: it waits for server 1
        ((0, 2), 2, 7),  # (2 + 1) + (4 + 1) > (2 + 1) + 4, and server 0 has a slot, but the second job comes first
    ]


def test_serves_like_any_run() -> None:
    """As part of an experiment a run is served stretch by stretch, and nothing is left to drain."""
    run = RoutingRun(*TWO_WHOLE, "petals")
    records = run.serve(np.array([0.0, 1.0]), np.ones((2, 1)), np.zeros(2))

    assert records.departure.tolist() == [3, 5]
    assert run.drain().departure.size == 0
    assert [route.servers for route in run.routes] == [(0,), (1,)]


def test_slots_free_at_an_instant_are_free_for_an_arrival() -> None:
    """A job that comes just when another departs takes its place."""
    records = unit_jobs(*TWO_WHOLE, "petals", [0, 3, 6])

    assert served(records) == [((0,), 0, 3), ((0,), 3, 6), ((0,), 6, 9)]


def test_tie_that_floats_get_wrong() -> None:
    """0.8 + 0.2 s and 1 s are one time, so the route with the longer last arc is taken."""
    instance = small([(2, 0.1, 0.7), (2, 0.1, 0.1), (4, 1, 0)], blocks=2)
    assert 0.1 + 0.7 < 0.8
    for rule in ROUTING:
        records = unit_jobs(instance, Placement([0, 1, 0], [1, 2, 2]), rule, [0])
        assert records.routes[0].servers == (2,)


def test_many_kinds_of_demands() -> None:
    """Routes are chosen for the expected job, and times are those of the job that comes."""
    pace = Pace(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.5, 0.0], [0.0, 0.5]]))
    records = simulate_routing(*TWO_WHOLE, "ws-rr", [0, 9], [[3, 4], [3, 5]], pace=pace, expected=[2, 1])

    # a job takes 2 s for each unit of the first demand at server 0, of the second at server 1; expected 4 and 2
    assert served(records) == [((1,), 0, 8), ((1,), 9, 19)]


@st.composite
def traffic(draw: st.DrawFn) -> dict[str, Any]:
    """Jobs, and what they can run on; times are dyadic, so that floats are exact, and few, so that ties abound."""
    instance, placement = draw(placed_instances(least_servers=2, most_blocks=5).filter(lambda it: open_paths(*it)))
    if draw(st.booleans()):
        scarce = instance.replace(service=instance.service.replace(cache_gb=1))
        instance = scarce if open_paths(scarce, placement) else instance
    kinds, jobs, servers = draw(st.integers(1, 2)), draw(st.integers(0, 20)), len(instance.servers)

    def eighths(rows: int, most: int) -> NDArray[np.float64]:
        row = st.lists(st.integers(0, most), min_size=kinds, max_size=kinds)
        values = draw(st.lists(row, min_size=rows, max_size=rows))
        return np.array(values, dtype=np.float64).reshape(rows, kinds) / 8

    gaps = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 20]), min_size=jobs, max_size=jobs))
    return {
        "instance": instance,
        "placement": placement,
        "arrivals": np.cumsum(gaps) / 8,
        "demands": eighths(jobs, 16),
        "pace": Pace(eighths(servers, 8), eighths(servers, 4)),
        "expected": eighths(1, 16)[0],
        "penalty_s": draw(st.sampled_from([0.0, 0.5, 200.0, 200.0])),
    }


@pytest.mark.parametrize("rule", ROUTING)
@given(case=traffic(), cut=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_as_event_by_event(rule: str, case: dict[str, Any], cut: float) -> None:
    """Job by job as the witness says, in one step or two."""
    instance, placement, arrivals, demands = (case[key] for key in ("instance", "placement", "arrivals", "demands"))
    options = {"pace": case["pace"], "expected": case["expected"], "allocation_penalty_s": case["penalty_s"]}
    options["hold_early"] = False
    records = simulate_routing(instance, placement, rule, arrivals, demands, **options)

    oracle = simulate(rule=rule, **case)
    assert served(records) == [(job.path.servers, float(job.start), float(job.departure)) for job in oracle]
    assert [records.routes[route].blocks for route in records.chain] == [job.path.blocks for job in oracle]
    assert list(dict.fromkeys(records.chain.tolist())) == list(range(len(records.routes)))
    assert_first_come_first_served(instance, placement, records)

    half = round(cut * arrivals.size)
    run = RoutingRun(instance, placement, rule, **options)
    assert served(run.step(arrivals[:half], demands[:half])) == served(records)[:half]
    assert served(run.step(arrivals[half:], demands[half:])) == served(records)[half:]


@given(case=placed_instances())
@settings(max_examples=100, deadline=None)
def test_a_route_is_found_if_there_is_one(case: tuple[Instance, Placement]) -> None:
    """No route, no run."""
    if open_paths(*case):
        RoutingRun(*case, "ws-rr")
    else:
        with pytest.raises(InfeasibleError, match="no route leads to the end"):
            RoutingRun(*case, "ws-rr")


@given(case=placed_instances(least_servers=1).filter(lambda it: open_paths(*it)))
@settings(max_examples=100, deadline=None)
def test_the_first_job_takes_the_first_chain_of_gca(case: tuple[Instance, Placement]) -> None:
    """In an empty system all rules agree, ties included."""
    chains = gca(*case).chains
    for rule in ROUTING:
        records = unit_jobs(*case, rule, [0], allocation_penalty_s=0)
        assert (records.routes[0].servers, records.routes[0].blocks) == (chains[0].servers, chains[0].blocks)
        assert records.response[0] == pytest.approx(chains[0].service_time_s, rel=1e-12)


@pytest.mark.parametrize("rule", ROUTING)
@pytest.mark.parametrize("hold_early", [False, True])
@pytest.mark.parametrize("load", [0.3, 3])
def test_large_system(rule: str, load: float, hold_early: bool) -> None:
    """BLOOM on twenty servers, idle and flooded: nothing is overbooked, and steps make no difference."""
    instance = read_instance(BLOOM)
    placement = gbp_cr(instance, 7)
    random = np.random.default_rng(7)
    gaps = random.exponential(1 / (load * gca(instance, placement).total_service_rate), 3000)
    arrivals, demands = np.cumsum(gaps), random.exponential(1, (3000, 1))
    records = simulate_routing(instance, placement, rule, arrivals, demands, hold_early=hold_early)

    if not hold_early:  # else jobs start when the last server has room, in another order than at each server
        assert_first_come_first_served(instance, placement, records)
    assert np.all(records.waiting >= 0)
    on_route = [
        sum(
            float(instance.servers[j].comm_s) + blocks * float(instance.servers[j].comp_s_per_block)
            for j, blocks in zip(route.servers, route.blocks, strict=True)
        )
        for route in records.routes
    ]
    np.testing.assert_allclose(records.service, demands[:, 0] * np.array(on_route)[records.chain], rtol=1e-9)

    run = RoutingRun(instance, placement, rule, hold_early=hold_early)
    steps = [run.step(arrivals[i : i + 700], demands[i : i + 700]) for i in range(0, 3000, 700)]
    for name in ("arrival", "start", "departure", "chain"):
        np.testing.assert_array_equal(np.concatenate([getattr(step, name) for step in steps]), getattr(records, name))
    assert steps[-1].routes == run.routes == records.routes


def assert_first_come_first_served(instance: Instance, placement: Placement, records: Routed) -> None:
    """At every server jobs start in order of arrival, and hold no more slots than there are at any instant."""
    for j, slots in enumerate(cache_slots(instance, placement)):
        held = np.array([dict(zip(route.servers, route.blocks, strict=True)).get(j, 0) for route in records.routes])
        here = held[records.chain] if records.chain.size else np.zeros(0, dtype=np.int64)
        visits = here > 0
        assert np.all(np.diff(records.start[visits]) >= 0)
        times = np.concatenate([records.departure[visits], records.start[visits]])
        change = np.concatenate([-here[visits], here[visits]])
        order = np.argsort(times, kind="stable")  # departures first
        lasting = np.concatenate([records.service[visits]] * 2)[order] > 0
        assert np.all(np.cumsum(change[order][lasting]) <= slots)


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        ([0, 2], [1, 3], "no server hosts block 1"),
        ([1, 0], [3, 0], "no server hosts block 0"),
        ([0, 0], [0, 0], "no server hosts block 0"),
        ([0, 1], [1, 3], "of the servers that host block 1, none has the cache slots to go on: 's1'"),
    ],
)
def test_no_route(start: list[int], stop: list[int], message: str) -> None:
    """Where no path is open to a single job the error says where it ends."""
    instance = small([(4, 1, 1), (3, 1, 1)], blocks=3)
    with pytest.raises(InfeasibleError, match=message):
        RoutingRun(instance, Placement(start, stop), "petals")


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("jffc", {}, "expected one of the rules petals, ws-rr, got 'jffc'"),
        ("petals", {"allocation_penalty_s": -1}, "expected a penalty of at least 0 s, got -1"),
        ("petals", {"allocation_penalty_s": float("inf")}, "expected a penalty of at least 0 s, got inf"),
        ("petals", {"expected": [1, 2]}, "expected 1 finite demands"),
        ("petals", {"expected": [-1]}, "expected 1 finite demands"),
        ("petals", {"pace": Pace(np.ones((2, 3)), np.ones((2, 3)))}, "there are 3 kinds"),
    ],
)
def test_wrong_options(rule: str, options: dict[str, Any], message: str) -> None:
    """What makes no sense is refused before a job comes."""
    with pytest.raises(ValueError, match=message):
        RoutingRun(*TWO_WHOLE, rule, **options)


@pytest.mark.parametrize(
    ("arrivals", "demands", "message"),
    [
        ([0, 1], [[1]], "arrivals of shape"),
        ([0, 1], [1, 1], "arrivals of shape"),
        ([1, 0], [[1], [1]], "ascending"),
        ([0, np.nan], [[1], [1]], "finite"),
        ([-1], [[1]], "from the last step on"),
        ([0], [[-1]], "demands that are finite and at least 0"),
        ([0], [[np.inf]], "demands that are finite and at least 0"),
    ],
)
def test_wrong_jobs(arrivals: list[float], demands: list[Any], message: str) -> None:
    """Jobs come in order and ask for something."""
    run = RoutingRun(*TWO_WHOLE, "petals")
    run.step([0], [[1]])
    with pytest.raises(ValueError, match=message):
        run.step(arrivals, demands)


def test_placement_of_another_instance() -> None:
    """A placement that does not fit is refused."""
    with pytest.raises(ValueError, match="does not have the memory"):
        RoutingRun(small([(1, 1, 1)], blocks=2), Placement([0], [2]), "petals")
