"""From the catalogue to the parts of an instance: a service of a model, a server of a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.catalog import sizes, times
from chainopt.model.instance import Server, Service

if TYPE_CHECKING:
    from decimal import Decimal

    from chainopt.catalog.gpus import Gpu
    from chainopt.catalog.models import Model
    from chainopt.catalog.precisions import Precision


@dataclass(frozen=True)
class Assumptions:
    """What is taken for granted about the engine; the defaults are the paper's.

    Attributes
    ----------
    weights
        Number format of the weights; that of the published weights by default.
    kv_bytes, latent, sliding
        How the cache is stored, as in :func:`chainopt.catalog.sizes.cache_gb`.
    nominal_memory
        Count the memory that the data sheet states rather than what a program can get.
    reserve_gib
        Memory of each server for other things than blocks and caches, GiB.
    overhead_s, compute_efficiency, memory_efficiency, batch, attention
        As in :func:`chainopt.catalog.times.comp_s_per_block`.
    overhead_ms, prompt_overhead_ms
        As in :func:`chainopt.catalog.times.comm_s`.
    """

    weights: str | Precision | None = None
    kv_bytes: int = 2
    latent: bool = True
    sliding: bool = True
    nominal_memory: bool = False
    reserve_gib: float | Decimal = 0
    overhead_s: float | Decimal = times.PAPER_OVERHEAD_S
    compute_efficiency: float | Decimal = 1
    memory_efficiency: float | Decimal = 1
    batch: int = 1
    attention: bool = False
    overhead_ms: float | Decimal = times.PAPER_EXCHANGE_OVERHEAD_MS
    prompt_overhead_ms: float | Decimal | None = None


def service(model: Model, tokens: int, assume: Assumptions | None = None) -> Service:
    """The service of a model to jobs of at most so many tokens, in and out.

    Where blocks differ, both sizes are those of the largest block.
    """
    assume = assume or Assumptions()
    return Service(
        name=model.name,
        blocks=len(model.blocks),
        block_gb=sizes.block_gb(model, assume.weights),
        cache_gb=sizes.cache_gb(model, tokens, kv_bytes=assume.kv_bytes, latent=assume.latent, sliding=assume.sliding),
    )


def server(
    name: str,
    model: Model,
    gpu: Gpu,
    rtt_ms: float | Decimal,
    tokens_in: int,
    tokens_out: int,
    assume: Assumptions | None = None,
) -> Server:
    """A server with one GPU, at that round trip time from the orchestrator.

    Parameters
    ----------
    tokens_in, tokens_out
        Mean numbers of tokens of a job.
    """
    assume = assume or Assumptions()
    return Server(
        id=name,
        memory_gb=sizes.memory_gb(gpu, nominal=assume.nominal_memory),
        reserve_gb=sizes.gib_in_gb(assume.reserve_gib),
        comm_s=times.comm_s(
            rtt_ms,
            tokens_out,
            overhead_ms=assume.overhead_ms,
            prompt_overhead_ms=assume.prompt_overhead_ms,
        ),
        comp_s_per_block=times.comp_s_per_block(
            model,
            gpu,
            tokens_in,
            tokens_out,
            weights=assume.weights,
            overhead_s=assume.overhead_s,
            compute_efficiency=assume.compute_efficiency,
            memory_efficiency=assume.memory_efficiency,
            batch=assume.batch,
            attention=assume.attention,
            kv_bytes=assume.kv_bytes,
            latent=assume.latent,
        ),
        tags={"gpu": gpu.name, "rtt_ms": rtt_ms},
    )
