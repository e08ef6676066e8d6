"""The engines that compositions can be written for.

A new engine is one file here, and one line in `ENGINES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.export.engines import kubernetes, llama_cpp, parallax, petals, plain, ray_serve, sglang, vllm

if TYPE_CHECKING:
    from chainopt.export.deployment import Engine


@dataclass(frozen=True)
class EngineEntry:
    """An engine in the registry.

    Attributes
    ----------
    title
        What its makers call it.
    rule
        What turns a plan into a deployment.
    version
        What the output is written for.
    summary
        What becomes of a chain.
    source
        Where its rules are published.
    """

    title: str
    rule: Engine
    version: str
    summary: str
    source: str


ENGINES: dict[str, EngineEntry] = {
    "petals": EngineEntry(
        "PETALS",
        petals.petals,
        petals.VERSION,
        "one swarm whose servers chains share; clients are kept to the servers of a chain",
        "github.com/bigscience-workshop/petals",
    ),
    "vllm": EngineEntry(
        "vLLM",
        vllm.vllm,
        vllm.VERSION,
        "a pipeline of its own for each chain",
        "github.com/vllm-project/vllm",
    ),
    "sglang": EngineEntry(
        "SGLang",
        sglang.sglang,
        sglang.VERSION,
        "a pipeline of its own for each chain",
        "github.com/sgl-project/sglang",
    ),
    "llama-cpp": EngineEntry(
        "llama.cpp",
        llama_cpp.llama_cpp,
        llama_cpp.VERSION,
        "a llama-server for each chain, over RPC workers",
        "github.com/ggml-org/llama.cpp",
    ),
    "parallax": EngineEntry(
        "Parallax",
        parallax.parallax,
        parallax.VERSION,
        "a cluster of its own for each chain",
        "github.com/GradientHQ/parallax",
    ),
    "ray-serve": EngineEntry(
        "Ray Serve",
        ray_serve.ray_serve,
        ray_serve.VERSION,
        "an application for each chain, which runs vLLM",
        "github.com/ray-project/ray",
    ),
    "kubernetes": EngineEntry(
        "Kubernetes",
        kubernetes.kubernetes,
        kubernetes.VERSION,
        "another engine's processes as StatefulSets, see --runtime",
        "kubernetes.io/docs",
    ),
    "json": EngineEntry("JSON", plain.plain, plain.VERSION, "the plan and the chains alone", ""),
}
"""By the name on the command line."""
