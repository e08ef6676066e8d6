"""Figure 6, the overall comparison: mean response times over sizes of the cluster and shares of fast servers.

A run is a cluster and 300 jobs, from an empty system; all methods serve the same jobs. The rows of the authors are
what their simulator gives for them. All others wait and run as they should; where the setting has an initial delay,
every response time includes it.

Run with ``python -m benchmarks.paper.overall [WORKERS]``; it goes on where it was stopped, and writes
``benchmarks/results/paper/overall.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import chainopt
from benchmarks.environment import ROOT, describe
from benchmarks.paper.authors import twister
from benchmarks.paper.authors.comparison import METHODS, REFERENCE_S, SHARES, SIZES, mean_responses_s, seed_of
from benchmarks.paper.authors.setting import SETTINGS, Cluster, Jobs, Setting
from benchmarks.paper.overall_report import report
from benchmarks.paper.records import Cell, Log, Record, Tell, gather
from chainopt.baselines import SYSTEMS
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact import bound
from chainopt.files.text import write_text
from chainopt.model.instance import Instance
from chainopt.simulation.engine import run_of
from chainopt.simulation.pace import pace_by_size
from chainopt.simulation.records import joined

if TYPE_CHECKING:
    from chainopt.simulation.engine import Run

__all__ = ["checks", "grid", "measure", "report", "run"]

FIGURE = "overall"
RUNS, CHECK_RUNS = 20, 500
ITERATIONS = 10_000
ORDER_STREAM = 999
SLOW_SHARE = "0.2"
"""Slow systems run in the cells with this η alone."""

Row = dict[str, Any]

COMPOSERS: dict[str, dict[str, Any]] = {
    "paper (c by lower bound)": {"method": "paper", "criterion": "lower", "stop": "rate"},
    "paper (c = 7)": {"method": "paper", "cache_reservation": 7, "stop": "rate"},
    "auto": {"method": "auto", "iterations": ITERATIONS},
}
"""Calls of `compose`; all are served by JFFC."""


def grid(settings: Iterable[str] = tuple(SETTINGS)) -> list[Cell]:
    """The cells of the figure."""
    return [
        {"setting": setting, "servers": servers, "fast_share": share}
        for setting in settings
        for servers in SIZES
        for share in SHARES
    ]


def checks() -> list[Cell]:
    """The cells whose reference is known, with its own draws and with many of ours."""
    return [
        {"setting": "authors", "servers": servers, "fast_share": share, "draws": draws, "runs": runs}
        for servers, share in REFERENCE_S
        for draws, runs in (("reference", RUNS), ("ours", CHECK_RUNS))
    ]


def run(
    cells: Sequence[Cell] | None = None,
    runs: int = RUNS,
    workers: int = 1,
    *,
    log: Log | None = None,
    tell: Tell | None = None,
) -> list[Record]:
    """Measure so many runs of each cell of the grid, and the checks where the whole grid is asked for."""
    chosen = grid() if cells is None else cells
    several = [
        {**cell, "run": number, "part": part} for part in PARTS for number in range(1, runs + 1) for cell in chosen
    ]
    several += checks() if cells is None else []
    return gather(FIGURE, several, measure, workers, log, tell)


def measure(cell: Cell) -> Record:
    """One part of the methods in one run, or one check."""
    if "draws" in cell:
        return _check(cell)
    setting, seed = SETTINGS[cell["setting"]], seed_of(cell["servers"], cell["fast_share"], cell["run"])
    instance = setting.instance(cell["servers"], Decimal(cell["fast_share"]), seed)
    jobs = Jobs.drawn(float(instance.workload.arrival_rate) / 1000, seed)
    every = cell["fast_share"] == SLOW_SHARE
    return {"instance": instance.name, **PARTS[cell["part"]](Task(instance, setting, jobs, seed, every))}


@dataclass(frozen=True)
class Task:
    """One run: what all methods get.

    Attributes
    ----------
    every_system
        Whether slow systems run too.
    """

    instance: Instance
    setting: Setting
    jobs: Jobs
    seed: int
    every_system: bool


def _authors(task: Task) -> Record:
    cluster = Cluster.of(task.instance, task.setting)
    means = mean_responses_s(cluster, task.jobs, _order(task.instance, task.seed))
    return {"rows": {method: _row(mean) for method, mean in means.items()}}


def _compositions(task: Task) -> Record:
    try:
        proven: float | None = bound(task.instance)
    except (InfeasibleError, UnstableError):
        proven = None
    return {"rows": {method: _composed(task, call) for method, call in COMPOSERS.items()}, "bound_s": proven}


def _systems(task: Task) -> Record:
    chosen = [method for method in SYSTEMS if method not in METHODS and (task.every_system or not is_slow(method))]
    return {"rows": {method: _deployed(task, method) for method in chosen}}


def is_slow(system: str) -> bool:
    """Whether it takes seconds: it tries out deployments by simulation, or solves an integer program."""
    return system.endswith("-tuned") or system == "helix-faithful"


PARTS: dict[str, Callable[[Task], Record]] = {
    "authors": _authors,
    "compositions": _compositions,
    "systems": _systems,
}
"""Methods in the order in which they are measured, the cheap ones first."""


def _order(instance: Instance, seed: int) -> NDArray[np.int64]:
    """In which servers join PETALS."""
    return np.random.default_rng([seed, ORDER_STREAM]).permutation(len(instance.servers))


def _row(mean_s: float | None, status: str | None = None, **more: Any) -> Row:
    return {"mean_s": mean_s, "status": status or ("infeasible" if mean_s is None else "feasible"), **more}


def _composed(task: Task, call: dict[str, Any]) -> Row:
    instance, status = task.instance, "feasible"
    try:
        solution = chainopt.compose(instance, seed=task.seed, **call)
    except UnstableError as error:
        if error.solution is None:
            raise
        solution, status = error.solution, "unstable"
    except InfeasibleError:
        return _row(None, exact_s=None)
    composition, evaluation = solution.composition, solution.evaluation
    pace = pace_by_size(instance).along(composition)
    jffc = run_of("jffc", composition.service_rates, composition.capacities, pace, task.jobs.size.size)
    return _row(
        mean_response_s(jffc, task),
        status,
        exact_s=None if evaluation is None else evaluation.mean_response_time_s,
        cache_reservation=solution.parameters.get("cache_reservation"),
        chains=len(composition.chains),
        job_servers=composition.job_servers,
    )


def _deployed(task: Task, system: str) -> Row:
    try:
        deployment = SYSTEMS[system].rule(task.instance, seed=task.seed)
    except InfeasibleError:
        return _row(None)
    mean = mean_response_s(deployment.run(task.jobs.size.size), task)
    return _row(mean, parameters=dict(deployment.parameters))


def mean_response_s(run: Run, task: Task) -> float:
    """Serve all jobs until the last has left; with the initial delay, which takes no server."""
    jobs = task.jobs
    choices = np.random.default_rng([task.seed, 1]).random(jobs.size.size)
    served = joined([run.serve(jobs.arrival_ms / 1000, jobs.size[:, None], choices), run.drain()])
    if served.response.size != jobs.size.size:
        raise RuntimeError(f"{served.response.size} of {jobs.size.size} jobs were served")
    return float(np.mean(served.response)) + task.setting.initial_ms / 1000


def _check(cell: Cell) -> Record:
    servers, share = cell["servers"], Decimal(cell["fast_share"])
    found = []
    for number in range(1, cell["runs"] + 1):
        seed = seed_of(servers, cell["fast_share"], number)
        if cell["draws"] == "reference":
            cluster, jobs, order = twister.drawn(servers, share, seed)
        else:
            instance = SETTINGS["authors"].instance(servers, share, seed)
            cluster = Cluster.of(instance, SETTINGS["authors"])
            jobs, order = Jobs.drawn(cluster.arrival_rate, seed), _order(instance, seed)
        found.append(mean_responses_s(cluster, jobs, order))
    return {"rows": {method: _mean([each[method] for each in found]) for method in METHODS}}


def _mean(values: Sequence[float | None]) -> Row:
    """Mean and standard error of the runs that have a value, and how many have none."""
    finite = np.array([value for value in values if value is not None])
    return {
        "mean_s": float(np.mean(finite)) if finite.size else None,
        "error_s": float(np.std(finite, ddof=1) / np.sqrt(finite.size)) if finite.size > 1 else None,
        "without": len(values) - finite.size,
    }


def main() -> None:
    """Measure what is missing and write the page."""
    folder = ROOT / "benchmarks" / "results" / "paper"
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    records = run(workers=workers, log=Log(folder / "overall.jsonl"), tell=_tell)
    write_text(page(records), folder / "overall.md")


def page(records: Sequence[Record]) -> str:
    """The report with what it was made by and where."""
    title, command = "# Figure 6: the overall comparison", "Made by `python -m benchmarks.paper.overall`."
    return "\n".join([title, "", command, "", *describe(), "", report(records), ""])


def _tell(done: int, total: int) -> None:
    print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
