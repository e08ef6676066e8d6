"""``chainopt formulate``: the optimization models themselves, for any solver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import announce_compilation, json_option, note, show_table, verbosity

if TYPE_CHECKING:
    from chainopt.exact.formulating import FileKind

KINDS: tuple[FileKind, ...] = ("mps", "lp")


def _list(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from chainopt.exact.formulating import FORMULATIONS

    rows = [[name, ", ".join(f.objectives), f.summary, f.source] for name, f in FORMULATIONS.items()]
    show_table(("name", "objectives", "summary", "source"), rows)
    ctx.exit()


@click.command()
@click.argument("instance", metavar="INSTANCE")
@click.option("--formulation", required=True, metavar="F", help="See --list.")
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="Write to FILE.mps or FILE.lp; - is standard output."
)
@click.option("--format", "kind", type=click.Choice(KINDS), help="Of the file. [default: as its name ends]")
@click.option(
    "--objective",
    type=click.Choice(["response-time", "job-servers", "rate"]),
    help="Where a formulation has several. [default: the first of --list]",
)
@click.option(
    "--method", default="gbp-cr", show_default=True, metavar="M", help="Placement rule, where the placement is given."
)
@click.option(
    "--cache-reservation",
    type=click.IntRange(1, 10**9),
    metavar="C",
    help="Jobs to leave room for at a block, where that is given. [default: what is best]",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 10**6),
    metavar="N",
    help="Jobs that are there at once. [default: the fewest conceivable for the design rate, any number for rate]",
)
@click.option(
    "--limit", type=click.IntRange(1), default=100_000, show_default=True, metavar="N", help="Most columns of a model."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of random placement rules.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List formulations.")
@json_option
@verbosity
def command(
    instance: str, formulation: str, output: str, kind: FileKind | None, method: str, as_json: bool, **options: Any
) -> int:
    """Write an optimization model of INSTANCE for any solver that reads MPS or LP files.

    Equal options give equal files, byte for byte. The objective of an MPS file is always to be minimised.

    \b
    Examples:
      chainopt formulate --list
      chainopt formulate instances/tiny/tiny-overlap-needed.json --formulation bprr -o model.lp
      chainopt formulate x.json --formulation relaxation --objective rate -o - --format mps
    """
    from chainopt.exact.formulating import Options, describe, formulate, model_text
    from chainopt.files import read_instance
    from chainopt.files.text import write_text
    from chainopt.model import Objective

    kind = kind or _kind(output)
    problem = read_instance(instance)
    announce_compilation()
    if options["objective"] is not None:
        options["objective"] = Objective(options["objective"])
    model = formulate(problem, formulation, Options(placement=method, **options))
    write_text(model_text(model, kind), output)
    size = describe(model)
    if size["sense"] == "maximize" and kind == "mps":
        note("the objective is to be maximised, so it is negated in the MPS file, where it is minimised")
    document = {"instance": problem.name, "formulation": formulation, "format": kind, "file": output, **size}
    if as_json and output != "-":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif output != "-":
        click.echo(
            f"{problem.name}: {formulation}, {size['columns']:,} columns ({size['integer_columns']:,} integer), "
            f"{size['rows']:,} rows, {size['nonzeros']:,} nonzeros, {size['sense']}"
        )
    return 0


def _kind(output: str) -> FileKind:
    for kind in KINDS:
        if output.lower().endswith(f".{kind}"):
            return kind
    raise click.UsageError(f"the name of the file should end in .mps or .lp, or --format be given; got {output!r}.")
