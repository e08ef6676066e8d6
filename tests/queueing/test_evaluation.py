"""The evaluation that stands in a file: the worked example end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chainopt.allocation.greedy import gca
from chainopt.placement.greedy import gbp_cr
from chainopt.queueing.bounds import response_bounds
from chainopt.queueing.evaluation import evaluate
from chainopt.queueing.exact import response_time
from tests.oracles.queues import markov_chain

if TYPE_CHECKING:
    from chainopt.model import Composition, Instance


@pytest.fixture
def composition(worked_example: Instance) -> Composition:
    return gca(worked_example, gbp_cr(worked_example, 1))


def test_worked_example(composition: Composition) -> None:
    """Chains of 3.05, 3.10 and 3.12 s with five jobs each at 3.5 jobs/s, against their Markov chain."""
    expected = markov_chain([1 / 3.05, 1 / 3.1, 1 / 3.12], [5, 5, 5], 3.5)
    found = evaluate(composition, 3.5)

    assert found.total_service_rate == pytest.approx(5 / 3.05 + 5 / 3.1 + 5 / 3.12, rel=1e-14)
    assert found.job_servers == 15
    assert found.load == pytest.approx(3.5 / found.total_service_rate, rel=1e-14)
    assert found.mean_response_time_s == pytest.approx(expected.mean_jobs / 3.5, rel=1e-12)
    assert found.waiting_probability == pytest.approx(expected.waiting, rel=1e-12)
    service = sum(s * t for s, t in zip(expected.shares, (3.05, 3.1, 3.12), strict=True))
    assert found.mean_service_time_s == pytest.approx(service, rel=1e-12)
    exact = response_time(composition, 3.5)
    assert (found.p95_response_time_s, found.p99_response_time_s) == (exact.quantile(0.95), exact.quantile(0.99))
    assert (found.lower_bound_s, found.upper_bound_s) == response_bounds(composition, 3.5)
    assert found.lower_bound_s < found.mean_response_time_s < found.upper_bound_s


def test_unstable(composition: Composition) -> None:
    """Where the load is too high the times are unknown, which is None, and the rest stands."""
    found = evaluate(composition, 5.0)

    assert found.load == pytest.approx(5 / composition.total_service_rate)
    assert found.load > 1
    assert found.mean_response_time_s is found.lower_bound_s is found.waiting_probability is None


def test_nothing_to_evaluate(composition: Composition) -> None:
    """Without chains there is no load."""
    nothing = composition.select([], composition.capacities[:0])
    found = evaluate(nothing, 1.0)

    assert (found.total_service_rate, found.job_servers, found.load) == (0, 0, None)
