"""What jobs demand: their size, of mean 1, or their tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from chainopt.errors import FormatError
from chainopt.simulation.laws import Law, check_between, parse_law
from chainopt.simulation.streams import BLOCK, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


class Sizes(Protocol):
    """A law of demands, see `pace`."""

    @property
    def demands(self) -> int:
        """D, how many a job has."""

    @property
    def scv(self) -> float:
        """Variance of the size over the square of its mean; of tokens, that of the tokens in and out together."""

    def draw(self, generator: np.random.Generator) -> Stream:
        """Demands of one job after another, rows of D."""


@dataclass(frozen=True)
class Exponential:
    """Sizes of an exponential law, as in the paper."""

    demands = 1
    scv = 1.0

    def draw(self, generator: np.random.Generator) -> Stream:
        """Sizes, in rows of one."""
        return Stream(_independent(lambda: generator.standard_exponential(BLOCK)))


@dataclass(frozen=True)
class Constant:
    """All sizes are 1."""

    demands = 1
    scv = 0.0

    def draw(self, generator: np.random.Generator) -> Stream:
        """Sizes, in rows of one; nothing is drawn."""
        return Stream(_independent(lambda: np.ones(BLOCK)))


@dataclass(frozen=True)
class Lognormal:
    """Sizes whose logarithm is normal, of the variance ln(1 + scv).

    Attributes
    ----------
    scv
        Their variance, above 0.
    """

    scv: float
    demands = 1

    def __post_init__(self) -> None:
        check_between("scv", self.scv, 0)

    def draw(self, generator: np.random.Generator) -> Stream:
        """Sizes, in rows of one."""
        variance = math.log1p(self.scv)
        deviation = math.sqrt(variance)
        return Stream(_independent(lambda: np.exp(deviation * generator.standard_normal(BLOCK) - variance / 2)))


@dataclass(frozen=True, eq=False)
class TokenSizes:
    """Demands of jobs of given tokens, in the order of a trace: 1, tokens in, decode steps.

    The first token out comes with the prompt, so that max(tokens out, 1) - 1 are left for decode steps.

    Attributes
    ----------
    tokens_in, tokens_out
        Shape (n,).
    """

    tokens_in: NDArray[np.int64]
    tokens_out: NDArray[np.int64]
    demands = 3

    def __post_init__(self) -> None:
        if self.tokens_in.ndim != 1 or self.tokens_in.shape != self.tokens_out.shape or not self.tokens_in.size:
            given = f"{self.tokens_in.shape} and {self.tokens_out.shape}"
            raise FormatError(f"expected tokens in and out of the same jobs, at least one, got the shapes {given}")

    def draw(self, generator: np.random.Generator) -> Stream:
        """Demands, in rows of three, of which there is an end; nothing is drawn."""
        return Stream(self._blocks())

    @property
    def scv(self) -> float:
        """Of the tokens in and out together."""
        tokens = self.tokens_in + self.tokens_out
        return float(np.var(tokens) / np.mean(tokens) ** 2)

    def _blocks(self) -> Iterator[NDArray[np.float64]]:
        for begin in range(0, len(self.tokens_in), BLOCK):
            tokens_in, tokens_out = self.tokens_in[begin : begin + BLOCK], self.tokens_out[begin : begin + BLOCK]
            steps = np.maximum(tokens_out, 1) - 1
            yield np.stack([np.ones(len(steps)), tokens_in, steps], axis=1)


def _independent(sizes: Callable[[], NDArray[np.float64]]) -> Iterator[NDArray[np.float64]]:
    while True:
        yield sizes()[:, None]


SIZES: dict[str, Law[Sizes]] = {
    "exponential": Law(Exponential),
    "deterministic": Law(Constant),
    "lognormal": Law(Lognormal, ("SCV",)),
}


def parse_sizes(text: str) -> Sizes:
    """The law of sizes that a text such as ``lognormal:2`` names, see `SIZES`.

    Raises
    ------
    FormatError
        If it names none.
    """
    return parse_law(text, SIZES)
