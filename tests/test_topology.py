"""The boundary graph against its definition, and its fastest paths against all paths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.topology import NEVER, BoundaryGraph, boundary_graph, extend_fastest_paths

Hosted = list[tuple[int, int]]


def graph_of(hosted: Hosted, blocks: int) -> BoundaryGraph:
    ranges = np.array(hosted, dtype=np.int64).reshape(-1, 2)
    return boundary_graph(ranges[:, 0].copy(), ranges[:, 1].copy(), blocks)


def arcs(hosted: Hosted) -> set[tuple[int, int, int]]:
    """Arcs (b, e, server) by definition: from every boundary that the server hosts to its stop."""
    boundaries = {0} | {stop for start, stop in hosted if start < stop}
    return {(b, stop, j) for j, (start, stop) in enumerate(hosted) for b in boundaries if start <= b < stop}


def arcs_of(graph: BoundaryGraph) -> set[tuple[int, int, int]]:
    boundaries = graph.boundaries.tolist()
    return {
        (boundaries[b], boundaries[e], j)
        for j, (e, source) in enumerate(zip(graph.target.tolist(), graph.source.tolist(), strict=True))
        for b in range(source, e)
    }


@st.composite
def placements(draw: st.DrawFn) -> tuple[Hosted, int]:
    blocks = draw(st.integers(1, 9))
    ends = st.tuples(st.integers(0, blocks), st.integers(0, blocks)).map(lambda ends: (min(ends), max(ends)))
    return draw(st.lists(ends, max_size=10)), blocks


@settings(deadline=None, max_examples=200)
@given(placements())
def test_arcs_and_groups(case: tuple[Hosted, int]) -> None:
    """Boundaries, arcs and the numbering of groups are what they are defined to be."""
    hosted, blocks = case
    graph = graph_of(hosted, blocks)

    boundaries = graph.boundaries.tolist()
    assert boundaries == sorted({0} | {stop for start, stop in hosted if start < stop})
    assert arcs_of(graph) == arcs(hosted)
    groups = sorted({(boundaries.index(e), boundaries.index(b)) for b, e, _ in arcs(hosted)})
    numbered = [(e, b) for e in range(len(boundaries)) for b in range(graph.lowest[e], e)]
    assert numbered == groups  # no group is empty, and none is left out
    assert [graph.group[e] + b - graph.lowest[e] for e, b in numbered] == list(range(len(groups)))
    assert graph.group[-1] == len(groups)


def test_worked_example() -> None:
    """The placement of the paper's example: 0 → 1 twice, 1 → 2 once, 1 → 3 and 2 → 3 by server 2, 2 → 3 by server 5."""
    graph = graph_of([(0, 1), (1, 3), (0, 1), (1, 2), (2, 3)], 3)

    assert graph.boundaries.tolist() == [0, 1, 2, 3]
    assert arcs_of(graph) == {(0, 1, 0), (0, 1, 2), (1, 2, 3), (1, 3, 1), (2, 3, 1), (2, 3, 4)}
    assert graph.lowest.tolist() == [0, 0, 1, 1]
    assert graph.group.tolist() == [0, 0, 1, 2, 4]


@pytest.mark.parametrize(
    ("hosted", "boundaries", "expected"),
    [
        pytest.param([], [0], set(), id="no server"),
        pytest.param([(0, 0), (3, 3)], [0], set(), id="empty servers"),
        pytest.param([(0, 1)], [0, 1], {(0, 1, 0)}, id="one block of three"),
        pytest.param([(0, 3), (0, 3)], [0, 3], {(0, 3, 0), (0, 3, 1)}, id="duplicates"),
        pytest.param([(1, 3)], [0, 3], set(), id="the first block is hosted nowhere"),
        pytest.param([(1, 2), (1, 3)], [0, 2, 3], {(2, 3, 1)}, id="a boundary that no job comes to"),
        pytest.param([(0, 2), (1, 3), (2, 3)], [0, 2, 3], {(0, 2, 0), (2, 3, 1), (2, 3, 2)}, id="overlap"),
    ],
)
def test_corner_cases(hosted: Hosted, boundaries: list[int], expected: set[tuple[int, int, int]]) -> None:
    """Empty and identical servers, unreachable boundaries and overlaps."""
    graph = graph_of(hosted, 3)

    assert graph.boundaries.tolist() == boundaries
    assert arcs_of(graph) == expected


@settings(deadline=None, max_examples=150)
@given(placements(), st.data())
def test_fastest_paths(case: tuple[Hosted, int], data: st.DataObject) -> None:
    """Times are the least over all paths, and of equally fast paths the least last boundary is kept."""
    hosted, blocks = case
    graph = graph_of(hosted, blocks)
    count = graph.boundaries.size
    groups = [(b, e) for e in range(count) for b in range(graph.lowest[e], e)]
    cost = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, NEVER]), min_size=len(groups), max_size=len(groups)))
    of = dict(zip(groups, cost, strict=True))

    least: list[tuple[int, int]] = [(0, 0)]
    for e in range(1, count):
        # least over all paths, one arc longer at a time, since every path to e has a last arc
        ways = [(least[b][0] + of[b, e], b) for b in range(e) if of.get((b, e), NEVER) < NEVER and least[b][0] < NEVER]
        least.append(min(ways, default=(NEVER, -1)))
    time = np.full(count, -7, dtype=np.int64)
    previous = np.full(count, -7, dtype=np.int64)
    time[0] = 0
    extend_fastest_paths(graph, np.array(cost, dtype=np.int64), 1, time, previous)

    assert list(zip(time[1:].tolist(), previous[1:].tolist(), strict=True)) == least[1:]


@settings(deadline=None, max_examples=50)
@given(placements(), st.data())
def test_paths_are_found_anew_from_a_boundary_on(case: tuple[Hosted, int], data: st.DataObject) -> None:
    """What is known before the first stale boundary is kept, and the rest comes out as if all were found anew."""
    hosted, blocks = case
    graph = graph_of(hosted, blocks)
    groups = int(graph.group[-1])
    cost = np.array(data.draw(st.lists(st.integers(0, 9), min_size=groups, max_size=groups)), dtype=np.int64)
    first = data.draw(st.integers(0, graph.boundaries.size))

    def find(arc_time: np.ndarray, first: int, time: np.ndarray, previous: np.ndarray) -> None:
        time[0] = 0
        extend_fastest_paths(graph, arc_time, first, time, previous)

    time, previous = np.zeros((2, graph.boundaries.size), dtype=np.int64)
    find(cost, 1, time, previous)
    changed = cost.copy()
    changed[int(graph.group[first]) if first < graph.boundaries.size else groups :] += 1
    find(changed, first, time, previous)

    fresh, fresh_previous = np.zeros((2, graph.boundaries.size), dtype=np.int64)
    find(changed, 1, fresh, fresh_previous)
    assert time.tolist() == fresh.tolist()
    assert previous.tolist() == fresh_previous.tolist()
