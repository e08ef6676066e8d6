"""Cache allocation: by hand, and the paper's version over GCA's chains."""

from __future__ import annotations

import pulp
import pytest

from chainopt.allocation import gca
from chainopt.exact.backends import MILP_BACKENDS, solve_milp
from chainopt.model import Instance, Placement, Status
from formulations.cache_allocation import Chain, fewest_job_servers, largest_rate

FAST = Chain(1.0, ((0, 2),))
SLOW = Chain(1.25, ((1, 1), (0, 1)))
SLOTS = [2, 8]

EVERY = pytest.mark.parametrize("backend", sorted(MILP_BACKENDS))


@EVERY
def test_largest_rate(backend: str) -> None:
    """2 slots at server 0: one fast job, 1 job/s, or two slow ones, 2/1.25 = 1.6 jobs/s."""
    model = largest_rate([FAST, SLOW], SLOTS)
    assert solve_milp(model.problem, backend=backend).value == pytest.approx(1.6)
    assert [round(c.varValue) for c in model.capacities] == [0, 2]
    assert solve_milp(largest_rate([FAST, SLOW], SLOTS, unit=0.1).problem).value == pytest.approx(16)


@EVERY
@pytest.mark.parametrize(("rate", "value"), [(1.0, 1), (1.01, 2), (1.6, 2), (1.61, None)])
def test_fewest_job_servers(backend: str, rate: float, value: int | None) -> None:
    """One job server up to 1 job/s, two up to 1.6, more is not to be had."""
    outcome = solve_milp(fewest_job_servers([FAST, SLOW], SLOTS, rate).problem, backend=backend)
    assert outcome.status is (Status.INFEASIBLE if value is None else Status.OPTIMAL)
    assert outcome.value == value


@EVERY
def test_no_more_than_so_many(backend: str) -> None:
    """Two are needed for 1.5 jobs/s, so with one at most there is no solution."""
    model = fewest_job_servers([FAST, SLOW], SLOTS, 1.5, most_job_servers=1)
    assert solve_milp(model.problem, backend=backend).status is Status.INFEASIBLE


def test_rows() -> None:
    """One row for the rate, one for each server that is used, and capacities within what slots allow."""
    model = fewest_job_servers([FAST, SLOW], SLOTS, 1.5, most_job_servers=3)
    rows = {row.name for row in model.problem.constraints()}
    assert rows == {"rate", "slots_0", "slots_1", "job_servers"}
    assert [c.upBound for c in model.capacities] == [1, 2]
    assert all(c.cat == pulp.LpInteger for c in model.capacities)


def test_over_the_chains_of_gca(worked_example: Instance) -> None:
    """The paper's program: GCA gives each of the three chains 5 jobs, 15 job servers, and no allocation serves more."""
    composition = gca(worked_example, Placement([0, 1, 0, 1, 2], [1, 3, 1, 2, 3]))
    chains = [
        Chain(chain.service_time_s, tuple(zip(chain.servers, chain.blocks, strict=True)))
        for chain in composition.chains
    ]
    assert solve_milp(largest_rate(chains, [10] * 5).problem).value == pytest.approx(composition.total_service_rate)
    # 1 job/s: 3.05 s and 3.1 s chains, 3 job servers make 3/3.05 < 1, four make more
    assert solve_milp(fewest_job_servers(chains, [10] * 5, 1.0).problem).value == 4
