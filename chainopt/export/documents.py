"""The files that every engine gets: the plan, the chains for a dispatcher, and what to do with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chainopt.export.folder import FORMAT, MARK
from chainopt.export.plan import Sharing
from chainopt.export.scripts import command
from chainopt.files import digest, instance_text, solution_text
from chainopt.model.record import shown
from chainopt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chainopt.export.deployment import Deployment
    from chainopt.export.options import Options
    from chainopt.export.plan import Plan

CHAINS_FORMAT = "chainopt-chains/1"


def json_text(document: dict[str, Any]) -> str:
    """A document as JSON, which is YAML too."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def all_notes(deployment: Deployment) -> list[str]:
    """What a reader should know: of the plan, of what became of it, of the engine."""
    plan = deployment.plan
    lowered = []
    if plan.asked_jobs is not None:
        change = f"{plan.asked_jobs} to {plan.job_servers} jobs at once"
        lowered = [f"Capacities were lowered to what the engine can run: {change}."]
    return [*plan.notes, *lowered, *deployment.notes]


def plan_document(plan: Plan, deployment: Deployment, options: Options, engine: str, version: str) -> dict[str, Any]:
    """Everything that was decided, in one place; only the list of files is still empty."""
    evaluation = plan.solution.evaluation
    return {
        "format": FORMAT,
        "chainopt": __version__,
        "engine": {"name": engine, "version": version},
        "instance": {"name": plan.instance.name, "sha256": digest(plan.instance)},
        "model": options.model,
        "tokens_per_job": options.tokens,
        "blocks": plan.instance.service.blocks,
        "sharing": plan.sharing.value,
        "servers": _servers(plan),
        "chains": chains_document(plan, deployment)["chains"],
        "evaluation": None if evaluation is None else evaluation.model_dump(),
        "processes": [
            {
                "name": process.name,
                "server": plan.instance.servers[process.server].id,
                "task": process.task,
                "command": command(process),
            }
            for process in deployment.processes
        ],
        "notes": all_notes(deployment),
        "files": [],
    }


def _servers(plan: Plan) -> list[dict[str, Any]]:
    """What each server holds; once for each chain where chains have their own copies."""
    ids = [server.id for server in plan.instance.servers]
    if plan.sharing is Sharing.SPLIT:
        return [
            {"id": ids[hop.server], "start": hop.start, "stop": hop.stop, "chain": chain.name}
            for chain in plan.chains
            for hop in chain.hops
        ]
    return [{"id": ids[j], "start": start, "stop": stop} for j, (start, stop) in plan.hosted.items()]


def chains_document(plan: Plan, deployment: Deployment) -> dict[str, Any]:
    """What a dispatcher has to know: fastest chain first, as JFFC takes them."""
    ordered = sorted(plan.chains, key=lambda chain: chain.service_time_s)
    return {
        "format": CHAINS_FORMAT,
        "policy": "jffc",
        "chains": [
            {
                "id": chain.name,
                "servers": [{"id": plan.server(hop).id, "start": hop.start, "stop": hop.stop} for hop in chain.hops],
                "capacity": chain.capacity,
                "rate": chain.service_rate,
                "service_time_s": chain.service_time_s,
                "endpoint": deployment.endpoints.get(chain.name),
            }
            for chain in ordered
        ],
    }


def readme(plan: Plan, deployment: Deployment, options: Options, engine: str, version: str, *, scripts: bool) -> str:
    """What is in the folder, and how to start it; names stand in code blocks, where they mean nothing."""
    lines = [
        f"# {engine}",
        "",
        f"Written by chainopt {__version__} for {version}.",
        f"{len(plan.chains)} chains, {plan.job_servers} jobs at once"
        + ("." if options.tokens is None else f", {options.tokens} tokens a job at most."),
        "",
        "| file | what it is |",
        "|---|---|",
        "| `plan.json` | all that was decided, and the commands |",
        "| `chains.json` | for a dispatcher: servers, capacity, rate and endpoint of each chain, the fastest first |",
        "| `instance.json`, `solution.sol.json` | for `chainopt check` and the other commands |"
        if plan.sharing is not Sharing.SPLIT
        else "| `instance.json` | the problem that was solved |",
        *(f"| `{path}` | see below |" for path in deployment.files),
    ]
    if scripts:
        lines += ["| `scripts/` | one script for each process; arguments given to it are passed on |"]
    lines += _paragraphs("Before you start", all_notes(deployment))
    if scripts:
        lines += ["", "## Processes", "", "Start them in this order, each on its server.", "", "```text"]
        for process in deployment.processes:
            lines.append(
                f"scripts/{process.name}.sh  on {shown(plan.instance.servers[process.server].id)}: {process.task}"
            )
        lines.append("```")
    lines += ["", "## Chains", "", "```text"]
    for chain in plan.chains:
        hops = " > ".join(f"{shown(plan.server(hop).id)} {hop.start}:{hop.stop}" for hop in chain.hops)
        endpoint = deployment.endpoints.get(chain.name)
        where = "" if endpoint is None else f", {endpoint}"
        lines.append(f"{chain.name}: {chain.capacity} jobs at once, {chain.service_time_s:.6g} s{where}: {hops}")
    lines += ["```", "", _dispatch(), *_response(plan)]
    return "\n".join(lines) + "\n"


def _paragraphs(title: str, texts: list[str]) -> list[str]:
    """Notes as a code block: they hold names from files."""
    return ["", f"## {title}", "", "```text", *(f"- {text}" for text in texts), "```"] if texts else []


def _dispatch() -> str:
    return (
        "A dispatcher in front sends each request to the fastest chain that runs fewer jobs than its capacity, and "
        "keeps the others waiting in one queue (JFFC). What the engine enforces by itself is said above."
    )


def _response(plan: Plan) -> list[str]:
    evaluation = plan.solution.evaluation
    if evaluation is None or evaluation.mean_response_time_s is None:
        return []
    rate = plan.instance.workload.arrival_rate
    return [
        "",
        f"Expected at {rate} jobs/s: mean response time {evaluation.mean_response_time_s:.4g} s, "
        f"of which {evaluation.mean_waiting_time_s:.4g} s waiting; load {evaluation.load:.3g}.",
    ]


def common_files(
    deployment: Deployment, options: Options, engine: str, version: str, scripts: Mapping[str, str]
) -> dict[str, str]:
    """The texts by path, and those of the scripts and of the engine's own files; the plan lists them all."""
    plan = deployment.plan
    files = {
        "chains.json": json_text(chains_document(plan, deployment)),
        "README.md": readme(plan, deployment, options, engine, version, scripts=bool(scripts)),
        "instance.json": instance_text(plan.instance),
    }
    if plan.sharing is not Sharing.SPLIT:
        files["solution.sol.json"] = solution_text(plan.solution)
    files = {**files, **scripts, **deployment.files}
    document = plan_document(plan, deployment, options, engine, version)
    return {MARK: json_text({**document, "files": sorted([MARK, *files])}), **files}
