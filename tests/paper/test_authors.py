"""What the authors' simulator does, piece by piece on numbers worked by hand, and the runs of a reference."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from benchmarks.paper.authors import bprr, petals, proposed, twister
from benchmarks.paper.authors.comparison import METHODS, REFERENCE_S, mean_responses_s, seed_of
from benchmarks.paper.authors.kernels import bprr_total_ms, greedy_chains, petals_total_ms, wait_for_slots
from benchmarks.paper.authors.proposed import Chains
from benchmarks.paper.authors.setting import SETTINGS, Cluster, Jobs
from chainopt.model.placement import Placement
from chainopt.simulation.engine import run_of
from chainopt.simulation.records import joined


def cluster(memory_gb: list[float], **changes: Any) -> Cluster:
    """Servers of the slow kind, all alike: 10 ms a job and 1 ms a block, 4 blocks of 1 GB, caches of 1 GB."""
    count = len(memory_gb)
    same = Cluster(
        memory_gb=np.array(memory_gb),
        fast=np.zeros(count, dtype=np.bool_),
        block_ms=np.ones(count),
        comm_ms=np.full(count, 10.0),
        token_ms=np.full(count, 2.0),
        rtt_ms=np.full(count, 2.0),
        between_ms=np.zeros((count, count)),
        blocks=4,
        block_gb=1.0,
        cache_gb=1.0,
        arrival_rate=0.01,
        initial_ms=0.0,
    )
    return same._replace(**changes)


def chains(*pairs: tuple[int, float]) -> Chains:
    """Chains of these capacities and times."""
    return Chains(np.array([c for c, _ in pairs]), np.array([time for _, time in pairs], dtype=np.float64))


def jobs(arrivals: list[float], sizes: list[float]) -> Jobs:
    """Jobs at these times, of these sizes."""
    return Jobs(np.array(arrivals), np.array(sizes))


# --- PETALS ---


def test_petals_caps_slow_servers_at_four_blocks() -> None:
    """(20 - 2.147) / (1.323 + .235) = 11.5 and (40 - 2.147) / 1.558 = 24.3 blocks, of which the slow keep 4."""
    assert petals.blocks_of(20.0, False, 70) == 4
    assert petals.blocks_of(20.0, True, 70) == 11
    assert petals.blocks_of(40.0, True, 70) == 24
    assert petals.blocks_of(2.0, True, 70) == 0


def test_petals_compares_sums_of_throughput() -> None:
    """Of the windows of 2 in 0 9 4 4 0 the sums are 9 13 8 4: PETALS itself would take the first, with its 0."""
    assert petals.emptiest_window(np.array([0.0, 9.0, 4.0, 4.0, 0.0]), 2) == 3


def test_petals_has_two_sessions_a_server() -> None:
    """4,096 tokens of cache, .2349 GB a block, hold floor(2.03) = 2 jobs of .1158 GB; 24 blocks hold floor(48.7)."""
    slots, sessions = petals.cache_slots(np.array([24, 4]), 0.115835)

    assert sessions == 2
    assert slots.tolist() == [48, 8]


def test_petals_leaves_runs_with_a_gap_out() -> None:
    """Nine slow servers and a fast one host 9 · 4 + 24 = 60 < 70 blocks: no placement, and no mean."""
    setting = SETTINGS["authors"]
    small = Cluster.of(setting.instance(10, Decimal("0.1"), 1), setting)

    assert petals.placed(small, np.arange(10)) is None
    assert petals.mean_response_s(small, Jobs.drawn(0.0002, 1), np.arange(10)) is None


def petals_total(arrivals: list[float], sizes: list[float], slots: list[int], sessions: int = 2) -> float:
    """Servers that host both of 2 blocks: mean service 10 + 2 ms, the second one 1 ms farther away; 5 ms to begin."""
    count = len(slots)
    return petals_total_ms(
        np.zeros(count, dtype=np.int64),
        np.full(count, 2),
        2,
        np.array(slots),
        sessions,
        np.ones(count),
        np.full(count, 10.0),
        np.arange(count, dtype=np.float64),
        np.zeros((count, count)),
        20,
        18.0,
        10_000.0,
        5.0,
        np.array(arrivals),
        np.array(sizes),
    )


def test_petals_waits_for_the_later_of_belief_and_truth() -> None:
    """One job fits. The first, of size .5, takes 11 ms and is believed to take 12 + 5; the second waits for 17."""
    assert petals_total([0, 1], [0.5, 1], [2]) == pytest.approx(11 + (16 + 17))

    # of size 2 it takes 29, and the second waits until then
    assert petals_total([0, 1], [2, 1], [2]) == pytest.approx(29 + (28 + 17))


def test_petals_belief_omits_the_wait() -> None:
    """The second job is believed gone at 1 + 12 + 5 = 18 though it waits for 16 and leaves at 34.

    The third, at 20, counts none as active by belief, and waits for the truth, 14 ms.
    """
    assert petals_total([0, 1, 20], [1, 1, 1], [2]) == pytest.approx(17 + 33 + (14 + 17))


def test_petals_turns_to_the_next_server_at_two_sessions() -> None:
    """With slots for many, the third job at once goes to the farther server, and nobody waits."""
    assert petals_total([0, 0, 0], [1, 1, 1], [2, 2], sessions=1) == pytest.approx(17 + 17 + (17 + 17))
    assert petals_total([0, 0, 0], [1, 1, 1], [4, 4]) == pytest.approx(3 * 17)


# --- BPRR ---


def test_bprr_reserves_for_two_or_three_jobs() -> None:
    """70 blocks: 2 servers, (.7 · 90 + .3 · 178) ms for 35 blocks = 4074, and 20 · 2 · 20 = 800 for exchanges.

    λ of .2 /s: x = .975, and ceil(.975 + 1) = 2. With 20 blocks of 1 ms: no fast server, 4 of them, 20 · 4 · 2 + 5 =
    165 ms, x = 1.65, ceil(1.65 + 1.28) = 3, where (19) allows floor((400 - 22) / 22) = 17; with 50 GB it allows 1.
    """
    usual = cluster(
        [40.0, 20.0, 20.0, 20.0, 20.0] * 4,
        fast=np.arange(20) < 4,
        block_ms=np.where(np.arange(20) < 4, 90.0, 178.0),
        token_ms=np.full(20, 20.0),
        blocks=70,
        block_gb=1.32,
        cache_gb=0.11,
        arrival_rate=0.0002,
    )
    assert bprr.design_sessions(usual) == 2
    assert bprr.design_sessions(cluster([200.0, 200.0], blocks=20)) == 3
    assert bprr.design_sessions(cluster([25.0, 25.0], blocks=20)) == 1


def test_bprr_covers_before_it_balances() -> None:
    """R = 1: servers of 2, 2 and 4 GB host 1, 1 and 2 of 4 blocks; the last is the fastest a block, and comes first.

    Time a block: 2/2 + 1/20 = 1.05 and 2 + 1/20 = 2.05, the virtual server's 3.05. The first takes blocks 0 and 1,
    the others 2 and 3; a fourth goes where capacities, 1 everywhere, are least, so to block 0.
    """
    placement = bprr.placed(cluster([2.0, 2.0, 4.0, 2.0]), 1)

    assert placement is not None
    assert placement.start.tolist() == [2, 3, 0, 0]
    assert placement.stop.tolist() == [3, 4, 2, 1]
    assert bprr.placed(cluster([2.0, 2.0]), 1) is None
    assert bprr.placed(cluster([1.0, 1.0]), 1) is None


def test_bprr_waits_for_memory_that_is_free() -> None:
    """One job fits, 10 + 2 ms, 5 to begin. At 1 the server is believed busy until 17, which costs 12 / 1 ms more.

    The first job, of size 0, is gone at 5, so at 6 the memory is free, but the second job waits for its 12 ms.
    """

    def total(arrivals: list[float], sizes: list[float], slots: int) -> float:
        place = np.zeros(1, dtype=np.int64), np.array([2]), 2, np.array([slots])
        return bprr_total_ms(*place, np.ones(1), np.array([10.0]), 5.0, np.array(arrivals), np.array(sizes))

    assert total([0, 6], [0, 1], 2) == pytest.approx(5 + (12 + 17))

    # at 1 the truth is 16 ms away, at 18 nobody is believed there, and two at once pay 12 / 2 each at a third
    assert total([0, 1], [1, 1], 2) == pytest.approx(17 + (16 + 17))
    assert total([0, 18], [1, 1], 2) == pytest.approx(17 + 17)
    assert total([0, 0, 4], [0, 0, 1], 4) == pytest.approx(5 + 5 + (6 + 17))


# --- what both wait for ---


def test_wait_ends_when_enough_jobs_have_released() -> None:
    """Of 6 slots 5 are held: 1 more is free now, 3 at the release at 8, and 9 never, which counts as no wait."""
    release, held = np.array([12.0, 8.0, 3.0]), np.array([3, 2, 1])

    assert wait_for_slots(release, held, 6, 1, 5.0) == 0
    assert wait_for_slots(release, held, 6, 3, 5.0) == 3
    assert wait_for_slots(release, held, 6, 4, 5.0) == 7
    assert wait_for_slots(release, held, 6, 9, 5.0) == 0


# --- Proposed ---


def test_placement_cuts_the_last_server_and_begins_another_chain() -> None:
    """For c = 1, 6 GB host 3 of 4 blocks: the second hosts the one that is missing, the third begins in vain.

    Servers of 2 GB host 1: after a whole chain two are left, of which one begins another, in vain.
    """
    placement = proposed.placed(cluster([6.0, 6.0, 6.0]), 1)
    assert placement is not None
    assert placement.start.tolist() == [0, 3, 0]
    assert placement.stop.tolist() == [3, 4, 3]

    placement = proposed.placed(cluster([6.0, 2.0, 2.0, 2.0]), 1)
    assert placement is not None
    assert placement.stop.tolist() == [3, 4, 1, 0]
    assert proposed.placed(cluster([6.0]), 1) is None


def test_allocation_ignores_the_first_server_and_charges_whole_ranges() -> None:
    """Servers 0 and 1 host blocks 0-2, 2 hosts 2-3: the path costs 2's time alone, so 0 goes first, though 1 is faster.

    Times count 3 + 2 blocks, one of them twice: 100 + 3 + 10 + 2 and 10 + 3 + 10 + 2.

    Room for 6, 6 and 4 caches: 2 jobs fit each, and server 2 is then full.
    """
    memory = np.array([6.0, 6.0, 4.0])
    place = np.array([0, 0, 2]), np.array([3, 3, 4]), 4
    comm = np.array([100.0, 10.0, 10.0])

    capacities, times = greedy_chains(*place, memory, 1.0, np.ones(3), comm)
    assert (capacities.tolist(), times.tolist()) == ([2], [115.0])

    capacities, times = greedy_chains(*place, np.array([6.0, 6.0, 6.0]), 1.0, np.ones(3), comm)
    assert (capacities.tolist(), times.tolist()) == ([2, 1], [115.0, 25.0])


def test_heuristic_by_hand() -> None:
    """Rates of 2/10 and 1/20: at .1 /ms the fast chain takes .1 <= .7 · .2 alone, 10 ms.

    The other one is slow, with 1 of 3 job servers and a ratio of 2: a factor of 1 + .15 · .7 / 3 = 1.035. Load .1 / .25
    = .4: 1 + .4 / .6 / 3. At .175 the fast chain takes .14 and leaves .035 = .7 · .05: a share of .2, 12 ms; load .7.
    Any faster, the rate is below λ/.7.
    """
    two = chains((2, 10), (1, 20))

    assert proposed.expected_response_ms(two, 0.1) == pytest.approx(10 * 1.035 * (1 + 2 / 9))
    assert proposed.expected_response_ms(two, 0.1749999) == pytest.approx(12 * 1.035 * (1 + 7 / 9), rel=1e-5)
    assert proposed.expected_response_ms(two, 0.18) is None

    # one chain: the term of the queue counts 0.3 times; load .5, 2 job servers
    assert proposed.expected_response_ms(chains((2, 10)), 0.1) == pytest.approx(10 * (1 + 0.3 / 2))


def test_heuristic_takes_the_wrong_capacities() -> None:
    """Chains of 5 jobs at 20 ms, 1 at 10 and 4 at 30: slow are those of 5 and 4, a share of .9.

    In order of time the capacities are 1 5 4 and their places 1 0 2; taking the places once more gives 5 1 4, of which
    the slow have 5, a share of .5. Ratio 3: a factor of 1 + .15 · 1.7 · .5 = 1.1275, instead of 1.2295.
    """
    three = chains((5, 20), (1, 10), (4, 30))
    rate = 5 / 20 + 1 / 10 + 4 / 30
    served = 0.05 / rate / (1 - 0.05 / rate) / 10

    # the fast chain takes .05 <= .07 alone
    assert proposed.expected_response_ms(three, 0.05) == pytest.approx(10 * 1.1275 * (1 + served))


def test_waiting_jobs_start_at_the_next_arrival() -> None:
    """One job server, 10 ms: the second job could start at 10, and starts at 15, with the third behind it.

    The third finds no arrival any more: it starts when the second leaves, at 25.
    """
    response = proposed.response_times_ms(chains((1, 10)), jobs([0, 1, 15], [1, 1, 1]), 0.0)

    assert response.tolist() == [10, 24, 20]


def test_jobs_that_wait_last_start_all_at_once() -> None:
    """One job server: two jobs that wait after the last arrival both start at 10, when the first leaves; 2 ms each."""
    response = proposed.response_times_ms(chains((1, 10)), jobs([0, 1, 2], [1, 1, 1]), 2.0)

    assert response.tolist() == [12, 12 + 12 - 1, 12 + 12 - 2]


def test_jobs_take_the_fastest_free_chain() -> None:
    """The chain found second is the faster one: two jobs at once take 5 and 10 ms."""
    response = proposed.response_times_ms(chains((1, 10), (1, 5)), jobs([0, 0], [1, 1]), 0.0)

    assert response.tolist() == [5, 10]


def test_jffc_is_that_of_the_simulator_where_nobody_waits() -> None:
    """Defects are about waiting: 300 jobs that find one of 40 fast or 300 slow job servers free take the same times."""
    found, drawn = chains((300, 30), (40, 20)), Jobs.drawn(2.0, seed=4)
    run = run_of("jffc", 1 / found.times_ms, found.capacities, found.times_ms[:, None], 300)

    served = joined([run.serve(drawn.arrival_ms, drawn.size[:, None], np.zeros(300)), run.drain()])

    assert set(served.chain.tolist()) == {0, 1}
    assert np.all(served.waiting == 0)
    assert proposed.response_times_ms(found, drawn, 0.0) == pytest.approx(served.response)


def test_no_chain_no_mean() -> None:
    """Servers that cannot host all blocks with a cache each give no composition."""
    assert proposed.composed(cluster([2.0])) is None
    assert proposed.mean_response_s(cluster([2.0]), jobs([0], [1])) is None


def test_reservation_of_largest_rate_where_none_is_enough() -> None:
    """At 10 jobs/ms no c is enough. 8 GB host 4 blocks with c = 1, one job in 14 ms; with c = 2 it hosts 2 of them."""
    found = proposed.composed(cluster([8.0], arrival_rate=10.0))

    assert found is not None
    assert found[0] == 1
    assert (found[1].capacities.tolist(), found[1].times_ms.tolist()) == ([1], [14.0])


# --- settings, and all of it ---


def test_cluster_has_the_times_of_the_setting() -> None:
    """20 RTT + 50 ms and 89.69 / 178.38 ms a block for the authors, 20 (RTT + 18) ms for the paper; the fast next."""
    setting = SETTINGS["authors"]
    theirs = Cluster.of(setting.instance(20, Decimal("0.2"), 3), setting)
    assert np.flatnonzero(theirs.fast).tolist() == [0, 1, 2, 3]
    assert np.all(np.diff(theirs.rtt_ms) >= 0)
    assert np.allclose(theirs.comm_ms, 20 * theirs.rtt_ms + 50)
    assert set(np.round(theirs.block_ms, 2).tolist()) == {89.69, 178.38}
    assert np.array_equal(theirs.between_ms, theirs.between_ms.T)

    setting = SETTINGS["paper"]
    stated = Cluster.of(setting.instance(20, Decimal("0.2"), 3), setting)
    assert np.allclose(stated.comm_ms, 20 * stated.token_ms)
    assert np.allclose(stated.token_ms, stated.rtt_ms + 18)
    assert np.sum(stated.fast) == 4


def test_first_job_comes_at_time_zero() -> None:
    """300 jobs, of which the first comes at 0, at .2 a second in the mean, and sizes of mean 1."""
    drawn = Jobs.drawn(0.0002, seed=1, count=20_000)

    assert Jobs.drawn(0.0002, seed=1).size.size == 300
    assert drawn.arrival_ms[0] == 0
    assert np.mean(np.diff(drawn.arrival_ms)) == pytest.approx(5000, rel=0.03)
    assert np.mean(drawn.size) == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize(("servers", "share"), list(REFERENCE_S))
def test_reference_runs_have_the_reference_means(servers: int, share: str) -> None:
    """The 20 runs of the reference, with its draws, have its means to all the digits that are known of them."""
    seeds = [seed_of(servers, share, run) for run in range(1, 21)]
    found = [mean_responses_s(*twister.drawn(servers, Decimal(share), seed)) for seed in seeds]

    means = [np.mean([float(each[method] or np.nan) for each in found]) for method in METHODS]
    assert means == pytest.approx(REFERENCE_S[servers, share], abs=0.051)


def test_placement_of_petals_by_hand() -> None:
    """Joining in the order 1, 0: a slow server of 4 blocks takes the first, the next one the following blocks."""
    two = cluster([20.0, 20.0], blocks=8)
    placement = petals.placed(two, np.array([1, 0]))

    assert isinstance(placement, Placement)
    assert placement.start.tolist() == [4, 0]
