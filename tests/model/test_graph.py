"""A composition as a graph."""

from __future__ import annotations

import chainopt
from chainopt.model import Instance
from chainopt.model.graph import ORCHESTRATOR


def test_chains_are_cycles_through_the_orchestrator(worked_example: Instance) -> None:
    """Following the edges of a chain from the orchestrator gives its servers, and their blocks add up to all."""
    solution = chainopt.compose(worked_example, "paper")
    composition = solution.composition
    ids = [server.id for server in worked_example.servers]
    graph = composition.to_networkx(ids)
    assert graph.number_of_edges() == sum(len(chain.servers) + 1 for chain in composition.chains)
    for k, chain in enumerate(composition.chains):
        node, passed, blocks = ORCHESTRATOR, [], 0
        while True:
            ((_, node, edge),) = [(a, b, d) for a, b, key, d in graph.out_edges(node, keys=True, data=True) if key == k]
            blocks += edge["blocks"]
            if node == ORCHESTRATOR:
                break
            passed.append(node)
        assert tuple(passed) == chain.servers
        assert blocks == worked_example.service.blocks
        assert edge["capacity"] == chain.capacity
    for j, attributes in graph.nodes(data=True):
        if j != ORCHESTRATOR:
            assert attributes["id"] == ids[j]
            assert attributes["stop"] - attributes["start"] == composition.placement.sizes[j]


def test_the_capacity_of_the_graph_is_that_of_the_chains(worked_example: Instance) -> None:
    """Capacities of the edges that leave the orchestrator add up to the job servers."""
    composition = chainopt.compose(worked_example, "paper").composition
    leaving = composition.to_networkx().out_edges(ORCHESTRATOR, data="capacity")
    assert sum(capacity for _, _, capacity in leaving) == composition.job_servers
