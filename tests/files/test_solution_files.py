"""Solution files: read, written, bound to their instance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainopt.files import digest, read_instance, read_solution, solution_text, write_solution
from chainopt.files.document import parse_record
from chainopt.model import Objective, Solution, Status

EXAMPLES = Path(__file__).parent / "examples"


@pytest.fixture
def solution() -> Solution:
    """The example."""
    return read_solution(EXAMPLES / "solution.json")


def test_what_is_read(solution: Solution) -> None:
    """Every key arrives where it belongs."""
    instance = read_instance(EXAMPLES / "instance.json")

    assert solution.instance.sha256 == digest(instance)
    assert (solution.method, solution.seed, solution.version) == ("gbp-cr+gca", 0, "0.1.0")
    assert (solution.objective, solution.status) == (Objective.RESPONSE_TIME, Status.FEASIBLE)
    assert solution.parameters == {"cache_reservation": 7, "criterion": "exact"}
    assert [(entry.server, entry.start, entry.stop) for entry in solution.placement] == [("s01", 0, 3), ("été", 0, 3)]
    assert solution.evaluation is not None
    assert solution.evaluation.upper_bound_s is None
    assert (solution.value, solution.bound, solution.gap) == (0.3, 0.3, 0)


def test_with_its_instance() -> None:
    """A solution that is read with its instance knows its composition by positions."""
    instance = read_instance(EXAMPLES / "instance.json")

    composition = read_solution(EXAMPLES / "solution.json", instance).composition

    assert [chain.servers for chain in composition.chains] == [(1,), (0,)]
    assert composition.job_servers == 14


def test_what_is_unknown_is_null(solution: Solution, tmp_path: Path) -> None:
    """Nothing is left out of a written file: what is unknown is null, what is empty is empty."""
    nothing = Solution(
        instance=solution.instance, method="m", version="0", objective=Objective.RATE, status=Status.UNKNOWN
    )

    write_solution(nothing, tmp_path / "x.sol.json")
    document = json.loads((tmp_path / "x.sol.json").read_text(encoding="utf-8"))

    assert [key for key, value in document.items() if value is None] == [
        "seed",
        "evaluation",
        "bound",
        "gap",
        "runtime_s",
    ]
    assert [key for key, value in document.items() if value in ([], {})] == ["parameters", "placement", "chains"]
    assert read_solution(tmp_path / "x.sol.json") == nothing


def test_parameters_survive(solution: Solution) -> None:
    """Parameters are free JSON: floats stay floats, and what a float cannot hold stays exact."""
    free = {"a": [0.1, 1, True, None, "τ"], "b": {"c": 10**40}}
    text = solution_text(solution.replace(parameters=free)).replace("0.1, 1", "0.1, 0.10000000000000000001")

    read = parse_record(text, Solution, "x")

    assert str(read.parameters) == str(free).replace("0.1, 1", "0.1, Decimal('0.10000000000000000001')")
    assert solution_text(read) == text


def test_text(solution: Solution) -> None:
    """The text of a file is stable: one line for each server and for each chain."""
    text = (EXAMPLES / "solution.json").read_text(encoding="utf-8")

    assert solution_text(solution) == text.replace('"mean_waiting_time_s": 0,', '"mean_waiting_time_s": 0.0,')
    assert parse_record(solution_text(solution), Solution, "x") == solution
