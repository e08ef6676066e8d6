"""Arrival processes have the rates and variances that are known of them, however they are drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chainopt.errors import FormatError
from chainopt.simulation import arrivals
from chainopt.simulation.arrivals import (
    ARRIVALS,
    Arrivals,
    Deterministic,
    Hyperexponential,
    MarkovModulated,
    Poisson,
    Recorded,
    parse_arrivals,
)
from chainopt.simulation.streams import BLOCK

BURSTY = MarkovModulated(2.0, ratio=10, share=0.1, mean_burst_s=3)
LAWS: list[Arrivals] = [
    Poisson(2.0),
    Deterministic(3.0),
    Hyperexponential(0.5, scv=4),
    BURSTY,
    MarkovModulated(50.0, ratio=3, share=0.5, mean_burst_s=0.01),  # two or so arrivals a visit
    MarkovModulated(1.0, ratio=2, share=0.2, mean_burst_s=5000),  # few visits a block
]


def dispersion(law: Arrivals) -> float:
    return law.dispersion if isinstance(law, MarkovModulated) else law.scv


@pytest.mark.parametrize("law", LAWS[:5], ids=repr)
def test_rate_and_variance(law: Arrivals) -> None:
    """Of a million times between arrivals, mean and squared coefficient of variation are those of the law.

    The mean of n times between arrivals has a standard error of sqrt(dispersion / n) of itself; four are allowed, and
    for the variance, 2 %, which is three or more of its standard errors.
    """
    count = 1_000_000
    times = law.draw(np.random.default_rng(1)).take(count)
    gaps = np.diff(times)
    assert times[-1] / count * law.rate == pytest.approx(1, abs=4 * math.sqrt(dispersion(law) / count) + 1e-12)
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(law.scv, rel=0.02, abs=1e-12)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_in_order(law: Arrivals) -> None:
    """Times are in order, after 0, from one block to the next as well."""
    times = law.draw(np.random.default_rng(2)).take(3 * BLOCK)
    assert times.dtype == np.float64
    assert times[0] > 0
    assert (np.diff(times) >= 0).all()


@settings(max_examples=30, deadline=None)
@example(law=Poisson(2.0), counts=[BLOCK - 1, 1, 1, 2 * BLOCK + 5], seed=0)
@example(law=Deterministic(3.0), counts=[BLOCK, 0, BLOCK + 1], seed=0)
@example(law=BURSTY, counts=[1, 3 * BLOCK, BLOCK], seed=0)
@given(law=st.sampled_from(LAWS), counts=st.lists(st.integers(0, 70_000), max_size=5), seed=st.integers(0, 9))
def test_any_portions(law: Arrivals, counts: list[int], seed: int) -> None:
    """The times do not depend on how many are taken at once, only on the seed."""
    portions = law.draw(np.random.default_rng(seed))
    taken = [portions.take(count) for count in counts]
    assert [len(times) for times in taken] == counts
    whole = law.draw(np.random.default_rng(seed)).take(sum(counts))
    np.testing.assert_array_equal(np.concatenate([*taken, whole[:0]]), whole)


def test_deterministic() -> None:
    """Arrival k comes at k / rate, however large k is: errors do not add up."""
    times = Deterministic(3.0).draw(np.random.default_rng()).take(1_000_000)
    np.testing.assert_array_equal(times, np.arange(1, 1_000_001) / 3.0)


def test_hyperexponential_by_hand() -> None:
    """Of squared coefficient of variation 7, the two means are those solved by hand, as seen in the tail.

    sqrt(6 / 8) = 0.866, so p_1 = 0.933, p_2 = 0.067. At rate 1, the mean of the long ones is 1 / (2 · 0.067) = 7.464,
    and longer than 20 are 0.067 exp(-20 / 7.464) = 0.459 % (the short ones, of mean 0.536, never are).
    Of a million, that is 4,594 with a standard deviation of 68.
    """
    gaps = np.diff(Hyperexponential(1.0, scv=7).draw(np.random.default_rng(3)).take(1_000_001))
    assert np.count_nonzero(gaps > 20) == pytest.approx(4594, abs=4 * 68)


@given(
    ratio=st.floats(1.01, 1000),
    share=st.floats(0.01, 0.99),
    mean_burst_s=st.floats(0.01, 1000),
    rate=st.floats(0.1, 10),
)
def test_modulated_formulas(ratio: float, share: float, mean_burst_s: float, rate: float) -> None:
    """Rate, variance and dispersion are those of the general formulas for a Markovian arrival process.

    With D_0 = Q - Λ and P = (-D_0)^-1 Λ, the phase at arrivals has the law φ = φ P, and times between them have the
    moments n! φ (-D_0)^-n 1. The limit of variance over mean of the counts is
    1 + 2 (λ - π Λ (Q + 1 π)^-1 Λ 1 / λ) [Fischer and Meier-Hellstern, 1993].
    """
    law = MarkovModulated(rate, ratio, share, mean_burst_s)
    begin, end = (1 / length for length in law.mean_lengths_s)
    switching = np.array([[-begin, begin], [end, -end]])
    rates = np.diag(law.arrival_rates)
    phases, ones = np.array([1 - share, share]), np.ones(2)
    assert phases @ switching == pytest.approx(0, abs=1e-9 * end)
    assert phases @ rates @ ones == pytest.approx(rate)
    stay = np.linalg.inv(rates - switching)
    at_arrivals = phases @ rates / rate
    assert at_arrivals @ stay @ rates == pytest.approx(at_arrivals)
    mean = at_arrivals @ stay @ ones
    assert 2 * at_arrivals @ stay @ stay @ ones / mean**2 - 1 == pytest.approx(law.scv, rel=1e-6)
    deviation = np.linalg.inv(switching + np.outer(ones, phases))
    limit = 1 + 2 * (rate - phases @ rates @ deviation @ rates @ ones / rate)
    assert limit == pytest.approx(law.dispersion, rel=1e-6, abs=1e-6)


def test_modulated_lags() -> None:
    """Times between arrivals are correlated as they should be, at lags 1, 2 and 5.

    The correlation at lag k is (1 - 1 / scv) / 2 · γ^k with γ = λ_0 λ_1 / (λ_0 λ_1 + λ_0 σ_1 + λ_1 σ_0), from the
    matrices of the test above. Two million pairs give it to about 0.005.
    """
    quiet, burst = BURSTY.arrival_rates
    begin, end = (1 / length for length in BURSTY.mean_lengths_s)
    decay = quiet * burst / (quiet * burst + quiet * end + burst * begin)
    gaps = np.diff(BURSTY.draw(np.random.default_rng(4)).take(2_000_000))
    for lag in (1, 2, 5):
        expected = (1 - 1 / BURSTY.scv) / 2 * decay**lag
        assert np.corrcoef(gaps[:-lag], gaps[lag:])[0, 1] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("window_s", [0.5, 3, 30])
def test_modulated_counts(window_s: float) -> None:
    """Variance over mean of the arrivals in a window is what it should be, for short ones and long ones.

    It is d - (d - 1) (1 - exp(-σ t)) / (σ t), with the limit d and σ = σ_0 + σ_1 [Fischer and Meier-Hellstern, 1993].
    Of 30,000 windows, the variance has a standard error of about 1.5 %.
    """
    windows = 30_000
    times = BURSTY.draw(np.random.default_rng(5)).take(int(2.1 * windows * window_s))
    counts = np.bincount((times / window_s).astype(np.int64), minlength=windows)[:windows]
    decays = sum(1 / length for length in BURSTY.mean_lengths_s) * window_s
    expected = BURSTY.dispersion - (BURSTY.dispersion - 1) * -math.expm1(-decays) / decays
    assert counts.var() / counts.mean() == pytest.approx(expected, rel=0.06)


def test_modulated_starts_stationary() -> None:
    """From the start on, arrivals come at the mean rate: neither in a burst for sure nor out of it.

    In 3 s, 6 jobs come in the mean, with a variance of 6 · 9.6 by the formula of the test above, which 1,600 starts
    see to a standard error of 0.19.
    """
    counts = [np.searchsorted(BURSTY.draw(np.random.default_rng(seed)).take(200), 3.0) for seed in range(1600)]
    assert np.mean(counts) == pytest.approx(6, abs=4 * 0.19)


def test_modulated_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visits that end with a block, begin with one or go on over several keep the rate; four standard errors."""
    monkeypatch.setattr(arrivals, "BLOCK", 4)
    law, count = LAWS[4], 40_000
    times = law.draw(np.random.default_rng(7)).take(count)
    assert times[-1] / count * law.rate == pytest.approx(1, abs=4 * math.sqrt(dispersion(law) / count))


