"""Networks: their statistics, their readers, and how times come about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import rankdata

from chainopt import catalog
from chainopt.catalog.networks import anchor_network, graph_network, great_circle_km
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# number of nodes, the hub; min, median, mean, max of all pairs and of the hub's, ms
STATISTICS = {
    "ripe-atlas-europe": (320, "1163", (10.32, 24.07, 25.57, 62.84), (10.32, 18.88, 20.99, 42.17)),
    "Abvt": (23, "1_New_York", (0.20, 14.05, 17.07, 65.15), (0.44, 11.08, 11.93, 44.39)),
    "AttMpls": (25, "13_DLLS", (0.41, 6.84, 7.37, 16.07), (1.22, 5.69, 5.72, 11.59)),
    "Bellcanada": (48, "2_Edmonton", (0.16, 9.14, 9.40, 30.44), (0.49, 8.19, 7.79, 16.81)),
    "GtsCe": (149, "130_Bratislava", (0.01, 3.69, 4.10, 14.29), (0.19, 2.59, 2.66, 7.97)),
}


def summary(values: NDArray[np.float64]) -> list[float]:
    return [float(f(values)) for f in (np.min, np.median, np.mean, np.max)]


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics(name: str) -> None:
    """Number of nodes, hub, and the distribution of round trip times, to a hundredth of a millisecond."""
    size, hub, pairs, from_hub = STATISTICS[name]
    network = catalog.network(name)
    assert (len(network.nodes), network.nodes[network.hub]) == (size, hub)
    upper = network.rtt_ms[np.triu_indices(size, 1)]
    assert upper.size == size * (size - 1) // 2
    assert summary(upper) == pytest.approx(pairs, abs=0.0051)
    assert summary(np.delete(network.rtt_ms[network.hub], network.hub)) == pytest.approx(from_hub, abs=0.0051)


def test_every_network_is_tested() -> None:
    """The table above is complete."""
    assert set(catalog.networks()) == set(STATISTICS)


@pytest.mark.parametrize("name", STATISTICS)
def test_networks_are_metric_spaces_of_sorts(name: str) -> None:
    """Times are symmetric, 0 on the diagonal only, read-only, and keep the triangle inequality."""
    rtt = catalog.network(name).rtt_ms
    assert np.array_equal(rtt, rtt.T)
    assert not np.diag(rtt).any()
    assert (rtt + np.eye(len(rtt)) > 0).all()
    via = rtt[:, 0, None] + rtt[None, 0, :]
    assert (rtt <= via + 1e-9).all()
    with pytest.raises(ValueError, match="read-only"):
        rtt[0, 1] = 0.0


def test_number_of_pairs_of_anchors() -> None:
    """320 anchors have 51,040 pairs."""
    assert 320 * 319 // 2 == 51_040


def test_medians_of_the_anchors() -> None:
    """The distribution of the anchors' medians, found again from the times between them."""
    network = catalog.network("ripe-atlas-europe")
    distance = great_circle_km(network.coordinates)
    sums = (network.rtt_ms - 0.01 * distance) / 0.3
    # m_0 = (s_01 + s_02 - s_12) / 2, and so on
    first = (sums[0, 1] + sums[0, 2] - sums[1, 2]) / 2
    medians = np.concatenate(([first], sums[0, 1:] - first))
    assert summary(medians) == pytest.approx([17.20, 28.14, 29.70, 54.76], abs=0.0051)
    assert medians[network.hub] == pytest.approx(17.1991, abs=1e-9)
    assert network.hub == int(np.argmin(medians))


def test_communication_times_of_the_paper() -> None:
    """20 exchanges with each anchor: as in the authors' simulator, and with the paper's 18 ms."""
    network = catalog.network("ripe-atlas-europe")
    rtts = np.delete(network.rtt_ms[network.hub], network.hub)
    code = [float(catalog.comm_s(rtt, 20, overhead_ms=0, prompt_overhead_ms=50)) for rtt in rtts]
    paper = [float(catalog.comm_s(rtt, 20)) for rtt in rtts]
    assert summary(np.array(code)) == pytest.approx([0.256, 0.428, 0.470, 0.893], abs=0.0005)
    assert summary(np.array(paper)) == pytest.approx([0.566, 0.738, 0.780, 1.203], abs=0.0005)


@pytest.mark.parametrize("name", STATISTICS)
def test_nearest(name: str) -> None:
    """All places but the hub, by distance, ties by position."""
    network = catalog.network(name)
    ranks = rankdata(network.rtt_ms[network.hub], method="ordinal")
    expected = sorted(set(range(len(network.nodes))) - {network.hub}, key=lambda i: ranks[i])
    assert network.nearest == tuple(expected)


def test_great_circles() -> None:
    """A quarter of the equator, half a meridian, and no distance at all."""
    places = np.array([[0.0, 0.0], [0.0, 90.0], [90.0, 0.0], [-90.0, 0.0]])
    quarter = 6371 * np.pi / 2
    expected = quarter * np.array([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 2], [1, 1, 2, 0]])
    assert great_circle_km(places) == pytest.approx(expected)


