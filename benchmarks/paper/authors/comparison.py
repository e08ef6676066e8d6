"""The three methods side by side, as in the authors' figure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.authors import bprr, petals, proposed
from benchmarks.paper.authors.setting import Cluster, Jobs

SIZES, SHARES = (10, 20, 30, 40), ("0.1", "0.2", "0.3", "0.4")
"""J and η of the figure; shares as text, since they have to be exact."""
METHODS = ("proposed-authors", "petals-authors", "bprr-authors")
REFERENCE_S = {(20, "0.2"): (7.9, 77.6, 15.3), (10, "0.2"): (11.7, 222.6, 68.6)}
"""Means over 20 runs of the authors' simulator, seconds, for these J and η, in the order of `METHODS`."""


def seed_of(servers: int, fast_share: str, run: int) -> int:
    """Seed of a run, counted from 1, as in the authors' script."""
    return 42 + 10_000 * (SIZES.index(servers) + 1) + 1_000 * (SHARES.index(fast_share) + 1) + run


def mean_responses_s(cluster: Cluster, jobs: Jobs, order: NDArray[np.int64]) -> dict[str, float | None]:
    """By method, `order` being that in which servers join PETALS; None where it cannot serve a job."""
    found = (
        proposed.mean_response_s(cluster, jobs),
        petals.mean_response_s(cluster, jobs, order),
        bprr.mean_response_s(cluster, jobs),
    )
    return dict(zip(METHODS, found, strict=True))
