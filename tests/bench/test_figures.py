"""Pictures of results: what is drawn, and that hostile names do no harm."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from chainopt.bench.figures import plot_gaps, plot_profiles, write_figures
from chainopt.bench.outcomes import Run, runs_of
from tests.bench.results import result

pytest.importorskip("matplotlib")


@pytest.fixture
def runs() -> list[Run]:
    """Two problems, two methods: a is best on p, and alone on q; b is twice as bad on p."""
    bound = {"bound": 1.0}
    return runs_of([result("p", "a", 2.0, **bound), result("p", "b", 4.0, **bound), result("q", "a", 1.0, **bound)])


def test_profiles_are_steps(runs: list[Run]) -> None:
    """Method a is at 1 from the beginning; b gets to a half at the factor 2, and never further."""
    axes = plot_profiles(runs).axes[0]
    lines = {text.get_text(): line for text, line in zip(axes.get_legend().get_texts(), axes.lines, strict=True)}
    assert lines["a"].get_ydata()[[0, -1]].tolist() == [1.0, 1.0]
    np.testing.assert_allclose(lines["b"].get_xdata()[:2], [1, 2])
    assert lines["b"].get_ydata().tolist() == [0, 0.5, 0.5]
    assert lines["b"].get_drawstyle() == "steps-post"


def test_boxes_of_gaps(runs: list[Run]) -> None:
    """Method a has gaps of 50 % and 0, median 25 %; b has one of 75 %, and stands below."""
    axes = plot_gaps(runs).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b (1)", "a (2)"]
    medians = [line.get_xdata()[0] for line in axes.lines if line.get_color() == "C1"]
    assert medians == pytest.approx([75, 25])


def test_a_panel_for_each_objective(runs: list[Run]) -> None:
    """Ratios of rates and of times are not drawn together."""
    rates = runs_of([result("p", "a", 2.0, objective="rate")])
    assert [axes.get_title() for axes in plot_profiles(runs + rates).axes] == ["response-time", "rate"]


def test_files_are_pictures_and_reproducible(runs: list[Run], tmp_path: Path) -> None:
    """SVG is XML, PNG begins as one does, and the same runs give the same bytes."""
    first = {path.name: path.read_bytes() for path in write_figures(runs, tmp_path)}
    second = {path.name: path.read_bytes() for path in write_figures(runs, tmp_path)}
    assert first == second
    assert set(first) == {"profile.svg", "profile.png", "gaps.svg", "gaps.png"}
    for name, data in first.items():
        if name.endswith(".svg"):
            ElementTree.fromstring(data)
        else:
            assert data.startswith(b"\x89PNG")


def test_hostile_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that look like mathematics, that legends would hide, that no font has, or that are long."""
    monkeypatch.setattr("chainopt.bench.figures.FORMATS", ("svg",))
    names = ["$\\frac$", "_hidden", "漢字", "x" * 300, "<&>", "100%", "{0}"]
    runs = runs_of([result("p", name, 1.0 + i, bound=1.0) for i, name in enumerate(names)])
    write_figures(runs, tmp_path)
    legend = plot_profiles(runs).axes[0].get_legend()
    assert len(legend.get_texts()) == len(names)


def test_nothing_solved() -> None:
    """Methods that all failed have empty panels, not an error; so has a benchmark without runs."""
    for some in (runs_of([result("p", "a", None)]), []):
        for plot in (plot_profiles, plot_gaps):
            plot(some).draw_without_rendering()
