"""The plain simulator against traces solved by hand, and against what every rule owes to its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.simulation.plain import simulate_plainly
from chainopt.simulation.records import Records
from chainopt.simulation.rules import RULES, CentralRule, DispatchRule, Rule, System
from tests.simulation.systems import Stream, streams

CENTRAL = ["jffc", "thresholds"]
LONG = 1024.0  # a size with which nobody leaves while jobs come


def serve(
    rule: str | Rule,
    rates: Sequence[float],
    capacities: Sequence[int],
    arrivals: Sequence[float],
    sizes: Sequence[float],
    choices: Sequence[float] | None = None,
    thresholds: Sequence[float] | None = None,
) -> Records:
    """Serve jobs of these sizes, which take size / rate seconds."""
    return simulate_plainly(
        np.array(rates, dtype=float),
        np.array(capacities),
        RULES[rule]() if isinstance(rule, str) else rule,
        np.array(arrivals, dtype=float),
        np.array(sizes, dtype=float)[:, None],
        1 / np.array(rates, dtype=float)[:, None],
        np.zeros(len(sizes)) if choices is None else np.array(choices, dtype=float),
        thresholds,
    )


def chosen(
    rule: str, rates: Sequence[float], capacities: Sequence[int], choices: Sequence[float], jobs: int | None = None
) -> list[int]:
    """Chains of jobs that come one after the other and stay."""
    jobs = len(choices) if jobs is None else jobs
    return serve(rule, rates, capacities, range(jobs), [LONG] * jobs, choices or [0] * jobs).chain.tolist()


def run(stream: Stream, rule: str) -> Records:
    return simulate_plainly(*stream[:2], RULES[rule](), *stream[2:])


def test_jffc_by_hand() -> None:
    """Two chains of one job server, jobs of 2 s on the first and 4 s on the second."""
    records = serve("jffc", [1, 0.5], [1, 1], [0, 1, 1.5, 2, 6], [2] * 5)

    # Job 0: chain 0, 0-2.    Job 1: chain 0 is busy, chain 1, 1-5.    Job 2: waits for the completion at 2.
    # Job 3 comes at 2 after that completion, and after job 2 has taken chain 0 till 4: waits till 4.
    # Job 4 comes at 6, when job 3 leaves: finds chain 0 free, and so does not take chain 1, free since 5.
    assert records.chain.tolist() == [0, 1, 0, 0, 0]
    assert records.start.tolist() == [0, 1, 2, 4, 6]
    assert records.departure.tolist() == [2, 5, 4, 6, 8]


def test_completions_at_one_instant() -> None:
    """The faster chain ends first and takes the head of the queue, though it is the last of the chains."""
    records = serve("jffc", [0.5, 1], [1, 1], [0, 0, 1, 2, 3], [4, 2, 1, 1, 1])

    # Jobs 0 and 1 run on chains 1 and 0 and both end at 4. Chain 1 takes job 2, 4-5; chain 0 job 3, 4-6; job 4 waits
    # till 5 for chain 1.
    assert records.chain.tolist() == [1, 0, 1, 0, 1]
    assert records.departure.tolist() == [4, 4, 5, 6, 6]


def test_equal_rates() -> None:
    """Of chains of one rate the first is the fastest."""
    assert chosen("jffc", [1, 2, 2], [1, 1, 2], [], jobs=4) == [1, 2, 2, 0]


def test_several_demands() -> None:
    """Service takes the sum of demand times pace; rates only say which chain comes first."""
    records = simulate_plainly(
        np.array([1.0, 2.0]),
        np.array([1, 1]),
        RULES["jffc"](),
        np.array([0.0, 1.0]),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        np.array([[10.0, 0.5], [100.0, 1.0]]),
        np.zeros(2),
    )

    assert records.chain.tolist() == [1, 0]
    assert records.departure.tolist() == [102, 33]  # 1·100 + 2·1, and 1 + 3·10 + 4·0.5


def test_thresholds_by_hand() -> None:
    """A job waits alone though the slow chain is free, until a second one comes or the fast chain is free."""
    records = serve("thresholds", [1, 0.25], [1, 1], [0, 1, 2, 20, 21], [4] * 5, thresholds=[1, 2])

    # Job 0: chain 0, 0-4.    Job 1 waits: 1 < θ = 2.    Job 2 comes at 2, so that 2 wait: job 1 on chain 1, 2-18.
    # Job 2 starts on chain 0 at 4.    Job 3: chain 0, 20-24.    Job 4 waits for it, the last one, till 24.
    assert records.chain.tolist() == [0, 1, 0, 0, 0]
    assert records.start.tolist() == [0, 2, 4, 20, 24]
    assert records.departure.tolist() == [4, 18, 8, 24, 28]


def test_thresholds_start_several() -> None:
    """When one arrival reaches the threshold of a chain with two job servers, the next head finds the queue short."""
    records = serve("thresholds", [1, 0.5], [1, 2], [0, 1, 2, 3, 4], [LONG] * 5, thresholds=[1, 3])

    # Jobs 1, 2, 3 wait: 3 >= 3, job 1 starts at 3, and 2 < 3. Job 4 comes: 3 >= 3, job 2 starts at 4.
    assert records.chain.tolist() == [0, 1, 1, 0, 0]
    assert records.start.tolist() == [0, 3, 4, LONG, 2 * LONG]


def test_jsq_by_hand() -> None:
    """Chains of 1 and 2 job servers; the score is (Z - c + 1)^+ / c."""
    # Z = (0,0): 0, 0, the int(.5·2) = 1st.  (0,1): 0, 0, the int(.4·2) = 0th.  (1,1): 1, 0.  (1,2): 1, 1/2.
    # Z = (1,3): 1, 1, the int(.9·2) = 1st.  (1,4): 1, 3/2.
    assert chosen("jsq", [1, 1], [1, 2], [0.5, 0.4, 0, 0, 0.9, 0.9]) == [1, 0, 1, 1, 1, 0]


def test_sa_jsq_by_hand() -> None:
    """The same scores, but ties go to the fastest, and among equal rates to the first."""
    # Z = (0,0): tie.  (0,1): 0, 0, tie.  (0,2): 0, 1/2.  (1,2): 1, 1/2.  (1,3): 1, 1, tie.  (1,4): 1, 3/2.
    assert chosen("sa-jsq", [1, 2], [1, 2], [], jobs=6) == [1, 1, 0, 1, 1, 0]
    # Z = (0,0): tie.  (1,0): 1, 0.  (1,1): 1, 0.  (1,2): 1, 1/2.  (1,3): 1, 1, tie.
    assert chosen("sa-jsq", [2, 2], [1, 2], [], jobs=5) == [0, 1, 1, 1, 0]


def test_jiq_by_hand() -> None:
    """Chains 0 and 2 of 1 and 2 job servers, with one of capacity 0 between them."""
    # Idle are 0 and 2: the int(.5·2) = 1st; 0 and 2: the int(.49·2) = 0th; 2.  None: of 0 and 2, the 0th, the 1st.
    assert chosen("jiq", [1, 9, 2], [1, 0, 2], [0.5, 0.49, 0.9, 0.3, 0.7]) == [2, 0, 2, 0, 2]


def test_sed_by_hand() -> None:
    """The score is 1/μ + (Z - c + 1)^+ / (μ c), ties to the first; each chain serves in the order of arrival."""
    records = serve("sed", [1, 0.5], [1, 1], range(6), [LONG] * 6)

    # Z = (0,0): 1, 2.  (1,0): 2, 2, tie.  (2,0): 3, 2.  (2,1): 3, 4.  (3,1): 4, 4, tie.  (4,1): 5, 4.
    assert records.chain.tolist() == [0, 0, 1, 0, 0, 1]
    assert records.start.tolist() == [0, LONG, 2, 2 * LONG, 3 * LONG, 2 + 2 * LONG]
    # The slow chain first: Z = (0,0): 2, 1.  (0,1): 2, 2, tie, to the first and not to the fastest.  (1,1): 4, 2.
    assert chosen("sed", [0.5, 1], [1, 1], [], jobs=3) == [1, 0, 1]


def test_sed_counts_job_servers() -> None:
    """A slow chain with many job servers is worth a wait less than a fast one is."""
    # Z = (0,0): 1, 2.  (1,0): 1+1, 2, tie.  (2,0): 1+2, 2.  (2,1): 3, 2+0.  (2,2): 3, 2+1/(.5·2), tie.  (3,2): 4, 3.
    assert chosen("sed", [1, 0.5], [1, 2], [], jobs=6) == [0, 0, 1, 1, 0, 1]


def test_random_by_hand() -> None:
    """Shares 2/4 and 2/4 of chains 0 and 2; a number on the border belongs to the upper one."""
    assert chosen("random", [2, 9, 1], [1, 0, 2], [0, 0.49, 0.5, 0.999]) == [0, 0, 2, 2]


def test_random_stays_in_range() -> None:
    """The least of all floats times .9 is itself: the last chain, and not one beyond it, takes the job."""
    rates = np.array([5e-324])
    records = simulate_plainly(
        rates, np.array([1]), RULES["random"](), np.zeros(1), np.ones((1, 1)), np.ones((1, 1)), np.array([0.9])
    )

    assert records.chain.tolist() == [0]


def test_split_by_hand() -> None:
    """Weights 5, 1, 1 give nginx' own example a a b a c a a; weights 1 and 3 tie once in a round."""
    assert chosen("split", [5, 1, 1], [1, 1, 1], [], jobs=7) == [0, 0, 1, 0, 2, 0, 0]
    # Behind by 1/4, 3/4: chain 1.  1/2, 1/2: tie, chain 0.  -1/4, 5/4: chain 1.  0, 1: chain 1.  0, 0 again.
    assert chosen("split", [1, 1, 9], [1, 3, 0], [], jobs=8) == [1, 0, 1, 1] * 2


