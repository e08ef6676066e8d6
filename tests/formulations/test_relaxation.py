"""The position-free relaxation: by hand, against what placements can do, and with cuts."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import pytest
from scipy.optimize import linprog

from chainopt.exact.backends import solve_milp
from chainopt.model import Status
from formulations.relaxation import Chain, Cut, Model, fewest_job_servers, largest_rate

Server = tuple[str, str, str]
"""Memory, τ^c and τ^p of a server; blocks take 1 GB."""

CASES: list[tuple[int, str, list[Server]]] = [
    (2, "0.3", [("3.1", "1", "0.5"), ("2.5", "0.2", "1")]),
    (3, "0.5", [("4", "1", "0.1"), ("3", "0.5", "0.5"), ("2.5", "0.1", "1")]),
    (3, "0.2", [("3.7", "1", "0"), ("2.1", "0.3", "0.2")]),
    (4, "1", [("7", "1", "1"), ("6", "2", "0.5"), ("4", "0.5", "2")]),
]


def value(model: Model) -> float | None:
    """Optimum, None where there is no solution."""
    outcome = solve_milp(model.problem)
    assert outcome.status in (Status.OPTIMAL, Status.INFEASIBLE)
    return outcome.value


def slots(server: Server, cache: str, size: int) -> int:
    return floor((Fraction(server[0]) - size) / Fraction(cache))


def weights_of(servers: list[Server], cache: str, blocks: int) -> dict[tuple[int, int], float]:
    """Weight n / S_j(n) wherever a job fits."""
    found = {(j, n): slots(server, cache, n) for j, server in enumerate(servers) for n in range(1, blocks + 1)}
    return {(j, n): n / s for (j, n), s in found.items() if s >= n}


def all_chains(servers: list[Server], weights: dict[tuple[int, int], float], blocks: int) -> list[Chain]:
    """Every choice of numbers of blocks that add up to L."""
    chains = []
    for counts in product(range(blocks + 1), repeat=len(servers)):
        parts = tuple((j, n) for j, n in enumerate(counts) if n)
        if sum(counts) == blocks and all(part in weights for part in parts):
            chains.append(Chain(sum(float(servers[j][1]) + float(servers[j][2]) * n for j, n in parts), parts))
    return chains


def loads(server: Server, cache: str, blocks: int) -> list[tuple[int, ...]]:
    """Every (y_1, ..., y_L) that some number of hosted blocks allows."""
    found = {(0,) * blocks}
    for m in range(1, blocks + 1):
        room = slots(server, cache, m)
        if room >= 1:
            ranges = [range(room // n + 1) if n <= m else range(1) for n in range(1, blocks + 1)]
            found |= {y for y in product(*ranges) if sum(n * k for n, k in enumerate(y, 1)) <= room}
    return sorted(found)


def hull_cuts(servers: list[Server], cache: str, blocks: int) -> list[Cut]:
    """Cuts α in many directions, each the largest that all loads obey."""
    cuts = []
    for j, server in enumerate(servers):
        points = np.array(loads(server, cache, blocks))
        for direction in product((1, 2, 5), repeat=blocks):
            done = linprog([-d for d in direction], A_ub=points, b_ub=np.ones(len(points)), bounds=(0, 9))
            cuts.append(Cut(j, dict(enumerate(done.x.tolist(), 1))))
    return cuts


def placements(servers: list[Server], blocks: int) -> Iterator[list[tuple[int, int]]]:
    """Every placement that fits."""
    choices = []
    for memory, _, _ in servers:
        sizes = range(min(floor(Fraction(memory)), blocks) + 1)
        choices.append([(a, a + m) for m in sizes for a in range(blocks - m + 1 if m else 1)])
    yield from map(list, product(*choices))


def paths(servers: list[Server], hosted: list[tuple[int, int]], blocks: int) -> list[tuple[dict[int, int], Fraction]]:
    """Blocks by server, and T_k, of every chain."""
    found = []

    def extend(used: dict[int, int], time: Fraction, b: int) -> None:
        if b == blocks:
            found.append((used, time))
        for j, (start, stop) in enumerate(hosted):
            if start <= b < stop:
                more = Fraction(servers[j][1]) + Fraction(servers[j][2]) * (stop - b)
                extend({**used, j: stop - b}, time + more, stop)

    extend({}, Fraction(0), 0)
    return found


def most_rates(servers: list[Server], cache: str, blocks: int) -> dict[int, Fraction]:
    """Largest Σ 1/T of n jobs over all placements and allocations, by n."""
    best: dict[int, Fraction] = {}
    for hosted in placements(servers, blocks):
        chains = paths(servers, hosted, blocks)
        room = [slots(s, cache, e - a) if e > a else 0 for s, (a, e) in zip(servers, hosted, strict=True)]

        def add(
            k: int, room: list[int], jobs: int, rate: Fraction, chains: list[tuple[dict[int, int], Fraction]]
        ) -> None:
            best[jobs] = max(best.get(jobs, Fraction(0)), rate)
            for i in range(k, len(chains)):
                left = [r - chains[i][0].get(j, 0) for j, r in enumerate(room)]
                if min(left) >= 0:
                    add(i, left, jobs + 1, rate + 1 / chains[i][1], chains)

        add(0, room, 0, Fraction(0), chains)
    return best


def test_one_server_by_hand() -> None:
    """Two blocks, three slots: 3/2 job servers without cuts; one with the cut y_2 <= 1."""
    chains, weights = [Chain(4.0, ((0, 2),))], {(0, 2): 2 / 3}

    assert value(largest_rate(chains, weights)) == pytest.approx(1.5 / 4)
    assert value(largest_rate(chains, weights, most_jobs=1.2)) == pytest.approx(1.2 / 4)
    assert value(largest_rate(chains, weights, cuts=[Cut(0, {2: 1.0})])) == pytest.approx(1 / 4)
    assert value(fewest_job_servers(chains, weights, 0.3)) == pytest.approx(1.2)
    assert value(fewest_job_servers(chains, weights, 0.3, [Cut(0, {2: 1.0})])) is None


def test_two_chains_by_hand() -> None:
    """A fast chain of 1 s that fits twice, and a slow one of 2 s beside it: a rate of 3 takes 2 + 2 job servers."""
    chains = [Chain(1.0, ((0, 1),)), Chain(2.0, ((1, 1),))]

    assert value(fewest_job_servers(chains, {(0, 1): 1 / 2, (1, 1): 1 / 3}, 3)) == pytest.approx(4)


def test_rows_are_the_equations() -> None:
    """A row for the rate, one for each server that a chain visits, one for each cut that touches a chain."""
    chains = [Chain(1.0, ((4, 1), (2, 2)))]
    model = fewest_job_servers(chains, {(4, 1): 0.5, (2, 2): 0.25}, 1, [Cut(4, {1: 0.75}), Cut(4, {2: 1.0})])

    assert [row.name for row in model.problem.constraints()] == ["rate", "server_2", "server_4", "cut_0_server_4"]


@pytest.mark.parametrize(("blocks", "cache", "servers"), CASES)
def test_bounds_what_placements_can_do(blocks: int, cache: str, servers: list[Server]) -> None:
    """Over all chains: JLP <= JLP+ <= the fewest job servers of any placement, at every rate; the other way round V."""
    weights = weights_of(servers, cache, blocks)
    chains, cuts = all_chains(servers, weights, blocks), hull_cuts(servers, cache, blocks)
    best = most_rates(servers, cache, blocks)
    top = value(largest_rate(chains, weights))
    assert top is not None

    for jobs, rate in best.items():
        if not jobs:
            continue
        loose, tight = (value(largest_rate(chains, weights, jobs, c)) for c in ((), cuts))
        assert loose is not None
        assert tight is not None
        assert float(rate) <= tight * (1 + 1e-9)
        assert tight <= loose * (1 + 1e-9)
        loose, tight = (value(fewest_job_servers(chains, weights, float(rate) * (1 - 1e-9), c)) for c in ((), cuts))
        assert loose is not None
        assert tight is not None
        fewest = min(n for n, most in best.items() if most >= rate)
        assert loose * (1 - 1e-9) <= tight <= fewest * (1 + 1e-7)


def test_cuts_close_gaps() -> None:
    """With cuts the bound is the optimum in a case where it is not without them."""
    blocks, cache, servers = CASES[3]
    weights = weights_of(servers, cache, blocks)
    chains, best = all_chains(servers, weights, blocks), most_rates(servers, cache, blocks)
    most = float(max(best.values()))

    loose = value(largest_rate(chains, weights))
    tight = value(largest_rate(chains, weights, cuts=hull_cuts(servers, cache, blocks)))

    assert loose is not None
    assert tight is not None
    assert most <= tight * (1 + 1e-9) < loose
