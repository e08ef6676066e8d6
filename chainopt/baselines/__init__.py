"""Systems that others run, whole: where blocks go, how requests find their way, and what waits for what.

A system does not compose chains, so it has no exact response time: it is deployed, and simulated. Its placement alone
is a rule in `chainopt.placement` too, which every allocation rule can follow.

A new system is one file here, and one line in `SYSTEMS`.
"""

from chainopt.baselines.bprr import bprr_faithful, bprr_tuned
from chainopt.baselines.deployment import Deployment, System
from chainopt.baselines.helix import helix_faithful, helix_heuristic
from chainopt.baselines.parallax import parallax_faithful, parallax_fixed, parallax_tuned
from chainopt.baselines.petals import petals_faithful, petals_tuned
from chainopt.baselines.swarm import swarm_faithful, swarm_tuned
from chainopt.protocols import Method

SYSTEMS: dict[str, Method[System]] = {
    "petals-faithful": Method(
        petals_faithful,
        "PETALS with its default cache",
        "Borzunov et al., arXiv 2312.08361; bigscience-workshop/petals",
    ),
    "petals-tuned": Method(
        petals_tuned,
        "PETALS with the cache that is best in a simulation",
        "Borzunov et al., arXiv 2312.08361; bigscience-workshop/petals",
    ),
    "bprr-faithful": Method(
        bprr_faithful,
        "BPRR: CG-BP for the sessions that the traffic needs, and WS-RR",
        "Sun, He, Ji, Parag, arXiv 2512.21884",
    ),
    "bprr-tuned": Method(
        bprr_tuned,
        "BPRR: CG-BP for the sessions that are best in a simulation, and WS-RR",
        "Sun, He, Ji, Parag, arXiv 2512.21884",
    ),
    "parallax-faithful": Method(
        parallax_faithful,
        "Parallax: its dynamic program, and jobs in turn on disjoint pipelines",
        "GradientHQ/parallax, src/scheduling",
    ),
    "parallax-fixed": Method(
        parallax_fixed,
        "the same with pipelines by the cost of all their layers",
        "GradientHQ/parallax, src/scheduling",
    ),
    "parallax-tuned": Method(
        parallax_tuned,
        "the same with the shares of memory that are best in a simulation",
        "GradientHQ/parallax, src/scheduling",
    ),
    "swarm-faithful": Method(
        swarm_faithful,
        "SWARM: the fewest stages, and jobs wired through them by remembered times",
        "Ryabinin et al., arXiv 2301.11913; as simulated by Mei et al., Helix, ASPLOS 2025",
    ),
    "swarm-tuned": Method(
        swarm_tuned,
        "the same with the number of stages that is best in a simulation",
        "Ryabinin et al., arXiv 2301.11913; as simulated by Mei et al., Helix, ASPLOS 2025",
    ),
    "helix-faithful": Method(
        helix_faithful,
        "Helix: the placement of its program, and jobs that follow the largest flow",
        "Mei et al., Helix, ASPLOS 2025",
    ),
    "helix-petals-faithful": Method(
        helix_heuristic,
        "the same with Helix' layout after PETALS",
        "Mei et al., Helix, ASPLOS 2025",
    ),
}
"""By name; variants end in ``-faithful``, ``-tuned`` or ``-authors``."""

__all__ = ["SYSTEMS", "Deployment", "System"]
