"""Outcomes of simulations, as a document and as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import known, level, number, share, show_table
from chainopt.cli.show import MOST_CHAINS
from chainopt.dispatch.comparison import doubts
from chainopt.simulation.routing import ROUTING
from chainopt.simulation.summary import QUANTILES, TIMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from chainopt.cli.traffic import Workload
    from chainopt.dispatch.comparison import Outcome
    from chainopt.dispatch.operation import Operation
    from chainopt.simulation.engine import Run
    from chainopt.simulation.summary import Measure


def outcomes_document(
    operation: Operation,
    work: Workload,
    outcomes: Sequence[Outcome],
    runs: Mapping[str, Run],
    exact_s: float | None,
    thresholds: NDArray[np.int64] | None,
) -> dict[str, Any]:
    """All that is known of the runs, for JSON."""
    total, rate = operation.composition.total_service_rate, work.traffic.arrivals.rate
    policies = []
    for outcome in outcomes:
        used = thresholds.tolist() if thresholds is not None and outcome.policy == "thresholds" else None
        reasons = [*doubts(outcome.summary, work.traffic, total), *outcome.reservations]
        policies.append(_policy(operation, outcome, runs[outcome.policy], {"thresholds": used, "doubts": reasons}))
    return {
        "instance": operation.instance.name,
        "traffic": work.description,
        "arrival_rate": rate,
        "total_service_rate": total,
        "load": rate / total,
        "jobs": work.traffic.jobs,
        "seed": work.traffic.seed,
        "exact_mean_response_time_s": exact_s,
        "policies": policies,
    }


def _policy(operation: Operation, outcome: Outcome, run: Run, extra: dict[str, Any]) -> dict[str, Any]:
    summary, difference = outcome.summary, outcome.difference
    used = operation.slots_in_use(run, summary).tolist()
    return {
        "policy": outcome.policy,
        **extra,
        "counted_jobs": summary.jobs,
        "duration_s": summary.duration_s,
        "mean_response_time_s": known(outcome.mean.mean),
        "half_width_s": known(outcome.mean.half_width),
        "difference_to_jffc_s": None if difference is None else known(difference.mean),
        "difference_half_width_s": None if difference is None else known(difference.half_width),
        **{name: _times(getattr(summary, name)) for name in TIMES},
        "waiting_share": known(summary.waited),
        "mean_jobs_waiting": known(summary.mean_queue),
        "mean_jobs": known(summary.mean_jobs),
        "chains": _chains(operation, outcome, run),
        "servers": [
            {"server": server.id, "cache_in_use": use}
            for server, use in zip(operation.instance.servers, used, strict=True)
            if not math.isnan(use)
        ],
    }


def _times(measure: Measure) -> dict[str, Any]:
    estimate = measure.interval()
    quantiles = {f"{q:g}": measure.quantile_interval(q) for q in QUANTILES}
    return {
        "mean_s": known(estimate.mean),
        "half_width_s": known(estimate.half_width),
        "quantiles_s": {q: known(found.mean) for q, found in quantiles.items()},
        "quantile_half_widths_s": {q: known(found.half_width) for q, found in quantiles.items()},
        "least_s": known(measure.least),
        "most_s": known(measure.most),
    }


def _chains(operation: Operation, outcome: Outcome, run: Run) -> list[dict[str, Any]]:
    """Chains of the composition, or routes, which have no capacity of their own."""
    summary, servers = outcome.summary, operation.instance.servers
    capacities = None if outcome.policy in ROUTING else operation.composition.capacities.tolist()
    chains = []
    for k, (hops, blocks) in enumerate(operation.ways(run)):
        served, busy_s = (float(of[k]) if k < of.size else 0.0 for of in (summary.shares, summary.busy_s))
        jobs = busy_s / summary.duration_s if summary.duration_s > 0 else math.nan
        chains.append(
            {
                "servers": [servers[j].id for j in hops],
                "blocks": list(blocks),
                "capacity": None if capacities is None else capacities[k],
                "share_of_jobs": served,
                "mean_jobs": known(jobs),
                "utilisation": None if capacities is None else known(jobs / capacities[k]),
            }
        )
    return chains


def show_outcomes(document: dict[str, Any]) -> None:
    """A policy in full, or several side by side."""
    policies = document["policies"]
    title = f"{document['instance']}: {document['jobs']} jobs at {document['arrival_rate']:.4g} jobs/s"
    if len(policies) == 1:
        _show_one(document, policies[0], title)
    else:
        _show_several(document, policies, title)
    reasons: dict[str, list[str]] = {}
    for policy in policies:
        for reason in policy["doubts"]:
            reasons.setdefault(reason.partition(":")[0], [reason]).append(policy["policy"])
    for text, *names in reasons.values():
        click.echo(f"! {text}" if len(names) == len(policies) else f"! {', '.join(names)}: {text}")


def _show_one(document: dict[str, Any], policy: dict[str, Any], title: str) -> None:
    response = policy["response"]
    rows = [
        ("mean response time", _spread(policy["mean_response_time_s"], policy["half_width_s"])),
        ("  service", _spread(policy["service"]["mean_s"], policy["service"]["half_width_s"])),
        ("  waiting", _spread(policy["waiting"]["mean_s"], policy["waiting"]["half_width_s"])),
        *(
            (f"{100 * float(q):g} % within", _spread(value, response["quantile_half_widths_s"][q]))
            for q, value in response["quantiles_s"].items()
        ),
        ("jobs that wait", share(policy["waiting_share"])),
        ("jobs in the system", number(policy["mean_jobs"])),
        ("  waiting", number(policy["mean_jobs_waiting"])),
        ("load", number(document["load"])),
        ("traffic", document["traffic"]),
    ]
    if document["exact_mean_response_time_s"] is not None:
        name = "exact" if policy["policy"] == "jffc" else "exact, of JFFC"
        rows.insert(1, (name, f"{number(document['exact_mean_response_time_s'])} s"))
    if policy["thresholds"] is not None:
        rows.append(("thresholds", " ".join(map(str, policy["thresholds"]))))
    show_table(("", ""), rows, f"{title}, {policy['policy']}")
    click.echo()
    chains = policy["chains"]
    most = MOST_CHAINS if level() < 1 else len(chains)
    numbered = sorted(enumerate(chains), key=lambda entry: -entry[1]["share_of_jobs"])
    if policy["policy"] not in ROUTING:
        numbered.sort(key=lambda entry: entry[0])
    show_table(
        [">chain", ">capacity", ">jobs", ">busy", "servers (blocks)"],
        [
            [
                str(k),
                number(chain["capacity"]),
                share(chain["share_of_jobs"]),
                share(chain["utilisation"]),
                " > ".join(f"{server} ({n})" for server, n in zip(chain["servers"], chain["blocks"], strict=True)),
            ]
            for k, chain in numbered[:most]
        ],
    )
    if len(chains) > most:
        click.echo(f"... and {len(chains) - most} more; -v shows all")
    if level() >= 1:
        click.echo()
        rows = [(entry["server"], share(entry["cache_in_use"])) for entry in policy["servers"]]
        show_table(["server", ">cache in use"], rows)


def _show_several(document: dict[str, Any], policies: list[dict[str, Any]], title: str) -> None:
    columns = ["policy", ">mean s", ">±", ">vs jffc s", ">±", ">wait s", ">wait", ">50 % s", ">95 % s", ">99 % s"]
    rows = [
        [
            policy["policy"],
            number(policy["mean_response_time_s"]),
            number(policy["half_width_s"], 2),
            number(policy["difference_to_jffc_s"], 3),
            number(policy["difference_half_width_s"], 2),
            number(policy["waiting"]["mean_s"]),
            share(policy["waiting_share"]),
            *(number(policy["response"]["quantiles_s"][q]) for q in ("0.5", "0.95", "0.99")),
        ]
        for policy in policies
    ]
    show_table(columns, rows, f"{title}, load {document['load']:.3g}, {document['traffic']}")
    if document["exact_mean_response_time_s"] is not None:
        click.echo(f"exact mean of JFFC: {number(document['exact_mean_response_time_s'])} s")


def _spread(value: float | None, half_width: float | None) -> str:
    return f"{number(value)} s" + (f" ± {number(half_width, 2)}" if half_width is not None else "")
