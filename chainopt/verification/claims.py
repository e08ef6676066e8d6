"""Are the numbers true? Evaluation, status, bound and gap of a solution against what its composition gives."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from chainopt.chains import checked_thresholds
from chainopt.model.solution import Objective, Status, relative_gap
from chainopt.quantity import at_least
from chainopt.verification import response
from chainopt.verification.composition import TOLERANCE, Recomputed, Violation, agrees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from chainopt.model.evaluation import Evaluation
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution

_ROUNDING = 4e-15
_NOTHING = 1e-100  # probabilities and times below this are as good as 0
_QUANTILES = {"p95_response_time_s": 0.05, "p99_response_time_s": 0.01}
_TIMES = (
    "mean_response_time_s",
    "mean_service_time_s",
    "mean_waiting_time_s",
    "waiting_probability",
    "lower_bound_s",
    "upper_bound_s",
    *_QUANTILES,
)


def check_claims(instance: Instance, solution: Solution, composition: Recomputed) -> Iterator[Violation]:
    """All false claims of a solution whose composition is valid."""
    arrival_rate = Fraction(instance.workload.arrival_rate)
    total = sum(
        (count / time for count, time in zip(composition.capacities, composition.service_times, strict=True)),
        Fraction(0),
    )
    stable = not at_least(float(arrival_rate), float(total))
    # close to saturation, the rounding of ν is magnified by 1 / (1 - ρ)
    tolerance = max(TOLERANCE, _ROUNDING / float(1 - arrival_rate / total)) if stable else TOLERANCE
    rates = np.array([float(1 / time) for time in composition.service_times])
    counts = np.array(composition.capacities)
    answer = None
    if stable:
        try:
            answer = response.response(rates, counts, float(arrival_rate))
        except response.TooLargeError as error:
            yield Violation("evaluation", str(error))
    if solution.evaluation is not None:
        yield from _figures(solution.evaluation, composition, arrival_rate, total, stable)
        if answer is not None:
            bounds = response.bounds(rates, counts, float(arrival_rate))
            yield from _times(solution.evaluation, answer, bounds, tolerance)
            yield from _quantiles(solution.evaluation, answer, rates, float(total - arrival_rate), tolerance)
    yield from _status(instance, solution, arrival_rate, total)
    value = {
        Objective.RESPONSE_TIME: None if answer is None else answer.mean_service + answer.mean_waiting,
        Objective.JOB_SERVERS: float(sum(composition.capacities)),
        Objective.RATE: float(total),
    }[solution.objective]
    yield from _bound(solution, value, tolerance)
    yield from _thresholds(solution, rates, counts)


def _thresholds(solution: Solution, rates: NDArray[np.float64], counts: NDArray[np.int64]) -> Iterator[Violation]:
    """Dispatch thresholds, if the parameters have any, are ones under which no job waits for ever."""
    claimed = solution.parameters.get("thresholds")
    if claimed is not None:
        try:
            checked_thresholds(claimed, rates, counts)
        except (TypeError, ValueError) as error:
            yield Violation("parameters.thresholds", str(error))


def _figures(
    claimed: Evaluation, composition: Recomputed, arrival_rate: Fraction, total: Fraction, stable: bool
) -> Iterator[Violation]:
    if claimed.job_servers != sum(composition.capacities):
        yield _false("job_servers", claimed.job_servers, sum(composition.capacities))
    if not agrees(claimed.total_service_rate, total):
        yield _false("total_service_rate", claimed.total_service_rate, float(total))
    if claimed.load is not None and not (total and agrees(claimed.load, arrival_rate / total)):
        yield _false("load", claimed.load, float(arrival_rate / total) if total else None)
    for name in _TIMES:
        value = getattr(claimed, name)
        if value is not None and not stable:
            yield _false(name, value, None)


def _times(
    claimed: Evaluation, answer: response.Response, bounds: tuple[float, float], tolerance: float
) -> Iterator[Violation]:
    recomputed = {
        "mean_response_time_s": answer.mean_service + answer.mean_waiting,
        "mean_service_time_s": answer.mean_service,
        "mean_waiting_time_s": answer.mean_waiting,
        "waiting_probability": answer.waiting_probability,
        "lower_bound_s": bounds[0],
        "upper_bound_s": bounds[1],
    }
    for name, value in recomputed.items():
        claim = getattr(claimed, name)
        if claim is not None and not agrees(claim, value, tolerance) and max(claim, value) > _NOTHING:
            yield _false(name, claim, value)


def _quantiles(
    claimed: Evaluation, answer: response.Response, rates: NDArray[np.float64], slack: float, tolerance: float
) -> Iterator[Violation]:
    for name, beyond in _QUANTILES.items():
        claim = getattr(claimed, name)
        if claim is None:
            continue
        before, after = (response.tail(answer, rates, slack, claim * (1 + sign * tolerance)) for sign in (-1, 1))
        if not after <= beyond <= before:
            yield Violation(
                f"evaluation.{name}", f"{after:.6g} of the jobs take longer than {claim:.9g} s, not {beyond}"
            )


def _status(instance: Instance, solution: Solution, arrival_rate: Fraction, total: Fraction) -> Iterator[Violation]:
    solved = solution.status in (Status.OPTIMAL, Status.FEASIBLE)
    if solved and not solution.chains:
        yield Violation("status", f"{solution.status}, but there is no chain")
    elif solved and solution.objective is Objective.RESPONSE_TIME and at_least(float(arrival_rate), float(total)):
        message = (
            f"{solution.status}, but the arrival rate {float(arrival_rate):g} is not below {float(total):g} jobs/s"
        )
        yield Violation("status", message)
    elif solved and solution.objective is Objective.JOB_SERVERS:
        needed = arrival_rate / Fraction(instance.workload.target_load)
        if not at_least(float(total), float(needed)):
            message = (
                f"{solution.status}, but the total service rate {float(total):g} is below {float(needed):g} jobs/s"
            )
            yield Violation("status", message)
    if solution.status is Status.UNSTABLE and not at_least(float(arrival_rate), float(total)):
        yield Violation("status", f"unstable, but the total service rate is {float(total):g} jobs/s")
    if solution.status is Status.INFEASIBLE:
        rate_too_high = solution.objective is Objective.JOB_SERVERS
        if solution.chains or (_surely_feasible(instance) and not rate_too_high):
            yield Violation("status", "infeasible, but there is a composition")


def _surely_feasible(instance: Instance) -> bool:
    """Whether every pin fits, and servers without pins can host all blocks, each with room for one job."""
    block, cache = Fraction(instance.service.block_gb), Fraction(instance.service.cache_gb)
    blocks = 0
    for server in instance.servers:
        memory = Fraction(server.memory_gb) - Fraction(server.reserve_gb)
        if server.pin is None:
            blocks += memory // (block + cache)
        elif block * (server.pin.stop - server.pin.start) > memory:
            return False
    return blocks >= instance.service.blocks


def _bound(solution: Solution, value: float | None, tolerance: float) -> Iterator[Violation]:
    """Bound and gap against the recomputed value of the objective."""
    bound, gap = solution.bound, solution.gap
    if bound is None:
        if gap is not None:
            yield Violation("gap", f"{gap:g}, but there is no bound")
        if solution.status is Status.OPTIMAL:
            yield Violation("status", "optimal, but there is no bound")
        return
    if solution.status not in (Status.OPTIMAL, Status.FEASIBLE) or value is None:
        if gap is not None:
            yield Violation("gap", f"{gap:g}, but there is no solution with a value")
        return
    beyond = bound - value if solution.objective is not Objective.RATE else value - bound
    if beyond > tolerance * max(abs(bound), abs(value)):
        yield Violation("bound", f"{bound:.9g} is beyond the value {value:.9g} that it bounds")
    recomputed = relative_gap(value, bound)
    if gap is not None and abs(gap - recomputed) > tolerance:
        yield _false("gap", gap, recomputed)
    if solution.status is Status.OPTIMAL and recomputed > tolerance:
        yield Violation("status", f"optimal, but value {value:.9g} and bound {bound:.9g} differ")


def _false(name: str, claimed: float, recomputed: float | None) -> Violation:
    truth = "there is none, for the load is not below 1" if recomputed is None else f"recomputed {recomputed:.9g}"
    place = name if name == "gap" else f"evaluation.{name}"
    return Violation(place, f"{claimed:.9g}, {truth}")