def test_dispatch_is_for_good() -> None:
    """A job waits at its chain though another is idle, and starts there when a job server is free."""
    records = serve(DispatchRule(lambda system: 0), [1, 1], [1, 1], [0, 1, 2], [2, 2, 2])

    assert records.chain.tolist() == [0, 0, 0]
    assert records.start.tolist() == [0, 2, 4]


def test_central_rule_of_a_user() -> None:
    """A rule of one's own that takes the slowest free chain, and sees the system as it is when it is asked."""
    seen = []

    def slowest_free(system: System) -> int | None:
        seen.append((system.now, list(system.jobs), system.free(0), system.waiting, system.choice))
        return next((k for k in reversed(system.fastest_first) if system.free(k)), None)

    records = serve(CentralRule(slowest_free), [2, 1], [1, 1], [0, 1, 2, 3], [4] * 4, [0.0, 0.1, 0.2, 0.3])

    # Job 0: chain 1, 0-4.    Job 1: chain 0, 1-3.    Job 2 waits till 3; job 3 comes then, after job 2 has started.
    assert records.chain.tolist() == [1, 0, 0, 1]
    assert records.start.tolist() == [0, 1, 3, 4]
    assert seen == [
        (0, [0, 0], 1, 1, 0.0),
        (1, [0, 1], 1, 1, 0.1),
        (2, [1, 1], 0, 1, 0.2),
        (3, [0, 1], 1, 1, 0.2),
        (3, [1, 1], 0, 1, 0.3),
        (4, [1, 0], 0, 1, 0.3),
    ]


