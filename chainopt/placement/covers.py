"""Disjoint covers: k sets of servers that each have room for all blocks, with as few servers as possible.

What the dynamic program of Parallax looks for, which goes through the servers one by one and may leave servers out,
put them to a pipeline that is open, or open one. Of k pipelines it finds the fewest servers s(k), and takes the k with
the largest k^2 / s(k).

No server need be left out before the last that is used: a larger one can take the place of a smaller one in any cover.
So s(k) is the least s for which the s largest servers can be divided into k covers, of which a search by depth finds
one. Here the servers of the covers may be others than there, where there are several ways.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_STEPS = 500
"""Of the search for one k and one s beyond s itself; then it counts as failed, and s(k) may be larger than need be."""


def best_covers(sizes: Sequence[int], blocks: int) -> list[list[int]]:
    """The k covers of s servers with the largest k^2 / s, ties to the smallest k; none where there is none.

    Parameters
    ----------
    sizes
        Blocks that each server can host, positive and descending.
    blocks
        L.

    Returns
    -------
    list
        Positions in `sizes` for each cover, ascending.
    """
    best: list[list[int]] = []
    best_servers = 1
    for k in range(min(len(sizes), sum(sizes) // blocks), 0, -1):
        most = k * k * best_servers // len(best) ** 2 if best else len(sizes)
        covers = fewest_servers(sizes, blocks, k, most)
        if covers:
            best, best_servers = covers, sum(map(len, covers))
    return best


def fewest_servers(sizes: Sequence[int], blocks: int, k: int, most: int) -> list[list[int]]:
    """Find k disjoint covers of as few servers as possible, at most so many; none where there are no k."""
    for s in range(_least_servers(sizes, blocks, k), min(most, len(sizes)) + 1):
        covers = _divided(sizes[:s], blocks, k)
        if covers:
            return covers
    return []


def _least_servers(sizes: Sequence[int], blocks: int, k: int) -> int:
    """Servers that have room for k covers, each with at least one server and no less room than servers can have.

    One more than there are where they do not suffice.
    """
    needed = k * _least_sums(sizes, blocks)[blocks]
    rooms = enumerate(accumulate(sizes), 1)
    return max(k, next((s for s, room in rooms if room >= needed), len(sizes) + 1))


def _least_sums(sizes: Sequence[int], blocks: int) -> list[int]:
    """The least sum of some of these sizes, each as often as one likes, that is at least 0, 1, ..., L."""
    kinds = set(sizes)
    least = [0] * (blocks + 1)
    for lack in range(1, blocks + 1):
        least[lack] = min(size + least[max(lack - size, 0)] for size in kinds)
    return least


def _least_sums_after(sizes: Sequence[int], blocks: int) -> list[list[int]]:
    """The same for the servers from each on."""
    tables: list[list[int]] = []
    for i in range(len(sizes) - 1, -1, -1):
        tables.append(tables[-1] if tables and sizes[i] == sizes[i + 1] else _least_sums(sizes[i:], blocks))
    return tables[::-1]


def _divided(sizes: Sequence[int], blocks: int, k: int) -> list[list[int]]:
    """The servers divided into k covers, none where that fails or takes too long.

    Server after server is put to a cover that still lacks blocks: first to the one that it completes with the least to
    spare, then to those that lack more than it has, the most first. Of covers that lack as much one is tried.
    """
    after = [*accumulate(reversed(sizes), initial=0)][::-1]
    least = _least_sums_after(sizes, blocks)
    lacking = [blocks] * k
    covers: list[list[int]] = [[] for _ in range(k)]
    failed: set[tuple[int, ...]] = set()
    states: list[tuple[int, ...]] = []  # what the open covers lack, before each server
    untried: list[list[int]] = []  # what the covers lack that the server may still be put to
    put: list[tuple[int, int]] = []  # cover that each server was put to, and what it lacked before
    for _ in range(2 * (len(sizes) + MOST_STEPS)):
        i = len(put)
        if len(states) == i:
            state = tuple(sorted(lack for lack in lacking if lack > 0))
            if not state:
                return covers
            dead = i == len(sizes) or after[i] < sum(least[i][lack] for lack in state) or (i, *state) in failed
            states.append(state)
            untried.append([] if dead else _in_order(state, sizes[i]))
        if untried[i]:
            lack = untried[i].pop()
            q = lacking.index(lack)
            put.append((q, lack))
            covers[q].append(i)
            lacking[q] -= sizes[i]
            continue
        failed.add((i, *states.pop()))
        untried.pop()
        if not put:
            return []
        q, lack = put.pop()
        covers[q].pop()
        lacking[q] = lack
    return []


def _in_order(lacks: Sequence[int], size: int) -> list[int]:
    """What to try for a server of this size, the best last."""
    return sorted(set(lacks), key=lambda lack: (lack > size, -lack), reverse=True)
