"""The placement of Helix: the mixed integer program of `formulations.helix`, solved as far as a time limit allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from chainopt.errors import InfeasibleError
from chainopt.exact.backends import solve_milp
from chainopt.exact.formulating import helix_rates
from chainopt.model.placement import Placement
from chainopt.model.solution import Status
from chainopt.placement.flow import largest_flow
from chainopt.placement.greedy import pinned_ranges
from chainopt.placement.helix import helix_petals_candidates
from chainopt.placement.homogeneous import homogeneous_candidates
from chainopt.placement.swarm import swarm_candidates
from chainopt.protocols import Candidate, PlacementOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainopt.model.instance import Instance

TIME_LIMIT_S = 10.0
"""Seconds for the program; Helix gives it up to ten hours."""

MOST_SERVERS = 50
"""With more the program is not even built: it has a column for each pair of servers."""


class HelixPlacement(NamedTuple):
    """What was found.

    Attributes
    ----------
    placement
        The placement.
    flow
        The largest flow through it, jobs per second.
    optimal
        Whether the program proves that no placement has a larger one.
    """

    placement: Placement
    flow: float
    optimal: bool


def helix_placement(
    instance: Instance, *, time_limit_s: float = TIME_LIMIT_S, backend: str = "highs", seed: int = 0
) -> HelixPlacement:
    """The placement with the largest flow of jobs through servers, docs/formulations/helix.md.

    Helix starts its program from a heuristic layout and prunes its links. Here nothing is pruned, and where the time
    did not suffice the best heuristic layout is the answer if it is better than what the program has; so it is with
    more than `MOST_SERVERS` servers.

    Raises
    ------
    InfeasibleError
        If nothing flows in any placement, or none was found in time in which something does.
    """
    found = _solved(instance, time_limit_s, backend, seed)
    if found is None or not found.optimal:
        found = max(filter(None, [found, _heuristic(instance, seed)]), key=lambda it: it.flow, default=None)
    if found is None or found.flow <= 0:
        raise InfeasibleError("Helix finds no placement through which jobs flow")
    return found


def helix_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """The placement of the program as far as it comes in `TIME_LIMIT_S`; none where nothing flows."""
    try:
        yield Candidate(helix_placement(instance, seed=options.seed).placement, options.cache_reservation)
    except InfeasibleError:
        return


def _solved(instance: Instance, time_limit_s: float, backend: str, seed: int) -> HelixPlacement | None:
    """What the program finds, None if that is nothing. Servers through which nothing flows host blocks too."""
    from formulations import helix

    if len(instance.servers) > MOST_SERVERS:
        return None
    pins = {j: (s.pin.start, s.pin.stop) for j, s in enumerate(instance.servers) if s.pin is not None}
    start, stop = pinned_ranges(instance)
    model = helix.largest_flow(helix_rates(instance), instance.service.blocks, pins=pins)
    outcome = solve_milp(model.problem, backend=backend, deadline=time.monotonic() + time_limit_s, seed=seed)
    if outcome.value is None:
        return None
    for i in model.servers:
        start[i] = round(model.start[i].value())
        stop[i] = start[i] + max(model.sizes(i), key=lambda size: size[1].value())[0]
    placement = Placement(start, stop)
    return HelixPlacement(placement, largest_flow(instance, placement).value, outcome.status is Status.OPTIMAL)


def _heuristic(instance: Instance, seed: int) -> HelixPlacement | None:
    """The best of the layouts that Helix starts from."""
    options = PlacementOptions(seed=seed)
    rules = (swarm_candidates, helix_petals_candidates, homogeneous_candidates)
    placements = [candidate.placement for rule in rules for candidate in rule(instance, options)]
    layouts = [HelixPlacement(layout, largest_flow(instance, layout).value, False) for layout in placements]
    return max(layouts, key=lambda layout: layout.flow, default=None)
