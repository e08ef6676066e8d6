"""Mean response time against load: exact curve and bounds of JFFC, simulated points of any policy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chainopt.dispatch.comparison import compare, exact_mean_s
from chainopt.errors import FormatError
from chainopt.files.text import printable, written
from chainopt.queueing import jffc_bounds, response_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from chainopt.dispatch.operation import Operation
    from chainopt.model.composition import Composition
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution
    from chainopt.simulation.experiment import Traffic
    from chainopt.simulation.intervals import Estimate
    from chainopt.simulation.records import Records

LOADS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Loads that are simulated."""

FORMATS = ("svg", "png", "pdf")

_FINE = np.linspace(0.01, 0.97, 97)


@dataclass(frozen=True, eq=False)
class LoadCurve:
    """Mean response times, s, at many loads.

    Attributes
    ----------
    name
        Of the instance.
    total_service_rate
        ν, jobs per second.
    loads, exact_s, lower_s, upper_s
        JFFC with Poisson arrivals and exponential sizes, and Theorem 4's bounds on it, shape (n,).
    simulated
        By policy, an estimate for each of `LOADS`.
    """

    name: str
    total_service_rate: float
    loads: NDArray[np.float64]
    exact_s: NDArray[np.float64]
    lower_s: NDArray[np.float64]
    upper_s: NDArray[np.float64]
    simulated: dict[str, list[Estimate]]


def simulated(
    operation: Operation,
    policies: Sequence[str],
    traffic_at: Callable[[float], Traffic],
    thresholds_at: Callable[[float], NDArray[np.int64]],
    *,
    each: Callable[[Records], None] | None = None,
) -> LoadCurve:
    """Simulate every policy at every load.

    Parameters
    ----------
    traffic_at, thresholds_at
        What comes, and from how many waiting jobs on chains start one, at an arrival rate.
    each
        Called with every stretch of records.
    """
    composition = operation.composition
    rates, capacities, total = composition.service_rates, composition.capacities, composition.total_service_rate
    points: dict[str, list[Estimate]] = {policy: [] for policy in policies}
    for load in LOADS:
        traffic = traffic_at(load * total)
        thresholds = thresholds_at(load * total) if "thresholds" in policies else None
        runs = {policy: operation.run(policy, traffic.jobs, thresholds) for policy in policies}
        for outcome in compare(runs, traffic, exact_mean_s(rates, capacities, traffic), each=each):
            points[outcome.policy].append(outcome.mean)
    return _curve(operation.instance.name, composition, points)


def exact_curve(instance: Instance, solution: Solution) -> LoadCurve:
    """The curve of a solution without anything simulated.

    Raises
    ------
    ValueError
        If placement or chains do not fit the instance.
    """
    return _curve(instance.name, solution.bind(instance).composition, {})


def _curve(name: str, composition: Composition, points: dict[str, list[Estimate]]) -> LoadCurve:
    rates, capacities, total = composition.service_rates, composition.capacities, composition.total_service_rate
    exact = [response_time(composition, load * total).mean_response_time_s for load in _FINE]
    bounds = np.array([jffc_bounds(rates, capacities, load * total) for load in _FINE])
    return LoadCurve(name, total, _FINE, np.array(exact), bounds[:, 0], bounds[:, 1], points)


def plot_load_curve(curve: LoadCurve, arrival_rate: float | None = None) -> Figure:
    """Draw it; bars are 95 % confidence intervals.

    Parameters
    ----------
    arrival_rate
        λ, jobs per second: marked as the operating point if given, and below the total service rate.

    Raises
    ------
    FormatError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise FormatError("pictures need matplotlib (pip install matplotlib)") from None

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(curve.loads, curve.lower_s, curve.upper_s, color="0.88", label="Theorem 4's bounds")
    axes.plot(curve.loads, curve.exact_s, color="black", label="JFFC, exact")
    for number, (policy, estimates) in enumerate(curve.simulated.items()):
        means, halves = ([getattr(e, name) for e in estimates] for name in ("mean", "half_width"))
        axes.errorbar(LOADS, means, halves, fmt=_MARKERS[number % len(_MARKERS)], markersize=4, capsize=2, label=policy)
    if arrival_rate is not None and arrival_rate < curve.total_service_rate:
        load = arrival_rate / curve.total_service_rate
        axes.axvline(load, color="0.3", linewidth=0.8)
        mean = float(np.interp(load, curve.loads, curve.exact_s))
        axes.plot([load], [mean], "o", color="black", label=f"{arrival_rate:.4g} jobs/s")
    shown = max(3 * float(np.interp(0.9, curve.loads, curve.exact_s)) / 2, float(curve.exact_s[0]) * 2)
    axes.set(
        xlim=(0, 1),
        ylim=(0, shown),
        xlabel=f"load, of {curve.total_service_rate:.4g} jobs/s",
        ylabel="mean response time, s",
        title=curve.name.replace("$", r"\$"),
    )
    axes.grid(color="0.9")
    axes.legend(frameon=False, fontsize="small")
    return figure


_MARKERS = "osD^v<>PX*"


def save(figure: Figure, target: str | os.PathLike[str]) -> None:
    """Write a figure, whole or not at all; the name tells the format, one of `FORMATS`. SVG has no date: same bytes.

    Raises
    ------
    FormatError
        If the name tells no format, or the file cannot be written.
    """
    import matplotlib

    check_target(target)
    suffix = _suffix(target)
    with written(target) as file, matplotlib.rc_context({"svg.hashsalt": "chainopt"}):
        figure.savefig(file, format=suffix, dpi=150, metadata={"Date": None} if suffix == "svg" else None)


def check_target(target: str | os.PathLike[str]) -> None:
    """Make sure that the name tells a format.

    Raises
    ------
    FormatError
        If it does not.
    """
    if _suffix(target) not in FORMATS:
        expected = f"expected a name that ends in {', '.join('.' + f for f in FORMATS)}"
        raise FormatError(expected, source=printable(os.fspath(target)))


def _suffix(target: str | os.PathLike[str]) -> str:
    return Path(target).suffix.removeprefix(".").lower()
