"""Summaries gathered stretch by stretch against plain sums over complete records."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainopt.simulation import Records, simulate
from chainopt.simulation.summary import QUANTILES, TIMES, Gathering, Summary
from tests.simulation.systems import Stream, streams


def gathered(
    records: Records, cuts: list[int], *, warm_up: float = 0.0, batches: int = 20, to_the_end: bool = False
) -> Summary:
    """The summary of records that come in stretches up to one cut after another."""
    jobs = records.arrival.size
    gathering = Gathering(jobs, warm_up=warm_up, batches=batches, to_the_end=to_the_end)
    edges = [0, *sorted(cuts), jobs]
    for begin, stop in itertools.pairwise(edges):
        gathering.add(records.select((np.arange(jobs) >= begin) & (np.arange(jobs) < stop)))
    return gathering.summary()


def overlap(begin: NDArray[np.float64], end: NDArray[np.float64], since: float, until: float) -> NDArray[np.float64]:
    """How long each of the intervals lasts within a window."""
    return np.maximum(np.minimum(end, until) - np.maximum(begin, since), 0)


def padded(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.concatenate([values, np.zeros(size - values.size)])


def assert_sums(
    summary: Summary, records: Records, warm_up: float, batches: int, to_the_end: bool, chains: int
) -> None:
    """Everything a summary says, computed from all records at once."""
    jobs = records.arrival.size
    first = int(warm_up * jobs)
    counted = records.select(np.arange(jobs) >= first)
    since = records.arrival[first]
    until = records.departure.max() if to_the_end else records.arrival[-1]

    assert summary.jobs == jobs - first
    assert summary.duration_s == until - since
    assert summary.waited == pytest.approx(np.mean(counted.start > counted.arrival))
    shares = np.bincount(counted.chain, minlength=chains) / counted.chain.size
    np.testing.assert_allclose(padded(summary.shares, chains), shares, rtol=1e-12)
    busy = np.zeros(chains)
    np.add.at(busy, records.chain, overlap(records.start, records.departure, since, until))
    np.testing.assert_allclose(padded(summary.busy_s, chains), busy, rtol=1e-9, atol=1e-9)
    waiting_s = overlap(records.arrival, records.start, since, until).sum()
    present_s = overlap(records.arrival, records.departure, since, until).sum()
    if until > since:
        assert summary.mean_queue * summary.duration_s == pytest.approx(waiting_s, rel=1e-9, abs=1e-9)
        assert summary.mean_jobs * summary.duration_s == pytest.approx(present_s, rel=1e-9, abs=1e-9)
    else:
        assert math.isnan(summary.mean_queue)
        assert math.isnan(summary.mean_jobs)

    count = min(batches, jobs - first)
    edges = [i * (jobs - first) // count for i in range(count + 1)]
    for name in TIMES:
        measure, values = getattr(summary, name), getattr(counted, name)
        parts = [values[a:b] for a, b in itertools.pairwise(edges)]
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert measure.mean == pytest.approx(values.mean(), rel=1e-12)
        assert (measure.least, measure.most) == (values.min(), values.max())
        np.testing.assert_allclose(measure.batches, [part.mean() for part in parts], rtol=1e-12)
        for found, of in [(measure.quantiles, values), *zip(measure.batch_quantiles, parts, strict=True)]:
            expected = np.quantile(of, QUANTILES, method="inverted_cdf")
            np.testing.assert_allclose(found, expected, rtol=1.221e-4, atol=1e-9)


@pytest.mark.parametrize("policy", ["jffc", "thresholds", "jsq"])
@settings(max_examples=60, deadline=None)
@given(
    stream=streams(least_demand=0).filter(lambda stream: stream.arrivals.size > 0),
    warm_up=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    batches=st.sampled_from([1, 2, 7, 50]),
    to_the_end=st.booleans(),
    data=st.data(),
)
def test_as_from_complete_records(
    policy: str, stream: Stream, warm_up: float, batches: int, to_the_end: bool, data: st.DataObject
) -> None:
    """Means, quantiles, shares and areas are those of all the records, however these are cut into stretches."""
    records = simulate(
        stream.rates,
        stream.capacities,
        policy,
        arrivals=stream.arrivals,
        sizes=stream.demands,
        pace=stream.pace,
        choices=stream.choices,
        thresholds=stream.thresholds,
    )
    cuts = data.draw(st.lists(st.integers(0, stream.arrivals.size), max_size=5))
    summary = gathered(records, cuts, warm_up=warm_up, batches=batches, to_the_end=to_the_end)

    assert_sums(summary, records, warm_up, batches, to_the_end, stream.rates.size)


@pytest.mark.parametrize("to_the_end", [False, True])
@pytest.mark.parametrize("warm_up", [0.0, 0.1])
def test_long_run(warm_up: float, to_the_end: bool) -> None:
    """Ten thousand jobs at a load of 1.2 in stretches of all lengths: many are there when the window opens and ends."""
    random = np.random.default_rng(5)
    records = simulate(
        [1, 0.5], [3, 4], arrivals=np.cumsum(random.exponential(1 / 6, 10_000)), sizes=random.exponential(1, 10_000)
    )
    summary = gathered(records, random.integers(0, 10_000, 30).tolist(), warm_up=warm_up, to_the_end=to_the_end)

    assert_sums(summary, records, warm_up, 20, to_the_end, 2)


# Jobs come at 0, 2 and 3 s and take 4 s each on the one server: 0-4, 4-8, 8-12.  Responses 4, 6, 9; waits 0, 2, 5.
THREE = simulate([1], [1], arrivals=[0, 2, 3], sizes=[4, 4, 4])


def test_by_hand() -> None:
    """Until the last arrival, and until the last departure."""
    steady, whole = gathered(THREE, []), gathered(THREE, [1], to_the_end=True)

    # until 3 s: two jobs from 2 s on, areas 3 + 1 = 4 of jobs, 1 of waits, 3 busy
    assert (steady.duration_s, steady.mean_jobs, steady.mean_queue) == (3, 4 / 3, 1 / 3)
    assert steady.busy_s.tolist() == [3]
    # until 12 s: areas 4 + 6 + 9 = 19, 0 + 2 + 5 = 7, 12 busy
    assert (whole.duration_s, whole.mean_jobs, whole.mean_queue) == (12, 19 / 12, 7 / 12)
    assert whole.busy_s.tolist() == [12]
    for summary in (steady, whole):
        assert summary.response.mean == pytest.approx(19 / 3)
        assert summary.waited == 2 / 3
        assert summary.response.batches.tolist() == [4, 6, 9]


def test_warm_up_by_hand() -> None:
    """A job of the warm-up does not count, but counts among the jobs that are there."""
    summary = gathered(THREE, [1, 2], warm_up=0.4, to_the_end=True)

    # int(1.2) = 1 job is left out; from 2 s on 10 s: areas 2 + 6 + 9 = 17 of jobs, 2 + 5 = 7 of waits, 10 busy
    assert (summary.jobs, summary.duration_s) == (2, 10)
    assert (summary.mean_jobs, summary.mean_queue, summary.busy_s.tolist()) == (1.7, 0.7, [10])
    assert (summary.response.mean, summary.waited) == (7.5, 1)


def test_mean_of_unequal_batches() -> None:
    """The mean is that of all jobs, though batches differ by one; its half width is that of the batches."""
    # batches of 1 and 2 jobs have means 4 and 7.5, of mean 5.75; the jobs' is 19/3
    measure = gathered(THREE, [], batches=2).response

    assert measure.batches.tolist() == [4, 7.5]
    assert measure.interval().mean == pytest.approx(19 / 3)
    # deviation of 4 and 7.5: 3.5/√2, over √2 batches 1.75; t_1(0.975) = tan(0.475 π)
    assert measure.interval().half_width == pytest.approx(1.75 * math.tan(0.475 * math.pi))


def test_one_job() -> None:
    """One job has a mean, and no interval; the window until the last arrival is empty."""
    one = THREE.select(np.array([True, False, False]))
    steady, whole = gathered(one, []), gathered(one, [], to_the_end=True)

    assert (steady.jobs, steady.response.mean, steady.duration_s) == (1, 4, 0)
    assert math.isnan(steady.response.interval().half_width)
    assert math.isnan(steady.mean_jobs)
    assert (whole.duration_s, whole.mean_jobs, whole.mean_queue) == (4, 1, 0)


def test_quantile_interval() -> None:
    """A quantile is that of all jobs, its half width that of the batches' quantiles."""
    values = np.random.default_rng(2).exponential(1, 4000)
    records = Records(np.arange(4000.0), np.arange(4000.0), np.arange(4000.0) + values, np.zeros(4000, dtype=np.int64))
    measure = gathered(records, [1234], batches=4).response
    estimate = measure.quantile_interval(0.9)

    assert estimate.mean == pytest.approx(np.quantile(values, 0.9, method="inverted_cdf"), rel=1.221e-4)
    of_batches = [np.quantile(part, 0.9, method="inverted_cdf") for part in np.split(values, 4)]
    error = np.std(of_batches, ddof=1) / 2
    assert estimate.half_width == pytest.approx(3.182446 * error, rel=0.02)  # t_3(0.975)
