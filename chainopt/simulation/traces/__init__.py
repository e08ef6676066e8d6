"""Recorded requests: when they came, and their tokens.

>>> from chainopt.simulation.traces import azure_code_trace
>>> trace = azure_code_trace()
>>> trace.requests, round(trace.rate, 3), round(trace.mean_tokens_in), round(trace.mean_tokens_out)
(8819, 2.566, 2048, 28)
>>> round(trace.first(1000).scaled(2.57).rate, 3)
2.57

A new format is one entry of `FORMATS`.
"""

from chainopt.simulation.traces.formats import FORMATS
from chainopt.simulation.traces.reading import azure_code_trace, read_trace
from chainopt.simulation.traces.trace import Trace

__all__ = ["FORMATS", "Trace", "azure_code_trace", "read_trace"]
