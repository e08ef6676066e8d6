"""The search: from the placements of all rules, by annealings of several kinds; the best of all is returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.jit import interrupted
from chainopt.model.composition import Composition
from chainopt.model.solution import Objective
from chainopt.search.budget import Budget
from chainopt.search.choice import choose
from chainopt.search.plan import follow
from chainopt.search.problem import problem_of
from chainopt.search.runs import Runs
from chainopt.search.starts import starts_of

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.model.placement import Placement
    from chainopt.search.runs import Moment, Progress

ITERATIONS = 100_000
"""Of a search without any limit."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes
    ----------
    composition
        The best, None where no chain was found.
    value
        Of the objective; None where there is no composition, or where its total service rate falls short of what is
        asked.
    iterations
        Moves that were tried.
    evaluations
        States that were looked at.
    starts
        States that were annealed.
    history
        Every improvement, the last one the best.
    interrupted
        Whether Ctrl-C ended it.
    """

    composition: Composition | None
    value: float | None
    iterations: int
    evaluations: int
    starts: int
    history: tuple[Moment, ...]
    interrupted: bool = False


def search(
    instance: Instance,
    objective: Objective | str = Objective.RESPONSE_TIME,
    *,
    time_limit_s: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    start: Composition | Placement | None = None,
    reference: Placement | None = None,
    max_moved_blocks: int | None = None,
    on_progress: Progress | None = None,
) -> Found:
    """Search for the best composition: annealing over placements, and over allocations as far as quotas reach.

    The outcome depends on the instance, the arguments, and, with a time limit only, on the speed of the machine. Ctrl-C
    ends the search with the best so far.

    Parameters
    ----------
    time_limit_s, iterations
        When to stop, whatever comes first; `ITERATIONS` if both are None.
    seed
        Of all random numbers.
    start
        Where to start; what is returned is never worse. None starts from the placement rules.
    reference, max_moved_blocks
        At most so many blocks are hosted by servers that do not host them in the reference. None for any number.
    on_progress
        Called with every improvement.

    Raises
    ------
    InfeasibleError
        If a server does not have the memory for its pin.
    ValueError
        If a limit is negative, or the start does not belong to the instance.
    """
    if (time_limit_s is not None and not time_limit_s >= 0) or (iterations is not None and iterations < 0):
        raise ValueError(f"expected limits of at least 0, got {time_limit_s} s and {iterations} iterations")
    if time_limit_s is None and iterations is None:
        iterations = ITERATIONS
    given = start.placement if isinstance(start, Composition) else start
    if given is None:
        given = reference
    if given is not None and given.start.size != len(instance.servers):
        raise ValueError(f"a start of {given.start.size} servers, the instance has {len(instance.servers)}")
    problem = problem_of(instance, Objective(objective), reference, max_moved_blocks)
    runs = Runs(instance, Objective(objective), problem, Budget(time_limit_s, iterations), seed, on_progress)
    ended_early = False
    try:
        _anneal(runs, given)
    except (KeyboardInterrupt, SystemError) as error:
        if not interrupted(error):
            raise
        ended_early = True
    best, value = choose(runs, start if isinstance(start, Composition) else None)
    budget = runs.budget
    return Found(best, value, budget.done, budget.looks, runs.annealed, tuple(runs.history), ended_early)


def _anneal(runs: Runs, given: Placement | None) -> None:
    """Everything that Ctrl-C ends."""
    deadline = runs.budget.deadline_for_starts
    starts = starts_of(runs.instance, runs.problem, runs.rounds, given, runs.seed, deadline)
    if not starts:
        return
    runs.ends.extend(starts)
    runs.note(starts[0].energy)
    follow(runs, starts, 0 if given is None else 1)
