"""Quantiles from a histogram against those of the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.simulation.histogram import BINS, Histogram

SHARES = (0.0, 1e-9, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
CLOSE = 1 / (2 * BINS)  # 0.012 %, what a quantile may be off


def quantiles(*stretches: list[float]) -> list[float]:
    """Those of all the values."""
    histogram = Histogram()
    for values in stretches:
        histogram.add(np.array(values, dtype=np.float64))
    return histogram.quantiles(SHARES).tolist()


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.one_of(st.just(0.0), st.floats(2.0**-30, 2.0**39, exclude_max=True)), min_size=1, max_size=60),
    cut=st.integers(0, 60),
)
def test_as_numpy(values: list[float], cut: int) -> None:
    """Every quantile is within half a bin of the least value that so many do not exceed, however values come."""
    expected = np.quantile(values, SHARES, method="inverted_cdf")

    np.testing.assert_allclose(quantiles(values[:cut], values[cut:]), expected, rtol=CLOSE * (1 + 1e-9), atol=0)


def test_many_values() -> None:
    """A million lognormal values over fifteen octaves."""
    values = np.random.default_rng(1).lognormal(0, 2, 1_000_000)
    histogram = Histogram()
    histogram.add(values)

    expected = np.quantile(values, SHARES, method="inverted_cdf")
    np.testing.assert_allclose(histogram.quantiles(SHARES), expected, rtol=CLOSE * (1 + 1e-9))


def test_by_hand() -> None:
    """A value stands for the middle of its bin."""
    # 1 and 1 + 1/BINS are the edges of a bin, whose middle is 1 + 1/(2 BINS); so 1.0 is found as that middle
    assert quantiles([1.0]) == [1 + 0.5 / BINS] * len(SHARES)
    assert quantiles([1 + 1 / BINS]) == [1 + 1.5 / BINS] * len(SHARES)
    assert quantiles([np.nextafter(1, 0)]) == [1 - 0.25 / BINS] * len(SHARES)  # bins below 1 are half as wide


def test_zeros() -> None:
    """Half of the values are 0: the median is 0, and anything above is not."""
    found = quantiles([0, 3, 0, 3])

    assert found[:3] == [0, 0, 0]
    assert found[3:] == pytest.approx([3] * 5, rel=CLOSE)
    assert quantiles([0.0, -0.0]) == [0] * len(SHARES)


def test_empty() -> None:
    """Without values there are no quantiles."""
    assert np.isnan(quantiles()).all()
    assert np.isnan(quantiles([], [])).all()


def test_extremes() -> None:
    """Less than a nanosecond is nothing, and more than 2^39 s, 17,000 years, is in the last bin."""
    assert quantiles([1e-12, 5e-324]) == [0] * len(SHARES)
    assert quantiles([2.0**-30]) == pytest.approx([2.0**-30] * len(SHARES), rel=CLOSE)
    assert quantiles([1e15, 1e300]) == pytest.approx([2.0**39] * len(SHARES), rel=2 * CLOSE)
    assert quantiles([1e-12, 1, 1e15])[2] == pytest.approx(1, rel=CLOSE)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), max_size=5), max_size=5))
def test_taking_over(stretches: list[list[float]]) -> None:
    """What is taken over from another histogram is as if it had been added, and the other is as new."""
    whole, part = Histogram(), Histogram()
    for values in stretches:
        part.add(np.array(values))
        np.testing.assert_array_equal(part.quantiles(SHARES), quantiles(values))
        whole.take(part)
        assert np.isnan(part.quantiles(SHARES)).all()

    np.testing.assert_array_equal(whole.quantiles(SHARES), quantiles(*stretches))
