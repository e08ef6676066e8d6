"""The default method: never worse than the paper's algorithms, proven where it can be, deterministic where asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

import chainopt
from chainopt import auto
from chainopt.model import Instance, Objective, Solution, Status
from chainopt.quantity import at_least
from tests.strategies import instances

ROOT = Path(__file__).parents[2]


def solve(
    instance: Instance, method: str = "auto", objective: Objective = Objective.RESPONSE_TIME, **options: object
) -> Solution:
    """The solution, whatever its status."""
    try:
        return chainopt.compose(instance, method, objective, **options)  # type: ignore[arg-type]
    except (chainopt.InfeasibleError, chainopt.UnstableError) as error:
        return error.solution  # type: ignore[return-value]


@settings(max_examples=25, deadline=None)
@given(instance=instances())
def test_never_worse_than_the_paper(instance: Instance) -> None:
    """Whatever the objective, what the paper's algorithms achieve is achieved, and `verify` finds nothing wrong."""
    for objective in Objective:
        found = solve(instance, objective=objective, iterations=100)
        paper = solve(instance, "paper", objective)
        assert chainopt.verify(instance, found) == []
        if paper.status is Status.FEASIBLE:
            assert found.status is Status.FEASIBLE
            assert found.value is not None
            assert paper.value is not None
            better, worse = (found.value, paper.value) if objective is Objective.RATE else (paper.value, found.value)
            assert at_least(better, worse)


def test_small_instances_are_proven(worked_example: Instance) -> None:
    """Five servers and three blocks are enumerated; the optimum is a little below the paper's 3.0522 s."""
    solution = chainopt.compose(worked_example, time_limit_s=20)
    assert solution.status is Status.OPTIMAL
    assert solution.gap == 0
    assert solution.value == pytest.approx(3.0513, abs=1e-4)


def test_stability_that_gca_loses() -> None:
    """The instance on which GCA finds no stable composition although there is one."""
    instance = chainopt.read_instance(ROOT / "instances" / "tiny" / "tiny-gca-loses-stability.json")
    with pytest.raises(chainopt.UnstableError):
        chainopt.compose(instance, "paper")
    solution = chainopt.compose(instance, iterations=3000)
    assert solution.status in (Status.FEASIBLE, Status.OPTIMAL)
    assert chainopt.verify(instance, solution) == []


def test_iterations_decide() -> None:
    """With a number of iterations, the same seed gives the same solution, one process or two tell the same story."""
    instance = chainopt.read_instance(ROOT / "instances" / "random" / "random-j10-l20-loose.json")
    first, second = (chainopt.compose(instance, iterations=2000, seed=3) for _ in range(2))
    assert (first.placement, first.chains) == (second.placement, second.chains)
    both = chainopt.compose(instance, iterations=2000, seed=3, workers=2)
    other = chainopt.compose(instance, iterations=2000, seed=4)
    assert both.value == min(first.value, other.value)  # type: ignore[type-var]


def test_proven_outcomes() -> None:
    """What is proven impossible is said to be so."""
    for name, error in (("infeasible-memory", chainopt.InfeasibleError), ("unstable", chainopt.UnstableError)):
        instance = chainopt.read_instance(ROOT / "instances" / "tiny" / f"tiny-{name}.json")
        with pytest.raises(error, match=r"no (stable )?composition exists"):
            chainopt.compose(instance)


def test_interrupt_keeps_the_best(worked_example: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the bound is proven leaves the greedy composition; before there is any, it is an interrupt."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(auto, "_bound", interrupt)
    solution = chainopt.compose(worked_example)
    assert solution.status is Status.FEASIBLE
    assert solution.bound is None
    monkeypatch.setattr(auto, "_start", interrupt)
    with pytest.raises(KeyboardInterrupt):
        chainopt.compose(worked_example)


def test_watch(worked_example: Instance) -> None:
    """Whoever watches sees values that fall and the bound that comes."""
    seen: list[tuple[float | None, float | None]] = []
    chainopt.compose(worked_example, time_limit_s=10, watch=lambda value, bound: seen.append((value, bound)))
    values = [value for value, _ in seen if value is not None]
    assert values == sorted(values, reverse=True)
    assert seen[-1][1] is not None


def test_bad_arguments(worked_example: Instance) -> None:
    """What does not go together is refused."""
    solution = chainopt.compose(worked_example, "paper")
    with pytest.raises(ValueError, match="only the method 'auto'"):
        chainopt.compose(worked_example, "exact", previous=solution)
    with pytest.raises(ValueError, match="previous solution"):
        chainopt.compose(worked_example, max_moved_blocks=3)


def test_interrupt_in_a_kernel(worked_example: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ctrl-C comes while a kernel returns numba raises a `SystemError`; it is an interrupt all the same."""

    def interrupt(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise SystemError("returned a result with an exception set") from error

    monkeypatch.setattr(auto, "_bound", interrupt)
    assert chainopt.compose(worked_example).status is Status.FEASIBLE
    monkeypatch.setattr(auto, "_bound", lambda *_: (_ for _ in ()).throw(SystemError("something else")))
    with pytest.raises(SystemError):
        chainopt.compose(worked_example)


def test_unstable_from_what_is_in_place(worked_example: Instance) -> None:
    """Too much traffic is unstable, not unknown, also when starting from a solution; the composition is kept."""
    old = chainopt.compose(worked_example, "paper")
    busy = worked_example.replace(workload=worked_example.workload.replace(arrival_rate=50))
    with pytest.raises(chainopt.UnstableError) as caught:
        chainopt.compose(busy, previous=old)
    assert caught.value.solution is not None
    assert caught.value.solution.status is Status.UNSTABLE
    assert caught.value.solution.chains
