"""The witnesses witness each other: in exact fractions, Palm's recursion is the Markov chain, to the last digit."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import pytest

from tests.oracles.queues import (
    birth_death_jobs,
    birth_death_jobs_by_logarithms,
    lattice,
    markov_chain,
    response_tail,
    waiting_in_mmc,
)

SYSTEMS = [
    ((1,), (1,)),
    ((1,), (4,)),
    ((2, 1), (1, 1)),
    ((2, 1), (2, 3)),
    ((7, 7), (1, 2)),
    ((1, 3), (1, 2)),  # slowest first: the order is that in which chains are tried, whatever their rates
    ((3, 2, 1), (1, 1, 1)),
    ((5, 2, 1), (2, 1, 2)),
    ((9, 4, 2, 1), (1, 1, 1, 1)),
]


@pytest.mark.parametrize(("rates", "capacities"), SYSTEMS)
@pytest.mark.parametrize("load", [Fraction(1, 100), Fraction(1, 2), Fraction(9, 10)])
def test_recursion_is_the_markov_chain(rates: tuple[int, ...], capacities: tuple[int, ...], load: Fraction) -> None:
    """Jobs, waiting, shares and choices are the same rational numbers, for any order of the chains."""
    arrival_rate = load * sum(m * c for m, c in zip(rates, capacities, strict=True))

    assert lattice(rates, capacities, arrival_rate) == markov_chain(
        [Fraction(m) for m in rates], capacities, arrival_rate
    )


def test_two_servers_by_hand() -> None:
    """λ = 1, μ = 2 and 1: the four states without a queue are in proportion 5 : 2 : 1 : 1."""
    # Balance: idle 1 = 2·p10 + p01, (1 + 2) p10 = p00 + p11, (1 + 1) p01 = 2 p11, and ρ = 1/3.
    # The queue adds 1/3 + 1/9 + ... = 1/2 to the state where both are busy: 9.5 in all.
    steady = markov_chain([Fraction(2), Fraction(1)], [1, 1], Fraction(1))

    assert steady.waiting == Fraction(3, 19)  # (1 + 1/2) / 9.5
    assert steady.mean_jobs == Fraction(27, 38)  # (2 + 1 + 2·1 + 2·1/2 + (1/3)/(2/3)²) / 9.5
    assert steady.shares == [Fraction(14, 19), Fraction(5, 19)]  # server 2 is busy for 1 + 1 + 1/2 of 9.5
    assert steady.chosen == [Fraction(12, 19), Fraction(4, 19)]  # states 00 and 01; state 10


def test_one_kind_of_server() -> None:
    """M/M/c: the Markov chain has Erlang's waiting probability, and his delay formula for the mean."""
    for servers in range(1, 6):
        arrival_rate, rate = Fraction(3, 4) * servers, Fraction(1)
        waiting = waiting_in_mmc(servers, rate, arrival_rate)
        steady = markov_chain([rate], [servers], arrival_rate)

        a = arrival_rate / rate
        terms = [a**n / Fraction(prod(range(1, n + 1))) for n in range(servers + 1)]
        last = terms[-1] / (1 - a / servers)
        assert waiting == last / (sum(terms[:-1]) + last) == steady.waiting
        assert steady.mean_jobs == a + waiting * a / (servers - a)


def test_logarithms_of_theorem_4() -> None:
    """The bound in floats is the bound in fractions."""
    rates, capacities, arrival_rate = [Fraction(3), Fraction(1, 3)], [4, 5], Fraction(12)

    exact = birth_death_jobs(rates, capacities, arrival_rate)

    floats = birth_death_jobs_by_logarithms([float(m) for m in rates], capacities, 12.0)
    assert floats == pytest.approx(float(exact), rel=1e-13)


def test_following_one_job() -> None:
    """The tail of M/M/1 is e^-(μ - λ)t, and the tail integrates to the mean."""
    for time in (0.0, 0.5, 2.0):
        assert response_tail([2.0], [1], 1.0, time) == pytest.approx(2.718281828459045**-time, rel=1e-12)
