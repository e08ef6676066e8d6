"""Random draws."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from chainopt.generate.draws import Draws, positive


def test_draws_are_pinned() -> None:
    """The same seed gives these very draws in every version of Python."""
    draws = Draws(7)
    assert draws.sample(range(10), 5) == [3, 2, 7, 0, 1]
    assert [draws.integer(1, 6) for _ in range(5)] == [3, 1, 4, 1, 3]
    assert draws.choice("abc") == "a"
    assert draws.spread(Decimal(1), Decimal(4), 6) == Decimal("0.567002")


def test_a_sample_has_no_item_twice_and_a_smaller_one_starts_it() -> None:
    """Samples of all sizes are prefixes of one random order of the items."""
    order = Draws(3).sample(range(30), 30)
    assert sorted(order) == list(range(30))
    for count in range(30):
        assert Draws(3).sample(range(30), count) == order[:count]


def test_samples_are_uniform() -> None:
    """Each of the 12 ordered pairs of four items comes up about equally often."""
    draws = Draws(0)
    times = Counter(tuple(draws.sample("abcd", 2)) for _ in range(12_000))
    assert len(times) == 12
    assert all(850 < count < 1150 for count in times.values())


@pytest.mark.parametrize("ratio", ["1", "2", "100"])
def test_spread_stays_within_the_ratio_and_around_the_middle(ratio: str) -> None:
    """Values lie between middle / sqrt(ratio) and middle · sqrt(ratio), half of them below the middle."""
    draws = Draws(1)
    values = [float(draws.spread(Decimal(3), Decimal(ratio), 9)) for _ in range(2000)]
    assert 3 / float(ratio) ** 0.5 - 1e-9 <= min(values) <= max(values) <= 3 * float(ratio) ** 0.5 + 1e-9
    below = sum(value < 3 for value in values)
    assert below == 0 if ratio == "1" else 900 < below < 1100


def test_positive_numbers_are_not_rounded_to_zero() -> None:
    """What is below half a unit of the last place becomes one unit."""
    assert positive(Decimal("0.0000001"), 2) == Decimal("0.01")
    assert positive(Decimal("1.005"), 2) == Decimal("1.00")
