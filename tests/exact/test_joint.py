"""The joint problem: all engines agree, with proofs, limits, pins and solvers that lie."""

from __future__ import annotations

import math
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import chainopt
from chainopt.errors import ChainoptError
from chainopt.exact import bound, joint
from chainopt.exact.enumeration import enumerate_compositions
from chainopt.exact.joint import ENGINES, Joint, State, check, exact_rate, solve_joint
from chainopt.exact.joint_sizes import with_sizes
from chainopt.exact.parts import parts_of
from chainopt.model import BlockRange, Composition, Instance, Objective, Placement, Server, Service, Status, Workload
from tests.exact.test_enumeration import TINY, drawn

MODELS = ("job-slots", "chain-columns")


def instance_of(*servers: tuple[str, str, str], blocks: int = 2, rate: str = "1") -> Instance:
    """s_m = 1 and s_c = 0.5; memory, τ^c and τ^p of each server; R in jobs per second."""
    return Instance(
        name="by-hand",
        service=Service(blocks=blocks, block_gb=1, cache_gb=Decimal("0.5")),
        workload=Workload(arrival_rate=Decimal(rate) / 2, target_load=Decimal("0.5")),
        servers=[
            Server(id=f"s{j}", memory_gb=Decimal(m), comm_s=Decimal(c), comp_s_per_block=Decimal(p))
            for j, (m, c, p) in enumerate(servers)
        ],
    )


def agrees(instance: Instance, objective: Objective, engine: str) -> Joint:
    """An engine without a greedy start finds the enumerated optimum, and proves it."""
    truth = enumerate_compositions(instance, objective)
    found = solve_joint(instance, objective, engine=engine, greedy=False)
    assert found.status is truth.status
    assert found.refused == ()
    assert found.value == (None if truth.value is None else pytest.approx(truth.value, rel=2e-9))
    assert found.bound == (None if truth.value is None else pytest.approx(truth.value, rel=2e-9))
    if found.composition is not None:
        check(instance, found.composition, objective)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_all_engines_agree_on_job_servers(seed: int) -> None:
    """Branch and bound, job slots and chain columns find the enumerated optimum of [eq. 5]."""
    for engine in ("sizes", *MODELS):
        agrees(drawn(seed, servers=4, blocks=4), Objective.JOB_SERVERS, engine)


@pytest.mark.parametrize("seed", range(40, 60))
def test_all_engines_agree_on_the_largest_rate(seed: int) -> None:
    """Likewise for the largest total service rate."""
    for engine in ("sizes", *MODELS):
        agrees(drawn(seed, servers=3, blocks=3, most_slots=3), Objective.RATE, engine)


@pytest.mark.parametrize("seed", range(30))
def test_branch_and_bound_finds_the_least_response_time(seed: int) -> None:
    """Branch and bound over sizes and the enumeration of all placements agree."""
    agrees(drawn(seed, servers=4, blocks=4), Objective.RESPONSE_TIME, "sizes")


@pytest.mark.parametrize("objective", Objective)
def test_bounds_never_exceed_the_optimum(objective: Objective) -> None:
    """The bounds for every placement hold for the enumerated optimum, which may be far from greedy."""
    compared = 0
    for seed in range(60):
        instance = drawn(seed, servers=4, blocks=4)
        truth = enumerate_compositions(instance, objective).value
        if truth is None:
            continue
        proven = bound(instance, objective)
        compared += 1
        if objective is Objective.RATE:
            assert proven >= truth * (1 - 1e-12)
        else:
            assert proven <= truth * (1 + 1e-12)
    assert compared > 30


def test_by_hand() -> None:
    """One server with 3 GB for 2 blocks runs one job of 2 s; two of them with a block each run two jobs of 2 s.

    S(2) = floor(1/0.5) = 2, one job of 2 blocks. S(1) = 4, four jobs of one block each, T = 2 s with τ^c = 0.
    """
    alone = instance_of(("3", "0", "1"), rate="0.5")
    assert solve_joint(alone).value == 1
    assert solve_joint(alone, "rate").value == pytest.approx(0.5)
    pair = instance_of(("3", "0", "1"), ("3", "0", "1"), rate="2")
    assert solve_joint(pair, "rate").value == pytest.approx(2)  # four jobs of 2 s
    found = solve_joint(pair)
    assert found.status is Status.OPTIMAL
    assert found.value == found.bound == 4


@pytest.mark.parametrize("engine", ENGINES)
def test_infeasible_is_proven(engine: str) -> None:
    """A pair that serves 2 jobs/s cannot serve 2.1, and servers too small for the blocks serve nothing."""
    pair = instance_of(("3", "0", "1"), ("3", "0", "1"), rate="2.1")
    for instance in (pair, instance_of(("2", "0", "1"), blocks=4)):
        found = solve_joint(instance, engine=engine)
        assert found.status is Status.INFEASIBLE
        assert (found.composition, found.value, found.bound) == (None, None, None)


@pytest.mark.parametrize("engine", ["sizes", "enumeration"])
def test_unstable_is_proven(engine: str) -> None:
    """λ = 2 jobs/s is exactly what the pair serves, so it is unstable, while the largest rate is known."""
    pair = instance_of(("3", "0", "1"), ("3", "0", "1"), rate="4")
    assert solve_joint(pair, "response-time", engine=engine).status is Status.UNSTABLE
    nothing = instance_of(("2", "0", "1"), blocks=4)
    assert solve_joint(nothing, "response-time", engine=engine).status is Status.INFEASIBLE


