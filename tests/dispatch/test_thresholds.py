"""Thresholds: known by hand, the best of all, near the optimum, and the same however chains are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.dispatch import (
    light_traffic_thresholds,
    optimal_dispatch,
    pair_thresholds,
    threshold_response_time,
    thresholds,
)
from chainopt.dispatch.search import best_threshold
from chainopt.dispatch.two_sides import mean_jobs, steps
from chainopt.errors import UnstableError
from tests.queueing.systems import random_system, total_rate

RULES = pytest.mark.parametrize("rule", [thresholds, pair_thresholds])
Rule = Callable[..., np.ndarray]


def test_light_traffic_by_hand() -> None:
    """θ = Σ c (μ/μ_k - 1) over the faster chains, rounded up."""
    # rate 3: 2 (4/3 - 1) = 2/3; rate 1: 2 (4 - 1) + 1 (3 - 1) = 8; rate 0.3: 2·(37/3) + 1·9 + 5·(7/3) = 45.33
    assert light_traffic_thresholds([4, 3, 1, 0.3], [2, 1, 5, 2]).tolist() == [1, 1, 8, 46]
    assert light_traffic_thresholds([0.3, 1, 4, 3], [2, 5, 2, 1]).tolist() == [46, 8, 1, 1]
    assert light_traffic_thresholds([0.3, 0.1], [10, 1]).tolist() == [1, 20]  # 10 (3 - 1), not 21 by rounding
    assert light_traffic_thresholds([9, 4, 1], [0, 2, 3]).tolist() == [1, 1, 6]
    assert light_traffic_thresholds([], []).tolist() == []
    assert light_traffic_thresholds([1.0], [0]).tolist() == [1]


@RULES
def test_two_chains_by_hand(rule: Rule) -> None:
    """λ = 1, one server of rate 2 and one of rate 1: the optimum is to start both at once, as JFFC does."""
    # θ = 1 has 27/38 jobs in the mean, θ = 2 has 215/286: test_two_sides.py, test_exact.py
    assert rule([2, 1], [1, 1], 1).tolist() == [1, 1]
    # with a quarter of the rate ⌈4 - 1⌉ = 3 without arrivals, less with
    assert rule([2, 0.5], [1, 1], 1e-3).tolist() == [1, 3]
    assert rule([2, 0.5], [1, 1], 2).tolist() == [1, 2]


@RULES
@pytest.mark.parametrize("seed", range(15))
def test_two_chains_are_optimal(rule: Rule, seed: int) -> None:
    """With two chains both are the best threshold of all, tried one by one."""
    draw = np.random.default_rng(seed)
    fast, slow, rate = int(draw.integers(1, 6)), int(draw.integers(1, 6)), float(draw.uniform(0.05, 0.9))
    arrival_rate = draw.choice([0.2, 0.6, 0.9]) * (fast + slow * rate)
    found = rule([1, rate], [fast, slow], arrival_rate)[1]
    means = [mean_jobs([1] * fast, [rate] * slow, [t] * slow, arrival_rate) for t in range(1, 150)]

    assert means[found - 1] == pytest.approx(min(means), rel=1e-10)


@pytest.mark.parametrize("seed", range(10))
def test_search_finds_the_best(seed: int) -> None:
    """Doubling and halving finds what trying every threshold finds, with slower job servers after those in question."""
    draw = np.random.default_rng(seed)
    fast, slow, slower = [1.0] * int(draw.integers(1, 20)), [0.3] * 3, [0.1] * 2
    arrival_rate = draw.choice([0.3, 0.7, 0.95]) * (len(fast) + 1.1)
    most = int(np.ceil(len(fast) * (1 / 0.3 - 1)))
    last = np.full(2, 6)
    found, used = best_threshold(arrival_rate, len(fast), steps(np.array(fast)), np.array(slow + slower), last, 1, most)
    means = [mean_jobs(fast, slow + slower, [t] * 3 + [max(t, 6)] * 2, arrival_rate) for t in range(1, most + 1)]

    assert means[found - 1] == pytest.approx(min(means), rel=1e-10)
    assert 0 < used < 1


@pytest.mark.parametrize("load", [0.3, 0.6, 0.9])
def test_near_the_optimum(load: float) -> None:
    """Three chains, rates 10 : 3 : 1: the thresholds are within 0.5 % of the optimal policy."""
    rates, capacities = [1, 0.3, 0.1], [1, 2, 3]
    arrival_rate = load * total_rate(rates, capacities)
    best = optimal_dispatch(rates, capacities, arrival_rate).mean_response_time_s
    found = threshold_response_time(rates, capacities, arrival_rate, thresholds(rates, capacities, arrival_rate))
    assert best * (1 - 1e-9) <= found <= 1.005 * best


@RULES
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), load=st.sampled_from([1e-9, 0.1, 0.5, 0.9, 0.999]))
def test_order(rule: Rule, seed: int, load: float) -> None:
    """1 for the fastest, not falling as chains get slower, at most as high as without arrivals; any order of chains."""
    rates, capacities = random_system(seed)
    arrival_rate = load * total_rate(rates, capacities)
    found = rule(rates, capacities, arrival_rate)
    order = np.random.default_rng(seed).permutation(len(rates))

    assert (found.dtype, found.shape) == (np.int64, (len(rates),))
    assert found[0] == 1
    assert np.all(np.diff(found) >= 0)
    assert np.all(found <= light_traffic_thresholds(rates, capacities))
    assert rule(np.array(rates)[order], np.array(capacities)[order], arrival_rate).tolist() == found[order].tolist()


@RULES
def test_chains_of_one_rate_are_one(rule: Rule) -> None:
    """However job servers of one rate are divided into chains, they have one threshold; as the fastest that is 1."""
    whole = rule([1, 0.2], [4, 5], 2.5)
    found = rule([1, 0.2, 1, 0.2 * (1 + 1e-15), 0.2], [3, 1, 1, 2, 2], 2.5)

    assert whole[1] > 1
    assert found.tolist() == [1, whole[1], 1, whole[1], whole[1]]


@RULES
def test_nothing_to_choose(rule: Rule) -> None:
    """Without capacity, without other chains or without arrivals thresholds are 1."""
    assert rule([1.0], [3], 2.0).tolist() == [1]
    assert rule([9.0, 1.0, 0.1], [0, 3, 0], 2.0).tolist() == [1, 1, 1]
    assert rule([1.0, 0.1], [3, 3], 0.0).tolist() == [1, 1]


@RULES
@pytest.mark.parametrize("load", [1e-300, 1e-12, 1e-3, 0.3, 0.9, 0.999])
def test_hundreds_of_job_servers(rule: Rule, load: float) -> None:
    """Ten chains of twenty: rising thresholds at every load, also where slow chains are hardly ever reached."""
    rates, capacities = np.geomspace(1, 0.05, 10), [20] * 10
    found = rule(rates, capacities, load * float(rates @ capacities))

    assert np.all(np.diff(found) >= 0)
    assert found[0] == 1


@RULES
def test_a_chain_that_is_hopelessly_slow(rule: Rule) -> None:
    """A chain a billion times as slow is of use only where the others are as good as full; that takes no more room."""
    assert light_traffic_thresholds([1.0, 1e-9], [50, 1])[1] == 50 * (10**9 - 1)
    assert 1 <= rule([1.0, 1e-9], [50, 1], 45.0)[1] < 1000


@RULES
def test_errors(rule: Rule) -> None:
    """Errors are those of the exact response time."""
    with pytest.raises(UnstableError, match="not below the total service rate"):
        rule([2.0, 1.0], [1, 1], 3.0)
    with pytest.raises(ValueError, match="rates"):
        rule([2.0, -1.0], [1, 1], 1.0)
    with pytest.raises(ValueError, match="arrival rate"):
        rule([2.0, 1.0], [1, 1], -1.0)
