"""The plan of a search: which annealings, from which states, and how long each is.

Which of the few deep basins an annealing ends in is a matter of chance, so there are many short ones first: of disjoint
chains, and of strings up to `_MANY` servers. What servers host is annealed from the best of them, and at last from the
best of all. Up to `FEW` servers beam searches for layouts come before all of this. Shares are of the whole budget,
temperatures are divided by the number of servers.

Where a larger total service rate is what is needed, moves change the energy by less, and temperatures are lower. Up to
`_MANY` servers beam searches get farthest there, or strings beside them, and what they come to is annealed; where many
chains run beside each other, so that beams do not, a single slow annealing does.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt.search.candidates import Candidate, distinct, merged, next_of
from chainopt.search.choice import generate
from chainopt.search.disjoint import spare_chains
from chainopt.search.runs import COLD
from chainopt.search.starts import greedy_chains
from chainopt.search.sweep_turns import FEW

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from chainopt.search.runs import Runs
    from chainopt.search.starts import Start

    Chains = tuple[NDArray[np.int64], NDArray[np.int64]]
    """Chain of each server, and jobs of each chain."""


class _Batch(NamedTuple):
    """Annealings of one kind: how many at most, the share of all together, and how many moves each has.

    Attributes
    ----------
    moves
        For each server, at least, if there are several annealings.
    fewest
        Where fewer can have so many moves, a single one takes their place.
    alone
        Part of the share of all others that this one has; there is none if it is 0.
    """

    most: int
    share: float
    moves: int
    fewest: int = 2
    alone: float = 1.0


_MANY = 60
"""Servers beyond which there is a plan for many."""
_WARM, _HOT, _MILD = 0.05, 0.6, 0.03
"""Temperatures at the beginning of an annealing of what servers host: a move changes the energy by about as much as one
server counts. Warm ones stay close to where they start, hot ones leave it; mild ones are for many servers, where there
is time for few moves of each."""
_SLOW_FOR_RATE, _MILD_FOR_RATE = (0.05, 0.01), (0.0015, 0.00015)
"""The same where a larger total service rate is needed, at the beginning and at the end: of the only annealing beyond
`FEW` servers, and of all beyond `_MANY`."""
_GENERATING = 0.05
"""Share of the time for allocations by column generation, where they are of use: it takes too long for many servers."""

_SWEEPING, _SWEEPING_FOR_RATE, _SWEPT = 0.1, 0.15, 4
"""Shares of beam searches, and of further ones where a larger total service rate is needed and they are good at it; and
how many of their states are kept."""
_POLISHED, _POLISHING = 0.025, (0.1, 0.004)
"""Of annealings from such a state where a larger rate is needed, with GCA's chains and with its own: share of each, and
temperatures, of which the latter take the first only."""

_STRUNG = 2
"""The best GBP-CR placements, which annealings of strings start from in turn."""
_STRINGS, _STRINGS_OF_FEW = _Batch(48, 0.4, 50, fewest=5), _Batch(16, 0.25, 2_000)
"""Beyond `FEW` servers their moves are for each pair of servers."""
_STRINGS_BESIDE = _Batch(24, 0.2, 50, fewest=5, alone=0.0)
"""Where beams come to something and a larger total service rate is needed."""
_HOT_STRINGS, _COLD_STRINGS = (0.8, 0.08), (0.4, 0.03)
"""Temperatures of one of several annealings of strings, and of a single one."""
_STRINGS_FOR_RATE = (0.1, 0.01)
"""Of all of them, where a larger total service rate is needed."""

_DISJOINT_OF_FEW = 0.03
_BRIEF_STARTS, _BRIEF, _LONGER = 10, 0.02, 0.04
"""States that annealings of what few servers host start from, the share for each, and for those from the best two."""

_COMPOSED, _COMPOSING = 4, 0.03
"""States whose compositions are annealed at last, and the share for each."""

_DISJOINT_TEMPERATURES, _DISJOINT_FOR_RATE = (0.4, 0.008), (0.02, 0.0004)
_DISJOINT, _DISJOINT_KEPT = _Batch(4, 0.05, 15), 2
"""Annealings of disjoint chains, and how many of them are gone on with."""
_REFINED, _REFINING = 10, 0.006
"""States that become candidates, and the share for a warm annealing of each."""
_STEPS, _STEP = 10, 0.04
"""Annealings of candidates, and the share for each."""
_TEMPERATURES = (0.05, 0.08, 0.12, 0.08)
"""Where annealings of a candidate begin: the first, and after each failure."""
_TEMPERATURES_WITHOUT_CHAINS = (_WARM, _HOT)

_DISJOINT_OF_MANY = _Batch(16, 0.32, 15)
_REFINED_OF_MANY, _REFINING_OF_MANY, _MOVES_OF_MANY = 6, 0.05, 10
"""Also how many moves for each server an annealing has to have, or no further state is refined."""


def follow(runs: Runs, starts: list[Start], given: int) -> None:
    """Run all annealings.

    Parameters
    ----------
    starts
        The best first, after those that are given.
    given
        Starts that are gone on with, whatever they are like.
    """
    servers = runs.problem.comm.size
    swept = _swept(runs, starts)
    chains = _greedy_chains(runs, starts)
    hot, cold = _WARM, COLD
    if servers > _MANY:
        disjoint = _disjoint(runs, chains, _DISJOINT_OF_MANY)
        best = _best_of_many(runs, starts, given, disjoint)
        hot, cold = _mild(runs)
    elif servers <= FEW:
        disjoint = [_one_disjoint(runs, _DISJOINT_OF_FEW, chain) for chain in chains[:1]]
        strung = _strung(runs, chains, _STRINGS_OF_FEW)
        best = _best_of_few(runs, starts, given, [*swept, *disjoint, *strung])
    elif swept and runs.lacks_rate:
        hot, cold = _POLISHING
        batch = _STRINGS_BESIDE._replace(moves=_STRINGS_BESIDE.moves * servers)
        others = _strung(runs, chains, batch, _STRINGS_FOR_RATE)
        states = [*starts[:given], *distinct([*swept, *others])][:_SWEPT]
        best = min((_polished(runs, state) for state in states), key=_energy)
    else:
        disjoint = sorted(_disjoint(runs, chains, _DISJOINT), key=_energy)[:_DISJOINT_KEPT]
        batch = _STRINGS._replace(moves=_STRINGS.moves * servers)
        others = [*swept, *disjoint, *_strung(runs, chains, batch, _STRINGS_FOR_RATE if runs.lacks_rate else None)]
        if runs.lacks_rate:
            best = min([*starts, *others], key=_energy)
            hot, cold = _SLOW_FOR_RATE
        else:
            best = _best_of(runs, starts, given, others)
    generates = runs.budget.timed and runs.lacks_rate and servers <= _MANY
    runs.anneal(max(runs.budget.left - (_GENERATING if generates else 0.0), 0.0), hot, best, cold)
    if generates and runs.lacks_rate:
        generate(runs)


def _swept(runs: Runs, starts: list[Start]) -> list[Start]:
    """States from beam searches for layouts, the best first; none where these are of no use.

    Beyond `FEW` servers that is where the rate does not fall short, or where they come to less than starts at first.
    """
    few = runs.problem.comm.size <= FEW
    if not (few or runs.lacks_rate) or runs.budget.exhausted:
        return []
    sweeps, best = runs.sweeps(), min(start.energy for start in starts)
    states = runs.sweep(_SWEEPING, sweeps)
    if not states and not few:
        states = runs.sweep(_SWEEPING, sweeps)
    if not few and runs.lacks_rate:
        if min((state.energy for state in states), default=best) >= best:
            return []
        states = runs.sweep(_SWEEPING_FOR_RATE, sweeps)
    return distinct(states)[:_SWEPT]


def _polished(runs: Runs, state: Start) -> Start:
    """Anneal what the servers host with GCA's chains, and then with those of the best so far."""
    hot, cold = _POLISHING
    annealed = runs.anneal(_POLISHED, hot, state, cold)
    return runs.compose(_POLISHED, hot, min([state, annealed], key=_energy))