def test_anchors_by_hand() -> None:
    """Two anchors at one place: 0.3 (10 + 20) = 9 ms."""
    network = anchor_network("x", ["a", "b"], np.zeros((2, 2)), np.array([20.0, 10.0]))
    assert network.rtt_ms == pytest.approx(np.array([[0, 9], [9, 0]]))
    assert (network.hub, network.nearest) == (1, (0,))


def test_parallel_links_take_the_fastest() -> None:
    """Of two links between the same nodes the faster counts for the time, both for the degree."""
    edges = [(0, 1, 900), (1, 0, 900), (0, 1, 500), (1, 0, 500), (1, 2, 300), (2, 1, 300), (0, 2, 5000), (2, 0, 5000)]
    network = graph_network("x", ["a", "b", "c"], np.zeros((3, 2)), edges)
    assert network.rtt_ms == pytest.approx(np.array([[0, 1, 1.6], [1, 0, 0.6], [1.6, 0.6, 0]]))
    assert network.hub == 0


def test_one_way_delays_that_differ() -> None:
    """A round trip goes there and back, each by its own way."""
    edges = [(0, 1, 100), (1, 0, 300)]
    network = graph_network("x", ["a", "b"], np.zeros((2, 2)), edges)
    assert network.rtt_ms[0, 1] == network.rtt_ms[1, 0] == pytest.approx(0.4)


def test_unknown_network_names_the_closest() -> None:
    """A misspelt name is answered with the right one."""
    with pytest.raises(FormatError, match="no network is named 'ripe-atlas'; did you mean ripe-atlas-europe"):
        catalog.network("ripe-atlas")
    assert catalog.network("ABVT") is catalog.network("Abvt")


GRAPH = """NODES 2
label x y
a 0.0 1.0
b 2.0 3.0

EDGES 2
label src dest weight bw delay
e 0 1 1 1000 250
f 1 0 1 1000 250
"""
ANCHORS = "anchor_id,latitude,longitude,median_ms\n7,1.5,2.5,10\n8,1.5,2.5,20\n"


def test_reading_files(tmp_path: Path) -> None:
    """Files of one's own are read like those of the catalogue; x is the longitude."""
    (tmp_path / "a.graph").write_text(GRAPH)
    graph = catalog.read_repetita(tmp_path / "a.graph", "mine")
    assert (graph.name, graph.nodes, graph.rtt_ms[0, 1]) == ("mine", ("a", "b"), pytest.approx(0.5))
    assert graph.coordinates.tolist() == [[1.0, 0.0], [3.0, 2.0]]
    (tmp_path / "a.csv").write_text(ANCHORS)
    anchors = catalog.read_anchors(tmp_path / "a.csv")
    assert (anchors.nodes, anchors.rtt_ms[0, 1], anchors.hub) == (("7", "8"), pytest.approx(9), 0)


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("NODES 2", "", "expected NODES and their number", 2),
        ("NODES 2", "NODES two", "expected NODES and their number", 1),
        ("NODES 2", "NODES 0", "expected NODES and their number", 1),
        ("NODES 2", "NODES 9", "NODES: expected 9 rows, got 6", 1),
        ("NODES 2", "NODES 3", "expected 3 values, got 2", 6),
        ("b 2.0 3.0", "b 2.0", "expected 3 values, got 2", 4),
        ("b 2.0 3.0", "b 2.0 north", "expected a number from -90 to 90, got 'north'", 4),
        ("b 2.0 3.0", "b 2.0 91", "expected a number from -90 to 90, got '91'", 4),
        ("b 2.0 3.0", "b nan 3.0", "expected a number from -180 to 180, got 'nan'", 4),
        ("EDGES 2", "LINKS 2", "expected EDGES and their number", 6),
        ("EDGES 2", "EDGES 1", "expected nothing after the edges", 9),
        ("f 1 0", "f 1 2", "expected an integer from 0 to 1, got '2'", 9),
        ("f 1 0", "f 1 0.0", "expected an integer from 0 to 1, got '0.0'", 9),
        ("e 0 1 1 1000 250", "e 0 1 1 1000 0", "expected an integer from 1 to 1e[+]09, got '0'", 8),
        ("f 1 0", "f 0 1", "some nodes cannot reach each other", None),
    ],
)
def test_bad_graph(tmp_path: Path, old: str, new: str, message: str, line: int | None) -> None:
    """The error names the line."""
    file = tmp_path / "bad.graph"
    file.write_text(GRAPH.replace(old, new))
    with pytest.raises(FormatError, match=message) as caught:
        catalog.read_repetita(file)
    assert (caught.value.source, caught.value.line) == (str(file), line)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "expected the header anchor_id,latitude,longitude,median_ms", 1),
        ("anchor_id,median_ms\n", "expected the header", 1),
        (ANCHORS.splitlines()[0], "expected at least one anchor", 2),
        (ANCHORS + "9,1.5\n", "expected 4 values, got 2", 4),
        (ANCHORS + "9,1.5,999,10\n", "expected a number from -180 to 180, got '999'", 4),
        (ANCHORS + "9,1.5,2.5,-1\n", "expected a number from 0 to 1e[+]06, got '-1'", 4),
    ],
)
def test_bad_anchors(tmp_path: Path, text: str, message: str, line: int) -> None:
    """The error names the line."""
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(FormatError, match=message) as caught:
        catalog.read_anchors(file)
    assert (caught.value.source, caught.value.line) == (str(file), line)
