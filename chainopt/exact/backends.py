"""Run a model that somebody built: HiGHS, CBC or another solver that PuLP knows, and CP-SAT.

Every solver ends in its own words. What they prove stands in one table here; a solution at the time limit is
`Status.FEASIBLE`, and what is not known is None. Nothing is written to standard output: logs go to standard error.
Solvers work with tolerances, so callers recompute what they return, and its value, exactly.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import highspy
import pulp

from chainopt.errors import ChainoptError
from chainopt.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ortools.sat.python import cp_model


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    status
        `OPTIMAL`, `FEASIBLE` (a solution, not proven best), `INFEASIBLE` (proven), or `UNKNOWN`.
    value
        Objective of the solution, None where there is none.
    bound
        Proven bound on the objective, None where none is known; CBC tells none before it is done.
    runtime_s
        Seconds, the hand-over of the model included.
    """

    status: Status
    value: float | None
    bound: float | None
    runtime_s: float


PROOFS = {
    ("highs", "kOptimal"): Status.OPTIMAL,
    ("highs", "kModelEmpty"): Status.OPTIMAL,
    ("highs", "kInfeasible"): Status.INFEASIBLE,
    ("cbc", "Optimal"): Status.OPTIMAL,
    ("cbc", "Infeasible"): Status.INFEASIBLE,
    ("cbc", "Integer infeasible"): Status.INFEASIBLE,
    ("pulp", "Optimal Solution Found"): Status.OPTIMAL,
    ("pulp", "No Solution Exists"): Status.INFEASIBLE,
    ("cp-sat", "OPTIMAL"): Status.OPTIMAL,
    ("cp-sat", "INFEASIBLE"): Status.INFEASIBLE,
}
"""What the last words of solvers prove. All others prove nothing: `FEASIBLE` with a solution, `UNKNOWN` without."""


class Limits(NamedTuple):
    """How a solver is to work: until when (as `time.monotonic` counts), threads, seed, and whether it logs."""

    deadline: float
    threads: int
    seed: int
    log: bool

    @property
    def left_s(self) -> float:
        """Seconds left."""
        return self.deadline - time.monotonic()


_WIDE = 100
"""With so many times more columns than rows HiGHS presolves for minutes, whatever the time limit is, and in vain."""


class _End(NamedTuple):
    """How a solver says it ended, whether the variables hold a solution, and a bound."""

    words: tuple[str, str]
    solved: bool
    bound: float | None = None


def solve_milp(
    problem: pulp.LpProblem,
    *,
    backend: str = "highs",
    deadline: float = math.inf,
    threads: int = 1,
    seed: int = 0,
    log: bool = False,
) -> Outcome:
    """Solve a mixed-integer linear program; the values stand in its variables afterwards.

    Ctrl-C ends the search with the best solution so far; where there is none `KeyboardInterrupt` is raised.

    Parameters
    ----------
    backend
        ``"highs"``, ``"cbc"``, or the name of any other solver that PuLP knows, such as ``"gurobi"``.
    deadline
        When to stop, as `time.monotonic` counts.

    Raises
    ------
    ChainoptError
        If there is no such backend, or it is not installed.
    """
    begin = time.monotonic()
    run = _milp_backend(backend)
    for variable in problem.variables():
        variable.varValue = None
    if problem.objective is None:
        problem.setObjective(pulp.LpAffineExpression())
    if deadline <= begin:
        return Outcome(Status.UNKNOWN, None, None, 0.0)
    end = run(problem, Limits(deadline, threads, seed, log))
    value = float(pulp.value(problem.objective) or 0.0) if end.solved else None
    return _outcome(end, value, time.monotonic() - begin)


def _outcome(end: _End, value: float | None, runtime_s: float) -> Outcome:
    status = PROOFS.get(end.words, Status.FEASIBLE if end.solved else Status.UNKNOWN)
    if status is Status.OPTIMAL:
        return Outcome(status, value, value, runtime_s)
    if status is Status.INFEASIBLE:
        return Outcome(status, None, None, runtime_s)
    bound = end.bound if end.bound is not None and math.isfinite(end.bound) else None
    return Outcome(status, value, bound, runtime_s)


