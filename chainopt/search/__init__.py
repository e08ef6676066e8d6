"""Search for the best composition: simulated annealing, stopped at any time with the best so far."""

from chainopt.search.driver import Found, search
from chainopt.search.runs import Moment

__all__ = ["Found", "Moment", "search"]
