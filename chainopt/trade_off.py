"""How much better a composition gets the more blocks servers may load anew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.errors import InfeasibleError, UnstableError
from chainopt.facade import AUTO, compose
from chainopt.model.solution import Objective, Solution
from chainopt.replanning import moved_blocks, reference_of

if TYPE_CHECKING:
    from chainopt.model.instance import Instance

STEPS = 6
"""Numbers of blocks that are tried between none and as many as the best composition needs."""


@dataclass(frozen=True, eq=False)
class Point:
    """A composition on the curve.

    Attributes
    ----------
    moved_blocks, moved_gb
        Blocks that servers load, and how much that is.
    value
        Of the objective; None where the composition does not do what is asked.
    solution
        The composition.
    """

    moved_blocks: int
    moved_gb: float
    value: float | None
    solution: Solution


def trade_off(
    instance: Instance,
    previous: Solution,
    objective: Objective | str = Objective.RESPONSE_TIME,
    *,
    time_limit_s: float | None = None,
    iterations: int | None = None,
    workers: int = 1,
    seed: int = 0,
) -> list[Point]:
    """Compositions from the one that moves nothing to the best, each better than all that move less.

    Parameters
    ----------
    previous
        What is in place, by the ids of servers.
    time_limit_s, iterations, workers
        For each point.

    Raises
    ------
    InfeasibleError, UnstableError
        As `compose`, if no number of moved blocks helps.
    """
    objective = Objective(objective)
    best = compose(
        instance,
        AUTO,
        objective,
        time_limit_s=time_limit_s,
        iterations=iterations,
        workers=workers,
        seed=seed,
        previous=previous,
    )
    reference = reference_of(instance, previous)
    most = moved_blocks(best.composition.placement, reference)
    found = []
    for limit in sorted({math.floor(most * step / STEPS) for step in range(STEPS)}):
        try:
            solution = compose(
                instance,
                AUTO,
                objective,
                time_limit_s=time_limit_s,
                iterations=iterations,
                workers=workers,
                seed=seed,
                previous=previous,
                max_moved_blocks=limit,
            )
        except (InfeasibleError, UnstableError) as error:
            if error.solution is None or not error.solution.chains:
                continue
            solution = error.solution
        found.append(solution)
    points: list[Point] = []
    for solution in [*found, best]:
        moved = moved_blocks(solution.composition.placement, reference)
        value = solution.value if solution.status in ("feasible", "optimal") else None
        point = Point(moved, moved * float(instance.service.block_gb), value, solution)
        if not points or cost(point, objective, 0) < cost(points[-1], objective, 0):
            if points and points[-1].moved_blocks >= moved:
                points.pop()
            points.append(point)
    return points


def cost(point: Point, objective: Objective, price: float) -> float:
    """What is to be small: the objective and a price for each GB that is loaded; infinite if nothing is achieved."""
    if point.value is None:
        return math.inf
    return (-point.value if objective is Objective.RATE else point.value) + price * point.moved_gb


def cheapest(points: list[Point], objective: Objective, price: float) -> Point:
    """The point of least cost, the first of several."""
    return min(points, key=lambda point: cost(point, objective, price))
