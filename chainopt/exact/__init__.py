"""What is proven: bounds on every objective, and exact optima where they can be had."""

from chainopt.exact.bounds import bound

__all__ = ["bound"]
