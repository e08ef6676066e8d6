"""The evaluation of a composition at an arrival rate, as it stands in a solution file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chainopt.model.record import Integer, Real, Record

Time = Annotated[Real, Field(ge=0)]


class Evaluation(Record):
    """Times in seconds under JFFC, Poisson arrivals and exponential sizes; all None where the load is 1 or more."""

    total_service_rate: Time = Field(description="ν = Σ c_k μ_k, jobs per second")
    job_servers: Annotated[Integer, Field(ge=0)] = Field(description="C = Σ c_k")
    load: Time | None = Field(description="ρ = λ/ν")
    mean_response_time_s: Time | None = None
    mean_service_time_s: Time | None = None
    mean_waiting_time_s: Time | None = None
    p95_response_time_s: Time | None = None
    p99_response_time_s: Time | None = None
    waiting_probability: Annotated[Real, Field(ge=0, le=1)] | None = None
    lower_bound_s: Time | None = Field(default=None, description="Theorem 4, for this composition")
    upper_bound_s: Time | None = Field(default=None, description="Theorem 4, for this composition")
