"""Which beam comes next: rounds for few servers, and a climb from what promises most for more."""

from __future__ import annotations

import math

import numpy as np

from chainopt.search.sweep_turns import Climbing, Narrowing


def test_rounds_are_wider_and_narrow_down_to_the_best() -> None:
    """Of 24 beams of 20 layouts half go on with 80 and with 320, and three with 480; only those at other prices."""
    turns = Narrowing(list(range(30, 0, -1)), np.random.default_rng(0))
    seen = []
    for _ in range(24 + 12 + 6 + 3 + 3):
        turn = turns.next()
        seen.append(turn)
        turns.take(abs(turn.jobs - 21) + turn.abreast / 10)
    assert [turn.width for turn in seen] == [20] * 24 + [80] * 12 + [320] * 6 + [480] * 6
    assert {turn.jobs for turn in seen[:24]} == set(range(19, 31))
    assert {(turn.jobs, turn.abreast) for turn in seen[-3:]} == {(21, 2), (21, 3), (22, 2)}
    assert all(turn.markup == 0.0 for turn in seen[:42])
    assert len({turn.markup for turn in seen[42:]}) == 6


def test_other_numbers_take_the_place_of_those_that_come_to_nothing() -> None:
    turns = Narrowing(list(range(30, 0, -1)), np.random.default_rng(0))
    for _ in range(24):
        turns.next()
        turns.take(math.inf)
    seen = []
    for _ in range(3):
        seen.append(turns.next().jobs)
        turns.take(1.0)
    assert seen == [18, 17, 16]


def test_fewer_jobs_after_a_failure_and_the_neighbours_of_the_best_after_a_success() -> None:
    """40 and more come to nothing; 37 is the best."""
    turns = Climbing([44, 43, 45, 42, 46, 41, 40, 39, 38, 37, 36, 35], np.random.default_rng(1))
    seen = []
    for _ in range(60):
        turn = turns.next()
        seen.append(turn.jobs)
        turns.take(math.inf if turn.jobs >= 40 else abs(turn.jobs - 37))
    first = next(k for k, jobs in enumerate(seen) if jobs < 40)
    assert first < 5
    assert seen[:first] == sorted(seen[:first], reverse=True)
    assert {35, 36, 37, 38} >= set(seen[-20:]) >= {36, 37, 38}


def test_all_are_tried_again_where_none_came_to_anything() -> None:
    """From the top, time and again."""
    turns = Climbing(list(range(45, 0, -1)), np.random.default_rng(0))
    seen = []
    for _ in range(300):
        seen.append(turns.next().jobs)
        turns.take(math.inf)
    assert 10 < seen.count(45) < 60
    assert max(seen[-30:]) == 45
    assert min(seen[-30:]) < 10
