"""BPRR's program against all placements and all choices of paths."""

from __future__ import annotations

import random
from itertools import combinations_with_replacement, product

import pytest

from chainopt.exact.backends import solve_milp
from chainopt.model import Status
from formulations.bprr import Model, least_total_time

Path = tuple[tuple[int, int], ...]
"""(server, blocks) in order."""


def solved(model: Model) -> float | None:
    """Optimum, None where there is no solution."""
    outcome = solve_milp(model.problem)
    assert outcome.status in (Status.OPTIMAL, Status.INFEASIBLE)
    return outcome.value


def paths(hosted: list[tuple[int, int]], blocks: int) -> list[Path]:
    """Every path of a placement."""
    found = []

    def extend(path: Path, b: int) -> None:
        if b == blocks:
            found.append(path)
        for j, (start, stop) in enumerate(hosted):
            if start <= b < stop:
                extend((*path, (j, stop - b)), stop)

    extend((), 0)
    return found


def best(
    slots: list[list[int]],
    comm: list[float],
    comp: list[float],
    blocks: int,
    requests: int,
    pins: dict[int, tuple[int, int]] | None = None,
) -> float | None:
    """Least total time of any placement and any paths."""
    choices = [
        [(0, 0), pins[j]]
        if pins and j in pins
        else [(0, 0), *((a, a + m) for m in range(1, min(len(left), blocks) + 1) for a in range(blocks - m + 1))]
        for j, left in enumerate(slots)
    ]
    totals = []
    for hosted in product(*choices):
        for chosen in combinations_with_replacement(paths(list(hosted), blocks), requests):
            taken = [sum(n for path in chosen for i, n in path if i == j) for j in range(len(slots))]
            room = [slots[j][stop - start - 1] if stop > start else 0 for j, (start, stop) in enumerate(hosted)]
            if all(t <= r for t, r in zip(taken, room, strict=True)):
                totals.append(sum(comm[j] + comp[j] * n for path in chosen for j, n in path))
    return min(totals, default=None)


def test_two_requests_by_hand() -> None:
    """Two blocks; a fast server with room for one job, a slow one with room for both: 2 s and 6 s."""
    model = least_total_time([[3, 2], [5, 4]], [1, 4], [0.5, 1], 2, 2)

    assert solved(model) == pytest.approx(8)
    times = [model.time(r, [1, 4], [0.5, 1]).value() for r in model.requests]
    assert times == pytest.approx([2, 6])


def test_a_path_may_enter_a_range_in_the_middle() -> None:
    """Server 1 hosts both blocks with 2 slots; behind server 0 it serves two jobs, alone one."""
    pins = {0: (0, 1), 1: (0, 2)}
    arguments = ([[2], [9, 2]], [0.1, 1.0], [0.0, 1.0], 2)

    assert solved(least_total_time(*arguments, requests=1, pins=pins)) == pytest.approx(2.1)
    assert solved(least_total_time(*arguments, requests=2, pins=pins)) == pytest.approx(4.2)
    assert solved(least_total_time(*arguments, requests=3, pins=pins)) is None


def test_slots_decide_how_much_is_hosted() -> None:
    """One server: with R jobs of two blocks it needs S(2) >= 2R."""
    assert solved(least_total_time([[9, 5]], [1], [1], 2, 2)) == pytest.approx(6)
    assert solved(least_total_time([[9, 5]], [1], [1], 2, 3)) is None


@pytest.mark.parametrize("seed", range(14))
def test_all_placements_and_paths(seed: int) -> None:
    """The optimum, or that there is none, is that of trying everything."""
    draw = random.Random(seed)
    blocks, requests = draw.randint(1, 4), draw.randint(1, 3)
    slots = []
    for _ in range(3):
        first, step = draw.randint(1, 9), draw.randint(1, 3)
        slots.append([s for m in range(draw.randint(0, blocks)) if (s := first - step * m) >= 0])
    comm = [draw.randint(0, 20) / 10 for _ in slots]
    comp = [draw.randint(0, 20) / 10 for _ in slots]
    pins = {0: (0, len(slots[0]))} if slots[0] and draw.random() < 0.3 else {}

    found = solved(least_total_time(slots, comm, comp, blocks, requests, pins)) if any(slots) else None

    expected = best(slots, comm, comp, blocks, requests, pins)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-6))
