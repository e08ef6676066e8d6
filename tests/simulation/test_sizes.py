"""Sizes have the mean 1 and the variance of their law; demands are made of tokens."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chainopt.errors import FormatError
from chainopt.simulation.sizes import SIZES, Constant, Exponential, Lognormal, Sizes, TokenSizes, parse_sizes
from chainopt.simulation.streams import BLOCK

TOKENS = TokenSizes(np.arange(1, 200_001), np.arange(200_000))
LAWS: list[Exponential | Constant | Lognormal] = [Exponential(), Constant(), Lognormal(0.25), Lognormal(2)]


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_mean_and_variance(law: Exponential | Constant | Lognormal) -> None:
    """Of a million sizes, the mean is 1 and the variance that of the law.

    The mean has a standard error of sqrt(scv) / 1000, of which four are allowed. The variance is within 5 %, several of
    its standard errors, which are largest for the lognormal law of variance 2: about 1.5 %.
    """
    sizes = law.draw(np.random.default_rng(1)).take(1_000_000)
    assert sizes.shape == (1_000_000, law.demands)
    assert sizes.min() > 0
    assert sizes.mean() == pytest.approx(1, abs=4 * math.sqrt(law.scv) / 1000)
    assert sizes.var() == pytest.approx(law.scv, rel=0.05)


def test_lognormal_quantiles() -> None:
    """The median is 1 / sqrt(1 + scv), and half of the logarithms are within 0.6745 deviations of it.

    With scv = 3: the median is 1/2, and the deviation of the logarithm sqrt(ln 4) = 1.177.
    """
    logs = np.log(Lognormal(3).draw(np.random.default_rng(2)).take(400_000)[:, 0])
    quartiles = np.quantile(logs, [0.25, 0.5, 0.75])
    assert quartiles == pytest.approx(math.log(0.5) + 1.177 * np.array([-0.6745, 0, 0.6745]), abs=0.01)


@settings(max_examples=30, deadline=None)
@example(law=Lognormal(2), counts=[BLOCK - 1, 1, 1, 2 * BLOCK + 5])
@example(law=TOKENS, counts=[BLOCK + 1, 0, BLOCK])
@given(law=st.sampled_from([*LAWS, TOKENS]), counts=st.lists(st.integers(0, 40_000), max_size=5))
def test_any_portions(law: Sizes, counts: list[int]) -> None:
    """The sizes do not depend on how many are taken at once."""
    portions = law.draw(np.random.default_rng(3))
    taken = [portions.take(count) for count in counts]
    assert [sizes.shape for sizes in taken] == [(count, law.demands) for count in counts]
    whole = law.draw(np.random.default_rng(3)).take(sum(counts))
    np.testing.assert_array_equal(np.concatenate([*taken, whole[:0]]), whole)


def test_tokens() -> None:
    """A job demands 1, its tokens in, and a decode step for each token out but the first.

    The prompt is processed even if no token comes out.
    """
    law = TokenSizes(np.array([4808, 110, 7, 7]), np.array([10, 2, 1, 0]))
    stream = law.draw(np.random.default_rng())
    assert stream.take(4).tolist() == [[1, 4808, 9], [1, 110, 1], [1, 7, 0], [1, 7, 0]]
    with pytest.raises(FormatError, match="expected at most 4 jobs, as many as were recorded, got 5"):
        stream.take(1)


@pytest.mark.parametrize(("tokens_in", "tokens_out"), [([], []), ([1, 2], [1]), ([[1]], [[1]])])
def test_bad_tokens(tokens_in: list[int], tokens_out: list[int]) -> None:
    """Tokens that are not of the same jobs are refused, and so are none."""
    with pytest.raises(FormatError, match="expected tokens in and out of the same jobs, at least one"):
        TokenSizes(np.array(tokens_in), np.array(tokens_out))


@pytest.mark.parametrize(
    ("text", "law"),
    [("exponential", Exponential()), ("deterministic", Constant()), ("lognormal:2", Lognormal(2))],
)
def test_parse(text: str, law: Sizes) -> None:
    """Each law has a text that names it."""
    assert parse_sizes(text) == law
    assert text.partition(":")[0] in SIZES


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        ("", "expected one of exponential, deterministic, lognormal:SCV, got ''", None),
        ("poisson", "expected one of exponential, .*, got 'poisson'", None),
        ("exponential:2", "expected exponential, got 'exponential:2'", None),
        ("lognormal", "expected lognormal:SCV, got 'lognormal'", None),
        ("lognormal:two", "expected a number for SCV, got 'two'", None),
        ("lognormal:0", "expected a finite number above 0, got 0.0", "scv"),
        ("lognormal:1e400", "expected a finite number above 0, got inf", "scv"),
    ],
)
def test_bad_text(text: str, message: str, path: str | None) -> None:
    """A text that names no law is refused with what was expected."""
    with pytest.raises(FormatError, match=message) as caught:
        parse_sizes(text)
    assert caught.value.path == path