@pytest.mark.parametrize("engine", ENGINES)
def test_pins_are_respected(engine: str) -> None:
    """A server pinned to both blocks leaves room for two blocks of cache: one job there, as on the other server."""
    instance = instance_of(("3", "0", "1"), ("3", "0", "1"), rate="1")
    pinned = instance.servers[0].replace(pin=BlockRange(start=0, stop=2))
    instance = instance.replace(servers=[pinned, instance.servers[1]])
    # two chains of one server: 2 jobs of 2 s. Or the second server takes block 1 only, which helps nobody: a job at
    # block 0 goes on to block 1 at the pinned server
    found = solve_joint(instance, "rate", engine=engine)
    assert found.value == pytest.approx(1)
    assert found.composition is not None
    assert (int(found.composition.placement.start[0]), int(found.composition.placement.stop[0])) == (0, 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_pins_that_leave_a_gap(engine: str) -> None:
    """All are pinned, memory is plenty, and block 2 is in no pin: infeasible for every objective."""
    instance = chainopt.read_instance(TINY / "tiny-infeasible-pins-gap.json")
    for objective in ENGINES[engine][1]:
        assert solve_joint(instance, objective, engine=engine).status is Status.INFEASIBLE


@pytest.mark.parametrize("engine", ENGINES)
def test_relaxation_has_chains_where_placements_have_none(engine: str) -> None:
    """Two servers pinned to the same block: the relaxation lets them process two blocks, no placement does."""
    instance = instance_of(("3", "0", "1"), ("3", "0", "1"))
    pin = BlockRange(start=1, stop=2)
    instance = instance.replace(servers=[server.replace(pin=pin) for server in instance.servers])
    for objective in ENGINES[engine][1]:
        assert solve_joint(instance, objective, engine=engine).status is Status.INFEASIBLE


def test_exhausted_time_is_no_proof() -> None:
    """At the time limit the best so far comes with the bound so far."""
    instance = drawn(3, servers=4, blocks=4).replace(workload=Workload(arrival_rate=Decimal("0.3")))
    for engine in ENGINES:
        begin = time.monotonic()
        found = solve_joint(instance, "rate", engine=engine, time_limit_s=0.0)
        assert time.monotonic() - begin < 1
        assert found.status in (Status.FEASIBLE, Status.UNKNOWN, Status.OPTIMAL)
        if found.value is not None and found.bound is not None:
            assert found.bound >= found.value * (1 - 1e-9)


def test_interrupt_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in an engine returns the greedy composition and the bound of the root."""
    instance = drawn(11, servers=4, blocks=4)

    def interrupted(state: State, envelope: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(joint.ENGINES, "sizes", (interrupted, tuple(Objective)))
    found = solve_joint(instance, "rate")
    assert found.status is Status.FEASIBLE
    assert found.closed_by is None
    assert found.value is not None
    assert found.bound is not None
    assert found.bound >= found.value


def test_a_lie_is_caught() -> None:
    """Compositions with too few slots, a pin moved or a rate missed are refused, and it is said why."""
    instance = instance_of(("3", "0", "1"), ("3", "0", "1"), rate="2")
    state = State(instance, Objective.JOB_SERVERS, math.inf)
    placement = Placement([0, 1], [1, 2])
    assert not state.offer(Composition.of(instance, placement, [[0, 1]], [5]))
    assert not state.offer(Composition.of(instance, placement, [[0, 1]], [3]))
    assert "1 slots short" in state.refused[0]
    assert "1.5" in state.refused[1]
    assert state.best is None
    assert state.offer(Composition.of(instance, placement, [[0, 1]], [4]))
    assert exact_rate(instance, Composition.of(instance, placement, [[0, 1]], [4])) == Fraction(2)
    pin = BlockRange(start=0, stop=2)
    pinned = instance.replace(servers=[instance.servers[0].replace(pin=pin), instance.servers[1]])
    with pytest.raises(ValueError, match="pinned elsewhere"):
        check(pinned, Composition.of(instance, placement, [[0, 1]], [1]), Objective.RATE)


def test_fixed_sizes_tighten_the_relaxation() -> None:
    """A server that hosts 2 blocks has S(2) slots whatever it runs, and one that hosts none has no parts."""
    instance = instance_of(("4", "0", "1"), ("4", "0", "1"), blocks=3)
    parts = parts_of(instance)
    fixed = with_sizes(instance, parts, (2, 0))
    assert fixed.blocks.tolist() == [1, 2]
    assert fixed.weight.tolist() == [0.25, 0.5]  # S(2) = floor(2 / 0.5) = 4
    assert fixed.first.tolist() == [0, 2, 2]
    free = with_sizes(instance, parts, (None, None))
    assert np.array_equal(free.weight, parts.weight)


def test_unknown_engines_are_refused() -> None:
    """The message names what there is."""
    instance = instance_of(("3", "0", "1"))
    with pytest.raises(ChainoptError, match="known are sizes"):
        solve_joint(instance, engine="magic")
    with pytest.raises(ChainoptError, match="not for response-time"):
        solve_joint(instance, "response-time", engine="job-slots")
