"""From what a method found to a solution that can be written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from chainopt.files.instance import digest
from chainopt.model.solution import InstanceReference, Objective, Solution, Status, as_records, relative_gap
from chainopt.queueing import evaluate
from chainopt.version import __version__

if TYPE_CHECKING:
    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance

SAME = 1e-8
"""Gap at which a value meets its bound: bounds are moved by 10^-9 to the safe side of rounding."""


class Answer:
    """A solution in the making: what was asked, and since when.

    Parameters
    ----------
    method, objective, seed, parameters
        As they stand in the solution; parameters that are None are left out.
    """

    def __init__(
        self, instance: Instance, method: str, objective: Objective, seed: int, parameters: dict[str, Any]
    ) -> None:
        self._instance = instance
        self._started = time.monotonic()
        self._fields: dict[str, Any] = {"method": method, "objective": objective, "seed": seed}
        self._parameters = parameters

    def solution(
        self,
        status: Status,
        composition: Composition | None = None,
        bound: float | None = None,
        **parameters: Any,
    ) -> Solution:
        """The solution, evaluated; optimal instead of feasible if the bound is met."""
        found: dict[str, Any] = {}
        if composition is not None:
            found["placement"], found["chains"] = as_records(self._instance, composition)
            found["evaluation"] = evaluate(composition, float(self._instance.workload.arrival_rate))
        solution = Solution(
            instance=InstanceReference(name=self._instance.name, sha256=digest(self._instance)),
            **self._fields,
            parameters={key: value for key, value in {**self._parameters, **parameters}.items() if value is not None},
            version=__version__,
            status=status,
            bound=bound,
            **found,
        ).bind(self._instance)
        value = solution.value
        solved = status in (Status.FEASIBLE, Status.OPTIMAL) and value is not None and bound is not None
        gap = relative_gap(value, bound) if solved else None  # type: ignore[arg-type]
        if status is Status.FEASIBLE and gap is not None and gap <= SAME:
            status = Status.OPTIMAL
        return solution.replace(status=status, gap=gap, runtime_s=time.monotonic() - self._started)
