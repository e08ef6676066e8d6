"""Parallax as a system: pipelines that take turns, by hand and event by event, and which pipelines are registered."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.baselines import SYSTEMS
from chainopt.baselines.parallax import parallax_faithful, parallax_tuned, registered
from chainopt.baselines.round_robin import RoundRobinRun
from chainopt.errors import InfeasibleError
from chainopt.model import Placement
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.records import Records, joined
from chainopt.simulation.sizes import Exponential
from tests.placement.examples import small


def served(run: RoundRobinRun, arrivals: list[float], sizes: list[float] | None = None) -> Records:
    """All jobs, of size 1 unless said otherwise."""
    demands = np.ones(len(arrivals)) if sizes is None else np.array(sizes)
    return joined([run.serve(np.array(arrivals, dtype=float), demands[:, None], np.zeros(len(arrivals))), run.drain()])


def test_turns_by_hand() -> None:
    """1 s and 2 s, one job each: in turn, then whichever departs first; full pipelines are passed over."""
    run = RoundRobinRun(np.array([[1.0], [2.0]]), np.array([1, 1]))
    records = served(run, [0, 0, 0, 0, 10, 11, 11.5])

    assert records.chain.tolist() == [0, 1, 0, 0, 1, 0, 0]
    # at 2 and at 12 both are free, and it is the second's turn, but the first is free first
    assert records.start.tolist() == [0, 0, 1, 2, 10, 11, 12]
    assert records.departure.tolist() == [1, 2, 2, 3, 12, 12, 13]


def test_turn_is_behind_the_one_that_took_the_last_job() -> None:
    """Of three the second is full at its turn, so the third takes the job, and then it is the first's turn."""
    run = RoundRobinRun(np.array([[1.0], [9.0], [1.0]]), np.array([1, 1, 1]))

    assert served(run, [0, 0, 5, 6, 7, 8]).chain.tolist() == [0, 1, 2, 0, 2, 0]


def event_by_event(
    arrivals: list[float], sizes: list[float], pace: list[float], capacities: list[int]
) -> list[tuple[int, float, float]]:
    """Pipeline, start and departure of each job, slowly."""
    running = [0] * len(pace)
    ends: list[tuple[float, int]] = []
    results: list[tuple[int, float, float]] = []
    turn = 0
    events = [*arrivals]
    come = 0
    while len(results) < len(arrivals):
        if ends and (come == len(events) or ends[0][0] <= events[come]):
            now, k = heappop(ends)
            running[k] -= 1
        else:
            now = events[come]
            come += 1
        while len(results) < come and any(r < c for r, c in zip(running, capacities, strict=True)):
            while running[turn] == capacities[turn]:
                turn = (turn + 1) % len(pace)
            end = now + sizes[len(results)] * pace[turn]
            results.append((turn, now, end))
            running[turn] += 1
            heappush(ends, (end, turn))
            turn = (turn + 1) % len(pace)
    return results


@settings(deadline=None, max_examples=100)
@given(
    pipelines=st.lists(st.tuples(st.integers(1, 8), st.integers(1, 2)), min_size=1, max_size=4),
    jobs=st.lists(st.tuples(st.sampled_from([0, 0, 1, 2, 9]), st.integers(0, 8)), max_size=25),
    cut=st.floats(0, 1),
)
def test_as_event_by_event(pipelines: list[tuple[int, int]], jobs: list[tuple[int, int]], cut: float) -> None:
    """The same in one stretch and in two."""
    pace, capacities = [seconds / 8 for seconds, _ in pipelines], [c for _, c in pipelines]
    arrivals, sizes = np.cumsum([gap for gap, _ in jobs]) / 8, np.array([size for _, size in jobs]) / 4
    expected = event_by_event(arrivals.tolist(), sizes.tolist(), pace, capacities)
    half = round(cut * len(jobs))
    for cuts in ([0, len(jobs)], [0, half, len(jobs)]):
        run = RoundRobinRun(np.array(pace)[:, None], np.array(capacities))
        parts = [run.serve(arrivals[a:b].astype(float), sizes[a:b, None], np.zeros(b - a)) for a, b in pairwise(cuts)]
        records = joined([*parts, run.drain()])
        found = zip(records.chain.tolist(), records.start.tolist(), records.departure.tolist(), strict=True)
        assert list(found) == expected


