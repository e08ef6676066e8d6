"""Trying out deployments: which of them serves the traffic of the instance best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.experiment import Traffic, observe
from chainopt.simulation.sizes import Exponential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.baselines.deployment import Deployment
    from chainopt.model.instance import Instance

FIRST_JOBS, LAST_JOBS = 2_000, 20_000
FINALISTS = 5


def best_simulated(instance: Instance, deployments: Sequence[Deployment], seed: int) -> Deployment:
    """The deployment with the least mean response time, all on the same jobs; ties go to the first.

    Poisson arrivals at the rate of the instance and exponential sizes, 2,000 jobs for all and then 20,000 for the best
    five. They are drawn apart from those of a simulation with the same seed.
    """
    apart = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])

    def mean_response_s(deployment: Deployment, jobs: int) -> float:
        rate = float(instance.workload.arrival_rate)
        traffic = Traffic(Poisson(rate), Exponential(), jobs, apart)
        return observe(deployment.run(jobs), traffic).response.mean

    finalists = sorted(deployments, key=lambda deployment: mean_response_s(deployment, FIRST_JOBS))[:FINALISTS]
    if len(finalists) == 1:
        return finalists[0]
    return min(finalists, key=lambda deployment: mean_response_s(deployment, LAST_JOBS))
