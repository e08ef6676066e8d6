"""Servers that are MIG slices of cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt import catalog
from chainopt.generate.slices import TIME_PLACES
from chainopt.quantity import rounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainopt.catalog import Assumptions, Gpu, Model
    from chainopt.generate.sites import Site
    from chainopt.model.instance import Server


def slice_servers(
    model: Model,
    slices: Iterable[tuple[int, Gpu, Site]],
    tokens_in: int,
    tokens_out: int,
    assume: Assumptions,
) -> tuple[Server, ...]:
    """One server for each slice, named after its card.

    Parameters
    ----------
    slices
        Position of the card, the slice, and where it is.
    """
    servers: list[Server] = []
    seen: dict[int, int] = {}
    for card, gpu, site in slices:
        seen[card] = seen.get(card, 0) + 1
        name = f"card{card + 1}.{seen[card]}"
        server = catalog.server(name, model, gpu, site.rtt_ms, tokens_in, tokens_out, assume)
        servers.append(
            server.replace(
                comp_s_per_block=rounded(server.comp_s_per_block, TIME_PLACES),
                tags={"gpu": gpu.name, "site": site.node, "rtt_ms": float(site.rtt_ms)},
            )
        )
    return tuple(servers)
