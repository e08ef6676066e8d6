"""What a trace is, and what can be cut from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainopt.errors import FormatError
from chainopt.model.record import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Trace:
    """Requests in order of arrival, shape (n,), at least one.

    Attributes
    ----------
    arrival_s
        Seconds since the first one.
    tokens_in
        Of the prompt, at least 1.
    tokens_out
        At least 0; a request that failed may have none.
    source, format
        Where it was read from.
    """

    arrival_s: NDArray[np.float64]
    tokens_in: NDArray[np.int64]
    tokens_out: NDArray[np.int64]
    source: str
    format: str

    def __post_init__(self) -> None:
        if not self.arrival_s.size:
            raise FormatError("expected at least one request", source=self.source)
        if not len(self.arrival_s) == len(self.tokens_in) == len(self.tokens_out):
            lengths = f"{len(self.arrival_s)}, {len(self.tokens_in)} and {len(self.tokens_out)}"
            raise FormatError(f"expected arrivals and tokens of the same requests, got {lengths}", source=self.source)
        ordered = (self.arrival_s[1:] >= self.arrival_s[:-1]).all()
        if self.arrival_s[0] != 0 or not ordered or not np.isfinite(self.arrival_s[-1]):
            raise FormatError("expected arrivals from 0 on, in order", source=self.source)
        if self.tokens_in.min() < 1 or self.tokens_out.min() < 0:
            raise FormatError("expected at least 1 token in and 0 tokens out", source=self.source)

    @property
    def requests(self) -> int:
        """How many there are, n."""
        return len(self.arrival_s)

    @property
    def span_s(self) -> float:
        """From the first arrival to the last."""
        return float(self.arrival_s[-1])

    @property
    def rate(self) -> float:
        """Requests per second: 1 over the mean time between arrivals, (n - 1) / span.

        Raises
        ------
        FormatError
            If all requests come at the same time.
        """
        if not self.span_s:
            raise FormatError("expected requests that come at different times", source=self.source)
        return (self.requests - 1) / self.span_s

    @property
    def gap_variation(self) -> float:
        """Coefficient of variation of the times between arrivals: their standard deviation over their mean."""
        return float(np.std(np.diff(self.arrival_s))) * self.rate

    @property
    def longest_gap_s(self) -> float:
        """Longest time between arrivals; one much longer than the others may be a hole in the record."""
        return float(np.max(np.diff(self.arrival_s), initial=0.0))

    @property
    def mean_tokens_in(self) -> float:
        """Tokens of the mean prompt."""
        return float(np.mean(self.tokens_in))

    @property
    def mean_tokens_out(self) -> float:
        """Tokens that the mean request generates."""
        return float(np.mean(self.tokens_out))

    def first(self, requests: int) -> Trace:
        """The first requests, so many.

        Raises
        ------
        FormatError
            If the trace does not have them.
        """
        if not 1 <= requests <= self.requests:
            raise FormatError(f"expected 1 to {self.requests} requests, got {shown(requests)}", source=self.source)
        return self._cut(0, requests)

    def between(self, start_s: float, stop_s: float) -> Trace:
        """The requests that arrive from `start_s` on and before `stop_s`; the first of them at 0.

        Raises
        ------
        FormatError
            If there are none.
        """
        begin, stop = np.searchsorted(self.arrival_s, [start_s, stop_s]).tolist()
        if begin >= stop:
            message = f"no request arrives from {start_s:g} s on and before {stop_s:g} s, of {self.span_s:g} s"
            raise FormatError(message, source=self.source)
        return self._cut(begin, stop)

    def scaled(self, rate: float) -> Trace:
        """The same requests at another rate: all times between arrivals are stretched alike.

        Raises
        ------
        FormatError
            If the rate is not a positive number, or all requests come at the same time.
        """
        if not 0 < rate < np.inf:
            raise FormatError(f"expected a positive number, got {shown(rate)}", path="rate")
        return Trace(self.arrival_s * (self.rate / rate), self.tokens_in, self.tokens_out, self.source, self.format)

    def _cut(self, begin: int, stop: int) -> Trace:
        return Trace(
            self.arrival_s[begin:stop] - self.arrival_s[begin],
            self.tokens_in[begin:stop],
            self.tokens_out[begin:stop],
            self.source,
            self.format,
        )
