"""Bounds on the mean response time of JFFC [Theorem 4]: all jobs on the fastest, or on the slowest job servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.chains import stable
from chainopt.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from chainopt.model.composition import Composition


def response_bounds(composition: Composition, arrival_rate: float) -> tuple[float, float]:
    """Lower and upper bound on the mean response time of a composition under JFFC, seconds [Theorem 4].

    Raises
    ------
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    return jffc_bounds(composition.service_rates, composition.capacities, arrival_rate)


def jffc_bounds(rates: ArrayLike, capacities: ArrayLike, arrival_rate: float) -> tuple[float, float]:
    """Like :func:`response_bounds`, from plain arrays: rates in jobs per second and capacities, shape (K,) each.

    Raises
    ------
    UnstableError
        If the arrival rate is not below the total service rate.
    """
    arrival_rate = float(arrival_rate)
    chains = stable(rates, capacities, arrival_rate)
    if arrival_rate == 0:
        return 1.0 / float(chains.rates[0]), 1.0 / float(chains.rates[-1])
    rates, counts, total = chains.rates, chains.capacities, chains.total_rate
    fast = birth_death_mean(rates, counts, total, arrival_rate)
    slow = birth_death_mean(rates[::-1].copy(), counts[::-1].copy(), total, arrival_rate)
    return float(fast) / arrival_rate, float(slow) / arrival_rate


@kernel
def birth_death_mean(
    rates: NDArray[np.float64], capacities: NDArray[np.int64], total_rate: float, arrival_rate: float
) -> float:
    """Mean number of jobs where n jobs occupy the first n job servers in the order given [Theorem 4].

    E = Σ_{n<C} n φ_n + φ_C (ρ/(1-ρ)^2 + C/(1-ρ)) with φ_n = φ_0 Π_{i<=n} λ/ν_i. Only ratios matter, so φ is scaled
    down whenever it grows large: nothing overflows, however many job servers there are.

    Parameters
    ----------
    rates, capacities
        Shape (K,), in the order in which jobs occupy the chains.
    total_rate
        ν = Σ c_k μ_k, summed as accurately as 1 - ρ is to be.
    """
    weight = 1.0  # φ_n
    mass = 0.0  # Σ φ_n
    jobs = 0.0  # Σ n φ_n
    death_rate = 0.0
    n = 0
    for k in range(rates.size):
        for _ in range(capacities[k]):
            mass += weight
            jobs += n * weight
            death_rate += rates[k]
            n += 1
            weight *= arrival_rate / death_rate
            if weight > 1e200:
                mass *= 1e-200
                jobs *= 1e-200
                weight *= 1e-200
            if weight == 0.0:
                return jobs / mass
    idle = (total_rate - arrival_rate) / total_rate
    mass += weight / idle
    jobs += weight * ((1 - idle) / idle**2 + n / idle)
    return jobs / mass
