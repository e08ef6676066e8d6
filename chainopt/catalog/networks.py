"""Networks of places, and the round trip times between them."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.catalog.lookup import data_text, find
from chainopt.errors import FormatError
from chainopt.files.text import read_text

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0
MEDIAN_SHARE = 0.3
MS_PER_KM = 0.01
_ANCHOR_COLUMNS = ("anchor_id", "latitude", "longitude", "median_ms")


@dataclass(frozen=True, eq=False)
class Network:
    """Places and the round trip times between them.

    Attributes
    ----------
    nodes
        Names of the n places.
    coordinates
        Latitude and longitude of each in degrees, shape (n, 2).
    rtt_ms
        Round trip times in milliseconds, shape (n, n), symmetric, 0 on the diagonal, read-only.
    hub
        Position of the place where the orchestrator sits.
    """

    name: str
    nodes: tuple[str, ...]
    coordinates: NDArray[np.float64]
    rtt_ms: NDArray[np.float64]
    hub: int

    @property
    def nearest(self) -> tuple[int, ...]:
        """Positions of all places but the hub, from the nearest to the hub to the farthest; ties by position."""
        order = np.argsort(self.rtt_ms[self.hub], kind="stable")
        return tuple(int(i) for i in order if i != self.hub)


def network(name: str) -> Network:
    """The network of that name, whatever its case; see :func:`networks`.

    Raises
    ------
    FormatError
        If there is none; the message lists the closest names.
    """
    return find(_LOADERS, name, "network")()


def networks() -> tuple[str, ...]:
    """Names of the networks: ``ripe-atlas-europe``, and four of the Internet Topology Zoo."""
    return tuple(_LOADERS)


def read_anchors(source: str | os.PathLike[str], name: str = "anchors") -> Network:
    """Read a CSV file of anchors, with the columns anchor_id, latitude, longitude and median_ms.

    See :func:`anchor_network`.

    Raises
    ------
    FormatError
        If it cannot be read or is no such file.
    """
    return _parse_anchors(read_text(source), str(source), name)


def read_repetita(source: str | os.PathLike[str], name: str = "graph") -> Network:
    """Read a graph in the format of REPETITA: nodes ``label x y``, edges ``label src dest weight bw delay``.

    The delay is in microseconds, one way, x is the longitude and y the latitude. See :func:`graph_network`.

    Raises
    ------
    FormatError
        If it cannot be read or is no such file.
    """
    return _parse_repetita(read_text(source), str(source), name)


def anchor_network(
    name: str, nodes: Sequence[str], coordinates: NDArray[np.float64], median_ms: NDArray[np.float64]
) -> Network:
    """Network of measured anchors, among which nothing was measured.

    RTT(i, j) = 0.3 m_i + 0.3 m_j + 0.01 ms/km · (great circle distance), where m_i is the median round trip time of
    anchor i to the vantage points. This is what the simulator of the paper's authors does: the times between
    anchors are a construction, not a measurement. The hub is the anchor with the lowest median.
    """
    distance_km = great_circle_km(coordinates)
    rtt = MEDIAN_SHARE * (median_ms[:, None] + median_ms[None, :]) + MS_PER_KM * distance_km
    np.fill_diagonal(rtt, 0.0)
    return Network(name, tuple(nodes), _frozen(coordinates), _frozen(rtt), int(np.argmin(median_ms)))


def graph_network(
    name: str,
    nodes: Sequence[str],
    coordinates: NDArray[np.float64],
    edges: Sequence[tuple[int, int, int]],
) -> Network:
    """Network of links: RTT = 2 · (shortest delay). The hub is the node with most links, ties by position.

    Parameters
    ----------
    edges
        Source, destination and one-way delay in microseconds; of parallel ones the fastest counts.

    Raises
    ------
    ValueError
        If some node cannot reach another.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    fastest: dict[tuple[int, int], int] = {}
    for source, target, delay in edges:
        fastest[source, target] = min(delay, fastest.get((source, target), delay))
    ends = np.array(list(fastest), dtype=np.intp).reshape(-1, 2)
    graph = csr_array((list(fastest.values()), (ends[:, 0], ends[:, 1])), shape=(len(nodes), len(nodes)))
    delay_us = shortest_path(graph, method="D")
    if not np.isfinite(delay_us).all():
        raise ValueError("some nodes cannot reach each other")
    rtt = (delay_us + delay_us.T) / 1000
    degree = np.bincount([source for source, _, _ in edges], minlength=len(nodes))
    return Network(name, tuple(nodes), _frozen(coordinates), _frozen(rtt), int(np.argmax(degree)))


