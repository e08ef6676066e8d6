"""What the figures have in common: one style, SVG and PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chainopt.report.load_curve import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("svg", "png")
MARKERS = "osD^v<>PX*"
LABELS = {"paper": "as the paper states", "authors": "as the authors' simulator does"}


def panels(titles: Sequence[str], *, width: float = 5.5, height: float = 4.2) -> tuple[Figure, list[Axes]]:
    """A figure with a row of panels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * len(titles), height), layout="constrained")
    row = figure.subplots(1, len(titles), squeeze=False)[0]
    for axes, title in zip(row, titles, strict=True):
        axes.set_title(title, fontsize="medium")
        axes.grid(color="0.9")
    return figure, list(row)


def keep(figure: Figure, folder: Path, name: str) -> list[str]:
    """Write a figure in every format, and return the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{name}.{suffix}" for suffix in FORMATS]
    for each in names:
        save(figure, folder / each)
    return names
