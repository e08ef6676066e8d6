"""The command ``chainopt generate``."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from chainopt.cli import main
from chainopt.cli.generate import EXAMPLES
from chainopt.facade import compose
from chainopt.files import instance_text, read_instance
from chainopt.generate import FAMILIES, BloomParameters

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["generate", *arguments], catch_exceptions=False)


def test_help_lists_the_families() -> None:
    """The help names every family of the registry."""
    result = run("--help")
    assert result.exit_code == 0
    for family in FAMILIES.values():
        assert f"  {family.name} " in result.output


@pytest.mark.parametrize("name", FAMILIES)
def test_help_of_a_family_lists_its_parameters(name: str) -> None:
    """The help of a family names its options and gives examples."""
    result = run(name, "--help")
    assert result.exit_code == 0
    for option in FAMILIES[name].options:
        assert f"--{option.name.replace('_', '-')}" in result.output
    assert "Examples:" in result.output
    assert name in EXAMPLES


@pytest.mark.parametrize(("name", "options"), [(name, each) for name, every in EXAMPLES.items() for each in every])
def test_examples_run(name: str, options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of the help does what it says."""
    monkeypatch.chdir(tmp_path)
    result = run(name, *options.split())
    assert result.exit_code == 0, result.output
    if " -o " not in f" {options} ":
        assert json.loads(result.stdout)["name"].startswith(f"{name}-")
    else:
        assert list(tmp_path.rglob("*.json"))


def test_default_is_standard_output() -> None:
    """Without -o the instance, and nothing else, goes to standard output."""
    result = run("bloom", "--servers", "4", "--fast-share", "0.5", "--seed", "3")
    assert result.stdout == instance_text(
        FAMILIES["bloom"].instance(BloomParameters(servers=4, fast_share=0.5), seed=3)  # type: ignore[arg-type]
    )
    assert not result.stderr


def test_numbers_are_taken_as_written(tmp_path: Path) -> None:
    """A decimal on the command line is that decimal in the file."""
    assert run("tiny", "--arrival-rate", "0.123456789012345", "-o", str(tmp_path / "x.json")).exit_code == 0
    assert str(read_instance(tmp_path / "x.json").workload.arrival_rate) == "0.123456789012345"


def test_count_writes_a_file_for_each_seed(tmp_path: Path) -> None:
    """--count N has the seeds from --seed on, in a directory that is made if need be."""
    result = run("tiny", "--servers", "3", "--blocks", "3", "--seed", "5", "--count", "3", "-o", str(tmp_path / "new"))
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"tiny-j3-l3-s{s}.json" for s in (5, 6, 7)]
    assert result.stderr.count("wrote ") == 3


def test_name_with_seed(tmp_path: Path) -> None:
    """{seed} in a name stands for the seed; the name is that of the file and of the instance."""
    assert run("tiny", "--count", "2", "--name", "t{seed}", "-o", f"{tmp_path}/").exit_code == 0
    assert [read_instance(tmp_path / f"t{seed}.json").name for seed in (0, 1)] == ["t0", "t1"]


def test_load_is_a_share_of_the_rate_that_is_found(tmp_path: Path) -> None:
    """--load X sets X times the largest total service rate found, which can be frozen as an arrival rate."""
    common = ("bloom", "--servers", "10", "--seed", "1")
    result = run(*common, "--load", "0.6", "-o", str(tmp_path / "a.json"))
    assert result.exit_code == 0
    instance = read_instance(tmp_path / "a.json")
    evaluation = compose(instance, "paper", "rate").evaluation
    assert evaluation is not None
    assert evaluation.load == pytest.approx(0.6, rel=5e-3)
    rate = str(instance.workload.arrival_rate)
    assert f"--arrival-rate {rate}" in result.stderr
    run(*common, "--arrival-rate", rate, "-o", str(tmp_path / "b.json"))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_load_of_what_cannot_be_served_is_a_negative_answer() -> None:
    """Where no composition exists there is no rate to take a share of: exit code 1, one line."""
    result = run("tiny", "--trap", "infeasible-memory", "--load", "0.5")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert not result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no family is named 'nothing'; known are tiny, random"),
        (("bloom", "--servers", "0"), "--servers: expected an integer from 1 to 319, got 0"),
        (("bloom", "--servers", "many"), "'many' is not a valid integer"),
        (("bloom", "--fast-share", "a lot"), "'a lot' is not a number"),
        (("bloom", "--fast-share", "nan"), "'nan' is not a number"),
        (("bloom", "--fast-share", "2"), "--fast-share: expected a number from 0 to 1"),
        (("bloom", "--seed", "-1"), "--seed"),
        (("bloom", "--seed", "9223372036854775808"), "seed: expected an integer from 0 to 2^63 - 1"),
        (("bloom", "--arrival-rate", "1", "--bound-share", "0.5"), "not both"),
        (("bloom", "--arrival-rate", "1", "--load", "0.5"), "give one of --arrival-rate"),
        (("bloom", "--load", "0"), "expected a number above 0 and below 1000"),
        (("bloom", "--count", "2"), "--count needs a directory"),
        (("bloom", "--count", "2", "--name", "x", "-o", "d/"), "--name needs {seed}"),
        (("bloom", "--name", "a/b", "-o", "."), "'a/b' cannot be that of a file"),
        (("bloom", "--name", ""), "name: "),
        (
            (
                "bloom",
                "--nothing",
            ),
            "--nothing",
        ),
        (("tiny", "--trap", "nothing"), "'nothing' is not one of"),
        (("mig", "--model", "nothing"), "no model is named 'nothing'"),
        (("topology", "--graph", "Nowhere"), "'Nowhere' is not one of"),
        (("bloom", "-o", "no/such/x.json"), "cannot be written"),
    ],
)
def test_bad_usage_is_exit_code_2(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be done says why on standard error and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout
    assert not list(tmp_path.rglob("*.json"))


def test_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the way of the directory is an error of one line."""
    (tmp_path / "x").write_text("")
    result = run("tiny", "--count", "2", "-o", str(tmp_path / "x"))
    assert result.exit_code == 2
    assert "cannot be made" in result.stderr


def test_help_loads_nothing_heavy() -> None:
    """The help of a family compiles and solves nothing: numba and scipy are not even imported."""
    code = (
        "import sys; from click.testing import CliRunner; from chainopt.cli import main; "
        "result = CliRunner().invoke(main, ['generate', 'bloom', '--help']); "
        "assert result.exit_code == 0; print([m for m in ('numba', 'scipy', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
