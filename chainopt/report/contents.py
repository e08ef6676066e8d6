"""What a page says: tiles, sentences, rows of tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chainopt.files.text import printable
from chainopt.report import svg, words

if TYPE_CHECKING:
    from chainopt.report.facts import Facts
    from chainopt.report.layout import Layout

MOST_ROWS = 1000
"""Rows of a table."""


def tiles(facts: Facts) -> list[dict[str, str]]:
    """The figures that everybody asks for first: `name`, `value`, `note`."""
    evaluation, number = facts.evaluation, words.number

    def tile(name: str, value: str, note: str = "") -> dict[str, str]:
        return {"name": name, "value": value, "note": note}

    mean = "unstable" if not facts.stable else f"{number(evaluation.mean_response_time_s)} s"
    between = f"{number(evaluation.lower_bound_s)} to {number(evaluation.upper_bound_s)} s by Theorem 4"
    rates = f"{number(facts.arrival_rate)} of {number(facts.total_service_rate)} jobs/s"
    chains = "1 chain" if len(facts.chains) == 1 else f"{len(facts.chains)} chains"
    shown = [
        tile("mean response time", mean, between if facts.stable else ""),
        tile("load", number(evaluation.load, 3), rates),
        tile("jobs at once", str(evaluation.job_servers), f"on {chains}"),
    ]
    if facts.stable:
        waits = f"{words.share(evaluation.waiting_probability)} of the jobs wait"
        shown[1:1] = [
            tile("mean waiting", f"{number(evaluation.mean_waiting_time_s, 3)} s", waits),
            tile("95 % end within", f"{number(evaluation.p95_response_time_s)} s"),
            tile("99 % end within", f"{number(evaluation.p99_response_time_s)} s"),
        ]
    if facts.bound is not None:
        bound = facts.bound
        shown.append(tile("gap to the bound", words.share(bound.gap), f"bound {number(bound.bound)} {bound.unit}"))
    else:
        shown.append(tile("gap to the bound", "–", "none known at this arrival rate"))
    return shown


def left_out(layout: Layout) -> str:
    """What the map does not show, in a sentence."""
    counts = ((layout.servers_left_out, "servers"), (layout.chains_left_out, "chains"))
    parts = [f"{count} {name}" for count, name in counts if count]
    return f"{' and '.join(parts)} that carry less are not drawn; the tables have them." if parts else ""


def chain_rows(facts: Facts) -> tuple[list[int], dict[str, Any] | None]:
    """Numbers of the chains that are listed, and the sum of the others."""
    count = len(facts.chains)
    if count <= MOST_ROWS:
        return list(range(count)), None
    order = sorted(range(count), key=lambda k: (-facts.chains[k].rate, k))
    others = [facts.chains[k] for k in order[MOST_ROWS:]]
    rest = {
        "count": len(others),
        "rate": sum(chain.rate for chain in others),
        "capacity": sum(chain.capacity for chain in others),
        "share": sum(chain.share or 0.0 for chain in others) if facts.stable else None,
    }
    return sorted(order[:MOST_ROWS]), rest


def curve_text(facts: Facts) -> str:
    """What the curve says, in words."""
    number, total = words.number, facts.total_service_rate
    limit = f"The queue is stable below {number(total)} jobs/s."
    if not facts.stable:
        return f"At {number(facts.arrival_rate)} jobs/s it grows without limit. {limit}"
    mean = number(facts.evaluation.mean_response_time_s)
    return (
        f"At {number(facts.arrival_rate)} jobs/s, a load of {number(facts.evaluation.load, 3)}, it is {mean} s. {limit}"
    )


def readings(facts: Facts) -> list[tuple[str, str, str]]:
    """Place in the picture and sentence of each point of the curve."""
    curve, number = svg.response_curve(facts), words.number
    return [
        (
            svg.percent(point.arrival_rate / curve.right),
            svg.compact(svg.CURVE_HEIGHT * (1 - point.mean_s / curve.top_s)),
            f"{number(point.arrival_rate)} jobs/s, load {number(point.load, 3)}: {number(point.mean_s)} s, "
            f"of these {number(point.waiting_s, 3)} s waiting; bounds {number(point.lower_s)} to "
            f"{number(point.upper_s)} s; 95 % within {number(point.p95_s)} s.",
        )
        for point in facts.curve
    ]


def nearest(facts: Facts) -> int:
    """The point of the curve that is the operating point, or the last where that is unstable."""
    return min(range(len(facts.curve)), key=lambda i: abs(facts.curve[i].arrival_rate - facts.arrival_rate))


def origin(facts: Facts) -> list[tuple[str, str]]:
    """Which instance, which method: names and values."""
    instance, solution = facts.instance, facts.solution
    settings = ", ".join(
        f"{key} {json.dumps(value, ensure_ascii=False, default=str)}" for key, value in solution.parameters.items()
    )
    return [
        ("instance", instance.name),
        ("sha-256", solution.instance.sha256),
        ("method", solution.method),
        *([("parameters", _line(settings))] if settings else []),
        *([("seed", str(solution.seed))] if solution.seed is not None else []),
        ("made by", f"chainopt {solution.version}"),
        ("objective", str(solution.objective)),
        ("status", str(solution.status)),
        ("a block", f"{instance.service.block_gb} GB, and {instance.service.cache_gb} GB a job"),
        *([("note", _line(instance.note))] if instance.note else []),
    ]


def _line(text: str) -> str:
    """Free text on one line, without characters that cannot be printed."""
    return printable(" ".join(text.split()))
