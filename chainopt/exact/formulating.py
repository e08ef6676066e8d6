"""From an instance to the optimization models of `formulations`: collects what the builders need, and writes them.

A new formulation is one builder there, one function here, and one line in `FORMULATIONS`.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from chainopt.allocation import ALLOCATIONS, gca
from chainopt.errors import ChainoptError, InfeasibleError
from chainopt.exact.bounds import envelope_of, least_jobs
from chainopt.exact.envelope import Envelope
from chainopt.exact.parts import parts_of
from chainopt.exact.paths import arcs_of, chains_below
from chainopt.model.solution import Objective
from chainopt.placement import PLACEMENTS
from chainopt.protocols import PlacementOptions
from chainopt.quantity import RELATIVE_TOLERANCE
from chainopt.tuning import Criterion, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    import pulp
    from numpy.typing import NDArray

    from chainopt.exact.parts import Parts
    from chainopt.model.instance import Instance
    from chainopt.protocols import Candidate
    from formulations import cache_allocation

FileKind = Literal["mps", "lp"]
NOT_LINEAR = ("job-slots",)
"""Formulations for CP-SAT, which no MPS or LP file can hold."""


_CLOSE = 1e-9


@dataclass(frozen=True)
class Options:
    """What a user may choose of a formulation; each uses those that mean something to it.

    Attributes
    ----------
    objective
        None for the formulation's usual one.
    placement
        Name of the placement rule, where the placement is given.
    cache_reservation
        c, None for the rule's own choice.
    jobs
        Jobs that are there at once; None for as many as the design rate needs at least, or for any number.
    limit
        Most columns of a model.
    seed
        Of random placement rules.
    """

    objective: Objective | None = None
    placement: str = "gbp-cr"
    cache_reservation: int | None = None
    jobs: int | None = None
    limit: int = 100_000
    seed: int = 0


class Formulation(NamedTuple):
    """A formulation in the registry.

    Attributes
    ----------
    build
        Makes the model.
    objectives
        Those that it can have, the usual one first.
    summary, source
        What it is, and whose it is.
    """

    build: Callable[[Instance, Options], pulp.LpProblem]
    objectives: tuple[Objective, ...]
    summary: str
    source: str


def formulate(instance: Instance, name: str, options: Options) -> pulp.LpProblem:
    """Build a model.

    Raises
    ------
    ChainoptError
        If there is no such formulation, it cannot have the objective, or it would have too many columns.
    InfeasibleError
        If it is proven that no composition exists, or for the relaxation none with the design rate.
    """
    if name in NOT_LINEAR:
        raise ChainoptError(f"{name} is a constraint program, not a linear one: no MPS or LP file can hold it")
    if name not in FORMULATIONS:
        raise ChainoptError(f"no formulation {name!r}; known are {', '.join(FORMULATIONS)}")
    formulation = FORMULATIONS[name]
    objective = options.objective or formulation.objectives[0]
    if objective not in formulation.objectives:
        raise ChainoptError(f"the objective of {name} is {' or '.join(formulation.objectives)}, not {objective}")
    envelope_of(instance)
    problem = formulation.build(instance, replace(options, objective=objective))
    _check_size(problem.numVariables(), options)
    return problem


def model_text(problem: pulp.LpProblem, kind: FileKind) -> str:
    """A model as the text of a file, the same bytes each time.

    Not every reader of MPS files knows how to maximise, so there the objective is negated, and minimised.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{kind}"
        if kind == "mps":
            problem.writeMPS(str(path), mpsSense=1)
        else:
            problem.writeLP(str(path))
        return path.read_text(encoding="utf-8")


def _check_size(columns: int, options: Options) -> None:
    if columns > options.limit:
        raise ChainoptError(f"the model has {columns:,} columns or more, the limit is {options.limit:,}")


