"""``chainopt plan``: from GPUs, a model and traffic to a composition."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt.cli import main

EXAMPLES = Path(__file__).parents[1] / "cluster" / "examples"
FLAGS = ("--model", "Llama-2-7B", "--precision", "fp16", "--tokens-in", "2000", "--tokens-out", "20")


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_options_alone_make_a_plan(tmp_path: Path) -> None:
    """The composition is valid, the assumptions are said, and both files can be read again."""
    instance, solution = tmp_path / "x.json", tmp_path / "x.sol.json"
    given = (*FLAGS, "--arrival-rate", "0.5", "--gpu", "rtx4090:2@10ms", "--gpu", "l4@30ms", "--iterations", "100")
    done = run("plan", *given, "--save-instance", instance, "-o", solution)
    assert done.exit_code == 0
    assert "mean response time" in done.stdout
    assert "assumed: arrivals are Poisson" in done.stderr
    assert run("check", instance, solution).exit_code == 0


def test_options_go_before_the_file() -> None:
    """The rate of the file is 0.5, that of the option 2."""
    planned = json.loads(run("plan", EXAMPLES / "cluster.yaml", "--iterations", "10", "--json").stdout)
    changed = json.loads(
        run("plan", EXAMPLES / "cluster.yaml", "--arrival-rate", 2, "--iterations", "10", "--json").stdout
    )
    assert changed["evaluation"]["load"] > planned["evaluation"]["load"]


def test_the_instance_goes_to_standard_output_alone() -> None:
    """`--save-instance -` prints the instance and nothing else, so that it can be piped."""
    done = run("plan", EXAMPLES / "cluster.yaml", "--iterations", "10", "--save-instance", "-")
    assert json.loads(done.stdout)["name"] == "attic"


def test_helix_and_tables(tmp_path: Path) -> None:
    """Servers from a cluster of Helix, and servers whose times are known."""
    saved = tmp_path / "x.json"
    helix = ("--helix", EXAMPLES / "helix.ini", "--helix-profiles", EXAMPLES / "helix-profiles.ini")
    assert run("plan", *FLAGS, "--arrival-rate", 1, *helix, "--iterations", 10, "--save-instance", saved).exit_code == 0
    assert [server.id for server in chainopt.read_instance(saved).servers] == ["node-0", "node-1"]
    table = tmp_path / "s.csv"
    table.write_text("id,memory_gb,comm_s,comp_s_per_block\na,40,0.7,0.1\n")
    done = run("plan", *FLAGS, "--arrival-rate", 0.1, "--servers", table, "--iterations", 10, "--save-instance", saved)
    assert done.exit_code == 0
    assert "memories and times of 1 servers are as given" in done.stderr
    assert chainopt.read_instance(saved).servers[0].memory_gb == 40


def test_what_does_not_fit_says_what_is_missing() -> None:
    """A negative answer has the exit code 1 and a reason."""
    done = run("plan", "--model", "Llama-2-70B", *FLAGS[2:], "--arrival-rate", 1, "--gpu", "t4:2")
    assert done.exit_code == 1
    assert "infeasible" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--model", "Llama-2-7B"),
            "without a file of the cluster, give --tokens-in, --tokens-out, --arrival-rate, --gpu",
        ),
        ((*FLAGS, "--arrival-rate", 1, "--gpu", "l4@@"), "--gpu"),
        ((*FLAGS, "--arrival-rate", "x", "--gpu", "l4"), "expected a number, got 'x'"),
        ((*FLAGS, "--arrival-rate", -1, "--gpu", "l4"), "arrival_rate"),
        ((*FLAGS, "--arrival-rate", 1, "--gpu", "l4", "--compute-efficiency", 2), "compute_efficiency"),
        ((*FLAGS, "--arrival-rate", 1, "--gpu", "l4", "--helix-profiles", "x"), "--helix-profiles needs --helix"),
        ((*FLAGS, "--arrival-rate", 1, "--gpu", "l4", "-o", "-", "--save-instance", "-"), "standard output"),
        (("no-such.yaml",), "no-such.yaml"),
        (("--model", "é" * 180, *FLAGS[2:], "--arrival-rate", 1, "--gpu", "l4"), "no model is named"),
        (("--model", f"{'é' * 180}.json", *FLAGS[2:], "--arrival-rate", 1, "--gpu", "l4"), "json: File name too long"),
    ],
)
def test_mistakes_are_usage_errors(arguments: tuple[object, ...], message: str) -> None:
    """Exit code 2 and one message."""
    done = run("plan", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
