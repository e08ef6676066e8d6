"""What is proven: bounds on every objective, and exact optima where they can be had."""

from chainopt.exact.bounds import bound
from chainopt.exact.cache_allocation import allocate_fewest, allocate_most
from chainopt.exact.disjoint_chains import fewest_disjoint_chains
from chainopt.exact.options import ExactOptions

__all__ = ["ExactOptions", "allocate_fewest", "allocate_most", "bound", "fewest_disjoint_chains"]
