"""The routes that a PETALS client may take among the servers that it is allowed, as its source says.

From a block, a client can go to each server that hosts it, and stays there to the end of its range: edges between
servers start only at ends (petals/client/routing/sequence_manager.py, _build_inference_graph). Which of the routes it
takes depends on delays that it measures, so a chain is pinned only if there is no other route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S")
Hops = list[tuple[S, int, int]]


def count_routes(spans: Mapping[S, tuple[int, int]], blocks: int) -> int:
    """Number of routes through all blocks.

    Parameters
    ----------
    spans
        First block and end that each server announces.
    """
    return _counts(spans, blocks)[0]


def only_route(spans: Mapping[S, tuple[int, int]], blocks: int) -> Hops[S]:
    """The only route there is: servers with the first block and the end of what they process.

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    counts = _counts(spans, blocks)
    if counts[0] != 1:
        raise ValueError(f"{counts[0]} routes")
    route: Hops[S] = []
    block = 0
    while block < blocks:
        server = next(s for s, (start, stop) in spans.items() if start <= block < stop and counts[stop])
        route.append((server, block, spans[server][1]))
        block = spans[server][1]
    return route


def _counts(spans: Mapping[S, tuple[int, int]], blocks: int) -> list[int]:
    """Number of routes from each block to the end."""
    counts = [0] * blocks + [1]
    for block in reversed(range(blocks)):
        counts[block] = sum(counts[stop] for start, stop in spans.values() if start <= block < stop <= blocks)
    return counts
