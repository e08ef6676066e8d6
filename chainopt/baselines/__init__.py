"""Systems that others run, whole: where blocks go, how requests find their way, and what waits for what.

A system does not compose chains, so it has no exact response time: it is deployed, and simulated. Its placement alone
is a rule in `chainopt.placement` too, which every allocation rule can follow.

A new system is one file here, and one line in `SYSTEMS`.
"""

from chainopt.baselines.deployment import Deployment, System
from chainopt.protocols import Method

SYSTEMS: dict[str, Method[System]] = {}
"""By name; variants end in ``-faithful``, ``-tuned`` or ``-authors``."""

__all__ = ["SYSTEMS", "Deployment", "System"]
