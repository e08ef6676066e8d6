"""`chainopt report`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt.cli import main
from tests.report import hostile
from tests.report.systems import two_chains


def run(*arguments: object, stdin: str | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["report", *map(str, arguments)], input=stdin)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Files of two chains."""
    return written(tmp_path, *two_chains())


def written(folder: Path, instance: chainopt.model.Instance, solution: chainopt.model.Solution) -> tuple[Path, Path]:
    """Files of an instance and its solution."""
    paths = folder / "x.json", folder / "x.sol.json"
    chainopt.write_instance(instance, paths[0])
    chainopt.write_solution(solution, paths[1])
    return paths


def test_page(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A page is written, nothing is said; with -v the warnings are."""
    result = run(*files, "-o", tmp_path / "x.html")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "chainopt: Hosting nothing: 1 of 5 servers\n" in run(*files, "-o", tmp_path / "x.html", "-v").stderr


def test_standard_streams(files: tuple[Path, Path]) -> None:
    """A solution may come from standard input, and the page go to standard output."""
    result = run(files[0], "-", "-o", "-", stdin=files[1].read_text(encoding="utf-8"))
    assert result.exit_code == 0
    assert result.stdout.startswith("<!doctype html>")
    assert result.stdout.rstrip().endswith("</html>")


def test_unstable(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Exit code 1 where the load is not below 1, with both rates; the page is there."""
    result = run(*files, "-o", tmp_path / "x.html", "--arrival-rate", "2")
    assert result.exit_code == 1
    expected = "'two-chains' is unstable: 2 jobs/s, the chains serve at most 1.167; the page says so too"
    assert result.stderr == f"chainopt: error: {expected}\n"
    assert "grows without limit" in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Bad usage, a solution that is none, and a target that cannot be written are one line and exit code 2."""
    instance, solution = two_chains()
    wrong = tmp_path / "wrong.sol.json"
    chainopt.write_solution(solution.replace(chains=[solution.chains[0].replace(servers=("a", "c"))]), wrong)
    empty = tmp_path / "empty.sol.json"
    chainopt.write_solution(solution.replace(chains=()), empty)
    for arguments, expected in (
        (files, "Missing option '-o'"),
        (("-", "-", "-o", "x.html"), "cannot both be read from standard input"),
        ((files[0], wrong, "-o", tmp_path / "x.html"), "not a composition of 'two-chains'"),
        ((files[0], empty, "-o", tmp_path / "x.html"), "it has no chain to evaluate"),
        ((*files, "-o", tmp_path / "none" / "x.html"), "cannot be written: No such file or directory"),
        ((*files, "-o", tmp_path / "x.html", "--arrival-rate", "0"), "expected a finite number above 0"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert expected in result.stderr
        assert "Traceback" not in result.stderr
    assert not (tmp_path / "x.html").exists()
    assert instance.name == "two-chains"


@pytest.mark.parametrize("name", hostile.HOSTILE)
def test_hostile_names(name: str, tmp_path: Path) -> None:
    """Nothing but the page is written, wherever a hostile name comes from a file."""
    home = tmp_path / "in"
    home.mkdir()
    files = written(home, *hostile.system([name, "b"], name, name))
    out = tmp_path / "out"
    out.mkdir()
    result = run(*files, "-o", out / "x.html")
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in out.iterdir()] == ["x.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    text = (out / "x.html").read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert "<script>attack" not in text
