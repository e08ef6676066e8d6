"""Jobs that queue at every server of their route, event by event in fractions, with nothing compiled.

Every server gives out its slots first come, first served, and a job holds what it has while it waits for the rest. What
WS-RR takes a wait to be is worked out from the times when earlier jobs leave, which a copy of the system tells that
runs on without arrivals.
"""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.oracles.chains import Path, all_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model import Instance, Placement


@dataclass
class Job:
    """A job on its way."""

    number: int
    needs: dict[int, int]  # slots by server
    service: Fraction
    holds: set[int] = field(default_factory=set)
    start: Fraction | None = None

    @property
    def departure(self) -> Fraction:
        """When it leaves; known once it has started."""
        assert self.start is not None
        return self.start + self.service


@dataclass
class Servers:
    """What is free at each, and who waits there."""

    slots: list[int]
    free: list[int]
    queues: list[deque[Job]]
    jobs: list[Job] = field(default_factory=list)
    running: list[Job] = field(default_factory=list)

    def give(self, now: Fraction) -> None:
        """Give out slots, and start those that have all of theirs."""
        for j, queue in enumerate(self.queues):
            while queue and queue[0].needs[j] <= self.free[j]:
                job = queue.popleft()
                self.free[j] -= job.needs[j]
                job.holds.add(j)
                if len(job.holds) == len(job.needs):
                    job.start = now
                    self.running.append(job)
        assert all(0 <= free <= slots for free, slots in zip(self.free, self.slots, strict=True))

    def run_until(self, now: Fraction | None) -> None:
        """Let jobs leave up to this instant, or all of them."""
        while self.running:
            leaves = min(job.departure for job in self.running)
            if now is not None and leaves > now:
                return
            for job in [job for job in self.running if job.departure == leaves]:
                self.running.remove(job)
                for j, slots in job.needs.items():
                    self.free[j] += slots
            self.give(leaves)

    def wait_at(self, j: int, needed: int, now: Fraction) -> Fraction:
        """The first of the times when earlier jobs leave at which enough slots are free, by the formula of WS-RR."""
        alone = deepcopy(self)
        alone.run_until(None)
        earlier = sorted((job.departure, job.needs[j]) for job in alone.jobs if j in job.needs and job.departure > now)
        free = self.slots[j] - sum(slots for _, slots in earlier)
        time = now
        for departure, slots in earlier:
            if free >= needed:
                break
            free, time = free + slots, departure
        return time - now


def simulate(
    instance: Instance,
    placement: Placement,
    slots: Sequence[int],
    rule: str,
    arrivals: Sequence[float],
    sizes: Sequence[float],
    penalty_s: int,
) -> list[tuple[Path, Fraction, Fraction]]:
    """Path, start and departure of each job."""
    open_paths = [
        path
        for path in all_paths(instance, placement)
        if all(slots[j] >= needed for j, needed in zip(path.servers, path.blocks, strict=True))
    ]
    servers = Servers(list(slots), list(slots), [deque() for _ in slots])
    hosted = placement.sizes.tolist()

    def cost(path: Path, now: Fraction) -> int:
        """Whole nanoseconds, hop by hop."""
        total = 0
        for j, needed in zip(path.servers, path.blocks, strict=True):
            server = instance.servers[j]
            total += round((Fraction(server.comm_s) + needed * Fraction(server.comp_s_per_block)) * 10**9)
            if rule == "ws-rr":
                total += round(servers.wait_at(j, needed, now) * 10**9)
            elif servers.free[j] < hosted[j]:
                total += penalty_s * 10**9
        return total

    chosen = []
    for number, (arrival, size) in enumerate(zip(arrivals, sizes, strict=True)):
        now = Fraction(arrival)
        servers.run_until(now)
        path = min(open_paths, key=lambda path: (cost(path, now), path.arcs[::-1]))
        job = Job(number, dict(zip(path.servers, path.blocks, strict=True)), Fraction(size) * path.time)
        servers.jobs.append(job)
        for j in job.needs:
            servers.queues[j].append(job)
        servers.give(now)
        chosen.append((path, job))
    servers.run_until(None)
    return [(path, job.start, job.departure) for path, job in chosen if job.start is not None]
