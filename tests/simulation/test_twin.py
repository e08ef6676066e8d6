"""The compiled engine against the plain one: the same records to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from chainopt.simulation import simulate
from chainopt.simulation.plain import simulate_plainly
from chainopt.simulation.records import Records
from chainopt.simulation.rules import RULES
from tests.simulation.systems import Stream, streams


def assert_same(found: Records, expected: Records) -> None:
    np.testing.assert_array_equal(found.arrival, expected.arrival)
    np.testing.assert_array_equal(found.chain, expected.chain)
    np.testing.assert_array_equal(found.start, expected.start)
    np.testing.assert_array_equal(found.departure, expected.departure)


@pytest.mark.parametrize("whole_times", [True, False])
@pytest.mark.parametrize("policy", RULES)
def test_twins(policy: str, whole_times: bool) -> None:
    """Systems with ties of every kind and without, jobs that take no time, equal rates, chains of capacity 0."""

    @settings(max_examples=60, deadline=None)
    @given(stream=streams(whole_times=whole_times, least_demand=0))
    def check(stream: Stream) -> None:
        found = simulate(
            stream.rates,
            stream.capacities,
            policy,
            arrivals=stream.arrivals,
            sizes=stream.demands,
            pace=stream.pace,
            choices=stream.choices,
            thresholds=stream.thresholds if policy == "thresholds" else None,
        )

        assert_same(found, simulate_plainly(*stream[:2], RULES[policy](), *stream[2:]))

    check()


@pytest.mark.parametrize("policy", RULES)
def test_many_chains(policy: str) -> None:
    """Twelve chains and a few thousand jobs at a load that comes and goes: long queues, and sums of many terms."""
    random = np.random.default_rng(7)
    rates = random.choice([0.1, 0.3, 0.7, 1.1, 1.3], 12)
    capacities = random.integers(0, 4, 12)
    burst = 1 / np.repeat([0.5, 1.6, 0.3, 1.1], 750) / np.dot(rates, capacities)
    arrivals = np.cumsum(random.exponential(burst))
    sizes = random.lognormal(-0.5, 1, arrivals.size)
    choices = random.random(arrivals.size)
    thresholds = random.integers(1, 5, 12) if policy == "thresholds" else None
    if thresholds is not None:
        thresholds[rates == np.max(rates[capacities > 0])] = 1

    found, expected = (
        simulate(
            rates,
            capacities,
            policy,
            arrivals=arrivals,
            sizes=sizes,
            thresholds=thresholds,
            choices=choices,
            engine=engine,
        )
        for engine in ("compiled", "plain")
    )

    assert_same(found, expected)
