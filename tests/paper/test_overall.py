"""The overall comparison: what its runs have in common, and what its page says of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from benchmarks.paper import overall
from benchmarks.paper.authors.comparison import METHODS, SHARES, SIZES, seed_of
from benchmarks.paper.authors.setting import SETTINGS
from benchmarks.paper.overall import Task, grid, measure, report, run
from benchmarks.paper.records import Cell, Record
from chainopt.baselines import SYSTEMS

CELL: Cell = {"setting": "paper", "servers": 10, "fast_share": "0.3"}


def record(number: int, part: str, bound_s: float | None = None, **rows: Any) -> Record:
    """A part of a run; rows are mean and status, or mean, status and exact mean."""
    found = {}
    for method, (mean, status, *exact) in rows.items():
        found[method] = {"mean_s": mean, "status": status, **({"exact_s": exact[0]} if exact else {})}
    more = {} if bound_s is None else {"bound_s": bound_s}
    return {"figure": "overall", "cell": {**CELL, "run": number, "part": part}, "rows": found, **more}


def test_grid_has_sixteen_cells_in_each_setting_and_no_seed_twice() -> None:
    """J in {10, 20, 30, 40} and η in {.1, .2, .3, .4}, twice; seeds of the first cell start at 42 + 11000 + 1."""
    assert len(grid()) == 32
    seeds = [seed_of(servers, share, run) for servers in SIZES for share in SHARES for run in range(1, 21)]

    assert seeds[0] == 11043
    assert len(set(seeds)) == 320


def test_run_measures_every_part_of_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs of one cell in three parts, all on the instance of the run."""
    tasks: list[tuple[str, Task]] = []

    def part(name: str) -> Any:
        def rows(task: Task) -> Record:
            tasks.append((name, task))
            return {"rows": {}}

        return rows

    monkeypatch.setattr(overall, "PARTS", {name: part(name) for name in ("first", "second")})
    records = run([CELL], 2)

    assert [(r["cell"]["part"], r["cell"]["run"]) for r in records] == [
        ("first", 1),
        ("first", 2),
        ("second", 1),
        ("second", 2),
    ]
    assert records[0]["instance"] == records[2]["instance"] != records[1]["instance"]
    assert tasks[0][1].jobs.size.tolist() == tasks[2][1].jobs.size.tolist()


def test_compositions_are_served_by_jffc_after_the_initial_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same run with 70 ms before each job takes .07 s longer, and the exact mean is that of the evaluation."""
    monkeypatch.setattr(overall, "COMPOSERS", {"c = 7": {"method": "paper", "cache_reservation": 7, "stop": "rate"}})
    setting = SETTINGS["authors"]
    instance = setting.instance(20, Decimal("0.2"), 5)
    jobs = overall.Jobs.drawn(0.0002, 5)
    late, prompt = (
        overall._composed(Task(instance, each, jobs, 5, every_system=False), overall.COMPOSERS["c = 7"])
        for each in (setting, SETTINGS["paper"])
    )

    assert late["mean_s"] - prompt["mean_s"] == pytest.approx(0.07)
    assert late["exact_s"] == prompt["exact_s"] == pytest.approx(7.6, abs=0.8)
    assert late["cache_reservation"] == 7


def test_slow_systems_run_where_the_share_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems that take seconds, such as those that try out deployments, are left out of the other cells."""
    monkeypatch.setattr(overall, "_deployed", lambda task, system: {"mean_s": 1.0, "status": "feasible"})
    rows = measure({**CELL, "run": 1, "part": "systems"})["rows"]
    usual = measure({**CELL, "fast_share": "0.2", "run": 1, "part": "systems"})["rows"]

    assert set(usual) == set(SYSTEMS) - set(METHODS)
    assert set(usual) - set(rows) == {system for system in usual if overall.is_slow(system)}
    assert overall.is_slow("bprr-tuned")
    assert not overall.is_slow("bprr-faithful")


def test_page_by_hand() -> None:
    """Means 10 and 14 with an error of 2, and a run without one; long run 8 against a bound of 5, 60 % above it.

    The proposed method takes 10 where PETALS takes 40 in the one run that both serve, 75 % less.
    """
    page = report(
        [
            record(1, "authors", **{"proposed-authors": (10.0, "feasible"), "petals-authors": (40.0, "feasible")}),
            record(2, "authors", **{"proposed-authors": (14.0, "feasible"), "petals-authors": (None, "infeasible")}),
            record(1, "compositions", 5.0, auto=(9.0, "feasible", 8.0)),
            record(2, "compositions", auto=(99.0, "unstable", None)),
        ]
    )

    assert "over 2 runs" in page
    assert "| proposed-authors |  |  | 12.00 ± 2.00 |  |" in page
    assert "| petals-authors |  |  | 40.00 (1 infeasible) |  |" in page
    assert "| auto |  |  | 54.00 ± 45.00 (1 unstable) |  |" in page
    assert "| 10 | 0.3 | 1 | 8.00 | 5.00 | 60.0 % |" in page
    assert "| proposed-authors | petals-authors | 1 | 75 % | 75 % |" in page
    assert "simulator\n\n| J" not in page  # no checks, no table of them
