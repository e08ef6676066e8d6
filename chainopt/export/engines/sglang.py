"""SGLang: each chain is a server with pipeline parallelism, one process a server, and an HTTP endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.export.deployment import Deployment, Process, joined
from chainopt.export.engines.partition import given_stages
from chainopt.export.engines.stages import (
    check_stages,
    memory_shares,
    partition_of,
    refuse_what_pipelines_cannot,
    stage_names,
)
from chainopt.export.facts import model_notes
from chainopt.export.memory import CacheRule, fitted

if TYPE_CHECKING:
    from chainopt.export.deployment import Addresses
    from chainopt.export.options import Options
    from chainopt.export.plan import Plan

VERSION = "SGLang 0.5"

RULE = CacheRule(page=1, unused_pages=1)
"""Pages of one token; the pool has one page more, where padding is written (sglang/srt/mem_cache/memory_pool.py)."""


def micro_batch(capacity: int, stages: int) -> int:
    """Jobs of a micro batch, of which as many run as there are stages: enough for the capacity.

    By default SGLang takes max(floor(capacity / stages), 1), which runs fewer jobs than the capacity where the stages
    do not divide it (sglang/srt/managers/scheduler.py).
    """
    return -(-capacity // stages)


def sglang(plan: Plan, options: Options, addresses: Addresses) -> Deployment:
    """One process for each chain and server; node r of a chain is its r-th server, and its r-th stage."""
    refuse_what_pipelines_cannot(plan, "SGLang")
    model, tokens = options.needed_model(), options.needed_tokens()
    notes = model_notes(plan, options, ends_on_servers=True)
    plan = fitted(plan, options, RULE, options.memory_share)
    shares = memory_shares(plan, tokens, RULE, options.memory_share)
    names = stage_names(plan, addresses)
    processes, endpoints = [], {}
    for chain in plan.chains:
        stages, partition = len(chain.hops), partition_of(chain)
        check_stages(chain, given_stages(partition, stages, plan.instance.service.blocks), "SGLang")
        port, meeting = addresses.port(), addresses.port()
        head = addresses.address(chain.hops[0].server, names[chain.name, 0])
        endpoints[chain.name] = f"http://{joined(head, port)}"
        for r, hop in enumerate(chain.hops):
            argv = ["python", "-m", "sglang.launch_server", "--model-path", model]
            argv += ["--pp-size", str(stages), "--tp-size", "1"]
            argv += ["--max-running-requests", str(chain.capacity)]
            argv += ["--pp-max-micro-batch-size", str(micro_batch(chain.capacity, stages))]
            argv += ["--max-total-tokens", str(chain.capacity * tokens), "--context-length", str(tokens)]
            argv += ["--page-size", str(RULE.page), "--mem-fraction-static", f"{shares[chain.name, r]:g}"]
            argv += [] if options.dtype is None else ["--dtype", options.dtype]
            argv += [] if options.quant is None else ["--quantization", options.quant]
            argv += ["--host", "0.0.0.0", "--port", str(port)]
            if stages > 1:
                argv += ["--nnodes", str(stages), "--node-rank", str(r), "--dist-init-addr", joined(head, meeting)]
            env = {"SGLANG_PP_LAYER_PARTITION": partition, **addresses.environment(hop.server)}
            task = f"{chain.name}, stage {r} of {stages}, blocks {hop.start}:{hop.stop}"
            ports = (port, meeting) if r == 0 else ()
            processes.append(Process(names[chain.name, r], hop.server, task, tuple(argv), ports, env))
    return Deployment(plan, tuple(processes), endpoints, {}, (*notes, *NOTES))


NOTES = (
    "SGLang enforces the capacity of a chain by itself (--max-running-requests); requests beyond it wait in its queue, "
    "so let a dispatcher hold them back.",
    "memory_gb is taken for all the memory of a device: --mem-fraction-static is a share of that.",
    "The model has to support pipeline parallelism in SGLang.",
)
