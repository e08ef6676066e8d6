"""``chainopt bound``: what no composition can beat."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt.cli import main
from chainopt.model import Instance


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, ["bound", *(str(argument) for argument in arguments)])


@pytest.fixture
def file(worked_example: Instance, tmp_path: Path) -> Path:
    """The worked example."""
    chainopt.write_instance(worked_example, tmp_path / "x.json")
    return tmp_path / "x.json"


@pytest.mark.parametrize("option", [(), ("--any-policy",)])
def test_below_the_optimum(file: Path, worked_example: Instance, option: tuple[str, ...]) -> None:
    """The mean response time, for JFFC or for every policy, in a table and as JSON."""
    optimum = chainopt.compose(worked_example, "exact").value
    assert optimum is not None
    done = run(file, "--objective", "response-time", "--time-limit", 5, "--json", *option)
    assert done.exit_code == 0
    (entry,) = json.loads(done.stdout)["bounds"]
    assert (entry["objective"], entry["unit"]) == ("response-time", "s")
    assert 0 < entry["bound"] <= optimum * (1 + 1e-9)
    table = run(file, "--time-limit", 1, *option)
    assert table.exit_code == 0
    assert all(name in table.stdout for name in ("response-time", "job-servers", "rate"))


def test_none_is_stable(worked_example: Instance, tmp_path: Path) -> None:
    """Exit code 1, one message, and no bound."""
    workload = worked_example.workload.replace(arrival_rate=1e6)
    chainopt.write_instance(worked_example.replace(workload=workload), tmp_path / "busy.json")
    done = run(tmp_path / "busy.json", "--objective", "response-time", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["bounds"][0]["bound"] is None
    assert "no stable composition exists" in done.stderr


@pytest.mark.parametrize("wrong", [("missing.json",), ("--objective", "speed"), ("--time-limit", "-1")])
def test_bad_input(file: Path, wrong: tuple[str, ...]) -> None:
    """Exit code 2 and no traceback."""
    done = run(*wrong) if len(wrong) == 1 else run(file, *wrong)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
