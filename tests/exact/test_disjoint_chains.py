"""Exact disjoint chains: examples by hand, all sets of servers, GBP-CR never better, and solvers that lie."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.exact import disjoint_chains
from chainopt.exact.backends import Outcome
from chainopt.exact.disjoint_chains import cheapest_cover, covers_below, fewest_disjoint_chains
from chainopt.exact.paths import slopes
from chainopt.generate.bloom import BLOOM, BloomParameters
from chainopt.model import BlockRange, Instance, Server, Service, Status, Workload
from chainopt.placement.greedy import GreedyChains
from tests.oracles import chains as oracle
from tests.oracles.strategies import instances


def small(servers: list[tuple[float, float, float]], blocks: int) -> Instance:
    """Blocks of 1 GB, slots of 0.1 GB, and servers given by memory, τ^c and τ^p."""
    return Instance(
        name="small",
        service=Service(blocks=blocks, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=1),
        servers=[
            Server(id=f"s{j}", memory_gb=memory, comm_s=comm, comp_s_per_block=comp)
            for j, (memory, comm, comp) in enumerate(servers)
        ],
    )


def packs_badly() -> Instance:
    """L = 4; two servers with 3 blocks in 3 s, one with 4 blocks in 4.4 s."""
    return small([(3.3, 0, 1), (3.3, 0, 1), (4.4, 0, 1.1)], blocks=4)


def test_greedy_needs_two_chains_where_one_does() -> None:
    """GBP-CR makes a chain of 3 + 3 s first: 1/6 jobs/s, too few for 0.2; the large server alone does 1/4.4."""
    instance = packs_badly()
    assert GreedyChains.of(instance, 1).prefix(0.2, 1) == 2
    found = fewest_disjoint_chains(instance, 1, 0.2)
    assert (found.status, found.value, found.bound) == (Status.OPTIMAL, 1, 1)
    assert found.chains == ((2,),)
    assert found.placement is not None
    assert (found.placement.start.tolist(), found.placement.stop.tolist()) == ([0, 0, 0], [0, 0, 4])


@pytest.mark.parametrize(
    ("rate", "status", "value"),
    [(0.39, Status.OPTIMAL, 2), (0.4, Status.INFEASIBLE, None), (9.0, Status.INFEASIBLE, None)],
)
def test_all_chains_there_are(rate: float, status: Status, value: int | None) -> None:
    """1/6 + 1/4.4 = 0.3939 jobs/s is all that disjoint chains give."""
    found = fewest_disjoint_chains(packs_badly(), 1, rate)
    assert (found.status, found.value) == (status, value)


def test_no_blocks_enough() -> None:
    """Two servers with a block each do not make a chain of 3."""
    found = fewest_disjoint_chains(small([(1.1, 1, 1)] * 2, blocks=3), 1, 0.01)
    assert (found.status, found.chains, found.placement) == (Status.INFEASIBLE, None, None)


def test_last_server_is_moved_back() -> None:
    """3 + 3 blocks of 4: the second hosts blocks 1 to 4, as in GBP-CR."""
    found = fewest_disjoint_chains(small([(3.3, 0, 1), (3.3, 0, 1)], blocks=4), 1, 0.1)
    assert found.placement is not None
    assert (found.placement.start.tolist(), found.placement.stop.tolist()) == ([0, 1], [3, 4])


def test_pins_stay_where_they_are() -> None:
    """A pinned server hosts its pin and is on no chain."""
    instance = packs_badly()
    pinned = instance.servers[2].replace(pin=BlockRange(start=0, stop=2))
    found = fewest_disjoint_chains(instance.replace(servers=(*instance.servers[:2], pinned)), 1, 0.1)
    assert found.chains == ((0, 1),)
    assert found.placement is not None
    assert found.placement.stop.tolist() == [3, 4, 2]


@settings(max_examples=60, deadline=None)
@given(instances(most_servers=6, most_blocks=6), st.integers(1, 3), st.floats(0.1, 1.3))
def test_against_all_sets(instance: Instance, reservation: int, share: float) -> None:
    """The least K of all disjoint sets of servers, and never more than GBP-CR's."""
    counts = oracle.block_counts(instance, reservation)
    times = [
        Fraction(server.comm_s) + Fraction(server.comp_s_per_block) * m
        for server, m in zip(instance.servers, counts, strict=True)
    ]
    greedy = GreedyChains.of(instance, reservation)
    rate = share * (reservation * float(greedy.served[-1]) if greedy.complete else 0.1)
    used = [j for j, m in enumerate(counts) if m]
    best = oracle.fewest_disjoint_chains(
        [counts[j] for j in used],
        [times[j] for j in used],
        instance.service.blocks,
        Fraction(rate) * (1 - Fraction(1, 10**12)) / reservation,
    )
    found = fewest_disjoint_chains(instance, reservation, rate)
    assert found.value == best
    assert found.status is (Status.OPTIMAL if best is not None else Status.INFEASIBLE)
    by_greedy = greedy.prefix(rate, reservation)
    assert by_greedy is None or (best is not None and best <= by_greedy)
    if found.chains is not None:
        assert found.placement is not None
        for chain in found.chains:
            assert sum(counts[j] for j in chain) >= instance.service.blocks
        everyone = [j for chain in found.chains for j in chain]
        assert len(everyone) == len(set(everyone))
        assert np.flatnonzero(found.placement.sizes).tolist() == sorted(everyone)


