"""Does it fit once the engine has rounded? Exact, in GB, for each server over all that runs on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.errors import InfeasibleError
from chainopt.export.plan import Sharing, free_gb, listed, plan_of
from chainopt.export.sharing import reevaluated
from chainopt.model.record import shown

if TYPE_CHECKING:
    from chainopt.export.options import Options
    from chainopt.export.plan import Hop, Plan


@dataclass(frozen=True)
class CacheRule:
    """How an engine rounds the cache of a process: jobs to whole pages, and some pages that no job gets.

    Attributes
    ----------
    page
        Tokens of a page.
    unused_pages
        Pages of a process that it keeps for itself.
    """

    page: int
    unused_pages: int = 0

    def pages(self, tokens: int) -> int:
        """Pages of a job of so many tokens."""
        return -(-tokens // self.page)

    def all_pages(self, tokens: int, jobs: int) -> int:
        """Pages of a process that runs so many jobs."""
        return self.pages(tokens) * jobs + self.unused_pages

    def jobs(self, pages: int, tokens: int) -> int:
        """Jobs that a process with so many pages can run."""
        return max(pages - self.unused_pages, 0) // self.pages(tokens)


def need_gb(plan: Plan, hop: Hop, jobs: int, tokens: int, rule: CacheRule) -> Fraction:
    """Memory of a process that hosts the blocks of a hop alone: s_m m + s_c m (pages in jobs)."""
    service = plan.instance.service
    slots = Fraction(rule.all_pages(tokens, jobs) * rule.page, tokens)
    return hop.blocks * (Fraction(service.block_gb) + Fraction(service.cache_gb) * slots)


def fitted(plan: Plan, options: Options, rule: CacheRule, share: float | None = None) -> Plan:
    """The plan, with fewer jobs where that is asked for and needed, for engines with a process for each hop.

    Parameters
    ----------
    share
        Share of each server's memory that may be filled; that which is not reserved if None.

    Raises
    ------
    InfeasibleError
        If processes need more memory than a server has; it names the servers.
    """
    tokens = options.needed_tokens()
    capacities = [chain.capacity for chain in plan.chains]
    over = []
    for j, hops in _visits(plan).items():
        server = plan.instance.servers[j]
        room = free_gb(server)
        if share is not None and plan.sharing is not Sharing.SPLIT:  # there it is a share of each process
            room = min(room, Fraction(str(share)) * Fraction(server.memory_gb))
        need = sum(need_gb(plan, hop, plan.chains[k].capacity, tokens, rule) for k, hop in hops)
        if need > room:
            over.append(f"{shown(server.id)} needs {float(need):.6g} of {float(room):.6g} GB")
            left = sum(need_gb(plan, hop, capacities[k], tokens, rule) for k, hop in hops)
            _lower(plan, hops, capacities, left - room, tokens, rule)
    if over and not (options.fewer_jobs and any(capacity > 0 for capacity in capacities)):
        remedy = "" if options.fewer_jobs else "; fewer jobs at once may help, see --fewer-jobs"
        raise InfeasibleError(f"pages of {rule.page} tokens do not fit: {listed(over)}{remedy}")
    return with_capacities(plan, capacities) if over else plan


def _visits(plan: Plan) -> dict[int, list[tuple[int, Hop]]]:
    visits: dict[int, list[tuple[int, Hop]]] = {}
    for k, chain in enumerate(plan.chains):
        for hop in chain.hops:
            visits.setdefault(hop.server, []).append((k, hop))
    return visits


def _lower(
    plan: Plan, hops: list[tuple[int, Hop]], capacities: list[int], excess: Fraction, tokens: int, rule: CacheRule
) -> None:
    """Lower capacities until this server is no longer overfull, those of the slowest chains first."""
    for k, hop in sorted(hops, key=lambda visit: -plan.chains[visit[0]].service_time_s):
        if excess <= 0:
            return
        job = Fraction(plan.instance.service.cache_gb) * hop.blocks * Fraction(rule.pages(tokens) * rule.page, tokens)
        fewer = min(math.ceil(excess / job), capacities[k])
        capacities[k] -= fewer
        excess -= fewer * job
    if excess > 0:  # blocks and pages that are never used are too much already
        for k, _ in hops:
            capacities[k] = 0


def with_capacities(plan: Plan, capacities: list[int]) -> Plan:
    """The plan with these capacities, chains without any left out and the others named anew, evaluated anew."""
    kept = [(chain, capacity) for chain, capacity in zip(plan.solution.chains, capacities, strict=True) if capacity > 0]
    chains = tuple(chain.replace(capacity=capacity) for chain, capacity in kept)
    solution = reevaluated(plan.instance, plan.solution.replace(chains=chains))
    lowered = plan_of(plan.instance, solution, plan.sharing)
    return replace(lowered, notes=(*plan.notes, *lowered.notes), asked_jobs=plan.asked_jobs or plan.job_servers)
