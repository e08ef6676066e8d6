"""PETALS and BPRR as systems: an independent simulation, memory, light load, what is chosen, what is infeasible."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.baselines import SYSTEMS
from chainopt.baselines.bprr import bprr_faithful, bprr_tuned
from chainopt.baselines.petals import petals_faithful, petals_tuned
from chainopt.errors import InfeasibleError
from chainopt.files import read_instance
from chainopt.model import Instance, Placement, Server, Service, Workload
from chainopt.placement import cg_bp
from chainopt.placement.petals import PetalsMemory
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.routing import Routed, RoutingRun, simulate_routing
from chainopt.simulation.sizes import Exponential
from tests.baselines.witness import simulate
from tests.oracles.chains import all_paths, cache_slots
from tests.oracles.strategies import placed_instances

BLOOM = read_instance(Path(__file__).parents[2] / "instances" / "bloom" / "bloom-ripe-j20-eta20-s1-paper.json")
FAITHFUL = ("petals-faithful", "bprr-faithful")
OURS = ("petals-faithful", "petals-tuned", "bprr-faithful", "bprr-tuned")


def small(servers: list[tuple[float, float, float]], blocks: int, rate: float = 1) -> Instance:
    """Blocks and caches of 1 GB, and servers given by memory, τ^c and τ^p."""
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=1),
        workload=Workload(arrival_rate=rate),
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


def test_slots_are_held_while_waiting_elsewhere() -> None:
    """A job overtakes one that waits for another server, if its own slots are free beside those that one holds."""
    instance = small([(4, 1, 0), (2, 1, 0), (9, 4, 0)], blocks=2)  # 3, 1 and 8 slots
    placement = Placement([0, 1, 1], [1, 2, 2])
    records = simulate_routing(instance, placement, "ws-rr", [0, 0, 0], np.ones((3, 1)))

    # The second job takes servers 0 and 1, for 1 + (2 + 1) < 1 + 4. It holds one slot of server 0 from 0 on, and starts
    # at 2. The third would wait until 4 for server 1, 1 + (4 + 1) > 1 + 4, and finds the third slot of server 0 free.
    assert served(records) == [((0, 1), 0, 2), ((0, 1), 2, 4), ((0, 2), 0, 5)]

    tight = small([(3, 1, 0), (2, 1, 0), (9, 4, 0)], blocks=2)  # 2, 1 and 8 slots
    records = simulate_routing(tight, placement, "ws-rr", [0, 0, 0], np.ones((3, 1)))
    assert served(records)[2] == ((0, 2), 2, 7)  # now it waits for the slot that the first job leaves at 2


def test_slots_beyond_the_pool_are_not_used() -> None:
    """With one slot where memory has two, a second job waits."""
    instance, placement = small([(3, 1, 0)], blocks=1), Placement([0], [1])
    for slots, starts in (([2], [0, 0]), ([1], [0, 1])):
        run = RoutingRun(instance, placement, "petals", slots=slots)
        assert run.step([0, 0], [[1], [1]]).start.tolist() == starts
    with pytest.raises(InfeasibleError, match="none has the cache slots"):
        RoutingRun(instance, placement, "petals", slots=[0])
    for wrong in ([3], [-1], [1, 1]):
        with pytest.raises(ValueError, match=r"expected slots from 0 to \[2\]"):
            RoutingRun(instance, placement, "petals", slots=wrong)


@st.composite
def traffic(draw: st.DrawFn) -> dict[str, Any]:
    """Jobs, and pools of caches; times are tenths and eighths at most, and few, so that queues abound."""
    instance, placement = draw(placed_instances(least_servers=2, most_blocks=4))
    eighth = Decimal("0.125")
    instance = instance.replace(
        servers=[
            server.replace(comm_s=eighth * draw(st.integers(1, 12)), comp_s_per_block=eighth * draw(st.integers(0, 8)))
            for server in instance.servers
        ]
    )
    slots = [min(left, draw(st.integers(1, 6))) for left in cache_slots(instance, placement)]
    jobs = draw(st.integers(0, 12))
    gaps = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 20]), min_size=jobs, max_size=jobs))
    sizes = draw(st.lists(st.integers(1, 16), min_size=jobs, max_size=jobs))
    return {
        "instance": instance,
        "placement": placement,
        "slots": slots,
        "arrivals": (np.cumsum(gaps) / 8).tolist(),
        "sizes": [size / 8 for size in sizes],
        "penalty_s": draw(st.sampled_from([0, 1, 200])),
    }


@pytest.mark.parametrize("rule", ["petals", "ws-rr"])
@given(case=traffic())
@settings(max_examples=60, deadline=None)
def test_as_queues_at_the_servers(rule: str, case: dict[str, Any]) -> None:
    """Routes, starts and departures are those of queues at the servers, with WS-RR's waits by its own formula."""
    instance, placement, slots = case["instance"], case["placement"], case["slots"]
    if not any(
        all(slots[j] >= n for j, n in zip(path.servers, path.blocks, strict=True))
        for path in all_paths(instance, placement)
    ):
        with pytest.raises(InfeasibleError):
            RoutingRun(instance, placement, rule, slots=slots)
        return
    demands = np.array(case["sizes"]).reshape(-1, 1)
    options = {"slots": slots, "allocation_penalty_s": case["penalty_s"]}
    records = simulate_routing(instance, placement, rule, case["arrivals"], demands, **options)

    witness = simulate(rule=rule, **case)
    assert served(records) == [(path.servers, float(start), float(end)) for path, start, end in witness]
    assert_memory_suffices(records, slots)


