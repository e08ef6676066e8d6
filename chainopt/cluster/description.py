"""What a cluster is: groups of equal servers, a model, its traffic, and what is assumed about the engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from chainopt.catalog.times import PAPER_EXCHANGE_OVERHEAD_MS, PAPER_OVERHEAD_S
from chainopt.model.record import Amount, Integer, Name, Record, Share, Size

MOST_COUNT = 10**5
MOST_DEVICES = 1024
MOST_TOKENS = 10**8
PETALS_RESERVE_GIB = Decimal(2)
"""What PETALS keeps free of blocks and caches on each device [its `Server._choose_num_blocks`, for BLOOM-176B]."""

Tokens = Annotated[Integer, Field(ge=1, le=MOST_TOKENS)]


class Group(Record):
    """Equal servers at one place."""

    gpu: Name = Field(description="name in the catalogue, or enough of one; with a MIG profile behind a colon")
    count: Annotated[Integer, Field(ge=1, le=MOST_COUNT)] = Field(default=1, description="servers")
    devices: Annotated[Integer, Field(ge=1, le=MOST_DEVICES)] = Field(
        default=1, description="GPUs of each server, which share each block (tensor parallelism)"
    )
    rtt_ms: Amount = Field(default=Decimal(0), description="round trip time from whoever dispatches, ms")
    name: Name | None = Field(default=None, description="what ids start with; the GPU unless given")
    memory_gb: Size | None = Field(default=None, description="of each GPU, GB; the catalogue's usable memory")
    reserve_gib: Amount | None = Field(default=None, description="not ours on each GPU, GiB; the engine's unless given")
    price_per_hour: Amount | None = Field(default=None, description="of each server, in any currency")


class Engine(Record):
    """What is assumed about the software that serves; the defaults are those of the paper where it has some."""

    overhead_ms: Amount = Field(
        default=Decimal(PAPER_EXCHANGE_OVERHEAD_MS), description="of every exchange with a server besides the RTT, ms"
    )
    overhead_s: Amount = Field(default=Decimal(str(PAPER_OVERHEAD_S)), description="t_o, s a block")
    reserve_gib: Amount = Field(default=PETALS_RESERVE_GIB, description="memory of each GPU that is not ours, GiB")
    compute_efficiency: Size = Field(default=Decimal(1), le=1, description="share of peak FLOPS that is reached")
    memory_efficiency: Size = Field(default=Decimal(1), le=1, description="share of peak bandwidth that is reached")
    batch: Annotated[Integer, Field(ge=1, le=10**6)] = Field(default=1, description="jobs that decode together")
    kv_bytes: Annotated[Integer, Field(ge=1, le=8)] = Field(default=2, description="bytes of a cached number")


class Cluster(Record):
    """All that is needed to plan."""

    format: Literal["chainopt-cluster/1"] = "chainopt-cluster/1"
    name: Name = "cluster"
    model: Name = Field(description="name in the catalogue, or path of a config.json of Hugging Face")
    precision: Name | None = Field(default=None, description="of the weights; as published unless given")
    tokens_in: Tokens = Field(description="of a job's prompt, in the mean")
    tokens_out: Tokens = Field(description="that a job generates, in the mean")
    max_tokens: Tokens | None = Field(
        default=None, description="that a job's cache has room for; the power of 2 at or above the means' sum"
    )
    arrival_rate: Size = Field(description="jobs per second")
    target_load: Share = Field(default=Decimal("0.7"), description="the load to design for")
    servers: tuple[Group, ...] = ()
    engine: Engine = Field(default_factory=Engine)

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.max_tokens is not None and self.max_tokens < self.tokens_in + self.tokens_out:
            raise ValueError(
                f"expected max_tokens of at least tokens_in + tokens_out = {self.tokens_in + self.tokens_out}, "
                f"got {self.max_tokens}"
            )
        return self

    @property
    def cache_tokens(self) -> int:
        """Tokens that the cache of a job has room for."""
        mean = self.tokens_in + self.tokens_out
        return self.max_tokens or 1 << (mean - 1).bit_length()
