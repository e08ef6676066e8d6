"""Figure 1: c K(c) of GBP-CR against random placements, and against the proven optimum.

K(c) is the number of disjoint chains that serve λ/ρ̄ with c jobs each [eq. 7]. The paper compares GBP-CR with 100
random orders of the servers, strung into chains one after another.

``stated``: λ = 0.2 and ρ̄ = 0.7, as the paper states. ``tuned``: what the authors' simulator does, λ/ρ̄ chosen for
every c so that about half (η = 0) or 40 % (η > 0) of all chains are needed; they have J = 40 servers, no overhead
where η = 0, and a random order that uses up all servers without reaching the rate counts with the chains that it has.
Here it counts as one that does not serve the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper import drawing
from benchmarks.paper.finding import Finding
from benchmarks.paper.records import Cell, Log, Record, Tell, gather, interval, select, shown
from benchmarks.paper.settings import ARRIVAL_RATE, SERVERS, TARGET_LOAD, bloom
from chainopt.exact import fewest_disjoint_chains
from chainopt.model import Instance
from chainopt.placement.greedy import GreedyChains
from chainopt.quantity import at_least
from chainopt.simulation.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "figure-1", "Figure 1: placement, c K(c) of GBP-CR and of random orders"
SHARES = ("0", "0.2")
RESERVATIONS = {"paper": (1, 2, 3, 5, 7, 8, 10), "authors": (1, 2, 3, 5, 8, 10)}
RATES = {"paper": ("stated", "tuned"), "authors": ("tuned",)}
AUTHORS_SERVERS = 40
ORDERS = 100


def instance_of(setting: str, share: str, seed: int) -> Instance:
    """The servers; with the authors' choices and η = 0 without the 50 ms of the prompt."""
    servers = AUTHORS_SERVERS if setting == "authors" else SERVERS
    instance = bloom(setting, seed, servers=servers, fast_share=Decimal(share))
    if setting == "authors" and share == "0":
        bare = [server.replace(comm_s=server.comm_s - Decimal("0.05")) for server in instance.servers]
        instance = instance.replace(servers=bare)
    return instance


