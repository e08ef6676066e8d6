"""Which chains a placement runs, and how many jobs on each.

A new rule is one file here, and one line in `ALLOCATIONS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.allocation.greedy import gca
from chainopt.allocation.job_servers import fewest_job_servers
from chainopt.allocation.reserved import reserved
from chainopt.protocols import AllocationRule, Candidate, Method

if TYPE_CHECKING:
    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance


def _gca(instance: Instance, candidate: Candidate) -> Composition:
    return gca(instance, candidate.placement)


def _reserved(instance: Instance, candidate: Candidate) -> Composition:
    return reserved(instance, candidate.placement, candidate.cache_reservation or 1)


ALLOCATIONS: dict[str, Method[AllocationRule]] = {
    "gca": Method(
        _gca,
        "greedy cache allocation: always the fastest chain, as often as it goes",
        "Sun, He, Hou, arXiv 2604.14993, Algorithm 2",
    ),
    "reserved": Method(
        _reserved,
        "the disjoint chains that the placement was made for, c jobs each",
        "Sun, He, Hou, arXiv 2604.14993, figure 2 (disjoint chains)",
    ),
}

__all__ = ["ALLOCATIONS", "fewest_job_servers", "gca", "reserved"]
