"""Suites: what they say, and where a mistake in one stands."""

from __future__ import annotations

from pathlib import Path

import pytest

import chainopt
from chainopt.bench.methods import Kind
from chainopt.bench.runs import Run, plan
from chainopt.bench.suite import read_suite
from chainopt.errors import FormatError
from chainopt.model import Instance

SMOKE = Path(__file__).parents[2] / "benchmarks" / "suites" / "smoke.toml"


def runs(path: Path) -> list[Run]:
    suite, position = read_suite(path)
    return plan(suite, path.parent, position)


@pytest.fixture
def folder(worked_example: Instance, tmp_path: Path) -> Path:
    """Two instances, one of them in a folder below."""
    (tmp_path / "more").mkdir()
    chainopt.write_instance(worked_example, tmp_path / "x.json")
    chainopt.write_instance(worked_example.replace(name="other"), tmp_path / "more" / "y.json")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "suite.toml"
    path.write_text(text)
    return path


SUITE = """\
name = "two"  # a comment
instances = [
    "x.json",
    "more",
]
seeds = [0, 1]
time_limit = 1.5
objectives = ["rate", "response-time"]

[[methods]]
name = "paper"
options = { criterion = "lower", stop = "rate" }

[[methods]]
name = "auto"
label = "ours"
time_limit = 0.5

[[methods.generate]]
"""


def test_runs_are_all_combinations(folder: Path) -> None:
    """2 instances, 2 seeds, 2 objectives and 2 methods are 16 runs, each with a key of its own."""
    found = runs(write(folder, SUITE.removesuffix("\n[[methods.generate]]\n")))
    assert len({run.key for run in found}) == len(found) == 16
    assert {run.task.source for run in found} == {"x.json", "more/y.json"}
    paper, ours = (next(run.entrant for run in found if run.entrant.label == label) for label in ("paper", "ours"))
    assert (paper.name, paper.options) == ("gbp-cr+gca", {"criterion": "lower", "stop": "rate"})
    assert (paper.time_limit_s, ours.time_limit_s) == (1.5, 0.5)


def test_keys_depend_on_what_determines_the_outcome(folder: Path) -> None:
    """Labels, paths and notes do not; instances, options, limits, seeds and simulations do."""
    base = 'name = "a"\ninstances = ["x.json"]\n[[methods]]\nname = "paper"\n'
    key = runs(write(folder, base))[0].key
    assert key == runs(write(folder, 'note = "n"\n' + base + 'label = "q"\n'))[0].key
    assert key == runs(write(folder, base.replace("x.json", "*.json")))[0].key
    others = [
        base.replace("x.json", "more"),
        base + 'options = { stop = "rate" }\n',
        base + "time_limit = 3\n",
        "seeds = [1]\n" + base,
        'objectives = ["rate"]\n' + base,
        "bound_time_limit = 1\n" + base,
        base + '[simulate]\npolicy = "jsq"\n',
        base + '[simulate]\ncompositions = "simulated"\n',
    ]
    keys = {runs(write(folder, text))[0].key for text in others}
    assert len(keys) == len(others)
    assert key not in keys


def test_a_system_has_its_own_way(folder: Path) -> None:
    """How compositions dispatch does not concern its key, how many jobs come does; it takes no time limit."""
    base = 'name = "a"\ninstances = ["x.json"]\n[[methods]]\nname = "petals-faithful"\n'
    key = runs(write(folder, base))[0].key
    assert key == runs(write(folder, base + '[simulate]\npolicy = "jsq"\ncompositions = "simulated"\n'))[0].key
    assert key == runs(write(folder, "time_limit = 3\n" + base))[0].key
    assert key != runs(write(folder, base + "[simulate]\njobs = 10\n"))[0].key
    with pytest.raises(FormatError, match=r":5:1: methods\[0\]\.time_limit: a system takes no time limit"):
        runs(write(folder, base + "time_limit = 3\n"))


def test_an_own_method_is_known_by_its_code(folder: Path) -> None:
    """Where the file lies does not matter, what is in it does; paths start from the suite."""
    for name, text in (("a", "def f(i): ..."), ("b", "def f(i): ..."), ("c", "def f(i): return None")):
        (folder / f"{name}.py").write_text(text)
    found = [
        runs(write(folder, f'name = "s"\ninstances = ["x.json"]\n[[methods]]\nname = "{name}.py:f"\n'))[0]
        for name in "abc"
    ]
    assert found[0].key == found[1].key != found[2].key
    assert [run.entrant.label for run in found] == ["a.py:f", "b.py:f", "c.py:f"]
    assert found[0].entrant.kind is Kind.PLUG_IN


def test_iterations_go_before_the_time_of_the_suite(folder: Path) -> None:
    """With iterations the seed alone decides, unless the entry has a limit of its own."""
    text = 'name = "s"\ntime_limit = 2\ninstances = ["x.json"]\n[[methods]]\nname = "auto"\noptions.iterations = 5\n'
    assert runs(write(folder, text))[0].entrant.time_limit_s is None
    assert runs(write(folder, text + "time_limit = 1\n"))[0].entrant.time_limit_s == 1


def test_generated_instances(folder: Path) -> None:
    """One for each seed; what generates it is its source, as on the command line."""
    text = """
    name = "s"
    [[generate]]
    family = "tiny"
    seeds = [4, 5]
    parameters = { servers = 3, blocks = 4, bound_share = 0.25 }
    [[methods]]
    name = "paper"
    """
    found = runs(write(folder, text))
    assert [run.task.source for run in found] == [
        f"tiny --servers 3 --blocks 4 --bound-share 0.25 --seed {seed}" for seed in (4, 5)
    ]


