"""Where searches start: the placements of all rules, as states, the best first."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from chainopt.errors import InfeasibleError
from chainopt.model.placement import Placement
from chainopt.placement import PLACEMENTS, STARTS
from chainopt.placement.greedy import GreedyChains, pinned_ranges
from chainopt.protocols import PlacementOptions
from chainopt.search.annealing import look
from chainopt.search.energy import FALLS_SHORT
from chainopt.search.ranges import Ranges, ranges_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from chainopt.model.instance import Instance
    from chainopt.search.compositions import Composed
    from chainopt.search.problem import Problem
    from chainopt.search.rounds import Rounds

_RANDOM_PLACEMENTS, _RANDOM_UP_TO = 4, 60
"""Random placements of each size for up to so many servers; with more, none comes near GBP-CR."""


class Start(NamedTuple):
    """A state to start from.

    Attributes
    ----------
    energy
        Of the state.
    ranges
        The state.
    reservation
        c that it was made for, None where there is none.
    composed
        The ranges with their chains, None where these are GCA's.
    """

    energy: float
    ranges: Ranges
    reservation: int | None
    composed: Composed | None = None


def starts_of(
    instance: Instance, problem: Problem, rounds: Rounds, given: Placement | None, seed: int, deadline: float
) -> list[Start]:
    """Different states to start from, the best first, the one that is given before all others.

    Parameters
    ----------
    given
        A placement to start from, None for none.
    deadline
        When to stop looking, as `time.monotonic` counts.
    """
    found: dict[bytes, Start] = {}
    for placement, reservation in _placements(instance, given, seed):
        ranges = ranges_of(problem, placement.start, placement.stop)
        key = ranges.start.tobytes() + ranges.stop.tobytes()
        if key not in found and ranges.counts[1] <= problem.most_moved:
            energy, _ = look(problem, ranges, rounds, math.inf, 0.0)
            found[key] = Start(energy, ranges, reservation)
        if time.monotonic() > deadline and any(start.energy < FALLS_SHORT for start in found.values()):
            break
    starts = list(found.values())
    if given is None:
        return sorted(starts, key=lambda start: start.energy)
    return starts[:1] + sorted(starts[1:], key=lambda start: start.energy)


def _placements(instance: Instance, given: Placement | None, seed: int) -> Iterator[tuple[Placement, int | None]]:
    if given is not None:
        yield given, None
    random = _RANDOM_PLACEMENTS if len(instance.servers) <= _RANDOM_UP_TO else 0
    for name in STARTS:
        for i in range(random if name == "random" else 1):
            for candidate in PLACEMENTS[name].rule(instance, PlacementOptions(seed=seed + i)):
                yield candidate.placement, candidate.cache_reservation
    yield Placement(*pinned_ranges(instance)), None


def greedy_chains(instance: Instance, reservation: int | None) -> NDArray[np.int64] | None:
    """Chain of each server in GBP-CR for this c; None where it completes none."""
    if reservation is None:
        return None
    try:
        strings = GreedyChains.of(instance, reservation)
    except InfeasibleError:
        return None
    return strings.chain if strings.complete else None
