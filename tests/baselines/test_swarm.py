"""SWARM as a system: who is given the next job, by hand, and what must hold of any records."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.baselines.swarm import swarm_faithful, swarm_tuned
from chainopt.baselines.swarm_routing import SwarmRun
from chainopt.errors import InfeasibleError
from chainopt.model import Instance, Placement
from chainopt.placement.swarm import swarm
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.pace import pace_by_size
from chainopt.simulation.records import Records, joined
from chainopt.simulation.sizes import Exponential
from tests.oracles.strategies import instances
from tests.placement.examples import small


def served(run: SwarmRun, arrivals: list[float]) -> tuple[list[tuple[int, ...]], Records]:
    """Servers of each job, and its times; all jobs are of size 1."""
    records = run.serve(np.array(arrivals, dtype=float), np.ones((len(arrivals), 1)), np.zeros(len(arrivals)))
    return [run.routes[route] for route in records.chain.tolist()], records


def test_priorities_by_hand() -> None:
    """One stage, servers of 1 s and 3 s, γ = 1/2 and ε = 1/1000, each job alone in the system."""
    instance = small([(9, 1, 0), (9, 3, 0)], blocks=1)
    run = SwarmRun(instance, Placement([0, 0], [1, 1]), pace_by_size(instance), smoothing=0.5)
    routes, _ = served(run, [0, 10, 20, 30, 40, 50, 60])

    # priorities and estimates before each job, ε = 0.001:
    # 0.001 0.001, 0.001   0.001   -> 0
    # 0.002 0.001, 0.5005  0.001   -> 1
    # 0.002 0.002, 0.5005  1.5005  -> 0, the tie to the first
    # 0.5025 0.002, 0.75025 1.5005 -> 1
    # 0.5025 1.5025, 0.75025 ...   -> 0
    # 1.25275 1.5025, 0.875125 ... -> 0
    # 2.127875 1.5025              -> 1
    assert routes == [(0,), (1,), (0,), (1,), (0,), (0,), (1,)]


def test_every_sender_has_its_own_priorities() -> None:
    """The client alternates between two heads, and each of them begins with the first tail."""
    instance = small([(9, 1, 0)] * 4, blocks=2)
    run = SwarmRun(instance, Placement([0, 0, 1, 1], [1, 1, 2, 2]), pace_by_size(instance))
    routes, records = served(run, [0, 0, 0, 0])

    assert routes == [(0, 2), (1, 2), (0, 3), (1, 3)]
    assert records.departure.tolist() == [2] * 4


def test_jobs_wait_at_servers() -> None:
    """One slot each; the job that is third goes to the first server again, which is free at 1, whatever is idle."""
    instance = small([(1.1, 1, 0), (1.1, 5, 0)], blocks=1)
    run = SwarmRun(instance, Placement([0, 0], [1, 1]), pace_by_size(instance))
    routes, records = served(run, [0, 0, 0, 0, 20])

    assert routes == [(0,), (1,), (0,), (1,), (0,)]
    assert records.start.tolist() == [0, 0, 1, 5, 20]


def test_waits_count() -> None:
    """γ = 1: what the last job took, its wait included, is the estimate."""
    instance = small([(1.1, 1, 0), (1.1, 1.5, 0)], blocks=1)
    run = SwarmRun(instance, Placement([0, 0], [1, 1]), pace_by_size(instance), smoothing=1, initial_s=2**-10)
    routes, _ = served(run, [0, 0, 0, 0, 0, 10, 11, 12, 30])

    # At once 1, 2, 3 s at the first and 1.5, 3 s at the second, so 3 s is what both are thought to take at 10, with
    # priorities 4ε and 3ε. Second, 3 + 3ε; first, 3 + 4ε; second, since without the wait the first were at 1 + 4ε;
    # and that took 1.5 s from 10 on, so 4.5 + 3ε, and the first again.
    assert routes == [(0,), (1,), (0,), (1,), (0,), (1,), (0,), (1,), (0,)]


@settings(deadline=None, max_examples=60)
@given(
    instance=instances(least_servers=1),
    jobs=st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 8]), st.integers(0, 8)), max_size=30),
    cut=st.floats(0, 1),
)
def test_what_holds_of_any_records(instance: Instance, jobs: list[tuple[int, int]], cut: float) -> None:
    """One server of each stage, first come, first served at each, no slot twice; in one stretch as in two."""
    try:
        placement = swarm(instance)
    except InfeasibleError:
        with pytest.raises(InfeasibleError):
            swarm_faithful(instance)
        return
    pace = pace_by_size(instance)
    arrivals = np.cumsum([gap for gap, _ in jobs], dtype=float)
    sizes = np.array([[size / 4] for _, size in jobs]).reshape(-1, 1)
    half = round(cut * len(jobs))
    luck = np.zeros(len(jobs))
    whole, parts = (SwarmRun(instance, placement, pace) for _ in range(2))
    records = joined([whole.serve(arrivals, sizes, luck), whole.drain()])
    again = joined([parts.serve(arrivals[cut], sizes[cut], luck[cut]) for cut in (slice(half), slice(half, None))])
    for name in ("arrival", "start", "departure", "chain"):
        np.testing.assert_array_equal(getattr(again, name), getattr(records, name))

    assert np.all(records.start >= records.arrival)
    for route in whole.routes:
        assert [int(placement.start[j]) for j in route] == [0, *(int(placement.stop[j]) for j in route[:-1])]
        assert placement.stop[route[-1]] == instance.service.blocks
    slots = instance.memory.slots(placement.sizes)
    for j, blocks in enumerate(placement.sizes.tolist()):
        here = np.array([j in whole.routes[route] for route in records.chain.tolist()], dtype=bool)
        start, departure = records.start[here], records.departure[here]
        lasting = departure > start
        for now in start.tolist():
            assert blocks * np.sum(lasting & (start <= now) & (departure > now)) <= slots[j]


def test_deployed() -> None:
    """Two stages of 2 blocks; an idle system serves in 2 (1 + 2 · 0.5) = 4 s in the mean. Pins are not in it."""
    instance = small([(3, 1, 0.5), (9, 1, 9), (3, 1, 0.5)], blocks=4, pins={1: (1, 3)})
    for system in (swarm_faithful, swarm_tuned):
        deployment = system(instance, seed=1)
        summary = observe(deployment.run(20_000), Traffic(Poisson(0.01), Exponential(), 20_000, 1))

        assert deployment.parameters == {"stages": 2}
        assert (deployment.placement.start[1], deployment.placement.stop[1]) == (1, 3)
        assert summary.response.mean == pytest.approx(4, rel=0.05)


def test_not_in_stages() -> None:
    """Ranges that overlap, a gap, and a stage without cache are refused."""
    instance = small([(9, 1, 1), (9, 1, 1)], blocks=3)
    for placement in (Placement([0, 1], [2, 3]), Placement([0, 2], [1, 3]), Placement([0, 0], [2, 2])):
        with pytest.raises(ValueError, match="expected a placement in stages"):
            SwarmRun(instance, placement, pace_by_size(instance))
    with pytest.raises(InfeasibleError, match="no server of the stage of the blocks 1 to 3 has the cache for one job"):
        SwarmRun(small([(9, 1, 1), (2.1, 1, 1)], blocks=3), Placement([0, 1], [1, 3]), pace_by_size(instance))
