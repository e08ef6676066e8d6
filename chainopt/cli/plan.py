"""``chainopt plan``: from GPUs, a model and traffic to an instance and its composition."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import (
    PositiveNumber,
    announce_compilation,
    answered,
    json_option,
    note,
    output_option,
    verbosity,
)
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from chainopt.cluster import Cluster, Group, Plan
    from chainopt.model.instance import Server

_ENGINE = ("overhead_ms", "reserve_gib", "compute_efficiency", "memory_efficiency", "batch", "kv_bytes")
_FIELDS = ("name", "model", "precision", "tokens_in", "tokens_out", "max_tokens", "arrival_rate", "target_load")


class Number(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A decimal number, exactly as written."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read the number."""
        try:
            number = Decimal(value)
        except (InvalidOperation, TypeError):
            number = Decimal("NaN")
        if not number.is_finite():
            self.fail(f"expected a number, got {value!r}", param, ctx)
        return number


@click.command()
@click.argument("cluster", metavar="[CLUSTER.yaml]", required=False)
@click.option(
    "--model", metavar="NAME|config.json", help="See `chainopt catalog models`; any config.json of the families there."
)
@click.option("--precision", metavar="P", help="Of the weights, such as bf16, int8 or nf4. [default: as published]")
@click.option("--tokens-in", type=click.IntRange(min=1), metavar="N", help="Of a job's prompt, in the mean.")
@click.option("--tokens-out", type=click.IntRange(min=1), metavar="N", help="That a job generates, in the mean.")
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="That a job's cache has room for. [default: the power of 2 at or above the means' sum]",
)
@click.option("--arrival-rate", type=Number(), metavar="R", help="Jobs per second.")
@click.option("--target-load", type=Number(), metavar="L", help="To design for. [default: 0.7]")
@click.option(
    "--gpu",
    "gpus",
    multiple=True,
    metavar="SPEC",
    help="Servers: [NAME=][DEVICESx]GPU[:PROFILE][:COUNT][@RTTms]. Several times.",
)
@click.option(
    "--servers", "tables", multiple=True, metavar="FILE.csv", help="Servers of a table, by GPU, or with their times."
)
@click.option("--helix", metavar="FILE.ini", help="Servers of a cluster file of Helix.")
@click.option("--helix-profiles", metavar="FILE.ini", help="Its machine profiles, for their memories.")
@click.option("--name", metavar="NAME", help="Of the instance. [default: cluster]")
@click.option(
    "--overhead-ms",
    type=Number(),
    metavar="T",
    help="Of an exchange with a server besides the round trip. [default: 18]",
)
@click.option("--reserve-gib", type=Number(), metavar="G", help="Of each GPU that is not ours. [default: 2]")
@click.option("--compute-efficiency", type=Number(), metavar="E", help="Share of the peak FLOPS. [default: 1]")
@click.option("--memory-efficiency", type=Number(), metavar="E", help="Share of the peak bandwidth. [default: 1]")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Jobs that decode together. [default: 1]")
@click.option("--kv-bytes", type=click.IntRange(1, 8), metavar="N", help="Of a cached number. [default: 2]")
@click.option("--save-instance", metavar="FILE", help="Write the instance to FILE; - is standard output.")
@click.option("--time-limit", type=PositiveNumber(), metavar="S", help="Seconds of search. [default: 2]")
@click.option("--iterations", type=click.IntRange(0, 10**15), metavar="N", help="Of the search, instead of a time.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the search.")
@json_option
@output_option
@verbosity
def command(cluster: str | None, save_instance: str | None, output: str | None, as_json: bool, **options: Any) -> int:
    """Plan a cluster: which GPU hosts which blocks of the model, in which chains.

    The cluster stands in a YAML file, or in options, which go first where both say something. What had to be assumed is
    said on standard error. -o writes the solution and --save-instance the instance, for the other commands.

    \b
    Examples:
      chainopt plan --model Llama-2-70B --precision nf4 --tokens-in 1500 --tokens-out 200 --arrival-rate 0.2 \\
          --gpu rtx-4090:4@5ms --gpu l40s:2@12ms
      chainopt plan cluster.yaml --save-instance x.json -o x.sol.json
      chainopt plan cluster.yaml --arrival-rate 2 --time-limit 30
    """
    from chainopt.cli.show import show_solution
    from chainopt.facade import compose
    from chainopt.files import solution_text, write_instance, write_solution

    if output == "-" and save_instance == "-":
        raise click.UsageError("-o and --save-instance cannot both be standard output")
    plan = _planned(cluster, options)
    for assumption in plan.assumptions:
        note(f"assumed: {assumption}")
    if save_instance is not None:
        write_instance(plan.instance, save_instance)
    announce_compilation()
    limits = {"time_limit_s": options["time_limit"], "iterations": options["iterations"]}
    solution = answered(plan.instance, lambda: compose(plan.instance, seed=options["seed"], **limits))
    if output is not None:
        write_solution(solution, output)
    if as_json and output != "-":
        click.echo(solution_text(solution), nl=False)
    elif "-" not in (output, save_instance):
        show_solution(plan.instance, solution)
    return 0 if solution.status in ("optimal", "feasible") else 1


def _planned(source: str | None, options: dict[str, Any]) -> Plan:
    from chainopt.cluster import planned, read_cluster

    cluster = None if source is None else read_cluster(source)
    groups, servers = _given_servers(options)
    return planned(_described(cluster, groups, options, known=bool(servers)), servers)


def _given_servers(options: dict[str, Any]) -> tuple[tuple[Group, ...], tuple[Server, ...]]:
    """Groups of GPUs, and servers whose times are known."""
    from chainopt.cluster import Group, parse_group, read_helix, read_servers

    groups: list[Group] = []
    servers: list[Server] = []
    for spec in options["gpus"]:
        try:
            groups.append(parse_group(spec))
        except FormatError as error:
            raise click.BadParameter(str(error), param_hint="--gpu") from None
    for table in options["tables"]:
        for entry in read_servers(table):
            (groups if isinstance(entry, Group) else servers).append(entry)  # type: ignore[arg-type]
    if options["helix_profiles"] is not None and options["helix"] is None:
        raise click.UsageError("--helix-profiles needs --helix")
    if options["helix"] is not None:
        groups.extend(read_helix(options["helix"], options["helix_profiles"]))
    if groups and servers:
        raise click.UsageError("give servers by their GPUs, or with their times, not both")
    return tuple(groups), tuple(servers)


def _described(cluster: Cluster | None, groups: tuple[Group, ...], options: dict[str, Any], *, known: bool) -> Cluster:
    """The cluster of the file, changed by the options; or that of the options alone."""
    from pydantic import ValidationError

    from chainopt.cluster import Cluster, Engine
    from chainopt.files.document import mistake, shown_path

    fields = {name: options[name] for name in _FIELDS if options[name] is not None}
    engine = {name: options[name] for name in _ENGINE if options[name] is not None}
    if groups:
        fields["servers"] = groups
    elif known:
        fields["servers"] = ()
    if cluster is None:
        missing = [name for name in ("model", "tokens_in", "tokens_out", "arrival_rate") if name not in fields]
        asked = [f"--{name.replace('_', '-')}" for name in missing] + ([] if groups or known else ["--gpu"])
        if asked:
            raise click.UsageError(f"without a file of the cluster, give {', '.join(asked)}")
    try:
        if cluster is None:
            return Cluster(**fields, engine=Engine(**engine))
        return cluster.replace(**fields, engine=cluster.engine.replace(**engine))
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise FormatError(mistake(detail), path=shown_path(tuple(detail["loc"]))) from None
