"""States to go on with: the best of each kind, taken in turn while annealing makes them better.

Two states whose energies are equal up to `SAME` count as one: where the best compositions are few and differ in
structure, equal energies come from equal structures, whatever strings they were written as. Without this, the first ten
states would be ten times the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainopt.search.starts import Start

SAME = 1e-4
"""Relative difference of the objective below which two states count as one."""
_EQUAL = 1e-9
_CONSIDERED, _REACH = 4, 0.01
"""Candidates that take turns, and how far above the best they are, relative to the objective."""


@dataclass(eq=False)
class Candidate:
    """A state, and what was tried with it.

    Attributes
    ----------
    origin
        Where it came from, before any annealing of what servers host.
    best
        The best that annealings made of it.
    failures
        Annealings since it became better; those that came to the very same state count twice, for another one will too.
    turns
        Annealings so far.
    improved
        Whether the last annealing made it better.
    """

    origin: Start
    best: Start
    failures: int = 0
    turns: int = 0
    improved: bool = False

    @property
    def start(self) -> Start:
        """Where to anneal from next: the best if that is new, or else the origin, which is less settled."""
        return self.best if self.improved else self.origin

    def take(self, ended: Start) -> None:
        """Take down how an annealing ended."""
        self.turns += 1
        self.improved = ended.energy < self.best.energy - SAME
        again = abs(ended.energy - self.best.energy) <= _EQUAL
        self.failures = 0 if self.improved else self.failures + (2 if again else 1)
        self.best = min(self.best, ended, key=_energy)


def distinct(states: Iterable[Start]) -> list[Start]:
    """Of each kind of states the best one, the best of all first."""
    kept: list[Start] = []
    for state in sorted(states, key=_energy):
        if not kept or state.energy > kept[-1].energy + SAME:
            kept.append(state)
    return kept


def merged(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Candidates that have become the same count as one, with the failures of the one that has most."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: each.best.energy):
        if not kept or candidate.best.energy > kept[-1].best.energy + SAME:
            kept.append(candidate)
        else:
            kept[-1].failures = max(kept[-1].failures, candidate.failures)
    return kept


def next_of(candidates: list[Candidate], most_failures: int) -> Candidate | None:
    """Of the best candidates the one with the fewest failures, the better one if equal.

    Those within `_REACH` of the best come first, others when all of them have failed often. None where no candidate has
    fewer failures than `most_failures`.

    Parameters
    ----------
    candidates
        The best first.
    """
    promising = [candidate for candidate in candidates if candidate.failures < most_failures]
    within = [each for each in promising if each.best.energy <= candidates[0].best.energy + _REACH]
    return min((within or promising)[:_CONSIDERED], key=lambda each: each.failures, default=None)


def _energy(state: Start) -> float:
    return state.energy
