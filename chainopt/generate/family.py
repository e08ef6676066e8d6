"""What a family of instances is, and the traffic that all families share."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import ValidationError

from chainopt.errors import FormatError
from chainopt.generate.draws import CONTEXT, Draws
from chainopt.generate.options import Option, check, options_of, quantity
from chainopt.generate.rates import rate_bound
from chainopt.model.instance import Instance, Workload
from chainopt.model.record import shown
from chainopt.quantity import significant

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainopt.model.instance import Server, Service

MOST_SEED = 2**63 - 1
MOST_SERVERS = 100_000
MOST_BLOCKS = 10_000
BOUND_SHARE = Decimal("0.3")
TARGET_LOAD = Decimal("0.7")


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Parameters that every family has. Frozen, and checked when built."""

    arrival_rate: Decimal | None = field(
        default=None,
        metadata=quantity(
            "Jobs per second; the family's own unless given, else the bound share decides",
            least="0.000000001",
            most="1000000000",
        ),
    )
    bound_share: Decimal | None = field(
        default=None,
        metadata=quantity(
            "Arrival rate as a share of an upper bound on the total service rate, to 3 significant digits; "
            "0.3 where nothing else decides",
            least="0.000001",
            most="1000",
        ),
    )
    target_load: Decimal | None = field(
        default=None,
        metadata=quantity("Load to design for; 0.7 unless given", most="1", open_least=True, open_most=True),
    )

    def __post_init__(self) -> None:
        check(self)
        if self.arrival_rate is not None and self.bound_share is not None:
            raise FormatError("give either an arrival rate or a share of the bound, not both", path="bound_share")


@dataclass(frozen=True)
class Draft:
    """What a family decides; the traffic comes on top.

    Attributes
    ----------
    name
        What the instance is called unless the user says otherwise.
    arrival_rate, target_load
        Its own traffic, if it has one; parameters that are given go first.
    """

    name: str
    note: str
    service: Service
    servers: tuple[Server, ...]
    arrival_rate: Decimal | None = None
    target_load: Decimal | None = None


P = TypeVar("P", bound=Traffic)


@dataclass(frozen=True)
class Family(Generic[P]):
    """A family of instances.

    Attributes
    ----------
    name
        What users call it.
    summary
        What it is, in a line.
    source
        Where its numbers come from.
    parameters
        The dataclass of its parameters.
    build
        From parameters and draws to all but the traffic.
    """

    name: str
    summary: str
    source: str
    parameters: type[P]
    build: Callable[[P, Draws], Draft]

    @property
    def options(self) -> tuple[Option, ...]:
        """Its parameters, those of its own first."""
        every, shared = options_of(self.parameters), {option.name for option in options_of(Traffic)}
        return tuple(sorted(every, key=lambda option: option.name in shared))

    def instance(self, parameters: P | None = None, seed: int = 0, name: str | None = None) -> Instance:
        """The instance with these parameters: equal letter by letter whenever and wherever it is generated.

        Parameters
        ----------
        parameters
            The defaults if None.
        seed
            All random draws hang on it; from 0 to 2^63 - 1.
        name
            Name of the instance; by default one that tells the family, the main parameters and the seed.

        Raises
        ------
        FormatError
            If a parameter cannot be met.
        """
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MOST_SEED:
            raise FormatError(f"expected an integer from 0 to 2^63 - 1, got {shown(seed)}", path="seed")
        chosen = self.parameters() if parameters is None else parameters
        try:
            with localcontext(CONTEXT):
                draft = self.build(chosen, Draws(seed))
                return Instance(
                    name=draft.name if name is None else name,
                    note=draft.note,
                    service=draft.service,
                    workload=Workload(
                        arrival_rate=_arrival_rate(chosen, draft),
                        target_load=chosen.target_load or draft.target_load or TARGET_LOAD,
                    ),
                    servers=draft.servers,
                )
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            path = ".".join(str(step) for step in detail["loc"])
            raise FormatError(detail["msg"].removeprefix("Value error, "), path=path or None) from None


def _arrival_rate(chosen: Traffic, draft: Draft) -> Decimal:
    if chosen.arrival_rate is not None:
        return chosen.arrival_rate
    if chosen.bound_share is None and draft.arrival_rate is not None:
        return draft.arrival_rate
    bound = rate_bound(draft.service, draft.servers)
    if not bound:
        raise FormatError(
            "no server has room for a block and a job, so there is no rate to take a share of; give an arrival rate",
            path="bound_share",
        )
    return significant(float(chosen.bound_share or BOUND_SHARE) * bound, 3)
