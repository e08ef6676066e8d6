"""Ray Serve: each chain is an application that runs vLLM, its stages pinned to servers by resources of their own."""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from chainopt.errors import InfeasibleError
from chainopt.export.deployment import Deployment, Process, joined
from chainopt.export.documents import json_text
from chainopt.export.engines.partition import given_stages
from chainopt.export.engines.stages import check_stages, memory_shares, partition_of, refuse_what_pipelines_cannot
from chainopt.export.engines.vllm import RULE
from chainopt.export.facts import model_notes
from chainopt.export.memory import fitted
from chainopt.export.plan import Sharing, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainopt.export.deployment import Addresses
    from chainopt.export.options import Options
    from chainopt.export.plan import Plan, PlannedChain

VERSION = "Ray 2.49 with ray.serve.llm and vLLM's V1 engine"


def worker_order(addresses: Sequence[str]) -> list[int]:
    """Order in which vLLM makes ranks of Ray's workers: those beside the driver first, then by their IP address.

    The driver is where the first bundle is; among the others, nodes with fewer workers come first, and addresses are
    compared as text (vllm/executor/ray_distributed_executor.py, sort_by_driver_then_worker_ip).
    """
    workers = Counter(addresses)
    driver = addresses[0]
    return sorted(range(len(addresses)), key=lambda i: (addresses[i] != driver, workers[addresses[i]], addresses[i]))


def ray_serve(plan: Plan, options: Options, addresses: Addresses) -> Deployment:
    """A node of Ray on each server, and one configuration with an application for each chain."""
    if plan.sharing is Sharing.SPLIT:
        raise InfeasibleError("Ray gives a device to one chain; --exclusive composes chains that do not meet")
    refuse_what_pipelines_cannot(plan, "Ray Serve")
    model, tokens = options.needed_model(), options.needed_tokens()
    notes = list(model_notes(plan, options, ends_on_servers=True))
    plan = fitted(plan, options, RULE, options.memory_share)
    shares = memory_shares(plan, tokens, RULE, options.memory_share)
    notes += _check_order(plan, addresses)
    http, gcs = addresses.port(), addresses.port()
    applications, endpoints = [], {}
    for chain in plan.chains:
        partition = partition_of(chain)
        check_stages(chain, given_stages(partition, len(chain.hops), plan.instance.service.blocks), "vLLM")
        head = addresses.address(chain.hops[0].server, chain.name)
        endpoints[chain.name] = f"http://{joined(head, http)}/{chain.name}"
        engine: dict[str, Any] = {
            "pipeline_parallel_size": len(chain.hops),
            "tensor_parallel_size": 1,
            "distributed_executor_backend": "ray",
            "max_num_seqs": chain.capacity,
            "max_model_len": tokens,
            "block_size": RULE.page,
            "num_gpu_blocks_override": RULE.all_pages(tokens, chain.capacity),
            "gpu_memory_utilization": max(shares[chain.name, r] for r in range(len(chain.hops))),
        }
        engine |= {} if options.dtype is None else {"dtype": options.dtype}
        engine |= {} if options.quant is None else {"quantization": options.quant}
        applications.append(_application(chain, model, engine, partition, addresses))
    config = {
        "proxy_location": "EveryNode",
        "http_options": {"host": "0.0.0.0", "port": http},
        "applications": applications,
    }
    processes = _nodes(plan, addresses, gcs)
    return Deployment(plan, tuple(processes), endpoints, {"serve.yaml": json_text(config)}, (*notes, *NOTES))


def _application(
    chain: PlannedChain, model: str, engine: dict[str, Any], partition: str, addresses: Addresses
) -> dict[str, Any]:
    llm = {
        "model_loading_config": {"model_id": model, "model_source": model},
        "engine_kwargs": engine,
        "deployment_config": {"num_replicas": 1, "max_ongoing_requests": chain.capacity},
        "placement_group_config": {
            "bundles": [{"CPU": 1, "GPU": 1, _resource(addresses, hop.server): 1} for hop in chain.hops],
            "strategy": "PACK",
        },
        "runtime_env": {"env_vars": {"VLLM_PP_LAYER_PARTITION": partition}},
    }
    return {
        "name": chain.name,
        "route_prefix": f"/{chain.name}",
        "import_path": "ray.serve.llm:build_openai_app",
        "args": {"llm_configs": [llm]},
    }


def _resource(addresses: Addresses, server: int) -> str:
    return f"chainopt-{addresses.labels[server]}"


def _nodes(plan: Plan, addresses: Addresses, gcs: int) -> list[Process]:
    """Ray on each server that is used, the head on the first."""
    processes: list[Process] = []
    for j in plan.hosted:
        name = f"ray-{addresses.labels[j]}"
        if processes:
            first = processes[0]
            start = ["--address", joined(addresses.address(first.server, first.name), gcs)]
        else:
            start = ["--head", "--port", str(gcs)]
        resources = json.dumps({_resource(addresses, j): 1})
        argv = ("ray", "start", *start, "--num-gpus", "1", "--resources", resources, "--block")
        ports = () if processes else (gcs,)
        processes.append(Process(name, j, "a node of Ray", argv, ports, addresses.environment(j)))
    return processes


def _check_order(plan: Plan, addresses: Addresses) -> list[str]:
    """Notes on the order of stages.

    Raises
    ------
    InfeasibleError
        If vLLM would put stages on other servers than planned.
    """
    wrong, unknown = [], 0
    for chain in plan.chains:
        places = [addresses.address(hop.server, "") for hop in chain.hops]
        if not all(_is_ip(place) for place in places):
            unknown += len(places) > 2
        elif worker_order(places) != list(range(len(places))):
            wrong.append(f"{chain.name} ({', '.join(places)})")
    if wrong:
        raise InfeasibleError(
            "vLLM orders the stages of Ray's workers by IP address after the first, which puts blocks on other servers "
            f"than planned: {listed(wrong)}; the engine vllm runs without Ray, in the order that is planned"
        )
    if not unknown:
        return []
    return [
        "vLLM orders the stages of Ray's workers by IP address after the first: --hosts with IP addresses lets "
        f"chainopt check that this is the planned order, which it could not for {unknown} chains of 3 servers or more."
    ]


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


NOTES = (
    "Start Ray on all servers, then run `serve deploy serve.yaml` on the first.",
    "max_ongoing_requests enforces the capacity of a chain. JFFC between chains needs a dispatcher in front: each "
    "chain has a route of its own.",
    "memory_gb is taken for all the memory of a device: gpu_memory_utilization is a share of that.",
)
