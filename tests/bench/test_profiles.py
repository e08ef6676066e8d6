"""Performance profiles, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainopt.bench.outcomes import runs_of
from chainopt.bench.profiles import profiles
from tests.bench.results import result

# values   a    b    c      best   ratios  a    b    c
# p        1    2    4         1           1    2    4
# q        6    3    -         3           2    1    -
# r        5    5   10         5           1    1    2
# s        -    -    -         -           nobody: not one of the problems
VALUES = {"p": (1.0, 2.0, 4.0), "q": (6.0, 3.0, None), "r": (5.0, 5.0, 10.0), "s": (None, None, None)}
RECORDS = [result(p, method, value) for p, row in VALUES.items() for method, value in zip("abc", row, strict=True)]


def test_profiles_of_three_methods_by_hand() -> None:
    """Shares at factors before, at and after each step, of the three problems that some method solved."""
    found = {profile.method: profile for profile in profiles(runs_of(RECORDS))}
    factors = [1.0, 1.99, 2.0, 3.99, 4.0, 1e9]
    third = 1 / 3
    expected = {
        "a": [2 * third, 2 * third, 1, 1, 1, 1],
        "b": [2 * third, 2 * third, 1, 1, 1, 1],
        "c": [0, 0, third, third, 2 * third, 2 * third],  # q is never reached
    }
    for method, shares in expected.items():
        np.testing.assert_allclose(found[method].share(factors), shares, err_msg=method)
        assert found[method].problems == 3


def test_rates_are_better_when_larger() -> None:
    """Of the rates 2 and 8 the second is the best, the first a factor 4 away."""
    runs = runs_of([result("p", m, v, objective="rate") for m, v in (("low", 2.0), ("high", 8.0))])
    assert [(p.method, p.ratios.tolist()) for p in profiles(runs)] == [("high", [1.0]), ("low", [4.0])]


def test_what_is_not_verified_is_not_reached() -> None:
    """A value that is better than all others, but was refused, neither counts nor is the best."""
    runs = runs_of([result("p", "honest", 2.0), result("p", "liar", 1.0, verified=False)])
    assert [(p.method, p.ratios.tolist()) for p in profiles(runs)] == [("honest", [1.0]), ("liar", [])]


def test_nothing_solved_gives_no_profiles() -> None:
    """Without a solution there is nothing to compare."""
    assert profiles(runs_of([result("s", "a", None)])) == []
    assert profiles([]) == []


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("pqrst"), st.sampled_from("abc")),
        st.none() | st.floats(0.1, 100),
        min_size=1,
    )
)
def test_profiles_are_the_definition(values: dict[tuple[str, str], float | None]) -> None:
    """For any values, shares at any factor are counted as Dolan and Moré define them, and never fall."""
    runs = runs_of([result(problem, method, value) for (problem, method), value in values.items()])
    best = {p: min(some) for p in "pqrst" if (some := [v for (q, _), v in values.items() if q == p and v is not None])}
    for profile in profiles(runs):
        factors = np.array([1.0, 1.5, 3.0, 20.0, 1e4])
        counted = [
            sum(
                (value := values.get((p, profile.method))) is not None and value <= factor * least * (1 + 1e-12)
                for p, least in best.items()
            )
            / len(best)
            for factor in factors
        ]
        shares = profile.share(factors)
        assert shares == pytest.approx(counted)
        assert (np.diff(shares) >= 0).all()
