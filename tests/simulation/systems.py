"""Random systems and streams of jobs for property tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray


class Stream(NamedTuple):
    """Chains and the jobs that come to them, as `simulate_plainly` takes them."""

    rates: NDArray[np.float64]
    capacities: NDArray[np.int64]
    arrivals: NDArray[np.float64]
    demands: NDArray[np.float64]
    pace: NDArray[np.float64]
    choices: NDArray[np.float64]
    thresholds: NDArray[np.int64]


@st.composite
def streams(draw: st.DrawFn, *, whole_times: bool | None = None, least_demand: int = 1, most_jobs: int = 40) -> Stream:
    """Up to five chains, some of capacity 0 or of equal rates, and up to `most_jobs` jobs of one to three demands.

    With `whole_times` all moments are whole numbers, and many coincide, all the more with a `least_demand` of 0;
    without it none do, as a rule. None is either.
    """
    whole = draw(st.booleans()) if whole_times is None else whole_times
    chains, jobs, kinds = draw(st.integers(1, 5)), draw(st.integers(0, most_jobs)), draw(st.integers(1, 3))
    capacities = draw(st.lists(st.integers(0, 3), min_size=chains, max_size=chains).filter(any))
    rates = draw(st.lists(st.sampled_from([0.25, 0.3, 1, 1, 2]), min_size=chains, max_size=chains))
    thresholds = draw(st.lists(st.integers(1, 4), min_size=chains, max_size=chains))
    thresholds[min((k for k in range(chains) if capacities[k]), key=lambda k: -rates[k])] = 1

    # Hypothesis would take long over hundreds of numbers, and shrinking the seed says nothing: the sizes above do.
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if whole:
        most_gap = int(random.integers(1, 4))
        gaps = random.integers(0, most_gap, jobs, endpoint=True).astype(np.float64)
        demands = random.integers(least_demand, 4, (jobs, kinds)).astype(np.float64)
        pace = random.integers(1, 3, (chains, kinds)).astype(np.float64)
    else:
        load = random.uniform(0.3, 1.5)
        gaps = random.exponential(1 / (load * np.dot(rates, capacities)), jobs)
        demands = random.exponential(1, (jobs, kinds))
        pace = random.dirichlet(np.ones(kinds), chains) / np.array(rates)[:, None]
    return Stream(
        np.array(rates),
        np.array(capacities),
        np.cumsum(gaps),
        demands,
        pace,
        random.random(jobs),
        np.array(thresholds),
    )