def assert_memory_suffices(records: Routed, slots: list[int]) -> None:
    """At no instant do running jobs hold more slots of a server than it uses."""
    for j, most in enumerate(slots):
        held = np.array([dict(zip(route.servers, route.blocks, strict=True)).get(j, 0) for route in records.routes])
        here = held[records.chain] if records.chain.size else np.zeros(0, dtype=np.int64)
        times = np.concatenate([records.departure, records.start])
        change = np.concatenate([-here, here])
        assert np.all(np.cumsum(change[np.argsort(times, kind="stable")]) <= most)  # departures first


@pytest.fixture(scope="module")
def six() -> Instance:
    """Six servers and eight blocks, at about half of what PETALS' default can take."""
    # s_m = s_c = 1 GB, pools of two jobs: 12 / 3 = 4 blocks and 8 slots, 6 / 3 = 2 blocks and 4 slots. All 32 slots are
    # for 32 / 8 = 4 jobs at once, of 8 s and about 0.6 s for each of two to four servers: 0.4 jobs/s.
    return small([(12, 0.5, 1), (12, 0.7, 1), *[(6, 0.4 + 0.1 * j, 1) for j in range(4)]], blocks=8, rate=0.2)


@pytest.mark.parametrize("name", OURS)
def test_light_load(name: str, six: Instance) -> None:
    """With hardly any traffic the mean response is the mean service, and that is the time of the fastest route."""
    quiet = six.replace(workload=Workload(arrival_rate=Decimal("0.0001")))
    deployment = SYSTEMS[name].rule(quiet, seed=1)
    summary = observe(deployment.run(20_000), Traffic(Poisson(0.0001), Exponential(), 20_000, seed=3))
    alone = deployment.run(1).serve(np.zeros(1), np.ones((1, 1)), np.zeros(1)).departure[0]

    assert summary.response.mean == pytest.approx(summary.service.mean, rel=2e-3)
    interval = summary.response.interval()
    assert abs(interval.mean - alone) < 2 * interval.half_width


@pytest.mark.parametrize("name", FAITHFUL)
def test_memory_of_a_large_system(name: str) -> None:
    """BLOOM on twenty servers near what it can take: no pool is overbooked, and every route adds up to the model."""
    deployment = SYSTEMS[name].rule(BLOOM, seed=1)
    run = deployment.run(3000)
    assert isinstance(run, RoutingRun)
    random = np.random.default_rng(5)
    records = run.step(np.cumsum(random.exponential(2.0, 3000)), random.exponential(1, (3000, 1)))

    slots = cache_slots(BLOOM, deployment.placement)
    if name == "petals-faithful":  # 11 · 2.1353 = 23.5 and 24 · 2.1353 = 51.2
        slots = [{11: 23, 24: 51}[size] for size in deployment.placement.sizes.tolist()]
    assert_memory_suffices(records, slots)
    assert records.waiting.max() > 0
    assert all(sum(route.blocks) == BLOOM.service.blocks for route in records.routes)
    assert np.all(records.waiting >= 0)


def test_default_cache_of_petals() -> None:
    """On BLOOM the pools of PETALS are 4,096 tokens, whatever memory is left."""
    deployment = petals_faithful(BLOOM, seed=1)

    # s_c = 0.11 GB: 0.234881024 / 0.11 = 2.1353 jobs; 20 GB servers host 11 blocks, 40 GB ones 24
    assert deployment.parameters["cache_jobs"] == pytest.approx(2.1352820)
    assert set(deployment.placement.sizes.tolist()) == {11, 24}


