"""The pictures of a report as figures: for papers, slides and notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainopt.errors import FormatError
from chainopt.report.facts import facts as facts_of
from chainopt.report.layout import BAR, layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution
    from chainopt.report.facts import Facts
    from chainopt.report.layout import Layout

MEMORY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("reserve", "reserve", {"facecolor": "white", "hatch": "..."}),
    ("blocks", "blocks", {"facecolor": "0.8"}),
    ("cache", "cache of full chains", {"facecolor": "white", "hatch": "////"}),
    ("free", "free", {"facecolor": "white"}),
)
_MOST_NAMED = 80
_DASHES = ("-", "--", "-.", ":")


def plot_composition(instance: Instance, solution: Solution) -> Figure:
    """Servers against blocks: what each server hosts, and the chains through them.

    Servers and chains beyond `layout.MOST_SERVERS` and `layout.MOST_CHAINS` are left out, and the title says so.

    Raises
    ------
    FormatError
        If matplotlib is not installed.
    ValueError
        If placement or chains do not fit the instance.
    """
    facts = facts_of(instance, solution)
    picture = layout(facts)
    figure, axes = _rows(facts, picture)
    servers = [facts.servers[j] for j in picture.rows]
    axes.barh(
        range(len(servers)),
        [server.blocks for server in servers],
        left=[server.start for server in servers],
        height=BAR,
        color="0.88",
        edgecolor="0.55",
        linewidth=0.6,
    )
    for i, line in enumerate(picture.lines):
        x, y = zip(*line.points, strict=True)
        axes.plot(
            x,
            [at - 0.5 for at in y],
            color=f"C{i % 10}",
            linestyle=_DASHES[i // 10 % len(_DASHES)],
            linewidth=1.4 if len(picture.lines) <= 24 else 0.7,
            label=f"chain {line.chain}",
        )
    axes.set(xlim=(0, instance.service.blocks), xlabel="block", title=_title(facts, picture))
    if len(picture.lines) <= 12:
        axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def plot_memory(instance: Instance, solution: Solution) -> Figure:
    """Memory of each server that hosts blocks: reserve, blocks, cache of full chains, free.

    Raises
    ------
    FormatError
        If matplotlib is not installed.
    ValueError
        If placement or chains do not fit the instance.
    """
    facts = facts_of(instance, solution)
    picture = layout(facts)
    figure, axes = _rows(facts, picture)
    servers = [facts.servers[j] for j in picture.rows]
    left = [0.0] * len(servers)
    for kind, label, style in MEMORY:
        sizes = [float(getattr(server, f"{kind}_gb")) for server in servers]
        if any(sizes):
            axes.barh(
                range(len(servers)), sizes, left=left, height=BAR, edgecolor="0.3", linewidth=0.6, label=label, **style
            )
        left = [at + size for at, size in zip(left, sizes, strict=True)]
    axes.set(xlabel="memory, GB", title=_title(facts, picture))
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _rows(facts: Facts, picture: Layout) -> tuple[Figure, Axes]:
    """An empty picture with a row for each server, named as long as names can be read."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise FormatError("pictures need matplotlib (pip install matplotlib)") from None

    count = len(picture.rows)
    figure = Figure(figsize=(8, min(max(2.0, 0.8 + 0.22 * count), 14)), layout="constrained")
    axes = figure.subplots()
    axes.set_ylim(count - 0.5, -0.5)
    if count <= _MOST_NAMED:
        axes.set_yticks(range(count), [_plain(_short(facts.servers[j].name)) for j in picture.rows], fontsize="small")
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{count} servers, by first block")
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    return figure, axes


def _title(facts: Facts, picture: Layout) -> str:
    left_out = []
    if picture.servers_left_out:
        left_out.append(f"{picture.servers_left_out} servers")
    if picture.chains_left_out:
        left_out.append(f"{picture.chains_left_out} chains")
    name = _plain(_short(facts.instance.name, 60))
    return f"{name} (without {' and '.join(left_out)})" if left_out else name


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _plain(text: str) -> str:
    """Text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")
