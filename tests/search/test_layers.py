"""Layouts searched block by block: bounds and values against all placements and allocations, and what they are for."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.model import Instance, Objective, Placement
from chainopt.model.instance import BlockRange
from chainopt.search import search
from chainopt.search.budget import Budget
from chainopt.search.energy import objective_value
from chainopt.search.layers import ABREAST, Layers, begin, expand, layers_for, prune, trace
from chainopt.search.layout_prices import least_total, prices_of
from chainopt.search.problem import Problem, problem_of
from chainopt.search.rounds import rounds_for
from chainopt.search.runs import Runs
from chainopt.search.sweeps import Sweeps
from tests.oracles.chains import all_paths
from tests.strategies import instances

INSTANCES = Path(__file__).parents[2] / "instances"
WIDE = 2000


def searched(problem: Problem, jobs: int, width: int = WIDE, abreast: int = ABREAST) -> Layers:
    """All layouts that a beam comes to."""
    servers = np.arange(problem.comm.size)
    keys = np.random.default_rng(1).integers(1, 2**63, servers.size + jobs + 1, dtype=np.uint64)
    _, price = least_total(problem, jobs)
    prices = prices_of(problem, servers, servers, keys, jobs, price)
    layers = layers_for(problem.blocks, jobs, width, abreast)
    begin(prices, layers)
    for block in range(problem.blocks):
        prune(prices, layers, block)
        expand(prices, layers, block, 0, int(layers.filled[block]))
    prune(prices, layers, problem.blocks)
    return layers


def _placements(problem: Problem, layers: Layers) -> list[tuple[float, Placement]]:
    """Value and placement of all complete layouts."""
    found = []
    for at in range(int(layers.filled[problem.blocks])):
        start, stop = np.zeros((2, problem.comm.size), dtype=np.int64)
        trace(layers, at, start, stop)
        found.append((float(layers.value[problem.blocks, at]), Placement(start, stop)))
    return found


def _least_time(instance: Instance, placement: Placement, jobs: int) -> Fraction | None:
    """Least Σ c_k T_k of all allocations with so many jobs, seconds, by trying all; None if there is none."""
    paths = sorted(all_paths(instance, placement), key=lambda path: path.time)

    def least(k: int, left: int, slots: tuple[int, ...]) -> Fraction | None:
        if left == 0:
            return Fraction(0)
        if k == len(paths):
            return None
        best = None
        for c in range(left + 1):
            rest = list(slots)
            for j, blocks in zip(paths[k].servers, paths[k].blocks, strict=True):
                rest[j] -= c * blocks
            if min(rest) < 0:
                break
            further = least(k + 1, left - c, tuple(rest))
            if further is not None and (best is None or c * paths[k].time + further < best):
                best = c * paths[k].time + further
        return best

    return least(0, jobs, tuple(instance.memory.slots(placement.sizes).tolist()))


def _all_placements(instance: Instance) -> list[Placement]:
    blocks = instance.service.blocks
    ranges = [(0, 0), *itertools.combinations(range(blocks + 1), 2)]
    most = instance.memory.sizes(1)
    fit = [[r for r in ranges if r[1] - r[0] <= most[j]] for j in range(len(instance.servers))]
    return [Placement(*np.array(chosen, dtype=np.int64).T) for chosen in itertools.product(*fit)]


@settings(max_examples=40, deadline=None)
@given(instances(most_servers=3, most_blocks=3), st.integers(1, 5))
def test_values_are_those_of_allocations(instance: Instance, jobs: int) -> None:
    """The bound is below the best of all placements and allocations, and a layout has an allocation of its value."""
    problem = problem_of(instance, Objective.RATE)
    truths = [_least_time(instance, placement, jobs) for placement in _all_placements(instance)]
    truth = min((float(time) for time in truths if time is not None), default=math.inf)
    seconds = 10.0**-instance.time.places
    total, _ = least_total(problem, jobs)
    if total == math.inf:
        assert truth == math.inf
        return
    assert total * seconds <= truth * (1 + 1e-9)
    found = _placements(problem, searched(problem, jobs))
    for value, placement in found[:20]:
        own = _least_time(instance, placement, jobs)
        assert own is not None
        assert truth * (1 - 1e-9) <= float(own) <= value * seconds * (1 + 1e-9)
    if truth < math.inf:  # with three servers all can host the same block, and all are considered
        assert found


def test_one_chain_by_hand() -> None:
    """The worked example, one job: all blocks at one server are best if it holds them, else its two fastest parts."""
    instance = chainopt.read_instance(INSTANCES / "worked-example" / "worked-example.json")
    problem = problem_of(instance, Objective.RATE)
    value, placement = _placements(problem, searched(problem, 1))[0]
    best = min(
        float(time)
        for time in (_least_time(instance, each, 1) for each in _all_placements_of_chains(instance))
        if time is not None
    )
    assert value * 10.0**-instance.time.places == pytest.approx(best, rel=1e-9)
    assert placement.sizes.sum() == instance.service.blocks


def _all_placements_of_chains(instance: Instance) -> list[Placement]:
    """All ways to string servers together that host all blocks, each as much as it can but for the last."""
    most = instance.memory.sizes(1).tolist()
    found = []
    for count in range(1, len(most) + 1):
        for chain in itertools.permutations(range(len(most)), count):
            start, stop = np.zeros((2, len(most)), dtype=np.int64)
            block = 0
            for j in chain:
                start[j], stop[j] = block, min(block + most[j], instance.service.blocks)
                block = stop[j]
            if block == instance.service.blocks and all(start[j] < stop[j] for j in chain):
                found.append(Placement(start, stop))
    return found


@settings(max_examples=40, deadline=None)
@given(instances(most_servers=6, most_blocks=6), st.integers(1, 6), st.integers(1, ABREAST))
def test_layouts_keep_the_rules(instance: Instance, jobs: int, abreast: int) -> None:
    """Whatever the width, servers host what they may, and each block is at one server or more, but not at too many."""
    problem = problem_of(instance, Objective.RATE)
    if least_total(problem, jobs)[0] == math.inf:
        return
    for _, placement in _placements(problem, searched(problem, jobs, 5, abreast)):
        assert np.all(placement.sizes <= problem.most)
        blocks = np.arange(problem.blocks)
        hosts = (placement.start[:, None] <= blocks) & (blocks < placement.stop[:, None])
        assert np.all(hosts.sum(axis=0) >= 1)
        assert np.all(hosts.sum(axis=0) <= abreast)


def test_chains_abreast_whose_servers_end_at_different_blocks() -> None:
    """18 jobs: after three large servers, one chain of 8 and one of 10, that share servers nowhere but at the end.

    Small servers have 181 - 12 m slots beside m blocks: 9 blocks for 8 jobs take 72 of 73, 8 blocks for 10 jobs 80 of
    85. Annealing does not come to it: 22.36 s were the best known before, 22.58 s with GBP-CR and GCA.
    """
    instance = chainopt.read_instance(INSTANCES / "bloom" / "bloom-ripe-j10-eta40-s1-heavy.json")
    problem = problem_of(instance, Objective.RESPONSE_TIME)
    sweeps = Sweeps(problem, rounds_for(problem), np.random.default_rng(0), by_rate=False, free=True)
    sweeps.run(0, 60_000, 0.0)
    seconds = objective_value(problem, sweeps.best, instance.time.places)
    assert seconds is not None
    assert seconds < 21.4


def test_where_layouts_are_not_searched(worked_example: Instance) -> None:
    """Not with pins, even one that leaves no slot, nor with a limit on moved blocks, nor for very many servers."""
    servers = worked_example.servers
    full = servers[0].replace(memory_gb=worked_example.service.block_gb * 2, pin=BlockRange(start=0, stop=2))
    pinned = worked_example.replace(servers=(full, *servers[1:]))
    many = chainopt.read_instance(INSTANCES / "bloom" / "bloom-ripe-j100-eta20-s1-light.json")
    reference = Placement(np.zeros(len(servers)), np.zeros(len(servers)))
    cases = [(worked_example, None, None), (worked_example, reference, 3), (pinned, None, None), (many, None, None)]
    possible = []
    for instance, old, most in cases:
        problem = problem_of(instance, Objective.RATE, old, most)
        runs = Runs(instance, Objective.RATE, problem, Budget(None, 100), 0, None)
        possible.append(runs.sweeps().possible)
    assert possible == [True, False, False, False]
    found = search(pinned, iterations=4000)
    assert found.composition is None or found.composition.placement.stop[0] == 2


def test_iterations_are_counted(worked_example: Instance) -> None:
    """A run in parts comes to the same as one at once, so slices do not change what is found."""
    problem = problem_of(worked_example, Objective.RATE)
    energies = []
    for steps in ([500], [1] * 500, [7] * 71 + [3]):
        sweeps = Sweeps(problem, rounds_for(problem), np.random.default_rng(5), by_rate=True, free=True)
        for step in steps:
            sweeps.run(0, step, 0.0)
        energies.append([state.energy for state in sweeps.found])
    assert energies[0]
    assert energies[0] == energies[1] == energies[2]


def test_beams_that_come_to_nothing_are_gone_on_with() -> None:
    """With as many jobs as the relaxation likes best, 39 to 42, no beam ends; there is something to do nevertheless."""
    instance = chainopt.read_instance(INSTANCES / "bloom" / "bloom-ripe-j20-eta20-s1-heavy.json")
    problem = problem_of(instance, Objective.RATE)
    sweeps = Sweeps(problem, rounds_for(problem), np.random.default_rng(0), by_rate=True, free=True)
    for _ in range(20):
        assert sweeps.possible
        sweeps.run(0, 2000, 0.0)
