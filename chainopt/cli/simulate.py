"""``chainopt simulate``: a composition under any policy and any traffic, event by event."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import sys
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import (
    announce_compilation,
    json_option,
    level,
    note,
    output_option,
    valid_solution,
    verbosity,
)
from chainopt.cli.traffic import traffic_options, workload
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from chainopt.cli.traffic import Workload
    from chainopt.dispatch.operation import Operation
    from chainopt.model.solution import Solution
    from chainopt.simulation.records import Records

    ThresholdsAt = Callable[[float], NDArray[np.int64]]


CLOCK = 1e12
"""Service times that a run may last, and loads that it may have, for times to be right to some thousandths."""


@click.command()
@click.argument("instance", metavar="INSTANCE")
@click.argument("solution", metavar="SOLUTION")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="P",
    help="A dispatch policy, see `chainopt methods`; several, or all, for a table. [default: jffc]",
)
@traffic_options
@click.option(
    "--warm-up",
    type=click.FloatRange(0, 0.9),
    metavar="X",
    help="Share of the jobs, those that come first, that do not count. [default: 0.1; 0 of a trace]",
)
@click.option("--batches", type=click.IntRange(2, 1000), default=20, show_default=True, help="For the intervals.")
@click.option("--records", metavar="FILE", help="Write what became of each job, as CSV, or Parquet by its name.")
@click.option("--plot", metavar="FILE", help="Draw response time against load: .svg, .png or .pdf.")
@json_option
@output_option
@verbosity
def command(
    instance: str,
    solution: str,
    policies: tuple[str, ...],
    warm_up: float | None,
    batches: int,
    records: str | None,
    plot: str | None,
    as_json: bool,
    output: str | None,
    **options: Any,
) -> int:
    """Simulate SOLUTION: any dispatch policy, Poisson and bursty arrivals, traces, tokens.

    Figures after ± are half widths of 95 % confidence intervals; policies are compared on the same jobs.

    \b
    Examples:
      chainopt simulate x.json x.sol.json --jobs 1000000
      chainopt simulate x.json x.sol.json --policy all --arrivals hyperexponential:20
      chainopt simulate x.json x.sol.json --trace azure-code-2023 --records jobs.csv
    """
    from chainopt.cli.outcomes import outcomes_document, show_outcomes
    from chainopt.dispatch.comparison import compare, exact_mean_s
    from chainopt.dispatch.operation import Operation
    from chainopt.files import read_instance, read_solution
    from chainopt.files.text import write_text

    if [instance, solution, options["trace"]].count("-") > 1:
        raise click.UsageError("only one of INSTANCE, SOLUTION and --trace can be read from standard input")
    if warm_up is not None and math.isnan(warm_up):
        raise click.UsageError("--warm-up: expected a number from 0 to 0.9, got nan")
    names = _policies(policies)
    if records is not None and len(names) > 1:
        raise click.UsageError("--records takes the jobs of one --policy")
    if records == "-" and (as_json or output == "-"):
        raise click.UsageError("only one of --records and the JSON document can go to standard output")
    targets = [target for target in (records, plot, output) if target not in (None, "-")]
    if len(set(targets)) < len(targets):
        raise click.UsageError("--records, --plot and --output name the same file")
    if plot is not None:
        _check_plot(plot)
    problem = read_instance(instance)
    answer = valid_solution(problem, read_solution(solution), solution)
    work = workload(problem, options)
    operation = Operation(problem, answer.composition, work.pace, work.expected)
    announce_compilation()
    rates, capacities = operation.composition.service_rates, operation.composition.capacities
    _check_rate(work, float(operation.composition.service_times_s.min()), operation.composition.total_service_rate)
    thresholds_at = functools.partial(_thresholds, answer, solution, rates, capacities)
    needed = thresholds_at(work.traffic.arrivals.rate) if "thresholds" in names else None
    runs = {name: operation.run(name, work.traffic.jobs, needed) for name in names}
    exact_s = exact_mean_s(rates, capacities, work.traffic)
    with _each(records, work.traffic.jobs * len(runs)) as each:
        outcomes = compare(
            runs,
            work.traffic,
            exact_s,
            warm_up=warm_up if warm_up is not None else 0.0 if work.trace else 0.1,
            batches=batches,
            to_the_end=work.trace is not None,
            each=each,
        )
    document = outcomes_document(operation, work, outcomes, runs, exact_s, needed)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if plot is not None:
        _plot(operation, names, work, thresholds_at, plot)
    if output is not None:
        write_text(text, output)
    if as_json and output != "-":
        click.echo(text, nl=False)
    elif output != "-" and records != "-":
        show_outcomes(document)
    return 0


def _policies(asked: tuple[str, ...]) -> list[str]:
    """Names of the policies that are asked for, each once."""
    from chainopt.simulation import POLICIES
    from chainopt.simulation.routing import ROUTING

    known = [*POLICIES, *ROUTING]
    for name in asked:
        if name not in (*known, "all"):
            raise FormatError(f"expected one of {', '.join(known)}, all, got {name!r}", path="--policy")
    if "all" in asked:
        return known
    return list(dict.fromkeys(asked or ("jffc",)))


def _thresholds(
    solution: Solution, source: str, rates: NDArray[np.float64], capacities: NDArray[np.int64], arrival_rate: float
) -> NDArray[np.int64]:
    """Those of the solution, if it has any; else the recommended ones.

    Raises
    ------
    FormatError
        If those of the solution are none.
    """
    import numpy as np

    from chainopt.chains import checked_thresholds
    from chainopt.dispatch import thresholds
    from chainopt.errors import UnstableError
    from chainopt.files.text import source_name

    own = solution.parameters.get("thresholds")
    if own is not None:
        try:
            return checked_thresholds(own, rates, capacities)
        except (TypeError, ValueError) as error:
            raise FormatError(str(error), source=source_name(source), path="parameters.thresholds") from None
    try:
        return thresholds(rates, capacities, arrival_rate)
    except UnstableError:
        note("thresholds are all 1, as the load is not below 1")
        return np.ones(rates.size, dtype=np.int64)


def _check_rate(work: Workload, service_time_s: float, total_rate: float) -> None:
    """Refuse arrivals so far apart, or so close, that the clock, a float, cannot tell what happens when."""
    jobs, rate = work.traffic.jobs, work.traffic.arrivals.rate
    if not jobs <= CLOCK * service_time_s * rate:
        raise FormatError(
            f"{jobs} jobs at {rate:g} jobs/s last more than {CLOCK:g} service times of {service_time_s:g} s, too long "
            "for a clock of 16 digits",
            path="--arrival-rate",
        )
    if not rate <= CLOCK * total_rate:
        raise FormatError(
            f"{rate:g} jobs/s are more than {CLOCK:g} times the total service rate of {total_rate:g} jobs/s, too close "
            "for a clock of 16 digits",
            path="--arrival-rate",
        )


def _check_plot(target: str) -> None:
    """Refuse what cannot be drawn before anything is simulated."""
    from chainopt.report import load_curve

    load_curve.check_target(target)


@contextlib.contextmanager
def _each(records: str | None, jobs: int) -> Iterator[Callable[[Records], None]]:
    """What is done with every stretch of records: they are written, and progress is shown to who watches."""
    from rich.console import Console
    from rich.progress import Progress

    from chainopt.simulation.export import record_file

    with contextlib.ExitStack() as stack:
        write = stack.enter_context(record_file(records)) if records is not None else None
        hidden = level() < 0 or not sys.stderr.isatty()
        bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True, disable=hidden))
        task = bar.add_task("simulating", total=jobs)

        def each(stretch: Records) -> None:
            if write is not None:
                write(stretch)
            bar.advance(task, stretch.arrival.size)

        yield each


def _plot(operation: Operation, names: Sequence[str], work: Workload, thresholds_at: ThresholdsAt, target: str) -> None:
    """Simulate at many loads, and draw."""
    from chainopt.report import load_curve

    with _each(None, len(load_curve.LOADS) * len(names) * work.traffic.jobs) as each:
        curve = load_curve.simulated(operation, names, work.at, thresholds_at, each=each)
    load_curve.save(load_curve.plot_load_curve(curve), target)
