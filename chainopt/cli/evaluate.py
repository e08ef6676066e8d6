"""``chainopt evaluate``: response times of a composition, at any arrival rate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import PositiveNumber, announce_compilation, json_option, level, output_option, verbosity
from chainopt.errors import FormatError

if TYPE_CHECKING:
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
@json_option
@output_option
@verbosity
def command(instance: str, solution: str, arrival_rate: float | None, as_json: bool, output: str | None) -> int:
    """Response time of SOLUTION under JFFC: exact, Theorem 4's bounds, quantiles, and each chain's share.

    Exact for Poisson arrivals and exponential job sizes. Exit code 1 if the load is not below 1.

    \b
    Example:
      chainopt evaluate x.json x.sol.json --arrival-rate 0.5
    """
    from chainopt.cli.show import MOST_CHAINS, show_chains, show_evaluation
    from chainopt.files import read_instance, read_solution
    from chainopt.files.text import write_text
    from chainopt.queueing import evaluate, response_time

    if instance == solution == "-":
        raise click.UsageError("INSTANCE and SOLUTION cannot both be read from standard input")
    problem = read_instance(instance)
    answer = _valid(problem, read_solution(solution), solution)
    rate = float(problem.workload.arrival_rate) if arrival_rate is None else arrival_rate
    announce_compilation()
    composition = answer.composition
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


def _valid(instance: Instance, solution: Solution, source: str) -> Solution:
    """The solution bound to its instance.

    Raises
    ------
    FormatError
        If its composition is not one.
    """
    from chainopt.verification.composition import check_composition

    violations, _ = check_composition(instance, solution)
    if violations:
        raise FormatError(f"not a composition of {instance.name!r}: {violations[0]}", source=source)
    if not solution.chains:
        raise FormatError("it has no chain to evaluate", source=source, path="chains")
    return solution.bind(instance)


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
