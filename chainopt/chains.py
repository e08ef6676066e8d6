"""Chains as queues see them: rates and capacities, fastest first."""

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


def fastest_first(rates: ArrayLike, capacities: ArrayLike) -> Chains:
    """Check and sort chains; those without capacity are dropped.

    Raises
    ------
    ValueError
        If shapes differ, or a rate is not positive and finite, or a capacity negative, not whole or above 10^15.
    """
    speed = np.asarray(rates, dtype=np.float64)
    count = np.asarray(capacities, dtype=np.float64)
    if speed.ndim != 1 or speed.shape != count.shape:
        raise ValueError(f"rates and capacities have shapes {speed.shape} and {count.shape}, expected one (K,)")
    if not (np.all(np.isfinite(speed)) and np.all(speed > 0)):
        raise ValueError(f"expected positive, finite rates, got {speed}")
    if not np.all((count >= 0) & (count <= 1e15) & (count == np.floor(count))):
        raise ValueError(f"expected whole capacities from 0 to 10^15, got {count}")
    order = np.argsort(-speed, kind="stable")
    order = order[count[order] > 0]
    total = float(np.sum(speed[order] * count[order]))
    return Chains(speed[order], count[order].astype(np.int64), order, total)


def stable(rates: ArrayLike, capacities: ArrayLike, arrival_rate: float) -> Chains:
    """The same for chains that carry this arrival rate.

    Raises
    ------
    ValueError
        Also if the arrival rate is negative or not finite.
    UnstableError
        If the arrival rate is not below the total service rate, by more than the tolerance of decisions.
    """
    chains = fastest_first(rates, capacities)
    if not (np.isfinite(arrival_rate) and arrival_rate >= 0):
        raise ValueError(f"expected an arrival rate that is finite and at least 0, got {arrival_rate}")
    if at_least(arrival_rate, chains.total_rate):
        raise UnstableError(
            f"the arrival rate {arrival_rate:g} jobs/s is not below the total service rate {chains.total_rate:g} jobs/s"
        )
    return chains


def checked_thresholds(thresholds: ArrayLike, rates: ArrayLike, capacities: ArrayLike) -> NDArray[np.int64]:
    """θ_k, jobs that have to wait before chain k may start one, shape (K,).

    Raises
    ------
    ValueError
        If they are not whole numbers from 1 to 10^15, one for each chain, or if the fastest chain with capacity has
        more than 1: the last jobs would wait for ever.
    """
    needed = np.asarray(thresholds, dtype=np.float64)
    if needed.shape != np.shape(rates):
        raise ValueError(f"thresholds have the shape {needed.shape}, expected {np.shape(rates)}")
    if not np.all((needed >= 1) & (needed <= 1e15) & (needed == np.floor(needed))):
        raise ValueError(f"expected whole thresholds from 1 to 10^15, got {needed}")
    order = fastest_first(rates, capacities).order
    if order.size and needed[order[0]] != 1:
        k = int(order[0])
        raise ValueError(f"expected the threshold 1 for chain {k}, the fastest, got {needed[k]:g}: jobs would wait on")
    return needed.astype(np.int64)
