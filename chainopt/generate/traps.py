"""Small instances, each with one thing that goes wrong easily; they stand in ``data/traps.toml``."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from chainopt.model.instance import BlockRange, Server, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

Outcome = Literal["feasible", "infeasible", "unstable"]


@dataclass(frozen=True)
class Trap:
    """A hand-made instance.

    Attributes
    ----------
    outcome
        ``infeasible`` where no composition exists, ``unstable`` where none carries the arrival rate.
    """

    note: str
    service: Service
    servers: tuple[Server, ...]
    arrival_rate: Decimal
    target_load: Decimal | None
    outcome: Outcome


@functools.cache
def traps() -> Mapping[str, Trap]:
    """All of them by name, in the order of the file."""
    text = (files("chainopt.generate") / "data" / "traps.toml").read_text(encoding="utf-8")
    return {name: _trap(row) for name, row in tomllib.loads(text, parse_float=Decimal).items()}


def _trap(row: dict[str, Any]) -> Trap:
    pins, reserves, ids = row.get("pins", {}), row.get("reserves", {}), row.get("ids")
    servers = []
    for j, (memory_gb, comm_s, comp_s) in enumerate(row["servers"], 1):
        pin = pins.get(str(j))
        servers.append(
            Server(
                id=ids[j - 1] if ids else f"s{j}",
                memory_gb=memory_gb,
                comm_s=comm_s,
                comp_s_per_block=comp_s,
                reserve_gb=reserves.get(str(j), Decimal(0)),
                pin=None if pin is None else BlockRange(start=pin[0], stop=pin[1]),
            )
        )
    return Trap(
        note=row["note"],
        service=Service(blocks=row["blocks"], block_gb=row["block_gb"], cache_gb=row["cache_gb"]),
        servers=tuple(servers),
        arrival_rate=Decimal(row["arrival_rate"]),
        target_load=row.get("target_load"),
        outcome=row.get("outcome", "feasible"),
    )
