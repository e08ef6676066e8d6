"""Bounds by branching on the number of job servers C, for each range of which servers have profiles.

The profiles that a partition of C is made of (:mod:`chainopt.exact.profiles`) depend on C, so the fewer values of C are
looked at together, the closer the bound. The range with the best bound is halved, until it is a single C.
"""

from __future__ import annotations

import heapq
import math
import time
from typing import TYPE_CHECKING

import numpy as np

from chainopt.exact.allocation_bound import ACCURACY, Bounding
from chainopt.exact.allocations import Allocations
from chainopt.exact.overflow_bound import OverflowBounding
from chainopt.exact.profiled import Columns, ProfiledAllocations
from chainopt.exact.worth import RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainopt.exact.envelope import Envelope

_MOST_JOB_SERVERS = 150
"""Beyond, numbers of jobs matter little, and halving takes long."""
_MOST_FOR_JFFC = 1_000
"""The same without profiles, where planes take time that grows with the square."""
_MOST_CELLS = 30_000_000
"""Of the dynamic program for a profile; beyond, it takes seconds and hundreds of megabytes."""
_PATIENCE, _STANDSTILL = 40, 1e-3
"""It ends where so many steps prove so little more, relative."""
_GAP, _ROUGH = 2e-4, 1e-3
"""Relative gaps of linear programs: for the rate, and where halving proves more than the last columns do."""
_ACCURACIES = (5e-3, ACCURACY, 5e-4)
"""How close bounds for one C come to what is attained, first and then; the second takes ten times as long."""
_NEAR, _ACCURACY, _REFINEMENTS = 2e-2, 1e-3, 8
"""The same for JFFC, for a range of C and for one; and how often the latter is refined."""
_ROUNDING = 1e-9


def jffc_response_by_job_servers(
    fine: Envelope, coarse: Envelope, arrival_rate: float, proven: float, deadline: float = math.inf
) -> float:
    """Proven lower bound on the mean response time of any composition under JFFC, seconds; infinite if none is stable.

    Parameters
    ----------
    fine, coarse
        With more servers told apart, to begin with, and with fewer, for profiles of a single C; both refined by
        :func:`~chainopt.exact.response_bound.response_bound`.
    proven
        What is proven already; the result is never less.
    """
    chains, columns = fine.chains, Columns(coarse.chains, [], [])
    looked_at: dict[int, OverflowBounding] = {}
    profiles = most_job_servers(coarse) > 0

    def bounded(least: int, most: int, known: float, effort: int) -> float:
        nonlocal chains, columns
        if effort > profiles:
            looked_at[least].refine()
        elif effort:
            profiled = ProfiledAllocations(coarse.parts, columns, least, most)
            looked_at[least] = OverflowBounding(profiled, most, coarse, arrival_rate, known, _ACCURACY, deadline)
            columns = profiled.useful(columns)
        else:
            allocations = Allocations(fine.parts, chains, most, least)
            accuracy = _ACCURACY if least == most else _NEAR
            looked_at[least] = OverflowBounding(allocations, most, fine, arrival_rate, known, accuracy, deadline)
            chains = allocations.useful
        return looked_at[least].bound

    most = int(fine.most_jobs)
    if most > _MOST_FOR_JFFC:
        return proven
    at_once = bounded(1, most, proven, 0) if most and time.monotonic() < deadline else proven
    return _least(most, bounded, profiles + _REFINEMENTS, at_once, deadline)


