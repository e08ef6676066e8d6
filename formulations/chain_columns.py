"""The joint problem [eq. 5] as an integer program with a column for each chain and a choice of blocks for each server.

The columns are chains with positions, ((j, b, e), ...): server j processes the blocks from b up to e. Over all of them
the optimum is that of [eq. 5]; their number grows fast: 120 for 4 servers and 4 blocks, 300,000 for 8 and 8.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import pulp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RATE_SCALE = 1e4
"""Rates are written as multiples of R / RATE_SCALE: an absolute tolerance of 1e-6 is a relative one of 1e-10 then."""

Range = tuple[int, int, int]
"""(j, s, e): server j hosts, or processes, the blocks from s up to e."""


class Chain(NamedTuple):
    """A column.

    Attributes
    ----------
    time_s
        T_k.
    arcs
        (j, b, e) of each server, in order.
    """

    time_s: float
    arcs: tuple[Range, ...]


class Model(NamedTuple):
    """The program, c_k of each chain, and z_jse."""

    problem: pulp.LpProblem
    capacities: list[pulp.LpVariable]
    hosts: dict[Range, pulp.LpVariable]


def fewest_job_servers(
    chains: Sequence[Chain],
    slots: Mapping[Range, int],
    rate: float,
    pinned: Sequence[int] = (),
    job_servers: tuple[int, int] | None = None,
) -> Model:
    """Minimise Σ_k c_k subject to the rows of rate, of ranges and of slots; c_k >= 0 and integer, z binary.

    Parameters
    ----------
    slots
        S_j(e - s) of every range that server j may host.
    rate
        R = λ/ρ̄.
    pinned
        Servers that have one range only, and host it.
    job_servers
        Known bounds on the optimum; solutions with more are of no interest.
    """
    model = _model("chain_columns_job_servers", pulp.LpMinimize, chains, slots)
    model.problem.setObjective(pulp.LpAffineExpression(dict.fromkeys(model.capacities, 1)))
    enough_rate(model, chains, rate)
    one_range(model, pinned)
    nested_slots(model, chains, slots)
    if job_servers is not None:
        bounded_job_servers(model, *job_servers)
    return model


def largest_rate(
    chains: Sequence[Chain], slots: Mapping[Range, int], unit: float = 1.0, pinned: Sequence[int] = ()
) -> Model:
    """Maximise Σ_k c_k / T_k subject to the rows of ranges and of slots; c_k >= 0 and integer, z binary.

    Parameters
    ----------
    unit
        Rates are counted in this many jobs per second. Solvers stop at an absolute gap of 1e-6 of them.
    """
    model = _model("chain_columns_rate", pulp.LpMaximize, chains, slots)
    model.problem.setObjective(_rate(model, chains, unit))
    one_range(model, pinned)
    nested_slots(model, chains, slots)
    return model


def enough_rate(model: Model, chains: Sequence[Chain], rate: float) -> None:
    """Σ_k c_k / T_k >= R."""
    model.problem.addConstraint(_rate(model, chains, rate / RATE_SCALE) >= RATE_SCALE, "rate")


def one_range(model: Model, pinned: Sequence[int]) -> None:
    """Σ_{s,e} z_jse <= 1 for every server j, = 1 where it is pinned."""
    for j in sorted({j for j, _, _ in model.hosts}):
        chosen = pulp.LpAffineExpression({z: 1 for (i, _, _), z in model.hosts.items() if i == j})
        model.problem.addConstraint(chosen == 1 if j in pinned else chosen <= 1, f"range_{j}")


def nested_slots(model: Model, chains: Sequence[Chain], slots: Mapping[Range, int]) -> None:
    """Σ_{b'<=b} (e - b') X_jb'e <= Σ_{s<=b} S_j(e - s) z_jse for all j, b, e; X_jbe = Σ_{k uses (j,b,e)} c_k.

    For b = e - 1 this is [eq. 3]; for smaller b it says as well that who enters at b' must find block b' hosted.
    """
    users: dict[tuple[int, int], dict[int, list[pulp.LpVariable]]] = {}
    for chain, c in zip(chains, model.capacities, strict=True):
        for j, b, e in chain.arcs:
            users.setdefault((j, e), {}).setdefault(b, []).append(c)
    for (j, e), by_start in sorted(users.items()):
        starts = sorted(by_start)
        for entered in accumulate(([b] for b in starts), list.__add__):
            taken = {c: e - b for b in entered for c in by_start[b]}
            last = entered[-1]
            hosts = {key: z for key, z in model.hosts.items() if (key[0], key[2]) == (j, e) and key[1] <= last}
            room = {z: -slots[key] for key, z in hosts.items()}
            model.problem.addConstraint(pulp.LpAffineExpression({**taken, **room}) <= 0, f"slots_{j}_{last}_{e}")


def bounded_job_servers(model: Model, least: int, most: int) -> None:
    """K_least <= Σ_k c_k <= K_most."""
    total = pulp.LpAffineExpression(dict.fromkeys(model.capacities, 1))
    model.problem.addConstraint(total >= least, "at_least")
    model.problem.addConstraint(total <= most, "at_most")


def _model(name: str, sense: int, chains: Sequence[Chain], slots: Mapping[Range, int]) -> Model:
    """c_k, at most what fits beside the smallest range that allows it, and z_jse."""
    problem = pulp.LpProblem(name, sense)
    hosts = {key: problem.add_variable("hosts_{}_{}_{}".format(*key), cat=pulp.LpBinary) for key in sorted(slots)}
    most = {
        arc: max((left for (j, s, e), left in slots.items() if (j, e) == (arc[0], arc[2]) and s <= arc[1]), default=0)
        for arc in {arc for chain in chains for arc in chain.arcs}
    }
    capacities = [
        problem.add_variable(
            f"capacity_{k}", 0, min(most[arc] // (arc[2] - arc[1]) for arc in chain.arcs), pulp.LpInteger
        )
        for k, chain in enumerate(chains)
    ]
    return Model(problem, capacities, hosts)


def _rate(model: Model, chains: Sequence[Chain], unit: float) -> pulp.LpAffineExpression:
    """Σ_k c_k / T_k in units of so many jobs per second."""
    return pulp.LpAffineExpression(
        {c: 1 / (chain.time_s * unit) for chain, c in zip(chains, model.capacities, strict=True)}
    )
