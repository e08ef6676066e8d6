"""Helix' layout after PETALS, largest flows by hand and by networkx, and its program with what it falls back on."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from chainopt.errors import InfeasibleError
from chainopt.exact import helix
from chainopt.exact.helix import helix_candidates, helix_placement
from chainopt.model import Instance, Placement
from chainopt.placement.flow import largest_flow
from chainopt.placement.helix import half_memory_sizes, helix_petals
from chainopt.placement.rates import rate
from chainopt.protocols import PlacementOptions
from tests.oracles.strategies import instances, placed_instances
from tests.placement.examples import small


def test_half_of_the_memory() -> None:
    """floor(7 / 2) = 3, floor(1.9 / 2) = 0, of 40 GB no more than L, and of 2.05 GB one block with room for no job."""
    instance = small([(7, 1, 1), (1.9, 1, 1), (40, 1, 1), (2.05, 1, 1)], blocks=5)

    assert half_memory_sizes(instance).tolist() == [3, 0, 5, 1]


def test_layout_by_hand() -> None:
    """Three equal servers with 2 of 4 blocks: blocks 0 and 1, then 2 and 3, then 0 and 1 again."""
    instance = small([(4, 1, 1)] * 3, blocks=4)
    placement = helix_petals(instance, half_memory_sizes(instance), seed=5)

    assert sorted(placement.start.tolist()) == [0, 0, 2]
    assert placement.sizes.tolist() == [2, 2, 2]


def test_pins_are_there_before_the_others() -> None:
    """With blocks 1 and 2 pinned the first two of the others host 0 and 1, where only 0 is unserved, then 2 and 3."""
    instance = small([(4, 1, 1)] * 3, blocks=4, pins={1: (1, 3)})
    placement = helix_petals(instance, half_memory_sizes(instance))

    assert (placement.start[1], placement.stop[1]) == (1, 3)
    assert sorted(placement.start[[0, 2]].tolist()) == [0, 2]


def test_no_layout() -> None:
    """Half of the memories does not do for all blocks."""
    instance = small([(4, 1, 1)] * 2, blocks=5)

    with pytest.raises(InfeasibleError, match="no server hosts block"):
        helix_petals(instance, half_memory_sizes(instance))


def test_flow_by_hand() -> None:
    """10 jobs/s on block 0, then 3 and 2 on block 1; only 5 flow on, and server 3 is entered in the middle."""
    # (M - m)/0.1/m jobs: 10 of 1 s, 3 of 1 s, 2 of 1 s; 2 blocks with 6 slots, 3 of 1 s
    instance = small([(2, 1, 0), (1.3, 1, 0), (1.2, 1, 0), (2.6, 1, 0)], blocks=2)
    without = largest_flow(instance, Placement([0, 1, 1, 0], [1, 2, 2, 0]))
    assert without.value == pytest.approx(5, rel=1e-7)
    assert list(zip(without.source.tolist(), without.target.tolist(), strict=True)) == [
        (-1, 0),
        (0, 1),
        (0, 2),
        (1, -1),
        (2, -1),
    ]
    assert without.through.tolist() == pytest.approx([5, 3, 2, 3, 2], rel=1e-7)

    # its 3 jobs/s are shared by jobs that come from server 0 and from the coordinator
    assert largest_flow(instance, Placement([0, 1, 1, 0], [1, 2, 2, 2])).value == pytest.approx(8, rel=1e-7)


def by_networkx(instance: Instance, placement: Placement) -> float:
    """The same flow, as documented."""
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_nodes_from(["from", "to"])
    hosts = [j for j in range(len(instance.servers)) if placement.sizes[j]]
    for j in hosts:
        start, stop = int(placement.start[j]), int(placement.stop[j])
        graph.add_edge(("in", j), ("out", j), capacity=rate(instance, j, stop - start))
        if start == 0:
            graph.add_edge("from", ("in", j))
        if stop == instance.service.blocks:
            graph.add_edge(("out", j), "to")
        for i in hosts:
            if start <= placement.stop[i] < stop:
                graph.add_edge(("out", i), ("in", j))
    return float(nx.maximum_flow_value(graph, "from", "to"))


@settings(deadline=None, max_examples=100)
@given(case=placed_instances(least_servers=1))
def test_flow_as_networkx_finds_it(case: tuple[Instance, Placement]) -> None:
    """The value, what is conserved, and what no server exceeds."""
    instance, placement = case
    flow = largest_flow(instance, placement)

    assert flow.value == pytest.approx(by_networkx(instance, placement), rel=1e-7, abs=1e-12)
    into, out = (
        np.bincount(end[end >= 0], weights=flow.through[end >= 0], minlength=len(instance.servers))
        for end in (flow.target, flow.source)
    )
    assert into == pytest.approx(out, rel=1e-9, abs=1e-9)
    assert np.sum(flow.through[flow.source < 0]) == pytest.approx(flow.value, rel=1e-9, abs=1e-9)
    for j, passed in enumerate(into.tolist()):
        size = int(placement.sizes[j])
        assert passed <= (rate(instance, j, size) * (1 + 1e-9) if size else 0)


@settings(deadline=None, max_examples=25)
@given(instance=instances(least_servers=1, most_servers=3, most_blocks=3, pins=True))
def test_program_is_the_best_of_all_placements(instance: Instance) -> None:
    """Its placement has the largest flow of all placements, heuristic layouts among them."""
    options = []
    for j, server in enumerate(instance.servers):
        most = int(instance.memory.sizes(0)[j])
        blocks = instance.service.blocks
        ranges = [(0, 0), *((a, a + k) for k in range(1, most + 1) for a in range(blocks - k + 1))]
        options.append([(server.pin.start, server.pin.stop)] if server.pin is not None else ranges)
    placements = [Placement([a for a, _ in chosen], [b for _, b in chosen]) for chosen in product(*options)]
    best = max(largest_flow(instance, placement).value for placement in placements)

    if best == 0:
        with pytest.raises(InfeasibleError, match="finds no placement through which jobs flow"):
            helix_placement(instance)
        assert not list(helix_candidates(instance, PlacementOptions()))
        return
    found = helix_placement(instance)
    assert found.optimal
    assert found.flow == pytest.approx(best, rel=1e-6)
    assert found.flow == largest_flow(instance, found.placement).value
    assert all(
        (found.placement.start[j], found.placement.stop[j]) == (server.pin.start, server.pin.stop)
        for j, server in enumerate(instance.servers)
        if server.pin is not None
    )


def test_heuristic_where_there_is_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without time, or with too many servers, the best of the layouts is the answer, and not called optimal."""
    instance = small([(4, 1, 1)] * 4, blocks=4)
    late = helix_placement(instance, time_limit_s=0)

    assert not late.optimal
    assert 0 < late.flow <= helix_placement(instance).flow * (1 + 1e-6)
    monkeypatch.setattr(helix, "MOST_SERVERS", 3)
    assert helix_placement(instance) == late
