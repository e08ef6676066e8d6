"""Figures: what is drawn in them, and the files that they become."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from chainopt.errors import FormatError
from chainopt.report import exact_curve, plot_composition, plot_load_curve, plot_memory, save
from tests.report import hostile
from tests.report.systems import many, two_chains

pytest.importorskip("matplotlib")


def test_composition() -> None:
    """A bar for each server that hosts, from its first block, and a line for each chain."""
    (axes,) = plot_composition(*two_chains()).axes
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 2), (0, 4), (0, 10), (4, 6)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["d", "a", "c", "b"]
    assert [line.get_label() for line in axes.lines] == ["chain 0", "chain 1"]
    assert axes.lines[1].get_xdata() == pytest.approx([0, 10])
    assert axes.get_xlim() == (0, 10)
    assert axes.get_title() == "two-chains"


def test_memory() -> None:
    """The parts of each server's memory stand side by side and add up to it."""
    (axes,) = plot_memory(*two_chains()).axes
    ends = {}
    for bar in axes.patches:
        row = round(bar.get_y() + bar.get_height() / 2)
        assert bar.get_x() == pytest.approx(ends.get(row, 0.0))
        ends[row] = bar.get_x() + bar.get_width()
    assert ends == pytest.approx({0: 12, 1: 12, 2: 13, 3: 12})  # d, a, c, b
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["reserve", "blocks", "cache of full chains", "free"]


def test_curve() -> None:
    """The curve of a solution has nothing simulated, and the operating point where the load is 0.5 / (7/6) = 3/7."""
    curve = exact_curve(*two_chains())
    (axes,) = plot_load_curve(curve, arrival_rate=0.5).axes
    assert curve.simulated == {}
    assert axes.lines[-1].get_xdata() == pytest.approx([3 / 7])
    assert axes.get_legend().get_texts()[-1].get_text() == "0.5 jobs/s"
    assert len(plot_load_curve(curve, arrival_rate=2.0).axes[0].lines) == len(axes.lines) - 2


def test_large() -> None:
    """Many servers are not named, what is left out stands in the title."""
    (axes,) = plot_composition(*many(400)).axes
    assert len(axes.patches) == 300
    assert [label.get_text() for label in axes.get_yticklabels()] == []
    assert axes.get_title() == "many (without 100 servers and 50 chains)"


@pytest.mark.parametrize("plot", [plot_composition, plot_memory])
@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")  # fonts that lack a script draw boxes, and say so
def test_hostile_names(plot: Any, tmp_path: Path) -> None:
    """Names are text: no formula, no markup; the picture is sound XML."""
    save(plot(*hostile.system(hostile.HOSTILE[:30], "$a_b$ <&>", "")), tmp_path / "x.svg")
    ElementTree.parse(tmp_path / "x.svg")
    save(plot(*hostile.system(hostile.HOSTILE[30:], "\\", "")), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("plot", [plot_composition, plot_memory])
def test_without_matplotlib(plot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where matplotlib is not installed the error says how to get it."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    system = two_chains()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FormatError, match=r"pictures need matplotlib \(pip install matplotlib\)"):
        plot(*system)
