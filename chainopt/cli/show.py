"""Tables of compositions and their evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chainopt.cli.common import level, note, number, share, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model.evaluation import Evaluation
    from chainopt.model.instance import Instance
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


def show_solution(instance: Instance, solution: Solution) -> None:
    """A solution in full: its evaluation, what is proven, and its chains."""
    from chainopt.queueing import response_time

    if solution.evaluation is None:
        return
    composition, arrival_rate = solution.composition, float(instance.workload.arrival_rate)
    used = len(solution.placement)
    proven = []
    if solution.bound is not None:
        unit = {"response-time": "s", "job-servers": "job servers", "rate": "jobs/s"}[solution.objective]
        proven = [("proven bound", f"{solution.bound:.4g} {unit}"), ("gap", share(solution.gap))]
    waiting = solution.parameters.get("thresholds")
    if waiting is not None:
        better = solution.parameters["thresholds_mean_response_time_s"]
        proven.append(("with thresholds", f"{better:.4g} s, of {' '.join(map(str, waiting))}"))
    further = [
        *proven,
        ("servers that host blocks", f"{used} of {len(instance.servers)}"),
        ("method", f"{solution.method} {_settings(solution)}".strip()),
    ]
    show_evaluation(solution.evaluation, f"{instance.name}: {solution.status}", further)
    shares = utilisations = None
    if solution.evaluation.mean_response_time_s is not None:
        exact = response_time(composition, arrival_rate)
        shares = exact.shares.tolist()
        utilisations = (exact.shares * arrival_rate * composition.service_times_s / composition.capacities).tolist()
    blocks = [chain.blocks for chain in composition.chains]
    most = MOST_CHAINS if level() < 1 else len(blocks)
    show_chains(solution.chains, blocks, shares, utilisations, most)
    note(f"{solution.runtime_s:.3f} s", 1)


def _settings(solution: Solution) -> str:
    names = {"cache_reservation": "c"}
    settings = {key: value for key, value in solution.parameters.items() if not key.startswith("thresholds")}
    return ", ".join(f"{names.get(key, key)} = {value}" for key, value in settings.items())


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
