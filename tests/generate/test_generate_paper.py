"""The families that stand for the paper's settings have the paper's numbers."""

from __future__ import annotations

import statistics
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from chainopt import catalog
from chainopt.errors import FormatError
from chainopt.generate import (
    FAMILIES,
    BloomParameters,
    HomogeneousParameters,
    LlamaParameters,
    MigParameters,
    RandomParameters,
    TopologyParameters,
)

if TYPE_CHECKING:
    from chainopt.model import Instance, Server

FAST, SLOW = "A100 MIG 3g.40gb", "A100 MIG 2g.20gb"


def rtt_ms(server: Server) -> Decimal:
    return Decimal(str(server.tags["rtt_ms"]))


def kinds(instance: Instance) -> list[str]:
    return [server.tags["gpu"] for server in instance.servers]


def test_bloom_has_the_papers_numbers() -> None:
    """Section 4.1: 70 blocks of 1.32 GB, 0.11 GB of cache, 109 and 175 ms a block, 0.2 jobs/s, a fifth is fast."""
    instance = FAMILIES["bloom"].instance(seed=1)
    service, workload = instance.service, instance.workload
    assert (service.blocks, service.block_gb, service.cache_gb) == (70, Decimal("1.32"), Decimal("0.11"))
    assert (workload.arrival_rate, workload.target_load) == (Decimal("0.2"), Decimal("0.7"))
    assert sorted(kinds(instance)) == [SLOW] * 16 + [FAST] * 4
    for server in instance.servers:
        fast = server.tags["gpu"] == FAST
        assert server.comp_s_per_block == Decimal("0.108922" if fast else "0.175176")
        assert server.memory_gb == (40 if fast else 20)
        assert server.comm_s == 20 * (rtt_ms(server) + 18) / 1000


@pytest.mark.parametrize(("cache_gb", "sizes"), [(None, {9, 19}), (Decimal("0.1158"), {9, 18})])
def test_bloom_sizes_at_seven_jobs(cache_gb: Decimal | None, sizes: set[int]) -> None:
    """m_j(7) is 9 and 19 blocks with the paper's s_c, and 9 and 18 with that of the authors' simulator."""
    instance = FAMILIES["bloom"].instance(BloomParameters(cache_gb=cache_gb))
    assert set(instance.memory.sizes(7).tolist()) == sizes


def test_bloom_draws_orchestrator_and_fast_servers() -> None:
    """Other seeds have other orchestrators, and the fast servers are not the nearest ones."""
    instances = [FAMILIES["bloom"].instance(seed=seed) for seed in range(10)]
    assert len({instance.note for instance in instances}) == 10
    for instance in instances:
        assert len({server.tags["site"] for server in instance.servers}) == 20
    nearest_are_fast = [
        set(sorted(range(20), key=lambda j: instance.servers[j].comm_s)[:4])
        == {j for j, kind in enumerate(kinds(instance)) if kind == FAST}
        for instance in instances
    ]
    assert not all(nearest_are_fast)


def test_bloom_with_fewer_servers_is_a_part_of_it_with_more() -> None:
    """The same seed puts the first 10 of 20 servers at the same sites, seen from the same orchestrator."""
    small = FAMILIES["bloom"].instance(BloomParameters(servers=10), seed=4)
    large = FAMILIES["bloom"].instance(BloomParameters(servers=20), seed=4)
    assert small.note == large.note
    assert [s.tags["site"] for s in small.servers] == [s.tags["site"] for s in large.servers[:10]]


def test_authors_choices() -> None:
    """Their simulator: orchestrator 1163, the nearest are fast, 20 RTT + 50 ms, 156 and 78 TFLOPS, other s_c."""
    instance = FAMILIES["bloom"].instance(BloomParameters(authors=True), seed=1)
    assert instance.note is not None
    assert instance.note.endswith("orchestrator at anchor 1163")
    assert instance.service.cache_gb == Decimal("0.115835")
    assert kinds(instance) == [FAST] * 4 + [SLOW] * 16
    assert [s.comm_s for s in instance.servers] == sorted(s.comm_s for s in instance.servers)
    for server in instance.servers:
        assert server.comm_s == (20 * rtt_ms(server) + 50) / 1000
    assert {s.comp_s_per_block for s in instance.servers} == {Decimal("0.089691"), Decimal("0.178382")}


def test_authors_distances() -> None:
    """From 1163 to all 319 others: the least, median, mean and largest τ^c of their simulator, in ms."""
    instance = FAMILIES["bloom"].instance(BloomParameters(authors=True, servers=319))
    times = [1000 * float(server.comm_s) for server in instance.servers]
    found = [min(times), statistics.median(times), statistics.mean(times), max(times)]
    assert found == pytest.approx([256, 428, 470, 893], abs=0.6)


@pytest.mark.parametrize(("servers", "share", "fast"), [(10, "0.29", 2), (10, "0.3", 3), (7, "0.999", 6), (3, "0", 0)])
def test_number_of_fast_servers_is_rounded_down(servers: int, share: str, fast: int) -> None:
    """floor(J η), exactly: 0.3 of 10 servers are 3."""
    instance = FAMILIES["bloom"].instance(BloomParameters(servers=servers, fast_share=Decimal(share)))
    assert kinds(instance).count(FAST) == fast


