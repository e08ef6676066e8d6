"""The model with two sides against its Markov chain, the exact response time of JFFC, and a sum by hand."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.dispatch.two_sides import as_started, mean_jobs, steps
from chainopt.errors import UnstableError
from chainopt.queueing import jffc, jffc_bounds
from tests.dispatch.witnesses import two_sides

LOADS = (1e-6, 1e-2, 0.3, 0.7, 0.95, 1 - 1e-6)


def test_by_hand() -> None:
    """λ = 1, a fast server of rate 2, a slow one of rate 1 from two waiting jobs on: 215/286 jobs in the mean."""
    # p(n, z) in units of p(0, 1). Level 1, cuts above n: 1 + 1 = 2 p(1, 1), 1 + 2 = 2 p(2, 1), then thirds: 1, 1, 3/2,
    # 1/2, ..., 17/4 in all, and jobs 1 + 2 + 3/2 Σ (3 + j)/3^j = 3 + 63/8. Level 0: p(2, 0) = 1 + 1 + 3/2 = 7/2, then
    # p(1, 0) = 2·7/2 + 2 = 9, p(0, 0) = 2·9 + 1 = 19; jobs 7 + 9. So (16 + 87/8) / (63/2 + 17/4) = (215/8) / (143/4).
    assert mean_jobs([2], [1], [2], 1) == pytest.approx(215 / 286, rel=1e-15)
    assert two_sides([Fraction(2)], [Fraction(1)], [2], Fraction(1)) == Fraction(215, 286)


@pytest.mark.parametrize("seed", range(30))
def test_markov_chain(seed: int) -> None:
    """Sides of up to four different job servers and rising thresholds, at every load, in exact fractions."""
    draw = np.random.default_rng(seed)
    fast = sorted((int(x) for x in draw.integers(5, 20, draw.integers(1, 4))), reverse=True)
    slow = sorted((int(x) for x in draw.integers(1, 6, draw.integers(1, 4))), reverse=True)
    thresholds = sorted(int(x) for x in draw.integers(1, 7, len(slow)))
    for load in (Fraction(1, 1000), Fraction(1, 2), Fraction(19, 20)):
        arrival_rate = load * (sum(fast) + sum(slow))
        expected = two_sides([Fraction(x) for x in fast], [Fraction(x) for x in slow], thresholds, arrival_rate)
        assert mean_jobs(fast, slow, thresholds, float(arrival_rate)) == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize(
    ("rate", "capacities"), [(0.5, (1, 1)), (0.01, (3, 4)), (0.7, (40, 30)), (0.1, (300, 5)), (0.2, (5, 300))]
)
@pytest.mark.parametrize("load", LOADS)
def test_thresholds_of_one_are_jffc(rate: float, capacities: tuple[int, int], load: float) -> None:
    """With a chain on either side and thresholds 1 it is the exact system."""
    fast, slow = [1.0] * capacities[0], [rate] * capacities[1]
    arrival_rate = load * (sum(fast) + sum(slow))
    expected = jffc([1.0, rate], capacities, arrival_rate).mean_response_time_s * arrival_rate

    assert mean_jobs(fast, slow, [1] * len(slow), arrival_rate) == pytest.approx(
        expected, rel=1e-9 if load > 0.99 else 1e-12
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0.05, 20), min_size=2, max_size=8),
    st.integers(1, 7),
    st.floats(0.01, 0.99),
)
def test_between_the_lower_bound_and_jffc(rates: list[float], fast: int, load: float) -> None:
    """With thresholds 1 jobs move up within a side: no better than everywhere [Theorem 4], no worse than JFFC."""
    rates = sorted(rates, reverse=True)
    fast = min(fast, len(rates) - 1)
    arrival_rate = load * sum(rates)
    found = mean_jobs(rates[:fast], rates[fast:], [1] * (len(rates) - fast), arrival_rate) / arrival_rate

    assert jffc_bounds(rates, [1] * len(rates), arrival_rate)[0] <= found * (1 + 1e-12)
    assert found <= jffc(rates, [1] * len(rates), arrival_rate).mean_response_time_s * (1 + 1e-9)


@pytest.mark.parametrize("load", [1e-200, 1e-12, 1e-3, 0.5, 0.999])
def test_far_from_any_float(load: float) -> None:
    """Where most levels have probabilities below the least float nothing becomes 0/0 or infinite."""
    fast, slow = [1.0] * 2000, [0.25] * 50
    arrival_rate = load * 2012.5

    for threshold in (1, 5000):
        found = mean_jobs(fast, slow, [threshold] * 50, arrival_rate)
        assert found >= arrival_rate * (1 - 1e-12)
        if load < 0.9:
            assert found == pytest.approx(arrival_rate, rel=1e-12)


def test_fast_servers_with_thresholds() -> None:
    """Rates 2, 1, 1 from 1, 3 and 3 waiting jobs on: the second with 1 + 3 jobs in all, the third with 2 + 3."""
    assert as_started(steps(np.array([2.0, 1.0, 1.0])), np.array([1, 3, 3])).tolist() == [0, 2, 2, 2, 3, 4]
    assert as_started(steps(np.array([2.0, 1.0])), np.array([1, 1])).tolist() == [0, 2, 3]


def test_unit_of_time() -> None:
    """Twice the rates and twice the traffic: the same numbers of jobs, to the last bit."""
    assert mean_jobs([6, 4], [2, 1], [2, 5], 8) == mean_jobs([3, 2], [1, 0.5], [2, 5], 4)


@pytest.mark.parametrize(
    ("fast", "slow", "thresholds", "arrival_rate", "message"),
    [
        ([], [1.0], [1], 0.5, "either side"),
        ([1.0], [], [], 0.5, "either side"),
        ([2.0], [1.0], [0], 0.5, "thresholds"),
        ([2.0], [1.0, 1.0], [2, 1], 0.5, "thresholds"),
        ([2.0], [1.0, 1.0], [2], 0.5, "thresholds"),
        ([2.0], [1.0], [1.5], 0.5, "whole"),
        ([2.0], [1.0], [1], 0.0, "above 0"),
        ([2.0], [1.0], [1], nan, "arrival rate"),
        ([2.0], [1.0], [1], inf, "arrival rate"),
        ([2.0], [0.0], [1], 0.5, "rates"),
    ],
)
def test_what_is_no_system(
    fast: list[float], slow: list[float], thresholds: list[float], arrival_rate: float, message: str
) -> None:
    """Numbers that make no sense are refused, and named."""
    with pytest.raises(ValueError, match=message):
        mean_jobs(fast, slow, thresholds, arrival_rate)


def test_unstable() -> None:
    """Both sides together have to carry the traffic."""
    with pytest.raises(UnstableError, match="not below the total service rate"):
        mean_jobs([2.0], [1.0], [1], 3.0)
