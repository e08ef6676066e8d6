"""Backends: every one runs the same tests, says what it proves and no more, and keeps off standard output."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pulp
import pytest
from ortools.sat.python import cp_model

from chainopt.errors import ChainoptError
from chainopt.exact import backends
from chainopt.exact.backends import MILP_BACKENDS, Outcome, solve_cp, solve_milp
from chainopt.model import Status

EVERY = pytest.mark.parametrize("backend", sorted(MILP_BACKENDS))


def knapsack(capacity: int = 10) -> pulp.LpProblem:
    """Sizes 5, 4, 3, worth 10, 7, 6; 3 more for nothing."""
    problem = pulp.LpProblem("knapsack", pulp.LpMaximize)
    x = [problem.add_variable(f"x{i}", 0, 1, pulp.LpInteger) for i in range(3)]
    problem.setObjective(10 * x[0] + 7 * x[1] + 6 * x[2] + 3)
    problem.addConstraint(5 * x[0] + 4 * x[1] + 3 * x[2] <= capacity)
    return problem


def market_split(rows: int = 5, columns: int = 50) -> pulp.LpProblem:
    """Solutions are easy, a proof is out of reach."""
    draw = random.Random(1).randint
    problem = pulp.LpProblem("market_split")
    x = [problem.add_variable(f"x{i}", 0, 1, pulp.LpInteger) for i in range(columns)]
    slack = [problem.add_variable(f"s{i}", 0) for i in range(2 * rows)]
    problem.setObjective(pulp.lpSum(slack))
    for r in range(rows):
        weights = [draw(0, 99) for _ in x]
        row = pulp.lpSum(w * v for w, v in zip(weights, x, strict=True)) + slack[2 * r] - slack[2 * r + 1]
        problem.addConstraint(row == sum(weights) // 2)
    return problem


def interrupt_soon(seconds: float = 0.7) -> threading.Timer:
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@EVERY
def test_optimum(backend: str) -> None:
    """The first and the second fit: 10 + 7, and 3 for nothing."""
    problem = knapsack()
    outcome = solve_milp(problem, backend=backend)
    assert outcome.status is Status.OPTIMAL
    assert outcome.value == outcome.bound == pytest.approx(20)
    assert [round(v.varValue) for v in problem.variables()] == [1, 1, 0]
    assert 0 < outcome.runtime_s < 10


@EVERY
def test_infeasible(backend: str) -> None:
    """No value, not 0 and not infinity; and no values left from before."""
    problem = knapsack()
    solve_milp(problem, backend=backend)
    problem.addConstraint(pulp.lpSum(problem.variables()) >= 4)
    outcome = solve_milp(problem, backend=backend)
    assert (outcome.status, outcome.value, outcome.bound) == (Status.INFEASIBLE, None, None)
    assert all(v.varValue is None for v in problem.variables())


@EVERY
def test_only_integers_make_it_infeasible(backend: str) -> None:
    """2 x = 1 has a solution, but no integer one."""
    problem = pulp.LpProblem("odd")
    x, y = (problem.add_variable(name, 0, 5, pulp.LpInteger) for name in "xy")
    problem.addConstraint(2 * x + 4 * y == 7)
    assert solve_milp(problem, backend=backend).status is Status.INFEASIBLE


@EVERY
def test_linear_program(backend: str) -> None:
    """Largest x + y with x + 2 y <= 4, 3 x + y <= 6: x = 1.6, y = 1.2."""
    problem = pulp.LpProblem("linear", pulp.LpMaximize)
    x, y = problem.add_variable("x", 0), problem.add_variable("y", 0)
    problem.setObjective(x + y)
    problem.addConstraint(x + 2 * y <= 4)
    problem.addConstraint(3 * x + y <= 6)
    outcome = solve_milp(problem, backend=backend)
    assert (outcome.status, outcome.value) == (Status.OPTIMAL, pytest.approx(2.8))


@EVERY
def test_no_objective(backend: str) -> None:
    """A question of feasibility has the value 0."""
    problem = pulp.LpProblem("feasible")
    x = problem.add_variable("x", 0, 5, pulp.LpInteger)
    problem.addConstraint(x >= 3)
    assert solve_milp(problem, backend=backend).value == 0
    assert x.varValue >= 3


@EVERY
def test_unbounded_is_not_optimal(backend: str) -> None:
    """There is no optimum, so none is claimed."""
    problem = pulp.LpProblem("unbounded", pulp.LpMaximize)
    problem.setObjective(1.0 * problem.add_variable("x", 0, cat=pulp.LpInteger))
    assert solve_milp(problem, backend=backend).status in {Status.UNKNOWN, Status.FEASIBLE}


@EVERY
def test_solution_at_the_time_limit_is_feasible_not_optimal(backend: str) -> None:
    """The limit holds, and only HiGHS has a bound to tell."""
    begin = time.monotonic()
    outcome = solve_milp(market_split(), backend=backend, deadline=begin + 0.7)
    assert time.monotonic() - begin < 3
    assert outcome.status is Status.FEASIBLE
    assert outcome.value is not None
    assert (outcome.bound is None) == (backend == "cbc")
    assert outcome.bound is None or outcome.bound <= outcome.value


@EVERY
def test_deadline_that_has_passed(backend: str) -> None:
    """Nothing is run and nothing known."""
    assert solve_milp(knapsack(), backend=backend, deadline=time.monotonic() - 1) == Outcome(
        Status.UNKNOWN, None, None, 0.0
    )


@EVERY
def test_interrupt_returns_the_solution_so_far(backend: str) -> None:
    """Ctrl-C ends the search, not the program."""
    begin = time.monotonic()
    interrupt_soon()
    outcome = solve_milp(market_split(), backend=backend)
    assert time.monotonic() - begin < 5
    assert outcome.status is Status.FEASIBLE
    assert outcome.value is not None


def test_an_interrupt_that_is_not_heard_is_repeated() -> None:
    """CBC does not hear one that comes before it searches, and would go on for ever."""
    calls: list[float] = []
    end = threading.Event()

    def stop() -> None:
        calls.append(time.monotonic())
        if len(calls) == 2:
            end.set()

    interrupt_soon(0.2)
    assert backends._run_interruptibly(end.wait, stop)
    assert len(calls) == 2


@EVERY
def test_same_seed_same_solution(backend: str) -> None:
    """Twice the same."""
    values = []
    for _ in range(2):
        problem = market_split(2, 20)
        solve_milp(problem, backend=backend, seed=3)
        values.append([v.varValue for v in problem.variables()])
    assert values[0] == values[1]


@EVERY
def test_from_another_thread(backend: str) -> None:
    """Where Ctrl-C never comes it runs all the same."""
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.append(solve_milp(knapsack(), backend=backend)))
    thread.start()
    thread.join()
    assert found[0].value == pytest.approx(20)


def test_unknown_backend_names_the_known() -> None:
    """The message is a list to choose from."""
    with pytest.raises(
        ChainoptError, match=r"no backend 'simplexx'; known are cbc, highs|known are highs, cbc, .*GUROBI"
    ):
        solve_milp(knapsack(), backend="simplexx")


def test_backend_that_is_not_installed() -> None:
    """Known to PuLP, but not here."""
    with pytest.raises(ChainoptError, match="'mipcl' is not installed; always there are highs and cbc"):
        solve_milp(knapsack(), backend="mipcl")


def test_any_other_solver_of_pulp(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PuLP says of its status is translated in the same table; here HiGHS plays the other solver."""
    monkeypatch.setattr(backends, "MILP_BACKENDS", {})
    monkeypatch.setattr(pulp, "listSolvers", lambda: ["GUROBI"])
    monkeypatch.setattr(pulp, "getSolver", lambda _, **options: pulp.HiGHS(**options))
    assert solve_milp(knapsack(), backend="gurobi", deadline=time.monotonic() + 10).value == pytest.approx(20)
    assert solve_milp(knapsack(-1), backend="gurobi").status is Status.INFEASIBLE
    limited = solve_milp(market_split(), backend="gurobi", deadline=time.monotonic() + 0.5)
    assert limited.status is Status.FEASIBLE


