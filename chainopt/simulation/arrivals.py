"""When jobs come.

A renewal process starts as if a job had come at time 0, which is not counted; a modulated one starts stationary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from chainopt.errors import FormatError
from chainopt.model.record import shown
from chainopt.simulation.laws import Law, check_between, parse_law
from chainopt.simulation.streams import BLOCK, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

MOST_ARRIVALS_A_VISIT = 1e12
LEAST_ARRIVALS_A_CYCLE = 1e-3


class Arrivals(Protocol):
    """An arrival process."""

    @property
    def rate(self) -> float:
        """Jobs per second, in the long run."""

    @property
    def scv(self) -> float:
        """Squared coefficient of variation of the times between arrivals, in the long run."""

    @property
    def dispersion(self) -> float:
        """Variance over mean of the arrivals in a long time; of a renewal process, `scv`."""

    def at(self, rate: float) -> Arrivals:
        """The same process at another rate."""

    def draw(self, generator: np.random.Generator) -> Stream:
        """Arrival times in seconds from 0, in order, each row one."""


class _Renewal:
    """What the processes with independent times between arrivals have in common."""

    @property
    def dispersion(self: Arrivals) -> float:
        """`scv`."""
        return self.scv

    def at(self, rate: float) -> Self:
        """The same process at another rate."""
        return replace(self, rate=rate)  # type: ignore[type-var]  # each is a dataclass


@dataclass(frozen=True)
class Poisson(_Renewal):
    """Independent, exponential times between arrivals."""

    rate: float

    def __post_init__(self) -> None:
        check_between("rate", self.rate, 0)

    @property
    def scv(self) -> float:
        """1."""
        return 1.0

    def draw(self, generator: np.random.Generator) -> Stream:
        """Arrival times in seconds from 0."""
        return Stream(_renewals(lambda: generator.standard_exponential(BLOCK) / self.rate))


@dataclass(frozen=True)
class Deterministic(_Renewal):
    """An arrival every 1 / rate seconds."""

    rate: float

    def __post_init__(self) -> None:
        check_between("rate", self.rate, 0)

    @property
    def scv(self) -> float:
        """0."""
        return 0.0

    def draw(self, generator: np.random.Generator) -> Stream:
        """Arrival times in seconds from 0; nothing is drawn."""
        return Stream(self._blocks())

    def _blocks(self) -> Iterator[NDArray[np.float64]]:
        number = np.arange(1.0, BLOCK + 1)
        while True:
            yield number / self.rate  # not summed up, so that no error builds up
            number += BLOCK


@dataclass(frozen=True)
class Hyperexponential(_Renewal):
    """Independent times between arrivals, each of one of two exponential laws that add as much to the mean.

    Law i has the probability p_i and the rate 2 p_i · rate, where p_1 = (1 + sqrt((scv - 1) / (scv + 1))) / 2: balanced
    means [W. Whitt, Approximating a point process by a renewal process, I: two basic methods, Operations Research
    30(1), 1982; H. C. Tijms, A First Course in Stochastic Models, 2003, appendix B].

    Attributes
    ----------
    scv
        Above 1.
    """

    rate: float
    scv: float

    def __post_init__(self) -> None:
        check_between("rate", self.rate, 0)
        check_between("scv", self.scv, 1)

    def draw(self, generator: np.random.Generator) -> Stream:
        """Arrival times in seconds from 0."""
        skew = math.sqrt((self.scv - 1) / (self.scv + 1))
        often = (1 + skew) / 2
        rare = 1 / (self.scv + 1) / (1 + skew)  # (1 - skew) / 2, without its cancellation
        short_s, long_s = 1 / (2 * often * self.rate), 1 / (2 * rare * self.rate)

        def gaps() -> NDArray[np.float64]:
            long = generator.random(BLOCK) < rare
            return generator.standard_exponential(BLOCK) * np.where(long, long_s, short_s)

        return Stream(_renewals(gaps))


@dataclass(frozen=True)
class MarkovModulated:
    """A Poisson process in bursts, another one in the quiet times between them; both last exponential times.

    A Markov-modulated Poisson process of two states [W. Fischer, K. Meier-Hellstern, The Markov-modulated Poisson
    process (MMPP) cookbook, Performance Evaluation 18(2), 1993].

    Attributes
    ----------
    rate
        Of arrivals, over all.
    ratio
        Rate in bursts over the rate in quiet times, above 1.
    share
        Of the time in bursts, between 0 and 1.
    mean_burst_s
        Mean length of a burst, seconds.
    """

    rate: float
    ratio: float
    share: float
    mean_burst_s: float

    def __post_init__(self) -> None:
        check_between("rate", self.rate, 0)
        check_between("ratio", self.ratio, 1)
        check_between("share", self.share, 0, 1)
        check_between("mean_burst_s", self.mean_burst_s, 0)
        most = max(rate * length for rate, length in zip(self.arrival_rates, self.mean_lengths_s, strict=True))
        if not most <= MOST_ARRIVALS_A_VISIT:
            limit = f"at most {MOST_ARRIVALS_A_VISIT:g} arrivals in the mean burst and quiet time"
            raise FormatError(f"expected {limit}, got {most:g}", path="mean_burst_s")
        cycle = self.rate * sum(self.mean_lengths_s)
        if not cycle >= LEAST_ARRIVALS_A_CYCLE:
            limit = f"at least {LEAST_ARRIVALS_A_CYCLE:g} arrivals from burst to burst, else take a Poisson process"
            raise FormatError(f"expected {limit}, got {cycle:g}", path="mean_burst_s")

    @property
    def arrival_rates(self) -> tuple[float, float]:
        """λ_0 in quiet times, λ_1 in bursts, jobs per second."""
        quiet = self.rate / (1 - self.share + self.ratio * self.share)
        return quiet, self.ratio * quiet

    @property
    def mean_lengths_s(self) -> tuple[float, float]:
        """1 / σ_0 of quiet times, 1 / σ_1 of bursts, where σ_i is the rate of leaving."""
        return self.mean_burst_s * (1 - self.share) / self.share, self.mean_burst_s

    @property
    def scv(self) -> float:
        """1 + 2 σ_0 σ_1 (λ_0 - λ_1)² / ((σ_0 + σ_1)² (λ_0 λ_1 + λ_0 σ_1 + λ_1 σ_0)).

        [H. Heffes, D. M. Lucantoni, A Markov modulated characterization of packetized voice and data traffic and
        related statistical multiplexer performance, IEEE J. Sel. Areas Commun. 4(6), 1986.]
        """
        quiet, burst = self.arrival_rates
        return 1 + self._spread / (quiet * burst + self._switching * self.rate)

    @property
    def dispersion(self) -> float:
        """Variance over mean of the arrivals in a long time; for a renewal process, this is `scv`.

        1 + 2 σ_0 σ_1 (λ_0 - λ_1)² / ((σ_0 + σ_1)² (λ_0 σ_1 + λ_1 σ_0)) [Fischer and Meier-Hellstern].
        """
        return 1 + self._spread / (self._switching * self.rate)

    def at(self, rate: float) -> MarkovModulated:
        """The same bursts at another rate."""
        return replace(self, rate=rate)

    @property
    def _spread(self) -> float:
        """2 σ_0 σ_1 (λ_0 - λ_1)² / (σ_0 + σ_1)², where σ_0 / (σ_0 + σ_1) is the share of bursts."""
        quiet, burst = self.arrival_rates
        return 2 * self.share * (1 - self.share) * (burst - quiet) ** 2

    @property
    def _switching(self) -> float:
        """σ_0 + σ_1; times the rate, this is λ_0 σ_1 + λ_1 σ_0."""
        quiet_s, burst_s = self.mean_lengths_s
        return 1 / quiet_s + 1 / burst_s

    def draw(self, generator: np.random.Generator) -> Stream:
        """Arrival times in seconds from 0."""
        return Stream(self._blocks(generator))

    def _blocks(self, generator: np.random.Generator) -> Iterator[NDArray[np.float64]]:
        """Arrival times, visit after visit to a state.

        In a visit, arrivals and its end are events of one Poisson process of the rate λ + σ, and each is the end with
        the probability σ / (λ + σ). So the number of events is geometric, and the times between them exponential.
        """
        leaving_rates = 1 / np.array(self.mean_lengths_s)
        event_rates = self.arrival_rates + leaving_rates
        end_chances = leaving_rates / event_rates
        first = int(generator.random() < self.share)
        visits = 2 * min(max(1, round(BLOCK * float(np.mean(end_chances)) / 2)), BLOCK // 2)
        states = (first + np.arange(visits)) % 2  # an even number, so the next visits begin with the same state
        clock = 0.0
        while True:
            ends = np.cumsum(generator.geometric(end_chances[states]))
            for begin in range(0, int(ends[-1]), BLOCK):
                stop = min(begin + BLOCK, int(ends[-1]))
                reached = np.clip(ends, begin, stop)
                events = reached - np.concatenate([[begin], reached[:-1]])
                gaps = generator.standard_exponential(stop - begin) / np.repeat(event_rates[states], events)
                times = clock + np.cumsum(gaps)
                clock = float(times[-1])
                arrives = np.ones(stop - begin, dtype=np.bool_)
                arrives[ends[(ends > begin) & (ends <= stop)] - 1 - begin] = False
                yield times[arrives]


@dataclass(frozen=True, eq=False)
class Recorded:
    """Arrivals at given times, such as those of a trace.

    Attributes
    ----------
    times
        Seconds from 0, in order, shape (n,).
    """

    times: NDArray[np.float64]

    def __post_init__(self) -> None:
        times = self.times
        if times.ndim != 1 or not times.size or not np.isfinite(times).all():
            raise FormatError(f"expected finite times of one job at least, got {shown(times)}", path="times")
        if times[0] < 0 or (times[1:] < times[:-1]).any():
            raise FormatError("expected times in order, none before 0", path="times")

    @property
    def rate(self) -> float:
        """1 over the mean time between arrivals.

        Raises
        ------
        FormatError
            If all jobs come at the same time.
        """
        span = float(self.times[-1] - self.times[0])
        if not span:
            raise FormatError("expected jobs that come at different times", path="times")
        return (len(self.times) - 1) / span

    @property
    def scv(self) -> float:
        """Variance of the times between arrivals over the square of their mean."""
        return float(np.var(np.diff(self.times))) * self.rate**2

    @property
    def dispersion(self) -> float:
        """`scv`, as if times between arrivals were independent: one record cannot tell."""
        return self.scv

    def at(self, rate: float) -> Recorded:
        """The same record, stretched in time."""
        return Recorded(self.times * (self.rate / rate))

    def draw(self, generator: np.random.Generator) -> Stream:
        """The times themselves, of which there is an end; nothing is drawn."""
        return Stream(iter([self.times]))


def _renewals(gaps: Callable[[], NDArray[np.float64]]) -> Iterator[NDArray[np.float64]]:
    clock = 0.0
    while True:
        times = np.cumsum(gaps())
        times += clock
        clock = float(times[-1])
        yield times


ARRIVALS: dict[str, Law[Arrivals]] = {
    "poisson": Law(Poisson),
    "deterministic": Law(Deterministic),
    "hyperexponential": Law(Hyperexponential, ("SCV",)),
    "mmpp": Law(MarkovModulated, ("RATIO", "SHARE", "BURST_S")),
}


def parse_arrivals(text: str, rate: float) -> Arrivals:
    """The arrival process that a text such as ``mmpp:10:0.1:60`` names, see `ARRIVALS`.

    Parameters
    ----------
    rate
        Jobs per second.

    Raises
    ------
    FormatError
        If it names none.
    """
    return parse_law(text, ARRIVALS, rate)
