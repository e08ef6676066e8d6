"""What engines have in common that run each chain as a pipeline of its own."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.errors import InfeasibleError
from chainopt.export.memory import need_gb
from chainopt.export.names import labels
from chainopt.export.plan import Sharing, listed
from chainopt.export.sharing import refuse_cut_pins, refuse_sharing
from chainopt.model.record import shown

if TYPE_CHECKING:
    from chainopt.export.deployment import Addresses
    from chainopt.export.memory import CacheRule
    from chainopt.export.plan import Plan, PlannedChain

LEAST_SHARE = 0.9
"""Share of a device's memory that vLLM takes by default; a device that a chain has for itself may be used so far."""


def refuse_what_pipelines_cannot(plan: Plan, engine: str) -> None:
    """Raise unless chains can be pipelines of their own.

    Raises
    ------
    InfeasibleError
        If chains meet at a server and are not split, or use a part of what a server is pinned to.
    """
    if plan.sharing is not Sharing.SPLIT:
        refuse_sharing(plan, engine)
    refuse_cut_pins(plan, engine)


def partition_of(chain: PlannedChain) -> str:
    """Block counts of the stages, as in ``"5,7"``."""
    return ",".join(str(hop.blocks) for hop in chain.hops)


def check_stages(chain: PlannedChain, found: list[tuple[int, int]], engine: str) -> None:
    """Raise unless the engine's own rule gives each stage the blocks that are planned.

    Raises
    ------
    InfeasibleError
        If it does not.
    """
    planned = [(hop.start, hop.stop) for hop in chain.hops]
    if found != planned:
        raise InfeasibleError(f"{engine} would cut {chain.name} into {found}, planned is {planned}")


def stage_names(plan: Plan, addresses: Addresses) -> dict[tuple[str, int], str]:
    """Name of the process of each chain and stage."""
    keys = [(chain.name, r) for chain in plan.chains for r in range(len(chain.hops))]
    texts = [
        f"{chain.name}-{r}-{addresses.labels[hop.server]}" for chain in plan.chains for r, hop in enumerate(chain.hops)
    ]
    return dict(zip(keys, labels(texts, "stage"), strict=True))


def memory_shares(plan: Plan, tokens: int, rule: CacheRule, asked: float | None) -> dict[tuple[str, int], float]:
    """Share of its server's memory that the process of each chain and stage may fill, in ten-thousandths.

    Parameters
    ----------
    asked
        By the user; None for what is needed, and at least `LEAST_SHARE` where a chain has the server for itself.

    Raises
    ------
    InfeasibleError
        If a process needs more than it may fill, or processes on a server may together fill more than its memory.
    """
    least = 0.0 if plan.sharing is Sharing.SPLIT else LEAST_SHARE
    shares: dict[tuple[str, int], float] = {}
    on: dict[int, list[float]] = {}
    for chain in plan.chains:
        for r, hop in enumerate(chain.hops):
            need = need_gb(plan, hop, chain.capacity, tokens, rule) / Fraction(plan.server(hop).memory_gb)
            share = max(math.ceil(need * 10_000) / 10_000, least) if asked is None else asked
            if need > Fraction(str(share)):
                raise InfeasibleError(
                    f"{chain.name} needs {float(need):.4g} of the memory of {shown(plan.server(hop).id)}"
                )
            shares[chain.name, r] = share
            on.setdefault(hop.server, []).append(share)
    over = [
        f"{shown(plan.instance.servers[j].id)} ({' + '.join(f'{share:g}' for share in found)})"
        for j, found in sorted(on.items())
        if sum(Fraction(str(share)) for share in found) > 1
    ]
    if over:
        raise InfeasibleError(f"processes would fill more than all the memory of {listed(over)}")
    return shares