def drawn(seed: int) -> tuple[Instance, float]:
    """Fourteen servers, and almost the rate that GBP-CR comes to."""
    draw = np.random.default_rng(seed)
    servers = [(float(draw.integers(2, 9)), float(draw.integers(1, 5)), 0.5) for _ in range(14)]
    instance = small(servers, blocks=10)
    return instance, 0.95 * float(GreedyChains.of(instance, 2).served[-1]) * 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_backends_agree(seed: int) -> None:
    """HiGHS and CBC prove the same."""
    instance, rate = drawn(seed)
    values = [fewest_disjoint_chains(instance, 2, rate, backend=backend) for backend in ("highs", "cbc")]
    assert values[0].status is values[1].status is Status.OPTIMAL
    assert values[0].value == values[1].value


def test_bloom_of_a_hundred_servers() -> None:
    """J = 100, proven."""
    instance = BLOOM.instance(BloomParameters(servers=100), seed=1)
    greedy = GreedyChains.of(instance, 7)
    rate = 0.9 * 7 * float(greedy.served[-1])
    found = fewest_disjoint_chains(instance, 7, rate, deadline=time.monotonic() + 20)
    assert found.status is Status.OPTIMAL
    assert found.value is not None
    assert found.value <= (greedy.prefix(rate, 7) or math.inf)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0.0, 0.1, 1.0]), st.integers(1, 9)), min_size=1, max_size=7),
    st.integers(1, 9),
    st.sampled_from([0.0, 1.0, 5.0]),
    st.floats(-1, 2),
)
def test_covers(servers: list[tuple[int, float, int]], length: int, y: float, ceiling: float) -> None:
    """The cheapest set, and all sets without a superfluous server below a ceiling."""
    sizes, price, times = (np.array(column) for column in zip(*servers, strict=True))
    times = times.astype(float)
    sets = [np.flatnonzero([mask >> j & 1 for j in range(sizes.size)]) for mask in range(1 << sizes.size)]
    tight = [s for s in sets if sizes[s].sum() >= length > sizes[s].sum() - sizes[s].min(initial=99)]
    if not tight:
        return
    cheapest = cheapest_cover(sizes, times, length)
    assert times[cheapest].sum() == min(times[s].sum() for s in tight)
    angles = slopes(y, float(times[cheapest].sum()))
    below = covers_below(sizes, length, price, times, y, ceiling + 1e-7, angles, 1000)
    assert below is not None
    wanted = [s.tolist() for s in tight if price[s].sum() - y / times[s].sum() <= ceiling + 1e-7]
    assert sorted(s.tolist() for s in below) == sorted(wanted)
    if wanted:
        assert covers_below(sizes, length, price, times, y, ceiling + 1e-7, angles, len(wanted) - 1) is None


@pytest.mark.parametrize(
    ("chosen", "refusal"),
    [(slice(None), "where 4 are the most"), (slice(0, 0), "do not serve"), (None, "share a server")],
)
def test_a_solver_that_lies_is_caught(monkeypatch: pytest.MonkeyPatch, chosen: slice | None, refusal: str) -> None:
    """What is no answer is refused; what GBP-CR found stays, and nothing counts as proven."""
    instance, rate = drawn(11)  # 4 chains do, GBP-CR needs 5

    def lie(problem: object, **_: object) -> Outcome:
        variables = problem.variables()  # type: ignore[attr-defined]
        for variable in variables:
            variable.varValue = 0.0
        rows = problem.constraints()  # type: ignore[attr-defined]
        crowded = next(list(row)[:2] for row in rows if row.name.startswith("server") and len(row) > 1)
        for variable in crowded if chosen is None else variables[chosen]:
            variable.varValue = 1.0
        return Outcome(Status.OPTIMAL, 1.0, 1.0, 0.0)

    monkeypatch.setattr(disjoint_chains, "solve_milp", lie)
    found = fewest_disjoint_chains(instance, 2, rate)
    assert (found.status, found.value) == (Status.FEASIBLE, 5)
    assert any(refusal in message for message in found.refused)


def test_deadline_is_kept() -> None:
    """Out of time there is still what GBP-CR found."""
    instance = packs_badly()
    found = fewest_disjoint_chains(instance, 1, 0.2, deadline=time.monotonic())
    assert (found.status, found.value, found.bound) == (Status.FEASIBLE, 2, 1)


def test_arguments() -> None:
    """A rate and a reservation are positive."""
    with pytest.raises(ValueError, match="positive rate"):
        fewest_disjoint_chains(packs_badly(), 1, 0)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        fewest_disjoint_chains(packs_badly(), 0, 1)