def _relaxation(instance: Instance, options: Options) -> pulp.LpProblem:
    from formulations import relaxation

    parts = parts_of(instance)
    if options.objective is Objective.RATE:
        chosen = chains_for_largest_rate(parts, math.inf if options.jobs is None else options.jobs, options)
    else:
        chosen = chains_for_fewest_jobs(parts, instance.design_rate, options)
    keys = list(zip(parts.server.tolist(), parts.blocks.tolist(), strict=True))
    weights = dict(zip(keys, parts.weight.tolist(), strict=True))
    chains = [
        relaxation.Chain(float(parts.time_s[chain].sum()), tuple(keys[p] for p in sorted(chain.tolist())))
        for chain in chosen
    ]
    if options.objective is Objective.RATE:
        return relaxation.largest_rate(chains, weights, options.jobs).problem
    return relaxation.fewest_job_servers(chains, weights, instance.design_rate).problem


def chains_for_largest_rate(parts: Parts, jobs: float, options: Options) -> list[NDArray[np.int64]]:
    """Chains over which the largest rate with so many jobs is that over all chains of the relaxation."""
    envelope = Envelope(parts)
    envelope.solve(jobs, gap=_CLOSE)
    _check_size(len(envelope.chains), options)
    return envelope.chains


def chains_for_fewest_jobs(parts: Parts, rate: float, options: Options) -> list[NDArray[np.int64]]:
    """Chains over which the fewest job servers of this rate are those over all chains of the relaxation.

    Raises
    ------
    InfeasibleError
        If no number of jobs has this rate.
    """
    envelope = Envelope(parts)
    least_jobs(envelope, rate, gap=_CLOSE)
    _check_size(len(envelope.chains), options)
    return envelope.chains


def _chain_columns(instance: Instance, options: Options) -> pulp.LpProblem:
    from chainopt.exact.joint_models import all_chains, range_slots
    from formulations import chain_columns

    chains = all_chains(instance, options.limit)
    if chains is None:
        _check_size(options.limit + 1, options)
    slots, pinned = range_slots(instance)
    if options.objective is Objective.RATE:
        return chain_columns.largest_rate(chains or [], slots, pinned=pinned).problem
    rate = instance.design_rate * (1 - RELATIVE_TOLERANCE)
    return chain_columns.fewest_job_servers(chains or [], slots, rate, pinned).problem


def _helix(instance: Instance, options: Options) -> pulp.LpProblem:
    from formulations import helix

    rates = helix_rates(instance)
    servers = sum(map(bool, rates))
    _check_size(2 * servers * (servers + 1) + servers + sum(map(len, rates)), options)
    return helix.largest_flow(rates, instance.service.blocks, pins=_pins(instance)).problem


def helix_rates(instance: Instance) -> list[list[float]]:
    """T_j(k) = floor((M_j - s_m k) / (s_c k)) / (τ^c_j + τ^p_j k) for k = 1, ..., K_j by server, jobs per second.

    K_j is the last k with a rate above 0. A pinned server has the rate of its pin there, and 0 before.
    """
    rates = []
    for j, slots in enumerate(slots_by_size(instance)):
        sizes = np.arange(1, len(slots) + 1)
        jobs = np.array(slots, dtype=np.int64) // sizes
        pin = instance.servers[j].pin
        if pin is not None:
            jobs[sizes != pin.stop - pin.start] = 0
        times = instance.time.seconds(instance.time.comm[j] + instance.time.comp[j] * sizes)
        most = int(sizes[jobs > 0].max(initial=0))
        rates.append((jobs / times)[:most].tolist())
    return rates


def slots_by_size(instance: Instance) -> list[list[int]]:
    """S_j(m) for m = 1, 2, ... as long as m blocks fit, by server [eq. 3]."""
    return [
        instance.memory.slots(np.arange(1, most + 1), np.full(most, j)).tolist()
        for j, most in enumerate(instance.memory.sizes(0).tolist())
    ]


