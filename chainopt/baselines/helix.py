"""Helix: the placement with the largest flow of jobs, and jobs that follow the flow.

Blocks: `chainopt.exact.helix`, the program as far as it comes in a time limit, else the best heuristic. Jobs:
`flow_routing`, with the flow that scipy finds, of which there can be many.

Where Helix has measured tokens per second, and traffic on links, a server has the jobs per second of its cache here,
and links have no limits (docs/formulations/helix.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainopt.baselines.deployment import Deployment
from chainopt.baselines.flow_routing import FlowRun
from chainopt.exact.helix import TIME_LIMIT_S, helix_placement
from chainopt.placement.flow import largest_flow
from chainopt.placement.helix import half_memory_sizes, helix_petals
from chainopt.simulation.pace import pace_by_size

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement


def helix_faithful(instance: Instance, *, seed: int = 0) -> Deployment:
    """Helix with the placement of its program; `seed` is that of the solver and of the heuristics.

    Where the program is not done at the time limit the answer depends on the machine.

    Raises
    ------
    InfeasibleError
        If nothing flows through any placement that is found.
    """
    found = helix_placement(instance, seed=seed)
    return _deployed(instance, found.placement, {"proven": found.optimal, "time_limit_s": TIME_LIMIT_S})


def helix_heuristic(instance: Instance, *, seed: int = 0) -> Deployment:
    """Helix with its layout after PETALS, and the servers in an order that `seed` decides.

    Raises
    ------
    InfeasibleError
        If some block is on no server, or nothing flows.
    """
    return _deployed(instance, helix_petals(instance, half_memory_sizes(instance), seed), {})


def _deployed(instance: Instance, placement: Placement, parameters: dict[str, Any]) -> Deployment:
    flow, pace = largest_flow(instance, placement), pace_by_size(instance)

    def run(jobs: int) -> FlowRun:
        return FlowRun(instance, placement, flow, pace)

    run(0)  # raises where nothing flows
    return Deployment(placement, run, {"flow": flow.value, **parameters})
