"""Disjoint chains: by hand."""

from __future__ import annotations

import pytest

from chainopt.exact.backends import MILP_BACKENDS, solve_milp
from chainopt.model import Status
from formulations.disjoint_chains import Chain, fewest_disjoint_chains

CHAINS = [Chain(2.0, (0, 1)), Chain(4.0, (2,)), Chain(4.0, (1, 2)), Chain(5.0, (3,))]
EVERY = pytest.mark.parametrize("backend", sorted(MILP_BACKENDS))


@EVERY
@pytest.mark.parametrize(
    ("rate", "value"),
    [
        (1.0, 1),  # 2 jobs, 2 s each
        (1.01, 2),
        (1.5, 2),  # and 2 jobs in 4 s
        (1.9, 3),  # and 2 jobs in 5 s: 1 + 0.5 + 0.4
        (1.91, None),  # the third chain shares servers with both of the first
    ],
)
def test_fewest_chains(backend: str, rate: float, value: int | None) -> None:
    """With two jobs each."""
    model = fewest_disjoint_chains(CHAINS, rate, cache_reservation=2)
    outcome = solve_milp(model.problem, backend=backend)
    assert outcome.status is (Status.INFEASIBLE if value is None else Status.OPTIMAL)
    assert outcome.value == value
    if value == 3:
        assert [round(x.varValue) for x in model.chosen] == [1, 1, 0, 1]


@EVERY
def test_no_more_than_so_many(backend: str) -> None:
    """1.5 jobs/s take two chains."""
    model = fewest_disjoint_chains(CHAINS, 1.5, cache_reservation=2, most_chains=1)
    assert solve_milp(model.problem, backend=backend).status is Status.INFEASIBLE


def test_rows() -> None:
    """One row for the rate and one for each server that is on a chain."""
    rows = {row.name for row in fewest_disjoint_chains(CHAINS, 1.0, 2, most_chains=4).problem.constraints()}
    assert rows == {"rate", "server_0", "server_1", "server_2", "server_3", "chains"}
