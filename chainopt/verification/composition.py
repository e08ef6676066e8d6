"""Is it a composition? Placement, chains and slots against section 2 of the problem, in exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainopt.model.instance import Instance, Server
    from chainopt.model.solution import Solution

TOLERANCE = 1e-6
"""Relative difference up to which a number in a file, which may be rounded, agrees with the recomputed one."""


class Violation(NamedTuple):
    """One thing that is wrong.

    Attributes
    ----------
    place
        Where in the solution, such as ``chains[2]``.
    message
        What is wrong, with the numbers.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class Recomputed(NamedTuple):
    """Capacities and exact service times T_k of the chains that are chains, by increasing time."""

    capacities: list[int]
    service_times: list[Fraction]


def agrees(claimed: float, recomputed: Fraction | float, tolerance: float = TOLERANCE) -> bool:
    """Whether a claimed number is the recomputed one, up to a relative tolerance."""
    return abs(claimed - float(recomputed)) <= tolerance * max(abs(claimed), abs(float(recomputed)))


def check_composition(instance: Instance, solution: Solution) -> tuple[list[Violation], Recomputed]:
    """All violations of a solution's composition, and its service times."""
    violations = list(_placement(instance, solution))
    used: dict[str, int] = {}
    found: list[tuple[Fraction, int]] = []
    hosted = {entry.server: (entry.start, entry.stop) for entry in solution.placement}
    servers = {server.id: server for server in instance.servers}
    for k, chain in enumerate(solution.chains):
        place = f"chains[{k}]"
        hops, problem = _walk(chain.servers, hosted, servers, instance.service.blocks)
        if problem:
            violations.append(Violation(place, problem))
            continue
        time = Fraction(0)
        for server, blocks in hops:
            time += Fraction(server.comm_s) + Fraction(server.comp_s_per_block) * blocks
            used[server.id] = used.get(server.id, 0) + chain.capacity * blocks
        if not agrees(chain.service_time_s, time):
            message = f"service_time_s is {chain.service_time_s:.9g}, its servers and blocks give {float(time):.9g}"
            violations.append(Violation(place, message))
        found.append((time, chain.capacity))
    violations.extend(_slots(instance, solution, used))
    found.sort()
    return violations, Recomputed([capacity for _, capacity in found], [time for time, _ in found])


def _placement(instance: Instance, solution: Solution) -> Iterator[Violation]:
    servers = {server.id: server for server in instance.servers}
    seen: set[str] = set()
    for i, entry in enumerate(solution.placement):
        place = f"placement[{i}]"
        server = servers.get(entry.server)
        if server is None:
            yield Violation(place, f"the instance has no server {entry.server!r}")
            continue
        if entry.server in seen:
            yield Violation(place, f"server {entry.server!r} is placed twice")
        seen.add(entry.server)
        if entry.stop > instance.service.blocks:
            yield Violation(place, f"stop is {entry.stop}, there are {instance.service.blocks} blocks")
        need = Fraction(instance.service.block_gb) * (entry.stop - entry.start)
        if need > _memory(server):
            message = f"server {entry.server!r} needs {float(need):g} GB for its blocks, it has {_gb(server)}"
            yield Violation(place, message)
    if not solution.placement:
        return  # nothing is claimed
    for server in instance.servers:
        pin = server.pin
        if pin is None:
            continue
        entries = [(entry.start, entry.stop) for entry in solution.placement if entry.server == server.id]
        if entries != [(pin.start, pin.stop)]:
            hosts = " and ".join(f"{start} to {stop}" for start, stop in entries) or "nothing"
            message = f"server {server.id!r} is pinned to {pin.start} to {pin.stop}, it hosts {hosts}"
            yield Violation("placement", message)


def _walk(
    chain: tuple[str, ...], hosted: dict[str, tuple[int, int]], servers: dict[str, Server], blocks: int
) -> tuple[list[tuple[Server, int]], str | None]:
    """Servers and blocks processed at each, or why this is not a chain."""
    boundary = 0
    hops: list[tuple[Server, int]] = []
    for position, server in enumerate(chain):
        if server not in servers:
            return [], f"the instance has no server {server!r}"
        if server in chain[:position]:
            return [], f"server {server!r} stands on it twice"
        if server not in hosted:
            return [], f"server {server!r} hosts nothing"
        start, stop = hosted[server]
        if not start <= boundary < stop:
            return [], f"after block {boundary - 1} it goes to server {server!r}, which hosts {start} to {stop}"
        hops.append((servers[server], stop - boundary))
        boundary = stop
    if boundary != blocks:
        return [], f"it ends after {boundary} of {blocks} blocks"
    return hops, None


def _slots(instance: Instance, solution: Solution, used: dict[str, int]) -> Iterator[Violation]:
    """Σ_k c_k m_kj <= floor((M_j - s_m m_j) / s_c)  [eq. 3]."""
    servers = {server.id: server for server in instance.servers}
    for i, entry in enumerate(solution.placement):
        if entry.server not in servers:
            continue
        left = _memory(servers[entry.server]) - Fraction(instance.service.block_gb) * (entry.stop - entry.start)
        slots = left // Fraction(instance.service.cache_gb)
        if used.get(entry.server, 0) > max(slots, 0):
            message = f"server {entry.server!r} has {max(slots, 0)} cache slots, its chains use {used[entry.server]}"
            yield Violation(f"placement[{i}]", message)


def _memory(server: Server) -> Fraction:
    return Fraction(server.memory_gb) - Fraction(server.reserve_gb)


def _gb(server: Server) -> str:
    return f"{server.memory_gb} GB" + (f" less {server.reserve_gb} GB reserved" if server.reserve_gb else "")