def test_few_long_visits() -> None:
    """A burst of a hundred million jobs is drawn piece by piece, at its rate."""
    law = MarkovModulated(1.0, ratio=4, share=0.5, mean_burst_s=1e8)
    times = law.draw(np.random.default_rng(6)).take(100_000)
    assert min(abs(times[-1] * rate / 100_000 - 1) for rate in law.arrival_rates) < 0.02


def test_recorded() -> None:
    """Given times are handed out as they are, and no more than there are.

    The times between them are 1, 0 and 2: mean 1, variance 2/3.
    """
    law = Recorded(np.array([1.0, 2.0, 2.0, 4.0]))
    assert law.rate == 1
    assert law.scv == pytest.approx(2 / 3)
    stream = law.draw(np.random.default_rng())
    assert stream.take(3).tolist() == [1, 2, 2]
    with pytest.raises(FormatError, match="expected at most 4 jobs, as many as were recorded, got 5"):
        stream.take(2)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([], "expected finite times of one job at least"),
        ([0.0, math.nan], "expected finite times"),
        ([0.0, math.inf], "expected finite times"),
        ([[0.0, 1.0]], "expected finite times"),
        ([-1.0, 1.0], "in order, none before 0"),
        ([0.0, 2.0, 1.0], "in order, none before 0"),
    ],
)
def test_bad_recorded(times: list[float], message: str) -> None:
    """Times that are none, or not in order, are refused."""
    with pytest.raises(FormatError, match=message) as caught:
        Recorded(np.array(times))
    assert caught.value.path == "times"


