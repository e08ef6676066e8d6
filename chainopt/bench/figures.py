"""Pictures of results: performance profiles and gaps of all methods."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from chainopt.bench.gaps import references
from chainopt.bench.outcomes import objectives_of
from chainopt.bench.profiles import profiles
from chainopt.files.text import printable, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from chainopt.bench.outcomes import Run

FORMATS = ("svg", "png")
MISSING = "No figures: they need matplotlib (pip install matplotlib)."
_MOST_NAME = 40
_LINES = ("-", "--", "-.", ":")


def available() -> bool:
    """Whether figures can be drawn."""
    return find_spec("matplotlib") is not None


def write_figures(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Draw profile and gaps, each as SVG and PNG; the same runs give the same bytes."""
    import matplotlib

    paths = []
    for name, draw in (("profile", plot_profiles), ("gaps", plot_gaps)):
        with _quiet(), matplotlib.rc_context({"svg.hashsalt": "chainopt"}):
            figure = draw(runs)
            for suffix in FORMATS:
                target = folder / f"{name}.{suffix}"
                metadata = {"Date": None} if suffix == "svg" else None
                with written(target) as file:
                    figure.savefig(file, format=suffix, dpi=150, metadata=metadata)
                paths.append(target)
    return paths


def plot_profiles(runs: Sequence[Run]) -> Figure:
    """Dolan and Moré's performance profiles, a panel for each objective."""

    def draw(axes: Axes, some: Sequence[Run]) -> None:
        found = profiles(some)
        largest = max((float(profile.ratios[-1]) for profile in found if profile.ratios.size), default=1.0)
        end = max(1.1, largest**1.05)
        for number, profile in enumerate(found):
            factors = np.concatenate([[1.0], profile.ratios, [end]])
            axes.step(
                factors,
                profile.share(factors),
                where="post",
                linestyle=_LINES[number // 10 % len(_LINES)],
                linewidth=1.5,
            )
        axes.set(xscale="log", xlim=(1, end), ylim=(0, 1.02), xlabel="τ, factor to the best value")
        problems = found[0].problems if found else 0
        axes.set_ylabel(f"share of {problems} problems within τ")
        _decimal_ticks(axes, end)
        axes.grid(color="0.9")
        if found:
            axes.legend(
                axes.lines,
                [_label(profile.method) for profile in found],
                frameon=False,
                fontsize="small",
                loc="upper left",
                bbox_to_anchor=(1, 1),
            )

    return _panels(runs, draw)


def plot_gaps(runs: Sequence[Run]) -> Figure:
    """Boxes of the gaps of each method: quartiles, whiskers of 1.5 times their distance, and what lies beyond."""
    known = references(runs)

    def draw(axes: Axes, some: Sequence[Run]) -> None:
        gaps: dict[str, list[float]] = {}
        for run in some:
            gap = known.gap(run)
            gaps.setdefault(run.method, [])
            if gap is not None:
                gaps[run.method].append(100 * gap)
        order = sorted(gaps, key=lambda m: (-float(np.median(gaps[m])) if gaps[m] else -np.inf, m))
        labels = [f"{_label(method)} ({len(gaps[method])})" for method in order]
        if order:
            axes.boxplot([gaps[method] for method in order], orientation="horizontal", tick_labels=labels)
        if not any(gaps.values()):
            axes.set_xlim(0, 1)
        axes.set_xlabel("gap, % (number of solved runs with a gap)")
        axes.grid(axis="x", color="0.9")

    return _panels(runs, draw, height=0.28)


def _panels(runs: Sequence[Run], draw: Any, height: float = 0.0) -> Figure:
    """A panel for each objective, one above the other."""
    from matplotlib.figure import Figure

    objectives = objectives_of(runs)
    methods = len({run.method for run in runs})
    tall = max(3.6, 1.2 + (height or 0.2) * methods)
    count = max(1, len(objectives))
    figure = Figure(figsize=(8, tall * count), layout="constrained")
    for number, axes in enumerate(figure.subplots(count, squeeze=False)[:, 0]):
        some = [run for run in runs if objectives and run.objective is objectives[number]]
        axes.set_title(objectives[number].value if objectives else "no runs")
        draw(axes, some)
    return figure


def _decimal_ticks(axes: Axes, end: float) -> None:
    """Ticks of a logarithmic axis as plain numbers, few enough to be read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]) if end < 10 else LogLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _label(method: str) -> str:
    """A name as matplotlib shows it: no mathematics, and not so long that nothing else has room."""
    short = method if len(method) <= _MOST_NAME else f"{method[: _MOST_NAME - 1]}…"
    plain = printable(short).replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain  # a legend hides what begins with an underscore


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings about letters that the font lacks: they are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
