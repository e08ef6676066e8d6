"""``chainopt size``: how much traffic, or how few servers."""

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
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def file(worked_example: Instance, tmp_path: Path) -> Path:
    """The worked example."""
    chainopt.write_instance(worked_example, tmp_path / "x.json")
    return tmp_path / "x.json"


def test_the_largest_rate_with_its_composition(file: Path, tmp_path: Path) -> None:
    """What is written is valid, and the rate is below the bound."""
    sized, solution = tmp_path / "y.json", tmp_path / "y.sol.json"
    done = run("size", file, "--response-time", 4, "--iterations", 500, "--save-instance", sized, "-o", solution)
    assert done.exit_code == 0
    assert "largest arrival rate" in done.stdout
    assert run("check", sized, solution).exit_code == 0
    document = json.loads(run("size", file, "--response-time", 4, "--iterations", 500, "--json").stdout)
    assert document["arrival_rate"] == float(chainopt.read_instance(sized).workload.arrival_rate)
    assert document["arrival_rate"] <= document["arrival_rate_bound"]
    assert document["value_s"] <= 4 * (1 + 1e-9)


def test_the_fewest_servers(file: Path) -> None:
    """Servers for 0.3 jobs/s are no more than those for 0.6, and no fewer than proven."""
    few, more = (
        json.loads(run("size", file, "--arrival-rate", rate, "--iterations", 200, "--json").stdout)
        for rate in (0.3, 0.6)
    )
    assert few["bound"] <= few["servers_needed"] <= more["servers_needed"]
    assert len(few["servers"]) == few["servers_needed"]


def test_the_cheapest_servers_need_prices(file: Path, worked_example: Instance) -> None:
    """Prices stand in tags; where one is missing, the server is named."""
    done = run("size", file, "--arrival-rate", 0.3, "--cheapest", "--iterations", 10)
    assert done.exit_code == 2
    assert "price_per_hour" in done.stderr
    assert "'s1'" in done.stderr
    priced = [
        server.replace(tags={"price_per_hour": price})
        for server, price in zip(worked_example.servers, (3, 1.5, 1, 1, 1), strict=True)
    ]
    chainopt.write_instance(worked_example.replace(servers=priced), file)
    document = json.loads(run("size", file, "--arrival-rate", 0.3, "--cheapest", "--iterations", 200, "--json").stdout)
    assert document["bound"] <= document["price_per_hour"]
    prices = {server.id: server.tags["price_per_hour"] for server in priced}
    assert sum(prices[server] for server in document["servers"]) == document["price_per_hour"]


def test_what_cannot_be_had_is_a_negative_answer(file: Path) -> None:
    """No rate has a mean of a millisecond: exit code 1, and no file is written."""
    target = file.with_name("y.sol.json")
    done = run("size", file, "--response-time", 0.001, "--iterations", 10, "-o", target)
    assert done.exit_code == 1
    assert "no composition was found" in done.stdout
    assert not target.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give --response-time, --arrival-rate, or both"),
        (("--arrival-rate", 1, "--percentile", 95), "--percentile is of --response-time"),
        (("--response-time", 1, "--cheapest"), "--cheapest needs --arrival-rate"),
        (("--response-time", 1, "--percentile", 100), "--percentile"),
        (("--response-time", -1), "--response-time"),
        (("--arrival-rate", 1e300), "--arrival-rate"),
        (("--arrival-rate", 1e-300), "--arrival-rate"),
        (("--response-time", 1, "-o", "-", "--save-instance", "-"), "standard output"),
    ],
)
def test_mistakes_are_usage_errors(file: Path, arguments: tuple[object, ...], message: str) -> None:
    """Exit code 2 and one message."""
    done = run("size", file, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
