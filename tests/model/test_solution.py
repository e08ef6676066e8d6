"""Solutions: by ids of servers, with a value, a bound and a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chainopt.model import (
    Composition,
    Evaluation,
    HostedRange,
    InstanceReference,
    Objective,
    Placement,
    Solution,
    SolutionChain,
    Status,
)
from chainopt.model.solution import as_records, relative_gap

if TYPE_CHECKING:
    from chainopt.model import Instance


@pytest.fixture
def composition(worked_example: Instance) -> Composition:
    """Two chains of the worked example."""
    return Composition.of(worked_example, Placement([0, 1, 0, 1, 2], [1, 3, 1, 2, 3]), [[0, 1], [2, 3, 4]], [5, 5])


@pytest.fixture
def solution(worked_example: Instance, composition: Composition) -> Solution:
    """These chains as a solution."""
    placement, chains = as_records(worked_example, composition)
    return Solution(
        instance=InstanceReference(name="worked-example", sha256="0" * 64),
        method="by hand",
        version="0",
        objective=Objective.RESPONSE_TIME,
        status=Status.FEASIBLE,
        placement=placement,
        chains=chains,
        evaluation=Evaluation(total_service_rate=3.2, job_servers=10, load=0.2, mean_response_time_s=3.1),
    )


def test_records(worked_example: Instance, composition: Composition) -> None:
    """Placement and chains are written by ids; servers that host nothing are left out."""
    empty = Composition.of(worked_example, Placement([0, 1, 0, 0, 0], [1, 3, 0, 0, 0]), [[0, 1]], [5])

    placement, chains = as_records(worked_example, empty)

    assert placement == (HostedRange(server="s1", start=0, stop=1), HostedRange(server="s2", start=1, stop=3))
    assert chains == (SolutionChain(servers=("s1", "s2"), capacity=5, service_time_s=3.05),)
    assert len(as_records(worked_example, composition)[0]) == 5


def test_composition(worked_example: Instance, composition: Composition, solution: Solution) -> None:
    """A solution that knows its instance gives its composition back by positions."""
    again = solution.bind(worked_example).composition

    assert again.chains == composition.chains
    assert again.placement == composition.placement


def test_composition_needs_the_instance(solution: Solution) -> None:
    """A solution that was read alone says what it lacks."""
    with pytest.raises(ValueError, match="the solution knows no instance"):
        _ = solution.composition


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"placement": [{"server": "s9", "start": 0, "stop": 3}]}, "the instance has no server 's9'"),
        ({"chains": [{"servers": ["s9"], "capacity": 1, "service_time_s": 1}]}, "the instance has no server 's9'"),
        ({"chains": [{"servers": ["s1"], "capacity": 1, "service_time_s": 1}]}, "chain 0 ends at block 1 of 3"),
        ({"placement": []}, "chain 0: server 0 hosts 0 to 0, not block 0"),
    ],
)
def test_composition_that_does_not_fit(
    changes: dict[str, Any], message: str, worked_example: Instance, solution: Solution
) -> None:
    """Servers that the instance lacks and chains that the placement lacks are errors."""
    with pytest.raises(ValueError, match=message):
        _ = solution.replace(**changes).bind(worked_example).composition


@pytest.mark.parametrize(
    ("objective", "value"), [(Objective.RESPONSE_TIME, 3.1), (Objective.JOB_SERVERS, 10), (Objective.RATE, 3.2)]
)
def test_value(objective: Objective, value: float, solution: Solution) -> None:
    """The value is the evaluation's number for the objective; without an evaluation there is none."""
    assert solution.replace(objective=objective).value == value
    assert solution.replace(objective=objective, evaluation=None).value is None


def test_value_of_an_unstable_solution(solution: Solution) -> None:
    """Where the load is too high there is no response time, and so no value."""
    unstable = Evaluation(total_service_rate=0.1, job_servers=1, load=7)

    assert solution.replace(evaluation=unstable).value is None


@pytest.mark.parametrize(
    ("value", "bound", "gap"),
    [(10, 8, 0.2), (8, 10, 0.2), (10, 10, 0), (0, 0, 0), (0, 5, 1), (-10, -8, 0.2), (1e300, -1e300, 2)],
)
def test_relative_gap(value: float, bound: float, gap: float) -> None:
    """The gap is |value - bound| / max(|value|, |bound|), the same from both sides, 0 where both are 0."""
    assert relative_gap(value, bound) == pytest.approx(gap)
    assert relative_gap(bound, value) == relative_gap(value, bound)
