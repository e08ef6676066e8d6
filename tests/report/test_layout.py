"""Where servers and chains stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainopt.report.facts import facts
from chainopt.report.layout import layout, ticks
from chainopt.report.svg import path
from tests.report.systems import many, two_chains


def test_rows_and_lines() -> None:
    """Rows by first block, without servers that host nothing; lines along the blocks that are processed."""
    picture = layout(facts(*two_chains()))
    assert picture.rows == (3, 0, 2, 1)  # d 0:2, a 0:4, c 0:10, b 4:10
    first, second = picture.lines
    assert [x for x, _ in second.points] == [0, 10]
    assert [int(y) for _, y in second.points] == [2, 2]
    assert [x for x, _ in first.points] == pytest.approx([0, 4, 4, 10], abs=0.05)
    assert [int(y) for _, y in first.points] == [1, 1, 3, 3]
    assert (picture.servers_left_out, picture.chains_left_out) == (0, 0)


def test_lines_keep_apart() -> None:
    """Chains that share a server have lanes of their own."""
    instance, solution = two_chains()
    solution = solution.replace(chains=[solution.chains[0]] * 3)
    picture = layout(facts(instance, solution))
    heights = [line.points[0][1] for line in picture.lines]
    assert len(set(heights)) == 3
    assert all(1.1 < height < 1.9 for height in heights)


def test_too_many() -> None:
    """The chains that carry most stay with their servers, then other servers that carry most."""
    shown = facts(*many(40))
    picture = layout(shown, most_servers=9, most_chains=3)
    assert set(picture.rows) == {*range(34, 40), 32, 33, 30}  # each pair is a chain, later ones are faster
    assert [line.chain for line in picture.lines] == [17, 18, 19]
    assert (picture.servers_left_out, picture.chains_left_out) == (31, 17)
    assert len(layout(shown, most_servers=9, most_chains=30).lines) == 4


@given(st.floats(1e-6, 1e9), st.integers(3, 12))
def test_ticks(largest: float, most: int) -> None:
    """Evenly spaced from 0, at least one more, not beyond the end, not more than asked for."""
    marks = ticks(largest, most)
    assert marks[0] == 0
    assert 2 <= len(marks) <= most + 1
    assert marks[-1] <= largest * (1 + 1e-9)
    step = marks[1]
    assert marks == pytest.approx([step * i for i in range(len(marks))])
    assert f"{step:.0e}"[0] in "125"


def test_ticks_of_nothing() -> None:
    """An axis of no length has a mark at 0."""
    assert ticks(0) == [0]


def test_path() -> None:
    """Lines straight across and down are short, points that repeat are left out."""
    assert path([(0, 1), (5, 1), (5, 1), (5, 3.004), (6.5, 4)]) == "M0 1H5V3L6.5 4"
