"""Better dispatch than JFFC: thresholds from which on a slower chain starts a job, and the optimum of small systems."""

from chainopt.dispatch.coordinated import coordinated_thresholds as thresholds
from chainopt.dispatch.light_traffic import light_traffic_thresholds
from chainopt.dispatch.optimal import OptimalDispatch, optimal_dispatch, threshold_response_time
from chainopt.dispatch.pairs import pair_thresholds

__all__ = [
    "OptimalDispatch",
    "light_traffic_thresholds",
    "optimal_dispatch",
    "pair_thresholds",
    "threshold_response_time",
    "thresholds",
]
