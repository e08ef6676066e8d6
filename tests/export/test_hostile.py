"""Names from files stay names: in scripts, documents, paths and manifests."""

from __future__ import annotations

import json
import re
import socket
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import chainopt
from chainopt.export import ENGINES, Options, export_files, make_plan, write_folder
from chainopt.export.deployment import Addresses
from chainopt.export.names import labels
from chainopt.model import Composition, Instance, Placement, Server, Solution
from tests.export.hostile import HOSTILE, UNPRINTABLE
from tests.export.stubs import run_scripts, tree
from tests.export.systems import instance_of, solution_of

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
PORTS = {"port": 1024}


def hostile_chain() -> tuple[Instance, Solution]:
    """One chain over servers of all these names, a block each; the instance has such a name too."""
    count = len(HOSTILE)
    instance = instance_of([10] * count, ids=HOSTILE, blocks=count, rate=0.01, name="$(touch pwned)")
    servers = list(range(count))
    placement = Placement(servers, [j + 1 for j in servers])
    return instance, solution_of(instance, Composition.of(instance, placement, [servers], [3]))


def ask(engine: str, model: str) -> Options:
    """Options with that model."""
    quant = "none" if engine == "petals" else None
    return Options(model=model, tokens=128, image="$(touch pwned)", quant=quant, **PORTS)


def test_there_are_enough_names() -> None:
    """At least forty, all different."""
    assert len(set(HOSTILE)) == len(HOSTILE) >= 40


@pytest.mark.parametrize("engine", [name for name in ENGINES if name not in ("llama-cpp", "kubernetes", "json")])
def test_scripts_run_nothing_else(engine: str, tmp_path: Path) -> None:
    """Each script calls one command with the names as they are, and nothing appears anywhere."""
    plan = make_plan(*hostile_chain())
    model = "$(touch pwned) `touch pwned` '; touch pwned; ' \" \\ ü"
    _, files = export_files(engine, plan, ask(engine, model))
    folder = tmp_path / "out" / "export"
    folder.parent.mkdir()
    write_folder(files, folder)
    assert tree(tmp_path / "out") == {f"export/{path}" for path in files}
    variables = {"INITIAL_PEERS": "/ip4/1.2.3.4/tcp/1/p2p/x", "PARALLAX_LAUNCH": "$(touch pwned)"}
    calls = run_scripts(folder, tmp_path / "tools", **variables)
    assert tree(tmp_path / "out") == {f"export/{path}" for path in files}
    assert not any(Path(path).name == "pwned" for path in tree(tmp_path))
    assert all(call.cwd == str(folder) for call in calls.values())
    if engine == "petals":
        names = {a.removeprefix("--public_name=") for call in calls.values() for a in call.argv if "public_name" in a}
        assert names == set(HOSTILE)
    if engine != "ray-serve":
        heads = [call for name, call in calls.items() if name != "bootstrap"]
        assert all(model in call.argv for call in heads)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "llama-cpp"])
def test_documents_keep_names(engine: str) -> None:
    """Plan and chains say the ids as they are, and paths of files are made of plain characters."""
    instance, solution = hostile_chain()
    _, files = export_files(engine, make_plan(instance, solution), ask(engine, "m"))
    (chain,) = json.loads(files["chains.json"])["chains"]
    assert [server["id"] for server in chain["servers"]] == HOSTILE
    assert json.loads(files["plan.json"])["instance"]["name"] == instance.name
    for path in files:
        assert set(path) <= set(string.ascii_letters + string.digits + "-./_")
        assert not path.startswith(("/", "-", "."))
        assert ".." not in path


