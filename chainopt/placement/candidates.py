"""The placements of a rule that are worth trying: every c that makes a difference, and no c twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import InfeasibleError
from chainopt.placement.cg_bp import cg_bp
from chainopt.placement.greedy import GreedyChains, reservations
from chainopt.placement.petals import PetalsMemory, petals
from chainopt.placement.uniform import random_placement
from chainopt.placement.whole_model import whole_model
from chainopt.protocols import Candidate
from chainopt.quantity import RELATIVE_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainopt.model.instance import Instance
    from chainopt.protocols import PlacementOptions, Stop


def greedy_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """Placements of GBP-CR, first those that never stop, then those that stop when the rate is met.

    All c of an interval give the same chains; of these c, only those at which the number of chains that meet
    the rate falls make a difference to the second kind.
    """
    stops: tuple[Stop, ...] = ("never", "rate") if options.stop is None else (options.stop,)
    for stop in stops:
        for least, most in _intervals(instance, options):
            strings = GreedyChains.of(instance, least)
            if not strings.complete and not _has_pins(instance):
                break  # larger c leave room for fewer blocks still
            counts = list(_counts(strings, instance.design_rate, least, most))
            if stop == "rate":
                for c, chains in counts:
                    if chains is not None or options.stop is not None:
                        yield Candidate(strings.placement(chains), c, stop, chains)
            elif options.every_count:
                for c, chains in counts:
                    yield Candidate(strings.placement(None), c, stop, chains)
            else:
                yield Candidate(strings.placement(None), least, stop, strings.prefix(instance.design_rate, least))


def _counts(strings: GreedyChains, design_rate: float, least: int, most: int) -> Iterator[tuple[int, int | None]]:
    """The smallest c for each number of chains that meets the rate first at some c in [least, most], ascending in c.

    k chains meet it from c = ceil(λ/ρ̄ / Σ_{l<=k} 1/T_l) on.
    """
    needed = design_rate / strings.served * (1 - RELATIVE_TOLERANCE)
    needed = np.maximum(np.ceil(needed), least)
    if not needed.size or needed[-1] > least:
        yield least, None
    for k in range(needed.size, 0, -1):
        if needed[k - 1] <= most and (k == 1 or needed[k - 2] > needed[k - 1]):
            yield int(needed[k - 1]), k


def _intervals(instance: Instance, options: PlacementOptions) -> Iterator[tuple[int, int]]:
    """Intervals of c with equal chains, or the one c that is asked for."""
    if options.cache_reservation is not None:
        yield options.cache_reservation, options.cache_reservation
        return
    least = 1
    for most in reservations(instance):
        yield least, most
        least = most + 1


def _has_pins(instance: Instance) -> bool:
    return any(server.pin is not None for server in instance.servers)


def whole_model_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """The whole-model placement, if there is one."""
    try:
        yield Candidate(whole_model(instance))
    except InfeasibleError:
        return


def random_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """Random placements, one for each vector m_j(c)."""
    for least, _ in _intervals(instance, options):
        if instance.memory.sizes(least).sum() < instance.service.blocks:
            break
        yield Candidate(random_placement(instance, least, options.seed), least)


def petals_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """The placement of PETALS with its default cache, or with a cache for c jobs at each block; none if incomplete."""
    memory, c = PetalsMemory.of(instance), options.cache_reservation
    try:
        yield Candidate(petals(instance, memory if c is None else memory.for_jobs(instance, c), seed=options.seed), c)
    except InfeasibleError:
        return


def cg_bp_candidates(instance: Instance, options: PlacementOptions) -> Iterator[Candidate]:
    """Placements of CG-BP, one for each vector m_j(R)."""
    for least, _ in _intervals(instance, options):
        try:
            yield Candidate(cg_bp(instance, least), least)
        except InfeasibleError:
            if not _has_pins(instance):
                return  # larger R leave room for fewer blocks still
