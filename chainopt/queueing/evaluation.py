"""The evaluation that stands in a solution file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.errors import UnstableError
from chainopt.model.evaluation import Evaluation
from chainopt.queueing.bounds import response_bounds
from chainopt.queueing.exact import response_time

if TYPE_CHECKING:
    from chainopt.model.composition import Composition


def evaluate(composition: Composition, arrival_rate: float) -> Evaluation:
    """Everything that a file says of a composition at an arrival rate; times are None where the load is not stable."""
    total, servers = composition.total_service_rate, composition.job_servers
    try:
        exact = response_time(composition, arrival_rate)
    except UnstableError:
        return Evaluation(
            total_service_rate=total, job_servers=servers, load=arrival_rate / total if total > 0 else None
        )
    lower, upper = response_bounds(composition, arrival_rate)
    return Evaluation(
        total_service_rate=total,
        job_servers=servers,
        load=exact.load,
        mean_response_time_s=exact.mean_response_time_s,
        mean_service_time_s=exact.mean_service_time_s,
        mean_waiting_time_s=exact.mean_waiting_time_s,
        p95_response_time_s=exact.p95_response_time_s,
        p99_response_time_s=exact.p99_response_time_s,
        waiting_probability=exact.waiting_probability,
        lower_bound_s=lower,
        upper_bound_s=upper,
    )