def _milp_backend(name: str) -> Callable[[pulp.LpProblem, Limits], _End]:
    """The backend of this name.

    Raises
    ------
    ChainoptError
        If there is none, or it is not installed.
    """
    if name in MILP_BACKENDS:
        return MILP_BACKENDS[name]
    # PULP_CBC_CMD is ours already; some solvers stand under several names, such as GUROBI and GUROBI_CMD
    others = [known for known in dict.fromkeys(pulp.listSolvers()) if known not in {"HiGHS", "PULP_CBC_CMD"}]
    wanted = name.upper()
    matching = [known for known in others if wanted in {known.upper(), known.upper().rpartition("_")[0]}]
    if not matching:
        raise ChainoptError(f"no backend {name!r}; known are {', '.join([*MILP_BACKENDS, *others])}")
    for known in matching:
        if pulp.getSolver(known, msg=False).available():
            return lambda problem, limits: _pulp(known, problem, limits)
    raise ChainoptError(f"backend {name!r} is not installed; always there are {' and '.join(MILP_BACKENDS)}")


def quiet_highs(*, threads: int = 1, seed: int = 0, log: bool = False) -> highspy.Highs:
    """A HiGHS that prints nothing on standard output, not even its banner; its log goes to standard error."""
    with _stdout_to_stderr(swallow=True):
        highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", log)
    highs.setOptionValue("log_to_console", False)
    if log:
        highs.cbLogging += lambda event: _to_stderr(event.message)
    highs.setOptionValue("threads", threads)
    highs.setOptionValue("random_seed", seed)
    return highs


def _highs(problem: pulp.LpProblem, limits: Limits) -> _End:
    highs = problem.solverModel = quiet_highs(threads=limits.threads, seed=limits.seed, log=limits.log)
    pulp.HiGHS(msg=False).buildSolverModel(problem)
    highs.setOptionValue("mip_rel_gap", 0.0)
    if problem.numVariables() > _WIDE * max(problem.numConstraints(), 100):
        highs.setOptionValue("presolve", "off")
    if math.isfinite(limits.deadline):
        highs.setOptionValue("time_limit", max(limits.left_s, 0.0))
    stopping = threading.Event()

    def stop_if_asked(event: Any) -> None:
        if stopping.is_set():
            event.interrupt()

    (highs.cbMipInterrupt if problem.isMIP() else highs.cbSimplexInterrupt).subscribe(stop_if_asked)
    interrupted = _run_interruptibly(highs.run, stopping.set)
    status, info = highs.getModelStatus().name, highs.getInfo()
    solved = (
        info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible.value or status == "kModelEmpty"
    )
    if interrupted and not solved:
        raise KeyboardInterrupt
    if solved:
        for variable, value in zip(problem.variables(), highs.getSolution().col_value, strict=True):
            variable.varValue = value
    bound = problem.sense * info.mip_dual_bound + problem.objective.constant if problem.isMIP() else None
    return _End(("highs", status), solved, bound)


def _cbc(problem: pulp.LpProblem, limits: Limits) -> _End:
    path = shutil.which("cbc") or pulp.PULP_CBC_CMD.pulp_cbc_path
    with tempfile.TemporaryDirectory() as folder:
        model, solution = str(Path(folder) / "model.mps"), Path(folder) / "solution.txt"
        variables, variable_names, constraint_names, _ = problem.writeMPS(model, rename=True)
        options = ["-randomSeed", str(limits.seed + 1), "-randomCbcSeed", str(limits.seed + 1)]
        options += ["-timeMode", "elapsed"]
        if math.isfinite(limits.deadline):
            options += ["-sec", f"{max(limits.left_s, 0.01):.3f}"]
        if limits.threads > 1:
            options += ["-threads", str(limits.threads)]
        if problem.sense == pulp.LpMaximize:
            options.append("-max")
        command = [path, model, *options, "-solve", "-printingOptions", "all", "-solution", str(solution)]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno() if limits.log else subprocess.DEVNULL
        ) as process:
            interrupted = _run_interruptibly(process.wait, lambda: process.send_signal(signal.SIGINT))
        words = solution.read_text().partition(" - ")[0] if solution.exists() else ""
        solved = words == "Optimal" or (words.startswith("Stopped") and "no integer" not in words)
        if interrupted and not solved:
            raise KeyboardInterrupt
        if solved:
            reader = pulp.COIN_CMD(msg=False, path=path)
            values = reader.readsol_MPS(str(solution), problem, variables, variable_names, constraint_names)[1]
            problem.assignVarsVals(values)
    return _End(("cbc", words), solved)


