"""Every best-known solution is verified again, and the index says what stands in the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainopt.bench.best_known import DATE, INDEX, index_text, instance_files, recomputed, solution_file
from chainopt.files import read_instance, read_solution
from chainopt.model import Objective

ROOT = Path(__file__).parent.parent / "instances"
SOLVED = [path for path in instance_files(ROOT) if solution_file(path).exists()]


@pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)
def test_best_known_solution_is_what_it_claims(path: Path) -> None:
    """It belongs to the instance, violates nothing, is about response times, and computed anew has the same value."""
    instance = read_instance(path)
    solution = read_solution(solution_file(path), instance)
    assert solution.objective is Objective.RESPONSE_TIME
    assert solution.instance.name == instance.name
    assert DATE in solution.parameters
    again = recomputed(instance, solution)  # after `verify`, whose first violation it raises
    assert again.status is solution.status
    if solution.value is None:  # nothing exists, or nothing stable
        assert again.value is None
    else:
        assert again.value == pytest.approx(solution.value, rel=1e-9)


def test_every_solution_has_an_instance() -> None:
    """No solution is left over from an instance that is gone."""
    assert set(ROOT.rglob("*.sol.json")) == {solution_file(path) for path in SOLVED}


def test_index_is_what_the_files_say() -> None:
    """`instances/index.csv` is generated; after a change of files it has to be written anew."""
    assert (ROOT / INDEX).read_text(encoding="utf-8") == index_text(ROOT)
