"""One self-contained HTML page: no network, no inline handlers, every name escaped by the template engine."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from chainopt.files.text import write_text
from chainopt.report import contents, svg, words
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
        If the target cannot be written.
    ValueError
        If placement or chains do not fit the instance.
    """
    write_text(render(facts_of(instance, solution, arrival_rate)), target)


def render(facts: Facts) -> str:
    """The page."""
    style, script = _asset("report.css"), _asset("report.js")
    layout = layout_of(facts)
    rows, curve, readings = layout.rows, svg.response_curve(facts), contents.readings(facts)
    chain_rows, rest = contents.chain_rows(facts)
    bars = svg.memory_bars(facts, rows)
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
            tiles=contents.tiles(facts),
            findings=findings(facts),
            most_named=MOST_NAMED,
            layout=layout,
            left_out=contents.left_out(layout),
            hosting=[j for j, server in enumerate(facts.servers) if server.blocks],
            empty=[j for j, server in enumerate(facts.servers) if not server.blocks],
            height=svg.row_height(len(rows)) * len(rows),
            row_class=f"r{svg.row_height(len(rows))}",
            block_ticks=svg.block_ticks(facts),
            map_bars=svg.map_bars(facts, layout),
            map_paths=svg.map_paths(layout),
            memory_bars=bars,
            memory_ticks=svg.memory_ticks(facts, rows),
            legend=[(kind, text) for kind, text in LEGEND if any(bar.kind == kind for bar in bars)],
            chain_rows=chain_rows,
            rest=rest,
            server_rows=facts.servers[: contents.MOST_ROWS],
            servers_not_listed=max(0, len(facts.servers) - contents.MOST_ROWS),
            curve=curve,
            curve_height=svg.CURVE_HEIGHT,
            curve_text=contents.curve_text(facts),
            readings=readings,
            start=contents.nearest(facts),
            origin=contents.origin(facts),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    import jinja2

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
