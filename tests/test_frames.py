"""Results as pandas frames."""

from __future__ import annotations

from pathlib import Path

import pytest

import chainopt
from chainopt import frames
from chainopt.errors import FormatError
from chainopt.model import Instance


def test_chains_and_servers_account_for_everything(worked_example: Instance) -> None:
    """Shares add up to 1, rates to ν, memory to what there is."""
    solution = chainopt.compose(worked_example, "paper")
    chains = frames.chains(worked_example, solution)
    assert chains["share"].sum() == pytest.approx(1)
    assert solution.evaluation is not None
    assert chains["rate"].sum() == pytest.approx(solution.evaluation.total_service_rate)
    assert (chains["busy"] <= 1).all()
    servers = frames.servers(worked_example, solution)
    assert list(servers.index) == [server.id for server in worked_example.servers]
    total = servers["blocks_gb"] + servers["cache_gb"] + servers["free_gb"]
    assert total.to_numpy() == pytest.approx(servers["memory_gb"].to_numpy())
    assert (servers["free_gb"] > -1e-9).all()
    assert servers["chains"].sum() == sum(len(chain.servers) for chain in solution.chains)


def test_shares_are_missing_where_the_load_is_one_or_more(worked_example: Instance) -> None:
    """An unstable load has no stationary shares."""
    solution = chainopt.compose(worked_example, "paper")
    busy = worked_example.replace(workload=worked_example.workload.replace(arrival_rate=100))
    assert frames.chains(busy, solution)["share"].isna().all()


def test_runs_of_a_benchmark(tmp_path: Path) -> None:
    """One line a run; a line that is none is an error with its number."""
    file = tmp_path / "results.jsonl"
    file.write_text('{"instance": "a", "value": 1.5}\n{"instance": "b", "value": null}\n')
    table = frames.runs(tmp_path)
    assert list(table["instance"]) == ["a", "b"]
    assert table["value"].isna().tolist() == [False, True]
    file.write_text('{"instance": "a"}\n[1]\n')
    with pytest.raises(FormatError, match=":2: expected an object"):
        frames.runs(file)
    file.write_text('{"instance": \n')
    with pytest.raises(FormatError, match=":1: not JSON"):
        frames.runs(file)
