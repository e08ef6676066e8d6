"""Options that say what comes, and the traffic that they ask for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from chainopt.cli.common import PositiveNumber, note
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainopt.model.instance import Instance
    from chainopt.simulation.experiment import Traffic
    from chainopt.simulation.pace import Pace
    from chainopt.simulation.traces import Trace

F = TypeVar("F", bound="Callable[..., Any]")

BUNDLED = "azure-code-2023"
"""Name of the trace that comes with the package."""

DEFAULT_JOBS = 200_000


@dataclass(frozen=True, eq=False)
class Workload:
    """What is simulated, and how it is summed up.

    Attributes
    ----------
    traffic
        What comes.
    pace
        How long it takes.
    expected
        Demands of the mean job, for policies that route, None where a job has one demand.
    description
        Of arrivals and sizes, in words.
    trace
        Where they come from, None if they are drawn.
    """

    traffic: Traffic
    pace: Pace
    expected: tuple[float, ...] | None
    description: str
    trace: Trace | None

    def at(self, arrival_rate: float) -> Traffic:
        """The same at another rate."""
        arrivals = self.traffic.arrivals.at(arrival_rate)
        return replace(self.traffic, arrivals=arrivals)


def traffic_options(command: F) -> F:
    """Add the options; the command takes them as `**options` and hands them to `workload`."""
    options = (
        click.option("--jobs", type=click.IntRange(1, 10**10), metavar="N", help="[default: 200000; all of a trace]"),
        click.option(
            "--arrival-rate",
            type=PositiveNumber(),
            metavar="R",
            help="Jobs per second; a trace is stretched to it. [default: the instance's; the trace's own]",
        ),
        click.option(
            "--arrivals",
            metavar="LAW",
            help="poisson, deterministic, hyperexponential:SCV, mmpp:RATIO:SHARE:BURST_S. [default: poisson]",
        ),
        click.option(
            "--sizes",
            metavar="LAW",
            help="exponential, deterministic, lognormal:SCV. [default: exponential; the tokens of a trace]",
        ),
        click.option("--trace", metavar="CSV", help=f"Requests of a file, or {BUNDLED}, which comes along."),
        click.option("--trace-format", metavar="F", help="azure, vidur or splitwise. [default: by the columns]"),
        click.option("--first", type=click.IntRange(1), metavar="N", help="The first requests of the trace."),
        click.option(
            "--between", type=float, nargs=2, metavar="A B", help="Requests from second A on and before second B."
        ),
        click.option(
            "--mean-tokens",
            metavar="IN:OUT",
            help="Tokens of the job that the instance's times are of. [default: the trace's means, rounded]",
        ),
        click.option(
            "--prefill-share",
            type=float,
            metavar="X",
            help="Share of the computation that goes with the prompt. [default: by the catalogue]",
        ),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def workload(instance: Instance, options: dict[str, Any]) -> Workload:
    """What the options ask for.

    Raises
    ------
    click.UsageError
        If options do not go together.
    FormatError
        If one of them makes no sense, or the trace is not one.
    """
    if options["trace"] is None:
        for name in ("trace_format", "first", "between", "mean_tokens", "prefill_share"):
            if options[name] is not None:
                raise click.UsageError(f"--{name.replace('_', '-')} needs --trace")
        return _drawn(instance, options)
    if options["arrivals"] is not None:
        raise click.UsageError("--arrivals and --trace exclude each other")
    whole = _trace(options)
    return _recorded(instance, _part(whole, options), _mean_tokens(whole, options), options)


def _drawn(instance: Instance, options: dict[str, Any]) -> Workload:
    from chainopt.simulation.arrivals import parse_arrivals
    from chainopt.simulation.experiment import Traffic
    from chainopt.simulation.pace import pace_by_size
    from chainopt.simulation.sizes import parse_sizes

    arrivals, sizes = options["arrivals"] or "poisson", options["sizes"] or "exponential"
    rate = options["arrival_rate"] or float(instance.workload.arrival_rate)
    traffic = Traffic(
        parse_arrivals(arrivals, rate), parse_sizes(sizes), options["jobs"] or DEFAULT_JOBS, options["seed"]
    )
    return Workload(traffic, pace_by_size(instance), None, f"{arrivals} arrivals, {sizes} sizes", None)


def _trace(options: dict[str, Any]) -> Trace:
    from chainopt.simulation.traces import azure_code_trace, read_trace

    name = options["trace"]
    bundled = name == BUNDLED and not Path(name).exists()
    return azure_code_trace() if bundled else read_trace(name, options["trace_format"])


def _part(trace: Trace, options: dict[str, Any]) -> Trace:
    if options["between"] is not None:
        if any(map(math.isnan, options["between"])):
            raise FormatError("expected two numbers of seconds, got nan", path="--between")
        trace = trace.between(*options["between"])
    if options["first"] is not None:
        trace = trace.first(options["first"])
    if options["jobs"] is not None:
        if options["jobs"] > trace.requests:
            note(f"the trace has {trace.requests} requests, fewer than --jobs asks for")
        trace = trace.first(min(options["jobs"], trace.requests))
    return trace if options["arrival_rate"] is None else trace.scaled(options["arrival_rate"])


def _mean_tokens(whole: Trace, options: dict[str, Any]) -> tuple[int, int]:
    """Tokens of the job that the instance's times are of: if none is given, the mean one of the whole trace."""
    text = options["mean_tokens"] or f"{round(whole.mean_tokens_in)}:{max(1, round(whole.mean_tokens_out))}"
    parts = text.split(":")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and 0 < int(part) <= 10**9 for part in parts):
        raise FormatError(f"expected two whole numbers from 1, such as 2048:28, got {text!r}", path="--mean-tokens")
    return int(parts[0]), int(parts[1])


def _recorded(instance: Instance, trace: Trace, mean_tokens: tuple[int, int], options: dict[str, Any]) -> Workload:
    from chainopt.catalog.times import PAPER_OVERHEAD_S
    from chainopt.simulation.arrivals import Recorded
    from chainopt.simulation.experiment import Traffic
    from chainopt.simulation.pace import pace_by_size
    from chainopt.simulation.sizes import TokenSizes, parse_sizes
    from chainopt.simulation.tokens import token_pace

    arrivals, seed = Recorded(trace.arrival_s), options["seed"]
    if options["sizes"] is not None:
        traffic = Traffic(arrivals, parse_sizes(options["sizes"]), trace.requests, seed)
        description = f"arrivals of {trace.source}, {options['sizes']} sizes"
        return Workload(traffic, pace_by_size(instance), None, description, trace)
    tokens_in, tokens_out = mean_tokens
    traffic = Traffic(arrivals, TokenSizes(trace.tokens_in, trace.tokens_out), trace.requests, seed)
    least = min(float(server.comp_s_per_block) for server in instance.servers)
    pace = token_pace(
        instance,
        tokens_in,
        tokens_out,
        prefill_share=options["prefill_share"],
        overhead_s=min(PAPER_OVERHEAD_S, least),
    )
    description = f"requests of {trace.source}; the instance's times are of {tokens_in} tokens in and {tokens_out} out"
    return Workload(traffic, pace, (1.0, float(tokens_in), float(tokens_out - 1)), description, trace)
