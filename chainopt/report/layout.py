"""Where servers and chains stand in a picture, whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainopt.report.facts import Facts

MOST_SERVERS = 300
MOST_CHAINS = 150
"""Most that are drawn; more would be neither read nor fast."""

BAR = 0.72
"""Height of a bar, of a row's."""


@dataclass(frozen=True)
class Line:
    """A chain drawn through its servers.

    Attributes
    ----------
    chain
        Its number.
    points
        (x, y): x in blocks, y in rows from the top; two points for each server, where its part starts and ends.
    """

    chain: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Layout:
    """A picture of a composition: one row a server, blocks from left to right.

    Attributes
    ----------
    rows
        Positions of the servers that are drawn, from the top: by first block, so that chains run downwards.
    lines
        The chains that are drawn.
    servers_left_out, chains_left_out
        How many that host, or run, there is no room for.
    """

    rows: tuple[int, ...]
    lines: tuple[Line, ...]
    servers_left_out: int
    chains_left_out: int


def layout(facts: Facts, most_servers: int = MOST_SERVERS, most_chains: int = MOST_CHAINS) -> Layout:
    """Lay out the servers that host blocks and the chains through them.

    Where there are too many, chains are taken by decreasing rate as long as their servers find room; the room that is
    left is for servers without a chain that is drawn, again those that carry most.
    """
    total = facts.total_service_rate
    drawn: list[int] = []
    shown: set[int] = set()
    for k in sorted(range(len(facts.chains)), key=lambda k: (-facts.chains[k].rate, k)):
        together = shown.union(facts.chains[k].servers)
        if len(together) <= most_servers and len(drawn) < most_chains:
            drawn.append(k)
            shown = together
    hosting = [j for j, server in enumerate(facts.servers) if server.blocks]
    others = sorted((j for j in hosting if j not in shown), key=lambda j: (facts.servers[j].rate_without - total, j))
    shown.update(others[: most_servers - len(shown)])
    rows = sorted(shown, key=lambda j: (facts.servers[j].start, facts.servers[j].stop, j))
    left_out = len(hosting) - len(rows), len(facts.chains) - len(drawn)
    return Layout(tuple(rows), _lines(facts, rows, sorted(drawn)), *left_out)


def _lines(facts: Facts, rows: list[int], drawn: list[int]) -> tuple[Line, ...]:
    """Each chain in a lane of its own: within a server by its rank among those that pass, between by its number."""
    row_of = {j: i for i, j in enumerate(rows)}
    passing: dict[int, list[int]] = {j: [] for j in rows}
    for k in drawn:
        for j in facts.chains[k].servers:
            passing[j].append(k)
    lane = {(j, k): (rank + 1) / (len(chains) + 1) for j, chains in passing.items() for rank, k in enumerate(chains)}
    length = facts.instance.service.blocks
    spread = min(0.6, 0.008 * length)  # in blocks: lines that change servers at the same boundary stand side by side
    lines = []
    for rank, k in enumerate(drawn):
        aside = spread * ((rank + 1) / (len(drawn) + 1) - 0.5)
        points = []
        at = 0.0
        for j, blocks in zip(facts.chains[k].servers, facts.chains[k].blocks, strict=True):
            y = row_of[j] + (1 - BAR) / 2 + BAR * lane[j, k]
            end = at + blocks
            points += [(_inside(at, aside, length), y), (_inside(end, aside, length), y)]
            at = end
        lines.append(Line(k, tuple(points)))
    return tuple(lines)


def _inside(boundary: float, aside: float, length: int) -> float:
    return boundary if boundary in (0, length) else boundary + aside


def ticks(largest: float, most: int = 8) -> list[float]:
    """Round numbers from 0 to at most `largest`, 1, 2 or 5 times a power of ten apart; `most` is at least 3."""
    if largest <= 0:
        return [0.0]
    exponent = floor(log10(largest / most))
    step = next(
        factor * 10.0**power
        for power in (exponent, exponent + 1)
        for factor in (1, 2, 5)
        if largest / (factor * 10.0**power) <= most
    )
    return [step * i for i in range(floor(largest / step * (1 + 1e-12)) + 1)]
