"""Best-known solutions: replaced by verified better ones only, whatever a result claims."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

import chainopt
from chainopt.bench.best_known import (
    DATE,
    index,
    index_text,
    instance_files,
    recomputed,
    solution_file,
    update_best,
)
from chainopt.bench.joining import BOUND_BY, join
from chainopt.errors import FormatError, InfeasibleError, UnstableError
from chainopt.files import digest, read_solution, solution_text, write_instance
from chainopt.model import Instance, Server, Service, Solution, Status, Workload


@pytest.fixture
def instance() -> Instance:
    """One block; a fast and a slow server, with room for one and two jobs. Nothing needs a search.

    Of the compositions, the fast server alone takes 1 s a job at ν = 1, both together are stable up to ν = 1.5.
    """
    return Instance(
        name="two-servers",
        service=Service(blocks=1, block_gb=1, cache_gb=1),
        workload=Workload(arrival_rate=0.5),
        servers=[
            Server(id="fast", memory_gb=2, comm_s=0, comp_s_per_block=1),
            Server(id="slow", memory_gb=3, comm_s=0, comp_s_per_block=4),
        ],
    )


@pytest.fixture
def root(instance: Instance, tmp_path: Path) -> Path:
    """A folder of instances with one family."""
    (tmp_path / "family").mkdir()
    write_instance(instance, tmp_path / "family" / "two-servers.json")
    return tmp_path


def updated(records: list[dict[str, Any]], root: Path) -> list[str]:
    """What is said when all instances below a folder are brought up to date."""
    return update_best(records, instance_files(root))


def stored(root: Path) -> Solution:
    return read_solution(root / "family" / "two-servers.sol.json")


def composed(instance: Instance, *servers: str, method: str = "gbp-cr+gca", **changes: Any) -> Solution:
    """The composition of these servers, each with all its slots, as a method would answer."""
    from chainopt.answer import Answer
    from chainopt.model import Composition, Objective, Placement

    hosts = [int(server.id in servers) for server in instance.servers]
    chosen = [j for j, host in enumerate(hosts) if host]
    composition = Composition.of(instance, Placement([0, 0], hosts), [[j] for j in chosen], [(1, 2)[j] for j in chosen])
    answer = Answer(instance, method, Objective.RESPONSE_TIME, 0, {})
    return answer.solution(Status.FEASIBLE, composition).replace(**changes)


def record(instance: Instance, solution: Solution, **changes: Any) -> dict[str, Any]:
    """A line of results.jsonl with a solution."""
    return {
        "instance": instance.name,
        "sha256": digest(instance),
        "method": solution.method,
        "objective": "response-time",
        "solution": json.loads(solution_text(solution)),
        **changes,
    }


def test_first_solution_is_written(instance: Instance, root: Path) -> None:
    """Where nothing is known, a verified solution is: the fast server alone is M/M/1, 1 / (1 - 0.5) = 2 s."""
    lines = updated([record(instance, composed(instance, "fast"))], root)
    assert lines == ["two-servers: 2 s by gbp-cr+gca, no bound, feasible; before: nothing"]
    solution = stored(root)
    assert solution.value == pytest.approx(2)
    assert chainopt.verify(instance, solution) == []
    assert len(solution.parameters[DATE]) == len("2026-01-01")
    assert solution_file(root / "family" / "two-servers.json").exists()


def test_only_what_is_better_replaces(instance: Instance, root: Path) -> None:
    """Better ones replace; the same, and worse ones, leave the file as it is, byte for byte."""
    worse, better = sorted((composed(instance, "fast"), composed(instance, "fast", "slow")), key=lambda s: -s.value)
    assert better.value < worse.value * 0.999
    updated([record(instance, worse)], root)
    assert len(updated([record(instance, better)], root)) == 1
    before = (root / "family" / "two-servers.sol.json").read_bytes()
    assert updated([record(instance, worse), record(instance, better, method="another")], root) == []
    assert (root / "family" / "two-servers.sol.json").read_bytes() == before


def test_best_of_many_is_written_once(instance: Instance, root: Path) -> None:
    """Of all results of an instance there is one line, about the best."""
    both, fast = composed(instance, "fast", "slow"), composed(instance, "fast")
    lines = updated([record(instance, s) for s in (fast, both, fast)], root)
    assert len(lines) == 1
    assert stored(root).value == min(both.value, fast.value)


@pytest.mark.parametrize(
    "lie",
    [
        {"evaluation": None},
        {"chains": "more"},
        {"status": Status.OPTIMAL},
    ],
    ids=str,
)
def test_lies_are_refused_or_corrected(lie: dict[str, Any], instance: Instance, root: Path) -> None:
    """A capacity that is not there is refused; a missing value is computed; what is not proven is not optimal."""
    true = composed(instance, "fast")
    if lie.get("chains") == "more":
        lie = {"chains": tuple(chain.replace(capacity=2) for chain in true.chains)}
    lines = updated([record(instance, true.replace(**lie), verified=True, value=0.001)], root)
    if "evaluation" in lie:
        assert stored(root).value == pytest.approx(2)
    else:
        assert "refused" in lines[0]
        assert not (root / "family" / "two-servers.sol.json").exists()


def test_value_is_computed_anew(instance: Instance, root: Path) -> None:
    """A value that is too good by less than `verify` minds does not count as better."""
    true = composed(instance, "fast")
    updated([record(instance, true)], root)
    evaluation = true.evaluation.replace(mean_response_time_s=true.value * (1 - 5e-7))
    assert updated([record(instance, true.replace(evaluation=evaluation))], root) == []
    assert stored(root).value == pytest.approx(true.value, rel=1e-12)


def test_bound_of_ours_is_kept_and_of_others_is_not(instance: Instance, root: Path) -> None:
    """A user's function may claim any bound; that of chainopt's methods is believed."""
    mine = composed(instance, "fast", method="mine", bound=1.9, gap=0.05)
    updated([record(instance, mine)], root)
    assert (stored(root).bound, stored(root).gap, stored(root).method) == (None, None, "mine")
    ours = composed(instance, "fast", method="auto", bound=1.0, gap=0.5)
    assert len(updated([record(instance, ours)], root)) == 1
    solution = stored(root)
    assert (solution.bound, solution.gap, solution.method) == (1.0, pytest.approx(0.5), "mine")
    assert solution.parameters[BOUND_BY] == "auto"


def test_a_function_that_bears_our_name_proves_nothing(instance: Instance, root: Path) -> None:
    """Who ran decides: a result with the code of a user's function is not believed, whatever method it names."""
    claim = composed(instance, "fast", method="exact")
    claim = claim.replace(status=Status.OPTIMAL, bound=claim.value, gap=0)
    updated([record(instance, claim, options={"name": "own.py:f", "code": "0" * 64})], root)
    assert (stored(root).status, stored(root).bound) == (Status.FEASIBLE, None)


