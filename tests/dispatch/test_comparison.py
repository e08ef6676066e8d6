"""Policies side by side: paired differences by hand, and every reason for doubt."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainopt.dispatch.comparison import Outcome, compare, doubts, exact_mean_s
from chainopt.queueing import jffc
from chainopt.simulation import Records
from chainopt.simulation.arrivals import Arrivals, Deterministic, Hyperexponential, Poisson, Recorded
from chainopt.simulation.engine import run_of
from chainopt.simulation.experiment import Traffic
from chainopt.simulation.sizes import Constant, Exponential, Lognormal, Sizes
from chainopt.simulation.summary import Gathering, Summary


class Given:
    """A run whose response times are given."""

    def __init__(self, responses: list[float]) -> None:
        self._responses = iter(responses)

    def serve(
        self, arrivals: NDArray[np.float64], demands: NDArray[np.float64], choices: NDArray[np.float64]
    ) -> Records:
        """Each job runs at once."""
        response = np.array([next(self._responses) for _ in arrivals])
        return Records(arrivals, arrivals, arrivals + response, np.zeros(arrivals.size, dtype=np.int64))

    def drain(self) -> Records:
        """Nothing is left."""
        return Records(np.empty(0), np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))


# Batches of two jobs: means 1, 2, 4, 3 of JFFC and 2, 2, 5, 5 of the other policy.
JFFC, OTHER = [0.5, 1.5, 2, 2, 5, 3, 3, 3], [1.0, 3, 2, 2, 5, 5, 4, 6]


def outcomes(exact_s: float | None = None, **runs: list[float]) -> dict[str, Outcome]:
    """By policy; arrivals are whole seconds, so that sums are exact."""
    jobs = len(next(iter(runs.values())))
    given = {name: Given(responses) for name, responses in runs.items()}
    traffic = Traffic(Deterministic(1), Constant(), jobs)
    return {o.policy: o for o in compare(given, traffic, exact_s, warm_up=0, batches=4)}


def test_paired_differences_by_hand() -> None:
    """Without an exact mean the difference is that of the batches."""
    found = outcomes(jffc=JFFC, jsq=OTHER)

    # differences 1, 0, 1, 2: mean 1, variance 2/3, error √(2/3/4) = 0.408248; t_3(0.975) = 3.182446
    difference = found["jsq"].difference
    assert difference is not None
    assert difference.mean == pytest.approx(1)
    assert difference.half_width == pytest.approx(3.182446305 * 0.408248290, rel=1e-8)
    # means 2, 2, 5, 5: variance 3, error √(3/4)
    assert found["jsq"].mean.mean == pytest.approx(3.5)
    assert found["jsq"].mean.half_width == pytest.approx(3.182446305 * math.sqrt(0.75), rel=1e-8)
    assert found["jffc"].mean.mean == pytest.approx(2.5)
    assert found["jffc"].difference is None


def test_control_by_hand() -> None:
    """With JFFC's exact mean the batches are regressed on JFFC's, and the difference is that from the exact mean."""
    found = outcomes(2.0, jffc=JFFC, jsq=OTHER)

    # JFFC -1.5, -0.5, 1.5, 0.5 from its mean 2.5: spread 5; slope (-3 - 1 + 7.5 + 2.5)/5 = 1.2.
    # Mean 3.5 + 1.2 (2 - 2.5) = 2.9.
    # Residuals -1.5 + 1.8, -1.5 + 0.6, 1.5 - 1.8, 1.5 - 0.6: squares 0.09 + 0.81 + 0.09 + 0.81 = 1.8, variance 0.9.
    # Error √(0.9 (1/4 + 0.25/5)) = √0.27; t_2(0.975) = 4.302653
    jsq = found["jsq"]
    assert jsq.difference is not None
    assert jsq.mean.mean == pytest.approx(2.9)
    assert jsq.mean.half_width == pytest.approx(4.302652730 * math.sqrt(0.27), rel=1e-8)
    assert jsq.difference.mean == pytest.approx(0.9)
    assert jsq.difference.half_width == jsq.mean.half_width
    assert found["jffc"].mean.mean == pytest.approx(2.5)  # JFFC is simulated for itself


def test_the_same_as_jffc() -> None:
    """A policy that did the same on these jobs may differ on others: nothing is claimed of its mean but its own."""
    twin = outcomes(2.0, jffc=JFFC, twin=JFFC)["twin"]

    assert twin.difference is not None
    assert twin.difference.mean == 0
    assert np.isnan(twin.difference.half_width)
    assert twin.mean == twin.summary.response.interval()
    assert "in all but 0 of" in twin.reservations[0]


def test_mean_of_unequal_batches() -> None:
    """Without a control the mean is that of all jobs, as in the records."""
    # 5 jobs in batches of 1, 1, 1 and 2: the mean of 1, 1, 1, 6, 6 is 3, that of the batches 9/4
    unequal = outcomes(jsq=[1, 1, 1, 6, 6])["jsq"]

    assert unequal.summary.response.batches.tolist() == [1, 1, 1, 6]
    assert unequal.mean.mean == pytest.approx(3)


def test_without_jffc() -> None:
    """Without JFFC there is no difference and no control."""
    alone = outcomes(jsq=OTHER)["jsq"]

    assert alone.difference is None
    assert alone.mean.mean == pytest.approx(3.5)


def test_difference_of_thresholds_is_found() -> None:
    """The exact difference of two servers of rates 2 and 1/2 is within the interval, which is narrow."""
    # θ = 3 against JFFC, λ = 1: exact means by the state equations
    from chainopt.dispatch import threshold_response_time

    rates, capacities = np.array([2.0, 0.5]), np.array([1, 1])
    exact = jffc(rates, capacities, 1).mean_response_time_s
    expected = threshold_response_time(rates, capacities, 1, [1, 3]) - exact
    runs = {p: run_of(p, rates, capacities, 1 / rates[:, None], 200_000, [1, 3]) for p in ("jffc", "thresholds")}
    difference = compare(runs, Traffic(Poisson(1), Exponential(), 200_000, 5), exact)[1].difference

    assert difference is not None
    assert expected < -0.05
    assert abs(difference.mean - expected) < 2 * difference.half_width < 0.1 * abs(expected)


@pytest.mark.parametrize(
    ("arrivals", "sizes", "known"),
    [
        (Poisson(1), Exponential(), True),
        (Deterministic(1), Exponential(), False),
        (Poisson(1), Lognormal(1), False),
        (Poisson(2.5), Exponential(), False),
        (Recorded(np.arange(3.0)), Exponential(), False),
    ],
)
def test_exact_mean(arrivals: Arrivals, sizes: Sizes, known: bool) -> None:
    """JFFC is known exactly with Poisson arrivals and exponential sizes below a load of 1."""
    # λ = 1 on rates 2 and 1/2: as `jffc` says
    found = exact_mean_s([2, 0.5], [1, 1], Traffic(arrivals, sizes, 10))

    assert found == (jffc([2, 0.5], [1, 1], 1).mean_response_time_s if known else None)


def summary(duration_s: float, batches: list[float]) -> Summary:
    """Of a run so long, with batches of these means."""
    arrivals = np.linspace(0, duration_s, len(batches))
    gathering = Gathering(len(batches), warm_up=0, batches=len(batches), to_the_end=False)
    gathering.add(Records(arrivals, arrivals, arrivals + batches, np.zeros(len(batches), dtype=np.int64)))
    found = gathering.summary()
    return replace(found, response=replace(found.response, batches=np.array(batches)))


POISSON = Traffic(Poisson(1), Exponential(), 4)
ALIKE = [1.0, 2.0, 1.0, 2.0]


def test_no_doubts() -> None:
    """A run that is long enough is trusted."""
    # ν = 2, a load of 1/2: 100/(2 · 1/4) = 200 s a batch, 800 s for four
    assert doubts(summary(800, ALIKE), POISSON, 2) == []


def test_short_batches_by_hand() -> None:
    """Batches that are too short say by how much."""
    (doubt,) = doubts(summary(400, ALIKE), POISSON, 2)

    assert doubt == "batches last 100 s, at this load they should last 200 s: simulate 2 times the jobs"


@pytest.mark.parametrize(
    ("arrivals", "sizes", "needed"),
    [
        (Hyperexponential(1, 9), Exponential(), "1e+03 s"),  # (9 + 1)/2 = 5 times 200 s
        (Hyperexponential(1, 9), Constant(), "900 s"),  # (9 + 0)/2
        (Poisson(1), Lognormal(5), "600 s"),  # (1 + 5)/2
        (Deterministic(1), Constant(), "200 s"),  # less variation does not make batches shorter
    ],
)
def test_bursts_need_longer_batches(arrivals: Arrivals, sizes: Sizes, needed: str) -> None:
    """The more arrivals and sizes vary, the longer batches should last."""
    (doubt,) = doubts(summary(400, ALIKE), Traffic(arrivals, sizes, 4), 2)

    assert f"should last {needed}:" in doubt


@pytest.mark.parametrize(("rate", "load"), [(2.0, "1"), (3.0, "1.5"), (2e300, "1e+300")])
def test_too_much_load(rate: float, load: str) -> None:
    """At a load of 1 or more there is nothing to estimate, and nothing else is said."""
    found = doubts(summary(1, ALIKE), Traffic(Poisson(rate), Exponential(), 4), 2)

    assert found == [f"the load is {load}: the queue grows for as long as jobs come"]


def test_correlated_batches() -> None:
    """Batches that go up and down in waves depend on each other; those that go up and up do not keep up."""
    waves = [10 + float(np.sin(i / 3)) for i in range(20)]
    (doubt,) = doubts(summary(1e6, waves), POISSON, 2)
    assert doubt == "means of batches depend on each other: simulate more jobs"

    (doubt,) = doubts(summary(1e6, [float(i) for i in range(20)]), POISSON, 2)
    assert doubt.startswith("response times grow during the run")


def test_trace() -> None:
    """Of a trace this is said alone, however short or loaded."""
    traffic = Traffic(Recorded(np.array([0.0, 1, 2, 3])), Constant(), 4)
    for total_rate in (0.1, 100.0):
        (doubt,) = doubts(summary(3, ALIKE), traffic, total_rate)
        assert doubt.startswith("a trace is one realization")


def test_one_job() -> None:
    """A run of one job, which lasts no time until its last arrival, is doubted."""
    one: Any = Gathering(1, warm_up=0, batches=20, to_the_end=False)
    one.add(Records(np.ones(1), np.ones(1), np.full(1, 2.0), np.zeros(1, dtype=np.int64)))

    assert doubts(one.summary(), Traffic(Poisson(1), Exponential(), 1), 2) != []
