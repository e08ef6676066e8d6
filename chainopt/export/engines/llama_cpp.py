"""llama.cpp: each chain is a llama-server, which computes on RPC workers, one on each server of the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.errors import FormatError, InfeasibleError
from chainopt.export.deployment import Deployment, Process, joined
from chainopt.export.engines.stages import check_stages, refuse_what_pipelines_cannot, stage_names
from chainopt.export.engines.tensor_split import MOST_COUNTS, device_ranges, layer_devices
from chainopt.export.facts import model_notes
from chainopt.export.memory import CacheRule, fitted
from chainopt.export.plan import listed

if TYPE_CHECKING:
    from chainopt.export.deployment import Addresses
    from chainopt.export.options import Options
    from chainopt.export.plan import Plan, PlannedChain

VERSION = "llama.cpp of 15 December 2025 and later (-fit, n_ctx_seq)"
"""-fit came with pull request 16653, which was reviewed on 10 December and in use by the 15th (pull request 18070)."""

RULE = CacheRule(page=256)
"""The context of a slot is rounded up to 256 tokens (src/llama-context.cpp, n_ctx_seq)."""

ALL_LAYERS = 999
"""More than any model has: all layers go to devices."""


def split_of(chain: PlannedChain) -> list[int]:
    """Numbers for --tensor-split: blocks of each server, and the output layer with those of the last."""
    counts = [hop.blocks for hop in chain.hops]
    return [*counts[:-1], counts[-1] + 1]


def llama_cpp(plan: Plan, options: Options, addresses: Addresses) -> Deployment:
    """An rpc-server for each chain and server, and a llama-server for each chain, beside its first worker."""
    refuse_what_pipelines_cannot(plan, "llama.cpp")
    for name, value in (("--quant", options.quant), ("--dtype", options.dtype)):
        if value is not None:
            raise FormatError("llama.cpp takes weights as they stand in the GGUF file", path=name)
    model, tokens = options.needed_model(), options.needed_tokens()
    notes = model_notes(plan, options, ends_on_servers=True)
    plan = fitted(plan, options, RULE)
    _refuse_long(plan)
    names = stage_names(plan, addresses)
    workers, mains, endpoints = [], [], {}
    context = RULE.pages(tokens) * RULE.page
    for chain in plan.chains:
        split, blocks = split_of(chain), plan.instance.service.blocks
        devices = layer_devices(split, blocks, ALL_LAYERS)
        check_stages(chain, device_ranges(devices[:blocks], len(split)), "llama.cpp")
        if devices[blocks] != len(split) - 1:
            raise InfeasibleError(f"llama.cpp would put the output layer of {chain.name} on device {devices[blocks]}")
        places = []
        for r, hop in enumerate(chain.hops):
            port, name = addresses.port(), names[chain.name, r]
            places.append(joined(addresses.address(hop.server, name), port))
            host = addresses.host(hop.server)
            argv = ["rpc-server", "--host", "0.0.0.0", "--port", str(port)]
            argv += ["--device", "CUDA0" if host is None else host.backend]
            task = f"{chain.name}, worker {r} of {len(chain.hops)}, blocks {hop.start}:{hop.stop}"
            workers.append(Process(name, hop.server, task, tuple(argv), (port,), addresses.environment(hop.server)))
        port, name = addresses.port(), f"{chain.name}-main"
        first = chain.hops[0].server
        endpoints[chain.name] = f"http://{joined(addresses.address(first, name), port)}"
        command = ["llama-server", "--model", model, "--rpc", ",".join(places)]
        command += ["--device", ",".join(f"RPC{r}" for r in range(len(split)))]
        command += ["--n-gpu-layers", str(ALL_LAYERS), "--split-mode", "layer"]
        command += ["--tensor-split", ",".join(map(str, split)), "-fit", "off"]
        command += ["--ctx-size", str(context * chain.capacity), "--parallel", str(chain.capacity), "--no-kv-unified"]
        command += ["--host", "0.0.0.0", "--port", str(port)]
        task = f"{chain.name}, front of its {len(split)} workers"
        mains.append(Process(name, first, task, tuple(command), (port,), gpu=False))
    return Deployment(plan, (*workers, *mains), endpoints, {}, (*notes, *NOTES))


def _refuse_long(plan: Plan) -> None:
    long = [f"{chain.name} ({len(chain.hops)} servers)" for chain in plan.chains if len(chain.hops) > MOST_COUNTS]
    if long:
        raise InfeasibleError(
            f"llama.cpp splits a model among at most {MOST_COUNTS} devices, too few for {listed(long)}"
        )


NOTES = (
    "The RPC backend of llama.cpp has no protection at all: open its ports in a private network only.",
    "Start the workers of a chain first, then its front, which holds the input embedding in memory of the CPU.",
    "--model is the path of a GGUF file where fronts run; its tensors have to be as large as block_gb says.",
    "llama.cpp enforces the capacity of a chain by itself (--parallel); requests beyond it wait in its queue, so let "
    "a dispatcher hold them back.",
    "Devices are called CUDA0 unless the hosts file has another backend for a server, such as MTL0 or Vulkan0.",
)
