"""Jobs that find their own way, event by event in exact fractions, with queues at the servers and all routes tried.

No times are foreseen: what a job would wait at a server is found by letting a copy of the system run on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.oracles.chains import Path, all_paths, cache_slots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model import Instance, Placement
    from chainopt.simulation.pace import Pace


@dataclass(frozen=True, eq=False)
class Job:
    """Slots that it needs, by server, and how long."""

    slots: dict[int, int]
    service: Fraction


@dataclass
class System:
    """Servers with free slots, a queue of waiting jobs at each, and the running jobs with their departures."""

    free: list[int]
    queues: list[deque[Job]]
    running: list[tuple[Fraction, Job]] = field(default_factory=list)
    started: dict[Job, Fraction] = field(default_factory=dict)

    def copy(self) -> System:
        """One that can run on by itself."""
        return System(list(self.free), [deque(q) for q in self.queues], list(self.running), dict(self.started))

    def join(self, job: Job, now: Fraction) -> None:
        """Queue at all servers of the route."""
        for j in job.slots:
            self.queues[j].append(job)
        self.start_what_can(now)

    def start_what_can(self, now: Fraction) -> None:
        """Start jobs that are first in all of their queues and find the slots, until there is none."""
        ready = True
        while ready:
            heads = [queue[0] for queue in self.queues if queue]
            ready = False
            for job in heads:
                if all(self.queues[j][0] is job and self.free[j] >= slots for j, slots in job.slots.items()):
                    for j, slots in job.slots.items():
                        self.queues[j].popleft()
                        self.free[j] -= slots
                    self.started[job] = now
                    self.running.append((now + job.service, job))
                    ready = True
                    break

    def next_departure(self) -> Fraction:
        """When the next running job departs."""
        return min(departure for departure, _ in self.running)

    def depart(self, now: Fraction) -> None:
        """Let the jobs go that depart at this instant, then start others."""
        for departure, job in list(self.running):
            if departure == now:
                self.running.remove((departure, job))
                for j, slots in job.slots.items():
                    self.free[j] += slots
        self.start_what_can(now)

    def run_until(self, now: Fraction) -> None:
        """Let everything happen up to this instant."""
        while self.running and self.next_departure() <= now:
            self.depart(self.next_departure())

    def wait_at(self, j: int, slots: int, now: Fraction) -> Fraction:
        """Time until a job that came now could have so many slots at server j alone."""
        system = self.copy()
        probe = Job({j: slots}, Fraction(0))
        system.join(probe, now)
        while probe not in system.started:
            system.depart(system.next_departure())
        return system.started[probe] - now


@dataclass(frozen=True)
class Outcome:
    """Start and departure of a job, and the path it took."""

    start: Fraction
    departure: Fraction
    path: Path


def open_paths(instance: Instance, placement: Placement) -> list[Path]:
    """Paths on which each server has the slots for one job when it is empty."""
    slots = cache_slots(instance, placement)
    return [
        path
        for path in all_paths(instance, placement)
        if all(slots[j] >= m for j, m in zip(path.servers, path.blocks, strict=True))
    ]


def simulate(
    instance: Instance,
    placement: Placement,
    rule: str,
    arrivals: Sequence[float],
    demands: Sequence[Sequence[float]],
    pace: Pace,
    expected: Sequence[float],
    penalty_s: float,
) -> list[Outcome]:
    """What becomes of each job."""
    paths = open_paths(instance, placement)
    sizes = placement.sizes.tolist()

    def seconds(j: int, blocks: int, amounts: Sequence[float]) -> Fraction:
        return sum(
            (
                Fraction(amount) * (Fraction(float(hop)) + blocks * Fraction(float(block)))
                for amount, hop, block in zip(amounts, pace.hop_s[j], pace.block_s[j], strict=True)
            ),
            Fraction(0),
        )

    def nanoseconds(time: Fraction) -> int:
        return round(time * 10**9)

    def cost(system: System, path: Path, now: Fraction) -> int:
        total = 0
        for j, m in zip(path.servers, path.blocks, strict=True):
            total += nanoseconds(seconds(j, m, expected))
            if rule == "ws-rr":
                total += nanoseconds(system.wait_at(j, m, now))
            elif system.free[j] < sizes[j]:
                total += nanoseconds(Fraction(penalty_s))
        return total

    system = System(cache_slots(instance, placement), [deque() for _ in sizes])
    chosen: list[tuple[Job, Path]] = []
    for arrival, amounts in zip(arrivals, demands, strict=True):
        now = Fraction(arrival)
        system.run_until(now)
        path = min(paths, key=lambda path: (cost(system, path, now), path.arcs[::-1]))
        service = sum((seconds(j, m, amounts) for j, m in zip(path.servers, path.blocks, strict=True)), Fraction(0))
        job = Job(dict(zip(path.servers, path.blocks, strict=True)), service)
        system.join(job, now)
        chosen.append((job, path))
    while system.running:
        system.depart(system.next_departure())
    return [Outcome(system.started[job], system.started[job] + job.service, path) for job, path in chosen]