def test_sessions_for_the_traffic() -> None:
    """BPRR designs for the jobs that run at once, and the spread of their number."""
    # One block of 1 GB and caches of 1 GB on 9 GB: 8 sessions at most. T = 2 + 1 = 3 s.
    # λ = 0.1: 0.3 jobs + max(0.3, 1)^(1/2) → R = 2; λ = 1: 3 + 1.73 → 5; λ = 3: 9 + 3 is too much, so all 8.
    for rate, sessions in ((0.1, 2), (1, 5), (3, 8)):
        deployment = bprr_faithful(small([(9, 2, 1)], blocks=1, rate=rate))
        assert deployment.parameters == {"sessions": sessions}

    # Two blocks, 9 GB twice. Up to R = 3, 9 / 4 → both blocks on each server, T = 1 + 2 · 1 = 3 s. From R = 4 on
    # one block each, T = (1 + 1) + (1 + 1) = 4 s. λ = 0.3: 0.9 + 1 → 2. λ = 1: 3 + 1.73 → 5 > 3; 4 + 2 = 6.
    for rate, sessions, sizes in ((0.3, 2, [2, 2]), (1, 6, [1, 1])):
        deployment = bprr_faithful(small([(9, 1, 1), (9, 1, 1)], blocks=2, rate=rate))
        assert deployment.parameters == {"sessions": sessions}
        assert deployment.placement.sizes.tolist() == sizes


def test_tuning_gains(six: Instance) -> None:
    """The tuned variants are no worse than the defaults on other jobs than those they were tuned on."""
    means = {}
    for name in OURS:
        deployment = SYSTEMS[name].rule(six, seed=1)
        traffic = Traffic(Poisson(0.2), Exponential(), 20_000, seed=2)
        means[name] = observe(deployment.run(20_000), traffic).response.mean
    assert means["petals-tuned"] <= means["petals-faithful"]
    assert means["bprr-tuned"] <= means["bprr-faithful"]


def test_tuned_by_hand() -> None:
    """Caches for more jobs are worth a longer way only where jobs would wait."""
    # Two blocks on 4 GB twice, c = 1: both blocks and 2 slots for one job on each server, 1 + 2 · 1 = 3 s. c = 3: one
    # block and 3 slots each, 2 + 2 = 4 s. At λ = 0.01 nobody waits: c = 1. Both routes together serve 2/3 jobs/s, the
    # one of two servers 3/4: at λ = 0.7 only that one does.
    for system, parameter in ((petals_tuned, "cache_jobs"), (bprr_tuned, "sessions")):
        for rate, chosen in ((0.01, {1}), (0.7, {2, 3})):
            deployment = system(small([(4, 1, 1), (4, 1, 1)], blocks=2, rate=rate), seed=1)
            assert deployment.parameters[parameter] in chosen


@pytest.mark.parametrize("name", OURS)
def test_seeds(name: str, six: Instance) -> None:
    """Everything drawn hangs on the seed, and BPRR's placement draws nothing."""
    rule = SYSTEMS[name].rule
    first, again = rule(six, seed=1), rule(six, seed=1)
    assert (first.placement, first.parameters) == (again.placement, again.parameters)
    if name == "petals-faithful":
        assert first.placement != rule(six, seed=2).placement
    if name == "bprr-faithful":
        assert first.placement == rule(six, seed=2).placement == cg_bp(six, first.parameters["sessions"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("petals-faithful", "PETALS leaves 1 of 3 blocks without a server, block 2 first"),
        ("petals-tuned", "PETALS leaves 1 of 3 blocks without a server, block 2 first"),
        ("bprr-faithful", "CG-BP for 1 sessions leaves 1 of 3 blocks without a server, block 2 first"),
        ("bprr-tuned", "CG-BP for 1 sessions leaves 1 of 3 blocks without a server, block 2 first"),
    ],
)
def test_infeasible(name: str, message: str) -> None:
    """A system that cannot serve a job says what is missing."""
    with pytest.raises(InfeasibleError, match=message):
        SYSTEMS[name].rule(small([(3, 1, 1), (3, 1, 1)], blocks=3))


def test_default_cache_too_large() -> None:
    """Where only the default cache is too large, tuning finds one that fits."""
    instance = small([(4, 1, 1), (4, 1, 1)], blocks=4, rate=0.1)  # 4 GB: one block with two caches, two with one each
    with pytest.raises(InfeasibleError, match="PETALS leaves 2 of 4 blocks"):
        petals_faithful(instance)
    tuned = petals_tuned(instance)
    assert tuned.placement.sizes.tolist() == [2, 2]
    assert tuned.parameters == {"cache_jobs": 1, "pool_gb": 1, "reserve_gb": 0}
    assert PetalsMemory.of(instance).pool_gb == 2
