"""``chainopt bound``: what no composition can beat."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from chainopt.cli.common import (
    PositiveNumber,
    announce_compilation,
    json_option,
    number,
    output_option,
    show_table,
    verbosity,
)
from chainopt.errors import InfeasibleError, UnstableError

UNITS = {"response-time": "s", "job-servers": "job servers", "rate": "jobs/s"}


@click.command()
@click.argument("instance", metavar="INSTANCE")
@click.option("--objective", type=click.Choice(["all", *UNITS]), default="all", show_default=True)
@click.option(
    "--time-limit", type=PositiveNumber(), metavar="S", default=20.0, help="Seconds for each objective. [default: 20]"
)
@click.option("--hull", is_flag=True, help="Use that numbers of jobs are whole: up to 1 % tighter, much slower.")
@click.option(
    "--any-policy",
    is_flag=True,
    help="Bound the mean response time for every dispatch policy, even one that moves jobs, and not for JFFC alone.",
)
@json_option
@output_option
@verbosity
def command(
    instance: str,
    objective: str,
    time_limit: float,
    hull: bool,
    any_policy: bool,
    as_json: bool,
    output: str | None,
) -> int:
    """Proven bounds that hold for every placement and allocation of INSTANCE.

    That on the mean response time is for JFFC, with Poisson arrivals and exponential job sizes. Exit code 1 if it is
    proven that no composition exists or none is stable.

    \b
    Example:
      chainopt bound instances/bloom/bloom-ripe-j20-eta20-s1-medium.json
    """
    from chainopt.exact import bound
    from chainopt.files import read_instance
    from chainopt.files.text import write_text

    problem = read_instance(instance)
    announce_compilation()
    entries: list[dict[str, Any]] = []
    said: dict[str, None] = {}  # each message once, in order
    for name in UNITS if objective == "all" else (objective,):
        started = time.perf_counter()
        entry: dict[str, Any] = {"objective": name, "bound": None, "unit": UNITS[name], "status": "unknown"}
        try:
            entry["bound"] = bound(problem, name, time_limit, hull=hull, any_policy=any_policy)
        except (InfeasibleError, UnstableError) as error:
            entry["status"] = "infeasible" if isinstance(error, InfeasibleError) else "unstable"
            said[str(error)] = None
        entry["runtime_s"] = time.perf_counter() - started
        entries.append(entry)
    for message in said:
        click.echo(f"chainopt: {problem.name}: {message}", err=True)
    text = json.dumps({"instance": problem.name, "bounds": entries}, indent=2, ensure_ascii=False) + "\n"
    if output is not None:
        write_text(text, output)
    if as_json and output != "-":
        click.echo(text, nl=False)
    elif output != "-":
        sides = {"rate": "at most"}
        rows = [
            [
                entry["objective"],
                entry["status"] if entry["bound"] is None else sides.get(entry["objective"], "at least"),
                number(entry["bound"], 6),
                entry["unit"],
                number(entry["runtime_s"], 2),
            ]
            for entry in entries
        ]
        show_table(["objective", "", ">bound", "", ">runtime s"], rows, f"{problem.name}: proven bounds")
    return 0 if all(entry["bound"] is not None for entry in entries) else 1
