"""Chains as the queueing formulas want them: rates and capacities, fastest first, a stable load."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.errors import UnstableError
from chainopt.quantity import at_least

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Chains(NamedTuple):
    """Chains in order of decreasing rate.

    Attributes
    ----------
    rates
        μ_k, jobs per second, shape (K,).
    capacities
        c_k >= 1, shape (K,).
    order
        Position of each of them among the chains as they were given.
    total_rate
        ν = Σ c_k μ_k.
    """

    rates: NDArray[np.float64]
    capacities: NDArray[np.int64]
    order: NDArray[np.intp]
    total_rate: float


def fastest_first(rates: ArrayLike, capacities: ArrayLike, arrival_rate: float) -> Chains:
    """Check and sort chains; those without capacity are dropped.

    Raises
    ------
    ValueError
        If shapes differ, or a rate is not positive and finite, a capacity negative, not whole or above 10^15, or the
        arrival rate negative or not finite.
    UnstableError
        If the arrival rate is not below the total service rate, by more than the tolerance of decisions.
    """
    speed = np.asarray(rates, dtype=np.float64)
    count = np.asarray(capacities, dtype=np.float64)
    if speed.ndim != 1 or speed.shape != count.shape:
        raise ValueError(f"rates and capacities have shapes {speed.shape} and {count.shape}, expected one (K,)")
    if not (np.all(np.isfinite(speed)) and np.all(speed > 0)):
        raise ValueError(f"expected positive, finite rates, got {speed}")
    if not np.all((count >= 0) & (count <= 1e15) & (count == np.floor(count))):
        raise ValueError(f"expected whole capacities from 0 to 10^15, got {count}")
    if not (np.isfinite(arrival_rate) and arrival_rate >= 0):
        raise ValueError(f"expected an arrival rate that is finite and at least 0, got {arrival_rate}")
    order = np.argsort(-speed, kind="stable")
    order = order[count[order] > 0]
    total = float(np.sum(speed[order] * count[order]))
    if at_least(arrival_rate, total):
        raise UnstableError(
            f"the arrival rate {arrival_rate:g} jobs/s is not below the total service rate {total:g} jobs/s"
        )
    return Chains(speed[order], count[order].astype(np.int64), order, total)