def tuned_rate(instance: Instance, chains: GreedyChains, reservation: int, share: str) -> float:
    """λ/ρ̄ of the authors: for η = 0 half of all chains at their mean time, else 40 % of them at their mean rate."""
    if share != "0":
        return reservation * max(2, round(0.4 * chains.complete)) * float(np.mean(chains.rates))
    blocks = instance.service.blocks
    hosts = -(-blocks // int(instance.memory.sizes(reservation)[0]))
    comm_s = float(np.mean([float(server.comm_s) for server in instance.servers]))
    time_s = hosts * comm_s + float(instance.servers[0].comp_s_per_block) * blocks
    return reservation * max(2, round(0.5 * (len(instance.servers) // hosts))) / time_s


def strung(
    order: NDArray[np.int64], sizes: NDArray[np.int64], time_s: NDArray[np.float64], blocks: int, needed: float
) -> tuple[int, bool]:
    """Number of chains that servers in this order make until Σ 1/T_k reaches what is needed, and whether it does.

    Parameters
    ----------
    sizes, time_s
        m_j(c) and t_j(c), shape (J,).
    """
    chains, covered, time, served = 0, 0, 0.0, 0.0
    for j in order.tolist():
        covered += int(sizes[j])
        time += float(time_s[j])
        if covered >= blocks:
            chains, served, covered, time = chains + 1, served + 1 / time, 0, 0.0
            if at_least(served, needed):
                return chains, True
    return chains, False


def cells(setting: str, runs: int) -> list[Cell]:
    return [
        {"setting": setting, "rate": rate, "share": share, "c": c, "run": run}
        for rate in RATES[setting]
        for share in SHARES
        for c in RESERVATIONS[setting]
        for run in range(1, runs + 1)
    ]


def measure(cell: Cell) -> Record:
    instance = instance_of(cell["setting"], cell["share"], cell["run"])
    c = cell["c"]
    chains = GreedyChains.of(instance, c)
    rate = ARRIVAL_RATE / TARGET_LOAD if cell["rate"] == "stated" else tuned_rate(instance, chains, c, cell["share"])
    sizes, blocks = instance.memory.sizes(c), instance.service.blocks
    time_s = np.array(
        [float(s.comm_s + s.comp_s_per_block * int(m)) for s, m in zip(instance.servers, sizes, strict=True)]
    )
    generator = np.random.default_rng([cell["run"], c])
    orders = [strung(generator.permutation(sizes.size), sizes, time_s, blocks, rate / c) for _ in range(ORDERS)]
    exact = fewest_disjoint_chains(instance, c, rate)
    return {
        "needed": rate,
        "all_chains": chains.complete,
        "greedy": chains.prefix(rate, c),
        "optimum": exact.value,
        "bound": exact.bound,
        "random": [count for count, _ in orders],
        "reached": [reached for _, reached in orders],
    }


def run(setting: str, runs: int, workers: int, log: Log | None = None, tell: Tell | None = None) -> list[Record]:
    """All records of a setting."""
    return gather(NAME, cells(setting, runs), measure, workers, log, tell)


def draw(records: Sequence[Record], setting: str) -> Figure:
    """Boxes of the random orders that reach the rate, and the marks of GBP-CR and of the optimum, in the mean."""
    kinds = [(rate, share) for rate in RATES[setting] for share in SHARES]
    figure, row = drawing.panels([f"η = {share}, λ {rate}" for rate, share in kinds], width=4.2)
    for axes, (rate, share) in zip(row, kinds, strict=True):
        chosen = RESERVATIONS[setting]
        groups = [select(records, setting=setting, rate=rate, share=share, c=c) for c in chosen]
        places = range(len(chosen))
        axes.boxplot(
            [[c * k for r in group for k in reaching(r)] for c, group in zip(chosen, groups, strict=True)],
            positions=list(places),
            tick_labels=[str(c) for c in chosen],
        )
        for name, mark, label in (("greedy", "D", "GBP-CR"), ("optimum", "x", "optimum, proven")):
            means = [scaled_mean(group, name).mean for group in groups]
            axes.plot(places, means, mark, label=label, markersize=7, fillstyle="none")
        axes.set(xlabel="c", ylabel="c K(c), job servers")
        axes.legend(frameon=False, fontsize="small")
    figure.suptitle(f"{TITLE}, {drawing.LABELS[setting]}")
    return figure


def reaching(record: Record) -> list[int]:
    """K(c) of the random orders that reach the rate."""
    return [count for count, reached in zip(record["random"], record["reached"], strict=True) if reached]


def scaled_mean(records: Sequence[Record], name: str) -> Estimate:
    """Mean of c K(c) over the runs in which any chains serve the rate."""
    return interval(r["cell"]["c"] * r[name] for r in records if r[name] is not None)


def report(records: Sequence[Record], setting: str) -> list[str]:
    lines = [
        "| λ | η | c | GBP-CR | optimum | not served | proven | random mean | least | most | short of the rate % "
        "| no better % |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for rate in RATES[setting]:
        for share in SHARES:
            for c in RESERVATIONS[setting]:
                group = select(records, setting=setting, rate=rate, share=share, c=c)
                every = [c * k for r in group for k in reaching(r)]
                orders = sum(len(r["random"]) for r in group)
                no_better = sum(
                    not reached or r["greedy"] <= k
                    for r in group
                    if r["greedy"]
                    for k, reached in zip(r["random"], r["reached"], strict=True)
                )
                proven = sum(r["optimum"] is not None and r["optimum"] == r["bound"] for r in group)
                spread = f"{np.mean(every):.3g} | {min(every)} | {max(every)}" if every else "– | – | –"
                means = [shown(scaled_mean(group, name)) for name in ("greedy", "optimum")]
                short = sum(r["optimum"] is None for r in group)
                shares = [f"{100 * share:.0f}" for share in (1 - len(every) / orders, no_better / orders)]
                counts = [f"{count} of {len(group)}" for count in (short, proven)]
                lines.append(f"| {rate} | {share} | {c} | {' | '.join([*means, *counts, spread, *shares])} |")
    return lines


def findings(records: Sequence[Record], setting: str) -> list[Finding]:
    """Theorem 2 for equal memories, and what GBP-CR gains on random orders."""
    every = []
    for share, claim in (
        ("0", "GBP-CR is optimal where memories are equal (Theorem 2)"),
        ("0.2", "GBP-CR is near the optimum where they are not"),
    ):
        solved = [r for r in select(records, setting=setting, share=share) if r["optimum"] is not None]
        best = sum(r["greedy"] == r["optimum"] for r in solved)
        proven = sum(r["optimum"] == r["bound"] for r in solved)
        measured = (
            f"η = {share}: as few chains as the optimum in {best} of {len(solved)} cases, {proven} of them proven"
        )
        every.append(Finding(claim, best == len(solved) if share == "0" else best >= 0.95 * len(solved), measured))
    for rate in RATES[setting]:
        group = [r for r in select(records, setting=setting, rate=rate) if r["greedy"] is not None]
        orders = sum(len(r["random"]) for r in group)
        worse = sum(not ok or k > r["greedy"] for r in group for k, ok in zip(r["random"], r["reached"], strict=True))
        better = sum(ok and k < r["greedy"] for r in group for k, ok in zip(r["random"], r["reached"], strict=True))
        measured = (
            f"λ {rate}: of {orders} random orders {100 * worse / orders:.0f} % need more chains or fall short of the "
            f"rate, {better} need fewer, the others need as many"
        )
        every.append(
            Finding("GBP-CR needs fewer job servers than random orders", True if 2 * worse > orders else None, measured)
        )
    if setting == "paper":
        group = [r for r in select(records, setting=setting, rate="stated", c=7) if r["greedy"] is not None]
        same = sum(all(r["reached"]) and set(r["random"]) == {r["greedy"]} for r in group)
        measured = (
            f"at the stated λ = 0.2 all 100 orders need as many chains as GBP-CR in {same} of {len(group)} cases: one"
        )
        every.append(Finding("the figure is made with c = 7", None, measured))
    return every