def test_readme_keeps_names_in_code_blocks() -> None:
    """No name starts a line or stands outside of a code block, so that none can end it."""
    _, files = export_files("vllm", make_plan(*hostile_chain()), ask("vllm", "m"))
    text = files["README.md"]
    assert text.count("```text") * 2 == sum(line.startswith("```") for line in text.splitlines())
    outside = re.sub(r"^```text$.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for name in HOSTILE:
        if len(name) > 6 and name not in ("plan.json",):
            assert name not in outside


def test_manifests_keep_names() -> None:
    """Names of objects are labels and different, ids are annotations, and Kubernetes replaces nothing in a command."""
    plan = make_plan(*hostile_chain())
    options = Options(model="$(INITIAL_PEERS)", tokens=128, quant="none", runtime="petals", image="x", **PORTS)
    deployment, files = export_files("kubernetes", plan, options)
    objects = [json.loads(text) for text in files["manifests.yaml"].split("\n---\n")]
    pods = [each for each in objects if each["kind"] == "StatefulSet"]
    names = [each["metadata"]["name"] for each in pods]
    assert len(set(names)) == len(names) == len(HOSTILE) + 1
    assert all(LABEL.match(name) and len(name) <= 52 for name in names)
    annotations = [each["spec"]["template"]["metadata"]["annotations"]["chainopt/server-id"] for each in pods[1:]]
    assert annotations == HOSTILE
    selectors = [each["spec"]["template"]["spec"]["nodeSelector"]["chainopt/server"] for each in pods[1:]]
    assert len(set(selectors)) == len(HOSTILE)
    assert all(LABEL.match(selector) and len(selector) <= 63 for selector in selectors)
    for each, process in zip(pods, deployment.processes, strict=True):
        (container,) = each["spec"]["template"]["spec"]["containers"]
        expected = [a if isinstance(a, str) else "PEERS" for a in process.argv]
        assert [expand(text, {"INITIAL_PEERS": "PEERS"}) for text in container["command"]] == expected


def expand(text: str, variables: dict[str, str]) -> str:
    """What Kubernetes makes of a command: $$ is a dollar, $(NAME) the variable if there is one."""
    found, i = "", 0
    while i < len(text):
        if text[i : i + 2] == "$$":
            found, i = found + "$", i + 2
        elif match := re.compile(r"\$\((\w+)\)").match(text, i):
            found, i = found + variables.get(match[1], match[0]), match.end()
        else:
            found, i = found + text[i], i + 1
    return found


def test_json_files_are_yaml() -> None:
    """What has the name of a YAML file is read as the same by a YAML parser."""
    yaml = pytest.importorskip("yaml")
    plan = make_plan(*hostile_chain())
    for engine, path in (("kubernetes", "manifests.yaml"), ("ray-serve", "serve.yaml")):
        _, files = export_files(engine, plan, ask(engine, "日本 😀 $(x)"))
        documents = files[path].split("\n---\n")
        assert list(yaml.safe_load_all(files[path])) == [json.loads(text) for text in documents]


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_unprintable_names_are_refused(name: str) -> None:
    """They never get into an instance, nor into options."""
    with pytest.raises(ValidationError):
        Server(id=name, memory_gb=1, comm_s=1, comp_s_per_block=1)
    if len(name) != 201 and name:
        with pytest.raises(chainopt.FormatError, match="expected printable characters"):
            Options(model=name)


@pytest.mark.parametrize("model", ["-rf", "--help", "-"])
def test_models_are_no_options(model: str) -> None:
    """A model that an engine would take for an option is refused."""
    with pytest.raises(
        chainopt.FormatError, match=r"model: expected printable characters that do not start with a dash"
    ):
        Options(model=model)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "llama-cpp", "parallax", "petals"])
def test_names_of_hosts_are_no_addresses(engine: str) -> None:
    """An id such as 1 or 0x7f000001 as the name of a host would be an IP address, 0.0.0.1 or 127.0.0.1."""
    ids = ["1", "0x7f000001", "10.0.0.1", "0x", "server-1"]
    blocks = len(ids)
    instance = instance_of([10] * blocks, ids=ids, blocks=blocks, rate=0.01)
    placement = Placement(list(range(blocks)), list(range(1, blocks + 1)))
    solution = solution_of(instance, Composition.of(instance, placement, [list(range(blocks))], [3]))
    addresses = Addresses(make_plan(instance, solution), ask(engine, "m"))
    names = [addresses.address(j, "process") for j in range(blocks)]
    assert len(set(names)) == blocks
    for name in names:
        with pytest.raises(OSError, match="illegal"):
            socket.inet_aton(name)
    _, files = export_files(engine, make_plan(instance, solution), ask(engine, "m"))
    for text in files.values():
        assert not re.search(r"(--master-addr|--dist-init-addr|--rpc|/dns4/|http://) ?/?(1|0x[0-9a-f]*)[ :/,]", text)


@settings(max_examples=60)
@given(st.lists(st.text(min_size=1, max_size=70), max_size=30), st.integers(8, 50))
def test_labels(texts: list[str], most: int) -> None:
    """Any texts get labels of DNS, no longer than asked, no two the same; plain ones stay."""
    found = labels(texts, "x", most)
    assert len(set(found)) == len(found) == len(texts)
    assert all(LABEL.match(name) and len(name) <= most for name in found)
    plain = [f"s{i:03d}" for i in range(20)]
    assert labels(plain, "x") == plain
