"""Pictures of a report as SVG that stretches with the page.

Positions along the axis are percentages, and curves stand in a nested picture that is stretched without its strokes, so
that letters keep their size on a phone. Text and attributes are escaped by the templates that place them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.report.layout import BAR, ticks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainopt.report.facts import Facts
    from chainopt.report.layout import Layout

CURVE_HEIGHT = 320


def row_height(rows: int) -> int:
    """Pixels of a row: large enough for a finger as long as there are few."""
    return 28 if rows <= 40 else 20 if rows <= 120 else 14


@dataclass(frozen=True)
class Bar:
    """A rectangle of a row; x and width in per cent, y and height in pixels."""

    server: int
    kind: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True)
class Path:
    """A chain as the ``d`` of a path; x in blocks, y in pixels."""

    chain: int
    d: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis; at in per cent or pixels."""

    at: str
    text: str
    anchor: str = "middle"


def map_bars(facts: Facts, layout: Layout) -> list[Bar]:
    """What each server hosts."""
    length = facts.instance.service.blocks
    height = row_height(len(layout.rows))
    return [
        Bar(
            j,
            "hosted",
            percent(facts.servers[j].start / length),
            compact(height * (i + (1 - BAR) / 2)),
            percent(facts.servers[j].blocks / length),
            compact(height * BAR),
        )
        for i, j in enumerate(layout.rows)
    ]


def map_paths(layout: Layout) -> list[Path]:
    """Each chain: along its part of a server, then straight to the next."""
    height = row_height(len(layout.rows))
    return [Path(line.chain, path((x, y * height) for x, y in line.points)) for line in layout.lines]


def block_ticks(facts: Facts) -> list[Tick]:
    """Numbers of blocks along the map: round ones, and the last boundary."""
    length = facts.instance.service.blocks
    marks = [int(mark) for mark in ticks(length, 8) if float(mark).is_integer() and mark < 0.93 * length]
    return [
        Tick(percent(mark / length), str(mark), "start" if mark == 0 else "end" if mark == length else "middle")
        for mark in (*marks, length)
    ]


def memory_bars(facts: Facts, rows: Sequence[int]) -> list[Bar]:
    """Reserve, blocks, used slots and free memory of each server, side by side, on one scale."""
    largest = max(facts.servers[j].memory_gb for j in rows)
    height = row_height(len(rows))
    bars = []
    for i, j in enumerate(rows):
        server, at = facts.servers[j], 0.0
        for kind, size in (
            ("reserve", server.reserve_gb),
            ("blocks", server.blocks_gb),
            ("cache", server.cache_gb),
            ("free", server.free_gb),
        ):
            if size > 0:
                y, tall = height * (i + (1 - BAR) / 2), height * BAR
                bars.append(Bar(j, kind, percent(at / largest), compact(y), percent(size / largest), compact(tall)))
            at += size
    return bars


def memory_ticks(facts: Facts, rows: Sequence[int]) -> list[Tick]:
    """GB along the memory picture."""
    largest = max(facts.servers[j].memory_gb for j in rows)
    return [
        Tick(
            percent(mark / largest), f"{mark:g}", "start" if mark == 0 else "end" if mark > 0.95 * largest else "middle"
        )
        for mark in ticks(largest, 6)
    ]


@dataclass(frozen=True)
class Curve:
    """Response time against arrival rate, in a picture 100 wide and `CURVE_HEIGHT` high.

    Attributes
    ----------
    mean, band
        Of the exact mean, and around Theorem 4's bounds, as ``d`` of paths.
    operating, limit
        Where the arrival rate and the total service rate stand, per cent; operating is None where it is not drawn.
    operating_y
        Height of the operating point, pixels.
    """

    mean: str
    lower: str
    upper: str
    band: str
    operating: str | None
    operating_y: str
    operating_end: bool
    limit: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    top_s: float
    right: float


def response_curve(facts: Facts) -> Curve:
    """Draw the curve, cut off where it leaves the part that matters."""
    total = facts.total_service_rate
    right = max(total * 1.04, facts.arrival_rate * 1.04 if not facts.stable else 0.0)
    top = highest_shown(facts)

    def x(rate: float) -> float:
        return 100 * rate / right

    def y(seconds: float) -> float:
        return CURVE_HEIGHT * (1 - min(seconds / top, 4.0))

    lower = [(x(point.arrival_rate), y(point.lower_s)) for point in facts.curve]
    upper = [(x(point.arrival_rate), y(point.upper_s)) for point in facts.curve]
    mean = facts.evaluation.mean_response_time_s
    marks = [mark for mark in ticks(right, 6) if x(mark) <= 97]
    return Curve(
        path((x(point.arrival_rate), y(point.mean_s)) for point in facts.curve),
        path(lower),
        path(upper),
        path([*lower, *reversed(upper)]) + "Z",
        percent(x(facts.arrival_rate) / 100),
        compact(0 if mean is None else y(mean)),
        x(facts.arrival_rate) > 55,
        percent(x(total) / 100),
        [Tick(percent(x(mark) / 100), f"{mark:.4g}", "start" if mark == 0 else "middle") for mark in marks],
        [Tick(compact(y(mark)), f"{mark:.4g}", "end") for mark in ticks(top * 0.97, 6)],
        top,
        right,
    )


def highest_shown(facts: Facts) -> float:
    """Response time at the top of the curve, s: half more than at a load of 0.9, more where the bounds need it."""
    at_high = float(np.interp(0.9, [point.load for point in facts.curve], [point.mean_s for point in facts.curve]))
    here = facts.evaluation
    most = [1.5 * at_high, 2 * facts.curve[0].mean_s]
    if here.mean_response_time_s is not None and here.upper_bound_s is not None:
        most += [1.15 * here.mean_response_time_s, min(1.1 * here.upper_bound_s, 3 * here.mean_response_time_s)]
    return max(most)


def path(points: Iterable[tuple[float, float]]) -> str:
    """Straight lines through these points; those straight across or down take one number."""
    parts: list[str] = []
    last: tuple[str, str] | None = None
    for x, y in ((compact(x), compact(y)) for x, y in points):
        if last is None:
            parts.append(f"M{x} {y}")
        elif (x, y) == last:
            continue
        elif y == last[1]:
            parts.append(f"H{x}")
        elif x == last[0]:
            parts.append(f"V{y}")
        else:
            parts.append(f"L{x} {y}")
        last = x, y
    return "".join(parts)


def compact(value: float) -> str:
    """A number with two decimals, without what is not needed."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """A share of the width."""
    return f"{100 * share:.3f}".rstrip("0").rstrip(".") + "%"
