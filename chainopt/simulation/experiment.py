"""A run on traffic that is drawn as it goes, in constant memory.

What comes and what jobs demand depends on the seed alone, so that policies can be compared on the same jobs (common
random numbers), and not on the stretches in which it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.simulation.summary import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from chainopt.simulation.arrivals import Arrivals
    from chainopt.simulation.engine import Run
    from chainopt.simulation.records import Records
    from chainopt.simulation.sizes import Sizes
    from chainopt.simulation.summary import Summary

STRETCH = 131_072
"""Jobs that are served at once."""


@dataclass(frozen=True, eq=False)
class Traffic:
    """What comes.

    Attributes
    ----------
    jobs
        How many.
    seed
        Of everything that is drawn.
    """

    arrivals: Arrivals
    sizes: Sizes
    jobs: int
    seed: int = 0

    def stretches(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
        """Arrivals, demands, and the numbers that decide what policies leave to chance, of the next jobs."""
        when, what, luck = (np.random.default_rng(child) for child in np.random.SeedSequence(self.seed).spawn(3))
        arrivals, sizes = self.arrivals.draw(when), self.sizes.draw(what)
        for begin in range(0, self.jobs, STRETCH):
            count = min(STRETCH, self.jobs - begin)
            yield arrivals.take(count), sizes.take(count), luck.random(count)


def observe(
    run: Run,
    traffic: Traffic,
    *,
    warm_up: float = 0.1,
    batches: int = 20,
    to_the_end: bool = False,
    each: Callable[[Records], None] | None = None,
) -> Summary:
    """Serve the traffic and sum up.

    Parameters
    ----------
    run
        Chains in which nothing is going on yet.
    warm_up
        Share of the jobs that do not count, those that come first.
    batches
        How many batches the others make.
    to_the_end
        Whether time is counted until the last departure, as for a trace; else until the last arrival.
    each
        Called with the records of every stretch.
    """
    gathering = Gathering(traffic.jobs, warm_up=warm_up, batches=batches, to_the_end=to_the_end)
    for arrivals, demands, choices in traffic.stretches():
        _take(run.serve(arrivals, demands, choices), gathering, each)
    _take(run.drain(), gathering, each)
    return gathering.summary()


def _take(records: Records, gathering: Gathering, each: Callable[[Records], None] | None) -> None:
    gathering.add(records)
    if each is not None:
        each(records)
