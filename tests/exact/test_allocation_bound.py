"""The bound for one composition: its parts against brute force, and the whole against what compositions attain."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog

import chainopt
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact import bound
from chainopt.exact.allocation_bound import allocation_bound
from chainopt.exact.allocations import Allocations
from chainopt.exact.bounds import bound_from, envelope_of
from chainopt.exact.least_mean import least_mean, least_sums
from chainopt.exact.parts import Parts, parts_of
from chainopt.exact.served import mean_and_weights, mean_served, served
from chainopt.exact.worth import worth_above
from chainopt.model import Instance, Objective
from chainopt.queueing import birth_death_mean
from tests.exact.test_bounds import all_chains
from tests.strategies import instances

HEAVY = "instances/bloom/bloom-ripe-j10-eta20-s1-heavy.json"


def mean_of(rates: list[float], arrival_rate: float) -> float:
    """Mean number of jobs with these death rates, the last one for all states beyond."""
    steps = np.diff(rates, prepend=0.0)
    return float(birth_death_mean(steps, np.ones(len(rates), dtype=np.int64), rates[-1], arrival_rate))


class TestServed:
    """How fast n jobs are served."""

    def test_by_hand(self) -> None:
        """Two jobs of 1 s and one and a half of 2 s: rates 1, 2, 2 + 1/2 and 2 + 3/4; the fourth has room."""
        found = served(np.array([1.0, 2.0]), np.array([2.0, 1.5]))
        assert found.rates.tolist() == [1, 2, 2.5, 2.75]
        assert found.slopes.tolist() == [1, 1, 0.5, 0]
        assert found.total == 2.75

    def test_mean_is_that_of_theorem_4(self) -> None:
        """Jobs on the fastest job servers: Theorem 4's birth-death process."""
        time_s, jobs = np.array([1.0, 1.5, 4.0]), np.array([2, 3, 1])
        total = float(jobs @ (1 / time_s))
        for arrival_rate in (0.1, 2.0, 0.999 * total):
            truth = birth_death_mean(1 / time_s, jobs, total, arrival_rate)
            assert mean_served(time_s, jobs.astype(float), math.inf, arrival_rate) == pytest.approx(truth, rel=1e-9)
        assert mean_served(time_s, jobs.astype(float), math.inf, total) == math.inf

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.floats(0.1, 3), min_size=1, max_size=6), st.floats(0.05, 0.95))
    def test_weights_are_derivatives(self, steps: list[float], load: float) -> None:
        """Against central differences; those of all states beyond N are taken together."""
        rates = np.cumsum(steps)
        arrival_rate = load * float(rates[-1])
        mean, weights, further = mean_and_weights(rates, float(rates[-1]), arrival_rate)
        assert mean == pytest.approx(mean_of(rates.tolist(), arrival_rate), rel=1e-9)
        h = 1e-6
        for n in range(rates.size):
            either = []
            for sign in (1, -1):
                moved = rates.copy()
                moved[n] += sign * h
                either.append(mean_and_weights(moved, float(rates[-1]), arrival_rate)[0])
            assert -(either[0] - either[1]) / (2 * h) == pytest.approx(weights[n], rel=1e-3, abs=1e-4 * mean)
        either = [mean_and_weights(rates, float(rates[-1]) + sign * h, arrival_rate)[0] for sign in (1, -1)]
        assert -(either[0] - either[1]) / (2 * h) == pytest.approx(further, rel=1e-3, abs=1e-4 * mean)


