"""How the exact methods run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Watch = Callable[[float | None, float | None], None]


@dataclass(frozen=True)
class ExactOptions:
    """What a user may choose of the exact methods.

    Attributes
    ----------
    engine
        What closes the gap between the first bound and the best greedy composition; a key of `joint.ENGINES`.
    backend
        Solver of integer programs, for the engine ``chain-columns``: ``highs``, ``cbc``, or any that PuLP knows.
    threads
        Of solvers.
    log
        Whether solvers write their logs to standard error.
    watch
        Called with the value of the best composition and the proven bound, None where there is none, whenever one of
        them improves.
    """

    engine: str = "sizes"
    backend: str = "highs"
    threads: int = 1
    log: bool = False
    watch: Watch | None = None

    def __post_init__(self) -> None:
        if isinstance(self.threads, bool) or not isinstance(self.threads, int) or self.threads < 1:
            raise ValueError(f"expected a number of threads of at least 1, got {self.threads!r}")
