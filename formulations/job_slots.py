"""The joint problem [eq. 5] with a slot for each job server, for CP-SAT: K jobs, each with a path of its own.

Whole numbers only: times in ticks, rates in units of 1 / `Model.unit` jobs per tick, rounded down. A solution therefore
has at least the rate asked for less K units, and callers recompute it exactly; that there is no solution is exact.
Redundant rows and the order of slots and of identical servers cut off no optimum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ortools.sat.python import cp_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

MOST = 2**53
"""No number in a model is larger."""
FINEST = 10**6
"""A rate has at least so many units, so that rounding takes a millionth of it at most."""
_SHARES = 10**6


class Problem(NamedTuple):
    """What is to be placed.

    Attributes
    ----------
    slots
        S_j(m) for m = 1, 2, ..., as long as m blocks fit into server j [eq. 3].
    comm, comp
        τ^c_j and τ^p_j in ticks.
    blocks
        L.
    pins
        (start, stop) of the servers that host this range and no other.
    """

    slots: Sequence[Sequence[int]]
    comm: Sequence[int]
    comp: Sequence[int]
    blocks: int
    pins: Mapping[int, tuple[int, int]]

    def ranges(self, j: int) -> list[tuple[int, int]]:
        """What server j may host: its pin, or any range that it can process for a job from its start."""
        if j in self.pins:
            return [self.pins[j]]
        sizes = [m for m, left in enumerate(self.slots[j][: self.blocks], 1) if left >= m]
        return [(a, a + m) for m in sizes for a in range(self.blocks - m + 1)]

    def room(self, j: int, size: int) -> int:
        """S_j(m)."""
        return self.slots[j][size - 1] if size <= len(self.slots[j]) else 0

    def arcs(self) -> Iterator[tuple[int, int, int]]:
        """(j, b, e): server j can process the blocks from b up to e, where it stops, for a job."""
        for j in range(len(self.slots)):
            if j in self.pins:
                start, stop = self.pins[j]
                room = self.room(j, stop - start)
                yield from ((j, b, stop) for b in range(start, stop) if stop - b <= room)
            else:
                yield from ((j, b, e) for b, e in self.ranges(j))

    def time(self, j: int, size: int) -> int:
        """τ^c_j + τ^p_j n, ticks."""
        return self.comm[j] + self.comp[j] * size


class Times(NamedTuple):
    """Bounds on the times of the K slots, fastest first, in ticks; they may come from any relaxation."""

    least: Sequence[int]
    most: Sequence[int]


class Model:
    """The variables of the program.

    Attributes
    ----------
    program
        The program.
    jobs
        k = 0, ..., K - 1.
    arcs
        (j, b, e) that a job can take.
    unit
        Rates are in units of 1 / `unit` jobs per tick.
    hosts
        z_jse, whether server j hosts the blocks from s up to e.
    goes
        x_kjbe, whether job k is processed by server j from b up to e.
    optional, used
        Whether slots may have no job, and u_k, whether slot k has one.
    time, rate
        T_k in ticks, and floor(unit / T_k), 0 where the slot has no job.
    """

    def __init__(self, problem: Problem, times: Times, *, optional: bool) -> None:
        self.problem = problem
        self.program = cp_model.CpModel()
        self.jobs = range(len(times.least))
        self.times = times
        self.unit = _unit(times)
        self.arcs = list(problem.arcs())
        self.hosts = {
            (j, s, e): self.program.new_bool_var(f"hosts_{j}_{s}_{e}")
            for j in range(len(problem.slots))
            for s, e in problem.ranges(j)
        }
        self.goes = {
            (k, *arc): self.program.new_bool_var(f"goes_{k}_{arc[0]}_{arc[1]}_{arc[2]}")
            for k in self.jobs
            for arc in self.arcs
        }
        self.optional = optional
        self.used: list[cp_model.IntVar] = [
            self.program.new_bool_var(f"used_{k}") if optional else self.program.new_constant(1) for k in self.jobs
        ]
        self.time = [
            self.program.new_int_var(least, most, f"time_{k}")
            for k, (least, most) in enumerate(zip(times.least, times.most, strict=True))
        ]
        self.rate = [
            self.program.new_int_var(0 if optional else self.unit // most, self.unit // least, f"rate_{k}")
            for k, (least, most) in enumerate(zip(times.least, times.most, strict=True))
        ]


def some_composition(problem: Problem, times: Times, rate: Fraction) -> Model:
    """K jobs of a total service rate of at least R, K = the number of bounds on times; there is no objective.

    Parameters
    ----------
    rate
        R, jobs per tick.

    Raises
    ------
    ValueError
        If times are too long in ticks for whole numbers up to 2^53.
    """
    model = Model(problem, times, optional=False)
    _joint(model)
    enough_rate(model, rate)
    return model


def largest_rate(problem: Problem, times: Times) -> Model:
    """Maximise the total service rate of at most K jobs, K = the number of bounds on times.

    Raises
    ------
    ValueError
        If times are too long in ticks for whole numbers up to 2^53.
    """
    model = Model(problem, times, optional=True)
    _joint(model)
    model.program.maximize(sum(model.rate))
    return model


def _joint(model: Model) -> None:
    """All but the rate that is asked for."""
    one_range(model)
    one_path(model)
    enough_slots(model)
    hosted(model)
    service_times(model)
    service_rates(model)
    position_free_rows(model)
    chords(model)
    ordered_slots(model)
    ordered_servers(model)


def one_range(model: Model) -> None:
    """Σ_{s,e} z_jse <= 1 for every server j, = 1 where it is pinned."""
    for j in range(len(model.problem.slots)):
        ranges = [z for (i, _, _), z in model.hosts.items() if i == j]
        if j in model.problem.pins:
            model.program.add_exactly_one(ranges)
        elif ranges:
            model.program.add_at_most_one(ranges)


def one_path(model: Model) -> None:
    """Σ_{j,e} x_kj0e = u_k, and Σ_{j,b} x_kjbi = Σ_{j,e} x_kjie at every block 0 < i < L, for every job k."""
    for k in model.jobs:
        for i in range(model.problem.blocks):
            out = sum(model.goes[k, j, b, e] for j, b, e in model.arcs if b == i)
            into = sum(model.goes[k, j, b, e] for j, b, e in model.arcs if e == i)
            model.program.add(out == (into if i else model.used[k]))


def enough_slots(model: Model) -> None:
    """Σ_{k,b} (e - b) x_kjbe <= Σ_s S_j(e - s) z_jse for every server j and stop e [eq. 3]."""
    for j, e in sorted({(j, e) for j, _, e in model.arcs}):
        taken = sum((e - b) * x for (_, i, b, stop), x in model.goes.items() if (i, stop) == (j, e))
        room = sum(model.problem.room(j, e - s) * z for (i, s, stop), z in model.hosts.items() if (i, stop) == (j, e))
        model.program.add(taken <= room)


def hosted(model: Model) -> None:
    """x_kjbe <= Σ_{s<=b} z_jse: what is processed is hosted."""
    for (_, j, b, e), x in model.goes.items():
        model.program.add(x <= sum(z for (i, s, stop), z in model.hosts.items() if (i, stop) == (j, e) and s <= b))


def service_times(model: Model) -> None:
    """T_k = Σ_{j,b,e} (τ^c_j + τ^p_j (e - b)) x_kjbe [eq. 2]; the longest there is where the slot has no job."""
    for k in model.jobs:
        spent = sum(model.problem.time(j, e - b) * model.goes[k, j, b, e] for j, b, e in model.arcs)
        model.program.add(model.time[k] == spent + model.times.most[k] * (1 - model.used[k]))


def service_rates(model: Model) -> None:
    """r_k = floor(unit / T_k), 0 where the slot has no job."""
    for k in model.jobs:
        if not model.optional:
            model.program.add_division_equality(model.rate[k], model.unit, model.time[k])
            continue
        most, least = model.times.most[k], model.times.least[k]
        quotient = model.program.new_int_var(model.unit // most, model.unit // least, f"quotient_{k}")
        model.program.add_division_equality(quotient, model.unit, model.time[k])
        model.program.add(model.rate[k] <= quotient)
        model.program.add(model.rate[k] <= (model.unit // least) * model.used[k])


def enough_rate(model: Model, rate: Fraction) -> None:
    """Σ_k r_k >= R unit - K: rounding down takes less than 1 of each rate."""
    model.program.add(sum(model.rate) >= -int(-rate * model.unit // 1) - len(model.jobs))


def position_free_rows(model: Model) -> None:
    """Σ_{k,b,e} (e - b) / S_j(e - b) x_kjbe <= 1 for every server j, redundant: the rows of the relaxation."""
    for j in range(len(model.problem.slots)):
        if j in model.problem.pins:
            continue
        weights = {n: n * _SHARES // left for n, left in enumerate(model.problem.slots[j], 1) if left >= n}
        taken = [weights[e - b] * x for (_, i, b, e), x in model.goes.items() if i == j]
        if taken:
            model.program.add(sum(taken) <= _SHARES)


def chords(model: Model) -> None:
    """r_k <= A - B T_k, the chord of unit / T between the bounds on T_k, redundant."""
    for k, (least, most) in enumerate(zip(model.times.least, model.times.most, strict=True)):
        slope = model.unit // (least * most)
        height = max(-(-model.unit // t) + slope * t for t in (least, most))
        if not model.optional and height < MOST:
            model.program.add(model.rate[k] + slope * model.time[k] <= height)


def ordered_slots(model: Model) -> None:
    """T_1 <= ... <= T_K and u_1 >= ... >= u_K: slots are alike."""
    for k in model.jobs[1:]:
        model.program.add(model.time[k - 1] <= model.time[k])
        if model.optional:
            model.program.add(model.used[k - 1] >= model.used[k])


def ordered_servers(model: Model) -> None:
    """Of identical servers, none hosts a range that comes before that of the one before it; nothing comes first."""
    problem = model.problem
    last: dict[object, int] = {}
    for j in range(len(problem.slots)):
        if j in problem.pins or not problem.ranges(j):
            continue
        key = (tuple(problem.slots[j][: problem.blocks]), problem.comm[j], problem.comp[j])
        if key in last:
            before, own = (
                sum(rank * model.hosts[i, s, e] for rank, (s, e) in enumerate(problem.ranges(i), 1))
                for i in (last[key], j)
            )
            model.program.add(before <= own)
        last[key] = j


def _unit(times: Times) -> int:
    """The largest unit for which all rates together stay below 2^53.

    Raises
    ------
    ValueError
        If the longest time leaves a rate of fewer than `FINEST` units.
    """
    jobs = len(times.least)
    unit = min(MOST - 1, (MOST - 1) // jobs * min(times.least))
    if unit // max(times.most) < FINEST:
        raise ValueError(
            f"times of up to {max(times.most):,} ticks are too long for whole numbers up to 2^53: "
            f"choose ticks at least {-(-FINEST * max(times.most) // unit):,} times as long"
        )
    return unit
