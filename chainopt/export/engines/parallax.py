"""Parallax: each chain is a cluster of its own without a scheduler, one node a server, and an HTTP endpoint."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.errors import FormatError
from chainopt.export.deployment import Deployment, Process, Variable, joined
from chainopt.export.engines.stages import check_stages, refuse_what_pipelines_cannot, stage_names
from chainopt.export.facts import model_notes
from chainopt.export.memory import CacheRule, fitted
from chainopt.model.record import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.export.deployment import Addresses, Argument
    from chainopt.export.options import Options
    from chainopt.export.plan import Hop, Plan, PlannedChain

VERSION = "Parallax at commit 0332aeb (--max-batch-size, which others call --max-concurrent-requests)"

RULE = CacheRule(page=64)
"""--kv-block-size."""

DTYPES = ("float16", "bfloat16", "float32")
LAUNCH = Variable("PARALLAX_LAUNCH", "the path of src/parallax/launch.py")


def exact_route(nodes: Sequence[tuple[int, int]], blocks: int) -> list[tuple[int, int]]:
    """The pipeline that nodes make: each starts exactly where another ends (scheduling without overlaps).

    Raises
    ------
    ValueError
        If they make none, or not all of them are on it.
    """
    route, block = [], 0
    for start, stop in sorted(nodes):
        if start != block:
            raise ValueError(f"no node starts at block {block}")
        route.append((start, stop))
        block = stop
    if block != blocks:
        raise ValueError(f"no node goes on from block {block} of {blocks}")
    return route


def parallax(plan: Plan, options: Options, addresses: Addresses) -> Deployment:
    """One node for each chain and server; chains are kept apart by the prefix of their DHT keys.

    With a scheduler, Parallax places layers and routes requests itself; without one, it runs what it is told.
    """
    refuse_what_pipelines_cannot(plan, "Parallax")
    if options.quant is not None:
        raise FormatError("Parallax takes weights as they are stored", path="--quant")
    dtype = options.dtype or "bfloat16"
    if dtype not in DTYPES:
        raise FormatError(f"expected one of {', '.join(DTYPES)}, got {shown(dtype)}", path="--dtype")
    model, tokens = options.needed_model(), options.needed_tokens()
    notes = model_notes(plan, options, ends_on_servers=True)
    plan = fitted(plan, options, RULE)
    names = stage_names(plan, addresses)
    processes, endpoints = [], {}
    for chain in plan.chains:
        ranges = [(hop.start, hop.stop) for hop in chain.hops]
        check_stages(chain, exact_route(ranges, plan.instance.service.blocks), "Parallax")
        head = addresses.address(chain.hops[0].server, names[chain.name, 0])
        for r, hop in enumerate(chain.hops):
            port, peer = addresses.port(), addresses.port()
            if r == 0:
                endpoints[chain.name] = f"http://{joined(head, port)}"
            argv = ["--model-path", model, "--host", "0.0.0.0", "--port", str(port)]
            argv += ["--tcp-port", str(peer), "--udp-port", str(peer), "--dht-prefix", f"chainopt-{chain.name}"]
            argv += ["--start-layer", str(hop.start), "--end-layer", str(hop.stop)]
            argv += ["--max-batch-size", str(chain.capacity), "--max-sequence-length", str(tokens)]
            argv += ["--kv-block-size", str(RULE.page)]
            argv += ["--kv-cache-memory-fraction", f"{cache_share(plan, chain, hop, tokens):g}", "--dtype", dtype]
            task = f"{chain.name}, node {r} of {len(chain.hops)}, blocks {hop.start}:{hop.stop}"
            command: tuple[Argument, ...] = ("python", LAUNCH, *argv)
            environment = addresses.environment(hop.server)
            processes.append(Process(names[chain.name, r], hop.server, task, command, (port, peer), environment))
    return Deployment(plan, tuple(processes), endpoints, {}, (*notes, *NOTES))


def cache_share(plan: Plan, chain: PlannedChain, hop: Hop, tokens: int) -> float:
    """Share of the memory beside the blocks that the cache of a node takes, in hundredths, rounded up."""
    service, server = plan.instance.service, plan.server(hop)
    slots = Fraction(RULE.all_pages(tokens, chain.capacity) * RULE.page, tokens)
    beside = Fraction(server.memory_gb) - hop.blocks * Fraction(service.block_gb)
    return math.ceil(100 * hop.blocks * Fraction(service.cache_gb) * slots / beside) / 100


NOTES = (
    "Set PARALLAX_LAUNCH to the path of src/parallax/launch.py on each server.",
    "No scheduler is started: with one, Parallax places layers itself. Nodes of a chain find each other in the local "
    "network; elsewhere give each script --initial-peers or --relay-servers.",
    "--max-batch-size limits what a node runs at once; let a dispatcher hold back requests beyond the capacity.",
    "Parallax sizes its cache as a share of the memory that is free after loading, so activations count against it.",
)