def response_by_job_servers(
    envelope: Envelope, arrival_rate: float, proven: float, deadline: float = math.inf
) -> float:
    """Proven lower bound on the mean response time of any composition under any policy; infinite if none is stable.

    Parameters
    ----------
    envelope
        Refined by :func:`~chainopt.exact.response_bound.response_bound`.
    proven
        What is proven already; the result is never less.
    """
    attained, columns = math.inf, Columns(envelope.chains, [], [])

    def bounded(least: int, most: int, known: float, effort: int) -> float:
        nonlocal attained, columns
        largest_rate = float(envelope.above(np.array([float(most)]))[0])
        if largest_rate <= arrival_rate:
            return math.inf
        allocations = ProfiledAllocations(envelope.parts, columns, least, most)
        known *= arrival_rate
        accuracy = _ACCURACIES[max(effort - 1, 0)]
        bounding = Bounding(allocations, envelope, largest_rate, arrival_rate, known, deadline, _ROUGH, accuracy)
        bounding.attained = attained
        value = bounding.branched() if effort else bounding.at_once()
        if value < math.inf:
            columns = allocations.useful(columns)
        if least == most:
            attained = min(attained, bounding.attained)
        return value / arrival_rate

    return _least(most_job_servers(envelope), bounded, len(_ACCURACIES), proven, deadline)


def rate_by_job_servers(envelope: Envelope, deadline: float = math.inf) -> float:
    """Proven upper bound on the total service rate of any composition, jobs per second."""
    columns = Columns(envelope.chains, [], [])

    def bounded(least: int, most: int, known: float, _: int) -> float:
        nonlocal columns
        proven, columns = _rate(envelope, columns, least, most, deadline)
        return -min(-known, proven)

    return -_least(most_job_servers(envelope), bounded, 0, -envelope.most, deadline)


def least_job_servers(envelope: Envelope, rate: float, proven: int, deadline: float = math.inf) -> int:
    """Proven: no composition with fewer job servers has this rate; one more than there can be if none has it."""
    count, columns = proven, Columns(envelope.chains, [], [])
    while count <= most_job_servers(envelope) and time.monotonic() < deadline:
        largest, columns = _rate(envelope, columns, count, count, deadline)
        if largest >= rate:
            break
        count += 1
    return count


def most_job_servers(envelope: Envelope) -> int:
    """How many there is room for; 0 where that is too many to look at them."""
    most = int(envelope.most_jobs)
    room = int(envelope.parts.slots.max())
    cells = int(envelope.parts.blocks.max()) * min(most, room) * room
    return most if most <= _MOST_JOB_SERVERS and cells <= _MOST_CELLS else 0


def _rate(envelope: Envelope, columns: Columns, least: int, most: int, deadline: float) -> tuple[float, Columns]:
    """Proven: no composition with so many job servers has a larger rate. Also the columns to begin with next."""
    envelope.solve(most, deadline)
    allocations = ProfiledAllocations(envelope.parts, columns, least, most)
    proven = allocations.most(RATE, 0.0, deadline, _GAP, envelope.prices(most)).bound * (1 + _ROUNDING)
    proven = min(proven, float(envelope.above(np.array([float(most)]))[0]))
    return proven, allocations.useful(columns)


def _least(
    most: int,
    bounded: Callable[[int, int, float, int], float],
    most_effort: int,
    proven: float,
    deadline: float,
) -> float:
    """The least bound over all ranges of C.

    Parameters
    ----------
    bounded
        Bound for compositions with a least to a most number of job servers, given what is known, with some effort.
    most
        The largest C.
    most_effort
        For a single C; it grows from 0, which is that for all others.
    """
    if not most:
        return proven
    heap = [(proven, 1, most, 0)]  # with the effort that is next
    before: list[float] = []
    while time.monotonic() < deadline:
        value, low, high, effort = heap[0]
        stands = len(before) > _PATIENCE and value <= before[-_PATIENCE] + abs(value) * _STANDSTILL
        if effort > most_effort or value == math.inf or stands:
            break
        before.append(value)
        heapq.heappop(heap)
        middle = (low + high) // 2
        parts = [(low, high)] if low == high else [(low, middle), (middle + 1, high)]
        for a, b in parts:
            found = max(value, bounded(a, b, value, effort))
            heapq.heappush(heap, (found, a, b, effort + 1 if a == b else 0))
    return heap[0][0]