class TestLeastMean:
    """The dynamic program."""

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_least_sums(self, data: st.DataObject) -> None:
        """Every split is tried; what is left may be anything, infinite too."""
        anything = st.one_of(st.floats(-5, 5), st.sampled_from([math.inf, -math.inf]))
        left = np.array(data.draw(st.lists(anything, min_size=1, max_size=25)))
        rises = sorted(data.draw(st.lists(st.floats(0, 3), max_size=25)))
        costs = np.concatenate(([0.3], 0.3 + np.cumsum(rises)))[: left.size]
        found = np.empty(left.size)
        least_sums(costs, left, found)
        for d in range(left.size):
            truth = min(costs[i] + left[d - i] for i in range(min(d, costs.size - 1) + 1))
            assert found[d] == pytest.approx(truth, rel=1e-12, abs=1e-12)

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_never_above_and_close(self, data: st.DataObject) -> None:
        """Two states and all beyond, v on a fine grid: the bound is below the least of them, and close to it."""
        steps = data.draw(st.lists(st.floats(0.3, 2), min_size=3, max_size=3))
        ceilings = np.cumsum(steps)
        weights = np.array(data.draw(st.lists(st.floats(0.1, 3), min_size=3, max_size=3)))
        arrival_rate = data.draw(st.floats(0.1, 0.8)) * float(ceilings[-1])
        budget = data.draw(st.floats(0.85, 0.999)) * float(weights @ ceilings)
        shares = np.linspace(0.02, 1, 50)
        least = math.inf
        for first, second in itertools.product(shares, shares):
            v = [first * ceilings[0], second * ceilings[1]]
            last = min((budget - float(weights[:2] @ v)) / weights[2], ceilings[2])
            if last > arrival_rate:
                least = min(least, mean_and_weights(np.array(v), last, arrival_rate)[0])
        found = least_mean(weights, ceilings, budget, arrival_rate, 0.0, 2 * least if least < math.inf else 1e6, 4000)
        assert found <= least * (1 + 1e-9)
        if least < 50:
            assert found >= least * 0.93  # the grid is coarse

    def test_slow_late_states_do_not_overflow(self) -> None:
        """Fast for 1,200 states, slow for 300: the products of λ/v span e^±1000, and the mean is 0.43 all the same."""
        arrival_rate, ceilings, weights = 3000.0, np.full(1501, 1e4), np.zeros(1501)
        weights[1200:1500], weights[-1] = 1, 1e-3
        v = ceilings.copy()
        v[1200:1500] = 30
        mean = mean_and_weights(v[:-1], v[-1], arrival_rate)[0]
        assert mean == pytest.approx(3 / 7)  # as good as M/M/1 at load 0.3
        assert least_mean(weights, ceilings, float(weights @ v), arrival_rate, 0.0, 2000.0, 12_000) <= mean * (1 + 1e-9)

    def test_nothing_is_sought_below_infinity(self) -> None:
        """An unstable point says nothing about where the bound might be: what is known stays."""
        ceilings = np.array([1.0, 1.8, 2.0])
        known = mean_and_weights(ceilings[:2], 2.0, 1.2)[0]
        assert least_mean(np.ones(3), ceilings, 4.5, 1.2, 0.0, math.inf, 100) == known

    def test_tail_without_weight(self) -> None:
        """Then nothing is given up there, and the first states give up what has to be: M/M/1 at v(1) = 0.5."""
        found = least_mean(np.array([1.0, 0.0]), np.array([1.0, 2.0]), 0.5, 0.4, 0.0, 100.0, 4000)
        truth = mean_and_weights(np.array([0.5]), 2.0, 0.4)[0]
        assert truth * 0.999 < found <= truth * (1 + 1e-9)

    def test_nothing_to_spend_less(self) -> None:
        """A budget for all of the ceilings leaves their own mean; what is known already is never lost."""
        ceilings = np.array([1.0, 1.8, 2.0])
        mean = mean_and_weights(ceilings[:2], 2.0, 1.2)[0]
        assert least_mean(np.ones(3), ceilings, 10.0, 1.2, 0.5, 5.0, 100) == pytest.approx(mean)
        assert least_mean(np.ones(3), ceilings, 10.0, 1.2, 4.0, 5.0, 100) == 4.0


def worth_of_most(
    parts: Parts,
    chains: list[list[int]],
    worths: NDArray[np.float64],
    floor: float,
    least: float = 0.0,
    most: float = 1e9,
) -> float | None:
    """The largest Σ φ x by a linear program over all chains, None where the rate or the number of jobs is too much."""
    rows = np.zeros((parts.first.size + 2, len(chains)))
    rows[-2], rows[-1] = -1, 1
    for k, chain in enumerate(chains):
        rows[0, k] = -1 / parts.time_s[chain].sum()
        for p in chain:
            rows[1 + parts.server[p], k] = parts.weight[p]
    limits = np.concatenate(([-floor], np.ones(parts.first.size - 1), [-least, most]))
    solved = linprog(-worths, A_ub=rows, b_ub=limits, method="highs")
    return -float(solved.fun) if solved.status == 0 else None