def test_recorded_all_at_once() -> None:
    """Jobs that come all at once have no rate, but can be served."""
    law = Recorded(np.zeros(3))
    assert law.draw(np.random.default_rng()).take(3).tolist() == [0, 0, 0]
    with pytest.raises(FormatError, match="expected jobs that come at different times"):
        law.rate  # noqa: B018


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("poisson", Poisson(2.57)),
        ("deterministic", Deterministic(2.57)),
        ("hyperexponential:4", Hyperexponential(2.57, 4)),
        ("hyperexponential:4.5e1", Hyperexponential(2.57, 45)),
        ("mmpp:10:.1:60", MarkovModulated(2.57, 10, 0.1, 60)),
    ],
)
def test_parse(text: str, law: Arrivals) -> None:
    """Each process has a text that names it."""
    assert parse_arrivals(text, 2.57) == law
    assert text.partition(":")[0] in ARRIVALS


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        ("", "expected one of poisson, deterministic, hyperexponential:SCV, mmpp:RATIO:SHARE:BURST_S, got ''", None),
        ("Poisson", "expected one of poisson, .*, got 'Poisson'", None),
        ("poisson:", "expected poisson, got 'poisson:'", None),
        ("poisson:1", "expected poisson, got 'poisson:1'", None),
        ("hyperexponential", "expected hyperexponential:SCV, got 'hyperexponential'", None),
        ("hyperexponential:4:5", "expected hyperexponential:SCV", None),
        ("hyperexponential:four", "expected a number for SCV, got 'four' in 'hyperexponential:four'", None),
        ("hyperexponential:", "expected a number for SCV, got ''", None),
        ("hyperexponential: 4", "expected a number for SCV, got ' 4'", None),
        ("hyperexponential:1_0", "expected a number for SCV, got '1_0'", None),
        ("hyperexponential:٤", "expected a number for SCV", None),
        ("hyperexponential:nan", "expected a number for SCV", None),
        ("hyperexponential:inf", "expected a number for SCV", None),
        ("hyperexponential:1e999", "expected a finite number above 1, got inf", "scv"),
        ("hyperexponential:1", "expected a finite number above 1, got 1.0", "scv"),
        ("hyperexponential:-4", "got -4.0", "scv"),
        ("mmpp:10:0.1", "expected mmpp:RATIO:SHARE:BURST_S, got 'mmpp:10:0.1'", None),
        ("mmpp:1:0.1:60", "expected a finite number above 1, got 1.0", "ratio"),
        ("mmpp:10:0:60", "expected a finite number between 0 and 1, got 0.0", "share"),
        ("mmpp:10:1:60", "expected a finite number between 0 and 1, got 1.0", "share"),
        ("mmpp:10:0.1:0", "expected a finite number above 0, got 0.0", "mean_burst_s"),
        ("mmpp:10:0.1:x", "expected a number for BURST_S, got 'x'", None),
        ("mmpp:10:0.1:1e13", "expected at most 1e.12 arrivals in the mean burst", "mean_burst_s"),
        ("mmpp:10:1e-320:1", "expected at most 1e.12 arrivals in the mean burst", "mean_burst_s"),
        ("mmpp:10:0.1:1e-5", "expected at least 0.001 arrivals from burst to burst", "mean_burst_s"),
    ],
)
def test_bad_text(text: str, message: str, path: str | None) -> None:
    """A text that names no process is refused with what was expected."""
    with pytest.raises(FormatError, match=message) as caught:
        parse_arrivals(text, 2.0)
    assert caught.value.path == path


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("text", ["poisson", "deterministic", "hyperexponential:2", "mmpp:2:0.5:1"])
def test_bad_rate(text: str, rate: float) -> None:
    """So is a rate that is not a positive number."""
    with pytest.raises(FormatError, match="expected a finite number above 0") as caught:
        parse_arrivals(text, rate)
    assert caught.value.path == "rate"
