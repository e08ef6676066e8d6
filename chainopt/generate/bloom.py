"""BLOOM-176B on servers all over Europe, the setting of the paper's simulations."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from chainopt import catalog
from chainopt.generate import sites
from chainopt.generate.family import Draft, Family, Traffic
from chainopt.generate.options import FAST_SHARE, TOKENS_IN, TOKENS_OUT, count, flag, quantity
from chainopt.generate.slices import AUTHORS, PAPER, drawn_fast, fast_count, percent

if TYPE_CHECKING:
    from chainopt.generate.draws import Draws

NETWORK = "ripe-atlas-europe"
MOST = 319
ARRIVAL_RATE = Decimal("0.2")


@dataclass(frozen=True, kw_only=True)
class BloomParameters(Traffic):
    """Parameters of the family bloom; the defaults are the paper's."""

    servers: int = field(default=20, metadata=count("Number of servers J", most=MOST))
    fast_share: Decimal = field(
        default=Decimal("0.2"),
        metadata=FAST_SHARE,
    )
    tokens_in: int = field(default=2000, metadata=TOKENS_IN)
    tokens_out: int = field(default=20, metadata=TOKENS_OUT)
    cache_gb: Decimal | None = field(
        default=None,
        metadata=quantity(
            "Cache size s_c, GB; 0.11 unless given, 0.115835 for the authors'",
            least="0.000001",
            most="1000000",
        ),
    )
    authors: bool = field(
        default=False, metadata=flag("What the authors' simulator does where it differs from the paper")
    )


def build(parameters: BloomParameters, draws: Draws) -> Draft:
    """Draw the orchestrator, the servers and the fast ones among them.

    With the authors' choices the orchestrator is the anchor with the lowest median, and the fast servers are those
    nearest to it.
    """
    network, servers, share = catalog.network(NETWORK), parameters.servers, parameters.fast_share
    if parameters.authors:
        setting = AUTHORS
        orchestrator, places = sites.drawn(network, servers, draws, network.hub)
        places = sites.nearest_first(places)
        fast = frozenset(range(fast_count(servers, share)))
    else:
        setting = PAPER
        orchestrator, places = sites.drawn(network, servers, draws)
        fast = drawn_fast(servers, share, draws)
    source = "authors" if parameters.authors else "ripe"
    return Draft(
        name=f"bloom-{source}-j{servers}-eta{percent(share)}-s{draws.seed}",
        note=f"BLOOM-176B on MIG slices of A100 at RIPE Atlas anchors in Europe, orchestrator at anchor {orchestrator}",
        service=setting.service(parameters.cache_gb),
        servers=setting.servers(places, fast, parameters.tokens_in, parameters.tokens_out),
        arrival_rate=ARRIVAL_RATE,
    )


BLOOM = Family(
    "bloom",
    "BLOOM-176B on MIG slices at RIPE Atlas anchors in Europe, the paper's simulations",
    "Sun, He, Hou, arXiv 2604.14993, section 4.1; with the authors' choices, their public simulator",
    BloomParameters,
    build,
)
