"""A composition as a graph, for those who draw it or ask it something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import networkx as nx

    from chainopt.model.composition import Composition

ORCHESTRATOR = -1
"""The node that jobs come from and go back to."""


def composition_graph(composition: Composition, ids: Sequence[str] | None = None) -> nx.MultiDiGraph:
    """Servers as nodes, by position, and each chain as a cycle through the orchestrator, node -1.

    Nodes have `start` and `stop` of what they host, and `id` if ids are given. Each edge is a hop of a chain, with the
    chain's number as key: `chain`, `capacity`, `service_time_s`, and `blocks`, processed at the server that it leads
    to; 0 on the way back.

    Raises
    ------
    ModuleNotFoundError
        Without networkx.
    """
    import networkx as nx

    graph = nx.MultiDiGraph()
    graph.add_node(ORCHESTRATOR)
    hosts = zip(composition.placement.start.tolist(), composition.placement.stop.tolist(), strict=True)
    for j, (start, stop) in enumerate(hosts):
        if start < stop:
            graph.add_node(j, start=start, stop=stop, **({} if ids is None else {"id": ids[j]}))
    for k, chain in enumerate(composition.chains):
        stations = (ORCHESTRATOR, *chain.servers, ORCHESTRATOR)
        for here, there, blocks in zip(stations, stations[1:], (*chain.blocks, 0), strict=False):
            graph.add_edge(
                here,
                there,
                key=k,
                chain=k,
                blocks=blocks,
                capacity=chain.capacity,
                service_time_s=chain.service_time_s,
            )
    return graph
