"""Placements: arrays of half-open ranges, copied and read-only."""

from __future__ import annotations

import numpy as np
import pytest

from chainopt.model import Placement


def test_arrays_are_copied_and_frozen() -> None:
    """A placement does not follow the arrays that it was made from, and cannot be changed."""
    start = np.array([0, 2])
    placement = Placement(start, [2, 3])
    start[0] = 1

    assert placement.start.tolist() == [0, 2]
    assert placement.sizes.tolist() == [2, 1]
    with pytest.raises(ValueError, match="read-only"):
        placement.start[0] = 1
    with pytest.raises(AttributeError):
        placement.start = start  # type: ignore[misc]


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        ([0, 0], [1], r"start and stop have shapes \(2,\) and \(1,\)"),
        (0, 1, r"start and stop have shapes \(\) and \(\)"),
        ([[0]], [[1]], r"start and stop have shapes \(1, 1\) and \(1, 1\)"),
        ([0, 2, 0], [1, 1, 1], "server 1 cannot host blocks 2 to 1"),
        ([0, -1], [1, 1], "server 1 cannot host blocks -1 to 1"),
    ],
)
def test_what_is_no_placement(start: object, stop: object, message: str) -> None:
    """Shapes that differ and ranges that run backwards are errors that name the server."""
    with pytest.raises(ValueError, match=message):
        Placement(start, stop)  # type: ignore[arg-type]


def test_equality() -> None:
    """Placements are equal by value, and so are their hashes."""
    one, same, other = Placement([0, 1], [1, 3]), Placement([0, 1], [1, 3]), Placement([0, 1], [1, 2])

    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "placement"
