"""Systems of chains that the tests of this room share."""

from __future__ import annotations

import numpy as np

LOADS = (1e-6, 1e-3, 0.1, 0.5, 0.8, 0.95, 0.99, 1 - 1e-4, 1 - 1e-6)


def random_system(seed: int) -> tuple[list[float], list[int]]:
    """Up to four chains, fastest first, with capacities up to 4 and rates that differ by a factor of up to 1000."""
    draw = np.random.default_rng(seed)
    chains = int(draw.integers(1, 5))
    ratio = 10 ** draw.uniform(0, 3)
    rates = np.sort(ratio ** -draw.uniform(0, 1, chains))[::-1]
    return rates.tolist(), draw.integers(1, 5 if chains < 4 else 4, chains).tolist()


def total_rate(rates: list[float], capacities: list[int]) -> float:
    """ν."""
    return float(np.dot(rates, capacities))
