"""``chainopt size``: how much traffic servers carry, or how few servers carry the traffic."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import (
    PositiveNumber,
    announce_compilation,
    json_option,
    known,
    number,
    output_option,
    share,
    show_table,
    verbosity,
)
from chainopt.errors import FormatError

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.sizing import LargestRate, LeastServers, Target


@click.command()
@click.argument("instance", metavar="INSTANCE")
@click.option("--response-time", type=PositiveNumber(), metavar="T", help="Not to be exceeded, seconds.")
@click.option(
    "--percentile",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    metavar="P",
    help="That --response-time is of. [default: the mean]",
)
@click.option(
    "--arrival-rate", type=PositiveNumber(), metavar="R", help="Jobs per second; then servers are looked for."
)
@click.option(
    "--cheapest", is_flag=True, help="Servers of least price, the tag price_per_hour, rather than the fewest."
)
@click.option("--time-limit", type=PositiveNumber(), metavar="S", help="Seconds. [default: 20]")
@click.option("--iterations", type=click.IntRange(0, 10**15), metavar="N", help="Of each search, instead of a time.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the search.")
@click.option(
    "--save-instance", metavar="FILE", help="Write the instance that the solution is for; - is standard output."
)
@json_option
@output_option
@verbosity
def command(
    instance: str,
    response_time: float | None,
    percentile: float | None,
    arrival_rate: float | None,
    cheapest: bool,
    save_instance: str | None,
    output: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Size a cluster: the largest arrival rate for a response time, or the least servers for an arrival rate.

    With --response-time alone, the largest arrival rate at which the mean (or --percentile) is within it. With
    --arrival-rate, the fewest of the servers, or the --cheapest, that serve it: within --response-time if that is given
    too, else with a total service rate for the instance's target load. What is found comes with its composition, and
    with a proven bound on what any placement, allocation and dispatch policy can do.

    \b
    Examples:
      chainopt size x.json --response-time 15
      chainopt size x.json --response-time 40 --percentile 95
      chainopt size x.json --arrival-rate 0.5 --response-time 15 --save-instance small.json -o small.sol.json
    """
    from chainopt.files import read_instance, write_instance, write_solution
    from chainopt.sizing import Target, largest_rate, least_servers

    if response_time is None and arrival_rate is None:
        raise click.UsageError("give --response-time, --arrival-rate, or both")
    if percentile is not None and response_time is None:
        raise click.UsageError("--percentile is of --response-time")
    if cheapest and arrival_rate is None:
        raise click.UsageError("--cheapest needs --arrival-rate")
    if output == "-" and save_instance == "-":
        raise click.UsageError("-o and --save-instance cannot both be standard output")
    offered = read_instance(instance)
    target = None if response_time is None else Target(response_time, None if percentile is None else percentile / 100)
    costs = _prices(offered, instance) if cheapest else None
    announce_compilation()
    limits = {
        "time_limit_s": options["time_limit"],
        "iterations": options["iterations"],
        "seed": options["seed"],
    }
    found: LargestRate | LeastServers
    if arrival_rate is None:
        assert target is not None
        found = largest_rate(offered, target, **limits)
        document = _rate_document(found, target)
    else:
        offered = _with_rate(offered, arrival_rate)
        found = least_servers(offered, target, costs, **limits)
        document = _servers_document(found, offered, target, priced=cheapest)
    if found.solution is not None:
        if save_instance is not None:
            write_instance(found.instance, save_instance)
        if output is not None:
            write_solution(found.solution, output)
    if as_json and "-" not in (output, save_instance):
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif "-" not in (output, save_instance):
        _show(found, document, target)
    return 0 if found.solution is not None else 1


def _with_rate(instance: Instance, arrival_rate: float) -> Instance:
    from pydantic import ValidationError

    try:
        workload = instance.workload.replace(arrival_rate=Decimal(str(arrival_rate)))
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(message, param_hint="--arrival-rate") from None
    return instance.replace(workload=workload)


def _prices(instance: Instance, source: str) -> list[float]:
    """The price of each server."""
    prices = []
    for j, server in enumerate(instance.servers):
        price = server.tags.get("price_per_hour")
        if not isinstance(price, int | float | Decimal) or isinstance(price, bool) or not 0 <= price < math.inf:
            message = f"--cheapest needs the tag price_per_hour of every server, a number from 0, not at {server.id!r}"
            raise FormatError(message, source=source, path=f"servers[{j}].tags")
        prices.append(float(price))
    return prices


def _asked(target: Target | None) -> dict[str, Any]:
    return {
        "response_time_s": None if target is None else target.response_time_s,
        "percentile": None if target is None or target.probability is None else 100 * target.probability,
    }


def _rate_document(found: LargestRate, target: Target) -> dict[str, Any]:
    rate = None if found.solution is None else float(found.instance.workload.arrival_rate)
    return {
        "instance": found.instance.name,
        "target": _asked(target),
        "arrival_rate": rate,
        "arrival_rate_bound": found.bound,
        "gap": None if rate is None else 1 - rate / found.bound,
        "value_s": found.value_s,
        "servers": _ids(found),
    }


def _servers_document(found: LeastServers, offered: Instance, target: Target | None, *, priced: bool) -> dict[str, Any]:
    return {
        "instance": offered.name,
        "target": _asked(target),
        "arrival_rate": float(offered.workload.arrival_rate),
        "offered": len(offered.servers),
        "servers": _ids(found),
        "price_per_hour" if priced else "servers_needed": known(found.cost),
        "bound": known(found.bound),
        "optimal": found.optimal,
        "impossible": math.isinf(found.bound),
        "value_s": found.value_s,
    }


def _ids(found: LargestRate | LeastServers) -> list[str] | None:
    return None if found.solution is None else [entry.server for entry in found.solution.placement]


def _show(found: LargestRate | LeastServers, document: dict[str, Any], target: Target | None) -> None:
    from chainopt.cli.show import show_solution

    name = "total service rate" if target is None else "mean" if target.probability is None else "percentile"
    asked = [] if target is None else [(f"{name} asked for", f"{number(target.response_time_s)} s")]
    reached = [] if found.value_s is None else [(f"{name} reached", f"{number(found.value_s)} s")]
    if "arrival_rate_bound" in document:
        rows = [
            *asked,
            ("largest arrival rate", f"{number(document['arrival_rate'], 6)} jobs/s"),
            ("no rate above", f"{number(document['arrival_rate_bound'], 6)} jobs/s"),
            ("gap", share(document["gap"])),
            *reached,
        ]
    else:
        what = "price an hour" if "price_per_hour" in document else "servers"
        value = document.get("price_per_hour", document.get("servers_needed"))
        rows = [
            *asked,
            ("arrival rate", f"{number(document['arrival_rate'], 6)} jobs/s"),
            (
                f"least {what} found",
                f"{number(value)} of {document['offered']}" if what == "servers" else number(value),
            ),
            ("at least", "proven impossible" if document["impossible"] else number(document["bound"])),
            ("proven least", "yes" if document["optimal"] else "no"),
            *reached,
        ]
    show_table(("", ""), [row for row in rows if not row[1].startswith("- ")], document["instance"])
    if found.solution is None:
        click.echo("no composition was found that does what is asked")
        return
    click.echo()
    show_solution(found.instance, found.solution)
