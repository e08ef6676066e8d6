"""The method ``exact``: proven, verified, and never worse than any other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact import ExactOptions
from chainopt.facade import AUTO, EXACT, methods
from chainopt.model import Instance, Objective, Solution, Status
from tests.strategies import instances


def solve(instance: Instance, method: str, objective: Objective, **limit: object) -> Solution:
    """The solution, whatever its status."""
    try:
        return chainopt.compose(instance, method, objective, **limit)  # type: ignore[arg-type]
    except (InfeasibleError, UnstableError) as error:
        return error.solution  # type: ignore[return-value]


@settings(max_examples=40, deadline=None)
@given(
    instance=instances(most_servers=3, most_blocks=3),
    chosen=st.lists(st.sampled_from(methods()), min_size=6, max_size=6, unique=True),
)
def test_exact_is_proven_and_no_method_is_better(instance: Instance, chosen: list[str]) -> None:
    """On small instances every answer is proven, holds against the equations, and is at least as good as any other."""
    for objective in Objective:
        exact = solve(instance, EXACT, objective)
        assert exact.status in (Status.OPTIMAL, Status.INFEASIBLE, Status.UNSTABLE)
        assert chainopt.verify(instance, exact) == []
        for method in chosen:
            limit = {"iterations": 50} if method == AUTO else {}
            other = solve(instance, method, objective, **limit)
            if other.status is Status.FEASIBLE:
                assert exact.value is not None
                assert other.value is not None
                if objective is Objective.RATE:
                    assert other.value <= exact.value * (1 + 1e-12)
                else:
                    assert other.value >= exact.value * (1 - 1e-12)


def test_a_stable_composition_where_gca_finds_none() -> None:
    """GCA takes the fastest chain first and loses the rate for it; there is an allocation that serves the traffic."""
    instance = chainopt.read_instance("instances/tiny/tiny-gca-loses-stability.json")
    with pytest.raises(UnstableError):
        chainopt.compose(instance, "paper")
    solution = chainopt.compose(instance, EXACT)
    assert solution.status is Status.OPTIMAL
    assert solution.composition.total_service_rate > float(instance.workload.arrival_rate)
    assert chainopt.verify(instance, solution) == []


def test_time_limit_leaves_a_bound() -> None:
    """Too large to be proven in a moment: the best found, a bound and the gap between them."""
    instance = chainopt.read_instance("instances/bloom/bloom-ripe-j20-eta20-s1-medium.json")
    solution = chainopt.compose(instance, EXACT, time_limit_s=1)
    assert solution.status is Status.FEASIBLE
    assert solution.bound is not None
    assert solution.value is not None
    assert solution.bound < solution.value
    assert solution.gap == pytest.approx(1 - solution.bound / solution.value)
    assert chainopt.verify(instance, solution) == []


@pytest.mark.parametrize("engine", ["sizes", "enumeration", "job-slots", "chain-columns"])
def test_every_engine_and_its_progress(engine: str) -> None:
    """All engines come to the same number of job servers, and say how: values fall and bounds rise until they meet."""
    instance = chainopt.read_instance("instances/tiny/tiny-j5-l6-s12.json")
    told: list[tuple[float | None, float | None]] = []
    options = ExactOptions(engine=engine, watch=lambda value, bound: told.append((value, bound)))
    solution = chainopt.compose(instance, EXACT, Objective.JOB_SERVERS, exact=options)
    assert solution.status is Status.OPTIMAL
    assert solution.value == chainopt.compose(instance, EXACT, Objective.JOB_SERVERS).value
    assert told[-1] == (solution.value, solution.bound)
    values = [value for value, _ in told if value is not None]
    bounds = [bound for _, bound in told if bound is not None]
    assert values == sorted(values, reverse=True)
    assert bounds == sorted(bounds)


def test_options_are_checked() -> None:
    """An engine or a backend that is not there is named, a senseless number of threads refused."""
    instance = chainopt.read_instance("instances/tiny/tiny-j5-l6-s12.json")
    with pytest.raises(chainopt.ChainoptError, match="no engine 'magic'; known are sizes"):
        chainopt.compose(instance, EXACT, exact=ExactOptions(engine="magic"))
    with pytest.raises(ValueError, match="number of threads of at least 1, got 0"):
        ExactOptions(threads=0)
