"""`chainopt export`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt.cli import main
from chainopt.export import ENGINES, read_hosts
from tests.export.stubs import tree
from tests.export.systems import two_chains, worked_example

MOST = ("--tokens", 2048)


def run(*arguments: object, stdin: str | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["export", *map(str, arguments)], input=stdin)


def refused(*arguments: object, code: int = 2, stdin: str | None = None) -> str:
    """The explanation: a single line, no traceback, nothing on standard output."""
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    lines = [line for line in result.stderr.splitlines() if line and not line.startswith(("Usage:", "Try "))]
    assert len(lines) == 1, lines
    return lines[0].partition("rror: ")[2]


def written(system: Any, folder: Path) -> tuple[Path, Path]:
    """Files of an instance and its solution."""
    instance, solution = system()
    paths = folder / "x.json", folder / "x.sol.json"
    chainopt.write_instance(instance, paths[0])
    chainopt.write_solution(solution, paths[1])
    return paths


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two chains that do not meet."""
    return written(two_chains, tmp_path)


@pytest.fixture
def shared(tmp_path: Path) -> tuple[Path, Path]:
    """Three chains that share servers."""
    return written(worked_example, tmp_path)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine(engine: str, two: tuple[Path, Path], tmp_path: Path) -> None:
    """A folder with the common files, and one line that says what it holds."""
    further = {"petals": ("--quant", "none"), "kubernetes": ("--image", "engine:1")}.get(engine, ())
    result = run(engine, *two, "-o", tmp_path / "out", *MOST, *further)
    assert result.exit_code == 0, result.stderr
    assert {"README.md", "plan.json", "chains.json", "instance.json", "solution.sol.json"} <= tree(tmp_path / "out")
    assert result.stdout.startswith(f"small: {engine}, 2 chains, 17 jobs at once, ")
    folder = tmp_path / "out"
    checked = CliRunner().invoke(main, ["check", str(folder / "instance.json"), str(folder / "solution.sol.json")])
    assert checked.exit_code == 0, checked.output


def test_json_document(two: tuple[Path, Path], tmp_path: Path) -> None:
    """`--json` says the same for programs; notes are in it, and on standard error unless -q is given."""
    result = run("vllm", *two, "-o", tmp_path / "out", *MOST, "--json", "-q")
    document = json.loads(result.stdout)
    assert (document["chains"], document["job_servers"], document["processes"]) == (2, 17, 5)
    assert set(document["files"]) == tree(tmp_path / "out")
    assert any("--max-num-seqs" in note for note in document["notes"])
    assert result.stderr == ""


def test_list() -> None:
    """`--list` has every engine with the version that output is written for."""
    result = run("--list")
    assert result.exit_code == 0
    for name, entry in ENGINES.items():
        assert any(line.split()[:1] == [name] and entry.version in line for line in result.stdout.splitlines())


def test_shared_servers(shared: tuple[Path, Path], tmp_path: Path) -> None:
    """Refused with the servers and exit code 1; composed anew with --exclusive; PETALS takes them as they are."""
    out = tmp_path / "out"
    message = refused("vllm", *shared, "-o", out, *MOST, code=1)
    assert "'s1' (chain-" in message
    assert not out.exists()
    message = refused("vllm", *shared, "-o", out, *MOST, "--split-shared", code=1)
    assert message.startswith("copies of blocks for each chain do not fit: 's1' needs 3 of 2 GB")
    result = run("vllm", *shared, "-o", out, *MOST, "--exclusive", "--fewer-jobs")
    assert result.exit_code == 0, result.stderr
    assert "2 instead of 3" in result.stderr
    assert run("petals", *shared, "-o", tmp_path / "p", *MOST, "--quant", "none").exit_code == 0


def test_force(two: tuple[Path, Path], tmp_path: Path) -> None:
    """An export is replaced with --force only, and never anything else."""
    out = tmp_path / "out"
    assert run("json", *two, "-o", out).exit_code == 0
    assert refused("json", *two, "-o", out).endswith("it holds an export; --force replaces its files")
    (out / "keys").mkdir()
    (out / "keys" / "a.key").write_text("secret")
    before = tree(out)
    assert set(json.loads((out / "plan.json").read_text())["files"]) == before - {"keys/a.key"}
    assert run("json", *two, "-o", out, "--force").exit_code == 0
    assert tree(out) == before
    assert "not an export" in refused("json", *two, "-o", tmp_path, "--force")


def test_hosts(two: tuple[Path, Path], tmp_path: Path) -> None:
    """Addresses and devices get into commands and endpoints."""
    hosts = tmp_path / "hosts.json"
    hosts.write_text(
        json.dumps({"s0": "10.0.0.1", "s1": {"address": "fd00::2", "device": "MIG-1"}, "s2": "two.example"})
    )
    assert run("vllm", *two, "-o", tmp_path / "out", *MOST, "--hosts", hosts).exit_code == 0
    chains = json.loads((tmp_path / "out" / "chains.json").read_text())["chains"]
    assert {chain["endpoint"] for chain in chains} == {"http://10.0.0.1:8000", "http://two.example:8002"}
    assert "export CUDA_VISIBLE_DEVICES=MIG-1\n" in (tmp_path / "out" / "scripts" / "chain-0-1-s1.sh").read_text()


