"""The instance: a service, its traffic, and the servers that may host it (PROBLEM, section 1)."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import FailFast, Field, model_validator

from chainopt.model.grid import MemoryGrid, TimeGrid
from chainopt.model.record import (
    MOST_BLOCKS,
    MOST_SERVERS,
    MOST_SLOTS,
    Amount,
    Integer,
    Name,
    Record,
    Share,
    Size,
    Tags,
    Text,
    cross_reference,
    shown,
)
from chainopt.quantity import EXACT


class Service(Record):
    """The model that is served: L blocks of equal size."""

    name: Name | None = None
    blocks: Annotated[Integer, Field(ge=1, le=MOST_BLOCKS, description="L, number of blocks")]
    block_gb: Size = Field(description="s_m, memory that a hosted block takes, GB = 10^9 bytes")
    cache_gb: Size = Field(description="s_c, memory that a job takes for each block it is processed by, GB")


class Workload(Record):
    """The traffic."""

    arrival_rate: Size = Field(description="λ, jobs per second")
    target_load: Share = Field(default=Decimal("0.7"), description="ρ̄, the load to design for")


class BlockRange(Record):
    """Blocks start, ..., stop - 1, counted from 0."""

    start: Annotated[Integer, Field(ge=0)]
    stop: Annotated[Integer, Field(ge=1, le=MOST_BLOCKS)]

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.start >= self.stop:
            raise ValueError(f"expected start < stop, got start {self.start} and stop {self.stop}")
        return self


class Server(Record):
    """One server, as it looks from the orchestrator."""

    id: Name
    memory_gb: Size = Field(description="M_j, memory, GB")
    comm_s: Amount = Field(description="τ^c_j, mean communication time of a job that takes part in the server, s")
    comp_s_per_block: Amount = Field(description="τ^p_j, mean computation time of a job for each block, s")
    reserve_gb: Amount = Field(default=Decimal(0), description="memory that is not ours, GB")
    pin: BlockRange | None = Field(default=None, description="this range of blocks and no other")
    tags: Tags = Field(default_factory=dict, description="free")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.reserve_gb > self.memory_gb:
            raise ValueError(f"reserve_gb {self.reserve_gb} is more than memory_gb {self.memory_gb}")
        if not self.comm_s and not self.comp_s_per_block:
            raise ValueError("comm_s and comp_s_per_block are both 0: a job would take no time")
        return self


class Instance(Record):
    """A problem to solve. Frozen; `replace` gives a changed, validated copy."""

    format: Literal["chainopt-instance/1"] = "chainopt-instance/1"
    name: Name
    note: Text | None = None
    service: Service
    workload: Workload
    servers: Annotated[tuple[Server, ...], Field(min_length=1, max_length=MOST_SERVERS), FailFast()]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        first: dict[str, int] = {}
        for j, server in enumerate(self.servers):
            if server.id in first:
                message = f"{shown(server.id)} is the id of servers[{first[server.id]}] too"
                raise cross_reference(message, "servers", j, "id")
            first[server.id] = j
            if server.pin is not None and server.pin.stop > self.service.blocks:
                message = f"expected at most service.blocks = {self.service.blocks}, got {server.pin.stop}"
                raise cross_reference(message, "servers", j, "pin", "stop")
        largest = max(server.memory_gb for server in self.servers)
        if largest > MOST_SLOTS * self.service.cache_gb:
            message = f"expected at least 10^-12 of the largest memory, {largest} GB, got {self.service.cache_gb}"
            raise cross_reference(message, "service", "cache_gb")
        rounded = self.time.rounded()
        if rounded is not None:
            j, field = rounded
            message = f"{getattr(self.servers[j], field)} is too short beside the longest times to be told from others"
            raise cross_reference(message, "servers", j, field)
        return self

    @cached_property
    def position(self) -> dict[str, int]:
        """Position of each server by its id."""
        return {server.id: j for j, server in enumerate(self.servers)}

    @cached_property
    def memory(self) -> MemoryGrid:
        """The memories as integers; a server's reserve is already taken off."""
        free = [EXACT.subtract(server.memory_gb, server.reserve_gb) for server in self.servers]
        return MemoryGrid.of(free, self.service.block_gb, self.service.cache_gb, self.service.blocks)

    @cached_property
    def time(self) -> TimeGrid:
        """The times as integers."""
        return TimeGrid.of(
            [server.comm_s for server in self.servers],
            [server.comp_s_per_block for server in self.servers],
            self.service.blocks,
        )

    @property
    def design_rate(self) -> float:
        """λ/ρ̄, the total service rate to design for, jobs per second."""
        return float(self.workload.arrival_rate / self.workload.target_load)
