"""Rules that say which chain serves a job: what they may look at, the two kinds of them, and those that are built in.

A rule is a function of a `System`. Users write their own the same way:

>>> def to_the_emptiest(system):
...     return min(system.chains, key=lambda k: system.jobs[k] / system.capacities[k])
>>> rule = DispatchRule(to_the_emptiest)
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class System:
    """What a rule may look at, and must not change. Chains are counted as they were given.

    Attributes
    ----------
    rates
        μ_k, jobs per second, K of them.
    capacities
        c_k, K of them.
    thresholds
        θ_k, K of them, None where none were given.
    chains
        The chains with capacity, as given.
    fastest_first
        The same by decreasing rate, equal ones as given.
    rate_sums
        Running sums of c_k μ_k over `chains`, jobs per second.
    jobs
        Z_k, jobs that wait or run at each chain, K of them.
    now
        The moment, s.
    waiting
        Jobs in the central queue, with the one that is asked about; 0 for rules that dispatch.
    choice
        Random number in [0, 1) of the job that is asked about.
    """

    rates: tuple[float, ...]
    capacities: tuple[int, ...]
    thresholds: tuple[int, ...] | None
    chains: tuple[int, ...]
    fastest_first: tuple[int, ...]
    rate_sums: tuple[float, ...]
    jobs: list[int]
    now: float = 0.0
    waiting: int = 0
    choice: float = 0.0

    def free(self, chain: int) -> int:
        """Idle job servers of a chain."""
        return max(0, self.capacities[chain] - self.jobs[chain])


@dataclass(frozen=True)
class CentralRule:
    """A rule for one queue before all chains, first come, first served.

    Attributes
    ----------
    choose
        The chain that starts the head of the queue now, None to let it wait. Asked after every arrival and after every
        completion, again and again until it says None or nobody waits.
    """

    choose: Callable[[System], int | None]


@dataclass(frozen=True)
class DispatchRule:
    """A rule that sends every job, when it comes and for good, to the queue of a chain, first come, first served.

    Attributes
    ----------
    choose
        The chain that the job joins. Asked once for each job.
    """

    choose: Callable[[System], int]


Rule: TypeAlias = CentralRule | DispatchRule


def jffc(system: System) -> int | None:
    """Join the fastest free chain [Algorithm 3]."""
    for k in system.fastest_first:
        if system.jobs[k] < system.capacities[k]:
            return k
    return None


def thresholds(system: System) -> int | None:
    """Join the fastest free chain once as many jobs wait as its threshold asks for.

    Raises
    ------
    ValueError
        If no thresholds were given.
    """
    if system.thresholds is None:
        raise ValueError("the rule 'thresholds' needs thresholds")
    k = jffc(system)
    return k if k is not None and system.waiting >= system.thresholds[k] else None


def jsq(system: System) -> int:
    """Join the shortest queue, ties at random."""
    scores = [_relative_queue(system, k) for k in system.chains]
    least = min(scores)
    return _at_random(system, [k for k, score in zip(system.chains, scores, strict=True) if score == least])


def sa_jsq(system: System) -> int:
    """Join the shortest queue, ties to the fastest chain."""
    return min(system.fastest_first, key=lambda k: _relative_queue(system, k))


def jiq(system: System) -> int:
    """Join an idle chain at random, any chain at random where none is idle."""
    idle = [k for k in system.chains if system.jobs[k] < system.capacities[k]]
    return _at_random(system, idle or system.chains)


def sed(system: System) -> int:
    """Join the chain of the shortest expected delay, ties to the first."""

    def delay(k: int) -> float:
        rate, capacity = system.rates[k], system.capacities[k]
        return 1 / rate + max(0, system.jobs[k] - capacity + 1) / (rate * capacity)

    return min(system.chains, key=delay)


def at_random(system: System) -> int:
    """Join a chain at random, in proportion to c_k μ_k."""
    position = bisect_right(system.rate_sums, system.choice * system.rate_sums[-1])
    return system.chains[min(position, len(system.chains) - 1)]  # a denormal product may be the last sum


def split() -> Callable[[System], int]:
    """Split the stream in proportion to c_k μ_k, without chance and as evenly as it goes.

    A generalized round robin [Arian and Levy, Operations Research Letters 12 (1992) 313-319] in the simple form of
    "smooth weighted round-robin" [nginx, M. Dounin, May 2012]: the chain that is furthest behind its share is next.
    """
    behind: defaultdict[int, float] = defaultdict(float)  # jobs that each chain is short of its share

    def choose(system: System) -> int:
        for k in system.chains:
            behind[k] += system.capacities[k] * system.rates[k] / system.rate_sums[-1]
        chosen = max(system.chains, key=behind.__getitem__)
        behind[chosen] -= 1
        return chosen

    return choose


def _relative_queue(system: System, k: int) -> float:
    """Jobs that would wait, the new one included, for each job server."""
    return max(0, system.jobs[k] - system.capacities[k] + 1) / system.capacities[k]


def _at_random(system: System, chains: list[int] | tuple[int, ...]) -> int:
    return chains[int(system.choice * len(chains))]


RULES: dict[str, Callable[[], Rule]] = {
    "jffc": lambda: CentralRule(jffc),
    "thresholds": lambda: CentralRule(thresholds),
    "jsq": lambda: DispatchRule(jsq),
    "sa-jsq": lambda: DispatchRule(sa_jsq),
    "jiq": lambda: DispatchRule(jiq),
    "sed": lambda: DispatchRule(sed),
    "random": lambda: DispatchRule(at_random),
    "split": lambda: DispatchRule(split()),
}
"""What makes each built-in rule; every run makes its own, because a rule may remember."""
