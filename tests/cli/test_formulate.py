"""``chainopt formulate``: files, standard output, errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt.cli import main
from chainopt.exact.formulating import FORMULATIONS
from chainopt.model import Instance


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["formulate", *map(str, arguments)])


@pytest.fixture
def path(worked_example: Instance, tmp_path: Path) -> Path:
    """The worked example as a file."""
    target = tmp_path / "x.json"
    chainopt.write_instance(worked_example, target)
    return target


@pytest.mark.parametrize("name", FORMULATIONS)
@pytest.mark.parametrize("kind", ["mps", "lp"])
def test_writes_a_model(name: str, kind: str, path: Path, tmp_path: Path) -> None:
    """Each formulation in each format, the same bytes again, and one line that says how large it is."""
    target = tmp_path / f"model.{kind}"
    first = run(path, "--formulation", name, "-o", target)
    assert first.exit_code == 0, first.stderr
    assert first.stdout.startswith(f"worked-example: {name}, ")
    assert len(first.stdout.splitlines()) == 1
    text = target.read_text()
    assert text.rstrip().endswith("ENDATA" if kind == "mps" else "End")
    assert run(path, "--formulation", name, "-o", target).exit_code == 0
    assert target.read_text() == text


def test_standard_output(path: Path, tmp_path: Path) -> None:
    """A dash writes the model and nothing else; the format has to be said."""
    target = tmp_path / "model.lp"
    run(path, "--formulation", "helix", "-o", target)
    printed = run(path, "--formulation", "helix", "-o", "-", "--format", "lp")
    assert printed.stdout == target.read_text()
    assert run(path, "--formulation", "helix", "-o", "-").exit_code == 2


def test_json(path: Path, tmp_path: Path) -> None:
    """Size and sense of the model; a note says where the sign of the objective is changed."""
    target = tmp_path / "model.mps"
    result = run(path, "--formulation", "relaxation", "--objective", "rate", "-o", target, "--json")
    document = json.loads(result.stdout)
    assert document["columns"] == target.read_text().count(" OBJ ")  # each has a rate, the row of the objective none
    assert (document["sense"], document["integer_columns"]) == ("maximize", 0)
    assert "negated" in result.stderr
    assert run(path, "--formulation", "relaxation", "-o", target, "--json").stderr == ""


def test_list() -> None:
    """The registry, without an instance."""
    result = run("--list")
    assert result.exit_code == 0
    for name, formulation in FORMULATIONS.items():
        assert any(line.split()[:1] == [name] for line in result.stdout.splitlines())
        assert formulation.summary in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--formulation", "magic", "-o", "m.lp"], 2, "known are relaxation"),
        (["--formulation", "helix", "-o", "m.txt"], 2, "should end in .mps or .lp"),
        (["--formulation", "helix", "-o", "m.lp", "--limit", "9"], 2, "the limit is 9"),
        (["--formulation", "helix", "-o", "m.lp", "--objective", "job-servers"], 2, "the objective of helix is rate"),
        (["--formulation", "helix", "-o", "m.lp", "--jobs", "0"], 2, "--jobs"),
        (["--formulation", "cache-allocation", "-o", "m.lp", "--method", "magic"], 2, "no placement rule"),
        (["--formulation", "helix"], 2, "--output"),
        (["-o", "m.lp"], 2, "--formulation"),
        (["--formulation", "helix", "-o", "nowhere/m.lp"], 2, "cannot be written"),
    ],
)
def test_bad_usage(arguments: list[str], code: int, message: str, path: Path) -> None:
    """One explanation on standard error, nothing on standard output, no file."""
    folder = path.parent
    result = run(path, *(str(folder / a) if a.endswith((".lp", ".txt")) else a for a in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert [p.name for p in folder.iterdir()] == ["x.json"]


def test_infeasible(worked_example: Instance, path: Path) -> None:
    """Exit code 1 where there is nothing to model."""
    chainopt.write_instance(worked_example.replace(service=worked_example.service.replace(blocks=12)), path)
    result = run(path, "--formulation", "bprr", "-o", path.with_suffix(".lp"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no composition exists" in result.stderr
    assert not path.with_suffix(".lp").exists()
