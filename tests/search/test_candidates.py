"""Which states the search goes on with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainopt.search.candidates import SAME, Candidate, distinct, merged, next_of
from chainopt.search.ranges import Ranges
from chainopt.search.starts import Start


def state(objective: float) -> Start:
    """A state with this objective; what it hosts does not matter here."""
    nothing = np.zeros(0, dtype=np.int64)
    return Start(math.log(objective), Ranges(nothing, nothing, nothing, nothing, nothing, nothing), None)


def candidate(objective: float, failures: int = 0) -> Candidate:
    return Candidate(state(objective), state(objective), failures)


def objectives(states: list[Start]) -> list[float]:
    return [round(math.exp(each.energy), 6) for each in states]


def test_of_each_kind_of_states_the_best_is_kept() -> None:
    almost = 20.0 * (1 + SAME / 2)
    assert objectives(distinct([state(21.0), state(almost), state(20.0), state(20.1)])) == [20.0, 20.1, 21.0]


def test_states_a_little_apart_each_are_not_one_kind() -> None:
    """Each is compared with the last one kept, not with its neighbour: 20.0012 is 0.6 SAME above that, 20.0024 1.2."""
    assert objectives(distinct([state(20.0 * (1 + k * 0.6 * SAME)) for k in range(3)])) == [20.0, 20.0024]


def test_a_success_makes_up_for_failures() -> None:
    tried = candidate(20.0, failures=2)
    tried.take(state(19.0))
    assert (tried.failures, math.exp(tried.best.energy)) == (0, pytest.approx(19.0))
    assert tried.start is tried.best
    tried.take(state(20.0))
    assert tried.start is tried.origin  # after a failure from where it came


def test_next_to_nothing_is_kept_but_is_a_failure() -> None:
    tried = candidate(20.0)
    tried.take(state(20.0 * (1 - SAME / 10)))
    assert tried.failures == 1
    assert math.exp(tried.best.energy) == pytest.approx(20.0 * (1 - SAME / 10), rel=1e-12)


def test_what_came_to_the_very_same_failed_twice() -> None:
    tried = candidate(20.0)
    tried.take(state(20.0))
    assert tried.failures == 2


def test_what_ended_worse_is_not_kept() -> None:
    tried = candidate(20.0)
    tried.take(state(22.0))
    assert (tried.failures, math.exp(tried.best.energy)) == (1, pytest.approx(20.0))


def test_candidates_that_became_the_same_keep_the_failures_of_both() -> None:
    first, second, other = candidate(20.0, 1), candidate(20.0 * (1 + SAME / 2), 3), candidate(21.0, 2)
    found = merged([other, second, first])
    assert found == [first, other]
    assert [each.failures for each in found] == [3, 2]


def test_candidates_take_turns() -> None:
    """20.1 is within 1 % of the best, 21 is not; every annealing fails."""
    candidates = [candidate(20.0), candidate(20.1), candidate(21.0)]
    order = []
    while (each := next_of(candidates, most_failures=2)) is not None:
        order.append(candidates.index(each))
        each.take(state(30.0))
    assert order == [0, 1, 0, 1, 2, 2]


def test_only_four_take_turns_at_a_time() -> None:
    candidates = [candidate(20.0 + k / 100, failures=1) for k in range(4)] + [candidate(20.05)]
    assert next_of(candidates, most_failures=4) is candidates[0]


def test_nothing_is_promising_any_more() -> None:
    assert next_of([candidate(20.0, 4)], most_failures=4) is None
    assert next_of([], most_failures=4) is None
