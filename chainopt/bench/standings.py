"""How each method did: what became of its runs, and means over the problems that all methods solved."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.bench.gaps import best_of
from chainopt.bench.outcomes import Outcome
from chainopt.model.solution import Objective, relative_gap
from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainopt.bench.gaps import References
    from chainopt.bench.outcomes import Problem, Run


@dataclass(frozen=True)
class Standing:
    """How one method did on some problems.

    Attributes
    ----------
    method
        Its label.
    counts
        Of its runs, by what became of them; they sum to the number of problems.
    wins
        Problems on which nobody has a better value.
    runtime_s
        Mean over all its runs, solved or not.
    compared
        Problems that all methods with a solution solved; all that follows is over these.
    mean, half_width
        Mean value. The half width is the mean of the half widths, which is enough however the simulations depend on
        each other; None where no value is simulated, or one of too few jobs to have an interval.
    gaps
        How many have a gap.
    mean_gap, median_gap, largest_gap
        Signed, relative.
    ratio
        Geometric mean of the ratio to the best value of any method, at least 1.
    """

    method: str
    counts: Counter[Outcome]
    wins: int
    runtime_s: float | None
    compared: int
    mean: float | None
    half_width: float | None
    gaps: int
    mean_gap: float | None
    median_gap: float | None
    largest_gap: float | None
    ratio: float | None


def ratios(runs: Iterable[Run]) -> dict[Problem, dict[str, float]]:
    """Ratio of each solved value to the best of its problem, at least 1; problems that nobody solved are empty."""
    values: defaultdict[Problem, dict[str, float]] = defaultdict(dict)
    for run in runs:
        solved = values[run.problem]
        if run.solved and run.value is not None:
            solved[run.method] = run.value
    return {problem: _to_best(problem.objective, solved) for problem, solved in sorted(values.items())}


def _to_best(objective: Objective, values: dict[str, float]) -> dict[str, float]:
    best = best_of(objective, values.values())
    if best is None:
        return {}
    return {
        method: 1.0
        if relative_gap(value, best) <= RELATIVE_TOLERANCE
        else (best / value if objective is Objective.RATE else value / best)
        for method, value in values.items()
    }


def standings(runs: Sequence[Run], references: References) -> list[Standing]:
    """All methods of runs of one objective; those that solve most first, among them the smallest ratios."""
    by_method: defaultdict[str, dict[Problem, Run]] = defaultdict(dict)
    for run in runs:
        by_method[run.method][run.problem] = run
    to_best = ratios(runs)
    able = {run.method for run in runs if run.solved}
    common = [problem for problem, solved in to_best.items() if able and solved.keys() == able]
    found = [_standing(method, own, to_best, common, references) for method, own in by_method.items()]
    return sorted(found, key=lambda s: (-s.counts[Outcome.SOLVED], math.inf if s.ratio is None else s.ratio, s.method))


def _standing(
    method: str,
    own: dict[Problem, Run],
    to_best: dict[Problem, dict[str, float]],
    common: list[Problem],
    references: References,
) -> Standing:
    counts = Counter(own[problem].outcome if problem in own else Outcome.NOT_RUN for problem in to_best)
    compared = [own[problem] for problem in common] if counts[Outcome.SOLVED] else []
    gaps = [gap for run in compared if (gap := references.gap(run)) is not None]
    return Standing(
        method=method,
        counts=counts,
        wins=sum(solved.get(method) == 1.0 for solved in to_best.values()),
        runtime_s=_mean([run.runtime_s for run in own.values() if run.runtime_s is not None]),
        compared=len(compared),
        mean=_mean([run.value for run in compared if run.value is not None]),
        half_width=_half_width(compared),
        gaps=len(gaps),
        mean_gap=_mean(gaps),
        median_gap=statistics.median(gaps) if gaps else None,
        largest_gap=max(gaps, default=None),
        ratio=statistics.geometric_mean([to_best[run.problem][method] for run in compared]) if compared else None,
    )


def _half_width(runs: list[Run]) -> float | None:
    """Of the mean of the values; one that is computed has none, one that is simulated and has none is unknown."""
    if all(run.half_width is None for run in runs) or any(run.simulated and run.half_width is None for run in runs):
        return None
    return _mean([run.half_width or 0.0 for run in runs])


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
