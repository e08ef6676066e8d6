"""Mixtures of allocations: as good as the best of many mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from chainopt.exact.mixture import Mixture, _best_step


class _Distance:
    """Squared distance of the jobs in three chains from a point, which is convex and least there."""

    def __init__(self, point: list[float]) -> None:
        self._point = np.array(point)

    def mean(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> float:
        assert time_s.tolist() == [1.0, 2.0, 3.0]
        return 1 + float(((jobs - self._point) ** 2).sum())

    def look(self, time_s: NDArray[np.float64], jobs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        return self.mean(time_s, jobs), -2 * (jobs - self._point)


class _Chains:
    """Only the times of three chains, not in order."""

    time_s = np.array([3.0, 1.0, 2.0])


def test_comes_to_the_least_of_all_mixtures() -> None:
    """Vertices (1, 0, 0), (0, 1, 0), (0, 0, 1) and the point (0.2, 0.5, 0.3) between them."""
    vertices = [np.array([0.0, 1.0]), np.array([0.0, 0.0, 1.0]), np.array([1.0])]
    objective = _Distance([0.2, 0.5, 0.3])
    mixture = Mixture(_Chains(), objective, vertices, 1e-9)  # type: ignore[arg-type]
    time_s, jobs = mixture.correct()
    assert time_s.tolist() == [1.0, 2.0, 3.0]
    assert jobs == pytest.approx([0.2, 0.5, 0.3], abs=2e-3)
    assert len(mixture.used) == 3


def test_leaves_a_vertex_that_is_no_use() -> None:
    """The point is at a vertex that is added later."""
    mixture = Mixture(_Chains(), _Distance([0.0, 0.0, 1.0]), [np.array([0.0, 1.0, 1.0])], 1e-9)  # type: ignore[arg-type]
    mixture.add(np.array([1.0, 0.0, 0.0]))
    _, jobs = mixture.correct()
    assert jobs == pytest.approx([0.0, 0.0, 1.0], abs=1e-3)


@pytest.mark.parametrize(("least", "longest"), [(0.3, 1.0), (0.0, 0.5), (2.0, 0.7)])
def test_best_step(least: float, longest: float) -> None:
    """Of (s - s*)², within the steps that there are."""
    step = _best_step(lambda s: (s - least) ** 2, longest)
    assert step == pytest.approx(min(least, longest), abs=2e-3 * longest)
