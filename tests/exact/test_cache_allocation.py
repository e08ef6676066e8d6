"""Exact cache allocation: examples by hand, every allocation there is, and solvers that lie."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainopt.allocation import fewest_job_servers, gca
from chainopt.exact import cache_allocation
from chainopt.exact.backends import Outcome
from chainopt.exact.cache_allocation import Allocation, allocate_fewest, allocate_most, checked
from chainopt.exact.columns import cheapest_on_hull
from chainopt.exact.paths import arcs_of, chains_below, cheapest_path
from chainopt.exact.slot_hull import Rooms, violated_cut
from chainopt.generate.bloom import BLOOM, BloomParameters
from chainopt.model import Instance, Placement, Server, Service, Status, Workload
from chainopt.placement import gbp_cr
from tests.oracles.chains import all_paths, cache_slots
from tests.oracles.strategies import placed_instances

MOST_ALLOCATIONS = 3000


def small(servers: list[tuple[float, float, float]], blocks: int) -> Instance:
    """Blocks and slots of 1 GB, and servers given by memory, τ^c and τ^p."""
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=1),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(id=f"s{j}", memory_gb=memory, comm_s=comm, comp_s_per_block=comp)
            for j, (memory, comm, comp) in enumerate(servers)
        ],
    )


def shared_tail() -> tuple[Instance, Placement]:
    """Server 0 hosts both blocks and does a job in 1 s; server 1 hosts the first block.

    Server 0 has 4 - 2 = 2 slots: one job of 2 blocks alone, or two jobs of 1 block behind server 1, 1.25 s each.
    """
    return small([(4, 0.5, 0.25), (9, 0.25, 0.25)], blocks=2), Placement([0, 0], [2, 1])


def every_allocation(instance: Instance, placement: Placement) -> dict[int, Fraction] | None:
    """Largest total service rate for each number of job servers; None if there are too many allocations."""
    paths = list(all_paths(instance, placement))
    slots = cache_slots(instance, placement)
    best: dict[int, Fraction] = {}
    states: dict[tuple[tuple[int, ...], int], Fraction] = {(tuple(slots), 0): Fraction(0)}
    for path in paths:
        following: dict[tuple[tuple[int, ...], int], Fraction] = {}
        for (free, count), rate in states.items():
            left, c = list(free), 0
            while all(s >= 0 for s in left):
                key = (tuple(left), count + c)
                following[key] = max(following.get(key, Fraction(0)), rate + c / path.time)
                if len(following) > MOST_ALLOCATIONS:
                    return None
                c += 1
                for j, n in zip(path.servers, path.blocks, strict=True):
                    left[j] -= n
        states = following
    for (_, count), rate in states.items():
        best[count] = max(best.get(count, Fraction(0)), rate)
    return best


def assert_holds(allocation: Allocation, instance: Instance, placement: Placement) -> None:
    """The composition is one, recomputed by the witness."""
    assert allocation.composition is not None
    assert allocation.refused == ()
    times = {path.servers: path.time for path in all_paths(instance, placement)}
    free = cache_slots(instance, placement)
    for chain in allocation.composition.chains:
        assert chain.service_time_s == pytest.approx(float(times[chain.servers]), rel=1e-14)
        for j, n in zip(chain.servers, chain.blocks, strict=True):
            free[j] -= n * chain.capacity
    assert min(free) >= 0
    assert np.all(np.diff(allocation.composition.service_times_s) >= 0)


def test_greedy_loses_rate_exact_does_not() -> None:
    """GCA takes the fast chain, 1 job/s; the two slow job servers do 2/1.25 = 1.6 jobs/s."""
    instance, placement = shared_tail()
    assert gca(instance, placement).total_service_rate == 1.0
    allocation = allocate_most(instance, placement)
    assert (allocation.status, allocation.value) == (Status.OPTIMAL, pytest.approx(1.6))
    assert allocation.bound == pytest.approx(1.6)
    assert_holds(allocation, instance, placement)
    assert allocation.composition is not None
    assert [(chain.servers, chain.capacity) for chain in allocation.composition.chains] == [((1, 0), 2)]


@pytest.mark.parametrize(
    ("rate", "status", "value"),
    [
        (0.5, Status.OPTIMAL, 1),  # the fast chain, or one slow job server
        (1.0, Status.OPTIMAL, 1),  # exactly the fast one
        (1.1, Status.OPTIMAL, 2),  # out of GCA's reach; two slow ones
        (1.6, Status.OPTIMAL, 2),  # exactly these
        (1.6 * (1 + 1e-8), Status.INFEASIBLE, None),
        (1.7, Status.INFEASIBLE, None),
    ],
)
def test_fewest_job_servers(rate: float, status: Status, value: int | None) -> None:
    """What is out of GCA's reach is found, and what is out of reach is proven so."""
    instance, placement = shared_tail()
    allocation = allocate_fewest(instance, placement, rate)
    assert (allocation.status, allocation.value) == (status, value)
    if value is not None:
        assert allocation.bound == value
        assert_holds(allocation, instance, placement)