def test_dispatch_rule_of_a_user() -> None:
    """A rule of one's own may answer with an integer of numpy, and counts jobs that wait."""
    seen = []

    def emptiest(system: System) -> int:
        seen.append((list(system.jobs), [system.free(k) for k in (0, 1)], system.waiting))
        return np.argmin(system.jobs)  # type: ignore[return-value]

    records = serve(DispatchRule(emptiest), [1, 1], [1, 2], range(4), [LONG] * 4)

    assert records.chain.tolist() == [0, 1, 0, 1]
    assert seen == [([0, 0], [1, 2], 0), ([1, 0], [0, 2], 0), ([1, 1], [0, 1], 0), ([2, 1], [0, 1], 0)]


def test_system_of_a_rule() -> None:
    """A rule finds the chains with capacity as given and fastest first, and running sums of what they serve."""
    seen = []

    def look(system: System) -> int:
        seen.append(system)
        return 0

    serve(DispatchRule(look), [1, 9, 2, 2], [3, 0, 1, 1], [0], [1], thresholds=[5, 1, 1, 2])

    assert seen[0].chains == (0, 2, 3)
    assert seen[0].fastest_first == (2, 3, 0)
    assert seen[0].rate_sums == (3, 5, 7)
    assert (seen[0].rates, seen[0].capacities, seen[0].thresholds) == ((1, 9, 2, 2), (3, 0, 1, 1), (5, 1, 1, 2))


