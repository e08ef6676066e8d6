"""What a system is: from an instance to something that serves jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.simulation.engine import Run


@dataclass(frozen=True, eq=False)
class Deployment:
    """A system in place, and empty.

    Attributes
    ----------
    placement
        What every server hosts.
    run
        A new run, from an empty system, of at most so many jobs.
    parameters
        What the system chose for itself, such as a design number of sessions; plain JSON values.
    """

    placement: Placement
    run: Callable[[int], Run]
    parameters: Mapping[str, Any] = field(default_factory=dict)


class System(Protocol):
    """What deploys itself on an instance."""

    def __call__(self, instance: Instance, *, seed: int = 0) -> Deployment:
        """Place the blocks, and be ready for jobs.

        Raises
        ------
        InfeasibleError
            If the system cannot serve a job on these servers.
        """
