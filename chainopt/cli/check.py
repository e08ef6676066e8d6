"""``chainopt check``: is a solution what it claims to be?"""

from __future__ import annotations

import json

import click

from chainopt.cli.common import json_option, verbosity


@click.command()
@click.argument("instance", metavar="INSTANCE")
@click.argument("solution", metavar="SOLUTION")
@json_option
@verbosity
def command(instance: str, solution: str, as_json: bool) -> int:
    """Recompute everything in SOLUTION from the equations, and list each violation.

    No algorithm is trusted: placement, chains and cache slots are checked in exact arithmetic, the evaluation with
    other formulas than those that made it. Exit code 1 if anything is wrong.

    \b
    Example:
      chainopt check x.json x.sol.json
    """
    from chainopt.files import read_instance, read_solution
    from chainopt.verification import verify

    if instance == solution == "-":
        raise click.UsageError("INSTANCE and SOLUTION cannot both be read from standard input")
    problem = read_instance(instance)
    answer = read_solution(solution)
    violations = verify(problem, answer)
    if as_json:
        listed = [{"place": violation.place, "message": violation.message} for violation in violations]
        document = {"instance": problem.name, "valid": not violations, "violations": listed}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif violations:
        for violation in violations:
            click.echo(str(violation))
        click.echo(f"{len(violations)} violation{'s' if len(violations) > 1 else ''}")
    else:
        click.echo(f"valid: {len(answer.placement)} servers, {len(answer.chains)} chains, status {answer.status}")
    return 1 if violations else 0
