"""What users ask of response times: the mean, or a quantile, at most so many seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainopt.quantity import RELATIVE_TOLERANCE, at_least
from chainopt.queueing import response_time

if TYPE_CHECKING:
    from chainopt.model.composition import Composition


@dataclass(frozen=True)
class Target:
    """A response time that is not to be exceeded.

    Attributes
    ----------
    response_time_s
        Seconds.
    probability
        The quantile that is meant, 0 < p < 1; the mean if None.
    """

    response_time_s: float
    probability: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.response_time_s < math.inf:
            raise ValueError(f"expected a finite response time above 0, got {self.response_time_s}")
        if self.probability is not None and not 0 < self.probability < 1:
            raise ValueError(f"expected a probability between 0 and 1, got {self.probability}")

    def value_s(self, composition: Composition, arrival_rate: float) -> float:
        """The mean or the quantile under JFFC, seconds; infinite where the load is 1 or more."""
        if at_least(arrival_rate, composition.total_service_rate):
            return math.inf
        response = response_time(composition, arrival_rate)
        return response.mean_response_time_s if self.probability is None else response.quantile(self.probability)

    def met(self, value_s: float) -> bool:
        """Whether a mean or quantile is good enough."""
        return value_s <= self.response_time_s * (1 + RELATIVE_TOLERANCE)

    def least_s(self, fastest_s: float) -> float:
        """No policy is below this where the fastest chain takes so long: a service is at least exponential with it."""
        return fastest_s if self.probability is None else -math.log1p(-self.probability) * fastest_s
