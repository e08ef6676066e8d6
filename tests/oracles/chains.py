"""Placements and allocations in exact fractions, by trying everything there is (PROBLEM, sections 2, 4 and 5)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainopt.model import Instance, Placement


@dataclass(frozen=True)
class Path:
    """A chain as a path of the boundary graph.

    Attributes
    ----------
    arcs
        (boundary that is left, server that is visited), in order.
    blocks
        Blocks processed at each server.
    time
        T_k, exactly.
    """

    arcs: tuple[tuple[int, int], ...]
    blocks: tuple[int, ...]
    time: Fraction

    @property
    def servers(self) -> tuple[int, ...]:
        """The servers, in order."""
        return tuple(server for _, server in self.arcs)


def all_paths(instance: Instance, placement: Placement) -> Iterator[Path]:
    """Every chain of a placement: from boundary b to any server that hosts block b, and on from where that stops."""
    hosted = list(zip(placement.start.tolist(), placement.stop.tolist(), strict=True))

    def extend(path: Path, boundary: int) -> Iterator[Path]:
        if boundary == instance.service.blocks:
            yield path
            return
        for j, (start, stop) in enumerate(hosted):
            if start <= boundary < stop:
                blocks = stop - boundary
                server = instance.servers[j]
                time = path.time + Fraction(server.comm_s) + Fraction(server.comp_s_per_block) * blocks
                yield from extend(Path((*path.arcs, (boundary, j)), (*path.blocks, blocks), time), stop)

    yield from extend(Path((), (), Fraction(0)), 0)


def memory(instance: Instance, j: int) -> Fraction:
    """M_j, less what is not ours."""
    server = instance.servers[j]
    return Fraction(server.memory_gb) - Fraction(server.reserve_gb)


def cache_slots(instance: Instance, placement: Placement) -> list[int]:
    """floor((M_j - s_m m_j) / s_c), 0 where nothing is hosted [eq. 3]."""
    block, cache_gb = Fraction(instance.service.block_gb), Fraction(instance.service.cache_gb)
    return [
        floor((memory(instance, j) - block * size) / cache_gb) if size else 0
        for j, size in enumerate(placement.sizes.tolist())
    ]


def fastest_first(instance: Instance, placement: Placement) -> list[tuple[Path, int]]:
    """GCA by looking at all paths each time: the fastest that is left, with all the capacity that is left.

    Of equally fast paths the one whose last arc leaves the least boundary, then the server that comes first, then
    likewise for the arc before it.
    """
    paths = sorted(all_paths(instance, placement), key=lambda path: (path.time, path.arcs[::-1]))
    free = cache_slots(instance, placement)
    chains: list[tuple[Path, int]] = []
    while True:
        left = (p for p in paths if all(free[j] >= n for j, n in zip(p.servers, p.blocks, strict=True)))
        path = next(left, None)
        if path is None:
            return chains
        capacity = min(free[j] // n for j, n in zip(path.servers, path.blocks, strict=True))
        for j, n in zip(path.servers, path.blocks, strict=True):
            free[j] -= capacity * n
        chains.append((path, capacity))


@dataclass(frozen=True)
class Strings:
    """What GBP-CR does: hosted ranges by server, and T_k of the complete chains in the order of their completion."""

    hosted: dict[int, tuple[int, int]]
    times: tuple[Fraction, ...]


def block_counts(instance: Instance, reservation: int) -> list[int]:
    """min(floor(M_j / (s_m + s_c c)), L) [eq. 6]."""
    per_block = Fraction(instance.service.block_gb) + reservation * Fraction(instance.service.cache_gb)
    return [min(floor(memory(instance, j) / per_block), instance.service.blocks) for j in range(len(instance.servers))]


def greedy_strings(instance: Instance, reservation: int, *, until_rate_is_met: bool) -> Strings:
    """GBP-CR [Algorithm 1] word by word, and the rule for pins of `chainopt.placement.greedy`.

    A pinned server hosts its pin in any case. When the chain has come to a block of the pin, and the server has the
    slots to process the rest of the pin for `reservation` jobs, it is taken before all servers without a pin; of
    several the one whose pin goes farthest, then the one that comes first.
    """
    length = instance.service.blocks
    counts = block_counts(instance, reservation)
    comm = [Fraction(server.comm_s) for server in instance.servers]
    comp = [Fraction(server.comp_s_per_block) for server in instance.servers]
    pins = {j: (s.pin.start, s.pin.stop) for j, s in enumerate(instance.servers) if s.pin is not None}
    block, cache_gb = Fraction(instance.service.block_gb), Fraction(instance.service.cache_gb)
    slots = {j: floor((memory(instance, j) - block * (b - a)) / cache_gb) for j, (a, b) in pins.items()}

    queue = sorted(
        (j for j, m in enumerate(counts) if m > 0 and j not in pins),
        key=lambda j: ((comm[j] + comp[j] * counts[j]) / counts[j], j),
    )
    waiting = set(pins)
    hosted = dict(pins)
    target = Fraction(instance.workload.arrival_rate) / Fraction(instance.workload.target_load) / reservation
    times: list[Fraction] = []
    at, time, rate = 0, Fraction(0), Fraction(0)
    while True:
        ready = [j for j in waiting if pins[j][0] <= at < pins[j][1] and slots[j] >= reservation * (pins[j][1] - at)]
        if ready:
            j = min(ready, key=lambda j: (-pins[j][1], j))
            waiting.remove(j)
            time += comm[j] + comp[j] * (pins[j][1] - at)
            at = pins[j][1]
        elif queue:
            j = queue.pop(0)
            start = min(at, length - counts[j])
            hosted[j] = (start, start + counts[j])
            time += comm[j] + comp[j] * counts[j]
            at = min(at + counts[j], length)
        else:
            break
        if at == length:
            times.append(time)
            rate += 1 / time
            if until_rate_is_met and rate >= target:
                break
            at, time = 0, Fraction(0)
    return Strings(hosted, tuple(times))


def fewest_disjoint_chains(
    counts: Sequence[int], times: Sequence[Fraction], length: int, target: Fraction
) -> int | None:
    """Least K for which K disjoint sets of servers with Σ m_j >= L each have Σ_k 1/Σ t_j >= target [eq. 7]."""

    @cache
    def most_rate(chains: int, servers: frozenset[int]) -> Fraction | None:
        if chains == 0:
            return Fraction(0)
        best = None
        for size in range(1, len(servers) + 1):
            for chosen in combinations(sorted(servers), size):
                if sum(counts[j] for j in chosen) < length:
                    continue
                rest = most_rate(chains - 1, servers - frozenset(chosen))
                if rest is not None:
                    rate = 1 / sum((times[j] for j in chosen), Fraction(0)) + rest
                    best = rate if best is None else max(best, rate)
        return best

    everyone = frozenset(range(len(counts)))
    for chains in range(1, len(counts) + 1):
        rate = most_rate(chains, everyone)
        if rate is not None and rate >= target:
            return chains
    return None
