"""Re-planning: what is in place, on servers that have changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import chainopt
from chainopt.cli import main
from chainopt.model import Instance, Objective, Placement
from chainopt.replanning import moved_blocks, reference_of, that_fits
from chainopt.trade_off import cheapest, cost, trade_off


def without(instance: Instance, name: str) -> Instance:
    return instance.replace(servers=[server for server in instance.servers if server.id != name])


def test_moved_blocks() -> None:
    """0 to 3 becomes 1 to 4: one new block; nothing becomes 0 to 2: two; 2 to 5 becomes nothing: none."""
    before, after = Placement([0, 0, 2], [3, 0, 5]), Placement([1, 0, 0], [4, 2, 0])
    assert moved_blocks(after, before) == 1 + 2 + 0
    assert moved_blocks(before, before) == 0


def test_reference_by_ids(worked_example: Instance) -> None:
    """Servers that left are forgotten, those that joined host nothing yet."""
    solution = chainopt.compose(worked_example, cache_reservation=1, stop="never")
    changed = without(worked_example, "s1")
    joined = changed.replace(servers=[*changed.servers, worked_example.servers[0].replace(id="new")])
    reference = reference_of(joined, solution)
    before = solution.composition.placement
    assert reference.start.tolist() == [*before.start[1:].tolist(), 0]
    assert reference.stop.tolist() == [*before.stop[1:].tolist(), 0]


def test_another_service(worked_example: Instance) -> None:
    """A solution with more blocks than the service has is of another one."""
    solution = chainopt.compose(worked_example, cache_reservation=1, stop="never")
    shorter = worked_example.replace(service=worked_example.service.replace(blocks=2))
    with pytest.raises(chainopt.FormatError, match="another service"):
        reference_of(shorter, solution)


def test_what_does_not_fit_any_more(worked_example: Instance) -> None:
    """Server 2 had 3 GB for 2 blocks; with 2 GB there is room for one and a job, with 0.5 GB for none."""
    before = Placement([0, 1, 0, 1, 2], [1, 3, 1, 2, 3])
    for memory, stop in ((2, 2), (0.5, 1)):
        servers = list(worked_example.servers)
        servers[1] = servers[1].replace(memory_gb=memory)
        fits = that_fits(worked_example.replace(servers=servers), before)
        assert (fits.start[1], fits.stop[1]) == (1, stop)


def test_nothing_may_move(worked_example: Instance) -> None:
    """With no block to be moved every server keeps a part of its range, and the rest is allocated anew."""
    old = chainopt.compose(worked_example, cache_reservation=1, stop="never")
    slower = worked_example.replace(workload=worked_example.workload.replace(arrival_rate=0.1))
    new = chainopt.compose(slower, iterations=500, previous=old, max_moved_blocks=0)
    assert chainopt.verify(slower, new) == []
    assert moved_blocks(new.composition.placement, old.composition.placement) == 0
    assert new.parameters["moved_blocks"] == 0
    kept = chainopt.queueing.response_time(old.composition, 0.1).mean_response_time_s
    assert new.value is not None
    assert new.value <= kept * (1 + 1e-12)


def test_limit_is_kept(worked_example: Instance) -> None:
    """Without server 1 block 1 has to be served by others; the limit holds, and more moves are no worse."""
    old = chainopt.compose(worked_example, cache_reservation=1, stop="never")
    changed = without(worked_example, "s1")
    values = []
    for limit in (0, 1, 3):
        new = chainopt.compose(changed, iterations=1000, previous=old, max_moved_blocks=limit)
        assert moved_blocks(new.composition.placement, reference_of(changed, old)) <= limit
        values.append(new.value)
    assert None not in values
    assert values[2] <= values[0]


def test_trade_off(worked_example: Instance) -> None:
    """The curve falls; a price of 0 takes its last point, a high one its first that does what is asked."""
    old = chainopt.compose(worked_example, cache_reservation=1, stop="never")
    changed = without(worked_example, "s1")
    points = trade_off(changed, old, iterations=500)
    assert [point.moved_blocks for point in points] == sorted(point.moved_blocks for point in points)
    values = [cost(point, Objective.RESPONSE_TIME, 0) for point in points]
    assert values == sorted(values, reverse=True)
    assert cheapest(points, Objective.RESPONSE_TIME, 0) is points[-1]
    first = next(point for point in points if point.value is not None)
    assert cheapest(points, Objective.RESPONSE_TIME, 1e9) is first
    assert all(point.moved_gb == point.moved_blocks * 1.0 for point in points)


def test_command(worked_example: Instance, tmp_path: Path) -> None:
    """`--from` keeps the limit, and `--price-per-moved-gb` shows the curve."""
    old, instance, new = tmp_path / "old.sol.json", tmp_path / "x.json", tmp_path / "new.sol.json"
    chainopt.write_solution(chainopt.compose(worked_example, cache_reservation=1, stop="never"), old)
    chainopt.write_instance(without(worked_example, "s1"), instance)
    arguments = ["solve", str(instance), "--from", str(old), "--iterations", "200"]
    result = CliRunner().invoke(main, [*arguments, "--max-moved-blocks", "1", "-o", str(new)])
    assert result.exit_code == 0
    assert "moved_blocks" in new.read_text()
    result = CliRunner().invoke(main, [*arguments, "--price-per-moved-gb", "0"])
    assert result.exit_code == 0
    assert "blocks moved" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-moved-blocks", "1"], "needs --from"),
        (["--price-per-moved-gb", "1"], "needs --from"),
        (["--workers", "2", "--method", "paper"], "--workers is an option of the search"),
        (["--iterations", "2", "--stop", "rate"], "--iterations is an option of the search"),
        (["--method", "exact", "--criterion", "lower"], "it takes no --cache-reservation"),
    ],
)
def test_options_that_do_not_go_together(
    worked_example: Instance, tmp_path: Path, options: list[str], message: str
) -> None:
    """Options without a meaning are refused."""
    path = tmp_path / "x.json"
    chainopt.write_instance(worked_example, path)
    result = CliRunner().invoke(main, ["solve", str(path), *options])
    assert result.exit_code == 2
    assert message in result.stderr
