"""The largest arrival rate for a target."""

from __future__ import annotations

import math

import pytest

import chainopt
from chainopt.errors import InfeasibleError
from chainopt.model import Instance, Server, Service, Workload
from chainopt.sizing import Target, largest_rate
from chainopt.sizing.rate import highest_rate


def one_server(memory_gb: float = 2, **changes: object) -> Instance:
    """One server with one block and room for (M - 1) / 0.5 jobs, which take 2 s each."""
    return Instance(
        name="one",
        service=Service(blocks=1, block_gb=1, cache_gb=0.5),
        workload=Workload(arrival_rate=1),
        servers=[Server(id="s", memory_gb=memory_gb, comm_s=1, comp_s_per_block=1)],
    ).replace(**changes)


def test_a_queue_with_one_job_at_a_time() -> None:
    """M/M/1 with μ = 1/2: E[T] = 1 / (μ - λ) <= 10 up to λ = 0.4, and no policy does better."""
    found = largest_rate(one_server(1.5), Target(10), iterations=10)
    assert found.solution is not None
    assert float(found.instance.workload.arrival_rate) == pytest.approx(0.4, rel=1e-5)
    assert found.value_s is not None
    assert found.value_s <= 10
    assert 0.4 <= found.bound <= 0.4 * 1.002
    assert chainopt.verify(found.instance, found.solution) == []


def test_a_quantile_of_a_queue_with_one_job_at_a_time() -> None:
    """Response times of M/M/1 are exponential: the 95 % quantile is ln 20 / (μ - λ) <= 30 up to μ - ln 20 / 30."""
    found = largest_rate(one_server(1.5), Target(30, 0.95), iterations=10)
    expected = 0.5 - math.log(20) / 30
    assert float(found.instance.workload.arrival_rate) == pytest.approx(expected, rel=1e-5)
    assert found.bound >= expected


def test_a_target_that_no_job_can_meet() -> None:
    """A job takes 2 s alone, and its 95 % quantile is 2 ln 20 = 5.99 s: less is impossible at any rate."""
    for target in (Target(1.99), Target(5.9, 0.95)):
        found = largest_rate(one_server(), target, iterations=10)
        assert found.solution is None
        assert found.bound == 0
    assert largest_rate(one_server(), Target(6.1, 0.95), iterations=10).solution is not None


def test_the_rate_is_met_and_a_larger_one_is_not(worked_example: Instance) -> None:
    """What is found meets the target on the worked example; at the bound nothing does."""
    target = Target(4.0)
    found = largest_rate(worked_example, target, iterations=2000)
    assert found.solution is not None
    rate = float(found.instance.workload.arrival_rate)
    composition = found.solution.composition
    assert target.met(target.value_s(composition, rate))
    assert not target.met(target.value_s(composition, rate * 1.0001))
    assert rate <= found.bound
    assert highest_rate(composition, target) == pytest.approx(rate, rel=1e-5)


def test_no_composition_at_all() -> None:
    """Where no block fits, that is said."""
    with pytest.raises(InfeasibleError):
        largest_rate(one_server(0.5), Target(10), iterations=1)


@pytest.mark.parametrize("arguments", [(0.0,), (math.inf,), (1.0, 0.0), (1.0, 1.0)])
def test_targets_that_make_no_sense(arguments: tuple[float, ...]) -> None:
    """Times are finite and positive, probabilities between 0 and 1."""
    with pytest.raises(ValueError, match="expected"):
        Target(*arguments)


def test_a_target_that_is_met_at_hardly_any_rate() -> None:
    """A target just above the service time leaves next to nothing: no rate that an instance can have, no traceback."""
    instance = Instance(
        name="one",
        service=Service(blocks=4, block_gb=1, cache_gb=0.5),
        workload=Workload(arrival_rate=1),
        servers=[Server(id="s", memory_gb=6, comm_s=0.1, comp_s_per_block=0.2)],
    )
    for target in (0.9, 0.9000000001, 0.90001):
        found = largest_rate(instance, Target(target), iterations=20)
        assert found.solution is None or float(found.instance.workload.arrival_rate) < 0.01
