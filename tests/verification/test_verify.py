"""`verify` accepts what is true and names what is not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.model import HostedRange, Instance, Solution, SolutionChain
from chainopt.queueing import jffc, jffc_bounds
from chainopt.verification import response
from tests.strategies import instances

Change = Callable[[Solution], Solution]


@pytest.fixture
def solution(worked_example: Instance) -> Solution:
    return chainopt.compose(worked_example, cache_reservation=1, stop="never")


def chain(k: int, **changes: object) -> Change:
    def change(solution: Solution) -> Solution:
        chains = list(solution.chains)
        chains[k] = chains[k].replace(**changes)
        return solution.replace(chains=chains)

    return change


def hosted(i: int, **changes: object) -> Change:
    def change(solution: Solution) -> Solution:
        placement = list(solution.placement)
        placement[i] = placement[i].replace(**changes)
        return solution.replace(placement=placement)

    return change


def figure(name: str, factor: float) -> Change:
    def change(solution: Solution) -> Solution:
        evaluation = solution.evaluation
        assert evaluation is not None
        return solution.replace(evaluation=evaluation.replace(**{name: getattr(evaluation, name) * factor}))

    return change


def whole(**changes: object) -> Change:
    return lambda solution: solution.replace(**changes)


FALSE: dict[str, tuple[Change, str]] = {
    "another instance": (
        whole(instance={"name": "x", "sha256": "0" * 64}),
        r"instance\.sha256: belongs to another instance than 'worked-example'",
    ),
    "unknown server placed": (
        lambda s: s.replace(placement=[*s.placement, HostedRange(server="s9", start=0, stop=1)]),
        r"placement\[5\]: the instance has no server 's9'",
    ),
    "server placed twice": (
        lambda s: s.replace(placement=[*s.placement, HostedRange(server="s1", start=0, stop=1)]),
        r"placement\[5\]: server 's1' is placed twice",
    ),
    "too much memory": (
        hosted(0, stop=3),
        r"placement\[0\]: server 's1' needs 3 GB for its blocks, it has 2 GB",
    ),
    "beyond the last block": (hosted(1, start=2, stop=4), r"placement\[1\]: stop is 4, there are 3 blocks"),
    "unknown server on a chain": (chain(0, servers=("s1", "s8")), r"chains\[0\]: the instance has no server 's8'"),
    "server that hosts nothing": (
        lambda s: s.replace(placement=s.placement[1:]),
        r"chains\[0\]: server 's1' hosts nothing",
    ),
    "block left out": (
        chain(1, servers=("s1", "s5")),
        r"chains\[1\]: after block 0 it goes to server 's5', which hosts 2 to 3",
    ),
    "stops early": (chain(1, servers=("s1", "s4")), r"chains\[1\]: it ends after 2 of 3 blocks"),
    "goes on after the end": (
        chain(1, servers=("s1", "s4", "s5", "s2")),
        r"chains\[1\]: after block 2 it goes to server 's2', which hosts 1 to 3",
    ),
    "server twice": (chain(1, servers=("s1", "s4", "s4")), r"chains\[1\]: server 's4' stands on it twice"),
    "service time": (
        chain(2, service_time_s=3.13),
        r"chains\[2\]: service_time_s is 3\.13, its servers and blocks give 3\.12",
    ),
    # server 1 has 10 slots: 5 of chain 0, 5 of chain 1
    "too much capacity": (chain(0, capacity=6), r"placement\[0\]: server 's1' has 10 cache slots, its chains use 11"),
    "job servers": (figure("job_servers", 2), r"evaluation\.job_servers: 30, recomputed 15"),
    "rate": (figure("total_service_rate", 1.0001), r"evaluation\.total_service_rate: 4\.855297\d*, recomputed 4\.8548"),
    "load": (figure("load", 0.999), r"evaluation\.load: .* recomputed 0\.144"),
    "response": (figure("mean_response_time_s", 0.99999), r"evaluation\.mean_response_time_s: .*, recomputed 3\.05"),
    "service": (figure("mean_service_time_s", 1.00001), r"evaluation\.mean_service_time_s: .*, recomputed 3\.05"),
    "waiting": (figure("mean_waiting_time_s", 1.01), r"evaluation\.mean_waiting_time_s: "),
    "probability": (figure("waiting_probability", 2), r"evaluation\.waiting_probability: "),
    "lower": (figure("lower_bound_s", 0.999), r"evaluation\.lower_bound_s: "),
    "upper": (figure("upper_bound_s", 1.001), r"evaluation\.upper_bound_s: "),
    "p95": (figure("p95_response_time_s", 1.0001), r"evaluation\.p95_response_time_s: 0\.0499.* take longer than"),
    "p99": (figure("p99_response_time_s", 0.9999), r"evaluation\.p99_response_time_s: 0\.0100.* take longer than"),
    "optimal without bound": (whole(status="optimal"), r"status: optimal, but there is no bound"),
    "optimal with another bound": (
        whole(status="optimal", bound=3.0),
        r"status: optimal, but value 3\.05\d* and bound 3 differ",
    ),
    "bound beyond": (whole(bound=3.2), r"bound: 3\.2 is beyond the value 3\.05\d* that it bounds"),
    "gap without bound": (whole(gap=0.1), r"gap: 0\.1, but there is no bound"),
    "gap": (whole(bound=3.0, gap=0.5), r"gap: 0\.5, recomputed 0\.01"),
    "infeasible": (whole(status="infeasible"), r"status: infeasible, but there is a composition"),
    "unstable": (whole(status="unstable"), r"status: unstable, but the total service rate is 4\.85"),
    "no chain": (whole(chains=(), evaluation=None), r"status: feasible, but there is no chain"),
    "rate missed": (
        lambda s: s.replace(
            objective="job-servers",
            chains=[s.chains[0].replace(capacity=2)],
            evaluation=None,
        ),
        r"status: feasible, but the total service rate 0\.65\d* is below 1 jobs/s",
    ),
    "load above 1": (
        lambda s: s.replace(chains=[s.chains[0].replace(capacity=2)], evaluation=None),
        r"status: feasible, but the arrival rate 0\.7 is not below 0\.65",
    ),
}


def test_what_is_computed_is_accepted(worked_example: Instance, solution: Solution) -> None:
    """The worked example, as solved, has no violation."""
    assert chainopt.verify(worked_example, solution) == []


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_is_named(name: str, worked_example: Instance, solution: Solution) -> None:
    """Each falsehood is found where it stands."""
    change, message = FALSE[name]
    violations = [str(violation) for violation in chainopt.verify(worked_example, change(solution))]
    assert any(re.search(f"^{message}", violation) for violation in violations), violations


def test_times_of_an_unstable_composition(worked_example: Instance, solution: Solution) -> None:
    """There is no response time where the load is not below 1."""
    kept = [solution.chains[0].replace(capacity=2)]  # 2 / 3.05 < 0.7
    violations = chainopt.verify(worked_example, solution.replace(chains=kept))
    assert "evaluation.mean_response_time_s" in {violation.place for violation in violations}


def test_pin_and_reserve(worked_example: Instance) -> None:
    """A pinned server hosts its pin, and its reserve is not for blocks."""
    servers = list(worked_example.servers)
    servers[3] = servers[3].replace(pin={"start": 1, "stop": 2})
    pinned = worked_example.replace(servers=servers)
    solution = chainopt.compose(pinned)
    assert chainopt.verify(pinned, solution) == []
    elsewhere = [entry for entry in solution.placement if entry.server != "s4"]
    violations = [str(v) for v in chainopt.verify(pinned, solution.replace(placement=elsewhere))]
    assert "placement: server 's4' is pinned to 1 to 2, it hosts nothing" in violations
    servers[3] = worked_example.servers[3].replace(reserve_gb=1.5)
    reserved = worked_example.replace(servers=servers)
    assert chainopt.verify(reserved, chainopt.compose(reserved)) == []
    hosting = solution.replace(instance={"name": "x", "sha256": "0" * 64})
    messages = [str(v) for v in chainopt.verify(reserved, hosting)]
    assert any("needs 1 GB for its blocks, it has 2 GB less 1.5 GB reserved" in message for message in messages)


def test_infeasible_is_believed_only_if_nothing_fits(worked_example: Instance) -> None:
    """Twelve blocks do not fit, three do."""
    large = worked_example.replace(service=worked_example.service.replace(blocks=12))
    with pytest.raises(chainopt.InfeasibleError) as caught:
        chainopt.compose(large)
    assert caught.value.solution is not None
    assert chainopt.verify(large, caught.value.solution) == []
    moved = caught.value.solution.replace(instance={"name": "x", "sha256": "0" * 64})
    places = {violation.place for violation in chainopt.verify(worked_example, moved)}
    assert places == {"instance.sha256", "status"}


@settings(max_examples=100, deadline=None)
@given(instance=instances(), data=st.data())
def test_one_more_job_is_one_too_many(instance: Instance, data: st.DataObject) -> None:
    """GCA leaves no chain that could run one job more."""
    try:
        solution = chainopt.compose(instance, "gbp-cr+gca", "rate")
    except chainopt.ChainoptError:
        return
    k = data.draw(st.integers(0, len(solution.chains) - 1))
    more = chain(k, capacity=solution.chains[k].capacity + 1)(solution)
    assert any("cache slots" in violation.message for violation in chainopt.verify(instance, more))


@settings(max_examples=150, deadline=None)
@given(
    chains=st.lists(st.tuples(st.floats(1e-3, 10), st.integers(1, 60)), min_size=1, max_size=8),
    load=st.sampled_from([1e-6, 0.01, 0.3, 0.7, 0.9, 0.99, 1 - 1e-6]),
)
def test_other_formulas_agree(chains: list[tuple[float, int]], load: float) -> None:
    """Takács' sums chain by chain, and Palm's recursion server by server."""
    chains = sorted(chains, reverse=True)
    rates = np.array([rate for rate, _ in chains])
    capacities = np.array([count for _, count in chains])
    total = float(np.sum(rates * capacities))
    arrival_rate = load * total
    exact, other = jffc(rates, capacities, arrival_rate), response.response(rates, capacities, arrival_rate)
    assert other.mean_service + other.mean_waiting == pytest.approx(exact.mean_response_time_s, rel=1e-11)
    assert other.at_once + other.after_wait == pytest.approx(exact.shares, rel=1e-9, abs=1e-13)
    assert response.bounds(rates, capacities, arrival_rate) == pytest.approx(
        jffc_bounds(rates, capacities, arrival_rate), rel=1e-9
    )
    for beyond in (0.05, 0.01):
        time = exact.quantile(1 - beyond)
        assert response.tail(other, rates, total - arrival_rate, time) == pytest.approx(beyond, rel=1e-8)


def test_names_are_not_shared_with_the_algorithms() -> None:
    """No module of the checker imports a stage."""
    import subprocess
    import sys

    code = (
        "import sys, chainopt.verification\n"
        "rooms = {m.split('.')[1] for m in sys.modules if m.startswith('chainopt.')}\n"
        "print(*sorted(rooms & {'topology', 'placement', 'allocation', 'queueing', 'tuning', 'facade', 'jit'}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []


def test_a_thousand_chains_of_one_job_agree() -> None:
    """Large systems too, within the tolerance of claims."""
    rates = np.geomspace(1, 0.1, 300)
    capacities = np.ones(300, dtype=np.int64)
    arrival_rate = 0.95 * float(rates.sum())
    exact, other = jffc(rates, capacities, arrival_rate), response.response(rates, capacities, arrival_rate)
    assert math.isclose(other.mean_service + other.mean_waiting, exact.mean_response_time_s, rel_tol=1e-10)


def test_chains_of_the_file_need_not_be_sorted(worked_example: Instance, solution: Solution) -> None:
    """The order of the chains in a file does not matter."""
    reordered: tuple[SolutionChain, ...] = solution.chains[::-1]
    assert chainopt.verify(worked_example, solution.replace(chains=reordered)) == []


def test_infeasible_for_a_pin_that_does_not_fit(worked_example: Instance) -> None:
    """A pin without the memory for it leaves no placement, whatever the other servers could do."""
    servers = [worked_example.servers[0].replace(pin={"start": 0, "stop": 3}), *worked_example.servers[1:]]
    pinned = worked_example.replace(servers=servers)
    with pytest.raises(chainopt.InfeasibleError, match="'s1' is 1 GB short of the 3 blocks") as caught:
        chainopt.compose(pinned)
    assert caught.value.solution is not None
    assert chainopt.verify(pinned, caught.value.solution) == []


@pytest.mark.parametrize("thresholds", [[0, 1, 1], [1, 2.5, 1], "x", [1, 1], [2, 1, 1], [None, 1, 1]])
def test_thresholds_that_are_none(worked_example: Instance, thresholds: object) -> None:
    """Thresholds in the parameters are whole numbers from 1, one for each chain, 1 for the fastest."""
    solution = chainopt.compose(worked_example, "paper")
    assert len(solution.chains) == 3
    good = solution.replace(parameters={"thresholds": [1, 2, 3]})
    assert chainopt.verify(worked_example, good) == []
    bad = solution.replace(parameters={"thresholds": thresholds})
    (violation,) = chainopt.verify(worked_example, bad)
    assert "thresholds" in str(violation)
