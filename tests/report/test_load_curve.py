"""Response time against load: what is drawn, and the files that it becomes."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from chainopt.allocation import gca
from chainopt.dispatch import thresholds
from chainopt.dispatch.operation import Operation
from chainopt.errors import FormatError
from chainopt.model import Instance
from chainopt.placement import gbp_cr
from chainopt.queueing import jffc, jffc_bounds
from chainopt.report import load_curve
from chainopt.report.load_curve import FORMATS, LOADS, LoadCurve, check_target, plot_load_curve, save
from chainopt.simulation.arrivals import Poisson
from chainopt.simulation.experiment import Traffic
from chainopt.simulation.intervals import Estimate
from chainopt.simulation.pace import pace_by_size
from chainopt.simulation.sizes import Exponential

pytest.importorskip("matplotlib")


@pytest.fixture
def operation(worked_example: Instance) -> Operation:
    """The worked example, with GBP-CR and GCA."""
    return Operation(worked_example, gca(worked_example, gbp_cr(worked_example, 1)), pace_by_size(worked_example))


def small(name: str = "small", **simulated: list[Estimate]) -> LoadCurve:
    """A curve of three loads."""
    loads = np.array([0.1, 0.5, 0.95])
    return LoadCurve(name, 2.0, loads, 1 / (1 - loads), 0.9 / (1 - loads), 1.1 / (1 - loads), simulated)


def test_every_policy_at_every_load(operation: Operation) -> None:
    """Traffic and thresholds are asked for at each load once, and points are near the exact curve."""
    rates, capacities = operation.composition.service_rates, operation.composition.capacities
    total, asked, jobs = operation.composition.total_service_rate, [], []

    def thresholds_at(rate: float) -> NDArray[np.int64]:
        asked.append(rate)
        return thresholds(rates, capacities, rate)

    curve = load_curve.simulated(
        operation,
        ["jffc", "thresholds", "petals"],
        lambda rate: Traffic(Poisson(rate), Exponential(), 4000),
        thresholds_at,
        each=lambda records: jobs.append(records.arrival.size),
    )

    assert asked == [load * total for load in LOADS]
    assert sum(jobs) == 3 * len(LOADS) * 4000
    assert (curve.name, curve.total_service_rate) == ("worked-example", total)
    assert {policy: len(points) for policy, points in curve.simulated.items()} == dict.fromkeys(
        ("jffc", "thresholds", "petals"), len(LOADS)
    )
    for load, point in zip(LOADS[:7], curve.simulated["jffc"], strict=False):
        assert point.mean == pytest.approx(jffc(rates, capacities, load * total).mean_response_time_s, rel=0.1)


def test_exact_curve(operation: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The curve is JFFC's exact mean, between the bounds; without thresholds among the policies none are computed."""
    monkeypatch.setattr(load_curve, "LOADS", (0.5,))

    def never(rate: float) -> NDArray[np.int64]:
        raise AssertionError(rate)

    curve = load_curve.simulated(operation, ["jsq"], lambda rate: Traffic(Poisson(rate), Exponential(), 100), never)
    rates, capacities = operation.composition.service_rates, operation.composition.capacities

    assert np.all(np.diff(curve.loads) > 0)
    for load, exact, lower, upper in zip(curve.loads, curve.exact_s, curve.lower_s, curve.upper_s, strict=True):
        rate = load * operation.composition.total_service_rate
        assert exact == pytest.approx(jffc(rates, capacities, rate).mean_response_time_s)
        assert (lower, upper) == pytest.approx(jffc_bounds(rates, capacities, rate))
        assert lower <= exact * (1 + 1e-12)
        assert exact <= upper * (1 + 1e-12)


@pytest.mark.parametrize(
    ("kind", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-"), ("PNG", b"\x89PNG")]
)
def test_formats(kind: str, start: bytes, tmp_path: Path) -> None:
    """The name tells the format, in capitals too."""
    target = tmp_path / f"curve.{kind}"
    save(plot_load_curve(small(jsq=[Estimate(1.5, 0.1)] * len(LOADS))), target)

    assert target.read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_the_same_figure_has_the_same_bytes(tmp_path: Path) -> None:
    """SVG files carry neither a date nor random names, so that a figure made again is no change."""
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for target in (first, second):
        save(plot_load_curve(small()), target)
    assert first.read_bytes() == second.read_bytes()
    assert b"<dc:date>" not in first.read_bytes()


@pytest.mark.parametrize("name", ["plain", "a$b", "a$b$c", "$x", r"a\$b", "a_b^c", "<&>"])
def test_names_are_text(name: str, tmp_path: Path) -> None:
    """The name of an instance stands over the picture as it is: no formula, no markup."""
    target = tmp_path / "curve.svg"
    figure = plot_load_curve(small(name))
    save(figure, target)

    ElementTree.parse(target)
    # matplotlib draws text as outlines, and writes beside them what it has drawn: without a backslash of ours
    assert f"<!-- {name.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')} -->" in target.read_text()


def test_what_is_drawn() -> None:
    """The exact curve, the bounds, a legend with every policy, and bars as long as the intervals."""
    points = [Estimate(1 + load, 0.25) for load in LOADS]
    (axes,) = plot_load_curve(small(jsq=points, sed=points)).axes

    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["Theorem 4's bounds", "JFFC, exact", "jsq", "sed"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), small().exact_s)
    bars = axes.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[e.mean - 0.25, e.mean + 0.25] for e in points])
    assert "2 jobs/s" in axes.get_xlabel()


def test_more_policies_than_markers() -> None:
    """Markers go round."""
    names = [f"p{i}" for i in range(12)]
    figure = plot_load_curve(small(**{name: [Estimate(1.0, np.nan)] * len(LOADS) for name in names}))

    assert len(figure.axes[0].get_legend().get_texts()) == 14


@pytest.mark.parametrize("name", ["curve.jpg", "curve", "svg", "-", ".svg", "curve.svg.gz"])
def test_names_that_tell_no_format(name: str, tmp_path: Path) -> None:
    """Other suffixes are refused, and nothing is written."""
    with pytest.raises(FormatError, match=r"expected a name that ends in \.svg, \.png, \.pdf"):
        check_target(name)
    with pytest.raises(FormatError, match=r"expected a name that ends in \.svg"):
        save(plot_load_curve(small()), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    for kind in FORMATS:
        check_target(f"curve.{kind}")


def test_where_no_file_can_be(tmp_path: Path) -> None:
    """A folder that is not there is an error of one line."""
    with pytest.raises(FormatError, match="cannot be written: No such file or directory"):
        save(plot_load_curve(small()), tmp_path / "nowhere" / "curve.svg")


def test_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while it is drawn leaves the old picture."""
    target = tmp_path / "curve.svg"
    target.write_text("old")
    figure = plot_load_curve(small())

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(figure, "savefig", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(figure, target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["curve.svg"]


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where matplotlib is not installed the error says how to get it."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FormatError, match=r"pictures need matplotlib \(pip install matplotlib\)"):
        plot_load_curve(small())
