"""The default method: greedy rules at once, a proven bound, exact where that closes, search until the time is up."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.allocation import ALLOCATIONS, gca
from chainopt.answer import SAME
from chainopt.errors import InfeasibleError, UnstableError
from chainopt.exact import bound as prove
from chainopt.exact.enumeration import value_of
from chainopt.exact.joint import solve_joint
from chainopt.jit import interrupted
from chainopt.model.solution import Objective, Status, relative_gap
from chainopt.placement import PLACEMENTS
from chainopt.protocols import PlacementOptions
from chainopt.quantity import RELATIVE_TOLERANCE, at_least
from chainopt.replanning import that_fits
from chainopt.search.parallel import search_in_parallel
from chainopt.tuning import Criterion, choose
from chainopt.warm_up import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement

    Watch = Callable[[float | None, float | None], None]

TIME_LIMIT_S = 2.0
"""Seconds, where neither a time nor a number of iterations is given."""

_BOUND_SHARE, _EXACT_SHARE = 0.25, 0.4
_MOST_SERVERS, _MOST_BLOCKS = 7, 12  # above, enumeration does not end in seconds


@dataclass(eq=False)
class Attempt:
    """What is known so far.

    Attributes
    ----------
    best
        The best composition, None where there is none.
    bound
        Proven bound on the objective, None where there is none.
    impossible
        What is proven not to exist, if something is: a composition (`INFEASIBLE`) or a stable one (`UNSTABLE`).
    closed_by
        What proved that the best is the optimum, None where nothing did.
    iterations
        Of the search.
    lost_workers
        Processes that did not answer.
    """

    instance: Instance
    objective: Objective
    watch: Watch | None
    best: Composition | None = None
    key: tuple[int, float] = (2, 0.0)
    bound: float | None = None
    impossible: Status | None = None
    closed_by: str | None = None
    iterations: int = 0
    lost_workers: int = 0

    def offer(self, composition: Composition | None) -> None:
        """Keep a composition if it is better: one that does what is asked, else one with a larger total rate.

        Of equally good ones the larger total rate is kept too: it does no harm, and helps when traffic is not Poisson.
        """
        if composition is None or not composition.job_servers:
            return
        key = rank(self.instance, composition, self.objective)
        same = key[0] == self.key[0] and relative_gap(key[1], self.key[1]) <= RELATIVE_TOLERANCE
        if same and self.best is not None:
            if composition.total_service_rate > self.best.total_service_rate:
                self.best = composition
        elif key < self.key:
            self.best, self.key = composition, key
            self.tell()

    def tell(self, value: float | None = None) -> None:
        """Say what is known to whoever watches."""
        if self.key[0] == 0:
            own = abs(self.key[1])
            better = max if self.objective is Objective.RATE else min
            value = own if value is None else better(own, value)  # the search does not know what came before it
        if self.watch is not None and (value, self.bound) != (None, None):
            self.watch(value, self.bound)

    @property
    def closed(self) -> bool:
        """Whether nothing is left to be found."""
        if self.impossible is not None or self.closed_by is not None:
            return True
        return self.key[0] == 0 and self.bound is not None and relative_gap(abs(self.key[1]), self.bound) <= SAME


def rank(instance: Instance, composition: Composition, objective: Objective) -> tuple[int, float]:
    """What compositions are compared by: 0 and the objective, to be small; or 1 and minus the rate that falls short."""
    asked = 0.0 if objective is Objective.RATE else float(instance.workload.arrival_rate)
    if objective is Objective.JOB_SERVERS:
        asked = instance.design_rate
    rate = composition.total_service_rate
    enough = at_least(rate, asked) if objective is Objective.JOB_SERVERS else not at_least(asked, rate)
    if not enough:
        return 1, -rate
    value = value_of(instance, composition, objective)
    return 0, -value if objective is Objective.RATE else value


def attempt(
    instance: Instance,
    objective: Objective,
    *,
    time_limit_s: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    workers: int = 1,
    reference: Placement | None = None,
    max_moved_blocks: int | None = None,
    watch: Watch | None = None,
) -> Attempt:
    """Do what can be done in the time. Ctrl-C ends it with the best so far.

    Parameters
    ----------
    time_limit_s, iterations
        When to stop; `TIME_LIMIT_S` if both are None. Compiling kernels does not count. With iterations alone, nothing
        depends on the clock, and nothing is proven.
    workers
        Processes that search, each with a seed of its own.
    reference, max_moved_blocks
        At most so many blocks on servers that do not host them in the reference.
    watch
        Called with the best value and the bound whenever one of them improves.
    """
    if time_limit_s is None and iterations is None:
        time_limit_s = TIME_LIMIT_S
    if time_limit_s is not None:
        prepare(instance, objective, reference)
    known = Attempt(instance, objective, watch)
    begin = time.monotonic()
    end = math.inf if time_limit_s is None else begin + time_limit_s
    try:
        if reference is None:
            _start(known, begin + (end - begin) / 4)
        else:
            known.offer(gca(instance, that_fits(instance, reference)))
        if time_limit_s is not None:
            _bound(known, min(_BOUND_SHARE * time_limit_s, end - time.monotonic()))
            if _enumerates(instance, reference) and not known.closed:
                _exact(known, min(_EXACT_SHARE * time_limit_s, end - time.monotonic()), seed)
        if not known.closed:
            searched = search_in_parallel(
                instance,
                objective,
                workers,
                time_limit_s=None if time_limit_s is None else max(0.0, end - time.monotonic()),
                iterations=iterations,
                seed=seed,
                start=None if reference is None else that_fits(instance, reference),
                reference=reference,
                max_moved_blocks=max_moved_blocks,
                on_progress=lambda moment: known.tell(moment.value),
            )
            known.iterations = sum(found.iterations for found in searched)
            known.lost_workers = workers - len(searched)
            for found in searched:
                known.offer(found.composition)
    except (KeyboardInterrupt, SystemError) as error:
        if not interrupted(error):
            raise
        if known.best is None:
            raise KeyboardInterrupt from None
    return known


def prepare(instance: Instance, objective: Objective, reference: Placement | None) -> None:
    """Load kernels, or compile them, before a clock starts."""
    warm_up(objective, enumerates=_enumerates(instance, reference))


def _enumerates(instance: Instance, reference: Placement | None) -> bool:
    """Whether the exact method is worth a try."""
    return reference is None and len(instance.servers) <= _MOST_SERVERS and instance.service.blocks <= _MOST_BLOCKS


def _start(known: Attempt, deadline: float) -> None:
    """The best of the paper's algorithms."""
    instance = known.instance
    candidates = PLACEMENTS["gbp-cr"].rule(instance, PlacementOptions())
    choice = choose(instance, candidates, ALLOCATIONS["gca"].rule, known.objective, Criterion.EXACT, deadline)
    if choice is not None:
        known.offer(choice.composition)


def _bound(known: Attempt, time_limit_s: float) -> None:
    try:
        known.bound = prove(known.instance, known.objective, max(time_limit_s, 0.0))
    except InfeasibleError:
        known.impossible = Status.INFEASIBLE
    except UnstableError:
        known.impossible = Status.UNSTABLE
    known.tell()


def _exact(known: Attempt, time_limit_s: float, seed: int) -> None:
    found = solve_joint(known.instance, known.objective, time_limit_s=max(time_limit_s, 0.0), seed=seed)
    if found.status in (Status.INFEASIBLE, Status.UNSTABLE):
        known.impossible = found.status
    known.bound = found.bound if found.bound is not None else known.bound
    known.offer(found.composition)
    if found.status is Status.OPTIMAL:
        known.closed_by = found.closed_by
