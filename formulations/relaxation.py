"""The position-free relaxation of the joint problem [eq. 5] over given chains: JLP, and with cuts JLP+.

If a server that hosts m blocks runs y_n jobs that it processes n blocks of each, then y_n > 0 only for n <= m, and
Σ_n n y_n <= S_j(m) <= S_j(n), where S_j(m) = floor((M_j - s_m m) / s_c). So w_j(n) = n / S_j(n) is at least the share
of the server's cache slots that one of these jobs takes, whatever the placement, and

    Σ_n w_j(n) y_n <= 1

holds in every solution of [eq. 5]. The relaxation keeps these rows and forgets where blocks are: a chain is any choice
of numbers n_j with Σ_j n_j = L. Over all chains its optimum bounds that of [eq. 5]; over fewer chains it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pulp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Chain(NamedTuple):
    """A column: a chain without positions.

    Attributes
    ----------
    time_s
        T_k.
    parts
        (j, n_jk): each server, and the number of blocks that it processes.
    """

    time_s: float
    parts: tuple[tuple[int, int], ...]


class Cut(NamedTuple):
    """An inequality α · y_j <= 1 that holds for every integer (y_n) that some placement of server j allows.

    Attributes
    ----------
    server
        j.
    coefficients
        α_n by number of blocks n; 0 where none is given.
    """

    server: int
    coefficients: Mapping[int, float]


class Model(NamedTuple):
    """The program, and c_k of each chain."""

    problem: pulp.LpProblem
    jobs: list[pulp.LpVariable]


def fewest_job_servers(
    chains: Sequence[Chain], weights: Mapping[tuple[int, int], float], rate: float, cuts: Sequence[Cut] = ()
) -> Model:
    """Minimise Σ_k c_k subject to the rows of rate, of servers and of cuts, c >= 0.

    Parameters
    ----------
    weights
        w_j(n) for every part of a chain.
    rate
        R = λ/ρ̄.
    cuts
        None for JLP; facets of the integer hull of each server's loads for JLP+.
    """
    problem = pulp.LpProblem("relaxation_job_servers", pulp.LpMinimize)
    jobs = _jobs(problem, chains)
    problem.setObjective(pulp.lpSum(jobs))
    enough_rate(problem, chains, jobs, rate)
    room_at_servers(problem, chains, jobs, weights)
    hull_cuts(problem, chains, jobs, cuts)
    return Model(problem, jobs)


def largest_rate(
    chains: Sequence[Chain],
    weights: Mapping[tuple[int, int], float],
    most_jobs: float | None = None,
    cuts: Sequence[Cut] = (),
) -> Model:
    """Maximise Σ_k c_k / T_k subject to the rows of jobs, of servers and of cuts, c >= 0: V(n) at n = `most_jobs`.

    Parameters
    ----------
    weights
        w_j(n) for every part of a chain.
    most_jobs
        n; None for no limit.
    cuts
        None for JLP; facets of the integer hull of each server's loads for JLP+.
    """
    problem = pulp.LpProblem("relaxation_rate", pulp.LpMaximize)
    jobs = _jobs(problem, chains)
    problem.setObjective(_rate(chains, jobs))
    if most_jobs is not None:
        few_jobs(problem, jobs, most_jobs)
    room_at_servers(problem, chains, jobs, weights)
    hull_cuts(problem, chains, jobs, cuts)
    return Model(problem, jobs)


def enough_rate(problem: pulp.LpProblem, chains: Sequence[Chain], jobs: Sequence[pulp.LpVariable], rate: float) -> None:
    """Σ_k c_k / T_k >= R."""
    problem.addConstraint(_rate(chains, jobs) >= rate, "rate")


def few_jobs(problem: pulp.LpProblem, jobs: Sequence[pulp.LpVariable], most_jobs: float) -> None:
    """Σ_k c_k <= n."""
    problem.addConstraint(pulp.lpSum(jobs) <= most_jobs, "jobs")


def room_at_servers(
    problem: pulp.LpProblem,
    chains: Sequence[Chain],
    jobs: Sequence[pulp.LpVariable],
    weights: Mapping[tuple[int, int], float],
) -> None:
    """Σ_k w_j(n_jk) c_k <= 1 for every server j."""
    for j, visits in _visits(chains).items():
        used = pulp.lpSum(weights[j, n] * jobs[k] for k, n in visits)
        problem.addConstraint(used <= 1, f"server_{j}")


def hull_cuts(
    problem: pulp.LpProblem, chains: Sequence[Chain], jobs: Sequence[pulp.LpVariable], cuts: Sequence[Cut]
) -> None:
    """Σ_k α_{n_jk} c_k <= 1 for every cut α of a server j."""
    visits = _visits(chains)
    for i, cut in enumerate(cuts):
        terms = [cut.coefficients[n] * jobs[k] for k, n in visits.get(cut.server, ()) if cut.coefficients.get(n)]
        if terms:
            problem.addConstraint(pulp.lpSum(terms) <= 1, f"cut_{i}_server_{cut.server}")


def _jobs(problem: pulp.LpProblem, chains: Sequence[Chain]) -> list[pulp.LpVariable]:
    """c_k."""
    return [problem.add_variable(f"jobs_{k}", 0) for k in range(len(chains))]


def _rate(chains: Sequence[Chain], jobs: Sequence[pulp.LpVariable]) -> pulp.LpAffineExpression:
    """Σ_k c_k / T_k."""
    return pulp.lpSum(c / chain.time_s for chain, c in zip(chains, jobs, strict=True))


def _visits(chains: Sequence[Chain]) -> dict[int, list[tuple[int, int]]]:
    """(k, n_jk) of the chains through each server, servers in ascending order."""
    visits: dict[int, list[tuple[int, int]]] = {}
    for k, chain in enumerate(chains):
        for j, n in chain.parts:
            visits.setdefault(j, []).append((k, n))
    return dict(sorted(visits.items()))