def _pulp(name: str, problem: pulp.LpProblem, limits: Limits) -> _End:
    """Any other solver of PuLP's; it is given what its constructor understands."""
    understood = inspect.signature(type(pulp.getSolver(name, msg=False)).__init__).parameters
    options: dict[str, Any] = {"msg": limits.log}
    if math.isfinite(limits.deadline):
        options["timeLimit"] = max(limits.left_s, 0.01)
    if "threads" in understood:
        options["threads"] = limits.threads
    with _stdout_to_stderr():
        problem.solve(pulp.getSolver(name, **options))
    solved = problem.sol_status in {pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible}
    return _End(("pulp", pulp.LpSolution[problem.sol_status]), solved)


MILP_BACKENDS: dict[str, Callable[[pulp.LpProblem, Limits], _End]] = {"highs": _highs, "cbc": _cbc}
"""Those that come along."""


def solve_cp(
    model: cp_model.CpModel,
    *,
    deadline: float = math.inf,
    workers: int = 1,
    seed: int = 0,
    log: bool = False,
    hint: Mapping[cp_model.IntVar, int] | None = None,
) -> tuple[Outcome, cp_model.CpSolver]:
    """Solve a constraint program with CP-SAT; the solver has the values if the outcome has a value.

    The value is 0 where there is no objective. Ctrl-C ends the search with the best solution so far; where there is
    none `KeyboardInterrupt` is raised.

    Parameters
    ----------
    deadline
        When to stop, as `time.monotonic` counts.
    hint
        Values of some variables to begin with; they replace the hints of the model.

    Raises
    ------
    ValueError
        If the model is not valid, for instance because its numbers are too large.
    """
    from ortools.sat.python import cp_model

    begin = time.monotonic()
    solver = cp_model.CpSolver()
    if deadline <= begin:
        return Outcome(Status.UNKNOWN, None, None, 0.0), solver
    if hint is not None:
        model.clear_hints()  # type: ignore[no-untyped-call]
        for variable, value in hint.items():
            model.add_hint(variable, value)
    parameters = solver.parameters
    parameters.num_workers = workers
    parameters.random_seed = seed
    parameters.catch_sigint_signal = False
    parameters.log_search_progress = log
    parameters.log_to_stdout = False
    if log:
        solver.log_callback = lambda message: _to_stderr(f"{message}\n")
    if math.isfinite(deadline):
        parameters.max_time_in_seconds = max(deadline - time.monotonic(), 0.0)
    ends: list[cp_model.CpSolverStatus] = []
    interrupted = _run_interruptibly(lambda: ends.append(solver.solve(model)), solver.stop_search)
    words = ends[0].name
    if words == "MODEL_INVALID":
        raise ValueError(f"CP-SAT does not accept the model: {model.validate()}")
    solved = words in {"OPTIMAL", "FEASIBLE"}
    if interrupted and not solved:
        raise KeyboardInterrupt
    bound = solver.best_objective_bound if model.has_objective() else None
    end = _End(("cp-sat", words), solved, bound)
    return _outcome(end, solver.objective_value if solved else None, time.monotonic() - begin), solver


def _run_interruptibly(run: Callable[[], object], stop: Callable[[], None]) -> bool:
    """Run something that does not return by itself on Ctrl-C; on Ctrl-C ask it to stop, and say so.

    Raises
    ------
    KeyboardInterrupt
        On a second Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():  # Ctrl-C does not come here
        run()
        return False
    failures: list[BaseException] = []
    done = threading.Event()  # an interrupted join() would take the thread for dead

    def work() -> None:
        try:
            run()
        except BaseException as failure:
            failures.append(failure)
        finally:
            done.set()

    threading.Thread(target=work, daemon=True).start()
    interrupted = False
    while not done.is_set():
        try:
            done.wait(timeout=1.0)  # without a timeout Windows does not hear Ctrl-C
            if interrupted and not done.is_set():
                stop()  # again, for CBC does not hear what comes before it searches
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            stop()
    if failures:
        raise failures[0]
    return interrupted


def _to_stderr(message: str) -> None:
    sys.stderr.write(message)


@contextlib.contextmanager
def _stdout_to_stderr(*, swallow: bool = False) -> Iterator[None]:
    """Send what libraries written in C print on standard output to standard error, or nowhere."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is no standard output
        yield
        return
    target = os.open(os.devnull, os.O_WRONLY) if swallow else os.dup(2)
    try:
        os.dup2(target, 1)
        yield
    finally:
        _flush_c_streams()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(target)


def _flush_c_streams() -> None:
    with contextlib.suppress(OSError, AttributeError, TypeError):  # Windows has no CDLL(None)
        ctypes.CDLL(None).fflush(None)
