"""What is to be run, before any engine is asked: chains with the blocks of each hop, and what each server hosts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.model.solution import HostedRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model.instance import Instance, Server
    from chainopt.model.solution import Solution


class Sharing(StrEnum):
    """How chains that meet at a server get on there."""

    SHARED = "shared"
    """One process holds the blocks once, and all chains use it."""
    EXCLUSIVE = "exclusive"
    """No two chains meet."""
    SPLIT = "split"
    """Each chain has a process of its own at each of its servers, with a copy of the blocks."""


@dataclass(frozen=True)
class Hop:
    """The blocks start, ..., stop - 1 of a chain, processed at a server.

    Attributes
    ----------
    server
        Position in the instance.
    """

    server: int
    start: int
    stop: int

    @property
    def blocks(self) -> int:
        """m_ij."""
        return self.stop - self.start


@dataclass(frozen=True)
class PlannedChain:
    """A chain with its own name, since dispatchers, scripts and logs have to speak of it."""

    name: str
    hops: tuple[Hop, ...]
    capacity: int
    service_time_s: float

    @property
    def service_rate(self) -> float:
        """μ_k = 1/T_k, jobs per second."""
        return 1.0 / self.service_time_s


@dataclass(frozen=True)
class Plan:
    """What an engine is asked to run.

    Attributes
    ----------
    solution
        Where chains share or exclude each other, with a placement of exactly the blocks that are hosted.
    hosted
        First block and end of what each server that is used hosts, by position. Not of use where chains are split.
    notes
        What a reader should know, one sentence each.
    asked_jobs
        Jobs at once before capacities were lowered, None where they were not.
    """

    instance: Instance
    solution: Solution
    chains: tuple[PlannedChain, ...]
    hosted: dict[int, tuple[int, int]]
    sharing: Sharing
    notes: tuple[str, ...] = ()
    asked_jobs: int | None = None

    @property
    def job_servers(self) -> int:
        """C = Σ c_k, jobs at once."""
        return sum(chain.capacity for chain in self.chains)

    def server(self, hop: Hop) -> Server:
        """The server of a hop."""
        return self.instance.servers[hop.server]

    def shared_servers(self) -> dict[int, list[str]]:
        """Names of the chains at each server that several chains visit, by position."""
        visitors: dict[int, list[str]] = {}
        for chain in self.chains:
            for hop in chain.hops:
                visitors.setdefault(hop.server, []).append(chain.name)
        return {j: names for j, names in sorted(visitors.items()) if len(names) > 1}

    def noting(self, *notes: str) -> Plan:
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def free_gb(server: Server) -> Fraction:
    """M_j less the reserve, exactly, GB."""
    return Fraction(server.memory_gb) - Fraction(server.reserve_gb)


def plan_of(instance: Instance, solution: Solution, sharing: Sharing = Sharing.SHARED) -> Plan:
    """The plan of a solution.

    A server hosts the blocks that some chain processes there, no others, unless it is pinned: blocks that nobody uses
    would only take memory, and offer routes that were not planned.

    Parameters
    ----------
    solution
        Valid, and bound to the instance.
    """
    chains = planned_chains(solution)
    hosted: dict[int, tuple[int, int]] = {}
    for chain in chains:
        for hop in chain.hops:
            start, stop = hosted.get(hop.server, (hop.start, hop.stop))
            hosted[hop.server] = min(start, hop.start), stop
    for j in hosted:
        pin = instance.servers[j].pin
        if pin is not None and sharing is not Sharing.SPLIT:
            hosted[j] = pin.start, pin.stop
    notes = _idle(instance, solution, hosted)
    if sharing is not Sharing.SPLIT:
        used = {instance.servers[j].id: (j, *hosted[j]) for j in sorted(hosted)}
        kept = [entry for entry in solution.placement if instance.servers[instance.position[entry.server]].pin]
        placement = [HostedRange(server=name, start=start, stop=stop) for name, (_, start, stop) in used.items()]
        placement += [entry for entry in kept if entry.server not in used]
        solution = solution.replace(placement=tuple(placement))
    return Plan(instance, solution, chains, dict(sorted(hosted.items())), sharing, notes)


def planned_chains(solution: Solution) -> tuple[PlannedChain, ...]:
    """The chains of a solution that is bound to its instance, named by their position."""
    chains = []
    for k, chain in enumerate(solution.composition.chains):
        hops, boundary = [], 0
        for server, blocks in zip(chain.servers, chain.blocks, strict=True):
            hops.append(Hop(server, boundary, boundary + blocks))
            boundary += blocks
        chains.append(PlannedChain(f"chain-{k}", tuple(hops), chain.capacity, chain.service_time_s))
    return tuple(chains)


def _idle(instance: Instance, solution: Solution, hosted: dict[int, tuple[int, int]]) -> tuple[str, ...]:
    idle, cut = [], []
    for entry in solution.placement:
        j = instance.position[entry.server]
        if j not in hosted:
            idle.append(entry.server)
        elif hosted[j] != (entry.start, entry.stop):
            cut.append(f"{entry.server!r} ({entry.start}:{entry.stop} to {hosted[j][0]}:{hosted[j][1]})")
    notes = []
    if idle:
        notes.append(f"On no chain, so not started: {listed([repr(name) for name in idle])}.")
    if cut:
        notes.append(f"Blocks that no chain uses are not loaded: {listed(cut)}.")
    return tuple(notes)


def listed(items: Sequence[str], most: int = 10) -> str:
    """Some of the items, and how many there are more."""
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"
