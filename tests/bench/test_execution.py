"""Runs: verified, valued and compared; the same in one process, in two, and on a Dask cluster with a dying worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import chainopt
from chainopt.bench.execution import Interruption, execute
from chainopt.bench.measure import measure, traffic_seed
from chainopt.bench.runs import Run, plan
from chainopt.bench.suite import Position, Suite
from chainopt.errors import ChainoptError
from chainopt.model import Instance

DIFFER = ("runtime_s", "finished", "environment")
OWN = """
import os, time
import chainopt
from chainopt.model import Composition, Placement

def slow(instance):
    time.sleep(0.2)

def dies(instance):
    os._exit(1)

def fails(instance):
    raise RuntimeError("no idea")

def swallows(instance):
    try:
        os.kill(os.getpid(), 2)
        time.sleep(30)
    except BaseException:
        pass

def lies(instance):
    n = len(instance.servers)
    return Composition.of(instance, Placement([0] * n, [instance.service.blocks] * n), [[0]], [1000])

def boasts(instance):
    solution = chainopt.compose(instance, "random+gca")
    return solution.replace(method="exact", status="optimal", bound=solution.value, gap=0)

def panics(instance, kind):
    raise type(kind, (BaseException,), {})("no idea")

def stops(instance):
    raise KeyboardInterrupt

def gives_up(instance):
    solution = chainopt.compose(instance, "random+gca")
    return solution.replace(status="infeasible", placement=(), chains=(), evaluation=None)
