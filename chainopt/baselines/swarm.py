"""SWARM: blocks in stages, and jobs wired through them by what servers remember of the servers behind them.

Stages: `chainopt.placement.swarm`. Jobs: `swarm_routing`. SWARM is made for training, and serves as Helix has it serve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.baselines.deployment import Deployment
from chainopt.baselines.pilot import best_simulated
from chainopt.baselines.swarm_routing import SwarmRun
from chainopt.errors import InfeasibleError
from chainopt.model.placement import Placement
from chainopt.placement.swarm import swarm, swarm_candidates
from chainopt.protocols import PlacementOptions
from chainopt.simulation.pace import pace_by_size

if TYPE_CHECKING:
    from chainopt.model.instance import Instance


def swarm_faithful(instance: Instance, *, seed: int = 0) -> Deployment:
    """SWARM with the fewest stages with which every server can host one.

    Nothing is drawn, so `seed` makes no difference.

    Raises
    ------
    InfeasibleError
        If a stage has no server.
    """
    return _deployed(instance, swarm(instance))


def swarm_tuned(instance: Instance, *, seed: int = 0) -> Deployment:
    """SWARM with the number of stages that is best in a simulation.

    Raises
    ------
    InfeasibleError
        If there is no number of stages of which each has a server.
    """
    candidates = swarm_candidates(instance, PlacementOptions())
    deployments = [_deployed(instance, candidate.placement) for candidate in candidates]
    if not deployments:
        raise InfeasibleError("whatever the number of stages, one has no server with room for it and for one job")
    return best_simulated(instance, deployments, seed)


def _deployed(instance: Instance, placement: Placement) -> Deployment:
    pace = pace_by_size(instance)
    free = np.array([server.pin is None for server in instance.servers])
    in_stages = Placement(np.where(free, placement.start, 0), np.where(free, placement.stop, 0))
    stages = len({start for start, m in zip(in_stages.start.tolist(), in_stages.sizes.tolist(), strict=True) if m})
    return Deployment(placement, lambda _: SwarmRun(instance, in_stages, pace), {"stages": stages})