def great_circle_km(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances on a sphere, by the haversine formula, shape (n, n).

    Parameters
    ----------
    coordinates
        Latitude and longitude in degrees, shape (n, 2).
    """
    latitude, longitude = np.radians(coordinates).T
    half_latitude = np.sin((latitude[:, None] - latitude[None, :]) / 2)
    half_longitude = np.sin((longitude[:, None] - longitude[None, :]) / 2)
    chord = half_latitude**2 + np.cos(latitude[:, None]) * np.cos(latitude[None, :]) * half_longitude**2
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    return distance


def _frozen(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.setflags(write=False)
    return array


def _parse_anchors(text: str, source: str, name: str) -> Network:
    lines = text.splitlines()
    header = tuple(lines[0].split(",")) if lines else ()
    if header != _ANCHOR_COLUMNS:
        raise FormatError(f"expected the header {','.join(_ANCHOR_COLUMNS)}", source=source, line=1)
    nodes, places, medians = [], [], []
    for number, row in enumerate(csv.reader(lines[1:]), start=2):
        if not row:
            continue
        if len(row) != len(_ANCHOR_COLUMNS):
            raise FormatError(f"expected 4 values, got {len(row)}", source=source, line=number)
        nodes.append(row[0])
        places.append((_number(row[1], source, number, 90), _number(row[2], source, number, 180)))
        medians.append(_number(row[3], source, number, 1e6, least=0))
    if not nodes:
        raise FormatError("expected at least one anchor", source=source, line=2)
    return anchor_network(name, nodes, np.array(places), np.array(medians))


def _parse_repetita(text: str, source: str, name: str) -> Network:
    lines = list(enumerate((line.split() for line in text.splitlines()), start=1))
    lines = [(number, words) for number, words in lines if words]
    count, lines = _section(lines, "NODES", 3, source)
    nodes, places = [], []
    for number, (label, x, y) in lines[:count]:
        nodes.append(label)
        places.append((_number(y, source, number, 90), _number(x, source, number, 180)))
    edges_count, lines = _section(lines[count:], "EDGES", 6, source)
    edges = []
    for number, words in lines[:edges_count]:
        ends = [int(_number(word, source, number, count - 1, least=0, whole=True)) for word in words[1:3]]
        delay = int(_number(words[5], source, number, 1e9, least=1, whole=True))
        edges.append((ends[0], ends[1], delay))
    if lines[edges_count:]:
        raise FormatError("expected nothing after the edges", source=source, line=lines[edges_count][0])
    try:
        return graph_network(name, nodes, np.array(places), edges)
    except ValueError as error:
        raise FormatError(str(error), source=source) from None


def _section(
    lines: list[tuple[int, list[str]]], keyword: str, words: int, source: str
) -> tuple[int, list[tuple[int, list[str]]]]:
    """The number of rows of a section, and the lines from its first row on; each row must have so many words."""
    line, head = lines[0] if lines else (1, [])
    if len(head) != 2 or head[0] != keyword or not head[1].isdecimal() or int(head[1]) < 1:
        raise FormatError(f"expected {keyword} and their number", source=source, line=line)
    count, rows = int(head[1]), lines[2:]
    if len(rows) < count:
        raise FormatError(f"expected {count} rows, got {len(rows)}", source=source, line=line, path=keyword)
    for number, row in rows[:count]:
        if len(row) != words:
            raise FormatError(f"expected {words} values, got {len(row)}", source=source, line=number)
    return count, rows


def _number(
    word: str, source: str, line: int, most: float, *, least: float | None = None, whole: bool = False
) -> float:
    least = -most if least is None else least
    try:
        value = int(word) if whole else float(word)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        kind = "an integer" if whole else "a number"
        raise FormatError(f"expected {kind} from {least:g} to {most:g}, got {word!r}", source=source, line=line)
    return value


@functools.cache
def _ripe_atlas_europe() -> Network:
    return _parse_anchors(data_text("ripe-atlas-europe.csv"), "ripe-atlas-europe.csv", "ripe-atlas-europe")


@functools.cache
def _topology_zoo(name: str) -> Network:
    return _parse_repetita(data_text(f"{name}.graph"), f"{name}.graph", name)


_LOADERS: dict[str, Callable[[], Network]] = {
    "ripe-atlas-europe": _ripe_atlas_europe,
    **{name: functools.partial(_topology_zoo, name) for name in ("Abvt", "AttMpls", "Bellcanada", "GtsCe")},
}
