"""What a reader should be warned of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.quantity import at_least
from chainopt.report.words import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from chainopt.report.facts import Facts, ServerFacts

HIGH_LOAD = 0.85
"""Load above which response times rise steeply with little more traffic."""
MUCH_IDLE = 0.25
"""Share of a server's memory that may be left before it is said."""
MOST_NAMED = 12


@dataclass(frozen=True)
class Finding:
    """One warning.

    Attributes
    ----------
    title, text
        What is the matter, in a few words; and why it matters.
    servers
        Positions of the servers that it is about, the worst first; at most `MOST_NAMED` are to be named.
    details
        A few words on each of them.
    """

    title: str
    text: str
    servers: tuple[int, ...] = ()
    details: tuple[str, ...] = ()


def findings(facts: Facts) -> tuple[Finding, ...]:
    """All warnings, the most urgent first."""
    return tuple(
        finding for rule in (_load, _single_points, _idle_memory, _without_blocks, _unused) for finding in rule(facts)
    )


def _load(facts: Facts) -> Iterator[Finding]:
    load, total = facts.evaluation.load, facts.total_service_rate
    rates = f"{facts.arrival_rate:.4g} jobs/s arrive, the chains serve at most {total:.4g} jobs/s"
    if not facts.stable:
        yield Finding("Unstable: the load is not below 1", f"{rates}. The queue grows without limit.")
    elif load is not None and load > HIGH_LOAD:
        text = f"{rates}. Above {HIGH_LOAD:g}, a little more traffic lengthens response times a lot."
        yield Finding(f"The load is {load:.3g}", text)


def _single_points(facts: Facts) -> Iterator[Finding]:
    """Servers without which nothing runs, or too little; where the whole is unstable, only the first."""
    stops, breaks = [], []
    for j, server in enumerate(facts.servers):
        if len(server.chains) == len(facts.chains):
            stops.append(j)
        elif facts.stable and at_least(facts.arrival_rate, server.rate_without):
            breaks.append(j)
    advice = "Blocks that are hosted once more elsewhere, or chains allocated anew, may help."
    if stops:
        yield _about(
            facts,
            stops,
            "Single point of failure",
            "Every chain passes: without {one} nothing runs. " + advice,
            lambda server: f"blocks {blocks(server.start, server.stop)}",
        )
    if breaks:
        breaks.sort(key=lambda j: facts.servers[j].rate_without)
        yield _about(
            facts,
            breaks,
            "Overload if one fails",
            "Without {one} the chains that are left have a load of 1 or more. " + advice,
            lambda server: f"{server.rate_without:.4g} jobs/s left",
        )


def _idle_memory(facts: Facts) -> Iterator[Finding]:
    idle = [j for j, server in enumerate(facts.servers) if server.blocks and server.idle > MUCH_IDLE]
    idle.sort(key=lambda j: -facts.servers[j].free_gb)
    if idle:
        total = sum(facts.servers[j].free_gb for j in idle)
        yield _about(
            facts,
            idle,
            "Idle memory",
            f"Over {MUCH_IDLE:.0%} of the memory is neither blocks nor cache of full chains, {total:.4g} GB in all.",
            lambda server: f"{server.free_gb:.4g} GB, {server.idle:.0%}",
        )


def _without_blocks(facts: Facts) -> Iterator[Finding]:
    empty = [j for j, server in enumerate(facts.servers) if not server.blocks]
    if empty:
        text = "Their memory is free for other work, or for hosting blocks once more."
        yield _about(facts, empty, "Hosting nothing", text, lambda server: f"{server.memory_gb:.4g} GB")


def _unused(facts: Facts) -> Iterator[Finding]:
    unused = [j for j, server in enumerate(facts.servers) if server.blocks and not server.chains]
    if unused:
        text = "They host blocks, but no chain passes."
        yield _about(
            facts,
            unused,
            "No chain passes",
            text,
            lambda server: "1 block" if server.blocks == 1 else f"{server.blocks} blocks",
        )


def _about(
    facts: Facts, servers: Sequence[int], title: str, text: str, detail: Callable[[ServerFacts], str]
) -> Finding:
    count = len(servers)
    head = f"{title}: {count} of {len(facts.servers)} servers"
    one = "this server" if count == 1 else "any one of these servers"
    details = tuple(detail(facts.servers[j]) for j in servers[:MOST_NAMED])
    return Finding(head, text.replace("{one}", one), tuple(servers), details)
