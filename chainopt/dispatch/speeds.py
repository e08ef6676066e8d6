"""Chains of one rate are one chain to a threshold rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chainopt.chains import Chains


class Speeds(NamedTuple):
    """Groups of chains of one rate, fastest first.

    Attributes
    ----------
    rates
        Of a job server, jobs per second, shape (G,).
    counts
        Job servers, shape (G,).
    group
        Of each chain, chains fastest first, shape (K,).
    """

    rates: NDArray[np.float64]
    counts: NDArray[np.int64]
    group: NDArray[np.int64]

    def servers(self, first: int, stop: int) -> NDArray[np.float64]:
        """Rate of each job server of the groups first, ..., stop - 1."""
        return np.repeat(self.rates[first:stop], self.counts[first:stop])


def by_speed(chains: Chains) -> Speeds:
    """Put chains together whose rates are equal up to the tolerance of decisions."""
    slower = chains.rates[1:] < chains.rates[:-1] * (1 - RELATIVE_TOLERANCE)
    group = np.concatenate(([0], np.cumsum(slower)))
    first = np.flatnonzero(np.concatenate(([True], slower)))
    return Speeds(chains.rates[first], np.add.reduceat(chains.capacities, first), group)


def for_chains(chains: Chains, speeds: Speeds, thresholds: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """From thresholds of groups to those of the `count` chains as they were given; 1 where there is no capacity."""
    result = np.ones(count, dtype=np.int64)
    result[chains.order] = thresholds[speeds.group]
    return result
