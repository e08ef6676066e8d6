"""As few disjoint chains as a rate takes, c jobs each [eq. 7]: set packing over given sets of servers.

Over all sets of servers that host every block between them the optimum is that of [eq. 7]. There are exponentially
many, so they are generated; over fewer sets the optimum may be larger.

References
----------
Y. Sun, T. He, I.-H. Hou, Serving Chain-structured Jobs with Large Memory Footprints with Application to Large
Foundation Model Serving, arXiv 2604.14993, section 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pulp

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE_SCALE = 1e4
"""Rates are written as multiples of R / RATE_SCALE: an absolute tolerance of 1e-6 is a relative one of 1e-10 then."""


class Chain(NamedTuple):
    """A column: servers whose m_j(c) add up to L or more.

    Attributes
    ----------
    time_s
        T_S = Σ_j t_j(c).
    servers
        S.
    """

    time_s: float
    servers: tuple[int, ...]


class Model(NamedTuple):
    """The program, and x_S of each chain."""

    problem: pulp.LpProblem
    chosen: list[pulp.LpVariable]


def fewest_disjoint_chains(
    chains: Sequence[Chain], rate: float, cache_reservation: int, most_chains: int | None = None
) -> Model:
    """Minimise Σ_S x_S subject to the rows of rate and of servers, x_S in {0, 1}.

    Parameters
    ----------
    rate
        R = λ/ρ̄.
    cache_reservation
        c.
    most_chains
        Solutions with more are of no interest.
    """
    problem = pulp.LpProblem("disjoint_chains", pulp.LpMinimize)
    chosen = [problem.add_variable(f"chain_{k}", 0, 1, pulp.LpInteger) for k in range(len(chains))]
    problem.setObjective(pulp.LpAffineExpression(dict.fromkeys(chosen, 1)))
    enough_rate(problem, chains, chosen, rate, cache_reservation)
    each_server_once(problem, chains, chosen)
    if most_chains is not None:
        few_chains(problem, chosen, most_chains)
    return Model(problem, chosen)


def enough_rate(
    problem: pulp.LpProblem,
    chains: Sequence[Chain],
    chosen: Sequence[pulp.LpVariable],
    rate: float,
    cache_reservation: int,
) -> None:
    """Σ_S x_S / T_S >= R / c."""
    unit = rate / cache_reservation / RATE_SCALE
    terms = {x: 1 / (chain.time_s * unit) for chain, x in zip(chains, chosen, strict=True)}
    problem.addConstraint(pulp.LpAffineExpression(terms) >= RATE_SCALE, "rate")


def each_server_once(problem: pulp.LpProblem, chains: Sequence[Chain], chosen: Sequence[pulp.LpVariable]) -> None:
    """Σ_{S contains j} x_S <= 1 for every server j."""
    holders: dict[int, dict[pulp.LpVariable, int]] = {}
    for chain, x in zip(chains, chosen, strict=True):
        for j in chain.servers:
            holders.setdefault(j, {})[x] = 1
    for j, terms in sorted(holders.items()):
        problem.addConstraint(pulp.LpAffineExpression(terms) <= 1, f"server_{j}")


def few_chains(problem: pulp.LpProblem, chosen: Sequence[pulp.LpVariable], most: int) -> None:
    """Σ_S x_S <= K."""
    problem.addConstraint(pulp.LpAffineExpression(dict.fromkeys(chosen, 1)) <= most, "chains")
