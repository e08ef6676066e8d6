"""``chainopt export``: what starts a composition on a serving engine."""

from __future__ import annotations

import json
from typing import Any

import click

from chainopt.cli.common import json_option, note, valid_solution, verbosity
from chainopt.errors import FormatError


def _list(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from chainopt.cli.common import show_table
    from chainopt.export import ENGINES

    rows = [[name, entry.version, entry.summary, entry.source] for name, entry in ENGINES.items()]
    show_table(("engine", "written for", "summary", "source"), rows)
    ctx.exit()


@click.command()
@click.argument("engine", metavar="ENGINE")
@click.argument("instance", metavar="INSTANCE")
@click.argument("solution", metavar="SOLUTION")
@click.option("-o", "--output", required=True, metavar="DIR", help="A new folder.")
@click.option("--model", metavar="M", help="Name or path that the engine loads. [default: the service's name]")
@click.option("--tokens", type=click.IntRange(1, 10**9), metavar="N", help="Most tokens of a job, in and out.")
@click.option("--hosts", metavar="FILE", help="Addresses of servers: JSON, {ID: ADDRESS} or {ID: {address, device}}.")
@click.option("--exclusive", is_flag=True, help="Compose anew so that no two chains meet at a server.")
@click.option("--split-shared", is_flag=True, help="A process, and a copy of its blocks, for each chain at a server.")
@click.option("--fewer-jobs", is_flag=True, help="Lower capacities to what the engine can run.")
@click.option("--quant", metavar="Q", help="Quantisation, in the engine's words.")
@click.option("--dtype", metavar="T", help="Number format of weights and computation, in the engine's words.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="The first of the ports.")
@click.option(
    "--memory-share",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="U",
    help="Share of a device's memory that vLLM and SGLang may fill. [default: what is needed, at least 0.9]",
)
@click.option("--runtime", metavar="ENGINE", help="What Kubernetes runs. [default: vllm]")
@click.option("--image", metavar="IMAGE", help="Container image for Kubernetes.")
@click.option("--force", is_flag=True, help="Replace the files of an earlier export; others stay.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List engines.")
@json_option
@verbosity
def command(
    engine: str,
    instance: str,
    solution: str,
    output: str,
    hosts: str | None,
    exclusive: bool,
    split_shared: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Write what starts SOLUTION on a serving ENGINE into a new folder: scripts, plan, chains for a dispatcher, README.

    The engine's own published rules are applied to what is written; where they would not run exactly the planned
    blocks and capacities, nothing is written, and the servers to blame are named (exit code 1).

    \b
    Examples:
      chainopt export --list
      chainopt export petals x.json x.sol.json --tokens 2048 -o swarm/
      chainopt export vllm x.json x.sol.json --exclusive --model org/name --tokens 2048 --hosts hosts.json -o vllm/
    """
    from chainopt.export import Options, Sharing, export_files, make_plan, read_hosts, write_folder
    from chainopt.export.documents import all_notes
    from chainopt.files import read_instance, read_solution

    if [instance, solution, hosts].count("-") > 1:
        raise click.UsageError("only one of INSTANCE, SOLUTION and --hosts can be read from standard input")
    if exclusive and split_shared:
        raise click.UsageError("--exclusive and --split-shared exclude each other")
    if output == "-":
        raise click.UsageError("-o takes a folder, which standard output is not")
    _check_engine(engine)
    problem = read_instance(instance)
    answer = valid_solution(problem, read_solution(solution), solution)
    if options["model"] is None:
        options["model"] = problem.service.name
    asked = Options(hosts={} if hosts is None else read_hosts(hosts, problem), **options)
    sharing = Sharing.EXCLUSIVE if exclusive else Sharing.SPLIT if split_shared else Sharing.SHARED
    deployment, files = export_files(engine, make_plan(problem, answer, sharing), asked)
    write_folder(files, output, force=force)
    ran, notes = deployment.plan, all_notes(deployment)
    for text in notes:
        note(text)
    if as_json:
        document = {
            "instance": problem.name,
            "engine": engine,
            "folder": output,
            "files": sorted(files),
            "chains": len(ran.chains),
            "job_servers": ran.job_servers,
            "processes": len(deployment.processes),
            "notes": notes,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(
            f"{problem.name}: {engine}, {len(ran.chains)} chains, {ran.job_servers} jobs at once, "
            f"{len(deployment.processes)} processes, {len(files)} files in {output}"
        )
    return 0


def _check_engine(engine: str) -> None:
    """Before anything is read.

    Raises
    ------
    FormatError
        If there is no such engine.
    """
    from chainopt.export import ENGINES

    if engine not in ENGINES:
        raise FormatError(f"expected one of {', '.join(ENGINES)}, got {engine!r}", path="ENGINE")