@settings(max_examples=60, deadline=None)
@given(instance=instances(most_servers=4, most_blocks=5), data=st.data())
def test_the_allocation_that_is_worth_most(instance: Instance, data: st.DataObject) -> None:
    """Column generation encloses the linear program over all chains, with and without a least total rate."""
    parts = parts_of(instance)
    chains = all_chains(parts)
    if not chains:
        return
    envelope = envelope_of(instance)
    allocations = Allocations(parts, envelope.chains, envelope.most_jobs)
    times = np.array([parts.time_s[chain].sum() for chain in chains])
    most = allocations.most(worth_above(np.ones(1), np.zeros(1)), 0.0, math.inf, 1e-6)
    count = data.draw(st.integers(1, 4))
    weights = np.array(data.draw(st.lists(st.floats(0.01, 2), min_size=count, max_size=count)))
    slopes = np.array(data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))) / times.min()
    worth = worth_above(weights, slopes)
    by_hand = [sum(w * max(0.0, 1 / t - a) for w, a in zip(weights, slopes, strict=True)) for t in times.tolist()]
    assert worth.of(times) == pytest.approx(np.array(by_hand), abs=1e-12)
    attained = float(most.jobs @ (1 / allocations.time_s[: most.jobs.size]))
    for floor in (0.0, data.draw(st.floats(0, 0.999)) * attained):
        truth = worth_of_most(parts, chains, np.array(by_hand), floor)
        assert truth is not None
        found = allocations.most(worth, floor, math.inf, 1e-6)
        assert found.bound >= truth * (1 - 1e-7) - 1e-9
        assert found.bound <= truth * (1 + 1e-5) + 1e-7
        assert found.jobs @ worth.of(allocations.time_s[: found.jobs.size]) <= truth * (1 + 1e-6) + 1e-7


@settings(max_examples=60, deadline=None)
@given(instance=instances(most_servers=4, most_blocks=5), data=st.data())
def test_worth_most_with_so_many_jobs(instance: Instance, data: st.DataObject) -> None:
    """The same with a least and a most number of jobs; where there is no such allocation, the bound is still one."""
    parts = parts_of(instance)
    chains = all_chains(parts)
    if not chains:
        return
    envelope = envelope_of(instance)
    least = data.draw(st.floats(0, 1)) * envelope.most_jobs
    most = least + data.draw(st.floats(0.1, 5))
    allocations = Allocations(parts, envelope.chains, most, least)
    times = np.array([parts.time_s[chain].sum() for chain in chains])
    worth = worth_above(np.ones(1), np.array([data.draw(st.floats(0, 1)) / times.min()]))
    truth = worth_of_most(parts, chains, worth.of(times), 0.0, least, most)
    found = allocations.most(worth, 0.0, math.inf, 1e-6)
    if truth is None:
        assert not found.jobs.any()
        return
    assert found.bound >= truth * (1 - 1e-7) - 1e-9
    assert found.bound <= truth + 1e-4 * max(worth.of(times).max() * most, truth)
    if found.jobs.any():
        assert least * (1 - 1e-6) <= found.jobs.sum() <= most * (1 + 1e-6)


@settings(max_examples=25, deadline=None)
@given(instance=instances(most_servers=4, most_blocks=4), hull=st.booleans())
def test_no_more_than_the_optimum(instance: Instance, hull: bool) -> None:
    """The exact optimum over all placements and allocations, by enumeration; and no less than by V alone."""
    try:
        proven = bound(instance, hull=hull)
        best = chainopt.compose(instance, "exact")
    except (InfeasibleError, UnstableError):
        return
    assert best.status == "optimal"
    assert best.value is not None
    assert proven <= best.value * (1 + 1e-9)
    assert proven >= bound_from(envelope_of(instance), instance, Objective.RESPONSE_TIME) * (1 - 1e-9)


def test_closer_than_v_alone() -> None:
    """One chain of all servers runs 18 jobs in 24.94 s; V gives 18.97 s, and one composition at least 21.5 s."""
    instance = chainopt.read_instance(HEAVY)
    envelope = envelope_of(instance)
    alone = bound_from(envelope, instance, Objective.RESPONSE_TIME)
    proven = allocation_bound(envelope, float(instance.workload.arrival_rate), alone)
    assert alone == pytest.approx(18.97, rel=2e-3)
    assert 21.4 < proven < 24.943


def test_no_time_leaves_what_is_known() -> None:
    """A deadline that has passed."""
    instance = chainopt.read_instance(HEAVY)
    assert allocation_bound(envelope_of(instance), float(instance.workload.arrival_rate), 7.0, 0.0) == 7.0