def test_slots_that_fractions_would_fill() -> None:
    """3 slots and jobs of 2: the program allows 1.5 jobs, integers 1, and the cut says so without any branching."""
    instance = small([(5, 0, 1)], blocks=2)
    allocation = allocate_most(instance, Placement([0], [2]))
    assert (allocation.status, allocation.value) == (Status.OPTIMAL, 0.5)


def test_no_chain_at_all() -> None:
    """A placement with a gap has no rate, and that is proven."""
    instance = small([(4, 1, 1), (4, 1, 1)], blocks=3)
    placement = Placement([0, 2], [1, 3])
    assert allocate_most(instance, placement).status is Status.INFEASIBLE
    assert allocate_fewest(instance, placement, 0.1).status is Status.INFEASIBLE


@settings(max_examples=60, deadline=None)
@given(placed_instances(most_servers=4, most_blocks=4), st.floats(0.05, 1.05))
def test_against_every_allocation(placed: tuple[Instance, Placement], share: float) -> None:
    """Both objectives, whatever the placement: gaps, overlaps, ties."""
    instance, placement = placed
    best = every_allocation(instance, placement)
    assume(best is not None)
    assert best is not None
    largest = max(best.values())
    most = allocate_most(instance, placement)
    if not largest:
        assert most.status is Status.INFEASIBLE
        return
    assert (most.status, most.value) == (Status.OPTIMAL, pytest.approx(float(largest), rel=1e-9))
    assert most.bound is not None
    assert Fraction(most.bound) >= largest
    assert_holds(most, instance, placement)

    rate = float(largest) * share
    counts = [count for count, served in best.items() if served >= Fraction(rate) * (1 - Fraction(1, 10**12))]
    fewest = allocate_fewest(instance, placement, rate)
    if not counts:
        assert fewest.status is Status.INFEASIBLE
        return
    assert (fewest.status, fewest.value, fewest.bound) == (Status.OPTIMAL, min(counts), min(counts))
    assert_holds(fewest, instance, placement)
    greedy = fewest_job_servers(gca(instance, placement), rate)
    assert greedy is None or greedy.job_servers >= min(counts)


@settings(max_examples=10, deadline=None)
@given(placed_instances(most_servers=5, most_blocks=5))
def test_backends_agree(placed: tuple[Instance, Placement]) -> None:
    """HiGHS and CBC prove the same, and GCA is never better; CBC, which now and then does not end, has 20 s."""
    instance, placement = placed
    end = time.monotonic() + 20
    highs, cbc = (allocate_most(instance, placement, deadline=end, backend=backend) for backend in ("highs", "cbc"))
    assert cbc.value is None or (highs.value is not None and cbc.value <= highs.value * (1 + 1e-9))
    assume(time.monotonic() < end)
    assert highs.status is cbc.status
    if highs.value is None:
        return
    assert highs.value == pytest.approx(cbc.value, rel=1e-9)
    assert highs.value >= gca(instance, placement).total_service_rate * (1 - 1e-12)
    least = 0.9 * highs.value
    few = [allocate_fewest(instance, placement, least, deadline=end, backend=backend) for backend in ("highs", "cbc")]
    assume(time.monotonic() < end)
    assert few[0].value == few[1].value


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
def test_bloom_with_millions_of_chains(share: float) -> None:
    """J = 40, L = 70: proven, and as few as GCA needs or fewer."""
    instance = BLOOM.instance(BloomParameters(servers=40), seed=1)
    placement = gbp_cr(instance, 7)
    greedy = gca(instance, placement)
    rate = share * greedy.total_service_rate
    allocation = allocate_fewest(instance, placement, rate, deadline=time.monotonic() + 20)
    by_greedy = fewest_job_servers(greedy, rate)
    assert by_greedy is not None
    assert allocation.status is Status.OPTIMAL
    assert allocation.value is not None
    assert allocation.value <= by_greedy.job_servers


def test_deadline_is_kept() -> None:
    """Out of time there is still what GCA found, and a bound."""
    instance = BLOOM.instance(BloomParameters(servers=40), seed=1)
    placement = gbp_cr(instance, 7)
    allocation = allocate_most(instance, placement, deadline=time.monotonic())
    assert allocation.status is Status.FEASIBLE
    assert allocation.bound is not None
    assert allocation.value is not None
    assert allocation.bound > allocation.value