@pytest.mark.parametrize(
    ("change", "place", "told"),
    [
        (("seeds = [0, 1]", "seed = [0, 1]"), "6:1: seed", "unknown key 'seed'"),
        (('label = "ours"', 'lable = "ours"'), "16:1: methods[1].lable", "unknown key 'lable'"),
        (("time_limit = 1.5", "time_limit = 0"), "7:1: time_limit", "more than 0"),
        (("[0, 1]", "[0, -1]"), "6:1: seeds[1]", "at least 0"),
        (("[0, 1]", "[]"), "6:1: seeds", "1 or more elements"),
        (('"rate", ', '"speed", '), "8:1: objectives[0]", "expected 'response-time'"),
        (('name = "two"', "name = 2"), "1:1: name", "expected a string, got 2"),
        (('stop = "rate"', "stop = 1"), "12:34: methods[0].options.stop", "expected 'rate' or 'never', got 1"),
        (('stop = "rate"', "depth = 1"), "12:34: methods[0].options.depth", "unknown key 'depth'"),
        (('"paper"', '"papers"'), "11:1: methods[0].name", "no method 'papers'"),
        (("seeds = [0, 1]", "seeds = [1, 1]"), "6:1: seeds", "1 stands there twice"),
        (('"response-time"]', '"rate"]'), "8:1: objectives", "rate stands there twice"),
        (("time_limit = 1.5", "time_limit = 1e99999999999999999999"), "7:1: time_limit", "inf"),
        (('label = "ours"', 'label = "paper"'), "14:3: methods[1]", "two methods are called 'paper'"),
        (('"more"', '"most/*"'), "2:1: instances[1]", "no instance matches 'most/*'"),
        (('"more"', '"more", "x2.json"'), "2:1: instances", "two instances are named 'worked-example'"),
        (("seeds = [0, 1]", "seeds = [0, 1"), "7:1", "not TOML"),
        (("seeds = [0, 1]", "seeds = [0, 1]\nseeds = [2]"), "7:", "not TOML"),
        (("[[methods.generate]]", "[[generate]]\nfamily = 'big'"), "20:1: generate[0].family", "no family 'big'"),
        (
            ("[[methods.generate]]", "[[generate]]\nfamily = 'tiny'\nparameters.servers = 0"),
            "21:12: generate[0].parameters.servers",
            "expected an integer",
        ),
        (
            ("[[methods.generate]]", "[simulate]\npolicy = 'best'"),
            "20:1: simulate.policy",
            "no policy 'best'",
        ),
        (
            ("[[methods.generate]]", "[simulate]\nsizes = 'lognormal'"),
            "20:1: simulate.sizes",
            "lognormal",
        ),
        (
            ("[[methods.generate]]", "[simulate]\npolicy = 'jsq'\ncompositions = 'exact'"),
            "21:1: simulate.compositions",
            "known exactly",
        ),
    ],
)
def test_mistakes_have_their_place(change: tuple[str, str], place: str, told: str, folder: Path) -> None:
    """File, line, column, what it is, and what was expected."""
    chainopt.write_instance(chainopt.read_instance(folder / "x.json"), folder / "x2.json")
    text = SUITE.replace(*change).removesuffix("\n[[methods.generate]]\n")
    path = write(folder, text)
    with pytest.raises(FormatError) as error:
        runs(path)
    assert str(error.value).startswith(f"{path}:{place}")
    assert told in str(error.value)


def test_a_mistake_in_the_only_element_is_told(folder: Path) -> None:
    """Not that there are too few elements, for there is one, which is wrong."""
    path = write(folder, 'name = "s"\ninstances = ["x.json"]\nseeds = [-1]\n[[methods]]\nname = "auto"\n')
    with pytest.raises(FormatError, match=r":3:1: seeds\[0\]: expected .*at least 0"):
        runs(path)
    path = write(folder, 'name = "s"\ninstances = ["x.json"]\n[[methods]]\noptions = {}\n')
    with pytest.raises(FormatError, match=r":3:3: methods\[0\]: the key 'name' is missing"):
        runs(path)


def test_instances_of_one_name_have_a_place_without_the_key(folder: Path) -> None:
    """Two that are generated alike, in a suite that has no ``instances``."""
    tiny = '[[generate]]\nfamily = "tiny"\n'
    with pytest.raises(FormatError, match=r":1:1: instances: two instances are named"):
        runs(write(folder, f'name = "s"\n{tiny}{tiny}[[methods]]\nname = "auto"\n'))


def test_a_wrong_best_known_solution_is_an_error(folder: Path, worked_example: Instance) -> None:
    """Nothing is compared with a solution that is not what it claims to be."""
    solution = chainopt.compose(worked_example, "paper")
    chainopt.write_solution(solution.replace(chains=solution.chains[:1]), folder / "x.sol.json")
    with pytest.raises(FormatError, match=r"x\.sol\.json: not a best-known solution"):
        runs(write(folder, 'name = "s"\ninstances = ["x.json"]\n[[methods]]\nname = "paper"\n'))


def test_the_smoke_suite_is_one() -> None:
    """The suite that comes along can be read, and has every kind of method."""
    assert {run.entrant.kind for run in runs(SMOKE)} >= {Kind.COMPOSER, Kind.PLUG_IN}
