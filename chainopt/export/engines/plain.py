"""Plain JSON: the plan and the chains, for engines and dispatchers of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.export.deployment import Deployment

if TYPE_CHECKING:
    from chainopt.export.deployment import Addresses
    from chainopt.export.options import Options
    from chainopt.export.plan import Plan

VERSION = "any engine"


def plain(plan: Plan, options: Options, addresses: Addresses) -> Deployment:
    """Nothing but what every engine gets."""
    return Deployment(plan)
