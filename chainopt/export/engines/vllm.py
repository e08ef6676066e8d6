"""vLLM: each chain is an engine with pipeline parallelism, one process a server, and an HTTP endpoint."""

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

VERSION = "vLLM 0.12 and later (V1 engine; several nodes without Ray)"

RULE = CacheRule(page=16, unused_pages=1)
"""Blocks of 16 tokens; the first of each stage stands for no block (vllm/v1/core/block_pool.py, null_block)."""


def vllm(plan: Plan, options: Options, addresses: Addresses) -> Deployment:
    """One process for each chain and server; rank r of a chain is its r-th server.

    All stages get the same number of KV blocks, as vLLM takes the least that a stage has room for anyway.
    """
    refuse_what_pipelines_cannot(plan, "vLLM")
    model, tokens = options.needed_model(), options.needed_tokens()
    notes = model_notes(plan, options, ends_on_servers=True)
    plan = fitted(plan, options, RULE, options.memory_share)
    shares = memory_shares(plan, tokens, RULE, options.memory_share)
    names = stage_names(plan, addresses)
    processes, endpoints = [], {}
    for chain in plan.chains:
        stages, partition = len(chain.hops), partition_of(chain)
        check_stages(chain, given_stages(partition, stages, plan.instance.service.blocks), "vLLM")
        port, meeting = addresses.port(), addresses.port()
        head = addresses.address(chain.hops[0].server, names[chain.name, 0])
        endpoints[chain.name] = f"http://{joined(head, port)}"
        for r, hop in enumerate(chain.hops):
            argv = ["vllm", "serve", model]
            argv += ["--pipeline-parallel-size", str(stages), "--tensor-parallel-size", "1"]
            argv += ["--max-num-seqs", str(chain.capacity), "--max-model-len", str(tokens)]
            argv += ["--block-size", str(RULE.page)]
            argv += ["--num-gpu-blocks-override", str(RULE.all_pages(tokens, chain.capacity))]
            argv += ["--gpu-memory-utilization", f"{shares[chain.name, r]:g}"]
            argv += [] if options.dtype is None else ["--dtype", options.dtype]
            argv += [] if options.quant is None else ["--quantization", options.quant]
            argv += ["--host", "0.0.0.0", "--port", str(port)] if r == 0 else ["--headless"]
            if stages > 1:
                argv += ["--distributed-executor-backend", "mp", "--nnodes", str(stages), "--node-rank", str(r)]
                argv += ["--master-addr", head, "--master-port", str(meeting)]
            env = {"VLLM_PP_LAYER_PARTITION": partition, **addresses.environment(hop.server)}
            task = f"{chain.name}, stage {r} of {stages}, blocks {hop.start}:{hop.stop}"
            ports = (port, meeting) if r == 0 else ()
            processes.append(Process(names[chain.name, r], hop.server, task, tuple(argv), ports, env))
    return Deployment(plan, tuple(processes), endpoints, {}, (*notes, *_notes(max(shares.values()))))


def _notes(share: float) -> tuple[str, ...]:
    notes = [
        "vLLM enforces the capacity of a chain by itself (--max-num-seqs); requests beyond it wait in its queue, so "
        "let a dispatcher hold them back.",
        "memory_gb is taken for all the memory of a device: --gpu-memory-utilization is a share of that.",
        "The model has to support pipeline parallelism in vLLM.",
    ]
    if share > 0.95:
        notes.append(f"A share of {share:g} leaves little for CUDA itself; reserve_gb of the servers should be larger.")
    return tuple(notes)
