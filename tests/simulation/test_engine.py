"""Runs in stretches, what every run owes to its jobs, and what `simulate` refuses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainopt.simulation import POLICIES, Records, simulate
from chainopt.simulation.engine import run_of
from chainopt.simulation.records import joined
from tests.simulation.systems import Stream, streams

HUGE = 10**12


def at_once(stream: Stream, policy: str) -> Records:
    """All jobs in one go."""
    return simulate(
        stream.rates,
        stream.capacities,
        policy,
        arrivals=stream.arrivals,
        sizes=stream.demands,
        pace=stream.pace,
        choices=stream.choices,
        thresholds=stream.thresholds,
    )


def in_stretches(stream: Stream, policy: str, cuts: list[int]) -> list[Records]:
    """The same jobs, served up to one cut after another, and what is left in the end."""
    jobs = stream.arrivals.size
    run = run_of(policy, stream.rates, stream.capacities, stream.pace, jobs, stream.thresholds)
    edges = [0, *sorted(cuts), jobs]
    parts = [
        run.serve(stream.arrivals[a:b], stream.demands[a:b], stream.choices[a:b]) for a, b in itertools.pairwise(edges)
    ]
    return [*parts, run.drain()]


def assert_same(found: Records, expected: Records) -> None:
    for name in ("arrival", "start", "departure", "chain"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=80, deadline=None)
@given(stream=streams(least_demand=0), data=st.data())
def test_stretches_make_no_difference(policy: str, stream: Stream, data: st.DataObject) -> None:
    """However jobs are cut into stretches, empty ones too, their records are the same to the last bit."""
    cuts = data.draw(st.lists(st.integers(0, stream.arrivals.size), max_size=6))

    assert_same(joined(in_stretches(stream, policy, cuts)), at_once(stream, policy))


@pytest.mark.parametrize("policy", POLICIES)
def test_long_queues_across_stretches(policy: str) -> None:
    """At three times the load most jobs wait from one stretch to the next, and heaps grow as they go."""
    random = np.random.default_rng(3)
    rates, capacities, jobs = np.array([1.0, 0.2, 0.7]), np.array([3, 40, 5]), 3000
    stream = Stream(
        rates,
        capacities,
        np.cumsum(random.exponential(1 / (3 * np.dot(rates, capacities)), jobs)),
        random.exponential(1, (jobs, 1)),
        1 / rates[:, None],
        random.random(jobs),
        np.array([1, 30, 4]),
    )
    parts = in_stretches(stream, policy, random.integers(0, jobs, 25).tolist())
    expected = at_once(stream, policy)

    assert_same(joined(parts), expected)
    assert np.mean(expected.waiting > 0) > 0.8
    if policy in ("jffc", "thresholds"):
        assert parts[-1].arrival.size > jobs / 3  # the central queue is still there when the last job has come


def test_waiting_job_by_hand() -> None:
    """A job that waits at a cut gets its record with the stretch in which it starts."""
    # One server of rate 1, jobs of 4, 1 and 1 s at 0, 1 and 5 s.  Job 0: 0-4.  Job 1 waits from 1, 4-5.  Job 2: 5-6.
    run = run_of("jffc", [1.0], [1], np.ones((1, 1)), 3)
    first = run.serve(np.array([0.0, 1.0]), np.array([[4.0], [1.0]]), np.zeros(2))
    second = run.serve(np.array([5.0]), np.array([[1.0]]), np.zeros(1))

    assert (first.arrival.tolist(), first.departure.tolist()) == ([0], [4])
    assert (second.arrival.tolist(), second.start.tolist(), second.departure.tolist()) == ([1, 5], [4, 5], [5, 6])
    assert run.drain().arrival.size == 0


def test_threshold_across_a_cut_by_hand() -> None:
    """A threshold counts the jobs that wait from earlier stretches."""
    # Rates 1 and 1/2, one server each, threshold 2 of the slow one; all jobs take 10 s on the fast and 20 on the slow.
    # Job 0: fast, 0-10.  Job 1 comes at 1, alone, and waits.  Job 2 comes at 2: two wait, so job 1 starts, 2-22 on the
    # slow chain.  Job 2 starts at 10 on the fast one.
    run = run_of("thresholds", [1.0, 0.5], [1, 1], np.array([[1.0], [2.0]]), 3, [1, 2])
    first = run.serve(np.array([0.0, 1.0]), np.full((2, 1), 10.0), np.zeros(2))
    second = run.serve(np.array([2.0]), np.full((1, 1), 10.0), np.zeros(1))
    last = run.drain()

    assert first.chain.tolist() == [0]
    assert (second.chain.tolist(), second.start.tolist(), second.departure.tolist()) == ([1], [2], [22])
    assert (last.chain.tolist(), last.start.tolist(), last.departure.tolist()) == ([0], [10], [20])


def test_only_thresholds_takes_thresholds() -> None:
    """JFFC is JFFC though thresholds are at hand for the policy beside it."""
    jobs = {"arrivals": [0, 0], "sizes": [1, 1], "thresholds": [1, 5]}

    assert simulate([2, 1], [1, 1], "jffc", **jobs).chain.tolist() == [0, 1]
    assert simulate([2, 1], [1, 1], "thresholds", **jobs).chain.tolist() == [0, 0]
    run = run_of("jffc", [2, 1], [1, 1], np.array([[0.5], [1.0]]), 2, [1, 5])
    assert run.serve(np.zeros(2), np.ones((2, 1)), np.zeros(2)).chain.tolist() == [0, 1]


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=40, deadline=None)
@given(stream=streams(least_demand=0))
def test_conservation_and_little(policy: str, stream: Stream) -> None:
    """Every job has one record; areas under the numbers of jobs are sums of times; no chain is overbooked."""
    records = at_once(stream, policy)

    np.testing.assert_array_equal(records.arrival, stream.arrivals)
    assert np.all(records.start >= records.arrival)
    assert np.all(records.departure >= records.start)
    assert np.all(stream.capacities[records.chain] > 0)
    moments = np.unique(np.concatenate([records.arrival, records.start, records.departure]))
    lengths, moments = np.diff(moments), moments[:-1]
    assert np.dot(records.jobs_in_system(moments), lengths) == pytest.approx(records.response.sum(), abs=1e-9)
    assert np.dot(records.queue_length(moments), lengths) == pytest.approx(records.waiting.sum(), abs=1e-9)
    for k, capacity in enumerate(stream.capacities):
        here = records.select((records.chain == k) & (records.service > 0))
        running = [np.sum((here.start <= t) & (t < here.departure)) for t in moments]
        assert max(running, default=0) <= capacity


@pytest.mark.parametrize("policy", POLICIES)
def test_huge_capacities(policy: str) -> None:
    """With 10^12 job servers nobody waits, and nothing is as large as the capacity."""
    random = np.random.default_rng(0)
    arrivals, sizes = np.cumsum(random.exponential(1, 500)), random.exponential(1, 500)
    needed = [1, 1] if policy == "thresholds" else None
    records = simulate([2, 1], [HUGE, HUGE], policy, arrivals=arrivals, sizes=sizes, thresholds=needed)

    np.testing.assert_array_equal(records.start, arrivals)
    np.testing.assert_array_equal(records.departure, arrivals + sizes * np.array([0.5, 1])[records.chain])


@pytest.mark.parametrize("policy", POLICIES)
def test_huge_beside_small(policy: str) -> None:
    """Chains of one and of 10^12 job servers go together as the plain engine says."""
    random = np.random.default_rng(1)
    options = {
        "arrivals": np.cumsum(random.exponential(0.3, 300)),
        "sizes": random.exponential(1, 300),
        "choices": random.random(300),
        "thresholds": [1, 3] if policy == "thresholds" else None,
    }

    assert_same(
        simulate([1, 0.1], [1, HUGE], policy, **options),
        simulate([1, 0.1], [1, HUGE], policy, **options, engine="plain"),
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_no_jobs(policy: str) -> None:
    """Nothing comes of nothing."""
    records = simulate([1, 2], [1, 1], policy, arrivals=[], sizes=[], thresholds=[1, 1])

    assert records.chain.shape == records.departure.shape == (0,)


JOBS: dict[str, Any] = {"arrivals": [0, 1], "sizes": [1, 1]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"arrivals": [[0, 1]]}, r"arrivals have the shape \(1, 2\), expected \(n,\)"),
        ({"arrivals": [1, 0]}, "arrival 1 at 0 s is before arrival 0 at 1 s"),
        ({"arrivals": [0, np.nan]}, "expected finite arrivals"),
        ({"arrivals": [0, np.inf]}, "expected finite arrivals"),
        ({"sizes": [1]}, r"sizes have the shape \(1, 1\), expected \(2, 1\)"),
        ({"sizes": [[1, 1], [1, 1]]}, r"sizes have the shape \(2, 2\), expected \(2, 1\)"),
        ({"sizes": [1, -1]}, r"expected sizes that are finite and at least 0, got \[-1.\] at 1"),
        ({"sizes": [np.nan, 1]}, r"expected sizes that are finite and at least 0, got \[nan\] at 0"),
        ({"sizes": [1, np.inf]}, r"expected sizes that are finite and at least 0, got \[inf\] at 1"),
        ({"pace": [[1.0]]}, r"pace have the shape \(1, 1\), expected \(2, D\)"),
        ({"pace": [1.0, 1.0]}, r"pace have the shape \(2,\), expected \(2, D\)"),
        ({"pace": np.empty((2, 0))}, r"pace have the shape \(2, 0\), expected \(2, D\)"),
        ({"pace": [[1.0], [-1.0]]}, r"expected pace that are finite and at least 0, got \[-1.\] at 1"),
        ({"pace": [[1.0, 1], [1, 1]]}, r"sizes have the shape \(2,\), expected \(2, 2\)"),
        ({"choices": [0.5]}, r"expected choices from 0 to less than 1, shape \(2,\)"),
        ({"choices": [0.5, 1]}, "expected choices from 0 to less than 1"),
        ({"choices": [0.5, np.nan]}, "expected choices from 0 to less than 1"),
        ({"policy": "fifo"}, "no policy 'fifo'; known are jffc, thresholds, jsq"),
        ({"policy": "thresholds"}, "the policy 'thresholds' needs thresholds"),
        ({"policy": "thresholds", "thresholds": [1]}, r"thresholds have the shape \(1,\), expected \(2,\)"),
        ({"policy": "thresholds", "thresholds": [2, 1]}, "expected the threshold 1 for chain 0, the fastest, got 2"),
        ({"policy": "thresholds", "thresholds": [1, 0]}, r"expected whole thresholds from 1 to 10\^15"),
        ({"policy": "thresholds", "thresholds": [1, 1.5]}, r"expected whole thresholds from 1 to 10\^15"),
        ({"capacities": [0, 0]}, "no chain has capacity"),
        ({"capacities": [1, -1]}, r"expected whole capacities from 0 to 10\^15"),
        ({"capacities": [1, 0.5]}, r"expected whole capacities from 0 to 10\^15"),
        ({"capacities": [1]}, r"rates and capacities have shapes \(2,\) and \(1,\)"),
        ({"rates": [1, 0]}, "expected positive, finite rates"),
        ({"rates": [1, np.nan]}, "expected positive, finite rates"),
        ({"rates": [], "capacities": []}, "no chain has capacity"),
    ],
)
def test_what_is_refused(changed: dict[str, Any], message: str) -> None:
    """Arguments that make no sense are refused with what was expected."""
    options = {"rates": [2, 1], "capacities": [1, 1], **JOBS}
    simulate(**options)
    with pytest.raises(ValueError, match=message):
        simulate(**{**options, **changed})


def test_choices_are_drawn_with_the_seed() -> None:
    """What is left to chance is as the seed says."""

    def chains(**options: Any) -> NDArray[np.int64]:
        return simulate([1, 1], [1, 1], "random", arrivals=np.arange(60.0), sizes=np.ones(60), **options).chain

    assert chains(seed=4).tolist() == chains(choices=np.random.default_rng(4).random(60)).tolist()
    assert chains(seed=4).tolist() != chains(seed=5).tolist()