BAD_HOSTS = [
    ("[]", "hosts.json: expected an object, got an array of 0"),
    ("{", "hosts.json:1:2: not JSON that can be read: "),
    ('{"s9": "a"}', "hosts.json: 'small' has no server 's9'"),
    ('{"s0": 1}', "hosts.json: s0: expected an address or an object, got 1"),
    ('{"s0": "a b"}', "hosts.json: s0.address: expected a host name or an IP address, got 'a b'"),
    ('{"s0": "$(x)"}', "hosts.json: s0.address: expected a host name or an IP address, got '$(x)'"),
    ('{"s0": "-x"}', "hosts.json: s0.address: expected a host name or an IP address, got '-x'"),
    ('{"s0": {}}', "hosts.json: s0.address: Field required, got an object"),
    ('{"s0": {"address": "a", "x": 1}}', "hosts.json: s0.x: Extra inputs are not permitted, got 1"),
    ('{"s0": {"address": "a", "device": "0;x"}}', "hosts.json: s0.device: expected the name of a device, such as 0"),
    ('{"s0": "a", "s0": "b"}', "hosts.json: not JSON that can be read: the key 's0' stands twice in one object"),
    ("[" * 10000, "hosts.json: not JSON that can be read"),
]


@pytest.mark.parametrize(("text", "message"), BAD_HOSTS)
def test_bad_hosts(text: str, message: str, two: tuple[Path, Path], tmp_path: Path) -> None:
    """One line with file, server, value and what was expected; no folder is made."""
    hosts = tmp_path / "hosts.json"
    hosts.write_text(text)
    found = refused("vllm", *two, "-o", tmp_path / "out", *MOST, "--hosts", hosts)
    assert found.removeprefix(f"{tmp_path}/").startswith(message), found
    assert not (tmp_path / "out").exists()


def test_bad_usage(two: tuple[Path, Path], tmp_path: Path) -> None:
    """Each mistake is one line, and nothing is written."""
    out = tmp_path / "out"
    for arguments, message in [
        (("vlm", *two, "-o", out), "ENGINE: expected one of petals, vllm, "),
        (("vllm", *two, "-o", out), "--tokens: expected the most tokens of a job"),
        (("vllm", *two, "-o", "-", *MOST), "-o takes a folder"),
        (("vllm", *two, "-o", out, *MOST, "--exclusive", "--split-shared"), "--exclusive and --split-shared exclude"),
        (("vllm", *two, "-o", out, *MOST, "--port", 65535), "--port: more ports are needed"),
        (("vllm", *two, "-o", out, *MOST, "--model", "-x"), "model: expected printable characters"),
        (("vllm", "-", "-", "-o", out, *MOST), "only one of INSTANCE, SOLUTION and --hosts"),
        (("llama-cpp", *two, "-o", out, *MOST, "--quant", "q4"), "--quant: llama.cpp takes weights as they stand"),
        (
            ("parallax", *two, "-o", out, *MOST, "--dtype", "int3"),
            "--dtype: expected one of float16, bfloat16, float32",
        ),
        (("petals", *two, "-o", out, *MOST, "--quant", "q4"), "--quant: expected one of none, int8, nf4, got 'q4'"),
        (("vllm", *two, "-o", tmp_path / "no" / "out", *MOST), f"{tmp_path}/no/out: cannot be written"),
    ]:
        assert refused(*arguments).startswith(message)
    assert tree(tmp_path) == {"x.json", "x.sol.json"}


def test_solution_of_another_instance(two: tuple[Path, Path], tmp_path: Path) -> None:
    """A composition that is none of the instance is refused before anything is written."""
    other = json.loads(two[1].read_text())
    other["placement"][0]["stop"] = 12
    two[1].write_text(json.dumps(other))
    assert "not a composition of 'small'" in refused("vllm", *two, "-o", tmp_path / "out", *MOST)


def test_without_a_name_a_model_is_needed(two: tuple[Path, Path], tmp_path: Path) -> None:
    """The service's name is the model unless another is given; where there is none it has to be."""
    text = json.loads(two[0].read_text())
    del text["service"]["name"]
    two[0].write_text(json.dumps(text))
    assert refused("vllm", *two, "-o", tmp_path / "out", *MOST).startswith("--model: expected the name or path")
    assert run("vllm", *two, "-o", tmp_path / "out", *MOST, "--model", "org/other").exit_code == 0
    assert "vllm serve org/other " in (tmp_path / "out" / "scripts" / "chain-0-0-s0.sh").read_text()


def test_hosts_in_python(two: tuple[Path, Path], tmp_path: Path) -> None:
    """The same file is read by the function."""
    hosts = tmp_path / "hosts.json"
    hosts.write_text('{"s0": "10.0.0.1"}')
    assert read_hosts(hosts, chainopt.read_instance(two[0]))["s0"].address == "10.0.0.1"
