"""Where the orchestrator and the servers of a network are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.errors import FormatError
from chainopt.quantity import rounded

if TYPE_CHECKING:
    from decimal import Decimal

    from chainopt.catalog import Network
    from chainopt.generate.draws import Draws

RTT_PLACES = 2
"""Round trip times are rounded to 0.01 ms, far above what the rounding of floats could change."""


@dataclass(frozen=True)
class Site:
    """Place of a server: the name of its node, and the round trip time from the orchestrator."""

    node: str
    rtt_ms: Decimal


def drawn(network: Network, count: int, draws: Draws, orchestrator: int | None = None) -> tuple[str, list[Site]]:
    """Name of the orchestrator, and so many other places in random order.

    Parameters
    ----------
    orchestrator
        Its position; drawn at random, first of all, if None.

    Raises
    ------
    FormatError
        If the network has fewer places.
    """
    places = len(network.nodes)
    check_room(network, count)
    if orchestrator is None:
        orchestrator = draws.index(places)
    others = [i for i in range(places) if i != orchestrator]
    return network.nodes[orchestrator], _sites(network, orchestrator, draws.sample(others, count))


def nearest_first(sites: list[Site]) -> list[Site]:
    """From the nearest to the orchestrator to the farthest, ties in the order given."""
    return sorted(sites, key=lambda site: site.rtt_ms)


def nearest(network: Network, count: int) -> tuple[str, list[Site]]:
    """Name of the hub as orchestrator, and the so many places nearest to it; ties by position.

    Raises
    ------
    FormatError
        If the network has fewer places.
    """
    check_room(network, count)
    others = [i for i in range(len(network.nodes)) if i != network.hub]
    return network.nodes[network.hub], nearest_first(_sites(network, network.hub, others))[:count]


def check_room(network: Network, count: int, path: str = "servers") -> None:
    """Raise unless the network has so many places besides the orchestrator."""
    most = len(network.nodes) - 1
    if count > most:
        raise FormatError(f"expected at most the {most} places of {network.name}, got {count}", path=path)


def _sites(network: Network, orchestrator: int, places: list[int]) -> list[Site]:
    rtt = network.rtt_ms[orchestrator]
    return [Site(network.nodes[i], rounded(float(rtt[i]), RTT_PLACES)) for i in places]
