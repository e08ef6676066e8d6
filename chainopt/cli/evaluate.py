"""``chainopt evaluate``: response times of a composition, at any arrival rate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import (
    PositiveNumber,
    announce_compilation,
    json_option,
    level,
    number,
    output_option,
    show_table,
    valid_solution,
    verbosity,
)
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution
    from chainopt.queueing import ResponseTime

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


@click.command()
@click.argument("instance", metavar="INSTANCE")
@click.argument("solution", metavar="SOLUTION")
@click.option(
    "--arrival-rate",
    type=PositiveNumber(),
    metavar="R",
    help="Jobs per second. [default: the instance's]",
)
@click.option(
    "--without",
    multiple=True,
    metavar="SERVER",
    help="What is left if this server fails, several times for several, and what allocating anew recovers.",
)
@json_option
@output_option
@verbosity
def command(
    instance: str,
    solution: str,
    arrival_rate: float | None,
    without: tuple[str, ...],
    as_json: bool,
    output: str | None,
) -> int:
    """Response time of SOLUTION under JFFC: exact, Theorem 4's bounds, quantiles, and each chain's share.

    Exact for Poisson arrivals and exponential job sizes. Exit code 1 if the load is not below 1.

    \b
    Examples:
      chainopt evaluate x.json x.sol.json --arrival-rate 0.5
      chainopt evaluate x.json x.sol.json --without s11
    """
    from chainopt.cli.show import MOST_CHAINS, show_chains, show_evaluation
    from chainopt.files import read_instance, read_solution
    from chainopt.files.text import write_text
    from chainopt.queueing import evaluate, response_time

    if instance == solution == "-":
        raise click.UsageError("INSTANCE and SOLUTION cannot both be read from standard input")
    problem = read_instance(instance)
    answer = valid_solution(problem, read_solution(solution), solution)
    rate = float(problem.workload.arrival_rate) if arrival_rate is None else arrival_rate
    announce_compilation()
    composition = answer.composition
    if without:
        return _outage(problem, answer, rate, _positions(problem, without), as_json, output)
    exact = response_time(composition, rate)
    evaluation = evaluate(composition, rate)
    utilisations = exact.shares * rate * composition.service_times_s / composition.capacities
    document = {
        "instance": problem.name,
        "arrival_rate": rate,
        "evaluation": evaluation.model_dump(),
        "quantiles_s": {f"{q:g}": exact.quantile(q) for q in QUANTILES},
        "chains": _chains(answer, exact, utilisations.tolist()),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is not None:
        write_text(text, output)
    if as_json and output != "-":
        click.echo(text, nl=False)
    elif output != "-":
        further = [(f"{100 * q:g} % within", f"{exact.quantile(q):.4g} s") for q in QUANTILES if q not in (0.95, 0.99)]
        show_evaluation(evaluation, f"{problem.name} at {rate:g} jobs/s", further)
        most = MOST_CHAINS if level() < 1 else len(answer.chains)
        blocks = [chain.blocks for chain in composition.chains]
        show_chains(answer.chains, blocks, exact.shares.tolist(), utilisations.tolist(), most)
    return 0


def _positions(instance: Instance, names: Sequence[str]) -> list[int]:
    """Positions of servers.

    Raises
    ------
    FormatError
        If the instance has no server of a name.
    """
    for name in names:
        if name not in instance.position:
            raise FormatError(f"{instance.name!r} has no server {name!r}", path="--without")
    return sorted({instance.position[name] for name in names})


def _outage(
    instance: Instance, solution: Solution, rate: float, failed: list[int], as_json: bool, output: str | None
) -> int:
    """Show the composition whole, without the failed servers, and allocated anew; exit code 1 if that is unstable."""
    from chainopt.files.text import write_text
    from chainopt.outage import reallocated, remaining
    from chainopt.queueing import evaluate

    whole = solution.composition
    cases = {
        "whole": whole,
        "remaining": remaining(whole, failed),
        "reallocated": reallocated(instance, whole, failed, rate),
    }
    evaluations = {name: evaluate(composition, rate) for name, composition in cases.items()}
    names = [instance.servers[j].id for j in failed]
    document = {
        "instance": instance.name,
        "arrival_rate": rate,
        "without": names,
        **{name: evaluation.model_dump() for name, evaluation in evaluations.items()},
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output is not None:
        write_text(text, output)
    if as_json and output != "-":
        click.echo(text, nl=False)
    elif output != "-":
        columns = ["", ">response s", ">wait s", ">95 % s", ">load", ">rate/s", ">job servers"]
        words = {"whole": "all servers", "remaining": "chains that are left", "reallocated": "allocated anew"}
        rows = [
            [
                words[name],
                "unstable" if found.mean_response_time_s is None else number(found.mean_response_time_s),
                number(found.mean_waiting_time_s),
                number(found.p95_response_time_s),
                number(found.load),
                number(found.total_service_rate),
                str(found.job_servers),
            ]
            for name, found in evaluations.items()
        ]
        show_table(columns, rows, f"{instance.name} at {rate:g} jobs/s, without {', '.join(names)}")
    return 0 if evaluations["reallocated"].mean_response_time_s is not None else 1


def _chains(solution: Solution, exact: ResponseTime, utilisations: list[float]) -> list[dict[str, Any]]:
    return [
        {
            "servers": list(chain.servers),
            "capacity": chain.capacity,
            "service_rate": 1 / chain.service_time_s,
            "share_of_jobs": share,
            "utilisation": utilisation,
        }
        for chain, share, utilisation in zip(solution.chains, exact.shares.tolist(), utilisations, strict=True)
    ]
