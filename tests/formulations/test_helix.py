"""Helix' program against all placements, each with its largest flow by networkx."""

from __future__ import annotations

import random
from itertools import product

import networkx as nx
import pytest

from chainopt.exact.backends import solve_milp
from chainopt.model import Status
from formulations.helix import COORDINATOR, Link, Model, largest_flow

Rates = list[list[float]]


def value(model: Model) -> float:
    outcome = solve_milp(model.problem)
    assert outcome.status is Status.OPTIMAL
    assert outcome.value is not None
    return outcome.value


def flow(
    rates: Rates, hosted: dict[int, tuple[int, int]], blocks: int, links: dict[Link, float] | None, partial: bool
) -> float:
    """Largest flow of a placement."""
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_nodes_from(["from", "to"])

    def link(i: int | None, j: int | None) -> None:
        if links is None or (i, j) in links:
            ends = ("from" if i is COORDINATOR else ("out", i), "to" if j is COORDINATOR else ("in", j))
            graph.add_edge(*ends, **({} if links is None else {"capacity": links[i, j]}))

    for j, (start, stop) in hosted.items():
        graph.add_edge(("in", j), ("out", j), capacity=rates[j][stop - start - 1])
        if start == 0:
            link(COORDINATOR, j)
        if stop == blocks:
            link(j, COORDINATOR)
        for i, (_, end) in hosted.items():
            if i != j and (start <= end < stop if partial else start == end):
                link(i, j)
    return float(nx.maximum_flow_value(graph, "from", "to"))


def best(
    rates: Rates,
    blocks: int,
    links: dict[Link, float] | None = None,
    pins: dict[int, tuple[int, int]] | None = None,
    partial: bool = True,
) -> float:
    """Largest flow of any placement."""
    servers = [j for j, rate in enumerate(rates) if rate]
    choices = [
        [pins[j]]
        if pins and j in pins
        else [(a, a + k) for k in range(1, min(len(rates[j]), blocks) + 1) for a in range(blocks - k + 1)]
        for j in servers
    ]
    return max(
        flow(rates, dict(zip(servers, hosted, strict=True)), blocks, links, partial) for hosted in product(*choices)
    )


def random_rates(draw: random.Random, servers: int, blocks: int) -> Rates:
    """Rates that fall with the number of blocks; now and then a server that can host nothing."""
    return [
        sorted((draw.randint(1, 40) / 8 for _ in range(draw.randint(0, blocks))), reverse=True) for _ in range(servers)
    ]


def test_two_servers_by_hand() -> None:
    """Three blocks; one server can host 2 of them with 3 jobs/s, the other 2 with 2, or 1 with 5: 3 jobs/s."""
    model = largest_flow([[4.0, 3.0], [5.0, 2.0]], 3)

    assert value(model) == pytest.approx(3)
    hosted = {
        i: (
            round(model.start[i].value()),
            round(model.start[i].value() + sum(k * b.value() for k, b in model.sizes(i))),
        )
        for i in model.servers
    }
    assert sorted(hosted.values()) in ([(0, 1), (1, 3)], [(0, 2), (2, 3)])


def test_a_range_is_entered_in_the_middle() -> None:
    """Server 1 is pinned to all blocks, server 0 to the first: jobs can go 0 → 1 only by partial inference."""
    rates, pins = [[5.0], [0.0, 3.0]], {0: (0, 1), 1: (0, 2)}
    links: dict[Link, float] = {(None, 0): 9.0, (0, 1): 9.0, (1, None): 9.0}

    assert value(largest_flow(rates, 2, links, pins)) == pytest.approx(3)
    assert value(largest_flow(rates, 2, links, pins, partial_inference=False)) == pytest.approx(0)


def test_one_block() -> None:
    """With one block every server is a chain."""
    assert value(largest_flow([[1.5], [2.25], []], 1)) == pytest.approx(3.75)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("partial", [True, False])
def test_all_placements(seed: int, partial: bool) -> None:
    """The optimum is the largest flow of all placements, without limits of links and with them."""
    draw = random.Random(seed)
    blocks = draw.randint(2, 4)
    rates = random_rates(draw, 3, blocks)
    servers = [*range(3), COORDINATOR]
    links: dict[Link, float] = {
        (i, j): draw.randint(1, 24) / 8 for i in servers for j in servers if i != j and draw.random() < 0.8
    }

    assert value(largest_flow(rates, blocks, partial_inference=partial)) == pytest.approx(
        best(rates, blocks, partial=partial), abs=1e-6
    )
    assert value(largest_flow(rates, blocks, links, partial_inference=partial)) == pytest.approx(
        best(rates, blocks, links, partial=partial), abs=1e-6
    )


@pytest.mark.parametrize("seed", range(6))
def test_pins(seed: int) -> None:
    """A pinned server stays where it is."""
    draw = random.Random(seed)
    rates = random_rates(draw, 4, 3)
    pins = {}
    for j in (0, 2):
        if rates[j]:
            size = draw.randint(1, len(rates[j]))
            start = draw.randint(0, 3 - size)
            pins[j] = (start, start + size)

    assert value(largest_flow(rates, 3, pins=pins)) == pytest.approx(best(rates, 3, pins=pins), abs=1e-6)
