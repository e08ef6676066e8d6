"""One run: the method is timed, its answer verified, valued, and compared with what is known.

Nothing here depends on the process in which it happens, so that a run gives the same record wherever it is made.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import threading
import time
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from chainopt.answer import Answer
from chainopt.auto import prepare
from chainopt.baselines import SYSTEMS
from chainopt.bench.environment import environment
from chainopt.bench.gaps import signed_gap
from chainopt.bench.methods import Kind
from chainopt.dispatch.operation import Operation
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.exact import ExactOptions, bound
from chainopt.facade import AUTO, EXACT, PIPELINE, compose
from chainopt.files.solution import solution_text
from chainopt.model.instance import Instance, Server, Service, Workload
from chainopt.model.solution import HostedRange, Objective, Solution, Status
from chainopt.plug_in import load, unproven
from chainopt.simulation.arrivals import parse_arrivals
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.intervals import growing
from chainopt.simulation.pace import pace_by_size
from chainopt.simulation.sizes import parse_sizes
from chainopt.simulation.summary import QUANTILES
from chainopt.verification import verify
from chainopt.verification.composition import check_composition
from chainopt.version import __version__

if TYPE_CHECKING:
    from chainopt.baselines import Deployment
    from chainopt.bench.methods import Entrant
    from chainopt.bench.runs import Run, Task
    from chainopt.bench.suite import Simulation
    from chainopt.simulation.engine import Run as Jobs

_SMALL = Instance(
    name="warm-up",
    service=Service(blocks=3, block_gb=1, cache_gb=0.25),
    workload=Workload(arrival_rate=0.05),
    servers=[Server(id=str(j), memory_gb=3 + j, comm_s=1 + j, comp_s_per_block=0.1) for j in range(3)],
)
_SOLVED = (Status.OPTIMAL, Status.FEASIBLE)
_ONE_AT_A_TIME = threading.Lock()
"""Where a worker has several threads: they would share the time of a method, and its processor."""


def measure(run: Run) -> dict[str, Any]:
    """Make a run; whatever goes wrong in it is its result, also where a method raises what ends other programs.

    Whether Ctrl-C came meanwhile is known to whoever asked, who then has no use for the result.
    """
    with _ONE_AT_A_TIME:
        try:
            found = _system(run) if run.entrant.kind is Kind.SYSTEM else _composition(run)
        except BaseException as error:
            kind = "" if isinstance(error, ChainoptError) else type(error).__name__
            found = failed(": ".join(part for part in (kind, str(error)) if part))
    return record(run, found)


def failed(error: object) -> dict[str, Any]:
    """The outcome of a run that failed."""
    return {"status": "error", "error": " ".join(str(error).split()) or "no message"}


def record(run: Run, found: dict[str, Any]) -> dict[str, Any]:
    """The line of the results: what was asked, what was found, and how good it is."""
    chosen, task = run.entrant, run.task
    asked = {
        "key": run.key,
        "suite": run.suite,
        "instance": task.instance.name,
        "sha256": task.sha256,
        "source": task.source,
        "method": chosen.label,
        "options": _settings(chosen),
        "seed": run.seed,
        "objective": run.objective.value,
    }
    none = dict.fromkeys(("error", "reason", "value", "half_width", "simulated", "runtime_s", "solution"))
    outcome = {"status": "error", "verified": False, "violations": [], **none, **found}
    own_bound = outcome.pop("own_bound", None)
    return {
        **asked,
        **outcome,
        **_compared(run, outcome, own_bound),
        "version": __version__,
        "environment": environment(),
        "finished": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def _settings(chosen: Entrant) -> dict[str, Any]:
    """All that determines what a method does."""
    given = {"time_limit_s": chosen.time_limit_s, "code": chosen.code}
    return {"name": chosen.name, **chosen.options, **{key: value for key, value in given.items() if value is not None}}


def _composition(run: Run) -> dict[str, Any]:
    """A method that composes chains."""
    instance = run.task.instance
    if run.entrant.name == AUTO:
        prepare(instance, run.objective, None)
    else:
        _warm_up(PIPELINE if run.entrant.kind is Kind.PLUG_IN else run.entrant.name, run.objective)
    plug_in = None
    if run.entrant.kind is Kind.PLUG_IN:
        plug_in = load(run.entrant.name)
        if plug_in.code != run.entrant.code:
            raise ChainoptError(f"{run.entrant.name} has changed since the benchmark began")
    reason = None
    begin = time.perf_counter()
    try:
        if plug_in is not None:
            solution = plug_in.solve(
                instance,
                run.objective,
                seed=run.seed,
                time_limit_s=run.entrant.time_limit_s,
                options=run.entrant.options,
            )
        else:
            solution = _composed(run)
    except (InfeasibleError, UnstableError) as error:
        if error.solution is None:
            raise
        solution, reason = error.solution, str(error)
    runtime_s = time.perf_counter() - begin
    violations = [str(violation) for violation in verify(instance, solution)]
    if plug_in is not None:
        solution = unproven(solution)
    found: dict[str, Any] = {
        "status": solution.status.value,
        "verified": not violations,
        "violations": violations,
        "reason": reason,
        "runtime_s": runtime_s,
        "solution": _document(solution),
    }
    if violations:
        return found
    found["own_bound"] = solution.bound
    if solution.status not in _SOLVED:
        return found
    if run.simulation is None:
        return {**found, "value": solution.value}
    operation = Operation(instance, solution.composition, pace_by_size(instance))
    policy, thresholds = run.simulation.policy, None
    if policy == "thresholds":  # where none were found to be better, JFFC stays
        capacities = operation.composition.capacities
        thresholds = np.array(solution.parameters.get("thresholds", np.ones_like(capacities)), dtype=np.int64)
    jobs = operation.run(policy, run.simulation.jobs, thresholds)
    return {**found, **_simulated(run, run.simulation, jobs, policy, solution.status)}


@cache
def _warm_up(method: str, objective: Objective) -> None:
    """Load the kernels that a method needs, once a process, so that the first run is not slower than the others."""
    with contextlib.suppress(InfeasibleError, UnstableError):
        compose(_SMALL, method, objective)


def _composed(run: Run) -> Solution:
    options = dict(run.entrant.options)
    if run.entrant.name == EXACT:
        chosen = {name: options.pop(name) for name in ("engine", "backend", "threads") if name in options}
        options["exact"] = ExactOptions(**chosen)
    limit = run.entrant.time_limit_s
    return compose(run.task.instance, run.entrant.name, run.objective, time_limit_s=limit, seed=run.seed, **options)


def _system(run: Run) -> dict[str, Any]:
    """A system that serves jobs by itself: only its placement can be verified."""
    instance = run.task.instance
    assert run.simulation is not None, "systems are simulated"
    begin = time.perf_counter()
    try:
        deployment = SYSTEMS[run.entrant.name].rule(instance, seed=run.seed, **run.entrant.options)
    except InfeasibleError as error:
        status = Status.UNKNOWN if error.solution is None else error.solution.status
        runtime_s = time.perf_counter() - begin
        return {"status": status.value, "verified": True, "runtime_s": runtime_s, "reason": str(error)}
    runtime_s = time.perf_counter() - begin
    solution = _placed(instance, run, deployment)
    violations = [str(violation) for violation in check_composition(instance, solution)[0]]
    found = {
        "status": Status.FEASIBLE.value,
        "verified": not violations,
        "violations": violations,
        "runtime_s": runtime_s,
        "solution": _document(solution),
    }
    if violations:
        return found
    jobs = deployment.run(run.simulation.jobs)
    return {**found, **_simulated(run, run.simulation, jobs, run.entrant.name, Status.FEASIBLE)}


def _placed(instance: Instance, run: Run, deployment: Deployment) -> Solution:
    """The placement of a system as a solution that claims nothing else."""
    ranges = zip(instance.servers, deployment.placement.start.tolist(), deployment.placement.stop.tolist(), strict=True)
    hosted = tuple(HostedRange(server=server.id, start=a, stop=b) for server, a, b in ranges if a < b)
    answer = Answer(instance, run.entrant.name, run.objective, run.seed, dict(deployment.parameters))
    return answer.solution(Status.UNKNOWN).replace(placement=hosted)


def _simulated(run: Run, simulation: Simulation, jobs: Jobs, policy: str, status: Status) -> dict[str, Any]:
    """Value and interval from a simulation."""
    task = run.task
    arrivals = parse_arrivals(simulation.arrivals, float(task.instance.workload.arrival_rate))
    traffic = Traffic(arrivals, parse_sizes(simulation.sizes), simulation.jobs, traffic_seed(task, run.seed))
    summary = observe(jobs, traffic, warm_up=simulation.share_of_warm_up, to_the_end=not simulation.steady)
    estimate = summary.response.interval()
    half_width = _number(estimate.half_width) if simulation.steady else None  # batches of a transient are not alike
    simulated = {
        "policy": policy,
        "jobs": simulation.jobs,
        "counted_jobs": summary.jobs,
        "arrivals": simulation.arrivals,
        "sizes": simulation.sizes,
        "steady": simulation.steady,
        "mean_s": _number(estimate.mean),
        "half_width_s": half_width,
        "quantiles_s": {
            f"{share:g}": _number(value)
            for share, value in zip(QUANTILES, summary.response.quantiles.tolist(), strict=True)
        },
        "mean_waiting_s": _number(summary.waiting.mean),
        "mean_service_s": _number(summary.service.mean),
        "waiting_share": _number(summary.waited),
    }
    if simulation.steady and growing(summary.response.batches):
        return {"status": Status.UNSTABLE.value, "simulated": simulated}
    return {
        "status": Status.FEASIBLE.value if status is Status.OPTIMAL and policy != "jffc" else status.value,
        "value": simulated["mean_s"],
        "half_width": half_width,
        "simulated": simulated,
    }


def traffic_seed(task: Task, seed: int) -> int:
    """Seed of the jobs: the same for all methods on an instance with a seed, another one for every other pair."""
    return int.from_bytes(hashlib.sha256(f"{task.sha256} {seed}".encode()).digest()[:8], "big") >> 1


def _compared(run: Run, outcome: dict[str, Any], own_bound: float | None) -> dict[str, Any]:
    """Bound, best known value, and the gap to the best of optimum, bound, best known value that there is."""
    known = run.task.best_known
    if known is not None and known.objective is not run.objective:
        known = None
    bounds = [own_bound, None if known is None else known.bound]
    if run.bound_time_limit_s is not None:
        bounds.append(_proven(_Hashed(run.task), run.objective, run.bound_time_limit_s))
    proven = [value for value in bounds if value is not None]
    tightest = min if run.objective is Objective.RATE else max
    best_bound = tightest(proven) if proven else None
    best_known = None if known is None else known.value
    value = outcome["value"]
    gap = gap_to = None
    if value is not None and (run.simulation is None or run.simulation.standard):
        references = {
            "optimum": best_known if known is not None and known.optimal else None,
            "bound": best_bound,
            "best-known": best_known,
        }
        gap_to = next((name for name, reference in references.items() if reference is not None), None)
        if gap_to is not None:
            gap = signed_gap(run.objective, value, references[gap_to])  # type: ignore[arg-type]
        if gap_to == "bound" and outcome["status"] == Status.OPTIMAL and own_bound == best_bound:
            gap_to = "optimum"
    return {"bound": best_bound, "best_known": best_known, "gap": gap, "gap_to": gap_to}


class _Hashed:
    """A task that is the same as another one of the same instance, for the cache of bounds."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self.task.sha256 == other.task.sha256

    def __hash__(self) -> int:
        return hash(self.task.sha256)


@lru_cache(maxsize=64)
def _proven(hashed: _Hashed, objective: Objective, time_limit_s: float) -> float | None:
    """A bound, None where none was proven in the time, or nothing exists that it could bound."""
    try:
        return bound(hashed.task.instance, objective, time_limit_s)
    except (InfeasibleError, UnstableError):
        return None


def _document(solution: Solution) -> dict[str, Any]:
    """The solution as its file has it, but for the time it took, so that equal runs have equal solutions."""
    document: dict[str, Any] = json.loads(solution_text(solution.replace(runtime_s=None)))
    return document


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
