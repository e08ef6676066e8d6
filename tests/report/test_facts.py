"""The numbers of a report: by hand, and against other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest

from chainopt.allocation import gca
from chainopt.answer import Answer
from chainopt.model import Instance, Objective, Solution, Status
from chainopt.outage import remaining
from chainopt.placement import gbp_cr
from chainopt.queueing import evaluate, jffc, jffc_bounds
from chainopt.report.facts import LOADS, Facts, facts
from tests.report.systems import many, one_chain, two_chains


def test_by_hand() -> None:
    """Memory, slots and rates of the two chains, as the sums of their docstring say."""
    shown = facts(*two_chains())
    a, b, c, d, e = shown.servers
    assert [(s.start, s.stop, s.blocks) for s in shown.servers] == [
        (0, 4, 4),
        (4, 10, 6),
        (0, 10, 10),
        (0, 2, 2),
        (0, 0, 0),
    ]
    # a: 4 blocks, 2 jobs at 4 blocks: 8 slots of 0.25 GB; room for (12 - 4) / 0.25 = 32
    assert (a.memory_gb, a.blocks_gb, a.cache_gb, a.free_gb, a.used_slots, a.slots) == (12, 4, 2, 6, 8, 32)
    assert (b.blocks_gb, b.cache_gb, b.free_gb, b.used_slots, b.slots) == (6, 3, 3, 12, 24)
    assert (c.memory_gb, c.reserve_gb, c.blocks_gb, c.cache_gb, c.free_gb, c.slots) == (13, 0.5, 10, 2.5, 0, 10)
    assert (d.blocks_gb, d.cache_gb, d.free_gb, d.chains) == (2, 0, 10, ())
    assert (e.free_gb, e.slots, e.idle) == (12, 0, 1)
    assert [chain.rate for chain in shown.chains] == pytest.approx([2 / 3, 1 / 2])
    assert [s.rate_without for s in shown.servers] == pytest.approx([1 / 2, 1 / 2, 2 / 3, 7 / 6, 7 / 6])
    assert [s.chains for s in shown.servers] == [(0,), (0,), (1,), (), ()]
    assert shown.total_service_rate == pytest.approx(7 / 6)
    assert shown.evaluation.load == pytest.approx(3 / 7)


def test_one_chain_is_a_queue_of_two_servers() -> None:
    """A chain of capacity c alone is M/M/c: with c = 2 the mean is T / (1 - ρ²), and each job is its own."""
    shown = facts(*one_chain())
    # T = 2 · (1 + 0.5 · 4) = 6 s, ρ = 0.1 · 6 / 2 = 0.3
    assert shown.evaluation.mean_response_time_s == pytest.approx(6 / (1 - 0.3**2))
    (chain,) = shown.chains
    assert (chain.share, chain.busy) == (pytest.approx(1), pytest.approx(0.3))
    assert [s.free_gb for s in shown.servers] == [0, 0]


@pytest.fixture(params=["worked", "many"])
def shown(request: pytest.FixtureRequest, worked_example: Instance) -> Facts:
    """The worked example, with chains that meet, and a system of many chains."""
    if request.param == "many":
        return facts(*many(20))
    composition = gca(worked_example, gbp_cr(worked_example, 1))
    answer = Answer(worked_example, "gbp-cr+gca", Objective.RESPONSE_TIME, 0, {})
    return facts(worked_example, answer.solution(Status.FEASIBLE, composition))


def test_without_a_server(shown: Facts) -> None:
    """What is left without a server is what `outage` says."""
    composition = shown.solution.bind(shown.instance).composition
    for j, server in enumerate(shown.servers):
        left = remaining(composition, [j])
        assert server.rate_without == pytest.approx(left.total_service_rate)


def test_sums(shown: Facts) -> None:
    """Memory adds up at each server, shares over chains, and busy job servers to λ times the mean service time."""
    for server in shown.servers:
        parts = server.reserve_gb + server.blocks_gb + server.cache_gb + server.free_gb
        assert parts == pytest.approx(server.memory_gb)
        assert server.free_gb >= 0
        assert server.used_slots <= server.slots
    assert sum(chain.share or 0 for chain in shown.chains) == pytest.approx(1)
    busy = sum((chain.busy or 0) * chain.capacity for chain in shown.chains)
    assert busy == pytest.approx(shown.arrival_rate * (shown.evaluation.mean_service_time_s or 0))


def test_curve(shown: Facts) -> None:
    """Each point is the exact mean between its bounds; the operating point is one; rates ascend below the limit."""
    composition = shown.solution.bind(shown.instance).composition
    rates, capacities = composition.service_rates, composition.capacities
    assert len(shown.curve) == len(LOADS) + 1
    assert np.all(np.diff([point.arrival_rate for point in shown.curve]) > 0)
    assert shown.curve[-1].arrival_rate < shown.total_service_rate
    (here,) = [point for point in shown.curve if point.arrival_rate == shown.arrival_rate]
    assert here.mean_s == shown.evaluation.mean_response_time_s
    assert here.p95_s == shown.evaluation.p95_response_time_s
    for point in shown.curve[::10]:
        assert point.mean_s == pytest.approx(jffc(rates, capacities, point.arrival_rate).mean_response_time_s)
        assert (point.lower_s, point.upper_s) == pytest.approx(jffc_bounds(rates, capacities, point.arrival_rate))
        assert point.lower_s <= point.mean_s * (1 + 1e-12)


def test_another_arrival_rate() -> None:
    """Everything is at the rate that is asked for."""
    instance, solution = two_chains()
    shown = facts(instance, solution, 0.9)
    assert shown.evaluation == evaluate(solution.bind(instance).composition, 0.9)


@pytest.mark.parametrize("rate", [7 / 6, 1.2, 5.0])
def test_unstable(rate: float) -> None:
    """At a load of 1 or more there are no times, but everything else."""
    shown = facts(*two_chains(), rate)
    assert not shown.stable
    assert shown.quantiles == ()
    assert [chain.share for chain in shown.chains] == [None, None]
    assert len(shown.curve) == len(LOADS)


def test_bound() -> None:
    """The gap is the distance from the file's bound; at another arrival rate only a bound on the rate is one."""
    instance, solution = two_chains()
    mean = facts(instance, solution).evaluation.mean_response_time_s
    assert mean is not None
    assert facts(instance, solution).bound is None
    bounded = solution.replace(bound=mean / 2)
    found = facts(instance, bounded).bound
    assert found is not None
    assert (found.value, found.unit, found.gap) == (mean, "s", pytest.approx(0.5))
    assert facts(instance, bounded, 0.4).bound is None

    on_rate: Solution = solution.replace(objective=Objective.RATE, bound=7 / 3)
    for rate in (None, 0.4, 2.0):
        found = facts(instance, on_rate, rate).bound
        assert found is not None
        assert (found.unit, found.gap) == ("jobs/s", pytest.approx(0.5))
