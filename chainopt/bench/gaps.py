"""How far from the best: one reference for all methods of an instance, so that their gaps can be compared.

A result holds the gap to what was known when it was written. Of two methods on one instance, one may have proven a
bound and the other not; here both are measured by the best bound that any of the runs knows.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from chainopt.answer import SAME
from chainopt.model.solution import Objective, Status, relative_gap
from chainopt.verification.composition import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from chainopt.bench.outcomes import Run


class GapTo(StrEnum):
    """What a gap is measured from."""

    OPTIMUM = "optimum"
    BOUND = "bound"
    BEST_KNOWN = "best-known"


class Reference(NamedTuple):
    """What the values on one instance are measured from."""

    value: float
    kind: GapTo


@dataclass(frozen=True)
class References:
    """Of all instances.

    Attributes
    ----------
    of
        By objective, name and digest of the instance; instances of which nothing is known are missing.
    contradicted
        Bounds that a verified value lies beyond: false, whoever claimed them, and left out.
    """

    of: dict[tuple[Objective, str, str], Reference]
    contradicted: int

    def gap(self, run: Run) -> float | None:
        """Signed gap of a run, negative where its value is beyond the reference; None where there is none.

        A simulated value is of other traffic or another policy than the references unless its own record has a gap.
        """
        reference = self.of.get(_instance(run))
        if not run.solved or run.value is None or reference is None or (run.simulated is not None and run.gap is None):
            return None
        return signed_gap(run.objective, run.value, reference.value)


def signed_gap(objective: Objective, value: float, reference: float) -> float:
    """Relative gap, 0 where both are the same, negative where the value is better than what it is compared with."""
    gap = relative_gap(value, reference)
    if gap <= SAME:
        return 0.0
    return -gap if better(objective)(value, reference) else gap


def better(objective: Objective) -> Callable[[float, float], bool]:
    """Whether the first of two values is better than the second."""
    return operator.gt if objective is Objective.RATE else operator.lt


def best_of(objective: Objective, values: Iterable[float]) -> float | None:
    """The best of some values, None of none."""
    return (max if objective is Objective.RATE else min)(values, default=None)


def references(runs: Iterable[Run]) -> References:
    """The optimum of each instance, else the best bound on it, else the best value known before, by all its runs."""
    groups: defaultdict[tuple[Objective, str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[_instance(run)].append(run)
    found: dict[tuple[Objective, str, str], Reference] = {}
    contradicted = 0
    for key, group in groups.items():
        reference, false_bounds = _reference(key[0], group)
        contradicted += false_bounds
        if reference is not None:
            found[key] = reference
    return References(found, contradicted)


def _instance(run: Run) -> tuple[Objective, str, str]:
    return run.objective, run.instance, run.sha256


def _reference(objective: Objective, runs: Sequence[Run]) -> tuple[Reference | None, int]:
    exact = [run for run in runs if run.solved and run.simulated is None and run.value is not None]
    known = best_of(objective, [run.best_known for run in runs if run.best_known is not None])
    values = [run.value for run in exact if run.value is not None] + ([] if known is None else [known])
    value = best_of(objective, values)
    bounds, false_bounds = set(), 0
    for run in runs:
        if run.bound is None or run.verified is False:
            continue
        beyond = value is not None and better(objective)(value, run.bound)
        if beyond and value is not None and relative_gap(value, run.bound) > TOLERANCE:
            false_bounds += 1
        else:
            bounds.add(run.bound)
    # the best bound is the one on the side of the values
    bound = (min if objective is Objective.RATE else max)(bounds, default=None)
    proven = any(run.status == Status.OPTIMAL for run in exact) and not false_bounds
    if value is not None and (proven or (bound is not None and relative_gap(value, bound) <= SAME)):
        return Reference(value, GapTo.OPTIMUM), false_bounds
    if bound is not None:
        return Reference(bound, GapTo.BOUND), false_bounds
    return (None if known is None else Reference(known, GapTo.BEST_KNOWN)), false_bounds
