"""Two solutions of one instance, both verified: the better composition with the better bound."""

from __future__ import annotations

from chainopt.answer import SAME
from chainopt.model.solution import Solution, Status, relative_gap
from chainopt.quantity import RELATIVE_TOLERANCE

BOUND_BY = "bound_by"
"""Parameter of a solution: who proved its bound, if that was another method."""
SOLVED = (Status.OPTIMAL, Status.FEASIBLE)


def with_bound(solution: Solution, bound: float | None) -> Solution:
    """The solution with a bound, and the gap and the status that follow from it."""
    if solution.status not in SOLVED or solution.value is None:
        return solution.replace(bound=bound, gap=None)
    gap = None if bound is None else relative_gap(solution.value, bound)
    proven = gap is not None and (gap <= SAME or (solution.status is Status.OPTIMAL and bound == solution.bound))
    return solution.replace(bound=bound, gap=gap, status=Status.OPTIMAL if proven else Status.FEASIBLE)


def join(known: Solution | None, candidate: Solution) -> Solution | None:
    """The better composition with the better bound; `known` itself if the other adds nothing."""
    if known is None or not {known.status, candidate.status} <= set(SOLVED):
        return candidate if _says_more(candidate, known) else known
    assert known.value is not None
    assert candidate.value is not None
    distance = relative_gap(candidate.value, known.value)
    same = distance <= RELATIVE_TOLERANCE
    proves = same and candidate.status is Status.OPTIMAL and known.status is not Status.OPTIMAL
    wins = proves or (candidate.value < known.value and not same)
    best, other = (candidate, known) if wins else (known, candidate)
    proof = _better_proof(best, other)
    if best is known and (proof is known or (proof is None and known.bound is None)):
        return known
    parameters = {key: value for key, value in best.parameters.items() if key != BOUND_BY}
    if proof is None:
        return with_bound(best.replace(parameters=parameters), None)
    prover = proof.parameters.get(BOUND_BY, proof.method)
    if proof is other or BOUND_BY in proof.parameters:
        parameters[BOUND_BY] = prover
    return with_bound(best.replace(parameters=parameters), proof.bound)


def _better_proof(best: Solution, other: Solution) -> Solution | None:
    """Whose bound is better, `best` itself where they are as good; a bound beyond the better value is false."""
    assert best.value is not None
    proof = None
    for solution in (best, other):
        if solution.bound is None or solution.bound > best.value * (1 + SAME):
            continue
        if proof is None or solution.bound > (proof.bound or 0.0) * (1 + RELATIVE_TOLERANCE):
            proof = solution
    return proof


def _says_more(candidate: Solution, known: Solution | None) -> bool:
    """Whether a solution is worth more than what is known, where one of them at least has no value."""
    if known is None:
        return candidate.status is not Status.UNKNOWN
    if candidate.status in SOLVED or known.status in SOLVED:
        return candidate.status in SOLVED
    if candidate.status is Status.INFEASIBLE:  # what has chains is a composition, and disproves it
        return known.status is not Status.INFEASIBLE and not known.chains
    if Status.UNSTABLE is candidate.status is known.status:
        return _rate(candidate) > _rate(known) * (1 + RELATIVE_TOLERANCE)
    return known.status is Status.UNKNOWN and candidate.status is Status.UNSTABLE


def _rate(solution: Solution) -> float:
    return 0.0 if solution.evaluation is None else solution.evaluation.total_service_rate
