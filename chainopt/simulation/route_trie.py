"""Numbers for routes, in order of first use: a trie of the servers of a route, from the last to the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE = -1
ROOT = 0


class RouteTrie(NamedTuple):
    """A node stands for the servers on the way up from it; node 0, the root, for none.

    Attributes
    ----------
    arc
        Last step to the node, any number, shape (N,).
    parent
        Shape (N,).
    child, sibling
        The newest child and the next older one of the same parent, shape (N,).
    route
        Number of the route that ends here, shape (N,).
    end
        Node where each route ends, shape (N,).
    sizes
        Number of nodes and of routes, shape (2,).
    """

    arc: NDArray[np.int64]
    parent: NDArray[np.int64]
    child: NDArray[np.int64]
    sibling: NDArray[np.int64]
    route: NDArray[np.int64]
    end: NDArray[np.int64]
    sizes: NDArray[np.int64]


def empty_trie(room: int) -> RouteTrie:
    """No routes, and room for so many nodes."""
    return RouteTrie._make([*(np.full(room, NONE) for _ in range(6)), np.array([1, 0])])


def with_more_room(trie: RouteTrie) -> RouteTrie:
    """The same routes, and room for twice as many nodes."""
    empty = np.full(trie.arc.size, NONE)
    return RouteTrie._make([*(np.concatenate([array, empty]) for array in trie[:-1]), trie.sizes])


def steps(trie: RouteTrie, route: int) -> list[int]:
    """The steps of a route, from the last that was given to `step` to the first."""
    found = []
    node = int(trie.end[route])
    while node != ROOT:
        found.append(int(trie.arc[node]))
        node = int(trie.parent[node])
    return found


@kernel
def step(trie: RouteTrie, node: int, arc: int) -> int:
    """The node one step further; a new one where there is none."""
    child: int = trie.child[node]
    while child != NONE:
        if trie.arc[child] == arc:
            return child
        child = trie.sibling[child]
    child = trie.sizes[0]
    trie.sizes[0] += 1
    trie.arc[child], trie.parent[child] = arc, node
    trie.sibling[child] = trie.child[node]
    trie.child[node] = child
    return child


@kernel
def number_of_route(trie: RouteTrie, node: int) -> int:
    """Number of the route that ends at a node; the next one if it is new."""
    if trie.route[node] == NONE:
        trie.route[node] = trie.sizes[1]
        trie.end[trie.sizes[1]] = node
        trie.sizes[1] += 1
    route: int = trie.route[node]
    return route