def test_nothing_on_standard_output() -> None:
    """No banner, not even with a log, which goes to standard error; seen from outside, where buffers are flushed."""
    code = (
        "import tests.exact.test_backends as t\n"
        "for b in t.MILP_BACKENDS:\n"
        "    t.solve_milp(t.knapsack(), backend=b)\n"
        "    t.solve_milp(t.knapsack(), backend=b, log=True)\n"
        "t.solve_cp(t.cp_knapsack()[0], log=True)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "HiGHS" in done.stderr
    assert "Cbc" in done.stderr
    assert "CpSolverResponse" in done.stderr


def cp_knapsack() -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    model = cp_model.CpModel()
    x = [model.new_bool_var(f"x{i}") for i in range(3)]
    model.add(5 * x[0] + 4 * x[1] + 3 * x[2] <= 10)
    model.maximize(10 * x[0] + 7 * x[1] + 6 * x[2] + 3)
    return model, x


def cp_market_split() -> cp_model.CpModel:
    draw = random.Random(1).randint
    model = cp_model.CpModel()
    x = [model.new_bool_var(f"x{i}") for i in range(50)]
    slack = []
    for r in range(5):
        weights = [draw(0, 99) for _ in x]
        s = model.new_int_var(-5000, 5000, f"s{r}")
        slack.append(model.new_int_var(0, 5000, f"a{r}"))
        model.add(sum(w * v for w, v in zip(weights, x, strict=True)) + s == sum(weights) // 2)
        model.add_abs_equality(slack[-1], s)
    model.minimize(sum(slack))
    return model


def test_cp_optimum() -> None:
    """The same knapsack; a hint may be wrong, and replaces those before."""
    model, x = cp_knapsack()
    for hint in (None, {x[0]: 1, x[2]: 1}, {x[0]: 0}):
        outcome, solver = solve_cp(model, hint=hint)
        assert (outcome.status, outcome.value, outcome.bound) == (Status.OPTIMAL, 20, 20)
        assert [solver.value(v) for v in x] == [1, 1, 0]


def test_cp_infeasible() -> None:
    """No value and no bound."""
    model, x = cp_knapsack()
    model.add(sum(x) >= 3)
    outcome, _ = solve_cp(model)
    assert (outcome.status, outcome.value, outcome.bound) == (Status.INFEASIBLE, None, None)


def test_cp_time_limit_and_interrupt() -> None:
    """Both end with the best so far and a bound on it."""
    begin = time.monotonic()
    limited, _ = solve_cp(cp_market_split(), deadline=begin + 0.7)
    assert time.monotonic() - begin < 3
    interrupt_soon()
    interrupted, _ = solve_cp(cp_market_split())
    for outcome in (limited, interrupted):
        assert outcome.status is Status.FEASIBLE
        assert outcome.bound is not None
        assert outcome.value is not None
        assert outcome.bound <= outcome.value


def test_cp_deadline_that_has_passed() -> None:
    """Nothing is run and nothing known."""
    assert solve_cp(cp_knapsack()[0], deadline=time.monotonic() - 1)[0] == Outcome(Status.UNKNOWN, None, None, 0.0)


def test_cp_feasibility_only() -> None:
    """No objective: the value is 0 and any solution is optimal."""
    model = cp_model.CpModel()
    x = model.new_int_var(0, 9, "x")
    model.add(x >= 5)
    outcome, solver = solve_cp(model)
    assert (outcome.status, outcome.value) == (Status.OPTIMAL, 0)
    assert solver.value(x) >= 5


def test_cp_invalid_model_is_an_error() -> None:
    """Numbers that may overflow are refused, not solved."""
    model = cp_model.CpModel()
    x = [model.new_int_var(0, 2**62, f"x{i}") for i in range(4)]
    model.add(sum(2**61 * v for v in x) <= 5)
    with pytest.raises(ValueError, match="CP-SAT does not accept the model"):
        solve_cp(model)
