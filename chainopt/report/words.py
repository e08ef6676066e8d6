"""Numbers and sentences of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainopt.report.facts import Facts

MOST_LISTED = 30
"""Servers or chains named in one sentence."""


def number(value: float | None, digits: int = 4) -> str:
    """A number, a dash for what is unknown."""
    return "–" if value is None else f"{value:.{digits}g}"


def share(value: float | None) -> str:
    """A share as a percentage."""
    return "–" if value is None else f"{100 * value if value > 1e-15 else 0:.3g} %"


def blocks(start: int, stop: int) -> str:
    """A range of blocks, the last one included, as people count."""
    if start == stop:
        return "none"
    return str(start) if stop - start == 1 else f"{start}–{stop - 1}"


def chain_sentence(facts: Facts, k: int) -> str:
    """What there is to say of a chain."""
    chain = facts.chains[k]
    hops = [f"{facts.servers[j].name} ({count})" for j, count in zip(chain.servers, chain.blocks, strict=True)]
    jobs = "1 job" if chain.capacity == 1 else f"{chain.capacity} jobs"
    text = f"Chain {k}: {_listed(hops, ' → ')}. {jobs} at once, {number(chain.service_time_s)} s each"
    return f"{text}." if chain.share is None else f"{text}; {share(chain.share)} of the jobs, {share(chain.busy)} busy."


def server_sentence(facts: Facts, j: int) -> str:
    """What there is to say of a server."""
    server = facts.servers[j]
    text = f"Server {server.name}: blocks {blocks(server.start, server.stop)}, {number(server.free_gb)} GB free. "
    if not server.chains:
        return text + "No chain passes."
    chains = _listed([str(k) for k in server.chains], ", ")
    text += f"Chain {chains} passes" if len(server.chains) == 1 else f"Chains {chains} pass"
    return f"{text}." if server.share is None else f"{text}: {share(server.share)} of the jobs."


def _listed(items: list[str], separator: str) -> str:
    shown = separator.join(items[:MOST_LISTED])
    return shown if len(items) <= MOST_LISTED else f"{shown} and {len(items) - MOST_LISTED} more"
