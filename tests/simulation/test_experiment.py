"""Runs on drawn traffic: what depends on the seed, what does not, and the exact mean."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from chainopt.queueing import jffc
from chainopt.simulation import Records, experiment
from chainopt.simulation.arrivals import Deterministic, Hyperexponential, MarkovModulated, Poisson, Recorded
from chainopt.simulation.engine import run_of
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.records import joined
from chainopt.simulation.sizes import Exponential, Lognormal, TokenSizes
from chainopt.simulation.summary import Summary

RATES, CAPACITIES = np.array([1.0, 0.4, 0.7]), np.array([3, 5, 2])


def served(policy: str, traffic: Traffic, **options: Any) -> tuple[Summary, Records]:
    """Summary and records of a run on three chains."""
    parts: list[Records] = []
    run = run_of(policy, RATES, CAPACITIES, 1 / RATES[:, None], traffic.jobs, np.array([1, 6, 2]))
    return observe(run, traffic, each=parts.append, **options), joined(parts)


def figures(summary: Summary) -> list[Any]:
    """All numbers of a summary."""
    return [x.tolist() if isinstance(x, np.ndarray) else x for x in _flat(dataclasses.asdict(summary))]


def _flat(value: Any) -> list[Any]:
    return [x for part in value.values() for x in _flat(part)] if isinstance(value, dict) else [value]


def test_seeds() -> None:
    """The same seed gives the same figures, another one others."""
    traffic = Traffic(Poisson(5), Lognormal(2), 5000, seed=3)

    assert figures(served("jiq", traffic)[0]) == figures(served("jiq", traffic)[0])
    assert figures(served("jiq", traffic)[0]) != figures(served("jiq", dataclasses.replace(traffic, seed=4))[0])


def test_policies_see_the_same_jobs() -> None:
    """Arrivals and sizes are the same, whatever the policy does with them."""
    traffic = Traffic(Hyperexponential(5, 4), Exponential(), 3000, seed=1)
    expected = served("jffc", traffic)[1]
    sizes = expected.service * RATES[expected.chain]
    for policy in ("thresholds", "jsq", "random", "split"):
        records = served(policy, traffic)[1]
        np.testing.assert_array_equal(records.arrival, expected.arrival)
        np.testing.assert_allclose(records.service * RATES[records.chain], sizes, rtol=1e-9, atol=1e-9)
        assert np.any(records.chain != expected.chain)


def test_draws_are_apart() -> None:
    """Sizes do not depend on the law of arrivals, nor arrivals on that of sizes."""
    first, second = (
        next(Traffic(arrivals, sizes, 500, seed=9).stretches())
        for arrivals, sizes in ((Poisson(2), Exponential()), (Deterministic(2), Exponential()))
    )
    third = next(Traffic(Poisson(2), Lognormal(1), 500, seed=9).stretches())

    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(first[0], third[0])
    np.testing.assert_array_equal(first[2], third[2])
    assert np.any(first[0] != second[0])


TOKENS = np.arange(1, 1001)
LAWS = {
    "poisson": (Poisson(5), Exponential()),
    "bursts": (MarkovModulated(5, 10, 0.1, 3), Lognormal(3)),
    "trace": (Recorded(np.sqrt(np.arange(1000.0))), TokenSizes(TOKENS, TOKENS[::-1].copy())),
}


@pytest.mark.parametrize("stretch", [1, 7, 999, 1000])
@pytest.mark.parametrize("laws", LAWS)
def test_stretches(laws: str, stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn does not depend on the stretches in which it is drawn, which add up to all the jobs."""
    traffic = Traffic(*LAWS[laws], 1000, seed=2)
    (whole,) = traffic.stretches()
    monkeypatch.setattr(experiment, "STRETCH", stretch)
    parts = list(traffic.stretches())

    assert [len(part[0]) for part in parts[:-1]] == [stretch] * (len(parts) - 1)
    for found, expected in zip(zip(*parts, strict=True), whole, strict=True):
        np.testing.assert_array_equal(np.concatenate(found), expected)


@pytest.mark.parametrize("policy", ["jffc", "thresholds", "jiq", "split"])
def test_summary_without_stretches(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do figures, but for rounding."""
    traffic = Traffic(Poisson(5.9), Exponential(), 4000)
    expected, records = served(policy, traffic)
    monkeypatch.setattr(experiment, "STRETCH", 333)
    summary, in_stretches = served(policy, traffic)

    np.testing.assert_array_equal(in_stretches.departure, records.departure)
    for found, whole in zip(figures(summary), figures(expected), strict=True):
        np.testing.assert_allclose(found, whole, rtol=1e-9)


@pytest.mark.parametrize(
    ("rates", "capacities", "load"),
    [
        ([1.0], [1], 0.5),
        ([1.0], [4], 0.8),
        ([1.0, 0.2], [2, 6], 0.6),
        ([0.3, 1.0, 0.05], [5, 3, 20], 0.7),
        ([1.0, 1.0, 0.5], [1, 1, 1], 0.85),
    ],
)
def test_exact_mean(rates: list[float], capacities: list[int], load: float) -> None:
    """JFFC's exact mean is within four standard errors of 300,000 jobs, and Little's law holds."""
    arrival_rate = load * float(np.dot(rates, capacities))
    traffic = Traffic(Poisson(arrival_rate), Exponential(), 300_000, seed=11)
    summary = observe(run_of("jffc", rates, capacities, 1 / np.array(rates)[:, None], traffic.jobs), traffic)
    exact = jffc(rates, capacities, arrival_rate)

    estimate = summary.response.interval()
    error = estimate.half_width / t.ppf(0.975, 19)
    assert abs(estimate.mean - exact.mean_response_time_s) < 4 * error
    assert error < 0.03 * estimate.mean
    assert summary.mean_jobs == pytest.approx(summary.jobs / summary.duration_s * estimate.mean, rel=2e-3)


def test_warm_up_and_batches() -> None:
    """Options go to the summary."""
    summary, _ = served("jffc", Traffic(Poisson(5), Exponential(), 1000), warm_up=0.25, batches=5)

    assert (summary.jobs, summary.response.batches.size) == (750, 5)
    whole, records = served("jffc", Traffic(Poisson(5), Exponential(), 1000), warm_up=0, to_the_end=True)
    assert whole.duration_s == records.departure.max() - records.arrival[0]