def test_optimum_that_is_proven_replaces_the_same_value(instance: Instance, root: Path) -> None:
    """The exact method finds nothing better than what is known, and proves it."""
    best = composed(instance, "fast")
    updated([record(instance, best)], root)
    exact = best.replace(method="exact", status=Status.OPTIMAL, bound=best.value, gap=0)
    assert len(updated([record(instance, exact)], root)) == 1
    assert stored(root).method == "exact"
    assert stored(root).status is Status.OPTIMAL
    assert chainopt.verify(instance, stored(root)) == []


def test_false_bound_goes_when_a_value_lies_beyond(instance: Instance) -> None:
    """A bound that was believed is dropped by a verified value below it; one beyond the known value never enters."""
    worse, better = sorted((composed(instance, "fast"), composed(instance, "fast", "slow")), key=lambda s: -s.value)
    between = (worse.value + better.value) / 2
    claimed = recomputed(instance, worse.replace(bound=between, gap=1 - between / worse.value))
    joined = join(claimed, recomputed(instance, better))
    assert joined is not None
    assert (joined.value, joined.bound, joined.status) == (better.value, None, Status.FEASIBLE)
    known = recomputed(instance, better)
    assert join(known, claimed) is known


def test_composition_disproves_infeasibility(instance: Instance) -> None:
    """Solutions beat claims that there is none; a claim of infeasibility never replaces chains."""
    solved = recomputed(instance, composed(instance, "fast"))
    none = solved.replace(chains=(), placement=(), evaluation=None, gap=None, bound=None)
    infeasible, unstable = none.replace(status=Status.INFEASIBLE), none.replace(status=Status.UNSTABLE)
    unknown = none.replace(status=Status.UNKNOWN)
    assert join(None, unknown) is None
    assert join(None, infeasible) is infeasible
    assert join(infeasible, solved) is solved
    assert join(solved, infeasible) is solved
    assert join(unstable, infeasible) is infeasible
    assert join(infeasible, unstable) is infeasible
    with_chains = solved.replace(status=Status.UNSTABLE)
    assert join(with_chains, infeasible) is with_chains
    assert join(unstable, with_chains) is with_chains


def test_infeasible_and_unstable_are_known_too(root: Path, instance: Instance) -> None:
    """What has no stable composition gets a file that says so; a user's function cannot claim infeasibility."""
    heavy = instance.replace(name="heavy", workload=Workload(arrival_rate=5))
    small = instance.replace(name="small", service=Service(blocks=9, block_gb=1, cache_gb=1))
    for each, error in ((heavy, UnstableError), (small, InfeasibleError)):
        write_instance(each, root / f"{each.name}.json")
        with pytest.raises(error) as raised:
            chainopt.compose(each, "gbp-cr+gca")
        answer = raised.value.solution
        if each is small:
            claimed = updated([record(each, answer.replace(method="mine"))], root)
            assert claimed[0].startswith("small: refused")
        assert len(updated([record(each, answer)], root)) == 1
        assert read_solution(root / f"{each.name}.sol.json").status.value == answer.status.value


