"""The formats of traces: CSV files that differ in the names of three columns, and in how they tell the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainopt.simulation.traces import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes
    ----------
    time, tokens_in, tokens_out
        Names of the columns.
    times
        Reads the column of times, see `cells`.
    a_time
        What it takes, in words.
    unit_s
        Seconds of its unit.
    """

    time: str
    tokens_in: str
    tokens_out: str
    times: Callable[[Sequence[str]], tuple[NDArray[Any], NDArray[np.bool_]]]
    a_time: str
    units_per_s: float

    @property
    def columns(self) -> tuple[str, str, str]:
        """Names of the three columns."""
        return self.time, self.tokens_in, self.tokens_out


_A_TIMESTAMP = "a UTC time such as 2023-11-16 18:17:03.9799600"
_A_SECOND = f"seconds from 0 to {cells.MOST_SECONDS:g}".replace("+", "")

FORMATS: dict[str, Format] = {
    "azure": Format("TIMESTAMP", "ContextTokens", "GeneratedTokens", cells.timestamps, _A_TIMESTAMP, 1e9),
    "vidur": Format("arrived_at", "num_prefill_tokens", "num_decode_tokens", cells.seconds, _A_SECOND, 1),
    "splitwise": Format("arrival_timestamp", "prompt_size", "token_size", cells.seconds, _A_SECOND, 1),
}
"""By name.

azure
    Azure Public Dataset, AzureLLMInferenceDataset2023.md and AzureLLMInferenceDataset2024.md (GitHub:
    Azure/AzurePublicDataset). Times of 2023 have seven digits behind the point, those of 2024 six and ``+00:00``.
vidur
    The columns of ``data/processed_traces/splitwise_code.csv`` (GitHub: microsoft/vidur), in seconds.
splitwise
    The traces of ``generate_trace.py`` (GitHub: Mutinifni/splitwise-sim), in seconds.
"""
