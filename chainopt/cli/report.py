"""``chainopt report``: one page with everything about a composition."""

from __future__ import annotations

import click

from chainopt.cli.common import PositiveNumber, announce_compilation, note, valid_solution, verbosity
from chainopt.errors import UnstableError


@click.command()
@click.argument("instance", metavar="INSTANCE")
@click.argument("solution", metavar="SOLUTION")
@click.option("-o", "--output", required=True, metavar="FILE.html", help="The page; - is standard output.")
@click.option("--arrival-rate", type=PositiveNumber(), metavar="R", help="Jobs per second, instead of the instance's.")
@verbosity
def command(instance: str, solution: str, output: str, arrival_rate: float | None) -> int:
    """Write a page about SOLUTION: map of servers and chains, memory, response time at any arrival rate, warnings.

    One HTML file that opens from disk, loads nothing, and prints. Exit code 1 if the load is not below 1; the page is
    written all the same.

    \b
    Examples:
      chainopt report x.json x.sol.json -o x.html
      chainopt report x.json x.sol.json --arrival-rate 0.5 -o x.html
    """
    from chainopt.files import read_instance, read_solution
    from chainopt.files.text import write_text
    from chainopt.report.facts import facts
    from chainopt.report.findings import findings
    from chainopt.report.page import render

    if instance == solution == "-":
        raise click.UsageError("INSTANCE and SOLUTION cannot both be read from standard input")
    problem = read_instance(instance)
    answer = valid_solution(problem, read_solution(solution), solution)
    announce_compilation()
    shown = facts(problem, answer, arrival_rate)
    write_text(render(shown), output)
    for finding in findings(shown):
        note(finding.title, 1)
    if not shown.stable:
        rates = f"{shown.arrival_rate:.4g} jobs/s, the chains serve at most {shown.total_service_rate:.4g}"
        raise UnstableError(f"{problem.name!r} is unstable: {rates}; the page says so too")
    return 0
