"""``chainopt solve``: from instance files to compositions."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import (
    PositiveNumber,
    announce_compilation,
    answered,
    complete_method,
    json_option,
    note,
    number,
    output_option,
    share,
    verbosity,
)
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainopt.exact import ExactOptions
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution


@click.command()
@click.argument("instances", metavar="INSTANCE...", nargs=-1, required=True)
@click.option(
    "--method",
    default="auto",
    show_default=True,
    metavar="M",
    help="See `chainopt methods`; or FILE.py:FUNCTION.",
    shell_complete=complete_method,
)
@click.option(
    "--objective",
    type=click.Choice(["response-time", "job-servers", "rate"]),
    default="response-time",
    show_default=True,
    help="Smallest mean response time; fewest job servers that serve the design rate; largest total service rate.",
)
@click.option(
    "--cache-reservation",
    default="auto",
    show_default=True,
    metavar="C|auto",
    help="Jobs to leave room for at a block.",
)
@click.option(
    "--criterion",
    type=click.Choice(["exact", "lower", "upper", "surrogate"]),
    help="By which mean response time, or surrogate, the paper's algorithms compare compositions. [default: exact]",
)
@click.option(
    "--stop",
    type=click.Choice(["rate", "never"]),
    help="Whether servers stay empty once the design rate is met. [default: try both]",
)
@click.option(
    "--time-limit",
    type=PositiveNumber(),
    metavar="S",
    help="Seconds for each instance. [default: 2 for auto, else none]",
)
@click.option(
    "--iterations",
    type=click.IntRange(0, 10**15),
    metavar="N",
    help="Of the search of auto, instead of a time: the seed alone decides what is found.",
)
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Processes that search.")
@click.option("--from", "previous", metavar="SOLUTION", help="Start from what is in place, by the ids of servers.")
@click.option(
    "--max-moved-blocks",
    type=click.IntRange(min=0),
    metavar="N",
    help="Blocks that servers may load anew, with --from. [default: any number]",
)
@click.option(
    "--policy",
    type=click.Choice(["jffc", "thresholds"]),
    default="jffc",
    show_default=True,
    help="Dispatch: thresholds are added to the solution where they are shown to be better than JFFC.",
)
@click.option(
    "--price-per-moved-gb",
    "price",
    type=click.FloatRange(0, 1e12),
    metavar="P",
    help="With --from: try several limits, --time-limit each; choose by the objective and P for each GB moved.",
)
@click.option("--bound", is_flag=True, help="Prove a bound too, as auto does; --time-limit counts for it anew.")
@click.option("--engine", metavar="E", help="Of --method exact: sizes, enumeration, job-slots or chain-columns.")
@click.option("--backend", metavar="B", help="Of the engine chain-columns: highs, cbc, or any solver that PuLP knows.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Of the solvers of --method exact.")
@click.option("--log", is_flag=True, help="Show the logs of the solvers of --method exact.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of random rules.")
@json_option
@output_option
@verbosity
def command(
    instances: tuple[str, ...], cache_reservation: str, output: str | None, as_json: bool, **options: Any
) -> int:
    """Find a composition for each INSTANCE: the best that can be found in the time, and a proven bound.

    --criterion, --stop and --cache-reservation ask for the paper's algorithms. With several instances, -o names a
    directory, and each solution goes to NAME.sol.json in it. Ctrl-C ends a search with the best so far.

    \b
    Examples:
      chainopt solve instances/bloom/bloom-ripe-j20-eta20-s1-medium.json
      chainopt solve --time-limit 60 --workers 2 x.json -o x.sol.json
      chainopt solve --criterion lower --stop rate x.json
      chainopt solve --from x.sol.json --max-moved-blocks 30 changed.json
      chainopt solve --objective rate instances/tiny/*.json
    """
    from chainopt.cli.show import show_solution, show_solutions
    from chainopt.files import read_instance, read_solution, solution_text, write_solution

    options["cache_reservation"] = _reservation(cache_reservation)
    _check_output(output, several=len(instances) > 1)
    _check_together(options, len(instances))
    announce_compilation()
    solved: list[tuple[Instance, Solution]] = []
    read = [read_instance(source) for source in instances]  # all of them, before anything is solved
    if output not in (None, "-") and len({instance.name for instance in read}) < len(read):
        raise FormatError("two instances of the same name cannot be written to one directory", source=output)
    if options["previous"] is not None:
        options["previous"] = read_solution(options["previous"])
    for instance in read:
        solution = _solve(instance, options)
        solved.append((instance, solution))
        if output is not None:
            write_solution(solution, _target(output, solution, several=len(instances) > 1))
    solutions = [solution for _, solution in solved]
    if as_json and output != "-":
        texts = [solution_text(solution) for solution in solutions]
        click.echo(texts[0] if len(texts) == 1 else "[\n" + ",\n".join(text.rstrip() for text in texts) + "\n]")
    elif len(solved) > 1 and output != "-":
        show_solutions(solutions)
    elif output != "-":
        show_solution(*solved[0])
    return 0 if all(solution.status in ("optimal", "feasible") for solution in solutions) else 1


def _check_together(options: dict[str, Any], instances: int) -> None:
    """Refuse options that do not go together."""
    from chainopt.plug_in import is_plug_in

    paper = bool(options["cache_reservation"] or options["stop"] or options["criterion"])
    if options["method"] == "exact" and paper:
        raise click.UsageError(
            "--method exact tries all there is: it takes no --cache-reservation, --stop or --criterion"
        )
    if paper and is_plug_in(options["method"]):
        raise click.UsageError("a method of your own takes no --cache-reservation, --stop or --criterion")
    searches = options["method"] == "auto" and not paper
    if options["price"] is not None and (options["price"] != options["price"] or options["policy"] != "jffc"):
        raise click.UsageError("--price-per-moved-gb takes a number, and no --policy")
    given = {"--iterations": options["iterations"] is not None, "--workers": options["workers"] > 1}
    for name, used in {**given, "--from": options["previous"] is not None}.items():
        if used and not searches:
            raise click.UsageError(f"{name} is an option of the search of --method auto")
    if options["max_moved_blocks"] is not None and options["previous"] is None:
        raise click.UsageError("--max-moved-blocks needs --from")
    if options["price"] is not None and (options["previous"] is None or options["max_moved_blocks"] is not None):
        raise click.UsageError("--price-per-moved-gb needs --from, and sets the number of moved blocks itself")
    if options["previous"] is not None and instances > 1:
        raise click.UsageError("--from is what is in place on one instance")


def _reservation(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= 10**9:
        raise click.BadParameter(
            f"expected auto or a whole number from 1 to 10^9, got {text!r}", param_hint="--cache-reservation"
        )
    return int(text)


def _exact_options(options: dict[str, Any]) -> ExactOptions | None:
    """What was chosen for the exact method; its progress goes to standard error with -v, or on a terminal."""
    chosen = {name: options[name] for name in ("engine", "backend", "threads", "log") if options[name]}
    if options["method"] != "exact":
        if chosen:
            raise click.UsageError(f"--{next(iter(chosen))} is an option of --method exact")
        return None
    from chainopt.exact import ExactOptions

    return ExactOptions(**chosen, watch=_watch())


def _watch() -> Callable[[float | None, float | None], None]:
    """What says how far a method is: with -v, or on a terminal."""
    from chainopt.model.solution import relative_gap

    started = time.monotonic()
    terminal = sys.stderr.isatty()

    def watch(value: float | None, bound: float | None) -> None:
        gap = None if value is None or bound is None else relative_gap(value, bound)
        elapsed = time.monotonic() - started
        note(f"{elapsed:8.2f} s  best {number(value, 6)}  bound {number(bound, 6)}  gap {share(gap)}", 1 - terminal)

    return watch


def _check_output(output: str | None, *, several: bool) -> None:
    if output in (None, "-"):
        return
    if not output:
        raise click.BadParameter("expected the name of a file", param_hint="--output")
    if (several or output.endswith("/")) and not Path(str(output)).is_dir():
        raise FormatError("expected a directory that exists to write to", source=output)


def _solve(instance: Instance, options: dict[str, Any]) -> Solution:
    """The solution, also where there is none; what is missing is said on standard error."""
    if options["price"] is not None:
        return answered(instance, lambda: _priced(instance, options))
    solution = answered(instance, lambda: _composed(instance, options))
    if solution.evaluation is None or solution.status == "unstable":
        return solution
    if options["policy"] == "thresholds" and "thresholds" not in solution.parameters:
        note(f"{instance.name}: thresholds are not shown to be better than JFFC")
    if solution.status == "unknown":
        text = f"no composition found whose total service rate reaches {instance.design_rate:g} jobs/s"
        click.echo(f"chainopt: {instance.name}: unknown: {text}", err=True)
    return solution


def _composed(instance: Instance, options: dict[str, Any]) -> Solution:
    from chainopt.facade import compose

    return compose(
        instance,
        options["method"],
        options["objective"],
        criterion=options["criterion"],
        cache_reservation=options["cache_reservation"],
        stop=options["stop"],
        time_limit_s=options["time_limit"],
        iterations=options["iterations"],
        workers=options["workers"],
        seed=options["seed"],
        bound=options["bound"],
        policy=options["policy"],
        previous=options["previous"],
        max_moved_blocks=options["max_moved_blocks"],
        watch=_watch(),
        exact=_exact_options(options),
    )


def _priced(instance: Instance, options: dict[str, Any]) -> Solution:
    """The solution of least cost on the curve, which is shown on standard error."""
    from chainopt.model.solution import Objective
    from chainopt.trade_off import cheapest, trade_off

    objective = Objective(options["objective"])
    points = trade_off(
        instance,
        options["previous"],
        objective,
        time_limit_s=options["time_limit"],
        iterations=options["iterations"],
        workers=options["workers"],
        seed=options["seed"],
    )
    best = cheapest(points, objective, options["price"])
    for point in points:
        value = "unstable" if point.value is None else number(point.value)
        chosen = "  <" if point is best else ""
        note(f"{point.moved_blocks:6d} blocks moved, {point.moved_gb:8.4g} GB: {value}{chosen}")
    return best.solution


def _target(output: str, solution: Solution, *, several: bool) -> str:
    if output == "-" or not (several or Path(output).is_dir()):
        return output
    name = solution.instance.name
    if name in (".", "..") or "/" in name or "\\" in name:
        raise FormatError(f"the name {name!r} cannot be that of a file", source=output)
    return str(Path(output) / f"{name}.sol.json")
