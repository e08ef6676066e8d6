"""`compose`: the choice among candidates, statuses, and every method on every kind of instance."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings

import chainopt
from chainopt.allocation import gca
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.facade import ALIASES, AUTO, EXACT, methods
from chainopt.model import Instance, Objective, Solution, Status
from chainopt.placement import gbp_cr
from chainopt.queueing import response_bounds, response_time
from tests.strategies import instances

HEURISTICS = [method for method in methods() if method not in (AUTO, EXACT)]


def solve(instance: Instance, method: str = "paper", **options: object) -> Solution:
    """The solution, whatever its status."""
    try:
        return chainopt.compose(instance, method, **options)  # type: ignore[arg-type]
    except (InfeasibleError, UnstableError) as error:
        return error.solution  # type: ignore[return-value]


def with_rate(instance: Instance, rate: float) -> Instance:
    return instance.replace(workload=instance.workload.replace(arrival_rate=rate))


def every_c(instance: Instance) -> range:
    return range(1, instance.memory.largest_reservation() + 1)


@pytest.mark.parametrize("method", HEURISTICS)
@settings(max_examples=40, deadline=None)
@given(instance=instances())
def test_every_method_gives_what_verify_accepts(method: str, instance: Instance) -> None:
    """Whatever a method answers, feasible or not, holds against the equations."""
    for objective in Objective:
        solution = solve(instance, method, objective=objective)
        assert chainopt.verify(instance, solution) == []
        if solution.status is Status.FEASIBLE and objective is Objective.RESPONSE_TIME:
            rate = float(instance.workload.arrival_rate)
            assert solution.composition.total_service_rate > rate
            assert solution.value == response_time(solution.composition, rate).mean_response_time_s


def scores(instance: Instance, criterion: str) -> dict[tuple[float, int], str]:
    """Value of the criterion for every c and both stops, the slow way: c by c."""
    rate = float(instance.workload.arrival_rate)
    found: dict[tuple[float, int], str] = {}
    for c in every_c(instance):
        for stop in ("never", "rate"):
            try:
                composition = gca(instance, gbp_cr(instance, c, stop))
                lower, upper = response_bounds(composition, rate)
            except (InfeasibleError, UnstableError):
                continue
            exact = response_time(composition, rate).mean_response_time_s
            value = {"exact": exact, "lower": lower, "upper": upper}[criterion]
            found.setdefault((value, c), stop)
    return found


@pytest.mark.parametrize("criterion", ["exact", "lower", "upper"])
@settings(max_examples=60, deadline=None)
@given(instance=instances(most_servers=8))
def test_auto_is_the_best_of_all_c_and_both_stops(criterion: str, instance: Instance) -> None:
    """Trying only the c that make a difference finds what trying all finds, ties to the smallest c."""
    found = scores(instance, criterion)
    solution = solve(instance, criterion=criterion)
    if not found:
        assert solution.status in (Status.INFEASIBLE, Status.UNSTABLE)
        return
    value = min(found)[0]
    c = min(reservation for score, reservation in found if score <= value * (1 + 1e-12))
    assert solution.status is Status.FEASIBLE
    assert solution.parameters["cache_reservation"] == c
    composition, rate = solution.composition, float(instance.workload.arrival_rate)
    bounds = response_bounds(composition, rate)
    attained = {"exact": response_time(composition, rate).mean_response_time_s, "lower": bounds[0], "upper": bounds[1]}
    assert attained[criterion] == pytest.approx(value, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(instance=instances(most_servers=8))
def test_surrogate_counts_job_servers_of_disjoint_chains(instance: Instance) -> None:
    """The c with the least c K(c) among those at which K(c) chains serve the design rate, by trying every c."""
    best = math.inf
    for c in every_c(instance):
        sizes = instance.memory.sizes(c)
        if sizes.sum() < instance.service.blocks:
            continue
        # K(c) by hand: Algorithm 1 with exact times
        order = sorted(
            (j for j in range(sizes.size) if sizes[j]),
            key=lambda j: (instance.servers[j].comm_s / int(sizes[j]) + instance.servers[j].comp_s_per_block, j),
        )
        total, time, block, chains = 0.0, Decimal(0), 0, 0
        for j in order:
            server = instance.servers[j]
            time += server.comm_s + server.comp_s_per_block * int(sizes[j])
            block += int(sizes[j])
            if block >= instance.service.blocks:
                chains, total, time, block = chains + 1, total + 1 / float(time), Decimal(0), 0
                if c * total >= instance.design_rate * (1 - 1e-12):
                    best = min(best, c * chains)
                    break
    solution = solve(instance, criterion="surrogate", stop="rate")
    if best < math.inf and solution.status is Status.FEASIBLE:
        reserved = solve(instance, "gbp-cr+reserved", criterion="surrogate", stop="rate")
        assert reserved.evaluation is not None
        assert reserved.evaluation.job_servers == best


def test_worked_example(worked_example: Instance) -> None:
    """Section 3.1.4: 5 jobs each on 1-2, 1-4-5 and 3-4-5."""
    solution = chainopt.compose(worked_example, cache_reservation=1, stop="never")
    assert [(chain.servers, chain.capacity) for chain in solution.chains] == [
        (("s1", "s2"), 5),
        (("s1", "s4", "s5"), 5),
        (("s3", "s4", "s5"), 5),
    ]
    assert [chain.service_time_s for chain in solution.chains] == [3.05, 3.10, 3.12]
    assert solution.evaluation is not None
    assert solution.evaluation.total_service_rate == pytest.approx(5 / 3.05 + 5 / 3.10 + 5 / 3.12, rel=1e-15)


def test_aliases_are_methods(worked_example: Instance) -> None:
    """An alias answers like the method it stands for."""
    for alias, method in ALIASES.items():
        a, b = solve(worked_example, alias), solve(worked_example, method)
        assert (a.method, a.placement, a.chains) == (b.method, b.placement, b.chains)


def test_unknown_method(worked_example: Instance) -> None:
    """An unknown method is named, with those that are known."""
    with pytest.raises(chainopt.ChainoptError, match=r"no method 'gca'; known are auto, exact, .*gbp-cr\+gca"):
        chainopt.compose(worked_example, "gca")


def test_infeasible_says_what_is_missing(worked_example: Instance) -> None:
    """Memories 2, 3, 2, 2, 2 and 1.1 GB a block with a job: 1 + 2 + 1 + 1 + 1 = 6 of 12 blocks fit.

    To the next block they lack 0.2, 0.3, 0.2, 0.2, 0.2; the sixth of the missing blocks costs another 1.1.
    """
    instance = worked_example.replace(service=worked_example.service.replace(blocks=12))
    with pytest.raises(InfeasibleError, match=r"all but 6 of the blocks.* 2\.2 GB.* or 6\.6 GB on one more") as caught:
        chainopt.compose(instance, "paper")
    assert caught.value.solution is not None
    assert caught.value.solution.status is Status.INFEASIBLE
    # 0.65 GB blocks: floor(2 / 0.75) = 2 four times and floor(3 / 0.75) = 4 make 12
    assert "block_gb at most 0.65" in str(caught.value)


def test_infeasible_for_this_c_only(worked_example: Instance) -> None:
    """With c = 11, 2.1 GB a block leave room on server 2 alone; with c = 10, 2 GB a block, on all five."""
    with pytest.raises(InfeasibleError, match=r"none for c = 11.*c = 10 is the largest that fits") as caught:
        chainopt.compose(worked_example, cache_reservation=11)
    assert caught.value.solution is not None
    assert caught.value.solution.status is Status.UNKNOWN


def test_largest_cache_that_fits(worked_example: Instance) -> None:
    """Blocks of 1 GB with 1.5 GB of cache do not fit thrice; with 1 GB, floor(2 / 2) = 1 five times do."""
    instance = worked_example.replace(service=worked_example.service.replace(cache_gb=1.5))
    with pytest.raises(InfeasibleError, match=r"cache_gb at most 1 or block_gb at most 0.5"):
        chainopt.compose(instance, "paper")


def test_unstable_is_not_infeasible(worked_example: Instance) -> None:
    """Compositions exist, but the largest serves fewer jobs a second than arrive."""
    with pytest.raises(UnstableError, match=r"arrival rate is 100 jobs/s.*4.85481 jobs/s") as caught:
        chainopt.compose(with_rate(worked_example, 100), "paper")
    solution = caught.value.solution
    assert solution is not None
    assert solution.status is Status.UNSTABLE
    assert solution.chains
    assert solution.evaluation is not None
    assert solution.evaluation.mean_response_time_s is None


def test_design_rate_that_is_missed_is_unknown(worked_example: Instance) -> None:
    """At 4 jobs/s the load is below 1, but 4 / 0.7 = 5.7 jobs/s are more than 4.85."""
    solution = chainopt.compose(with_rate(worked_example, 4), "paper", "job-servers")
    assert solution.status is Status.UNKNOWN
    assert chainopt.compose(with_rate(worked_example, 4), "paper").status is Status.FEASIBLE


def test_job_servers_are_the_fastest(worked_example: Instance) -> None:
    """2 / 0.7 = 2.857 jobs/s: five at 1/3.05 give 1.639, four at 1/3.10 give 1.290 more."""
    solution = chainopt.compose(
        with_rate(worked_example, 2), objective="job-servers", cache_reservation=1, stop="never"
    )
    assert [(chain.servers, chain.capacity) for chain in solution.chains] == [
        (("s1", "s2"), 5),
        (("s1", "s4", "s5"), 4),
    ]


def test_time_limit_still_answers(worked_example: Instance) -> None:
    """A limit that is over at once leaves the first candidate."""
    solution = chainopt.compose(worked_example, "paper", time_limit_s=1e-9)
    assert solution.status is Status.FEASIBLE
    assert chainopt.verify(worked_example, solution) == []


def test_seed_of_random_placement(worked_example: Instance) -> None:
    """The same seed gives the same placement, and seeds differ."""
    placements = {solve(worked_example, "random+gca", seed=seed).placement for seed in (1, 1, 2, 3, 4, 5)}
    assert 1 < len(placements) <= 5
    assert (
        solve(worked_example, "random+gca", seed=1).placement == solve(worked_example, "random+gca", seed=1).placement
    )