@pytest.mark.parametrize(
    ("precision", "block_gb"), [("fp16", "0.40476672"), ("int8", "0.2044071936"), ("nf4", "0.1085913216")]
)
def test_llama_is_the_papers_testbed(precision: str, block_gb: str) -> None:
    """Section 4.2: 32 blocks on 3 slices of 3g.40gb and 6 of 2g.20gb, 2.57 jobs a second."""
    instance = FAMILIES["llama"].instance(LlamaParameters(precision=precision))
    assert (instance.service.blocks, instance.service.block_gb) == (32, Decimal(block_gb))
    assert instance.service.cache_gb == Decimal("0.033554432")
    assert instance.workload.arrival_rate == Decimal("2.57")
    profiles = [server.tags["gpu"].partition(":")[2] for server in instance.servers]
    assert sorted(profiles) == ["2g.20gb"] * 6 + ["3g.40gb"] * 3
    assert len({server.tags["site"] for server in instance.servers}) == 9


def test_llama_cards_that_do_not_fit() -> None:
    """A partition that no card has room for, or more slices than places, is an error."""
    with pytest.raises(FormatError, match="takes 9 compute slices"):
        FAMILIES["llama"].instance(LlamaParameters(partition="3g.40gb+3g.40gb+3g.40gb"))
    with pytest.raises(FormatError, match="no MIG profile"):
        FAMILIES["llama"].instance(LlamaParameters(partition="5g.50gb"))
    many = LlamaParameters(cards=100, partition="+".join(["1g.10gb"] * 7))
    with pytest.raises(FormatError, match="cards: expected at most the 319 places"):
        FAMILIES["llama"].instance(many)


@pytest.mark.parametrize("card", ["A100-SXM-80GB", "A100-PCIe-40GB", "A30", "H100-SXM-80GB", "H200-SXM-141GB"])
def test_mig_partitions_are_valid_and_full(card: str) -> None:
    """On every card the slices fit its compute and memory slices, and no further slice does."""
    instance = FAMILIES["mig"].instance(MigParameters(card=card, cards=30), seed=8)
    cuts: dict[str, list[str]] = {}
    for server in instance.servers:
        cuts.setdefault(server.id.partition(".")[0], []).append(server.tags["gpu"].partition(":")[2])
    assert len(cuts) == 30
    for profiles in cuts.values():
        catalog.partition(card, profiles)
        for more in catalog.profiles(card):
            with pytest.raises(FormatError, match="takes"):
                catalog.partition(card, [*profiles, str(more.profile)])
    assert len({tuple(profiles) for profiles in cuts.values()}) > 2


def test_slices_of_a_card_share_its_site() -> None:
    """Slices of one card are at the same place, those of others at other places."""
    instance = FAMILIES["mig"].instance(MigParameters(cards=5), seed=3)
    sites = {(server.id.partition(".")[0], server.tags["site"]) for server in instance.servers}
    assert len(sites) == len({site for _, site in sites}) == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "Llama-9"}, "no model is named"),
        ({"card": "A10"}, "cannot be cut"),
        ({"card": "nothing"}, "no GPU is named"),
        ({"reserve_gib": 500}, "is more than memory_gb"),
    ],
)
def test_mig_errors(values: dict[str, object], message: str) -> None:
    """Unknown models and cards, and reserves that eat a slice, are errors."""
    with pytest.raises(FormatError, match=message):
        FAMILIES["mig"].instance(MigParameters(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize(("graph", "least_ms", "most_ms"), [("Abvt", 0.44, 44.39), ("GtsCe", 0.19, 7.97)])
def test_topology_is_seen_from_the_hub(graph: str, least_ms: float, most_ms: float) -> None:
    """All other nodes are servers; the nearest and the farthest are as far as the data say."""
    instance = FAMILIES["topology"].instance(TopologyParameters(graph=graph))
    rtt = [float(rtt_ms(server)) for server in instance.servers]
    assert len(rtt) == len(catalog.network(graph).nodes) - 1
    assert (min(rtt), max(rtt)) == pytest.approx((least_ms, most_ms), abs=0.006)


def test_topology_nearest() -> None:
    """The nearest servers come first, and the fast ones are the nearest; the factor stretches all distances."""
    near = FAMILIES["topology"].instance(TopologyParameters(graph="Abvt", servers=10, nearest=True))
    far = FAMILIES["topology"].instance(
        TopologyParameters(graph="Abvt", servers=10, nearest=True, rtt_factor=Decimal(10))
    )
    rtt = [rtt_ms(server) for server in near.servers]
    assert rtt == sorted(rtt)
    assert kinds(near) == [FAST] * 2 + [SLOW] * 8
    assert [rtt_ms(server) for server in far.servers] == [10 * each for each in rtt]


def test_topology_with_too_many_servers() -> None:
    """A graph has a place for one server at each node but the orchestrator's."""
    with pytest.raises(FormatError, match="servers: expected at most the 22 places of Abvt, got 23"):
        FAMILIES["topology"].instance(TopologyParameters(graph="Abvt", servers=23))


def test_random_has_the_memory_asked_for() -> None:
    """All memories add up to the ratio times the memory of all blocks with one job each, and spread as asked."""
    parameters = RandomParameters(servers=50, memory_ratio=Decimal(7), memory_spread=Decimal(9))
    memories = [float(server.memory_gb) for server in FAMILIES["random"].instance(parameters, 1).servers]
    assert sum(memories) == pytest.approx(7 * 20 * 1.1, rel=1e-3)
    assert 4 < max(memories) / min(memories) < 9.1


def test_homogeneous_servers_are_equal() -> None:
    """Identical by default; with spreads, equal in memory only."""
    alike = FAMILIES["homogeneous"].instance().servers
    assert len({(s.memory_gb, s.comm_s, s.comp_s_per_block) for s in alike}) == 1
    parameters = HomogeneousParameters(comm_spread=Decimal(3), comp_spread=Decimal(2))
    other = FAMILIES["homogeneous"].instance(parameters).servers
    assert len({s.memory_gb for s in other}) == 1
    assert len({s.comm_s for s in other}) == len({s.comp_s_per_block for s in other}) == 20
