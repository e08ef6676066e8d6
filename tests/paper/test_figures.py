"""The paper's figures, redone: what each of them measures, on examples that are solved by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.paper import (
    __main__ as paper,
)
from benchmarks.paper import (
    dispatching,
    job_servers,
    placement_quality,
    records,
    reservation,
    testbed,
    testbed_authors,
)
from chainopt.allocation import fewest_job_servers, gca
from chainopt.model import Instance
from chainopt.placement import gbp_cr
from chainopt.placement.greedy import GreedyChains
from chainopt.queueing import jffc, jffc_bounds
from chainopt.simulation import Records


@pytest.mark.parametrize(("needed", "expected"), [(1 / 3, (1, True)), (0.4, (2, True)), (0.5, (2, False))])
def test_random_orders_are_strung_until_the_rate_is_met(needed: float, expected: tuple[int, bool]) -> None:
    """Servers 0 and 1 cover 3 blocks in 2 + 1 s, servers 2 and 3 in 4 + 4 s: 1/3, then 1/3 + 1/8 = 0.458 jobs/s."""
    sizes, time_s = np.array([2, 1, 2, 2]), np.array([2.0, 1.0, 4.0, 4.0])
    assert placement_quality.strung(np.arange(4), sizes, time_s, 3, needed) == expected


def test_the_order_of_gbp_cr_gives_its_chains(worked_example: Instance) -> None:
    """Chains of 3.05 and 3.12 s serve 0.328, then 0.648 jobs/s with c = 1; strung in its order they are the same."""
    sizes = worked_example.memory.sizes(1)
    time_s = np.array([1.01, 2.04, 1.03, 1.04, 1.05])
    order = worked_example.time.by_amortised_time(np.arange(5), sizes)
    greedy = GreedyChains.of(worked_example, 1)
    for needed, chains in ((0.3, 1), (0.6, 2), (0.7, None)):
        count, reached = placement_quality.strung(order, sizes, time_s, 3, needed)
        assert greedy.prefix(needed, 1) == chains
        assert (count if reached else None) == chains


def test_the_integer_program_of_figure_2_is_what_gca_does(worked_example: Instance) -> None:
    """Five job servers of 1/3.05 leave 2 - 1.639 = 0.361 jobs/s, which take two of 1/3.10: 7; all 15 serve 4.85."""
    composition = gca(worked_example, gbp_cr(worked_example, 1))
    greedy = fewest_job_servers(composition, 2.0)
    assert greedy is not None
    assert greedy.job_servers == 7
    assert job_servers.integer_program(composition, 2.0) == 7
    assert job_servers.integer_program(composition, 5.0) is None


def test_what_is_drawn_as_bounds_is_not_theorem_4() -> None:
    """μ = 1, 1/2, c = 1, 2, λ = 1: ν - λ = 1, C = 3, cv = 0.3536/0.75, so 1 and 3 · 1.4714, far outside Theorem 4."""
    rates, capacities = [1.0, 0.5], [1, 2]
    drawn = dispatching.plotted_bounds(rates, capacities, 1.0)
    lower, upper = jffc_bounds(rates, capacities, 1.0)
    exact = jffc(rates, capacities, 1.0).mean_response_time_s
    assert drawn == pytest.approx([1.0, 3 * (1 + 0.125**0.5 / 0.75)])
    assert drawn[0] < lower < exact < upper < drawn[1]
    assert dispatching.plotted_bounds(rates, capacities, 2.0) is None


def test_jobs_that_have_not_ended_are_dropped_as_the_authors_do() -> None:
    """Of arrivals 2, 5, 9 after the warm-up, one has ended by 10, after 2 s; all of them take (2 + 7 + 2)/3 s."""
    arrival, departure = np.array([0.0, 2, 5, 9]), np.array([1.0, 4, 12, 11])
    jobs = Records(arrival, arrival, departure, np.zeros(4, dtype=np.int64))
    assert dispatching.counted_means(jobs, 10.0) == pytest.approx([2.0, 11 / 3])


def test_the_best_c_of_each_criterion(worked_example: Instance) -> None:
    """Of equally good c the smallest is chosen, a c without a value never, and its exact value stands beside it."""
    composition = gca(worked_example, gbp_cr(worked_example, 1))
    found = [reservation.Reserved(c, 1, composition) for c in (1, 2, 3)]
    values: dict[str, list[float | None]] = {
        "surrogate": [None, 4.0, 4.0],
        "lower": [3.0, 1.0, 2.0],
        "upper": [None, None, 9.0],
        "simulated": [None, None, None],
        "exact": [3.5, 3.0, 2.5],
    }
    assert reservation.chosen(found, values) == {
        "surrogate": [2, 3.0],
        "lower": [2, 3.0],
        "upper": [3, 2.5],
        "simulated": [None, None],
        "exact": [3, 2.5],
    }


def test_an_unstable_c_is_left_out(worked_example: Instance) -> None:
    """15 job servers serve 4.85 jobs/s: nothing is said of a load above the largest, and bounds enclose below it."""
    found = [reservation.Reserved(1, 2, gca(worked_example, gbp_cr(worked_example, 1)))]
    assert reservation.curves(found, 4.0, 0.8, 100.0, 1) == {name: [None] for name in reservation.CRITERIA}
    values = reservation.curves(found, 3.0, 0.8, 100.0, 1)
    assert values["surrogate"] == [2.0]
    lower, exact, upper = (values[name][0] for name in ("lower", "exact", "upper"))
    assert lower is not None
    assert exact is not None
    assert upper is not None
    assert lower <= exact <= upper


def test_queued_jobs_share_a_job_server_as_the_authors_have_it(worked_example: Instance) -> None:
    """One job server, 3.05 s: jobs at 0, 1, 2 end at 3.05, 6.10, and 6.10 again, where a queue would have 9.15."""
    composition = gca(worked_example, gbp_cr(worked_example, 1)).select([0], np.array([1]))
    responses = testbed_authors.queued_responses(composition, np.array([0.0, 1, 2]), np.ones(3))
    assert responses == pytest.approx([3.05, 5.10, 4.10])
    queue = testbed.jffc(composition, np.array([0.0, 1, 2]), np.ones(3))
    assert queue.response == pytest.approx([3.05, 5.10, 7.15])


def test_servers_are_slowed_down_to_the_service_time_of_the_paper(worked_example: Instance) -> None:
    """Jobs that never wait take 3.05 s on the fastest chain, so that a factor of 6.7/3.05 is needed."""
    composition = gca(worked_example, gbp_cr(worked_example, 1))
    factor = testbed.slowdown(composition, np.arange(10) * 100.0, np.ones(10))
    assert factor == pytest.approx(6.7 / 3.05)
    slower = testbed.slowed(worked_example, 2.0)
    assert (float(slower.servers[1].comm_s), float(slower.servers[1].comp_s_per_block)) == (4.0, 0.04)


def test_each_run_of_table_1_has_its_own_thousand_requests() -> None:
    """Run 2 has requests 1,001 to 2,000, stretched to 2.57 a second; run 9 those of run 1, as there are 8 thousands."""
    trace = testbed.azure_code_trace()
    second = testbed.requests_of(2)
    assert second.requests == 1000
    assert second.rate == pytest.approx(2.57)
    assert second.tokens_in.tolist() == trace.tokens_in[1000:2000].tolist()
    assert testbed.requests_of(9).tokens_in.tolist() == testbed.requests_of(1).tokens_in.tolist()


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """A line that was cut is measured again, the others are not; results of other code are all dropped."""
    path = tmp_path / "records.jsonl"
    asked: list[int] = []

    def measure(cell: dict[str, Any]) -> dict[str, Any]:
        asked.append(cell["run"])
        return {"square": cell["run"] ** 2}

    cells = [{"run": run} for run in range(4)]
    records.gather("squares", cells, measure, 1, records.Log(path))
    path.write_bytes(path.read_bytes()[:-5])
    found = records.gather("squares", cells, measure, 1, records.Log(path))
    assert [record["square"] for record in found] == [0, 1, 4, 9]
    assert asked == [0, 1, 2, 3, 3]
    assert records.gather("squares", cells, measure, 1, records.Log(path)) == found
    lines = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({"made_with": "other"}), *lines[1:]]) + "\n")
    assert records.Log(path).dropped == 4


def test_one_command_makes_a_figure_and_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figure 1 with one c and five orders: pictures, and a report by settings; asked again, nothing is measured."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(placement_quality, "RESERVATIONS", {"paper": (7,), "authors": (8,)})
    monkeypatch.setattr(placement_quality, "ORDERS", 5)
    monkeypatch.setattr(records, "made_with", lambda: "this")
    call = ["--quick", "--workers", "1", "-o", str(tmp_path), "--only", "figure-1"]
    paper.main(call)
    report = (tmp_path / "README.md").read_text()
    for setting in ("paper", "authors"):
        assert (tmp_path / f"figure-1-{setting}.svg").stat().st_size > 0
        assert (tmp_path / f"figure-1-{setting}.png").stat().st_size > 0
        assert f"| figure-1 | {setting} | GBP-CR is optimal where memories are equal (Theorem 2) | agrees |" in report
    monkeypatch.setattr(placement_quality, "measure", None)
    paper.main(call)
    assert capsys.readouterr().out == f"{tmp_path / 'README.md'}\n" * 2
