"""From a description of a cluster to an instance."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chainopt import catalog
from chainopt.cluster import Cluster, Group, parse_group, planned, read_cluster
from chainopt.errors import FormatError
from chainopt.model import Server

EXAMPLES = Path(__file__).parent / "examples"


def described(**changes: Any) -> Cluster:
    """A small cluster, with some fields changed."""
    fields: dict[str, Any] = {
        "model": "Llama-2-7B",
        "tokens_in": 2000,
        "tokens_out": 20,
        "arrival_rate": 1,
        "servers": [Group(gpu="L4")],
    }
    return Cluster(**{**fields, **changes})


def test_the_numbers_are_those_of_the_catalogue() -> None:
    """Times and memories by hand, for the file of examples."""
    plan = planned(read_cluster(EXAMPLES / "cluster.yaml"))
    instance = plan.instance
    assert [server.id for server in instance.servers] == ["desk-1", "desk-2", "l4"]
    # Llama-2-7B: 32 blocks of 202383360 parameters, 2 bytes each; cache 2 * 4096 * 2 bytes * 2048 tokens
    assert (instance.service.blocks, instance.service.block_gb) == (32, Decimal("0.40476672"))
    assert instance.service.cache_gb == Decimal("0.033554432")
    desk, _, l4 = instance.servers
    assert desk.comm_s == Decimal("0.24")  # 20 exchanges of 10 + 2 ms
    assert l4.comm_s == Decimal("0.65")  # 20 of 30.5 + 2 ms
    # t_o + 2 * 202383360 * 2000 / (165.2 * 10^12) + 0.40476672 / 1008 * 19 = 0.001 + 0.0049003... + 0.0076295...
    assert float(desk.comp_s_per_block) == pytest.approx(
        0.001 + 2 * 202383360 * 2000 / 165.2e12 + 0.40476672 / 1008 * 19, abs=1e-9
    )
    assert desk.reserve_gb == Decimal("1.073741824")
    assert desk.tags["price_per_hour"] == 0.35
    assert instance.workload.arrival_rate == Decimal("0.5")
    assert any("2 ms" in text for text in plan.assumptions)
    assert any("1 GiB" in text for text in plan.assumptions)


def test_gpus_that_share_blocks_add_up() -> None:
    """A server of two cards has twice the memory, bandwidth and FLOPS, and twice the reserve."""
    one, two = planned(described(servers=[parse_group("l4"), parse_group("2xl4")])).instance.servers
    assert (two.memory_gb, two.reserve_gb) == (2 * one.memory_gb, 2 * one.reserve_gb)
    overhead = Decimal("0.001")
    assert abs((one.comp_s_per_block - overhead) - 2 * (two.comp_s_per_block - overhead)) <= Decimal("2e-9")


def test_a_vague_name_is_the_slowest_card_and_says_so() -> None:
    """A100-80GB fits the SXM and the PCIe card; the latter has less bandwidth."""
    plan = planned(described(servers=[parse_group("a100-80gb:3@20ms"), parse_group("rtx4090")]))
    assert {server.tags["gpu"] for server in plan.instance.servers} == {"A100-PCIe-80GB", "RTX-4090"}
    assert "a100-80gb is taken as A100-PCIe-80GB, the slowest of it and A100-SXM-80GB" in plan.assumptions
    sliced = planned(described(servers=[parse_group("a100-80gb:3g.40gb:2")])).instance.servers
    assert [server.tags["gpu"] for server in sliced] == 2 * ["A100-PCIe-80GB:3g.40gb"]


@pytest.mark.parametrize(
    ("name", "gpu"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100-SXM-80GB"),
        ("NVIDIA A100-PCIE-40GB", "A100-PCIe-40GB"),
        ("NVIDIA H100 80GB HBM3", "H100-PCIe-80GB"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000-Server"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100-16GB"),
        ("A100 80 GB", "A100-PCIe-80GB"),
        ("h100:3g.40gb", "H100-SXM-80GB:3g.40gb"),
        ("Apple M2 Ultra", "M2-Ultra-192GB"),
        ("4090", "RTX-4090"),
    ],
)
def test_names_of_drivers_and_shops(name: str, gpu: str) -> None:
    """They are understood, and what they are taken as is said."""
    plan = planned(described(servers=[parse_group(name)]))
    assert plan.instance.servers[0].tags["gpu"] == gpu
    assert any(text.startswith(f"{name} is taken as {gpu}") for text in plan.assumptions)


@pytest.mark.parametrize("name", ["RTX-4090", "rtx 4090", "rtx4090", "A100-sxm-80gb:3G.40GB"])
def test_case_and_punctuation_are_nothing_to_talk_about(name: str) -> None:
    """The name is that of the catalogue."""
    assert not any("taken as" in text for text in planned(described(servers=[parse_group(name)])).assumptions)


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("rtx-6000", "RTX-PRO-6000-Server or RTX-A6000"),
        ("6000", "RTX-PRO-6000-Server or RTX-A6000"),
        ("rtx6000", "RTX-PRO-6000-Server or RTX-A6000"),
        ("RTX 6000 Ada", "RTX-PRO-6000-Server or RTX-A6000"),
        ("m2", "M2-Ultra-192GB"),
        ("RTX 3090 Ti", "RTX-3090"),
        ("H100 NVL", "H100-SXM-80GB or H100-PCIe-80GB"),
        ("a30:3g.40gb", "A30:1g.6gb or A30:2g.12gb or A30:4g.24gb"),
    ],
)
def test_names_of_other_products_are_refused(name: str, close: str) -> None:
    """A card that is not in the catalogue is not taken for a better one of the same number."""
    with pytest.raises(FormatError) as error:
        planned(described(servers=[parse_group(name)]))
    assert str(error.value) == f"no GPU is named {name!r}; did you mean {close}?"


def test_ids_of_groups_with_the_same_name_are_counted_on() -> None:
    """Two groups of L4 at different distances make ids that differ."""
    plan = planned(described(servers=[parse_group("l4:2@1ms"), parse_group("l4@9ms")]))
    assert [server.id for server in plan.instance.servers] == ["l4-1", "l4-2", "l4-3"]


def test_servers_with_known_times_come_first() -> None:
    """Measured servers and those of the catalogue stand side by side."""
    known = Server(id="measured", memory_gb=24, comm_s=1, comp_s_per_block=0.01)
    plan = planned(described(), (known,))
    assert [server.id for server in plan.instance.servers] == ["measured", "l4"]
    assert "memories and times of 1 servers are as given" in plan.assumptions


def test_a_model_may_be_a_config_beside_the_file(tmp_path: Path) -> None:
    """A relative path is relative to the file of the cluster."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text(
        '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, '
        '"num_hidden_layers": 3, "vocab_size": 100, "torch_dtype": "float16"}'
    )
    file = tmp_path / "cluster.yaml"
    file.write_text("model: mine/config.json\ntokens_in: 10\ntokens_out: 2\narrival_rate: 1\nservers: [{gpu: L4}]\n")
    assert planned(read_cluster(file)).instance.service.blocks == 3


