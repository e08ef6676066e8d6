"""What is left when servers fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings

import chainopt
from chainopt.allocation import gca
from chainopt.cli import main
from chainopt.model import Instance
from chainopt.outage import reallocated, remaining
from chainopt.placement import gbp_cr
from tests.strategies import instances


def test_worked_example(worked_example: Instance) -> None:
    """Without s4 only the chain s1 > s2 is left, and GCA finds no other: s3 and s5 have no server between them.

    On the placement of the paper the chains are 1 > 2, 1 > 4 > 5 and 3 > 4 > 5. Server 1 hosts block 1 and has 10
    slots, server 2 hosts blocks 2 and 3 and has 10: allocated anew, 1 > 2 gets min(10 / 1, 10 / 2) = 5 jobs, as
    before; and server 3, which hosts block 1, leads to server 2 too, but that has no slot left.
    """
    composition = gca(worked_example, gbp_cr(worked_example, 1))
    left = remaining(composition, {3})
    assert [(chain.servers, chain.capacity) for chain in left.chains] == [((0, 1), 5)]
    assert left.placement.sizes.tolist() == [1, 2, 1, 0, 1]
    anew = reallocated(worked_example, composition, {3}, 0.7)
    assert [(chain.servers, chain.capacity) for chain in anew.chains] == [((0, 1), 5)]


@settings(max_examples=50, deadline=None)
@given(instances())
def test_allocating_anew_is_never_worse_than_nothing(instance: Instance) -> None:
    """No chain that is left uses a failed server, and all of them are valid chains with their capacities."""
    try:
        composition = gca(instance, gbp_cr(instance, 1))
    except chainopt.InfeasibleError:
        return
    failed = {0, len(instance.servers) - 1}
    left = remaining(composition, failed)
    assert not failed & set(left.hops.tolist())
    before = {(chain.servers, chain.capacity) for chain in composition.chains}
    expected = {chain for chain in before if not failed & set(chain[0])}
    assert {(chain.servers, chain.capacity) for chain in left.chains} == expected
    assert not failed & set(reallocated(instance, composition, failed, 0.5).hops.tolist())


@pytest.fixture
def files(worked_example: Instance, tmp_path: Path) -> tuple[str, str]:
    """The worked example and its solution."""
    instance, solution = tmp_path / "x.json", tmp_path / "x.sol.json"
    chainopt.write_instance(worked_example, instance)
    chainopt.write_solution(chainopt.compose(worked_example, "paper"), solution)
    return str(instance), str(solution)


def test_command(files: tuple[str, str]) -> None:
    """A table of three rows; the document has the same; exit code 1 where nothing stable is left."""
    result = CliRunner().invoke(main, ["evaluate", *files, "--without", "s4"])
    assert result.exit_code == 0
    assert [line.split("  ")[0] for line in result.stdout.splitlines()[3:]] == [
        " all servers",
        " chains that are left",
        " allocated anew",
    ]
    document = json.loads(CliRunner().invoke(main, ["evaluate", *files, "--without", "s4", "--json"]).stdout)
    assert document["without"] == ["s4"]
    assert document["remaining"]["job_servers"] == 5
    everything = [argument for j in range(1, 6) for argument in ("--without", f"s{j}")]
    result = CliRunner().invoke(main, ["evaluate", *files, *everything])
    assert result.exit_code == 1
    assert "unstable" in result.stdout


def test_unknown_server(files: tuple[str, str]) -> None:
    """A server that the instance does not have is bad usage."""
    result = CliRunner().invoke(main, ["evaluate", *files, "--without", "s9"])
    assert result.exit_code == 2
    assert "has no server 's9'" in result.stderr
