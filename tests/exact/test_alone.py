"""Prices of servers alone: no chain earns more than it costs, no composition serves more than whole jobs come to."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.exact.alone import most_alone, prices_alone
from chainopt.exact.envelope import Envelope
from chainopt.exact.joint import solve_joint
from chainopt.exact.parts import Parts, parts_of
from chainopt.model import Instance, Objective, Server, Service, Workload
from tests.exact.test_bounds import all_chains, value
from tests.strategies import instances

RANDOM = Path(__file__).parents[2] / "instances" / "random"


def line_alone(parts: Parts, job: float, jobs: float, shares: np.ndarray) -> float:
    """The line a n + Σ u_j at n jobs, server by server."""
    total = job * jobs
    for j, (a, b) in enumerate(itertools.pairwise(parts.first.tolist())):
        earned = [
            parts.slots[p] / parts.total * (parts.blocks[p] / parts.total / parts.time_s[p] - job) for p in range(a, b)
        ]
        total += shares[j] * max([0.0, *earned])
    return float(total)


@settings(max_examples=60, deadline=None)
@given(instance=instances(most_servers=4, most_blocks=5), jobs=st.floats(0.1, 50), data=st.data())
def test_no_chain_has_a_larger_rate_than_it_costs(instance: Instance, jobs: float, data: st.DataObject) -> None:
    """For every chain there is; and no other price of a job proves more."""
    parts = parts_of(instance)
    if not parts.server.size:
        return
    shares = np.array(data.draw(st.lists(st.floats(0, 1), min_size=parts.copies.size, max_size=parts.copies.size)))
    prices = prices_alone(parts, jobs, shares)
    for chain in all_chains(parts):
        assert prices.job + prices.parts[chain].sum() >= (1 - 1e-12) / parts.time_s[chain].sum()
    line = prices.job * jobs + prices.rooms @ shares
    assert line == pytest.approx(line_alone(parts, prices.job, jobs, shares), rel=1e-12)
    largest = float((parts.blocks / parts.total / parts.time_s).max())
    for job in [0.0, *(share * largest for share in data.draw(st.lists(st.floats(0, 1.1), max_size=5)))]:
        assert line <= line_alone(parts, job, jobs, shares) * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(instance=instances(most_servers=3, most_blocks=4))
def test_no_composition_serves_more_than_whole_jobs_come_to(instance: Instance) -> None:
    """The optimum over all placements and allocations, and what whole jobs come to by trying all of them."""
    parts = parts_of(instance)
    most = most_alone(parts)
    found = solve_joint(instance, Objective.RATE, time_limit_s=60)
    if found.value is not None:
        assert found.value <= most
    tried = 0.0
    for a, b in itertools.pairwise(parts.first.tolist()):
        each = [(p - a + 1) ** 2 / (parts.total**2 * float(parts.time_s[p])) for p in range(a, b)]
        best = 0.0
        for hosted in range(1, b - a + 1):
            slots = int(parts.slots[a + hosted - 1])
            earned = [0.0] * (slots + 1)  # by slots, whatever the jobs
            for room in range(1, slots + 1):
                earned[room] = max(each[n - 1] + earned[room - n] for n in range(1, min(hosted, room) + 1))
            best = max(best, earned[slots])
        tried += best
    assert most == pytest.approx(tried, rel=1e-8)


def two_servers(memory_gb: float, blocks: int, comm_s: float = 1) -> Instance:
    """Equal servers, 0.5 s for a block; blocks of 1 GB, caches of 0.1 GB."""
    server = {"memory_gb": memory_gb, "comm_s": comm_s, "comp_s_per_block": 0.5}
    return Instance(
        name="two",
        service=Service(blocks=blocks, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=0.1),
        servers=[Server(id=f"s{j}", **server) for j in range(2)],
    )


def test_nothing_is_lost_with_equal_servers() -> None:
    """With 3.2 GB and a block each there are 22 slots, and 22 jobs of 2 · 1.5 s.

    Alone, each server has room for 22/2 jobs that it processes block by block, in 3 s: 11/3 jobs/s.
    """
    parts = parts_of(two_servers(3.2, 2))
    assert value(parts, all_chains(parts), 1e9) == pytest.approx(22 / 3, rel=1e-12)
    prices = prices_alone(parts, 1e9)
    assert prices.job == pytest.approx(0.0, abs=1e-9)
    assert prices.rooms == pytest.approx([11 / 3, 11 / 3], rel=1e-8)
    envelope = Envelope(parts)
    envelope.solve(1e9)
    assert envelope.most == pytest.approx(22 / 3, rel=1e-8)


def test_what_is_left_is_for_a_job_with_fewer_blocks() -> None:
    """3.3 GB are 23 slots beside a block, 13 beside two of them: six jobs with two blocks, and one with a block.

    Where it takes 100 s to get there, these are more than 23 jobs with a block: with 7 blocks in all, a job accounts
    for 1 / (49 · 100.5) and 4 / (49 · 101). Where it takes 1 s they are less, with 1 / (49 · 1.5) and 4 / (49 · 2).
    """
    assert most_alone(parts_of(two_servers(3.3, 7, 100))) == pytest.approx(2 * (24 / 101 + 1 / 100.5) / 49, rel=1e-8)
    assert most_alone(parts_of(two_servers(3.3, 7))) == pytest.approx(2 * 23 / 1.5 / 49, rel=1e-8)


def test_a_thousand_servers_are_settled_at_once() -> None:
    """Searches of 10 s find 274 jobs/s; column generation from nothing proves 382 in a minute."""
    instance = chainopt.read_instance(RANDOM / "random-j1000-l80-loose.json")
    assert chainopt.bound(instance, "rate", time_limit_s=0.0) < 286
