"""The search as a whole: optima of small instances, limits, starts, determinism."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.allocation import gca
from chainopt.exact.enumeration import enumerate_compositions, value_of
from chainopt.exact.joint import check
from chainopt.model import Instance, Objective, Workload
from chainopt.placement import PLACEMENTS, random_placement
from chainopt.protocols import PlacementOptions
from chainopt.queueing import response_time
from chainopt.queueing.exact import jffc
from chainopt.search import Moment, search
from chainopt.search.budget import Budget
from chainopt.search.choice import generate
from chainopt.search.problem import problem_of
from chainopt.search.ranges import ranges_of
from chainopt.search.runs import Runs
from chainopt.search.starts import Start
from chainopt.search.truncation import best_truncation

INSTANCES = Path(__file__).parents[2] / "instances"
TINY = INSTANCES / "tiny"
BLOOM = INSTANCES / "bloom" / "bloom-ripe-j20-eta20-s1-light.json"
OPTIMAL = [
    "tiny-gca-loses-stability",
    "tiny-gca-loses-throughput",
    "tiny-slow-server-hurts",
    "tiny-greedy-packs-badly",
    "tiny-fast-but-small",
    "tiny-overlap-needed",
    "tiny-pins-in-the-middle",
    "tiny-reserves",
    "tiny-one-server",
    "tiny-j3-l3-s28",
    "tiny-j4-l3-s4",
]


@pytest.mark.parametrize("objective", list(Objective))
@pytest.mark.parametrize("name", OPTIMAL)
def test_finds_the_optimum(name: str, objective: Objective) -> None:
    """On instances with a trap each, the search finds what trying everything finds, and it is valid."""
    instance = chainopt.read_instance(TINY / f"{name}.json")
    truth = enumerate_compositions(instance, objective)
    found = search(instance, objective, iterations=20_000, seed=1)
    assert found.value == (None if truth.value is None else pytest.approx(truth.value, rel=1e-8))
    if found.value is not None:
        assert found.composition is not None
        check(instance, found.composition, objective)
        assert found.value == value_of(instance, found.composition, objective)


def test_same_seed_and_iterations_same_answer() -> None:
    """The outcome depends on the seed and the number of iterations alone."""
    instance = chainopt.read_instance(BLOOM)
    first, second = (search(instance, iterations=6000, seed=3) for _ in range(2))
    assert first.value == second.value
    assert first.iterations == second.iterations == 6000
    assert first.history[-1].value == second.history[-1].value  # those in between depend on when slices end
    assert first.composition is not None
    assert second.composition is not None
    assert first.composition.placement == second.composition.placement


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_comes_close_to_a_rate_that_is_hard_to_reach(seed: int) -> None:
    """At 0.95 of the bound on the rate, 6.17 jobs/s, where servers stand in the way of each other: within 2 %."""
    instance = chainopt.read_instance(INSTANCES / "random" / "random-j10-l20-loose.json")
    instance = instance.replace(workload=instance.workload.replace(arrival_rate=Decimal("6.17")))
    found = search(instance, iterations=100_000, seed=seed)
    assert found.composition is not None
    assert found.composition.total_service_rate > 0.98 * 6.17


def test_better_than_the_rules_and_told_of_it() -> None:
    """A short search on BLOOM gains, says so, and its answer passes `verify`."""
    instance = chainopt.read_instance(BLOOM)
    start = chainopt.compose(instance, "gbp-cr+gca")
    moments: list[float] = []
    found = search(instance, iterations=20_000, on_progress=lambda moment: moments.append(moment.value))
    assert found.value is not None
    assert start.value is not None
    assert found.value < start.value
    assert moments == sorted(moments, reverse=True)
    assert moments[-1] == pytest.approx(found.value, rel=1e-5)
    assert found.composition is not None
    check(instance, found.composition, Objective.RESPONSE_TIME)


def test_job_servers_that_do_harm_are_left_out() -> None:
    """The answer is worth what the search was told that it is, also where fewer job servers than fit are best."""
    instance = chainopt.read_instance(INSTANCES / "bloom" / "bloom-ripe-j30-eta20-s1-paper.json")
    found = search(instance, iterations=20_000)
    assert found.value == pytest.approx(found.history[-1].value, rel=1e-5)
    assert found.composition is not None
    whole = gca(instance, found.composition.placement)
    assert found.composition.job_servers < whole.job_servers
    rate = float(instance.workload.arrival_rate)
    assert found.value < 0.999 * response_time(whole, rate).mean_response_time_s


def test_ctrl_c_returns_the_best_so_far() -> None:
    """An interrupt in the midst of the search ends it with what was found until then."""
    seen: list[float] = []

    def interrupt(moment: Moment) -> None:
        seen.append(moment.value)
        if len(seen) == 3:
            raise KeyboardInterrupt

    found = search(chainopt.read_instance(BLOOM), iterations=200_000, on_progress=interrupt)
    assert found.value == pytest.approx(seen[-1], rel=1e-5)


def test_time_limit() -> None:
    """A limit is exceeded by little, once kernels are compiled."""
    instance = chainopt.read_instance(BLOOM)
    search(instance, iterations=2000)
    begin = time.perf_counter()
    search(instance, time_limit_s=0.5)
    assert time.perf_counter() - begin < 1.5


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_never_worse_than_the_start(seed: int) -> None:
    """Whatever the start, and with no iterations at all, what comes back is as good."""
    instance = chainopt.read_instance(TINY / "tiny-j5-l5-s9.json")
    start = gca(instance, random_placement(instance, 2, seed))
    rate = float(instance.workload.arrival_rate)
    for iterations in (0, 50):
        found = search(instance, start=start, iterations=iterations, seed=seed)
        if start.job_servers and start.total_service_rate > rate * 1.000001:
            assert found.value is not None
            assert found.value <= response_time(start, rate).mean_response_time_s * (1 + 1e-12)


def test_limit_on_moved_blocks() -> None:
    """No more blocks are loaded anew than allowed; none at all leaves the placement as it is."""
    instance = chainopt.read_instance(BLOOM)
    reference = chainopt.compose(instance, "gbp-cr+gca").composition.placement
    values = []
    for most in (0, 10, 100):
        found = search(instance, reference=reference, max_moved_blocks=most, iterations=4000)
        assert found.composition is not None
        placement = found.composition.placement
        kept = np.minimum(placement.stop, reference.stop) - np.maximum(placement.start, reference.start)
        assert int(np.sum(placement.sizes - np.maximum(kept, 0))) <= most
        values.append(found.value)
    start = response_time(gca(instance, reference), float(instance.workload.arrival_rate))
    assert all(value is not None and value <= start.mean_response_time_s * (1 + 1e-9) for value in values)


def test_walks_to_stability() -> None:
    """At a load that no rule can carry, the search finds a stable composition."""
    instance = chainopt.read_instance(INSTANCES / "random" / "random-j10-l20-loose.json")
    most = max(
        gca(instance, candidate.placement).total_service_rate
        for candidate in PLACEMENTS["gbp-cr"].rule(instance, PlacementOptions())
    )
    heavy = instance.replace(workload=Workload(arrival_rate=round(1.05 * most, 6)))
    assert search(heavy, iterations=30_000).value is not None


def test_generated_chains_give_the_rate_that_gca_loses() -> None:
    """Of the best placement for the rate, column generation makes what trying everything does, and GCA less."""
    instance = chainopt.read_instance(TINY / "tiny-gca-loses-throughput.json")
    truth = enumerate_compositions(instance, Objective.RATE)
    assert truth.composition is not None
    placement = truth.composition.placement
    problem = problem_of(instance, Objective.RATE)
    runs = Runs(instance, Objective.RATE, problem, Budget(60.0, None), 0, None)
    runs.ends.append(Start(0.0, ranges_of(problem, placement.start, placement.stop), None))
    generate(runs)
    assert gca(instance, placement).total_service_rate < 0.9 * runs.better[0].total_service_rate
    assert runs.better[0].total_service_rate == pytest.approx(truth.value, rel=1e-9)
    assert runs.history[-1].value == pytest.approx(truth.value, rel=1e-6)


@pytest.mark.parametrize(
    ("iterations", "annealed"), [(2_000, 2 + 1 + 1), (30_000, 1 + 6 + 6 + 1), (76_000, 16 + 6 + 1)]
)
def test_as_many_annealings_as_there_are_moves_for(iterations: int, annealed: int) -> None:
    """Of disjoint chains, of ranges from the best of those, and the last.

    With 2,000 iterations a sixteenth of the share of 0.32 is 40 moves, less than 15 for each of 100 servers, and a
    refinement 100, less than 10. With 30,000 iterations it is 600 moves, 15 times that for 1,500 each.
    """
    instance = chainopt.read_instance(INSTANCES / "bloom" / "bloom-ripe-j100-eta20-s1-light.json")
    assert search(instance, iterations=iterations).starts == annealed


def test_unstable_and_infeasible() -> None:
    """Where nothing is stable there is no value; where there is no chain there is no composition."""
    unstable = search(chainopt.read_instance(TINY / "tiny-unstable.json"), iterations=500)
    assert unstable.value is None
    assert unstable.composition is not None
    found = search(chainopt.read_instance(TINY / "tiny-infeasible-memory.json"), iterations=500)
    assert found.composition is None


def test_refuses_nonsense(worked_example: Instance) -> None:
    """Negative limits, and starts of another instance."""
    with pytest.raises(ValueError, match="limits"):
        search(worked_example, iterations=-1)
    other = chainopt.read_instance(BLOOM)
    with pytest.raises(ValueError, match="start of 20 servers"):
        search(worked_example, iterations=1, start=chainopt.compose(other, "gbp-cr+gca").composition)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.integers(1, 6)), min_size=1, max_size=5),
    st.floats(0.05, 0.95),
)
def test_truncation(chains: list[tuple[float, int]], load: float) -> None:
    """The best truncation is the best of all truncations, each evaluated on its own."""
    chains.sort(reverse=True)
    rates = np.array([rate for rate, _ in chains])
    capacities = np.array([count for _, count in chains])
    arrival_rate = load * float(rates @ capacities)
    mean, jobs = best_truncation(rates, capacities, arrival_rate, 64)
    means = {}
    for count in range(1, int(capacities.sum()) + 1):
        kept = np.clip(count - (np.cumsum(capacities) - capacities), 0, capacities)
        if rates @ kept > arrival_rate * (1 + 1e-9):
            means[count] = jffc(rates, kept, arrival_rate).mean_response_time_s
    assert mean == pytest.approx(min(means.values()), rel=1e-9)
    assert means[jobs] == pytest.approx(mean, rel=1e-9)
