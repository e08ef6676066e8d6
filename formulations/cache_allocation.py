"""Cache allocation for a given placement: the capacities of given chains [eq. 5 with the placement fixed].

Over all chains of the placement the optimum is that of [eq. 5] for this placement; over the chains that GCA finds it is
the integer program that the paper compares GCA with. The builder is the same, the columns differ.

References
----------
Y. Sun, T. He, I.-H. Hou, Serving Chain-structured Jobs with Large Memory Footprints with Application to Large
Foundation Model Serving, arXiv 2604.14993, section 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pulp

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE_SCALE = 1e4
"""Rates are written as multiples of R / RATE_SCALE: an absolute tolerance of 1e-6 is a relative one of 1e-10 then."""


class Chain(NamedTuple):
    """A column: a chain of the placement.

    Attributes
    ----------
    time_s
        T_k.
    parts
        (j, n_jk): each server, and the number of blocks that it processes, so many slots a job.
    """

    time_s: float
    parts: tuple[tuple[int, int], ...]


class Model(NamedTuple):
    """The program, and c_k of each chain."""

    problem: pulp.LpProblem
    capacities: list[pulp.LpVariable]


def fewest_job_servers(
    chains: Sequence[Chain], slots: Sequence[int], rate: float, most_job_servers: int | None = None
) -> Model:
    """Minimise Σ_k c_k subject to the rows of rate and of slots, c_k >= 0 and integer.

    Parameters
    ----------
    slots
        S_j, shape (J,).
    rate
        R = λ/ρ̄.
    most_job_servers
        Solutions with more are of no interest.
    """
    problem = pulp.LpProblem("cache_allocation_job_servers", pulp.LpMinimize)
    capacities = _capacities(problem, chains, slots)
    problem.setObjective(pulp.LpAffineExpression(dict.fromkeys(capacities, 1)))
    enough_rate(problem, chains, capacities, rate)
    enough_slots(problem, chains, capacities, slots)
    if most_job_servers is not None:
        few_job_servers(problem, capacities, most_job_servers)
    return Model(problem, capacities)


def largest_rate(chains: Sequence[Chain], slots: Sequence[int], unit: float = 1.0) -> Model:
    """Maximise Σ_k c_k / T_k subject to the rows of slots, c_k >= 0 and integer.

    Parameters
    ----------
    slots
        S_j, shape (J,).
    unit
        Rates are counted in this many jobs per second. Solvers stop at an absolute gap of 1e-6 of them.
    """
    problem = pulp.LpProblem("cache_allocation_rate", pulp.LpMaximize)
    capacities = _capacities(problem, chains, slots)
    problem.setObjective(_rate(chains, capacities, unit))
    enough_slots(problem, chains, capacities, slots)
    return Model(problem, capacities)


def enough_rate(
    problem: pulp.LpProblem, chains: Sequence[Chain], capacities: Sequence[pulp.LpVariable], rate: float
) -> None:
    """Σ_k c_k / T_k >= R."""
    problem.addConstraint(_rate(chains, capacities, rate / RATE_SCALE) >= RATE_SCALE, "rate")


def enough_slots(
    problem: pulp.LpProblem, chains: Sequence[Chain], capacities: Sequence[pulp.LpVariable], slots: Sequence[int]
) -> None:
    """Σ_k n_jk c_k <= S_j for every server j [eq. 3]."""
    used: dict[int, dict[pulp.LpVariable, int]] = {}
    for chain, c in zip(chains, capacities, strict=True):
        for j, n in chain.parts:
            used.setdefault(j, {})[c] = n
    for j, terms in sorted(used.items()):
        problem.addConstraint(pulp.LpAffineExpression(terms) <= slots[j], f"slots_{j}")


def few_job_servers(problem: pulp.LpProblem, capacities: Sequence[pulp.LpVariable], most: int) -> None:
    """Σ_k c_k <= K."""
    problem.addConstraint(pulp.LpAffineExpression(dict.fromkeys(capacities, 1)) <= most, "job_servers")


def _capacities(problem: pulp.LpProblem, chains: Sequence[Chain], slots: Sequence[int]) -> list[pulp.LpVariable]:
    """c_k, at most min_j floor(S_j / n_jk)."""
    return [
        problem.add_variable(f"capacity_{k}", 0, min(slots[j] // n for j, n in chain.parts), pulp.LpInteger)
        for k, chain in enumerate(chains)
    ]


def _rate(chains: Sequence[Chain], capacities: Sequence[pulp.LpVariable], unit: float) -> pulp.LpAffineExpression:
    """Σ_k c_k / T_k in units of so many jobs per second."""
    return pulp.LpAffineExpression({c: 1 / (chain.time_s * unit) for chain, c in zip(chains, capacities, strict=True)})
