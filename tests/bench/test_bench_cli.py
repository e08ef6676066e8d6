"""``chainopt bench``: the smoke suite, resuming, kills, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt.cli import main
from chainopt.model import Instance

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "benchmarks" / "suites" / "smoke.toml"
SUITE = """
name = "many"
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
instances = ["x.json"]
[[methods]]
name = "random+gca"
options.cache_reservation = 1
[[methods]]
name = "own.py:slow"
"""
SLOW = "import time\nfrom chainopt.model import Placement\n\ndef slow(instance):\n    time.sleep(0.02)\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def suite(worked_example: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty runs, half of which take a moment."""
    monkeypatch.setattr("chainopt.bench.figures.available", lambda: False)
    chainopt.write_instance(worked_example, tmp_path / "x.json")
    (tmp_path / "own.py").write_text(SLOW)
    (tmp_path / "suite.toml").write_text(SUITE)
    return tmp_path / "suite.toml"


def test_smoke(tmp_path: Path) -> None:
    """Everything once: every run has a verified result with all fields, and the summaries are there."""
    own = f"{ROOT / 'examples' / 'own_method.py'}:whole_model"  # the suite has it already
    result = run(SMOKE, "--method", own, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    records = results(tmp_path)
    assert len({record["key"] for record in records}) == len(records)
    assert all(record["verified"] for record in records)
    assert {"feasible", "infeasible", "unstable"} <= {record["status"] for record in records}
    promised = (
        "instance method seed objective status value bound best_known gap runtime_s verified version key sha256 source"
        " options half_width simulated gap_to violations environment finished solution suite error"
    )
    assert all(set(promised.split()) <= set(record) for record in records)
    assert {"summary.txt", "summary.md", "summary.csv", "summary.tex"} <= {path.name for path in tmp_path.iterdir()}
    assert "own_method.py" in result.stdout


@pytest.fixture
def small(worked_example: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite of one run, in the current folder, with own methods of one name and function beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("chainopt.bench.figures.available", lambda: False)
    chainopt.write_instance(worked_example, tmp_path / "x.json")
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.py").write_text(f"def f(instance):\n    return None  # {name}\n")
    (tmp_path / "suites").mkdir()
    path = tmp_path / "suites" / "small.toml"
    path.write_text('name = "s"\ninstances = ["../x.json"]\n[[methods]]\nname = "../a/m.py:f"\n')
    return path


def labels(folder: Path | str) -> list[str]:
    return [record["method"] for record in results(Path(folder))]


def test_a_method_of_the_suite_is_not_added_again(small: Path) -> None:
    """The same file and function are the same method, however the path is written; another one of the name is not."""
    assert run(small, "--method", "a/m.py:f", "-o", "out").exit_code == 0
    assert labels("out") == ["m.py:f"]
    assert run(small, "--method", "b/m.py:f", "-o", "out", "--resume").exit_code == 0
    assert labels("out") == ["m.py:f", "b/m.py:f"]
    assert run("x.json", "--method", "a/m.py:f", "--method", "b/m.py:f", "-o", "two").exit_code == 0
    assert labels("two") == ["m.py:f", "b/m.py:f"]


def test_a_label_that_is_taken_by_another_method_is_an_error(small: Path) -> None:
    """A method of the command line is never dropped without a word."""
    small.write_text(small.read_text() + 'label = "paper"\n')
    result = run(small, "--method", "paper", "-o", "out")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--method paper: two methods are called 'paper'" in result.stderr


def test_tables_are_of_the_suite_that_was_run(small: Path) -> None:
    """Results that are in the folder from another configuration stay there, and in no table."""
    small.write_text('name = "s"\ninstances = ["../x.json"]\n[[methods]]\nname = "paper"\nlabel = "mine"\n')
    first = json.loads(run(small, "--json", "-o", "out").stdout)
    small.write_text(small.read_text() + 'options = { criterion = "lower", stop = "rate" }\n')
    second = json.loads(run(small, "--json", "-o", "out", "--resume").stdout)
    small.write_text(small.read_text().replace("mine", "ours").split("options")[0])
    again = run(small, "--json", "-o", "out", "--resume")
    (again,) = json.loads(again.stdout)
    assert len(results(Path("out"))) == 2
    assert len(first) == len(second) == 1
    assert (again["value"], again["method"]) == (first[0]["value"], "ours")
    assert "1 results of other runs" in Path("out/summary.txt").read_text()


def test_old_and_short_lines_are_told(small: Path) -> None:
    """A line of another version is said to be one; a line without what it need not have is no traceback."""
    assert run(small, "-o", "out").exit_code == 0
    (record,) = results(Path("out"))
    few = ("key", "instance", "method", "seed", "objective", "status", "value")
    line = {**{key: record[key] for key in few}, "status": "error", "version": "0.0"}
    Path("out/results.jsonl").write_text(json.dumps(line) + "\n")
    result = run(small, "-o", "out", "--resume")
    assert result.exit_code == 1
    assert "1 results are of chainopt 0.0" in result.stderr
    assert "worked-example, m.py:f: it was not verified" in result.stderr


def test_a_method_that_goes_elsewhere_loses_nothing(small: Path, tmp_path: Path) -> None:
    """The folder of the results is the one that was meant when the command began."""
    own = "import os, pathlib\n\ndef f(instance):\n    os.chdir(pathlib.Path(__file__).parent)\n"
    (tmp_path / "a" / "m.py").write_text(own)
    assert run(small, "--update-best", "-o", "out").exit_code == 0
    assert (tmp_path / "out" / "summary.txt").exists()


def test_names_and_messages_that_are_no_text(small: Path, tmp_path: Path) -> None:
    """File names that are not UTF-8, and messages with them, are kept as escapes and shown with question marks."""
    os.rename("x.json", b"caf\xe9.json")
    (tmp_path / "a" / "m.py").write_text("def f(instance):\n    raise ValueError('caf\\udce9')\n")
    small.write_text(small.read_text().replace("x.json", "*.json"))
    result = run(small, "--json", "-o", "out")
    assert result.exit_code == 1, result.output
    assert "ValueError: caf?" in result.stderr
    (record,) = json.loads(result.stdout)
    assert record["source"] == "../caf\udce9.json"
    assert record["error"].endswith("ValueError: caf\udce9")
    assert (tmp_path / "out" / "summary.txt").exists()


@pytest.mark.parametrize("method", ["", "caf\udce9.py:f", "x" * 5000])
def test_no_method_has_such_a_name(method: str, small: Path) -> None:
    """What cannot be a name is one line, and exit code 2."""
    for source in (small, "x.json"):
        result = run(source, "--method", method, "-o", "out")
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output


def test_resume_makes_what_is_missing(suite: Path, tmp_path: Path) -> None:
    """Results are continued on request only; nothing is made twice, and a method can be added."""
    out = tmp_path / "out"
    assert run(suite, "-o", out).exit_code == 0
    first = (out / "results.jsonl").read_text()
    refused = run(suite, "-o", out)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--resume" in refused.stderr
    (out / "results.jsonl").write_text(first[: len(first) // 2])
    assert run(suite, "-o", out, "--resume").exit_code == 0
    assert len(results(out)) == len({record["key"] for record in results(out)}) == 20
    assert run(suite, "--method", "paper", "-o", out, "--resume").exit_code == 0
    assert [record["method"] for record in results(out)[20:]] == ["paper"] * 10


def test_a_folder_with_methods(suite: Path, tmp_path: Path) -> None:
    """All instances, each method given; exit code 1 if one fails; whatever it prints, the output is JSON alone."""
    (tmp_path / "own.py").write_text(
        "import os\n\ndef loud(instance):\n    print('hello')\n    os.write(1, b'hello')\n    raise ValueError('no')\n"
    )
    own = f"{tmp_path / 'own.py'}:loud"
    result = run(tmp_path / "x.json", "--method", "random+gca", "--method", own, "--json", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert [(record["method"], record["status"]) for record in json.loads(result.stdout)] == [
        ("random+gca", "feasible"),
        ("own.py:loud", "error"),
    ]
    assert "ValueError: no" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "expected a suite, FILE.toml, or a folder of instances"),
        (("nowhere.toml",), "cannot be read"),
        (("suite.toml", "--seeds", 3), "a suite says it"),
        (("x.json", "--method", "nonsense"), "no method 'nonsense'"),
        (("x.json", "--method", "nowhere.py:f"), "cannot be read"),
        (("x.json", "--workers", 2, "--dask", "tcp://a:1"), "the cluster's own workers"),
        (("out",), "no instance matches"),
    ],
)
def test_mistakes(
    arguments: tuple[object, ...], told: str, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that says what is wrong, exit code 2, and no folder is made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    result = run(*arguments, "-o", "results")
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert not (tmp_path / "results").exists()


def command(suite: Path, out: Path, *more: object) -> subprocess.Popen[str]:
    arguments = ["bench", suite, "-o", out, "--resume", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "chainopt", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def wait_for(out: Path, lines: int) -> None:
    until = time.monotonic() + 200
    while time.monotonic() < until:
        if (out / "results.jsonl").exists() and (out / "results.jsonl").read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.005)
    raise AssertionError("nothing comes")


def test_kills(suite: Path, tmp_path: Path) -> None:
    """After SIGKILL, every run is there in the end, once; benchmarks/bench_kills.py does this with 2,000 of them."""
    out = tmp_path / "out"
    with command(suite, out) as process:
        wait_for(out, 5)
        process.kill()
    assert 0 < len((out / "results.jsonl").read_bytes().split(b"\n")) - 1 < 20
    assert run(suite, "-o", out, "--resume").exit_code == 0
    assert len(results(out)) == len({record["key"] for record in results(out)}) == 20


def test_sigterm(suite: Path, tmp_path: Path) -> None:
    """It keeps what is finished, says what is missing, and ends the workers; so does Ctrl-C (test_execution)."""
    out = tmp_path / "out"
    (tmp_path / "own.py").write_text(SLOW.replace("0.02", "1"))
    with command(suite, out, "--workers", 2) as process:
        wait_for(out, 2)
        process.terminate()
        _, told = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    kept = len(results(out))
    assert 2 <= kept < 20
    assert f"stopped; --resume makes the {20 - kept} runs that are missing" in told
    assert "Traceback" not in told