def test_file_may_have_another_name_than_its_instance(instance: Instance, root: Path) -> None:
    """The solution stands beside the file, and bears the name of the instance, whatever the result called it."""
    (root / "family" / "two-servers.json").rename(root / "other.json")
    copy = instance.replace(name="copy")
    updated([record(copy, composed(copy, "fast"), source="some/where/other.json")], root)
    assert read_solution(root / "other.sol.json").instance.name == "two-servers"


def test_only_the_files_that_are_named_get_solutions(instance: Instance, root: Path) -> None:
    """A copy of an instance in a neighbouring folder is left alone."""
    (root / "copies").mkdir()
    write_instance(instance, root / "copies" / "two-servers.json")
    update_best([record(instance, composed(instance, "fast"))], [root / "family" / "two-servers.json"])
    assert [path.parent.name for path in root.rglob("*.sol.json")] == ["family"]


def test_what_is_not_ours_to_judge_is_passed_over(instance: Instance, root: Path) -> None:
    """Other objectives, instances that are not there or are others of the same name, and runs without a solution."""
    solution = composed(instance, "fast")
    for changes in ({"objective": "rate"}, {"sha256": "0" * 64}, {"solution": None}):
        assert updated([{**record(instance, solution), **changes}], root) == []
    assert not (root / "family" / "two-servers.sol.json").exists()


@pytest.mark.parametrize("document", [{}, {"format": "chainopt-solution/1"}, {"format": float("nan")}, {"x": object()}])
def test_damaged_solution_is_refused_in_one_line(document: dict[str, Any], instance: Instance, root: Path) -> None:
    """A document that is no solution is named, and the next one is looked at."""
    good = record(instance, composed(instance, "fast"))
    lines = updated([{**good, "solution": document}, good], root)
    assert [("refused" in line, "\n" in line) for line in lines] == [(True, False), (False, False)]


def test_damaged_file_is_not_overwritten(instance: Instance, root: Path) -> None:
    """A best-known file that does not verify is an error that names it, for something went wrong there."""
    target = root / "family" / "two-servers.sol.json"
    true = composed(instance, "fast")
    lie = true.replace(evaluation=true.evaluation.replace(mean_response_time_s=1.0))
    target.write_text(solution_text(lie), encoding="utf-8")
    with pytest.raises(FormatError, match=r"two-servers\.sol\.json: verify finds 1 violations"):
        updated([record(instance, true)], root)
    assert target.read_text(encoding="utf-8") == solution_text(lie)


def test_failed_write_leaves_the_old_file(instance: Instance, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk fails at the last moment, what was known stays, whole, and nothing lies beside it."""
    worse, better = sorted((composed(instance, "fast"), composed(instance, "fast", "slow")), key=lambda s: -s.value)
    updated([record(instance, worse)], root)
    before = (root / "family" / "two-servers.sol.json").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(5, "the disk is on fire")

    with monkeypatch.context() as patch:
        patch.setattr("chainopt.files.text.os.replace", fail)
        with pytest.raises(FormatError, match="the disk is on fire"):
            updated([record(instance, better)], root)
    assert (root / "family" / "two-servers.sol.json").read_bytes() == before
    assert len(list((root / "family").iterdir())) == 2


def test_index_has_a_row_for_each_instance(instance: Instance, root: Path) -> None:
    """By hand: an instance with a solution, and one without; writing twice gives the same bytes."""
    updated([record(instance, composed(instance, "fast", method="auto", bound=1.0, gap=0.5))], root)
    write_instance(instance.replace(name="a,b"), root / "a,b.json")
    path = index(root)
    assert path.read_text(encoding="utf-8") == index_text(root)
    first, second = csv.DictReader(io.StringIO(index_text(root)))
    assert first["family"] == ""
    assert first["name"] == "a,b"
    assert [first[key] for key in ("value", "bound", "gap", "status", "method", "version", "date")] == [""] * 7
    assert (second["family"], second["name"]) == ("family", "two-servers")
    assert (second["servers"], second["blocks"], second["arrival_rate"]) == ("2", "1", "0.5")
    assert second["sha256"] == digest(instance)
    assert float(second["value"]) == pytest.approx(2)
    assert (second["bound"], second["status"], second["method"]) == ("1.0", "feasible", "auto")
    assert second["date"] == stored(root).parameters[DATE]


def test_index_above_is_kept_up_to_date(instance: Instance, root: Path) -> None:
    """After an update below it the index says what the files say; a file of another kind is left alone."""
    index(root)
    before = (root / "index.csv").read_text(encoding="utf-8")
    updated([record(instance, composed(instance, "fast"))], root / "family")
    assert (root / "index.csv").read_text(encoding="utf-8") == index_text(root) != before
    (root / "family" / "index.csv").write_text("not,ours\n", encoding="utf-8")
    updated([record(instance, composed(instance, "fast", "slow"))], root / "family")
    assert (root / "family" / "index.csv").read_text(encoding="utf-8") == "not,ours\n"