def test_cache_room_is_the_next_power_of_two() -> None:
    """2000 + 20 tokens: 2048; 2048 + 1: 4096; or what is asked for, unless it is less than the mean."""
    assert described().cache_tokens == 2048
    assert described(tokens_in=2047, tokens_out=1).cache_tokens == 2048
    assert described(tokens_in=2048, tokens_out=1).cache_tokens == 4096
    assert described(max_tokens=3000).cache_tokens == 3000
    with pytest.raises(ValueError, match="at least tokens_in"):
        described(max_tokens=100)


def test_whatever_is_in_the_catalogue_can_be_planned() -> None:
    """Every GPU, slices included, by its own name and with any number of devices."""
    groups = [Group(gpu=gpu.name, name=f"g{i}", devices=1 + i % 3) for i, gpu in enumerate(catalog.gpus())]
    instance = planned(described(servers=groups)).instance
    assert len(instance.servers) == len(groups)
    for group, server in zip(groups, instance.servers, strict=True):
        each = catalog.memory_gb(catalog.gpu(group.gpu))
        assert server.memory_gb == group.devices * each


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("model: Llama-2-7B\ntokens_in: 1\n", ":1:1: ", "the key 'tokens_out' is missing"),
        ("model: x\nmodel: y\n", ":2:1: ", "stands twice"),
        ("model: [\n", ":2:1: ", "not YAML"),
        ("", ":1:1: ", "empty"),
        (
            "{model: M, tokens_in: 0, tokens_out: 1, arrival_rate: 1}",
            ":1:12: ",
            "tokens_in: expected at least 1, got 0",
        ),
        ("{model: M, tokens_in: 1, tokens_out: 1, arrival_rate: .inf}", ":1:41: ", "arrival_rate"),
        (
            "{model: M, tokens_in: 1, tokens_out: 1, arrival_rate: 1,\n servers: [{gpu: L4, cuont: 2}]}",
            ":2:22: ",
            "cuont",
        ),
        ("{model: &a M, tokens_in: *a, tokens_out: 1, arrival_rate: 1}", ":1:26: ", "no aliases"),
        ("model: !!python/object/apply:os.system ['true']\n", ":1:8: ", "no tags"),
        ("? [a]\n: 1\n", ":1:3: ", "expected a text as key"),
        ("model: \x07\n", "", "not YAML"),
        ("{" * 2000, ":1:101: ", "nested more than 100 deep"),
        ("- " * 2000, ":1:201: ", "nested more than 100 deep"),
        ("model: M\ntokens_in: 010\n", ":2:12: ", "expected a decimal number without zeros in front, got '010'"),
    ],
)
def test_mistakes_in_files_are_found(tmp_path: Path, text: str, position: str, message: str) -> None:
    """File, line, column and what was expected."""
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(FormatError) as error:
        read_cluster(file)
    assert str(file) + position in str(error.value)
    assert message in str(error.value)


def test_unknown_names_are_answered_with_the_closest() -> None:
    """A GPU, a model and a precision that do not exist."""
    with pytest.raises(FormatError, match="no GPU is named 'h900'"):
        planned(described(servers=[Group(gpu="h900")]))
    with pytest.raises(FormatError, match="no model is named"):
        planned(described(model="Lama-2-7B"))
    with pytest.raises(FormatError, match="no precision is named"):
        planned(described(precision="fp7"))
    with pytest.raises(FormatError, match="servers"):
        planned(described(servers=[]))


def test_the_example_of_the_documentation_can_be_planned(tmp_path: Path) -> None:
    """All keys of a description stand on its page, and the page is right."""
    page = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
    text = page.split("```yaml\n")[1].split("```")[0]
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    cluster = read_cluster(file)
    assert len(planned(cluster).instance.servers) == 6
    for record in (Cluster, Group, type(cluster.engine)):
        for name in record.model_fields:
            assert name in text or name in page or name in ("format", "overhead_s"), name