def _greedy_chains(runs: Runs, starts: list[Start]) -> list[Chains]:
    """Disjoint chains to start from; none where blocks may not be moved freely."""
    if runs.problem.free.size < 2 or runs.problem.most_moved < np.iinfo(np.int64).max:
        return []
    found = []
    for c in dict.fromkeys(start.reservation for start in starts):
        chain = greedy_chains(runs.instance, c)
        if chain is not None and c is not None:
            found.append((chain, np.full(spare_chains(runs.problem, chain), c, dtype=np.int64)))
    return found


def _disjoint(runs: Runs, chains: list[Chains], batch: _Batch) -> list[Start]:
    """Annealings of disjoint chains, from all of these in turn."""
    return _several(runs, chains, batch, lambda each, chain, _: _one_disjoint(runs, each, chain))


def _one_disjoint(runs: Runs, share: float, chain: Chains) -> Start:
    return runs.disjoint(share, *chain, *(_DISJOINT_FOR_RATE if runs.lacks_rate else _DISJOINT_TEMPERATURES))


def _strung(
    runs: Runs, chains: list[Chains], batch: _Batch, for_rate: tuple[float, float] | None = None
) -> list[Start]:
    """Annealings of strings; one that is alone is less hot, and those for the rate have temperatures of their own."""

    def anneal(each: float, chain: Chains, alone: bool) -> Start:
        return runs.string(each, *chain, *(for_rate or (_COLD_STRINGS if alone else _HOT_STRINGS)))

    return _several(runs, chains[:_STRUNG], batch, anneal)


