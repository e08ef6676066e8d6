"""Job slots for CP-SAT: by hand, exact numbers, order, and limits."""

from __future__ import annotations

from fractions import Fraction

import pytest

from chainopt.exact.backends import solve_cp
from chainopt.model import Status
from formulations.job_slots import MOST, Model, Problem, Times, largest_rate, some_composition


def pair(pins: dict[int, tuple[int, int]] | None = None) -> Problem:
    """Two servers, two blocks: four slots beside one block, two beside both; 1 tick a block, no communication."""
    return Problem([[4, 2], [4, 2]], [0, 0], [1, 1], 2, pins or {})


def status(model: Model) -> Status:
    return solve_cp(model.program)[0].status


def loose(jobs: int, longest: int = 10) -> Times:
    return Times([1] * jobs, [longest] * jobs)


def test_as_many_jobs_as_fit() -> None:
    """One block each: four jobs of 2 ticks, a rate of 2; there is no fifth job, whatever rate is asked for."""
    assert status(some_composition(pair(), loose(4), Fraction(2))) is Status.OPTIMAL
    assert status(some_composition(pair(), loose(4), Fraction(201, 100))) is Status.INFEASIBLE
    assert status(some_composition(pair(), loose(5), Fraction(1, 100))) is Status.INFEASIBLE


def test_solution_is_a_composition() -> None:
    """Every job takes a path through ranges that are hosted, within the slots."""
    model = some_composition(pair(), loose(4), Fraction(2))
    outcome, solver = solve_cp(model.program)
    assert outcome.status is Status.OPTIMAL
    hosted = {key for key, z in model.hosts.items() if solver.boolean_value(z)}
    assert {(e - s) for _, s, e in hosted} == {1}
    for k in model.jobs:
        arcs = sorted((b, e) for (i, _, b, e), x in model.goes.items() if i == k and solver.boolean_value(x))
        assert arcs == [(0, 1), (1, 2)]
        assert solver.value(model.time[k]) == 2
        assert solver.value(model.rate[k]) == model.unit // 2


def test_largest_rate() -> None:
    """At most six jobs, four fit: 4 / 2 jobs per tick; the rest of the slots have none."""
    model = largest_rate(pair(), loose(6))
    outcome, solver = solve_cp(model.program)
    assert outcome.status is Status.OPTIMAL
    assert outcome.value == pytest.approx(2 * model.unit, rel=1e-12)
    assert [solver.value(u) for u in model.used] == [1, 1, 1, 1, 0, 0]


def test_pins() -> None:
    """A pin to both blocks leaves one job there, and one at the other server."""
    model = largest_rate(pair({0: (0, 2)}), loose(6))
    outcome, solver = solve_cp(model.program)
    assert outcome.value == pytest.approx(model.unit, rel=1e-12)
    assert [key for key, z in model.hosts.items() if key[0] == 0 and solver.boolean_value(z)] == [(0, 0, 2)]


def test_bounds_on_times_hold() -> None:
    """With times of at most 1 tick there is no path of two blocks."""
    assert status(some_composition(pair(), loose(1, 1), Fraction(1, 10))) is Status.INFEASIBLE


def test_enters_only_where_blocks_are_hosted() -> None:
    """Two servers pinned to the last block leave the first one out."""
    assert status(some_composition(pair({0: (1, 2), 1: (1, 2)}), loose(1), Fraction(0))) is Status.INFEASIBLE


def test_partial_inference() -> None:
    """Servers pinned to 0..2 and 1..3 of three blocks: a job takes 2 blocks at the first and 1 at the second."""
    problem = Problem([[9, 4, 3], [9, 4, 3]], [0, 0], [1, 1], 3, {0: (0, 2), 1: (1, 3)})
    model = largest_rate(problem, loose(5))
    outcome, _ = solve_cp(model.program)
    assert outcome.value == pytest.approx(2 / 3 * model.unit, rel=1e-12)  # floor(4 / 2) jobs of 3 ticks


def test_numbers_stay_exact() -> None:
    """Times that leave too few digits for rates are refused, with the scale that would do."""
    with pytest.raises(ValueError, match=r"choose ticks at least .* times as long"):
        some_composition(pair(), Times([1] * 3, [MOST] * 3), Fraction(1))
    model = some_composition(pair(), loose(3), Fraction(1))
    assert 3 * model.unit // min(model.times.least) <= MOST
