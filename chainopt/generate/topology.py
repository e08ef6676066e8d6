"""BLOOM-176B on servers at the nodes of a network of the Internet Topology Zoo."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from chainopt import catalog
from chainopt.generate import sites
from chainopt.generate.bloom import NETWORK as RIPE
from chainopt.generate.family import MOST_SERVERS, Draft, Family, Traffic
from chainopt.generate.options import FAST_SHARE, TOKENS_IN, TOKENS_OUT, count, flag, quantity, word
from chainopt.generate.slices import PAPER, drawn_fast, fast_count, percent
from chainopt.quantity import rounded

if TYPE_CHECKING:
    from chainopt.generate.draws import Draws

GRAPHS = tuple(name for name in catalog.networks() if name != RIPE)


@dataclass(frozen=True, kw_only=True)
class TopologyParameters(Traffic):
    """Parameters of the family topology."""

    graph: str = field(default="GtsCe", metadata=word("Network", GRAPHS))
    servers: int | None = field(
        default=None,
        metadata=count("Servers J; all nodes but the orchestrator's unless given", most=MOST_SERVERS),
    )
    fast_share: Decimal = field(
        default=Decimal("0.2"),
        metadata=FAST_SHARE,
    )
    rtt_factor: Decimal = field(
        default=Decimal("1"), metadata=quantity("Factor of all round trip times", least="0.001", most="1000")
    )
    nearest: bool = field(
        default=False,
        metadata=flag("Servers at the nodes nearest to the orchestrator, the fast ones nearest of all"),
    )
    tokens_in: int = field(default=2000, metadata=TOKENS_IN)
    tokens_out: int = field(default=20, metadata=TOKENS_OUT)


def build(parameters: TopologyParameters, draws: Draws) -> Draft:
    """Put the orchestrator at the node with most links, and draw the nodes of the servers and the fast ones."""
    network, share = catalog.network(parameters.graph), parameters.fast_share
    servers = len(network.nodes) - 1 if parameters.servers is None else parameters.servers
    if parameters.nearest:
        orchestrator, places = sites.nearest(network, servers)
        fast = frozenset(range(fast_count(servers, share)))
    else:
        orchestrator, places = sites.drawn(network, servers, draws, network.hub)
        fast = drawn_fast(servers, share, draws)
    factor = parameters.rtt_factor
    places = [sites.Site(site.node, rounded(site.rtt_ms * factor, sites.RTT_PLACES)) for site in places]
    kind = "-nearest" if parameters.nearest else ""
    return Draft(
        name=f"topology-{parameters.graph.lower()}{kind}-j{servers}-eta{percent(share)}-s{draws.seed}",
        note=f"BLOOM-176B on MIG slices of A100 at nodes of {network.name}, orchestrator at {orchestrator}",
        service=PAPER.service(),
        servers=PAPER.servers(places, fast, parameters.tokens_in, parameters.tokens_out),
    )


TOPOLOGY = Family(
    "topology",
    "BLOOM-176B on MIG slices at the nodes of a network of the Internet Topology Zoo",
    "REPETITA's copy of the Internet Topology Zoo; service and servers as in the paper's section 4.1",
    TopologyParameters,
    build,
)
