"""Figure 5: the choice of c, by the surrogate c K(c), by Theorem 4's bounds, by simulation, and by exact values.

``rate``: GBP-CR stops when c jobs on each chain serve λ/ρ̄, as Algorithm 1 has it. ``never``: it places all servers,
as the authors' simulator does in this figure. As the paper states: λ = 0.2, ρ̄ = 0.7, c up to floor((max M_j -
s_m)/s_c) [eq. 9]. As the authors have it: ρ̄ = 0.8, λ is 0.64 of the total service rate at the c of least c K(c), c up
to the smallest memory, a c whose load is above 0.8 left out, and 5 simulations of 1,000/ν each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.paper import drawing
from benchmarks.paper.dispatching import short_mean_s
from benchmarks.paper.finding import Finding
from benchmarks.paper.records import Cell, Log, Record, Tell, gather, interval, select, shown
from benchmarks.paper.settings import ARRIVAL_RATE, AUTHORS_TARGET_LOAD, TARGET_LOAD, at_rate, bloom
from chainopt import compose
from chainopt.allocation import gca
from chainopt.exact import bound
from chainopt.model import Composition, Instance
from chainopt.placement.greedy import GreedyChains
from chainopt.queueing import response_bounds, response_time
from chainopt.simulation.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "figure-5", "Figure 5: the choice of c"
STOPS = {"paper": ("rate", "never"), "authors": ("never",)}
CRITERIA = ("surrogate", "lower", "upper", "simulated", "exact")
SIMULATIONS = 5
ITERATIONS = 5000


@dataclass(frozen=True, eq=False)
class Reserved:
    """What comes of a c.

    Attributes
    ----------
    chains
        K(c): the disjoint chains that meet the rate, or all of them where GBP-CR never stops; None where they do not.
    composition
        GCA on that placement.
    """

    c: int
    chains: int | None
    composition: Composition


def most_reservation(setting: str, instance: Instance) -> int:
    """The largest c: floor((M - s_m)/s_c) with the largest memory as the paper has it, the smallest as the authors."""
    memories = [server.memory_gb for server in instance.servers]
    memory = min(memories) if setting == "authors" else max(memories)
    return int((memory - instance.service.block_gb) // instance.service.cache_gb)


def every_reservation(setting: str, instance: Instance, stop: str, rate: float) -> list[Reserved]:
    """All c with at least one complete chain.

    Parameters
    ----------
    rate
        λ/ρ̄ to stop at.
    """
    seen: dict[bytes, Composition] = {}
    found = []
    for c in range(1, most_reservation(setting, instance) + 1):
        strings = GreedyChains.of(instance, c)
        if not strings.complete:
            break
        chains = strings.prefix(rate, c) if stop == "rate" else strings.complete
        placement = strings.placement(chains if stop == "rate" else None)
        key = placement.start.tobytes() + placement.stop.tobytes()
        if key not in seen:
            seen[key] = gca(instance, placement)
        found.append(Reserved(c, chains, seen[key]))
    return found


def curves(
    found: Sequence[Reserved], arrival_rate: float, most_load: float, relaxed: float, seed: int
) -> dict[str, list[float | None]]:
    """Each criterion for each c; None where it says nothing: the load is too high, or the chains fall short.

    Parameters
    ----------
    most_load
        A c with a higher load, or a load of 1, is left out.
    relaxed
        How long to simulate, in units of 1/ν.
    """
    values: dict[str, list[float | None]] = {name: [] for name in CRITERIA}
    seen: dict[int, list[float | None]] = {}
    for each in found:
        composition, total = each.composition, each.composition.total_service_rate
        if arrival_rate >= total or arrival_rate > most_load * total:
            for name in CRITERIA:
                values[name].append(None)
            continue
        values["surrogate"].append(None if each.chains is None else float(each.c * each.chains))
        if id(composition) not in seen:
            short = [
                short_mean_s(composition, arrival_rate, relaxed / total, seed + 1000 * i) for i in range(SIMULATIONS)
            ]
            known = [value for value in short if value is not None]
            seen[id(composition)] = [
                *response_bounds(composition, arrival_rate),
                float(np.mean(known)) if known else None,
                response_time(composition, arrival_rate).mean_response_time_s,
            ]
        for name, value in zip(CRITERIA[1:], seen[id(composition)], strict=True):
            values[name].append(value)
    return values


def chosen(found: Sequence[Reserved], values: dict[str, list[float | None]]) -> dict[str, list[float | None]]:
    """By each criterion the best c, the smallest of equals, and its exact mean response time."""
    best: dict[str, list[float | None]] = {}
    for name in CRITERIA:
        known = [(value, place) for place, value in enumerate(values[name]) if value is not None]
        place = min(known)[1] if known else None
        best[name] = [None, None] if place is None else [found[place].c, values["exact"][place]]
    return best


def cells(setting: str, runs: int) -> list[Cell]:
    return [{"setting": setting, "stop": stop, "run": run} for stop in STOPS[setting] for run in range(1, runs + 1)]


def measure(cell: Cell) -> Record:
    setting, stop = cell["setting"], cell["stop"]
    instance = bloom(setting, cell["run"])
    if setting == "authors":
        found = every_reservation(setting, instance, stop, 0.0)
        least = min(found, key=lambda each: each.c * (each.chains or 0))
        arrival_rate = AUTHORS_TARGET_LOAD**2 * least.composition.total_service_rate
        values = curves(found, arrival_rate, AUTHORS_TARGET_LOAD, 1000.0, cell["run"])
    else:
        arrival_rate = ARRIVAL_RATE
        found = every_reservation(setting, instance, stop, arrival_rate / TARGET_LOAD)
        values = curves(found, arrival_rate, 1.0, 1000.0, cell["run"])
    posed = at_rate(instance, arrival_rate)
    return {
        "arrival_rate": arrival_rate,
        "c": [each.c for each in found],
        "job_servers": [each.composition.job_servers for each in found],
        "curves": values,
        "best": chosen(found, values),
        "search": compose(posed, iterations=ITERATIONS, seed=cell["run"]).value,
        "bound": bound(posed),
    }


def run(setting: str, runs: int, workers: int, log: Log | None = None, tell: Tell | None = None) -> list[Record]:
    """All records of a setting."""
    return gather(NAME, cells(setting, runs), measure, workers, log, tell)


def draw(records: Sequence[Record], setting: str) -> Figure:
    """The criteria against c for the first run, with what our search finds and what is proven."""
    stops = STOPS[setting]
    figure, row = drawing.panels([f"GBP-CR stops: {stop}" for stop in stops], width=6)
    for axes, stop in zip(row, stops, strict=True):
        record = select(records, setting=setting, stop=stop)[0]
        for name, style in (("upper", ":"), ("lower", "--"), ("simulated", "."), ("exact", "-")):
            values = [np.nan if value is None else value for value in record["curves"][name]]
            axes.plot(record["c"], values, style, markersize=3, label=f"{name}, best c = {record['best'][name][0]}")
        axes.axhline(record["search"], color="tab:green", linewidth=1, label="our search")
        axes.axhline(record["bound"], color="tab:red", linestyle="-.", linewidth=1, label="proven bound")
        twin = axes.twinx()
        surrogate = [np.nan if value is None else value for value in record["curves"]["surrogate"]]
        twin.plot(record["c"], surrogate, color="0.7", label=f"c K(c), best c = {record['best']['surrogate'][0]}")
        twin.set_ylabel("c K(c), job servers")
        twin.legend(frameon=False, fontsize="small", loc="lower right")
        least = min(value for value in record["curves"]["exact"] if value is not None)
        axes.set(xlabel="c", ylabel="mean response time, s", ylim=(0.8 * record["bound"], 3 * least))
        axes.legend(frameon=False, fontsize="small", loc="upper left")
    figure.suptitle(f"{TITLE}, {drawing.LABELS[setting]}, first of the draws")
    return figure


def report(records: Sequence[Record], setting: str) -> list[str]:
    lines = ["| GBP-CR stops | λ | criterion | best c, each run | exact response time there, s | above the best c % |"]
    lines.append("|---|--:|---|---|--:|--:|")
    for stop in STOPS[setting]:
        group = select(records, setting=setting, stop=stop)
        rate = interval(r["arrival_rate"] for r in group).mean
        lines += [f"| {stop} | {rate:.3g} | {name} | {_choice(group, name)} |" for name in CRITERIA]
        for name in ("search", "bound"):
            values = interval(r[name] for r in group)
            above = interval(100 * (r[name] / r["best"]["exact"][1] - 1) for r in group)
            label = "our search over placements" if name == "search" else "proven bound"
            lines.append(f"| {stop} | {rate:.3g} | {label} | – | {shown(values, 4)} | {above.mean:+.1f} |")
    return lines


def _choice(records: Sequence[Record], name: str) -> str:
    """Best c of each run by a criterion, its exact response time, and by how much that is above the least."""
    found = [r["best"][name] for r in records]
    times = interval(value for _, value in found)
    above = interval(
        None if value is None else 100 * (value / r["best"]["exact"][1] - 1)
        for r, (_, value) in zip(records, found, strict=True)
    )
    every = ", ".join("–" if c is None else str(c) for c, _ in found)
    return f"{every} | {shown(times, 4)} | {above.mean:+.1f}" if np.isfinite(above.mean) else f"{every} | – | –"


def findings(records: Sequence[Record], setting: str) -> list[Finding]:
    """Which criterion finds the best c."""
    every = []
    for stop in STOPS[setting]:
        group = select(records, setting=setting, stop=stop)
        loss = {
            name: interval(100 * (r["best"][name][1] / r["best"]["exact"][1] - 1) for r in group) for name in CRITERIA
        }
        mean_c = {name: interval(r["best"][name][0] for r in group).mean for name in CRITERIA}

        def losing(name: str, loss: dict[str, Estimate] = loss, mean_c: dict[str, float] = mean_c) -> str:
            slower = f"{loss[name].mean:.1f} ± {loss[name].half_width:.1f} % slower"
            return f"c = {mean_c[name]:.1f} in the mean, where the best is {mean_c['exact']:.1f}; {slower}"

        where = f"GBP-CR stops: {stop}; "
        every += [
            Finding("Theorem 4's lower bound finds a good c", loss["lower"].mean < 2, where + losing("lower")),
            Finding(
                "the surrogate c K(c) chooses too small a c",
                mean_c["surrogate"] < mean_c["exact"] and loss["surrogate"].mean > 2,
                where + losing("surrogate"),
            ),
            Finding(
                "the upper bound chooses too large a c",
                mean_c["upper"] > mean_c["exact"] and loss["upper"].mean > 2,
                where + losing("upper"),
            ),
        ]
        gain = interval(100 * (1 - r["search"] / r["best"]["exact"][1]) for r in group)
        rest = interval(100 * (r["search"] / r["bound"] - 1) for r in group)
        every.append(
            Finding(
                "c is what there is to choose",
                None,
                where
                + f"our search over placements gains {gain.mean:.1f} % on the best c, and is {rest.mean:.1f} % above "
                "the proven bound",
            )
        )
    return every
