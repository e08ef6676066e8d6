"""Tables of compositions and their evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chainopt.cli.common import number, share, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model.evaluation import Evaluation
    from chainopt.model.solution import Solution, SolutionChain

MOST_CHAINS = 20


def show_evaluation(evaluation: Evaluation, title: str, further: Sequence[tuple[str, str]] = ()) -> None:
    """The figures of an evaluation, one a line."""
    rows = [
        ("mean response time", f"{number(evaluation.mean_response_time_s)} s"),
        ("  service", f"{number(evaluation.mean_service_time_s)} s"),
        ("  waiting", f"{number(evaluation.mean_waiting_time_s)} s"),
        ("95 % within", f"{number(evaluation.p95_response_time_s)} s"),
        ("99 % within", f"{number(evaluation.p99_response_time_s)} s"),
        ("jobs that wait", share(evaluation.waiting_probability)),
        (
            "bounds (Theorem 4)",
            f"{number(evaluation.lower_bound_s)} s to {number(evaluation.upper_bound_s)} s",
        ),
        ("load", number(evaluation.load)),
        ("total service rate", f"{number(evaluation.total_service_rate)} jobs/s"),
        ("job servers", str(evaluation.job_servers)),
        *further,
    ]
    rows = [row for row in rows if not row[1].startswith("-")]
    show_table(("", ""), rows, title)


def show_chains(
    chains: Sequence[SolutionChain],
    blocks: Sequence[Sequence[int]],
    shares: Sequence[float] | None,
    utilisations: Sequence[float] | None,
    most: int,
) -> None:
    """One chain a line, the servers with the number of blocks that each processes."""
    columns = [">chain", ">capacity", ">time s", ">jobs", ">busy", "servers (blocks)"]
    rows = []
    click.echo()
    for k, chain in enumerate(chains[:most]):
        hops = " > ".join(f"{server} ({n})" for server, n in zip(chain.servers, blocks[k], strict=True))
        rows.append(
            [
                str(k),
                str(chain.capacity),
                number(chain.service_time_s),
                share(None if shares is None else shares[k]),
                share(None if utilisations is None else utilisations[k]),
                hops,
            ]
        )
    show_table(columns, rows)
    if len(chains) > most:
        click.echo(f"... and {len(chains) - most} chains more; -v shows all")


def show_solutions(solutions: Sequence[Solution]) -> None:
    """One solution a line; bounds where there are any."""
    bounds = any(solution.bound is not None for solution in solutions)
    columns = ["instance", "status", "method", ">c", ">response s", ">wait s", ">load", ">rate/s", ">job servers"]
    columns += [">bound", ">gap"] if bounds else []
    rows = []
    for solution in solutions:
        figures = {} if solution.evaluation is None else solution.evaluation.model_dump()
        row = [
            solution.instance.name,
            solution.status.value,
            solution.method,
            str(solution.parameters.get("cache_reservation", "-")),
            number(figures.get("mean_response_time_s")),
            number(figures.get("mean_waiting_time_s")),
            number(figures.get("load")),
            number(figures.get("total_service_rate")),
            str(figures.get("job_servers", "-")),
        ]
        row += [number(solution.bound), share(solution.gap)] if bounds else []
        rows.append([*row, number(solution.runtime_s, 2)])
    show_table([*columns, ">runtime s"], rows)
