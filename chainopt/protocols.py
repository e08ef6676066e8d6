"""The contracts of the stages: what a placement rule and an allocation rule are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement

R = TypeVar("R")
Stop = Literal["rate", "never"]


@dataclass(frozen=True)
class PlacementOptions:
    """What a user may fix of a placement rule.

    Attributes
    ----------
    cache_reservation
        c, None for every c that makes a difference.
    stop
        Whether the servers after the design rate is met stay empty, None for both ways.
    every_count
        Whether placements that differ only in the c that they are made for count as different, as they do for the
        surrogate c K(c).
    seed
        Of random rules.
    """

    cache_reservation: int | None = None
    stop: Stop | None = None
    every_count: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        c = self.cache_reservation
        if c is not None and (isinstance(c, bool) or not isinstance(c, int) or not 1 <= c <= 10**12):
            raise ValueError(f"expected a cache reservation that is a whole number from 1 to 10^12, got {c!r}")
        if self.stop not in (None, "rate", "never"):
            raise ValueError(f"expected the stop 'rate' or 'never', got {self.stop!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"expected a seed that is a whole number of at least 0, got {self.seed!r}")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A placement and how it came about.

    Attributes
    ----------
    placement
        The placement.
    cache_reservation
        c that it was made for, None where the rule knows none.
    stop
        Which stop it was made with, None where the rule knows none.
    chains
        K(c), disjoint chains that serve λ/ρ̄ with c jobs each; None where all of them do not.
    """

    placement: Placement
    cache_reservation: int | None = None
    stop: Stop | None = None
    chains: int | None = None


class PlacementRule(Protocol):
    """What proposes placements."""

    def __call__(self, instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
        """Yield the placements worth trying, the smallest cache reservations first; none where there is none."""


class AllocationRule(Protocol):
    """What finds chains and capacities."""

    def __call__(self, instance: Instance, candidate: Candidate) -> Composition:
        """Compose the chains of a placement."""


@dataclass(frozen=True)
class Method(Generic[R]):
    """A rule in a registry: what users call it, what it does, and who found it."""

    rule: R
    summary: str
    source: str