def _several(
    runs: Runs, chains: list[Chains], batch: _Batch, anneal: Callable[[float, Chains, bool], Start]
) -> list[Start]:
    """Annealings from all of these chains in turn.

    The first is a short one, and tells how many moves there are.

    Parameters
    ----------
    anneal
        Called with the share of one, where it starts, and whether it is the only one, or the first.
    """
    if not chains:
        return []
    others, before = batch.most - 1, runs.budget.done
    each = batch.share / batch.most
    first = anneal(each, chains[0], True)
    count = others * (runs.budget.done - before) // (batch.moves * runs.problem.comm.size)
    count = min(count, others) if count >= batch.fewest else 1
    left = others * each * (batch.alone if count == 1 else 1.0)
    turns = itertools.islice(itertools.cycle(chains), count if left > 0.0 else 0)
    return [first, *(anneal(left / count, chain, count == 1) for chain in turns)]


def _best_of_few(runs: Runs, starts: list[Start], given: int, others: list[Start]) -> Start:
    """Anneal what few servers host, warm with chains of their own and hot with GCA's in turn, from the best states.

    Also hot from the best of those, and warm with their chains from the best of all.
    """
    states = [*starts[:given], *sorted([*starts[given:], *others], key=_energy)][:_BRIEF_STARTS]
    ended = []
    for state in states:
        ended += [runs.compose(_BRIEF, _WARM, state), runs.anneal(_BRIEF, _HOT, state)]
    ended.sort(key=_energy)
    ended += [runs.anneal(_LONGER, _HOT, state) for state in ended[:2]]
    ended += [runs.compose(_COMPOSING, _WARM, state) for state in distinct(ended)[:_COMPOSED]]
    return min(ended, key=_energy)


def _best_of(runs: Runs, starts: list[Start], given: int, others: list[Start]) -> Start:
    """Anneal the best states of all kinds in turn, with chains of their own and with GCA's; the best that came out."""
    states = (starts[:given] + distinct([*starts[given:], *others]))[:_REFINED]
    refined = [min([runs.anneal(_REFINING, _WARM, state), state], key=_energy) for state in states]
    candidates = merged(map(Candidate, states, refined))
    temperatures = _TEMPERATURES if others else _TEMPERATURES_WITHOUT_CHAINS
    for step in range(_STEPS):
        if runs.budget.left < _STEP:  # beams took some of it
            break
        candidate = next_of(candidates, len(temperatures))
        if candidate is None:  # all have settled: leave them
            ended = runs.anneal(_STEP, _HOT, candidates[step % len(candidates)].best)
            candidates = merged([*candidates, Candidate(ended, ended)])
            continue
        anneal = runs.anneal if candidate.turns % 2 else runs.compose
        candidate.take(anneal(_STEP, temperatures[candidate.failures], candidate.start))
        candidates = merged(candidates)
    return candidates[0].best


def _best_of_many(runs: Runs, starts: list[Start], given: int, others: list[Start]) -> Start:
    """Anneal what many servers host, from the best states."""
    states = (starts[:given] + distinct([*starts[given:], *others]))[:_REFINED_OF_MANY]
    ended = []
    for state in states:
        before = runs.budget.done
        hot, cold = _mild(runs)
        ended.append(runs.anneal(_REFINING_OF_MANY, hot, state, cold))
        if runs.budget.done - before < _MOVES_OF_MANY * runs.problem.comm.size:
            break
    return min([*starts, *others, *ended], key=_energy)


def _mild(runs: Runs) -> tuple[float, float]:
    """Temperatures for what many servers host."""
    return _MILD_FOR_RATE if runs.lacks_rate else (_MILD, COLD)


def _energy(state: Start) -> float:
    return state.energy
