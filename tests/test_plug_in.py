"""Methods of users: what a function may take and return, and how its mistakes are told."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt import plug_in
from chainopt.cli import main
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.model import Instance, Status

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "own_method.py"
HEAD = "import chainopt\nfrom chainopt.model import Composition, Placement\n\n"
WHOLE = (
    "def f(instance):\n    n = len(instance.servers)\n    return Placement([0] * n, [instance.service.blocks] * n)\n"
)


@pytest.fixture
def roomy(worked_example: Instance) -> Instance:
    """The worked example with room for the whole model and ten jobs on every server."""
    return worked_example.replace(servers=[server.replace(memory_gb=6) for server in worked_example.servers])


def function(tmp_path: Path, text: str) -> str:
    """A file with a method, as users call it."""
    path = tmp_path / "own.py"
    path.write_text(HEAD + textwrap.dedent(text).lstrip())
    return f"{path}:f"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_placement_gets_its_chains(roomy: Instance, tmp_path: Path) -> None:
    """Five servers with 6 GB: 3 for the blocks, 3 for floor(3 / (3 * 0.1)) = 10 jobs; each is a chain of its own."""
    solution = chainopt.compose(roomy, function(tmp_path, WHOLE))
    assert [(chain.servers, chain.capacity) for chain in solution.chains] == [((f"s{j}",), 10) for j in (1, 3, 4, 5, 2)]
    assert solution.status is Status.FEASIBLE
    assert chainopt.verify(roomy, solution) == []
    assert solution.method.endswith("own.py:f")


def test_a_composition_stays_as_it_is(roomy: Instance, tmp_path: Path) -> None:
    """Fewer jobs than there is room for are what was asked for."""
    text = WHOLE.replace("return", "p =") + "    return Composition.of(instance, p, [[0], [1]], [3, 4])\n"
    solution = chainopt.compose(roomy, function(tmp_path, text))
    assert [chain.capacity for chain in solution.chains] == [3, 4]


def test_a_solution_stays_as_it_is(roomy: Instance, tmp_path: Path) -> None:
    """A function may do all by itself, and call methods of chainopt."""
    name = function(
        tmp_path, "def f(instance, seed):\n    return chainopt.compose(instance, 'random+gca', seed=seed)\n"
    )
    assert chainopt.compose(roomy, name, seed=3).chains == chainopt.compose(roomy, "random+gca", seed=3).chains


def test_a_claim_is_no_proof(roomy: Instance, tmp_path: Path) -> None:
    """A bound that a function claims is dropped, and with it the optimum; one that chainopt proves counts."""
    text = """
    def f(instance):
        found = chainopt.compose(instance, 'gbp-cr+gca')
        return found.replace(status='optimal', bound=found.value, gap=0)
    """
    name = function(tmp_path, text)
    claimed, proven = chainopt.compose(roomy, name), chainopt.compose(roomy, name, bound=True)
    assert (claimed.status, claimed.bound, claimed.gap) == (Status.FEASIBLE, None, None)
    assert proven.bound == pytest.approx(chainopt.bound(roomy))


@pytest.mark.parametrize(
    ("parameters", "takes"),
    [
        ("instance", set()),
        ("instance, *, seed, time_limit_s", {"seed", "time_limit_s"}),
        ("instance, seed=7", {"seed"}),
        ("x, /, objective, **more", {"seed", "time_limit_s", "objective"}),
        ("seed", set()),
    ],
)
def test_a_function_gets_what_it_takes(parameters: str, takes: set[str], tmp_path: Path) -> None:
    """The instance comes first, whatever it is called; keywords by their names."""
    assert plug_in.load(function(tmp_path, f"def f({parameters}): ...\n")).takes == takes


def test_keywords_have_their_values(roomy: Instance, tmp_path: Path) -> None:
    """Seed, seconds and objective are those that the user asked for."""
    told = tmp_path / "told.json"
    text = f"""
    import json, pathlib
    def f(instance, **given):
        pathlib.Path({str(told)!r}).write_text(json.dumps(given))
    """
    with pytest.raises(InfeasibleError, match="found nothing"):
        chainopt.compose(roomy, function(tmp_path, text), "rate", seed=5, time_limit_s=1.5)
    assert json.loads(told.read_text()) == {"seed": 5, "time_limit_s": 1.5, "objective": "rate"}


def test_options_are_checked_before_anything_runs(tmp_path: Path) -> None:
    """An option that the function does not take is an error, one that it needs too, and one that all are given."""
    own = plug_in.load(function(tmp_path, "def f(instance, *, seed, depth): ...\n"))
    own.check({"depth": 3})
    for wrong in ({}, {"depth": 3, "width": 1}, {"depth": 3, "seed": 1}):
        with pytest.raises(ChainoptError, match=r"own\.py:f"):
            own.check(wrong)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def f(instance):\n    return 1 // 0\n", r"line 5, in f: ZeroDivisionError"),
        ("def f(instance):\n    return g()\ndef g():\n    return [][0]\n", r"line 7, in g: IndexError"),
        ("def f(instance):\n    raise SystemExit\n", "line 5, in f: SystemExit"),
        ("def f(instance):\n    raise type('Panic', (BaseException,), {})\n", "line 5, in f: Panic"),
        ("def f(instance):\n    return 7\n", "expected a Placement, a Composition or a Solution, got int"),
        ("def f(instance):\n    return Placement([0], [3])\n", "a placement of 1 servers, the instance has 5"),
        (WHOLE.replace("blocks]", "blocks + 1]"), "hosts blocks up to 4 of 3"),
        (
            WHOLE.replace("return", "p =") + "    return Composition.of(instance, p, [[0]], [11])\n",
            "cache slots, its chains use 33",
        ),
        (WHOLE.replace("return", "p =") + "    return Composition.of(instance, p, [[0]], [-1])\n", "own.py:f"),
        ("f = 3\n", "expected a function, got int"),
        ("def g(): ...\n", "it has no 'f'"),
        ("def f(:\n", r"own\.py:4: SyntaxError"),
        ("import nothing_of_this_name\n", r"own\.py:4: ModuleNotFoundError"),
    ],
)
def test_mistakes_are_told_in_one_line(text: str, told: str, roomy: Instance, tmp_path: Path) -> None:
    """What went wrong and where, exit code 2, no traceback, and nothing is written."""
    instance, target = tmp_path / "x.json", tmp_path / "x.sol.json"
    chainopt.write_instance(roomy, instance)
    result = run("solve", "--method", function(tmp_path, text), instance, "-o", target)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    with pytest.raises(ChainoptError, match=told):
        chainopt.compose(roomy, function(tmp_path, text))
    assert not target.exists()


def test_what_it_does_not_find_is_an_answer(worked_example: Instance, tmp_path: Path) -> None:
    """Nothing found is unknown, not infeasible; too slow is unstable."""
    with pytest.raises(InfeasibleError) as nothing:
        chainopt.compose(worked_example, function(tmp_path, "def f(instance):\n    return None\n"))
    assert nothing.value.solution.status is Status.UNKNOWN
    fast = worked_example.replace(
        workload=worked_example.workload.replace(arrival_rate=100),
        servers=[server.replace(memory_gb=6) for server in worked_example.servers],
    )
    name = function(tmp_path, WHOLE)
    with pytest.raises(UnstableError):
        chainopt.compose(fast, name)
    assert chainopt.compose(fast, name, "rate").status is Status.FEASIBLE


def test_neighbours_of_one_name_are_told_apart(roomy: Instance, tmp_path: Path) -> None:
    """Each file has its own ``helper``, at its beginning and in its function, once; and nobody else finds it."""
    for folder, jobs in (("a", 3), ("b", 4)):
        (tmp_path / folder / "package").mkdir(parents=True)
        (tmp_path / folder / "helper.py").write_text(f"JOBS = {jobs}\ncalls = []\n")
        (tmp_path / folder / "package" / "__init__.py").write_text("")
        (tmp_path / folder / "package" / "late.py").write_text("from helper import JOBS, calls\n")
        place = "    import package.late\n    assert package.late.calls is helper.calls\n    helper.calls.append(1)\n"
        place += "    p = Placement([0] * 5, [3] * 5)\n"
        place += (
            "    return Composition.of(instance, p, [[0]], [package.late.JOBS + helper.JOBS + len(helper.calls)])\n"
        )
        (tmp_path / folder / "own.py").write_text(HEAD + "import helper\n\ndef f(instance):\n" + place)
    found = [chainopt.compose(roomy, f"{tmp_path / folder / 'own.py'}:f") for folder in "abab"]
    assert [solution.chains[0].capacity for solution in found] == [7, 9, 8, 10]
    assert not {"helper", "package", "package.late"} & set(sys.modules)
    assert str(tmp_path / "a") not in sys.path


def test_a_changed_file_is_another_method(roomy: Instance, tmp_path: Path) -> None:
    """Files are loaded once, but a change is seen."""
    name = function(tmp_path, WHOLE)
    before = plug_in.load(name)
    assert plug_in.load(name).function is before.function
    after = plug_in.load(function(tmp_path, WHOLE + "\n# changed\n"))
    assert after.code != before.code
    assert after.function is not before.function


def test_the_example_of_the_documentation(roomy: Instance, tmp_path: Path) -> None:
    """It is at most 15 lines of code, does what it says, and stands in the documentation as it is."""
    path = tmp_path / "x.json"
    chainopt.write_instance(roomy, path)
    result = run("solve", "--method", f"{EXAMPLE}:whole_model", path, "--json")
    assert result.exit_code == 0, result.output
    assert [entry["stop"] for entry in json.loads(result.stdout)["placement"]] == [3] * 5
    lines = EXAMPLE.read_text().splitlines()
    assert len(lines) <= 20
    assert "\n".join(lines) in (ROOT / "docs" / "benchmark.md").read_text()


def test_options_of_the_paper_are_not_for_own_methods(roomy: Instance, tmp_path: Path) -> None:
    """A function knows no cache reservation: to give one is a mistake of usage."""
    path = tmp_path / "x.json"
    chainopt.write_instance(roomy, path)
    result = run("solve", "--method", function(tmp_path, WHOLE), "--stop", "rate", path)
    assert result.exit_code == 2
    assert "takes no" in result.stderr


def test_entry_points(roomy: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package adds methods by name; they are listed, and solve."""
    (tmp_path / "ownpackage.py").write_text(HEAD + WHOLE)
    info = tmp_path / "ownpackage-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ownpackage\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[chainopt.methods]\nwhole = ownpackage:f\nlost = ownpackage:g\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert {"whole", "lost"} <= set(chainopt.methods())
    assert plug_in.load("whole").code == "ownpackage 1.2"
    assert chainopt.compose(roomy, "whole").status is Status.FEASIBLE
    listed = json.loads(run("methods", "--json").stdout)
    assert {"whole", "lost"} <= {entry["name"] for entry in listed if entry["kind"] == "own method"}
    with pytest.raises(ChainoptError, match="cannot be loaded"):
        chainopt.compose(roomy, "lost")