def test_registered_by_hand() -> None:
    """From head 0 the cheap tail; head 1 comes first because its cheapest pipeline is cheaper, and has taken that."""
    # L = 3. Heads 0 and 1 host block 0, tails 2 and 3 the rest, server 4 blocks 1 and 2 of another kind of split.
    instance = small([(9, 1, 5), (9, 1, 4), (9, 2, 1), (9, 1, 3), (9, 1, 9)], blocks=3)
    placement = Placement([0, 0, 1, 1, 2], [1, 1, 3, 3, 3])

    # one layer each and the ways behind the first: head 1 with 2: 4 + 1 + 2 = 7, with 3: 4 + 3 + 1 = 8; head 0: 8, 9
    assert registered(instance, placement, layers=False) == [[1, 2], [0, 3]]
    # all layers and ways: 1 with 2: 5 + 2 + 2 = 9, with 3: 5 + 1 + 6 = 12
    assert registered(instance, placement, layers=True) == [[1, 2], [0, 3]]


def test_cost_of_one_layer_misleads() -> None:
    """A tail of 8 slow layers looks cheaper than one of 2 + 6 with a long way; with all layers it is not."""
    instance = small([(20, 0, 1), (20, 0, 2), (20, 3, 1)], blocks=9)
    placement = Placement([0, 1, 1], [1, 9, 9])

    # 1 + 2 + 0 < 1 + 1 + 3, but 1 + 2 · 8 > 1 + 3 + 1 · 8
    assert registered(instance, placement, layers=False) == [[0, 1]]
    assert registered(instance, placement, layers=True) == [[0, 2]]


def test_pipelines_end_exactly_where_the_next_begins() -> None:
    """What overlaps is no pipeline."""
    instance = small([(9, 1, 1)] * 2, blocks=3)

    assert registered(instance, Placement([0, 1], [2, 3]), layers=False) == []
    assert registered(instance, Placement([0, 2], [2, 3]), layers=False) == [[0, 1]]


def test_deployed_by_hand() -> None:
    """Two servers of 10 GB for 4 blocks of 1 GB: one pipeline each, floor(2.5 / 0.4) = 6 jobs of 1 + 4 · 0.5 s."""
    instance = small([(10, 1, 0.5), (10, 1, 0.5)], blocks=4)
    deployment = parallax_faithful(instance)

    assert deployment.placement == Placement([0, 0], [4, 4])
    assert deployment.parameters["pipelines"] == [{"servers": ["s0"], "jobs": 6}, {"servers": ["s1"], "jobs": 6}]
    run = deployment.run(13)
    records = joined([run.serve(np.zeros(13), np.ones((13, 1)), np.zeros(13)), run.drain()])
    assert records.chain.tolist() == [0, 1] * 6 + [0]
    assert records.departure.tolist() == [3.0] * 12 + [6.0]


@pytest.mark.parametrize("name", ["parallax-faithful", "parallax-fixed", "parallax-tuned"])
def test_serves_traffic(name: str) -> None:
    """As part of an experiment; an idle system serves in 3 s in the mean."""
    instance = small([(10, 1, 0.5), (10, 1, 0.5)], blocks=4)
    deployment = SYSTEMS[name].rule(instance, seed=1)
    summary = observe(deployment.run(20_000), Traffic(Poisson(0.1), Exponential(), 20_000, 1))

    assert summary.response.mean == pytest.approx(3, rel=0.05)


def test_no_pipeline() -> None:
    """Too little memory, and too little for caches."""
    with pytest.raises(InfeasibleError, match="room for 2 of 4 blocks"):
        parallax_faithful(small([(3.1, 1, 1)] * 1 + [(1.2, 1, 1)], blocks=4))
    with pytest.raises(InfeasibleError, match="no pipeline with the cache of one job"):
        parallax_faithful(
            small([(1.54, 1, 1)] * 1, blocks=1).replace(service={"blocks": 1, "block_gb": 1, "cache_gb": 0.5})
        )
    with pytest.raises(InfeasibleError):
        parallax_tuned(small([(1.05, 1, 1)], blocks=1))
