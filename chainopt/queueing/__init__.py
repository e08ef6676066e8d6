"""Response times of a composition: exact, and Theorem 4's bounds."""

from chainopt.queueing.bounds import birth_death_mean, jffc_bounds, response_bounds
from chainopt.queueing.evaluation import evaluate
from chainopt.queueing.exact import ResponseTime, jffc, response_time

__all__ = ["ResponseTime", "birth_death_mean", "evaluate", "jffc", "jffc_bounds", "response_bounds", "response_time"]