def _bprr(instance: Instance, options: Options) -> pulp.LpProblem:
    from formulations import bprr

    slots = slots_by_size(instance)
    jobs = options.jobs or fewest_conceivable(instance)
    servers = sum(map(bool, slots))
    _check_size(jobs * servers * (2 * servers + 1), options)
    comm = [float(server.comm_s) for server in instance.servers]
    comp = [float(server.comp_s_per_block) for server in instance.servers]
    return bprr.least_total_time(slots, comm, comp, instance.service.blocks, jobs, _pins(instance)).problem


def fewest_conceivable(instance: Instance) -> int:
    """Job servers that the design rate takes at least: as many as if each could run the fastest chain there is."""
    fastest_s = envelope_of(instance).fastest_s
    return max(math.ceil(instance.design_rate * fastest_s * (1 - RELATIVE_TOLERANCE)), 1)


def _pins(instance: Instance) -> dict[int, tuple[int, int]]:
    return {
        j: (server.pin.start, server.pin.stop) for j, server in enumerate(instance.servers) if server.pin is not None
    }


def _cache_allocation(instance: Instance, options: Options) -> pulp.LpProblem:
    from formulations import cache_allocation

    placement = _candidate(instance, options, options.objective or Objective.JOB_SERVERS).placement
    slots = instance.memory.slots(placement.sizes)
    arcs = arcs_of(instance, placement, slots)
    paths = chains_below(arcs, np.zeros(arcs.source.size), 0.0, math.inf, options.limit)
    if paths is None:
        raise ChainoptError(f"the placement has more than {options.limit:,} chains, the limit of columns")
    parts = list(zip(arcs.server.tolist(), arcs.blocks.tolist(), strict=True))
    chains = [
        cache_allocation.Chain(float(arcs.time_s[path].sum()), tuple(parts[a] for a in path.tolist())) for path in paths
    ]
    return _allocation_of(chains, slots, instance, options)


def _gca_allocation(instance: Instance, options: Options) -> pulp.LpProblem:
    """The paper's version of cache allocation: over the chains that GCA finds."""
    from formulations import cache_allocation

    placement = _candidate(instance, options, options.objective or Objective.JOB_SERVERS).placement
    chains = [
        cache_allocation.Chain(chain.service_time_s, tuple(zip(chain.servers, chain.blocks, strict=True)))
        for chain in gca(instance, placement).chains
    ]
    return _allocation_of(chains, instance.memory.slots(placement.sizes), instance, options)


def _allocation_of(
    chains: list[cache_allocation.Chain], slots: NDArray[np.int64], instance: Instance, options: Options
) -> pulp.LpProblem:
    from formulations import cache_allocation

    if options.objective is Objective.RATE:
        return cache_allocation.largest_rate(chains, slots.tolist()).problem
    return cache_allocation.fewest_job_servers(chains, slots.tolist(), instance.design_rate).problem


def _disjoint_chains(instance: Instance, options: Options) -> pulp.LpProblem:
    from formulations import disjoint_chains

    if _pins(instance):
        raise ChainoptError("disjoint-chains knows no pins: its chains have their servers in any order")
    reservation = options.cache_reservation or _candidate(instance, options, None).cache_reservation
    if reservation is None:
        raise ChainoptError(f"{options.placement} has no cache reservation of its own: one has to be given")
    sizes = instance.memory.sizes(reservation)
    times = instance.time.seconds(instance.time.comm + instance.time.comp * sizes)
    chains = [
        disjoint_chains.Chain(float(times[list(servers)].sum()), tuple(sorted(servers)))
        for servers in _least_covers(sizes.tolist(), instance.service.blocks, options)
    ]
    if not chains:
        raise InfeasibleError(f"no chain has room for {reservation} jobs at each block")
    return disjoint_chains.fewest_disjoint_chains(chains, instance.design_rate, reservation).problem


