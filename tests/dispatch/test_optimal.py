"""Small systems: threshold rules and the optimum against Markov chains, formulas and value iteration."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from chainopt.dispatch import light_traffic_thresholds, optimal_dispatch, policy, threshold_response_time
from chainopt.dispatch.two_sides import mean_jobs
from chainopt.errors import UnstableError
from chainopt.queueing import jffc
from tests.dispatch.witnesses import threshold_rule, two_sides, value_iteration
from tests.queueing.systems import random_system, total_rate

LOADS = (1e-6, 0.1, 0.6, 0.95, 0.999)


@pytest.mark.parametrize("seed", range(20))
def test_jffc(seed: int) -> None:
    """Thresholds of 1 are JFFC, at every load."""
    rates, capacities = random_system(seed)
    for load in LOADS:
        arrival_rate = load * total_rate(rates, capacities)
        expected = jffc(rates, capacities, arrival_rate).mean_response_time_s
        found = threshold_response_time(rates, capacities, arrival_rate, [1] * len(rates))
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_two_chains(seed: int) -> None:
    """With two chains the model with two sides is exact."""
    draw = np.random.default_rng(seed)
    fast, slow, rate = int(draw.integers(1, 7)), int(draw.integers(1, 7)), float(draw.uniform(0.02, 0.9))
    threshold = int(draw.integers(1, 30))
    for load in LOADS:
        arrival_rate = load * (fast + slow * rate)
        expected = mean_jobs([1] * fast, [rate] * slow, [threshold] * slow, arrival_rate) / arrival_rate
        found = threshold_response_time([1, rate], [fast, slow], arrival_rate, [1, threshold])
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("rates", "capacities", "thresholds"),
    [
        ([5, 2, 1], [1, 1, 2], [1, 2, 5]),
        ([5, 2, 1], [2, 1, 1], [1, 4, 3]),  # not rising: the slowest starts jobs as soon as the others are full
        ([7, 3, 2, 1], [1, 1, 1, 1], [1, 2, 3, 5]),
    ],
)
def test_markov_chain(rates: list[int], capacities: list[int], thresholds: list[int]) -> None:
    """Any thresholds, as the Markov chain of all states has it in exact fractions."""
    for load in (Fraction(1, 100), Fraction(1, 2), Fraction(9, 10)):
        arrival_rate = load * sum(m * c for m, c in zip(rates, capacities, strict=True))
        expected = threshold_rule([Fraction(m) for m in rates], capacities, arrival_rate, thresholds)
        found = threshold_response_time(rates, capacities, float(arrival_rate), thresholds)
        assert found == pytest.approx(float(expected), rel=1e-12)


def test_two_servers_by_hand() -> None:
    """λ = 1, μ = 2 and 1: 27/38 s from one waiting job on, 215/286 s from two; the optimum is JFFC."""
    assert threshold_response_time([2, 1], [1, 1], 1, [1, 1]) == pytest.approx(27 / 38, rel=1e-14)
    assert threshold_response_time([2, 1], [1, 1], 1, [1, 2]) == pytest.approx(215 / 286, rel=1e-14)
    assert two_sides([Fraction(2)], [Fraction(1)], [1], Fraction(1)) == Fraction(27, 38)
    best = optimal_dispatch([2, 1], [1, 1], 1)
    assert best.mean_response_time_s == pytest.approx(27 / 38, rel=1e-14)
    assert best.decisions.tolist() == [[[-1, -1], [-1, -1]], [[0, 0], [1, -1]]]


@pytest.mark.parametrize("seed", range(15))
def test_two_chains_have_an_optimal_threshold(seed: int) -> None:
    """With one server each the optimum is a threshold (Lin and Kumar); so it was with more of them."""
    draw = np.random.default_rng(seed)
    capacities = [1, 1] if seed < 8 else draw.integers(1, 4, 2).tolist()
    rates = [1.0, float(draw.uniform(0.05, 0.9))]
    arrival_rate = draw.choice([0.1, 0.4, 0.7, 0.9]) * total_rate(rates, capacities)
    best = optimal_dispatch(rates, capacities, arrival_rate)
    most = int(light_traffic_thresholds(rates, capacities)[1])
    means = [threshold_response_time(rates, capacities, arrival_rate, [1, t]) for t in range(1, most + 2)]

    assert best.mean_response_time_s == pytest.approx(min(means), rel=1e-9)


@pytest.mark.parametrize("load", [0.3, 0.7, 0.9])
def test_no_thresholds_are_better(load: float) -> None:
    """Of all thresholds of three chains none beats the optimum, and some come close."""
    rates, capacities = [1.0, 0.4, 0.1], [1, 1, 2]
    arrival_rate = load * total_rate(rates, capacities)
    best = optimal_dispatch(rates, capacities, arrival_rate).mean_response_time_s
    most = light_traffic_thresholds(rates, capacities)
    means = [
        threshold_response_time(rates, capacities, arrival_rate, [1, *rest])
        for rest in product(range(1, most[1] + 2), range(1, most[2] + 2))
    ]

    assert best * (1 - 1e-9) <= min(means) <= best * 1.002


@pytest.mark.parametrize(
    ("rates", "capacities", "load"),
    [([1.0, 0.3, 0.1], [1, 1, 1], 0.6), ([1.0, 0.2], [2, 2], 0.5), ([1.0, 0.05], [1, 1], 0.7)],
)
def test_value_iteration(rates: list[float], capacities: list[int], load: float) -> None:
    """The optimum is what value iteration converges to, where no rule of any kind is assumed."""
    arrival_rate = load * total_rate(rates, capacities)
    expected = value_iteration(rates, capacities, arrival_rate, 80) / arrival_rate

    assert optimal_dispatch(rates, capacities, arrival_rate).mean_response_time_s == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("rates", "capacities", "load"), [([1, 0.1], [2, 2], 0.5), ([1, 0.3, 0.1], [1, 2, 1], 0.8), ([1, 0.5], [1, 1], 0.9)]
)
def test_longer_queues_change_nothing(rates: list[float], capacities: list[int], load: float) -> None:
    """A rule that may wait with four times as many jobs is no better; one that never may is JFFC."""
    arrival_rate = load * total_rate(rates, capacities)
    best = optimal_dispatch(rates, capacities, arrival_rate)
    longer = optimal_dispatch(rates, capacities, arrival_rate, longest_queue=4 * best.longest_queue)
    shortest = optimal_dispatch(rates, capacities, arrival_rate, longest_queue=0)

    assert longer.mean_response_time_s == pytest.approx(best.mean_response_time_s, rel=1e-12)
    assert longer.longest_queue == 4 * best.longest_queue
    assert longer.states == (4 * best.longest_queue + 1) * np.prod(np.array(capacities) + 1)
    assert shortest.mean_response_time_s == pytest.approx(
        jffc(rates, capacities, arrival_rate).mean_response_time_s, rel=1e-12
    )


def test_decisions_as_chains_were_given() -> None:
    """The table counts chains as they were given, with one entry for those without capacity."""
    first = optimal_dispatch([1.0, 0.2, 0.1], [1, 2, 1], 0.7)
    second = optimal_dispatch([0.1, 5.0, 1.0, 0.2], [1, 0, 1, 2], 0.7)

    assert second.mean_response_time_s == pytest.approx(first.mean_response_time_s, rel=1e-14)
    assert first.decisions.shape == (first.longest_queue + 1, 2, 3, 2)
    assert second.decisions.shape == (first.longest_queue + 1, 2, 1, 2, 3)
    name = np.array([2, 3, 0, -1])  # of the chains of the first in the second, and to wait
    assert np.array_equal(second.decisions[:, :, 0].transpose(0, 2, 3, 1), name[first.decisions])
    assert set(np.unique(first.decisions)) == {-1, 0, 1, 2}


def test_thresholds_as_chains_were_given() -> None:
    """So do thresholds; that of a chain without capacity means nothing."""
    expected = threshold_response_time([1.0, 0.2, 0.1], [1, 2, 1], 0.7, [1, 3, 5])
    found = threshold_response_time([0.1, 5.0, 1.0, 0.2], [1, 0, 1, 2], 0.7, [5, 9, 1, 3])
    assert found == pytest.approx(expected, rel=1e-14)


def test_the_optimum_starts_the_fastest_free() -> None:
    """A job never starts at a chain while a faster one is free: not proven for several slow chains, but so here."""
    best = optimal_dispatch([1.0, 0.3, 0.1], [2, 2, 2], 1.6)
    for state in product(*(range(size) for size in best.decisions.shape)):
        k = best.decisions[state]
        assert k in (-1, next((k for k in range(3) if state[1 + k] < 2), -1))


def test_one_chain() -> None:
    """M/M/1, and nothing to decide."""
    best = optimal_dispatch([2.0], [1], 1.0)
    assert best.mean_response_time_s == pytest.approx(1, rel=1e-14)
    assert best.iterations == 1


def test_too_large() -> None:
    """The message says how many states there are, and how many there may be."""
    with pytest.raises(ValueError, match=r"85766121 states of the chains .* more than the 2000000"):
        optimal_dispatch([1.0, 0.5, 0.3, 0.2, 0.1, 0.05], [20] * 6, 20.0)
    with pytest.raises(ValueError, match=f"more than the {policy.MOST_UNKNOWNS}"):
        optimal_dispatch([1.0, 0.5, 0.3, 0.2], [14] * 4, 20.0)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([1], "for each chain"),
        ([1, 0], "at least 1"),
        ([1, 1.5], "whole"),
        ([2, 2], "the fastest chain"),
    ],
)
def test_what_are_no_thresholds(thresholds: list[float], message: str) -> None:
    """Whole numbers from 1, one for each chain, 1 for the fastest."""
    with pytest.raises(ValueError, match=message):
        threshold_response_time([1.0, 0.5], [1, 1], 0.5, thresholds)


def test_errors() -> None:
    """Errors are those of the exact response time; without arrivals there is no mean."""
    with pytest.raises(UnstableError, match="not below the total service rate"):
        optimal_dispatch([2.0, 1.0], [1, 1], 3.0)
    with pytest.raises(ValueError, match="above 0"):
        optimal_dispatch([2.0, 1.0], [1, 1], 0.0)
    with pytest.raises(ValueError, match="longest queue of at least 0"):
        optimal_dispatch([2.0, 1.0], [1, 1], 1.0, longest_queue=-1)
    with pytest.raises(ValueError, match="above 0"):
        threshold_response_time([2.0, 1.0], [1, 1], 0.0, [1, 1])