"""


@pytest.fixture
def folder(worked_example: Instance, tmp_path: Path) -> Path:
    """The worked example, the same with traffic that nothing carries, and with a model that is too large."""
    more, large = worked_example.workload.replace(arrival_rate=50), worked_example.service.replace(blocks=40)
    chainopt.write_instance(worked_example, tmp_path / "a.json")
    chainopt.write_instance(worked_example.replace(name="busy", workload=more), tmp_path / "b.json")
    chainopt.write_instance(worked_example.replace(name="large", service=large), tmp_path / "c.json")
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def runs(folder: Path, *methods: str | dict[str, Any], **suite: Any) -> list[Run]:
    entries = [{"name": method} if isinstance(method, str) else method for method in methods]
    whole = {"name": "test", "instances": ["*.json"], "methods": entries, **suite}
    return plan(Suite.model_validate(whole), folder, Position(None, "test"))


def made(found: list[Run], **how: Any) -> list[dict[str, Any]]:
    """The records, by key, without what differs from one time to the next."""
    with Interruption() as interruption:
        records = list(execute(found, interruption, **how))
    kept = [{key: value for key, value in record.items() if key not in DIFFER} for record in records]
    return sorted(kept, key=lambda record: record["key"])


def test_what_became_of_each_run(folder: Path) -> None:
    """Solved, unstable, infeasible, failed and wrong: each run has a record, and only what was verified has a value."""
    found = runs(folder, "paper", "own.py:fails", "own.py:lies")
    records = {(record["instance"], record["method"]): record for record in map(measure, found)}
    assert len(records) == 9
    solved = records["worked-example", "paper"]
    expected = chainopt.compose(chainopt.read_instance(folder / "a.json"), "paper").value
    assert (solved["status"], solved["verified"], solved["value"]) == ("feasible", True, expected)
    assert (solved["half_width"], solved["simulated"], solved["gap"], solved["gap_to"]) == (None, None, None, None)
    assert [records[name, "paper"]["status"] for name in ("busy", "large")] == ["unstable", "infeasible"]
    assert [records[name, "paper"]["verified"] for name in ("busy", "large")] == [True, True]
    failed = records["busy", "own.py:fails"]
    assert (failed["status"], failed["verified"], failed["value"]) == ("error", False, None)
    assert failed["error"].endswith("line 13, in fails: RuntimeError: no idea")
    wrong = records["worked-example", "own.py:lies"]
    assert (wrong["verified"], wrong["value"]) == (False, None)
    assert "cache slots" in " ".join(wrong["violations"]) + str(wrong["error"])


def test_gaps_are_to_the_best_that_is_known(folder: Path) -> None:
    """Optimum before bound before best known value; the gap is negative where a value is better."""
    instance = chainopt.read_instance(folder / "a.json")
    value = chainopt.compose(instance, "paper").value
    bound = chainopt.bound(instance)
    beside = folder / "a.sol.json"
    exact = chainopt.compose(instance, "exact")
    found = runs(folder, "paper", instances=["a.json"])
    assert None not in (value, exact.value, bound)
    chainopt.write_solution(exact, beside)
    record = measure(runs(folder, "paper", instances=["a.json"])[0])
    assert (record["best_known"], record["gap_to"]) == (exact.value, "optimum")
    assert record["gap"] == pytest.approx((value - exact.value) / value, abs=1e-8)
    chainopt.write_solution(exact.replace(status="feasible", bound=None, gap=None), beside)
    record = measure(runs(folder, "paper", instances=["a.json"])[0])
    assert (record["bound"], record["gap_to"]) == (None, "best-known")
    record = measure(runs(folder, "paper", instances=["a.json"], bound_time_limit=5)[0])
    assert (record["bound"], record["gap_to"]) == (pytest.approx(bound), "bound")
    assert measure(found[0])["best_known"] is None


def test_what_is_no_exception_is_a_result_too(folder: Path) -> None:
    """Panics of Rust, skips of test runners, and a KeyboardInterrupt that no Ctrl-C has brought."""
    panics = {"name": "own.py:panics", "options": {"kind": "PanicException"}}
    found = made(runs(folder, panics, "own.py:stops", "random+gca", instances=["a.json"]))
    records = {record["method"]: record for record in found}
    assert records["own.py:panics"]["error"].endswith("PanicException: no idea")
    assert "KeyboardInterrupt" in records["own.py:stops"]["error"]
    assert records["random+gca"]["verified"]


def test_claims_of_a_function_are_not_proofs(folder: Path) -> None:
    """What a user's function calls optimal is feasible, its bound is nobody's reference, and it proves nothing away."""
    boasts, gives_up = map(measure, runs(folder, "own.py:boasts", "own.py:gives_up", instances=["a.json"]))
    assert (boasts["verified"], boasts["status"], boasts["value"] is None) == (True, "feasible", False)
    assert (boasts["bound"], boasts["gap"], boasts["gap_to"]) == (None, None, None)
    assert (boasts["solution"]["status"], boasts["solution"]["bound"]) == ("feasible", None)
    assert gives_up["status"] == "unknown"


def test_simulated_values_see_common_jobs(folder: Path) -> None:
    """JFFC, simulated: its interval has the exact mean; a method with the same composition has the same value."""
    simulate = {"jobs": 20_000, "compositions": "simulated"}
    same = {"name": "gbp-cr+gca", "label": "same", "options": {"criterion": "exact"}}
    first, second = map(measure, runs(folder, "paper", same, instances=["a.json"], simulate=simulate))
    exact = chainopt.compose(chainopt.read_instance(folder / "a.json"), "paper").value
    assert first["value"] == second["value"] == first["simulated"]["mean_s"] != exact
    assert abs(first["value"] - exact) < 3 * first["half_width"]
    seeds = {traffic_seed(run.task, run.seed) for run in runs(folder, "paper", seeds=[0, 1])}
    assert len(seeds) == 6


def test_two_processes_give_the_same(folder: Path) -> None:
    """Everything but times and places is equal, to the last digit."""
    search = {"name": "auto", "options": {"iterations": 200}}
    found = runs(folder, "random+gca", search, "own.py:fails", seeds=[0, 1], instances=["a.json"])
    here = made(found)
    assert len(here) == len(found) == 6
    assert made(found, workers=2) == here


def test_a_process_that_dies_costs_one_run(folder: Path) -> None:
    """The run that kills its process has failed, after a second try alone; all others are made."""
    found = runs(folder, "random+gca", "own.py:dies", "own.py:slow", instances=["a.json"])
    records = {record["method"]: record for record in made(found, workers=2)}
    assert {name: record["status"] for name, record in records.items()} == {
        "random+gca": "feasible",
        "own.py:dies": "error",
        "own.py:slow": "unknown",
    }
    assert records["own.py:dies"]["error"] == "the process of this run died"


def test_an_interrupted_run_is_no_result(folder: Path) -> None:
    """Ctrl-C ends the benchmark, also where a method takes it for its own end and answers."""
    found = runs(folder, "random+gca", "own.py:swallows", instances=["a.json"], seeds=[0, 1])
    with Interruption() as interruption:
        records = list(execute(found, interruption))
    assert [record["method"] for record in records] == ["random+gca"]
    assert interruption.signal == signal.SIGINT


def test_no_scheduler_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address at which nobody answers ends the command with one line."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("chainopt.bench.execution._CONNECT_S", 0.5)
    with Interruption() as interruption, pytest.raises(ChainoptError, match="no Dask scheduler answers at tcp"):
        list(execute(runs(folder, "paper"), interruption, dask="tcp://127.0.0.1:9"))


def test_dask_gives_the_same_although_a_worker_dies(folder: Path) -> None:
    """A real cluster of two workers, one of which is killed in the middle: the records are those of this process."""
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    found = runs(folder, "own.py:slow", "random+gca", "own.py:fails", seeds=[0, 1, 2], instances=["a.json"])
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Interruption() as interruption,
    ):
        records = []
        for record in execute(found, interruption, dask=cluster.scheduler_address):
            records.append(record)
            if len(records) == 2:
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
    kept = [{key: value for key, value in record.items() if key not in DIFFER} for record in records]
    assert sorted(kept, key=lambda record: record["key"]) == made(found)
