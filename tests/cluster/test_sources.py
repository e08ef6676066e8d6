"""Groups in one word, tables, and cluster files of Helix."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainopt.cluster import Cluster, Group, parse_group, planned, read_helix, read_servers
from chainopt.errors import FormatError
from chainopt.model import Server

EXAMPLES = Path(__file__).parent / "examples"


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("L4", Group(gpu="L4")),
        ("a100-80gb:3@20ms", Group(gpu="a100-80gb", count=3, rtt_ms=20)),
        ("a100-80gb:3g.40gb@5", Group(gpu="a100-80gb:3g.40gb", rtt_ms=5)),
        ("a100-80gb:3g.40gb:6@0.2s", Group(gpu="a100-80gb:3g.40gb", count=6, rtt_ms=200)),
        ("paris=2xL4:3@20ms", Group(gpu="L4", devices=2, count=3, rtt_ms=20, name="paris")),
        ("$(rm -rf ~)=L4", Group(gpu="L4", name="$(rm -rf ~)")),
    ],
)
def test_groups_in_one_word(text: str, group: Group) -> None:
    """Name, devices, GPU, profile, count and round trip time."""
    assert parse_group(text) == group


@pytest.mark.parametrize(
    "text", ["", "@5ms", "l4:", "l4:0", "l4@5m", "l4@-1", "0xl4", "l4:2:3", "l4:9999999999", "=l4"]
)
def test_what_is_no_group(text: str) -> None:
    """One error, which says what is expected."""
    with pytest.raises(FormatError, match="expected"):
        parse_group(text)


@given(st.text(max_size=40))
def test_any_text_is_a_group_or_an_error(text: str) -> None:
    """Nothing but a FormatError comes out of the parser."""
    with contextlib.suppress(FormatError):
        assert parse_group(text).count >= 1


def test_a_table_of_gpus(tmp_path: Path) -> None:
    """Columns are fields of groups; empty cells count as absent."""
    file = tmp_path / "s.csv"
    file.write_text('gpu,count,rtt_ms,name,price_per_hour\nL4,2,10.5,,0.8\n"A100-SXM-80GB:3g.40gb",,,big,\n')
    assert read_servers(file) == (
        Group(gpu="L4", count=2, rtt_ms=Decimal("10.5"), price_per_hour=Decimal("0.8")),
        Group(gpu="A100-SXM-80GB:3g.40gb", name="big"),
    )


def test_a_table_of_servers(tmp_path: Path) -> None:
    """Servers whose times are known."""
    file = tmp_path / "s.csv"
    file.write_text("id,memory_gb,comm_s,comp_s_per_block,reserve_gb\na,40,0.738,0.109,\nb,20,0.5,0.175,2\n")
    assert read_servers(file) == (
        Server(id="a", memory_gb=40, comm_s=0.738, comp_s_per_block=0.109),
        Server(id="b", memory_gb=20, comm_s=0.5, comp_s_per_block=0.175, reserve_gb=2),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: expected a column gpu"),
        ("gpu\n", ":2: expected at least one server"),
        ("gpu,cuont\nL4,1\n", ":1: the column 'cuont' is unknown"),
        ("gpu,gpu\nL4,1\n", ":1: the column 'gpu' stands twice"),
        ("gpu,count\nL4\n", ":2: expected 2 values as in the header, got 1"),
        ("gpu,count\nL4,two\n", ":2: count: expected an integer, got 'two'"),
        ("gpu,rtt_ms\nL4,1\nL4,-1\n", ":3: rtt_ms: "),
        ('gpu,rtt_ms\n"L4,1\n', ": not CSV"),
        ("id,memory_gb\na,1\n", ":1: expected a column gpu, or"),
        ("gpu,rtt_ms\nL4,nan\n", ":2: rtt_ms: "),
    ],
)
def test_mistakes_in_tables_are_found(tmp_path: Path, text: str, message: str) -> None:
    """File, line, the value and what was expected."""
    file = tmp_path / "s.csv"
    file.write_text(text)
    with pytest.raises(FormatError) as error:
        read_servers(file)
    assert message in str(error.value)


def test_a_cluster_of_helix() -> None:
    """Types and latencies of two nodes: 1 + 1.5 ms, and 20 + 20 ms."""
    first, second = read_helix(EXAMPLES / "helix.ini")
    assert first == Group(gpu="A100-SXM-40GB", rtt_ms=Decimal("2.5"), name="node-0")
    assert second == Group(gpu="T4", devices=2, rtt_ms=40, name="node-1")
    with_memory = read_helix(EXAMPLES / "helix.ini", EXAMPLES / "helix-profiles.ini")
    assert [group.memory_gb for group in with_memory] == [40, 16]
    cluster = Cluster(model="Llama-2-70B", tokens_in=763, tokens_out=232, arrival_rate=1, servers=with_memory)
    assert [server.memory_gb for server in planned(cluster).instance.servers] == [40, 32]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("total_compute_nodes=2", "total_compute_nodes=__import__('os').system('touch pwned')", "expected an integer"),
        ("[SinkNode]\nconnected_nodes=[0, 1]", "[SinkNode]\nconnected_nodes=print(1)", "expected a list of nodes"),
        ("[SinkNode]\nconnected_nodes=[0, 1]", "[SinkNode]\nconnected_nodes=[0]", "[ComputeNode-1]"),
        ("latency=0.02 * Sec", "latency=0.02 * Hour", "expected a number * Sec or MilliSec"),
        ("latency=0.02 * Sec", "latency=open('pwned', 'w')", "expected a number * Sec or MilliSec"),
        ("type=T4x2\n", "", "the key type is missing"),
        ("[Link-1-sink]", "[Link-9-sink]", "the section [Link-1-sink] is missing"),
        ("[NodeNames]", "NodeNames", "not an INI file"),
        ("[Link-0-1]", "[Link-0-sink]", "not an INI file"),
        ("type=T4x2", "type=T4x0", "[ComputeNode-1] type: expected a GPU, or one and x and the number"),
        ("type=T4x2", "type=T4x1025", "[ComputeNode-1] type: expected a GPU, or one and x and the number"),
        ("type=T4x2", "type=", "[ComputeNode-1] type: expected 1 to 200 printable characters, got ''"),
        ("latency=0.02 * Sec", "latency=1e300 * Sec", "[ComputeNode-1] latencies of its links, in ms: expected a num"),
    ],
)
def test_mistakes_in_files_of_helix_are_found(tmp_path: Path, old: str, new: str, message: str) -> None:
    """One error; and Python in a value is not run."""
    text = (EXAMPLES / "helix.ini").read_text()
    assert old in text
    file = tmp_path / "h.ini"
    file.write_text(text.replace(old, new))
    with pytest.raises(FormatError) as error:
        read_helix(file)
    assert message in str(error.value)
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("kind", "memory", "message"),
    [
        ("T4x2", "0 * GB", "[ComputeNode-1] vram_size of its type, in GB: expected a number from 1e-9 to 1e9, got 0"),
        ("T4x2", "1e-99 * GB", "[ComputeNode-1] vram_size of its type, in GB: expected a number from 1e-9 to 1e9"),
        ("T4x0", "32 * GB", "[ComputeNode-1] type: expected a GPU, or one and x and the number of them from 1 to 1024"),
        ("T4x2", "-1", "h-profiles.ini: [T4x2] vram_size: expected a number * GB or MB or KB, got '-1'"),
    ],
)
def test_mistakes_in_profiles_of_helix_are_found(tmp_path: Path, kind: str, memory: str, message: str) -> None:
    """A memory that is none, and a number of GPUs by which it cannot be divided."""
    cluster, profiles = tmp_path / "h.ini", tmp_path / "h-profiles.ini"
    cluster.write_text((EXAMPLES / "helix.ini").read_text().replace("T4x2", kind))
    profiles.write_text((EXAMPLES / "helix-profiles.ini").read_text().replace("T4x2", kind).replace("32 * GB", memory))
    with pytest.raises(FormatError) as error:
        read_helix(cluster, profiles)
    assert message in str(error.value)
