"""What is left of a composition when servers fail, and what allocating anew recovers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chainopt.allocation import gca
from chainopt.model.placement import Placement
from chainopt.queueing import evaluate

if TYPE_CHECKING:
    from collections.abc import Collection

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance


def remaining(composition: Composition, failed: Collection[int]) -> Composition:
    """The chains that pass none of the failed servers, with their capacities; the placement without these servers.

    Parameters
    ----------
    failed
        Positions of servers.
    """
    broken = np.isin(composition.hops, list(failed))
    chain_of_hop = np.repeat(np.arange(composition.capacities.size), np.diff(composition.first))
    whole = np.setdiff1d(np.arange(composition.capacities.size), chain_of_hop[broken])
    left = composition.select(whole, composition.capacities[whole])
    return replace(left, placement=_without(composition.placement, failed))


def reallocated(
    instance: Instance, composition: Composition, failed: Collection[int], arrival_rate: float
) -> Composition:
    """Chains through the servers that are left, with every block where it is: nothing is loaded.

    GCA's, or the chains that are left where these are better: a searched allocation can be better than GCA's.

    Parameters
    ----------
    arrival_rate
        λ, jobs per second.
    """

    def rank(candidate: Composition) -> tuple[bool, float]:
        mean = evaluate(candidate, arrival_rate).mean_response_time_s
        return mean is None, -candidate.total_service_rate if mean is None else mean

    return min(gca(instance, _without(composition.placement, failed)), remaining(composition, failed), key=rank)


def _without(placement: Placement, failed: Collection[int]) -> Placement:
    gone = np.isin(np.arange(placement.start.size), list(failed))
    return Placement(np.where(gone, 0, placement.start), np.where(gone, 0, placement.stop))
