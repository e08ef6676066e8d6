"""A solution: what a method answers for an instance, as it stands in a file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import FailFast, Field, PrivateAttr

from chainopt.model.composition import Composition
from chainopt.model.evaluation import Evaluation, Time
from chainopt.model.html_table import solution_table
from chainopt.model.instance import BlockRange, Instance
from chainopt.model.placement import Placement
from chainopt.model.record import Digest, Integer, Name, Real, Record, Tags


class Status(StrEnum):
    """What is known of a solution."""

    OPTIMAL = "optimal"
    """Proven best."""
    FEASIBLE = "feasible"
    """Stable and valid; see `bound` and `gap` for how good."""
    INFEASIBLE = "infeasible"
    """Proven that no composition exists."""
    UNSTABLE = "unstable"
    """Compositions exist, but none was found that carries the arrival rate."""
    UNKNOWN = "unknown"
    """Nothing that does what is asked was found, and nothing was proven."""


class Objective(StrEnum):
    """What is optimised (PROBLEM, section 3)."""

    RESPONSE_TIME = "response-time"
    """Smallest mean response time, seconds."""
    JOB_SERVERS = "job-servers"
    """Fewest job servers with a total service rate of at least λ/ρ̄ [eq. 5]."""
    RATE = "rate"
    """Largest total service rate, jobs per second."""


class InstanceReference(Record):
    """Which instance a solution belongs to."""

    name: Name
    sha256: Digest


class HostedRange(BlockRange):
    """The blocks that a server hosts."""

    server: Name


class SolutionChain(Record):
    """A chain by the ids of its servers."""

    servers: Annotated[tuple[Name, ...], Field(min_length=1)]
    capacity: Annotated[Integer, Field(ge=1)]
    service_time_s: Annotated[Real, Field(gt=0)]


class Solution(Record):
    """An answer, by ids of servers, so that it can be read without its instance."""

    format: Literal["chainopt-solution/1"] = "chainopt-solution/1"
    instance: InstanceReference
    method: Name
    parameters: Tags = Field(default_factory=dict)
    seed: Integer | None = None
    version: Name
    objective: Objective
    status: Status
    placement: Annotated[tuple[HostedRange, ...], FailFast()] = ()
    chains: Annotated[tuple[SolutionChain, ...], FailFast()] = ()
    evaluation: Evaluation | None = None
    bound: Real | None = None
    gap: Annotated[Real, Field(ge=0)] | None = None
    runtime_s: Time | None = None

    _instance: Instance | None = PrivateAttr(default=None)

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed, validated like a new one; it knows the same instance."""
        changed = super().replace(**changes)
        changed._instance = self._instance
        return changed

    def bind(self, instance: Instance) -> Self:
        """The same solution, knowing its instance, so that `composition` can be asked for."""
        bound = self.model_copy()
        bound._instance = instance
        return bound

    @property
    def composition(self) -> Composition:
        """The composition by positions of servers.

        Raises
        ------
        ValueError
            If no instance is bound, or if placement or chains do not fit it; `verify` says all that is wrong.
        """
        if self._instance is None:
            raise ValueError("the solution knows no instance: read it with its instance, or bind(instance) first")
        instance = self._instance
        start = np.zeros(len(instance.servers), dtype=np.int64)
        stop = start.copy()
        for entry in self.placement:
            j = _position(instance, entry.server)
            if stop[j]:
                raise ValueError(f"server {entry.server!r} is placed twice")
            start[j], stop[j] = entry.start, entry.stop
        return Composition.of(
            instance,
            Placement(start, stop),
            [[_position(instance, server) for server in chain.servers] for chain in self.chains],
            [chain.capacity for chain in self.chains],
        )

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        return solution_table(self)

    @property
    def value(self) -> float | None:
        """Value of the objective, None where there is none."""
        if self.evaluation is None:
            return None
        if self.objective is Objective.RESPONSE_TIME:
            return self.evaluation.mean_response_time_s
        if self.objective is Objective.JOB_SERVERS:
            return float(self.evaluation.job_servers)
        return self.evaluation.total_service_rate


def _position(instance: Instance, server: str) -> int:
    if server not in instance.position:
        raise ValueError(f"the instance has no server {server!r}")
    return instance.position[server]


def as_records(
    instance: Instance, composition: Composition
) -> tuple[tuple[HostedRange, ...], tuple[SolutionChain, ...]]:
    """Placement and chains by ids, as a file has them."""
    ids = [server.id for server in instance.servers]
    hosted = tuple(
        HostedRange(server=ids[j], start=start, stop=stop)
        for j, (start, stop) in enumerate(
            zip(composition.placement.start.tolist(), composition.placement.stop.tolist(), strict=True)
        )
        if start < stop
    )
    chains = tuple(
        SolutionChain(
            servers=tuple(ids[j] for j in chain.servers),
            capacity=chain.capacity,
            service_time_s=chain.service_time_s,
        )
        for chain in composition.chains
    )
    return hosted, chains


def relative_gap(value: float, bound: float) -> float:
    """Distance of a value from a bound on it, relative to the larger of both; 0 where both are 0."""
    larger = max(abs(value), abs(bound))
    return abs(value - bound) / larger if larger else 0.0