def test_a_solver_that_lies_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver that hands out twice the slots is refused, and the answer is no more than GCA's."""

    def lie(problem: object, **_: object) -> Outcome:
        for variable in problem.variables():  # type: ignore[attr-defined]
            variable.varValue = 2 * variable.upBound
        return Outcome(Status.OPTIMAL, 99.0, 99.0, 0.0)

    instance, placement = shared_tail()
    monkeypatch.setattr(cache_allocation, "solve_milp", lie)
    allocation = allocate_most(instance, placement)
    assert allocation.status is Status.FEASIBLE
    assert allocation.value == 1.0
    assert any("slots of server" in refusal for refusal in allocation.refused)


def test_what_is_checked() -> None:
    """Fractions of jobs, slots, chains and the rate."""
    instance, placement = shared_tail()
    for servers, values, rate, message in [
        ((0,), 0.5, 0, "a capacity of 0.5"),
        ((0,), -1, 0, "a capacity of -1"),
        ((0,), 2, 0, "4 slots of server 0, which has 2"),
        ((0,), 1, 1.0001, "where 1.0001 is asked for"),
        ((1,), 1, 0, "ends at block 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            checked(instance, placement, [servers], [values], rate)
    assert checked(instance, placement, [(0,)], [1.0000001], 1.0).job_servers == 1


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_rate_that_is_none(rate: float) -> None:
    """A rate is positive and finite."""
    instance, placement = shared_tail()
    with pytest.raises(ValueError, match="expected a positive rate"):
        allocate_fewest(instance, placement, rate)


def test_placement_of_another_instance() -> None:
    """Refused with the numbers."""
    instance, _ = shared_tail()
    with pytest.raises(ValueError, match="the instance has 2"):
        allocate_most(instance, Placement([0], [1]))
    with pytest.raises(ValueError, match="does not have the memory"):
        allocate_fewest(small([(1, 1, 1)], 2), Placement([0], [2]), 1)


@settings(max_examples=80, deadline=None)
@given(placed_instances(most_servers=6, most_blocks=6), st.data())
def test_pricing_and_enumeration(placed: tuple[Instance, Placement], data: st.DataObject) -> None:
    """The least D - y/T is that of all chains, and below a ceiling there are exactly those that are."""
    instance, placement = placed
    slots = cache_slots(instance, placement)
    chains = [
        path
        for path in all_paths(instance, placement)
        if all(slots[j] >= n for j, n in zip(path.servers, path.blocks, strict=True))
    ]
    arcs = arcs_of(instance, placement, np.array(slots))
    assert bool(chains) == bool(arcs.source.size)
    if not chains:
        return
    price = st.sampled_from([0.0, 0.01, 0.1, 0.5, 3.0])
    prices = np.array(data.draw(st.lists(price, min_size=len(slots), max_size=len(slots))))
    y = data.draw(st.sampled_from([0.0, 0.1, 1.0, 20.0]))
    by_arc = prices[arcs.server] * arcs.blocks
    values = {
        path.servers: sum(prices[j] * n for j, n in zip(path.servers, path.blocks, strict=True)) - y / float(path.time)
        for path in chains
    }

    def cheapest(cost: np.ndarray) -> np.ndarray:
        return cheapest_path(arcs.source, arcs.target, arcs.end, cost)

    found, least = cheapest_on_hull(cheapest, by_arc, arcs.time_s, lambda time: y / time, math.inf)
    assert least == pytest.approx(min(values.values()), rel=1e-9, abs=1e-12)
    assert {tuple(arcs.server[path].tolist()) for path in found} <= values.keys()

    ceiling = float(np.quantile(list(values.values()), data.draw(st.floats(0, 1)))) + 1e-9
    below = chains_below(arcs, by_arc, y, ceiling, 10**6)
    assert below is not None
    assert sorted(tuple(arcs.server[path].tolist()) for path in below) == sorted(
        servers for servers, value in values.items() if value <= ceiling
    )
    if len(below) > 1:
        assert chains_below(arcs, by_arc, y, ceiling, len(below) - 1) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True),
    st.integers(6, 15),
    st.lists(st.floats(0, 3), min_size=3, max_size=3),
)
def test_cuts_of_slots(sizes: list[int], slots: int, jobs: list[float]) -> None:
    """A cut holds for every integer point; and no cut means that the point is in the hull of them."""
    n, y = np.array(sizes), np.array(jobs[: len(sizes)])
    scale = min(1.0, slots / max(float(n @ y), 1e-9))
    y = y * scale
    grids = np.meshgrid(*(np.arange(slots // size + 1) for size in sizes), indexing="ij")
    points = np.stack([grid.ravel() for grid in grids], axis=1)
    points = points[points @ n <= slots]
    cut = violated_cut(n, Rooms(np.array([slots]), n.max(keepdims=True)), y)
    if cut is not None:
        assert np.all(points @ cut <= 1 + 1e-9)
        assert cut @ y > 1
        return
    from scipy.optimize import linprog

    weights = linprog(np.ones(len(points)), A_ub=-points.T, b_ub=-y, method="highs")
    assert weights.fun <= 1 + 2e-3
