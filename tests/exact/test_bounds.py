"""Bounds: never beyond what any composition attains, and right where the truth is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import chainopt
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact import bound
from chainopt.exact.envelope import GAP, Envelope
from chainopt.exact.parts import Parts, parts_of
from chainopt.exact.pricing import _below, cheapest_chain, worthy_chains
from chainopt.exact.worth import RATE, worth_above
from chainopt.facade import AUTO, EXACT, methods
from chainopt.model import Instance, Objective, Server, Service, Workload
from chainopt.queueing import jffc, jffc_bounds
from tests.strategies import instances

HEURISTICS = [method for method in methods() if method not in (AUTO, EXACT)]


def all_chains(parts: Parts) -> list[list[int]]:
    """Every chain of the relaxation, by trying every choice of every server."""
    choices = [[-1, *range(a, b)] for a, b in itertools.pairwise(parts.first.tolist())]
    chains = []
    for choice in itertools.product(*choices):
        chain = [p for p in choice if p >= 0]
        if sum(int(parts.blocks[p]) for p in chain) == parts.total:
            chains.append(chain)
    return chains


def value(parts: Parts, chains: list[list[int]], jobs: float) -> float:
    """V(n) by a linear program over all chains."""
    rates = [1 / parts.time_s[chain].sum() for chain in chains]
    rows = np.zeros((parts.first.size, len(chains)))
    rows[0] = 1
    for k, chain in enumerate(chains):
        for p in chain:
            rows[1 + parts.server[p], k] = parts.weight[p]
    limits = np.concatenate(([jobs], np.ones(parts.first.size - 1)))
    solved = linprog([-rate for rate in rates], A_ub=rows, b_ub=limits, method="highs")
    return -float(solved.fun)


def single(slots: int, rate: float) -> Instance:
    """One server, 2 blocks of 1 GB, 0.1 GB of cache, room for so many jobs of 1 + 2 · 0.5 = 2 s."""
    return Instance(
        name="single",
        service=Service(blocks=2, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=rate),
        servers=[Server(id="s", memory_gb=round(2 + 0.2 * slots, 1), comm_s=1, comp_s_per_block=0.5)],
    )


@settings(max_examples=80, deadline=None)
@given(instance=instances(most_servers=4, most_blocks=5), data=st.data())
def test_pricing_finds_the_least_of_all_chains(instance: Instance, data: st.DataObject) -> None:
    """The least D - φ(T) over an enumeration of all chains, and only chains below the ceiling are returned."""
    parts = parts_of(instance)
    price = np.array(data.draw(st.lists(st.floats(0, 2), min_size=parts.time_s.size, max_size=parts.time_s.size)))
    slack, rate, job = data.draw(st.floats(-2, 2)), data.draw(st.floats(0, 2)), data.draw(st.floats(-1, 1))
    weights = np.array(data.draw(st.lists(st.floats(0, 2), min_size=2, max_size=2)))
    worth = worth_above(weights, np.array(data.draw(st.lists(st.floats(0, 1), min_size=2, max_size=2))))
    chains = all_chains(parts)
    chain, exists = cheapest_chain(parts, price)
    assert bool(chain.size) == exists == bool(chains)
    if not chains:
        return

    def reduced(chain: list[int]) -> float:
        time_s = parts.time_s[chain].sum()
        return float(price[chain].sum() + job - rate / time_s - worth.of(np.array([time_s]))[0])

    least = min(reduced(chain) for chain in chains)
    found, most = worthy_chains(parts, price, worth, slack, rate, job)
    assert most == pytest.approx(max(slack, -least), rel=1e-9, abs=1e-9)
    assert bool(found) == (least < -slack) or abs(least + slack) < 1e-9
    for vertex in found:
        assert sorted(vertex.tolist()) in [sorted(c) for c in chains]
        assert reduced(vertex.tolist()) < -slack + 1e-9
    assert worthy_chains(parts, price, worth, slack, rate, job, until=0.0)[1] >= max(slack, -least) - 1e-9


def test_pricing_that_stops_early_still_bounds_all_chains() -> None:
    """Prices at which the best chain is neither the cheapest nor the fastest, which are all that is seen at first."""
    servers = [Server(id=f"s{j}", memory_gb=4, comm_s=0.2 * j, comp_s_per_block=2 / (j + 1)) for j in range(5)]
    service = Service(blocks=6, block_gb=1, cache_gb=0.25)
    parts = parts_of(Instance(name="x", service=service, workload=Workload(arrival_rate=1), servers=servers))
    chains, rng, missed = all_chains(parts), np.random.default_rng(1), 0
    for _ in range(40):
        price = rng.uniform(0, 0.1, parts.time_s.size)
        least = min(float(price[chain].sum() - 1 / parts.time_s[chain].sum()) for chain in chains)
        for looks in range(4):
            found, ends, proven = _below(parts, price, RATE, 0.0, 0.0, math.inf, looks)
            assert proven <= least + 1e-12
            seen = [chain.astype(np.int64) for chain in np.split(found, ends[:-1])]
            missed += min(float(price[chain].sum() - 1 / parts.time_s[chain].sum()) for chain in seen) > least + 1e-9
    assert missed > 10


@settings(max_examples=60, deadline=None)
@given(instance=instances(most_servers=4, most_blocks=5), jobs=st.floats(0.5, 20))
def test_envelope_encloses_the_linear_program(instance: Instance, jobs: float) -> None:
    """Lines lie above V and points below it, and where it is solved both are close."""
    parts = parts_of(instance)
    envelope = Envelope(parts)
    chains = all_chains(parts)
    assert envelope.exists == bool(chains)
    if not chains:
        return
    envelope.solve(jobs)
    for n in (0.3, 1.0, jobs, 2 * jobs, 1e3):
        truth = value(parts, chains, n)
        assert float(envelope.above(np.array([n]))[0]) >= truth * (1 - 1e-9)
        assert float(envelope.below(np.array([n]))[0]) <= truth * (1 + 1e-9)
    at = min(jobs, envelope.most_jobs)
    assert float(envelope.above(np.array([at]))[0]) <= value(parts, chains, at) * (1 + 2 * GAP)
    assert value(parts, chains, 1e9) == pytest.approx(value(parts, chains, envelope.most_jobs), rel=1e-9)


def feasible(instance: Instance, method: str, objective: Objective) -> float | None:
    """Value of what a method finds, None where it finds nothing that does what is asked."""
    try:
        solution = chainopt.compose(instance, method, objective)
    except (InfeasibleError, UnstableError):
        return None
    return solution.value if solution.status == "feasible" else None


@settings(max_examples=80, deadline=None)
@given(
    instance=instances(most_servers=8, most_blocks=8),
    chosen=st.lists(st.sampled_from(HEURISTICS), min_size=5, max_size=5, unique=True),
    any_policy=st.booleans(),
)
def test_no_composition_is_better_than_the_bound(instance: Instance, chosen: list[str], any_policy: bool) -> None:
    """Whatever methods find, on every objective; and where nothing can be found, they find nothing."""
    for objective in Objective:
        found = [feasible(instance, method, objective) for method in chosen]
        values = [value for value in found if value is not None]
        try:
            proven = bound(instance, objective, any_policy=any_policy)
        except (InfeasibleError, UnstableError):
            assert values == []
            continue
        if objective is Objective.RATE:
            assert all(value <= proven for value in values)
        else:
            assert all(value >= proven for value in values)


@pytest.mark.parametrize(("slots", "load"), [(1, 0.5), (3, 0.2), (3, 0.9), (20, 0.7), (20, 0.99)])
def test_one_server_is_exact(slots: int, load: float) -> None:
    """One server has one chain, jobs have nothing to move between, and the bound is M/M/c itself."""
    rate = round(load * slots / 2, 6)
    proven = bound(single(slots, rate))
    assert proven == pytest.approx(jffc([0.5], [slots], rate).mean_response_time_s, rel=2e-3)
    assert proven <= jffc([0.5], [slots], rate).mean_response_time_s


def test_rate_and_job_servers_of_one_server() -> None:
    """Ten jobs at 1/2 a second make 5 jobs/s; 2 / 0.7 = 2.86 jobs/s take 5.7 of them, so 6."""
    instance = single(10, 2)
    assert bound(instance, "rate") == pytest.approx(5, rel=1e-6)
    assert bound(instance, "job-servers") == 6


def test_light_load_is_the_fastest_chain(worked_example: Instance) -> None:
    """With next to no traffic a job takes 1.01 + 2.04 s: one block at server 1, two at server 2."""
    quiet = worked_example.replace(workload=worked_example.workload.replace(arrival_rate=1e-6))
    assert bound(quiet) == pytest.approx(3.05, rel=1e-5)
    assert bound(quiet) <= 3.05


def test_unstable_is_proven() -> None:
    """Ten jobs of 2 s cannot serve 5.001 jobs a second."""
    with pytest.raises(UnstableError, match=r"arrival rate is 5.001 jobs/s, no composition serves more than 5 jobs/s"):
        bound(single(10, 5.001))
    with pytest.raises(InfeasibleError, match=r"no composition serves 5\.71429 jobs/s"):
        bound(single(10, 4), "job-servers")


def test_infeasible_is_proven(worked_example: Instance) -> None:
    """Six blocks of twelve have no room; a pin that does not fit; pins that leave a gap nobody can fill."""
    with pytest.raises(InfeasibleError, match="6 of the blocks"):
        bound(worked_example.replace(service=worked_example.service.replace(blocks=12)))
    servers = list(worked_example.servers)
    pinned = [servers[0].replace(pin={"start": 0, "stop": 3}), *servers[1:]]
    with pytest.raises(InfeasibleError, match="'s1' is 1 GB short of the 3 blocks"):
        bound(worked_example.replace(servers=pinned))
    apart = [server.replace(pin={"start": 0, "stop": 1}) for server in servers[:2]]
    with pytest.raises(InfeasibleError, match=r"1 of the blocks .*, pins considered"):
        bound(worked_example.replace(servers=apart))


def test_time_limit_gives_a_weaker_bound() -> None:
    """A bound cut short is a bound still."""
    instance = chainopt.read_instance("instances/bloom/bloom-ripe-j20-eta20-s1-medium.json")
    short, full = bound(instance, time_limit_s=1e-9), bound(instance, time_limit_s=4)
    assert 0 < short <= full * (1 + 1e-9)


def test_no_chain_at_all() -> None:
    """Two blocks of one block's parts make no chain of three."""
    two = np.array([1, 1])
    parts = Parts(np.array([0, 1, 2]), np.array([0, 1]), two, np.ones(2), two, np.ones(2), two, 3)
    chain, exists = cheapest_chain(parts, np.ones(2))
    assert (chain.size, exists) == (0, False)


def test_jobs_that_stay_prove_more_than_jobs_that_move() -> None:
    """Two job servers of 1 s and 3 s, at 0.9 jobs/s: most of what lies between the means of both is proven.

    Where jobs move, v = (1, 4/3): Theorem 4's lower bound.
    """
    instance = Instance(
        name="two",
        service=Service(blocks=1, block_gb=1, cache_gb=1),
        workload=Workload(arrival_rate=0.9),
        servers=[
            Server(id="fast", memory_gb=2, comm_s=0.5, comp_s_per_block=0.5),
            Server(id="slow", memory_gb=2, comm_s=2.5, comp_s_per_block=0.5),
        ],
    )
    exact = jffc(np.array([1.0, 1 / 3]), np.array([1, 1]), 0.9).mean_response_time_s
    moving = jffc_bounds(np.array([1.0, 1 / 3]), np.array([1, 1]), 0.9)[0]
    assert bound(instance, any_policy=True) == pytest.approx(moving, rel=5e-3)
    assert bound(instance, any_policy=True) <= moving * (1 + 1e-9)
    assert moving + 0.7 * (exact - moving) < bound(instance) <= exact
