"""Chains of layouts: as many jobs and as much time as the layout was made for, and fast jobs that stay together."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.exact.joint import check
from chainopt.model import Composition, Instance, Objective, Placement, Server, Service, Workload
from chainopt.search import search
from chainopt.search.annealing import look
from chainopt.search.energy import objective_value
from chainopt.search.layers import trace
from chainopt.search.layout_chains import layout_chains
from chainopt.search.layout_prices import least_total
from chainopt.search.problem import problem_of
from chainopt.search.ranges import ranges_of
from chainopt.search.rounds import rounds_for
from chainopt.search.sweeps import Sweeps
from tests.search.test_compositions import chains_of, check_slots_suffice, composition_of
from tests.search.test_layers import searched
from tests.strategies import instances

TIGHT = Path(__file__).parents[2] / "instances" / "random" / "random-j30-l40-tight.json"


@settings(max_examples=60, deadline=None)
@given(instances(most_servers=6, most_blocks=6), st.integers(1, 8))
def test_chains_are_those_the_layout_was_made_for(instance: Instance, jobs: int) -> None:
    """They run so many jobs, in the total service time of the layout, on slots that there are, each way once."""
    problem = problem_of(instance, Objective.RATE)
    if least_total(problem, jobs)[0] == math.inf:
        return
    layers, rounds = searched(problem, jobs, 20), rounds_for(problem)
    start, stop = np.zeros((2, problem.comm.size), dtype=np.int64)
    for at in range(int(layers.filled[problem.blocks])):
        trace(layers, at, start, stop)
        count = layout_chains(problem, layers, at, stop, rounds)
        ticks, capacities = rounds.ticks[:count], rounds.capacities[:count]
        assert capacities.sum() == jobs
        assert float(ticks @ capacities) == pytest.approx(float(layers.value[problem.blocks, at]), rel=1e-9)
        assert np.all(np.diff(ticks) >= 0)
        chains = chains_of(rounds, count)
        assert len({servers for servers, _ in chains}) == count
        composition = Composition.of(instance, Placement(start, stop), [c[0] for c in chains], [c[1] for c in chains])
        check_slots_suffice(instance, composition)


def test_fast_jobs_stay_together() -> None:
    """Four servers of a block and two jobs each, two fast and two slow: 1/2 + 1/20 is more than 2/11.

    With s_m = 1 GB and s_c = 0.5 GB a server of 2 GB runs two jobs. Chains of 1 + 1 and 10 + 10 s take as long as two
    of 11 s, and serve 2/2 + 2/20 = 1.1 instead of 4/11 = 0.36 jobs/s.
    """
    instance = Instance(
        name="two-fast-two-slow",
        service=Service(blocks=2, block_gb=1, cache_gb=0.5),
        workload=Workload(arrival_rate=0.1),
        servers=[Server(id=f"s{j}", memory_gb=2, comm_s=s, comp_s_per_block=0) for j, s in enumerate((1, 10, 1, 10))],
    )
    problem = problem_of(instance, Objective.RATE)
    rounds, start, stop = rounds_for(problem), *np.zeros((2, 4), dtype=np.int64)
    layers = searched(problem, 4)
    best = []
    for at in range(int(layers.filled[2])):
        trace(layers, at, start, stop)
        count = layout_chains(problem, layers, at, stop, rounds)
        best.append((float(rounds.rates[:count] @ rounds.capacities[:count]) * 10.0**instance.time.places, count))
    assert max(best) == (pytest.approx(1.1), 2)


def test_what_gca_does_not_find_again() -> None:
    """Near saturation GCA gives the fastest chains more than the layout does, and others find no room."""
    instance = chainopt.read_instance(TIGHT)
    problem = problem_of(instance, Objective.RATE)
    rounds = rounds_for(problem)
    sweeps = Sweeps(problem, rounds, np.random.default_rng(0), by_rate=True, free=True)
    sweeps.run(0, 20_000, 0.0)
    state = min(sweeps.found, key=lambda found: found.energy)
    assert state.composed is not None
    energy, _ = look(problem, ranges_of(problem, state.ranges.start, state.ranges.stop), rounds, math.inf, 0.0)
    assert energy > state.energy
    composition = composition_of(instance, state.composed)
    check_slots_suffice(instance, composition)
    rate = objective_value(problem, state.energy, instance.time.places)
    assert composition.total_service_rate == pytest.approx(rate)


def test_search_answers_with_them() -> None:
    """What a search ends with is checked by `verify`, whichever chains it has."""
    instance = chainopt.read_instance(TIGHT)
    found = search(instance, "rate", iterations=60_000)
    assert found.composition is not None
    check(instance, found.composition, Objective.RATE)
