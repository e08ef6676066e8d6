"""A solution as a plain HTML table, which notebooks show; `chainopt.report` makes the page with pictures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainopt.model.solution import Solution

MOST_CHAINS = 20


def solution_table(solution: Solution) -> str:
    """The figures of a solution and its first `MOST_CHAINS` chains; all text that comes from files is escaped."""
    evaluation = solution.evaluation
    figures = [("status", str(solution.status)), ("method", solution.method), ("objective", str(solution.objective))]
    if evaluation is not None:
        figures += [
            ("mean response time, s", _number(evaluation.mean_response_time_s)),
            ("mean waiting time, s", _number(evaluation.mean_waiting_time_s)),
            ("95 % within, s", _number(evaluation.p95_response_time_s)),
            ("load", _number(evaluation.load)),
            ("total service rate, jobs/s", _number(evaluation.total_service_rate)),
            ("job servers", str(evaluation.job_servers)),
        ]
    figures += [("bound", _number(solution.bound)), ("gap", _number(solution.gap))]
    chains = [
        (str(k), str(chain.capacity), _number(chain.service_time_s), " → ".join(chain.servers))
        for k, chain in enumerate(solution.chains[:MOST_CHAINS])
    ]
    more = len(solution.chains) - len(chains)
    return (
        f"<table><caption>{_cell(solution.instance.name)}</caption><tbody>"
        + "".join(f'<tr><th scope="row">{_cell(name)}</th><td>{_cell(value)}</td></tr>' for name, value in figures)
        + "</tbody></table>"
        + (_chains(chains) if chains else "")
        + (f"<p>and {more} chains more</p>" if more else "")
    )


def _chains(rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("chain", "jobs at once", "time, s", "servers"))
    body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    """Text of a cell; a dollar sign stands in an element of its own, else notebooks take two of them for a formula."""
    return escape(text).replace("$", "<span>$</span>")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
