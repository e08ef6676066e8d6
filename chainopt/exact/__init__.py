"""What is proven: bounds on every objective, and exact optima where they can be had."""

from chainopt.exact.bounds import bound
from chainopt.exact.options import ExactOptions

__all__ = ["ExactOptions", "bound"]
