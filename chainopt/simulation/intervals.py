"""Confidence intervals from means of batches (docs/theory/simulation.md).

A run is cut into batches of equally many jobs; if these are long, their means are nearly independent and normal.

References
----------
A. M. Law, Simulation Modeling and Analysis, 5th ed., McGraw-Hill 2015, sections 9.5 (batch means) and 11.4 (control
variates). L. Schruben, Confidence interval estimation using standardized time series, Operations Research 31 (1983).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95

LEAST_BATCHES = 4
"""Batches from which on a control variate, or a test of correlation, makes sense."""


@dataclass(frozen=True)
class Estimate:
    """A mean and how far it may be off: the interval is `mean` ± `half_width`.

    Attributes
    ----------
    mean, half_width
        In the unit of what is estimated; the half width is nan where there are too few batches.
    """

    mean: float
    half_width: float

    def excludes(self, value: float) -> bool:
        """Whether a value lies outside of the interval."""
        return bool(abs(self.mean - value) > self.half_width)


def of_batches(means: NDArray[np.float64], confidence: float = CONFIDENCE) -> Estimate:
    """Student's interval for the mean of independent batches, shape (b,)."""
    from scipy.stats import t

    count = means.size
    if count < 2:
        return Estimate(float(np.mean(means)) if count else np.nan, np.nan)
    error = np.std(means, ddof=1) / np.sqrt(count)
    return Estimate(float(np.mean(means)), float(t.ppf((1 + confidence) / 2, count - 1) * error))


def controlled(
    means: NDArray[np.float64], control: NDArray[np.float64], expected: float, confidence: float = CONFIDENCE
) -> Estimate:
    """The same with a control variate: a quantity of the same batches whose true mean is known.

    The batches' means are regressed on those of the control, and the line is read off at its true mean.

    Parameters
    ----------
    means, control
        Shape (b,), from the same jobs (common random numbers).
    expected
        True mean of the control.
    """
    from scipy.stats import t

    count = means.size
    shift = control - np.mean(control)
    spread = float(np.dot(shift, shift))
    if count < LEAST_BATCHES or spread == 0:
        return of_batches(means, confidence)
    slope = float(np.dot(shift, means)) / spread
    distance = expected - float(np.mean(control))
    residual = means - np.mean(means) - slope * shift
    variance = float(np.dot(residual, residual)) / (count - 2)
    error = np.sqrt(variance * (1 / count + distance**2 / spread))
    return Estimate(float(np.mean(means)) + slope * distance, float(t.ppf((1 + confidence) / 2, count - 2) * error))


def growing(means: NDArray[np.float64]) -> bool:
    """Whether the last quarter of the batches is half as much again as the first, and neighbours are alike."""
    quarter = means.size // 4
    if quarter < 1 or not correlated(means):
        return False
    return bool(np.mean(means[-quarter:]) > 1.5 * np.mean(means[:quarter]))


def correlated(means: NDArray[np.float64]) -> bool:
    """Whether neighbouring batches are alike, as those of a run that is too short are (a test at level 1 %).

    The lag-1 autocorrelation of b independent values is about normal with mean -1/b and variance 1/b.
    """
    count = means.size
    shift = means - np.mean(means)
    spread = float(np.dot(shift, shift))
    if count < LEAST_BATCHES or spread == 0:
        return False
    lag = float(np.dot(shift[1:], shift[:-1])) / spread
    return bool((lag + 1 / count) * np.sqrt(count) > 2.326)