def _least_covers(sizes: list[int], blocks: int, options: Options) -> list[tuple[int, ...]]:
    """Sets of servers with Σ m_j >= L that need each of their servers.

    Taken by decreasing m_j, the sets are those that reach L with their last server.
    """
    order = sorted((j for j, m in enumerate(sizes) if m), key=lambda j: -sizes[j])
    left = [*np.cumsum([sizes[j] for j in order][::-1])[::-1].tolist(), 0]
    covers: list[tuple[int, ...]] = []
    stack: list[tuple[tuple[int, ...], int, int]] = [((), 0, 0)]  # servers, their blocks, position of the next
    while stack:
        servers, covered, i = stack.pop()
        if covered + left[i] < blocks:
            continue
        stack.append((servers, covered, i + 1))
        more = (*servers, order[i])
        if covered + sizes[order[i]] < blocks:
            stack.append((more, covered + sizes[order[i]], i + 1))
        else:
            covers.append(more)
            _check_size(len(covers), options)
    return covers


def _candidate(instance: Instance, options: Options, objective: Objective | None) -> Candidate:
    """Placement of the rule: with which GCA is best, or without an objective the one with the least c K(c)."""
    if options.placement not in PLACEMENTS:
        raise ChainoptError(f"no placement rule {options.placement!r}; known are {', '.join(PLACEMENTS)}")
    rule = PLACEMENTS[options.placement].rule
    wanted = PlacementOptions(options.cache_reservation, every_count=objective is None, seed=options.seed)
    criterion = Criterion.EXACT if objective else Criterion.SURROGATE
    objective = objective or Objective.RESPONSE_TIME
    choice = choose(instance, rule(instance, wanted), ALLOCATIONS["gca"].rule, objective, criterion)
    if choice is None:
        raise InfeasibleError(f"{options.placement} finds no placement with a chain")
    return choice.candidate


FORMULATIONS: dict[str, Formulation] = {
    "relaxation": Formulation(
        _relaxation,
        (Objective.JOB_SERVERS, Objective.RATE),
        "linear program that bounds the joint problem [eq. 5]: chains without positions",
        "chainopt; docs/formulations/relaxation.md",
    ),
    "cache-allocation": Formulation(
        _cache_allocation,
        (Objective.JOB_SERVERS, Objective.RATE),
        "capacities of all chains of a placement",
        "Sun, He, Hou, arXiv 2604.14993, [eq. 5] for one placement",
    ),
    "gca-allocation": Formulation(
        _gca_allocation,
        (Objective.JOB_SERVERS, Objective.RATE),
        "capacities of the chains that GCA finds for a placement",
        "Sun, He, Hou, arXiv 2604.14993, eq. 5 over the chains of Algorithm 2",
    ),
    "disjoint-chains": Formulation(
        _disjoint_chains,
        (Objective.JOB_SERVERS,),
        "fewest disjoint chains that serve the design rate with c jobs each, over all of them",
        "Sun, He, Hou, arXiv 2604.14993, [eq. 7]",
    ),
    "chain-columns": Formulation(
        _chain_columns,
        (Objective.JOB_SERVERS, Objective.RATE),
        "placement, and capacities of all chains of all placements [eq. 5]",
        "Sun, He, Hou, arXiv 2604.14993, eq. 5",
    ),
    "helix": Formulation(
        _helix,
        (Objective.RATE,),
        "placement with the largest flow of jobs through servers, each with the rate of its own cache slots",
        "Helix: Mei et al., ASPLOS 2025, section 4",
    ),
    "bprr": Formulation(
        _bprr,
        (Objective.RESPONSE_TIME,),
        "placement and paths of R jobs that are there at once, with the least total service time",
        "BPRR: Sun, He, Ji, Parag, arXiv 2512.21884",
    ),
}


def describe(problem: pulp.LpProblem) -> dict[str, Any]:
    """Size of a model, for the user."""
    variables = problem.variables()
    return {
        "columns": len(variables),
        "integer_columns": sum(v.cat == "Integer" for v in variables),
        "rows": problem.numConstraints(),
        "nonzeros": sum(len(row) for row in problem.constraints()),
        "sense": "minimize" if problem.sense == 1 else "maximize",
    }
