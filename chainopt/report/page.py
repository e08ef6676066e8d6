"""One self-contained HTML page: no network, no inline handlers, every name escaped by the template engine."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from chainopt.errors import FormatError
from chainopt.files.text import write_text
from chainopt.report import svg, words
from chainopt.report.facts import facts as facts_of
from chainopt.report.findings import MOST_NAMED, findings
from chainopt.report.layout import layout as layout_of
from chainopt.version import __version__

if TYPE_CHECKING:
    import os

    import jinja2

    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution
    from chainopt.report.facts import Facts
    from chainopt.report.layout import Layout

MOST_ROWS = 1000
"""Rows of a table."""

LEGEND = (("blocks", "blocks"), ("cache", "cache of full chains"), ("free", "free"), ("reserve", "reserve"))


def write_report(
    instance: Instance, solution: Solution, target: str | os.PathLike[str], arrival_rate: float | None = None
) -> None:
    """Write the report, whole or not at all; ``-`` is standard output.

    Parameters
    ----------
    solution
        Valid, with at least one chain.
    arrival_rate
        λ, jobs per second; the instance's unless given.

    Raises
    ------
    FormatError
        If jinja2 is not installed, or the target cannot be written.
    ValueError
        If placement or chains do not fit the instance.
    """
    write_text(render(facts_of(instance, solution, arrival_rate)), target)


def render(facts: Facts) -> str:
    """The page.

    Raises
    ------
    FormatError
        If jinja2 is not installed.
    """
    style, script = _asset("report.css"), _asset("report.js")
    layout = layout_of(facts)
    rows, curve, readings = layout.rows, svg.response_curve(facts), _readings(facts)
    chain_rows, rest = _chain_rows(facts)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            facts=facts,
            version=__version__,
            policy=_policy(style, script),
            style=_markup(style),
            script=_markup(script),
            data=_markup(_json(_data(facts, layout, readings))),
            number=words.number,
            share=words.share,
            blocks=words.blocks,
            tiles=_tiles(facts),
            findings=findings(facts),
            most_named=MOST_NAMED,
            layout=layout,
            left_out=_left_out(layout),
            hosting=[j for j, server in enumerate(facts.servers) if server.blocks],
            empty=[j for j, server in enumerate(facts.servers) if not server.blocks],
            height=svg.row_height(len(rows)) * len(rows),
            row_class=f"r{svg.row_height(len(rows))}",
            block_ticks=svg.block_ticks(facts),
            map_bars=svg.map_bars(facts, layout),
            map_paths=svg.map_paths(layout),
            memory_bars=svg.memory_bars(facts, rows),
            memory_ticks=svg.memory_ticks(facts, rows),
            legend=LEGEND,
            chain_rows=chain_rows,
            rest=rest,
            server_rows=facts.servers[:MOST_ROWS],
            servers_not_listed=max(0, len(facts.servers) - MOST_ROWS),
            curve=curve,
            curve_height=svg.CURVE_HEIGHT,
            curve_text=_curve_text(facts),
            readings=readings,
            start=_nearest(facts),
            origin=_origin(facts),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ModuleNotFoundError:
        raise FormatError("reports need jinja2 (pip install 'chainopt[report]')") from None
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> str:
    return (resources.files("chainopt.report") / "templates" / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _markup(text: str) -> str:
    """Text that is HTML already: our own files, and JSON made safe by `_json`."""
    from markupsafe import Markup

    return Markup(text)


def _policy(style: str, script: str) -> str:
    """Content security policy: nothing is loaded, and nothing runs but our own script, by its hash."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(document: dict[str, Any]) -> str:
    """JSON that cannot end the element that it stands in: ASCII, without <, > and &."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(facts: Facts, layout: Layout, readings: list[tuple[str, str, str]]) -> dict[str, Any]:
    """What the script needs: a sentence and neighbours for all that can be chosen, and the readings of the curve."""
    drawn = {line.chain for line in layout.lines}
    return {
        "chain": {k: [words.chain_sentence(facts, k), facts.chains[k].servers] for k in sorted(drawn)},
        "server": {
            j: [words.server_sentence(facts, j), [k for k in facts.servers[j].chains if k in drawn]]
            for j in layout.rows
        },
        "curve": readings,
    }


def _tiles(facts: Facts) -> list[dict[str, str]]:
    evaluation, number = facts.evaluation, words.number

    def tile(name: str, value: str, note: str = "") -> dict[str, str]:
        return {"name": name, "value": value, "note": note}

    mean = "unstable" if not facts.stable else f"{number(evaluation.mean_response_time_s)} s"
    between = f"{number(evaluation.lower_bound_s)} to {number(evaluation.upper_bound_s)} s by Theorem 4"
    tiles = [
        tile("mean response time", mean, between if facts.stable else ""),
        tile(
            "load", number(evaluation.load, 3), f"{number(facts.arrival_rate)} of {number(facts.total_service_rate)} jobs/s"
        ),
        tile("jobs at once", str(evaluation.job_servers), f"on {len(facts.chains)} chains"),
    ]
    if facts.stable:
        waits = f"{words.share(evaluation.waiting_probability)} of the jobs wait"
        tiles[1:1] = [
            tile("mean waiting", f"{number(evaluation.mean_waiting_time_s, 3)} s", waits),
            tile("95 % end within", f"{number(evaluation.p95_response_time_s)} s"),
            tile("99 % end within", f"{number(evaluation.p99_response_time_s)} s"),
        ]
    if facts.bound is not None:
        bound = facts.bound
        tiles.append(tile("gap to the bound", words.share(bound.gap), f"bound {number(bound.bound)} {bound.unit}"))
    else:
        tiles.append(tile("gap to the bound", "–", "no bound is known at this arrival rate"))
    return tiles


def _left_out(layout: Layout) -> str:
    parts = []
    if layout.servers_left_out:
        parts.append(f"{layout.servers_left_out} servers that carry less are not drawn")
    if layout.chains_left_out:
        parts.append(f"{layout.chains_left_out} chains are not drawn")
    return f"{' and '.join(parts)}; the tables have them." if parts else ""


def _chain_rows(facts: Facts) -> tuple[list[int], dict[str, Any] | None]:
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


def _curve_text(facts: Facts) -> str:
    number, total = words.number, facts.total_service_rate
    limit = f"The queue is stable below {number(total)} jobs/s."
    if not facts.stable:
        return f"At {number(facts.arrival_rate)} jobs/s it grows without limit. {limit}"
    mean = number(facts.evaluation.mean_response_time_s)
    return f"At {number(facts.arrival_rate)} jobs/s, a load of {number(facts.evaluation.load, 3)}, it is {mean} s. {limit}"


def _readings(facts: Facts) -> list[tuple[str, str, str]]:
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


def _nearest(facts: Facts) -> int:
    """The point of the curve that is the operating point, or the last where that is unstable."""
    return min(range(len(facts.curve)), key=lambda i: abs(facts.curve[i].arrival_rate - facts.arrival_rate))


def _origin(facts: Facts) -> list[tuple[str, str]]:
    instance, solution = facts.instance, facts.solution
    settings = ", ".join(f"{key} {json.dumps(value, ensure_ascii=False, default=str)}" for key, value in solution.parameters.items())
    return [
        ("instance", instance.name),
        ("sha-256", solution.instance.sha256),
        ("method", solution.method),
        *([("parameters", settings)] if settings else []),
        *([("seed", str(solution.seed))] if solution.seed is not None else []),
        ("made by", f"chainopt {solution.version}"),
        ("objective", str(solution.objective)),
        ("status", str(solution.status)),
        ("a block", f"{instance.service.block_gb} GB, and {instance.service.cache_gb} GB a job"),
        *([("note", instance.note)] if instance.note else []),
    ]
