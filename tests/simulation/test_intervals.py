"""Intervals by hand, against independent computations, and how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from chainopt.simulation.intervals import Estimate, controlled, correlated, growing, of_batches


def test_batches_by_hand() -> None:
    """Three batches."""
    # mean (1 + 2 + 6)/3 = 3; variance (4 + 1 + 9)/2 = 7; error √(7/3) = 1.527525; t_2(0.975) = 4.302653
    estimate = of_batches(np.array([1.0, 2.0, 6.0]))

    assert estimate.mean == 3
    assert estimate.half_width == pytest.approx(4.302652730 * 1.527525232, rel=1e-9)
    # t_2(0.95) = 2.919986
    assert of_batches(np.array([1.0, 2.0, 6.0]), 0.9).half_width == pytest.approx(2.919985580 * 1.527525232, rel=1e-8)


def test_two_batches_by_hand() -> None:
    """With two batches Student's law is Cauchy's."""
    # mean 2; variance 2; error 1; t_1(0.975) = tan(0.475 π) = 12.7062
    estimate = of_batches(np.array([1.0, 3.0]))

    assert estimate.mean == 2
    assert estimate.half_width == pytest.approx(math.tan(0.475 * math.pi), rel=1e-10)


def test_too_few_batches() -> None:
    """One batch has a mean but no interval, none has neither."""
    one, none = of_batches(np.array([2.5])), of_batches(np.array([]))

    assert one.mean == 2.5
    assert math.isnan(one.half_width)
    assert math.isnan(none.mean)
    assert math.isnan(none.half_width)


def test_excludes() -> None:
    """Ends belong to the interval; without a half width nothing is excluded."""
    assert not Estimate(2, 1).excludes(3)
    assert not Estimate(2, 1).excludes(1)
    assert Estimate(2, 1).excludes(3.001)
    assert not Estimate(2, math.nan).excludes(100)


def test_control_on_a_line() -> None:
    """If the means are a line in the control, the mean is read off at the true mean, beyond doubt."""
    control = np.array([1.0, 4.0, 2.0, 7.0, 3.0])
    estimate = controlled(5 + 2 * control, control, 10.0)

    assert estimate.mean == pytest.approx(25, rel=1e-12)
    assert estimate.half_width == pytest.approx(0, abs=1e-12)


def test_control_by_hand() -> None:
    """Four batches."""
    # control -3, -1, 1, 3: spread 20; means 0, 4, 2, 6, mean 3; slope (0 - 4 + 2 + 18)/20 = 0.8.
    # Residuals -3 + 2.4, 1 + 0.8, -1 - 0.8, 3 - 2.4 = -0.6, 1.8, -1.8, 0.6: squares 7.2, variance 7.2/2 = 3.6.
    # At 1: 3 + 0.8 = 3.8, error √(3.6 (1/4 + 1/20)) = √1.08; t_2(0.975) = 4.302653.
    estimate = controlled(np.array([0.0, 4, 2, 6]), np.array([-3.0, -1, 1, 3]), 1.0)

    assert estimate.mean == pytest.approx(3.8, rel=1e-12)
    assert estimate.half_width == pytest.approx(4.302652730 * math.sqrt(1.08), rel=1e-9)


@pytest.mark.parametrize(
    ("means", "control"),
    [([1.0, 2.0, 6.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 6.0, 4.0], [5.0, 5.0, 5.0, 5.0])],
)
def test_control_that_is_none(means: list[float], control: list[float]) -> None:
    """With fewer than four batches, or a control that does not vary, it is as if there were no control."""
    assert controlled(np.array(means), np.array(control), 9.0) == of_batches(np.array(means))


@settings(max_examples=60, deadline=None)
@given(batches=st.integers(4, 40), seed=st.integers(0, 2**32 - 1), confidence=st.sampled_from([0.9, 0.95, 0.99]))
def test_control_as_least_squares(batches: int, seed: int, confidence: float) -> None:
    """The same as the interval of a fitted line's value, by the normal equations."""
    random = np.random.default_rng(seed)
    control, expected = random.normal(3, 1, batches), float(random.normal(3, 1))
    means = 1 + 0.5 * control + random.normal(0, 0.3, batches)
    estimate = controlled(means, control, expected, confidence)

    columns = np.column_stack([np.ones(batches), control])
    (solution, residues, *_), at = np.linalg.lstsq(columns, means), np.array([1, expected])
    variance = residues[0] / (batches - 2) * (at @ np.linalg.inv(columns.T @ columns) @ at)
    assert estimate.mean == pytest.approx(at @ solution, rel=1e-9)
    width = stats.t.interval(confidence, batches - 2)[1] * math.sqrt(variance)
    assert estimate.half_width == pytest.approx(width, rel=1e-7)


@pytest.mark.parametrize("batches", [2, 5, 20])
def test_coverage(batches: int) -> None:
    """Of 4000 intervals of independent normal batches 95 % hold the mean, up to four deviations of that count."""
    random = np.random.default_rng(7)
    held = sum(not of_batches(random.normal(3, 2, batches)).excludes(3) for _ in range(4000))

    assert abs(held - 3800) < 4 * math.sqrt(4000 * 0.95 * 0.05)


def test_coverage_with_control() -> None:
    """The same of intervals with a control, which are much narrower than those without."""
    random = np.random.default_rng(8)
    held, narrower = 0, 0
    for _ in range(3000):
        control = random.normal(1, 1, 20)
        means = 3 + (control - 1) + random.normal(0, 0.2, 20)
        estimate = controlled(means, control, 1.0)
        held += not estimate.excludes(3)
        narrower += estimate.half_width < of_batches(means).half_width / 2
    assert abs(held - 2850) < 4 * math.sqrt(3000 * 0.95 * 0.05)
    assert narrower > 2990


@pytest.mark.parametrize("batches", [20, 50, 1000])
def test_level_of_correlation(batches: int) -> None:
    """Of independent batches about one run in a hundred is called correlated, and never more than two."""
    random = np.random.default_rng(9)
    found = sum(correlated(random.normal(5, 1, batches)) for _ in range(3000))

    assert 3000 * 0.003 < found < 3000 * 0.02


def test_power_of_correlation() -> None:
    """Means of an autoregression of 0.8 are found out, nearly always with a hundred batches."""
    random = np.random.default_rng(10)
    found = 0
    for _ in range(200):
        means = np.zeros(100)
        for i in range(1, 100):
            means[i] = 0.8 * means[i - 1] + random.normal()
        found += correlated(means)
    assert found > 195


def test_no_correlation() -> None:
    """Too few batches, batches that are all alike, and batches that alternate are not called correlated."""
    assert not correlated(np.array([1.0, 2.0, 3.0]))
    assert not correlated(np.full(50, 2.0))
    assert not correlated(np.tile([1.0, -1.0], 25))
    assert correlated(np.arange(20.0))


def test_growing() -> None:
    """A mean that trebles during the run grows; one that wavers or is merely noisy does not."""
    rng = np.random.default_rng(5)

    assert growing(np.linspace(1, 3, 20))
    assert not growing(10 + np.sin(np.arange(20) / 3))
    assert not growing(rng.normal(10, 1, 20))
    assert not growing(np.array([1.0, 2, 3]))