@pytest.mark.parametrize("rule", RULES)
def test_no_jobs(rule: str) -> None:
    """Nothing comes of nothing."""
    records = serve(rule, [1, 2], [1, 1], [], [], thresholds=[1, 1])

    assert records.start.shape == records.departure.shape == records.chain.shape == (0,)
    assert records.start.dtype == records.departure.dtype == np.float64
    assert records.chain.dtype == np.int64


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "the rule chose None for job 0, expected the index of a chain"),
        (0.0, "the rule chose 0.0 for job 0, expected the index"),
        (True, "the rule chose True for job 0, expected the index"),
        ("fast", "the rule chose 'fast' for job 0, expected the index"),
        (-1, "the rule chose chain -1 for job 0, expected one from 0 to 1"),
        (2, "the rule chose chain 2 for job 0, expected one from 0 to 1"),
        (1, "the rule chose chain 1 for job 0, which has capacity 0"),
    ],
)
def test_answers_that_are_no_chain(answer: Any, message: str) -> None:
    """A rule has to name a chain with capacity, by its index."""
    with pytest.raises(ValueError, match=message):
        serve(DispatchRule(lambda system: answer), [1, 1], [1, 0], [0], [1])
    if answer is not None:
        with pytest.raises(ValueError, match=message):
            serve(CentralRule(lambda system: answer), [1, 1], [1, 0], [0], [1])


def test_busy_chain() -> None:
    """A central rule has to name a chain with a free job server."""
    with pytest.raises(ValueError, match="the rule chose chain 0 for job 1, which has no free job server"):
        serve(CentralRule(lambda system: 0), [1, 1], [1, 1], [0, 0], [1, 1])


def test_waiting_for_ever() -> None:
    """A central rule has to start every job in the end."""
    with pytest.raises(ValueError, match="the rule lets job 1 wait for ever"):
        serve(CentralRule(lambda system: 0 if system.now == 0 else None), [1], [1], [0, 1, 2], [1] * 3)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([1, 1], r"thresholds have the shape \(2,\), expected \(3,\)"),
        ([1, 1, 0], r"whole thresholds from 1 to 10\^15, got"),
        ([1, 1, 1.5], r"whole thresholds from 1 to 10\^15, got"),
        ([1, 1, np.nan], r"whole thresholds from 1 to 10\^15, got"),
        ([1, 1, 2e15], r"whole thresholds from 1 to 10\^15, got"),
        ([1, 2, 1], "the threshold 1 for chain 1, the fastest, got 2: jobs would wait on"),
    ],
)
def test_bad_thresholds(thresholds: list[float], message: str) -> None:
    """Thresholds are whole, one a chain, and the fastest chain with capacity waits for nothing."""
    with pytest.raises(ValueError, match=message):
        serve("thresholds", [1, 2, 3], [1, 1, 0], [0], [1], thresholds=thresholds)


