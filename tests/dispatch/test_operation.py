"""A composition in operation: how long jobs take, and the cache slots that they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from chainopt.allocation import gca
from chainopt.dispatch.operation import Operation
from chainopt.model import Instance
from chainopt.model.placement import checked_slots
from chainopt.placement import gbp_cr
from chainopt.simulation import POLICIES, Records
from chainopt.simulation.arrivals import Poisson, Recorded
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.pace import Pace, pace_by_size
from chainopt.simulation.records import joined
from chainopt.simulation.routing import ROUTING
from chainopt.simulation.sizes import Constant, Exponential, TokenSizes
from chainopt.simulation.summary import Summary

if TYPE_CHECKING:
    from chainopt.simulation.engine import Run

CHAINS = [name for name in POLICIES if name != "thresholds"]


def operated(instance: Instance, pace: Pace | None = None, expected: tuple[float, ...] | None = None) -> Operation:
    """GBP-CR and GCA on the instance."""
    composition = gca(instance, gbp_cr(instance, 1))
    return Operation(instance, composition, pace_by_size(instance) if pace is None else pace, expected)


def served(operation: Operation, policy: str, traffic: Traffic, **options: Any) -> tuple[Run, Summary, Records]:
    """The run, its summary and its records."""
    parts: list[Records] = []
    run = operation.run(policy, traffic.jobs)
    summary = observe(run, traffic, each=parts.append, **options)
    return run, summary, joined(parts)


def test_times_are_exact(worked_example: Instance) -> None:
    """A job of size 1 takes the service time of its chain, to the last bit."""
    operation = operated(worked_example)
    _, _, records = served(operation, "jsq", Traffic(Recorded(np.zeros(40)), Constant(), 40))

    times = operation.composition.service_times_s[records.chain]
    assert set(records.chain.tolist()) == set(range(operation.composition.capacities.size))
    np.testing.assert_array_equal(records.departure, records.start + times)


def test_token_pace_by_hand(worked_example: Instance) -> None:
    """With several demands each hop adds up what it takes for each of them."""
    # each hop: 1 s a job, 0.1 s a step; each block: 0.01 s a token in.  3 blocks, h hops, 5 tokens in, 2 - 1 steps:
    # 1.1 h + 3 · 5 · 0.01
    servers = len(worked_example.servers)
    pace = Pace(np.tile([1.0, 0, 0.1], (servers, 1)), np.tile([0.0, 0.01, 0], (servers, 1)))
    operation = operated(worked_example, pace, (1.0, 5.0, 1.0))
    traffic = Traffic(Recorded(np.arange(9.0) * 100), TokenSizes(np.full(9, 5), np.full(9, 2)), 9)
    for policy in ("split", "ws-rr"):
        run, _, records = served(operation, policy, traffic)
        hops = np.array([len(servers) for servers, _ in operation.ways(run)])
        np.testing.assert_allclose(records.service, 1.1 * hops[records.chain] + 0.15, rtol=1e-9)


@pytest.mark.parametrize("policy", [*CHAINS, *ROUTING])
@pytest.mark.parametrize("options", [{}, {"warm_up": 0.0, "to_the_end": True}, {"warm_up": 0.5}])
def test_slots_in_use(policy: str, options: dict[str, Any], worked_example: Instance) -> None:
    """Slots in the mean over time as from a sweep over starts and departures, and never more than there are."""
    operation = operated(worked_example)
    traffic = Traffic(Poisson(6), Exponential(), 400, seed=2)
    run, summary, records = served(operation, policy, traffic, **options)

    first = int(options.get("warm_up", 0.1) * 400)
    since = records.arrival[first]
    until = records.departure.max() if "to_the_end" in options else records.arrival[-1]
    held = np.zeros((records.chain.size, len(worked_example.servers)))
    for job, way in enumerate(records.chain.tolist()):
        servers, blocks = operation.ways(run)[way]
        held[job, list(servers)] = blocks
    moments = np.unique(np.clip(np.concatenate([records.start, records.departure]), since, until))
    moments = np.unique(np.concatenate([moments, [since, until]]))
    area, most = np.zeros(held.shape[1]), np.zeros(held.shape[1])
    for t, length in zip(moments, np.diff(moments), strict=False):
        now = held[(records.start <= t) & (t < records.departure)].sum(axis=0)
        area += length * now
        most = np.maximum(most, now)
    slots = checked_slots(worked_example, operation.composition.placement)
    assert np.all(most <= slots)
    np.testing.assert_allclose(operation.slots_in_use(run, summary), area / (until - since) / slots, rtol=1e-9)


def test_slots_of_servers_that_have_none(worked_example: Instance) -> None:
    """A server without blocks has no cache to use."""
    useless = worked_example.servers[0].replace(id="s6", memory_gb=0.5)
    instance = worked_example.replace(servers=[*worked_example.servers, useless])
    operation = operated(instance)
    run, summary, _ = served(operation, "jffc", Traffic(Poisson(1), Exponential(), 100))
    found = operation.slots_in_use(run, summary)

    assert np.isnan(found).tolist() == [False] * 5 + [True]
    assert np.all(found[:5] >= 0)


def test_slots_of_no_time(worked_example: Instance) -> None:
    """A run that lasts no time uses no share of anything, and does not divide by zero."""
    operation = operated(worked_example)
    run, summary, _ = served(operation, "jffc", Traffic(Poisson(1), Exponential(), 1))

    assert summary.duration_s == 0
    assert not np.any(operation.slots_in_use(run, summary) > 0)


@pytest.mark.parametrize("policy", [*CHAINS, *ROUTING])
def test_ways(policy: str, worked_example: Instance) -> None:
    """Every job goes through all blocks in order, whichever way it takes."""
    operation = operated(worked_example)
    run, _, records = served(operation, policy, Traffic(Poisson(4), Exponential(), 300))
    ways = operation.ways(run)

    assert records.chain.max() < len(ways)
    for servers, blocks in ways:
        placement, at = operation.composition.placement, 0
        for j, n in zip(servers, blocks, strict=True):
            assert placement.start[j] <= at
            at += n
            assert placement.stop[j] == at
        assert at == worked_example.service.blocks
