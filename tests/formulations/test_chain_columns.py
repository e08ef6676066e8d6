"""Chain columns: by hand, and the same on every backend."""

from __future__ import annotations

import pytest

from chainopt.exact import ExactOptions
from chainopt.exact.backends import MILP_BACKENDS, solve_milp
from chainopt.exact.joint import State, _root
from chainopt.exact.joint_models import all_chains, by_chain_columns
from chainopt.model import Objective, Status
from formulations.chain_columns import Chain, fewest_job_servers, largest_rate
from tests.exact.test_enumeration import brute_force, drawn

# two servers with 4 slots beside one block and 2 beside both; 1 s a block
SLOTS = {(j, s, e): 4 if e - s == 1 else 2 for j in (0, 1) for s, e in ((0, 1), (1, 2), (0, 2))}
CHAINS = [
    Chain(2.0, ((0, 0, 2),)),
    Chain(2.0, ((1, 0, 2),)),
    Chain(2.0, ((0, 0, 1), (1, 1, 2))),
    Chain(2.0, ((1, 0, 1), (0, 1, 2))),
]


@pytest.mark.parametrize("backend", MILP_BACKENDS)
def test_by_hand(backend: str) -> None:
    """One block each runs four jobs of 2 s, both blocks each two: R = 2 takes four job servers, R = 2.1 is too much."""
    model = fewest_job_servers(CHAINS, SLOTS, 2.0)
    assert solve_milp(model.problem, backend=backend).value == pytest.approx(4)
    assert sum(c.varValue for c in model.capacities[2:]) == pytest.approx(4)
    assert solve_milp(fewest_job_servers(CHAINS, SLOTS, 2.1).problem, backend=backend).status is Status.INFEASIBLE
    assert solve_milp(fewest_job_servers(CHAINS, SLOTS, 0.6).problem, backend=backend).value == pytest.approx(2)
    assert solve_milp(largest_rate(CHAINS, SLOTS).problem, backend=backend).value == pytest.approx(2)


def test_bounds_on_job_servers() -> None:
    """Known bounds narrow the search, and cut off what is of no interest."""
    model = fewest_job_servers(CHAINS, SLOTS, 0.4, job_servers=(2, 4))
    assert solve_milp(model.problem).value == pytest.approx(2)
    model = fewest_job_servers(CHAINS, SLOTS, 2.0, job_servers=(1, 3))
    assert solve_milp(model.problem).status is Status.INFEASIBLE


def test_pins() -> None:
    """A server pinned to both blocks cannot run four jobs of one block: one job there, one at the other server."""
    slots = {key: left for key, left in SLOTS.items() if key[0] == 1 or key == (0, 0, 2)}
    model = largest_rate(CHAINS, slots, pinned=[0])
    assert solve_milp(model.problem).value == pytest.approx(1)
    assert model.hosts[0, 0, 2].varValue == pytest.approx(1)


def test_entering_late_needs_no_more_slots() -> None:
    """Of three blocks, 0..2 at one server and 1..3 at the other: who enters at block 2 takes one slot there."""
    slots = {(0, 0, 2): 4, (1, 1, 3): 4}
    model = largest_rate([Chain(3.0, ((0, 0, 2), (1, 2, 3)))], slots, pinned=[0, 1])
    assert solve_milp(model.problem).value == pytest.approx(2 / 3)
    early = largest_rate([Chain(3.0, ((1, 0, 3),))], slots, pinned=[0, 1])
    assert solve_milp(early.problem).value == pytest.approx(0)  # nobody hosts block 0 at the second


@pytest.mark.parametrize("backend", MILP_BACKENDS)
@pytest.mark.parametrize("seed", range(60, 72))
def test_brute_force_agrees(backend: str, seed: int) -> None:
    """Over all chains the optimum is that of [eq. 5], on every backend."""
    instance = drawn(seed)
    state = State(instance, Objective.JOB_SERVERS, float("inf"), options=ExactOptions(backend=backend))
    envelope = _root(state)
    if envelope is not None:
        by_chain_columns(state, envelope)
    assert state.value == brute_force(instance, Objective.JOB_SERVERS)
    assert state.closed


def test_too_many_chains() -> None:
    """Where there are more chains than are allowed there is no list."""
    instance = drawn(7)
    chains = all_chains(instance, 10_000)
    assert chains
    assert all_chains(instance, len(chains) - 1) is None