def test_no_thresholds() -> None:
    """The rule that needs thresholds says so."""
    with pytest.raises(ValueError, match="needs thresholds"):
        serve("thresholds", [1], [1], [0], [1])


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=30, deadline=None)
@given(stream=streams())
def test_what_every_rule_owes(rule: str, stream: Stream) -> None:
    """Every job is served, at once or later, for its time, and no chain ever runs more jobs than it has job servers."""
    records = run(stream, rule)

    assert np.all(records.start >= stream.arrivals)
    assert np.all(stream.capacities[records.chain] > 0)
    duration = sum(stream.demands[:, d] * stream.pace[records.chain, d] for d in range(stream.demands.shape[1]))
    np.testing.assert_allclose(records.departure, records.start + duration, rtol=1e-14)
    for k, capacity in enumerate(stream.capacities):
        here = records.chain == k
        assert most_at_once(records.start[here], records.departure[here]) <= capacity


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=30, deadline=None)
@given(stream=streams())
def test_first_come_first_served(rule: str, stream: Stream) -> None:
    """Jobs start in the order of arrival, all of them or those of one chain."""
    records = run(stream, rule)

    for k in [None] if rule in CENTRAL else range(len(stream.rates)):
        starts = records.start if k is None else records.start[records.chain == k]
        assert np.all(np.diff(starts) >= 0)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=30, deadline=None)
@given(stream=streams())
def test_little(rule: str, stream: Stream) -> None:
    """The integral of the number in the system is the sum of the response times."""
    records = run(stream, rule)

    moments = np.unique(np.concatenate([records.arrival, records.departure]))
    jobs = [np.sum((records.arrival <= t) & (t < records.departure)) for t in moments[:-1]]
    area = np.sum(np.array(jobs) * np.diff(moments)) if len(moments) else 0
    assert area == pytest.approx(np.sum(records.response), rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(stream=streams())
def test_jffc_wastes_nothing(stream: Stream) -> None:
    """While a job waits no job server is idle, and a job that starts finds all faster chains full."""
    records = run(stream, "jffc")

    def running(t: float) -> np.ndarray[Any, Any]:
        now = (records.start <= t) & (t < records.departure)
        return np.bincount(records.chain[now], minlength=len(stream.rates))

    for t in np.concatenate([records.arrival, records.departure]):
        if np.any((records.arrival <= t) & (t < records.start)):
            assert np.array_equal(running(t), stream.capacities)
    order = np.argsort(-stream.rates, kind="stable").tolist()
    for start, k in zip(records.start, records.chain, strict=True):
        faster = order[: order.index(k)]
        assert np.array_equal(running(start)[faster], stream.capacities[faster])


@settings(max_examples=50, deadline=None)
@given(stream=streams())
def test_thresholds_of_one_are_jffc(stream: Stream) -> None:
    """When every chain may start a job that waits alone, the rules are one."""
    found = run(stream._replace(thresholds=np.ones_like(stream.thresholds)), "thresholds")
    expected = run(stream, "jffc")

    np.testing.assert_array_equal(found.start, expected.start)
    np.testing.assert_array_equal(found.chain, expected.chain)


@settings(max_examples=50, deadline=None)
@given(stream=streams(), data=st.data())
def test_split_is_balanced(stream: Stream, data: st.DataObject) -> None:
    """After any number of jobs no chain is a job ahead of its share, or as many behind as there are others."""
    records = run(stream, "split")
    weights = stream.rates * stream.capacities
    jobs = data.draw(st.integers(0, len(stream.arrivals)))

    had = np.bincount(records.chain[:jobs], minlength=len(weights))
    error = had - jobs * weights / weights.sum()
    assert np.all(error < 1)
    assert np.all(error > 1 - np.count_nonzero(weights) - 1e-9)  # 0 > 0 with one chain


def test_runs_do_not_share_memory() -> None:
    """Each run makes its own rule, so that a rule that remembers begins anew."""
    assert chosen("split", [5, 1, 1], [1, 1, 1], [], jobs=3) == [0, 0, 1]
    assert chosen("split", [5, 1, 1], [1, 1, 1], [], jobs=3) == [0, 0, 1]


def most_at_once(start: np.ndarray[Any, Any], departure: np.ndarray[Any, Any]) -> int:
    """Most intervals [start, departure) that share a moment."""
    steps = sorted([(t, 1) for t in start] + [(t, -1) for t in departure])  # at one moment departures come first
    return max(np.cumsum([step for _, step in steps]).tolist(), default=0)
