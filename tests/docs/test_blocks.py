"""Every block of code in the README and in the documentation runs, and prints what is shown."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from chainopt import read_instance
from chainopt.cli.manual import command as write_manual
from tests.docs.pages import ROOT, SHELLS, Block, blocks, commands, run_command, run_python

PAGES = sorted(
    page
    for page in [*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md"), ROOT / "instances" / "README.md"]
    if any(block.language in (*SHELLS, "python") for block in blocks(page))
)
"""The other blocks of README.md are run by its own test, those of CONTRIBUTING.md by continuous integration."""
LIBRARY = (
    "worked-example/*",
    "tiny/tiny-j3-*",
    "tiny/tiny-infeasible-memory.json",
    "tiny/tiny-unstable.json",
    "tiny/tiny-j5-l5-s9.json",
    "bloom/*j20*",
)
QUICK = {
    "plan": ["--time-limit", "0.3"],
    "solve": ["--iterations", "500"],
    "size": ["--time-limit", "1"],
    "bound": ["--time-limit", "1"],
    "simulate": ["--jobs", "50000"],
}
"""So that the search does not take the time that a reader gives it; what a page says itself comes later, and counts."""
LABEL = re.compile(r"^ ?[a-z][^0-9\n]*?(?=  )", re.MULTILINE)
UNSURE = {"proven bound", "gap"}
"""Rows that there are only if the time was enough."""
SAME = re.compile(r"^(mean response time|95 % within) +([\d.]+)", re.MULTILINE)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a part of what a clone of the repository has, an instance x.json and its solution x.sol.json."""
    for pattern in (*(f"instances/{family}" for family in LIBRARY), "benchmarks/suites/*", "examples/*.py"):
        for file in ROOT.glob(pattern):
            copy = tmp_path / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    monkeypatch.chdir(tmp_path)
    shutil.copy("instances/worked-example/worked-example.json", "x.json")
    assert run_command(["solve", "--method", "paper", "x.json", "-o", "x.sol.json"])[0] == 0
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_run(page: Path, workplace: Path) -> None:
    """Blocks run in order, in one folder; files that a page shows are there; outputs have the rows that it shows."""
    names: dict[str, Any] = {"instance": read_instance("x.json")}
    printed = ""
    for block in blocks(page):
        if block.title is not None:
            (workplace / block.title).write_text(block.code, encoding="utf-8")
        elif block.reason is not None:
            printed = ""
        elif block.language == "python":
            run_python(block.code, page.name, names)
        elif block.language in SHELLS:
            printed = "".join(_run(words, code) for words, code in commands(block))
        elif block.language == "text" and printed:
            _compare(block, printed)


PLACEHOLDERS = {
    "INSTANCE": "y.json",
    "INSTANCE...": "y.json",
    "CLUSTER.yaml": "cluster.yaml",
}
SUITE = 'name = "mine"\ninstances = ["instances/worked-example"]\n\n[[methods]]\nname = "paper"\n'


def test_commands_of_the_readme_run(workplace: Path) -> None:
    """The command lines that the README lists, in order, with files for their placeholders."""
    shutil.copy("instances/bloom/bloom-ripe-j20-eta20-s1-medium.json", "y.json")
    Path("SUITE.toml").write_text(SUITE, encoding="utf-8")
    shutil.copy(ROOT / "tests" / "cluster" / "examples" / "cluster.yaml", workplace)
    lines = [line for block in blocks(ROOT / "README.md") if block.language == "console" for line in commands(block)]
    assert len(lines) > 5
    for words, code in lines:
        _run([PLACEHOLDERS.get(word, word) for word in words], code)


def _run(words: list[str], expected: int) -> str:
    """Run a command line of a page, in less time, and return what it prints."""
    if words[:3] == ["python", "-m", "chainopt.cli.manual"]:
        write_manual(words[3:], standalone_mode=False)
        return ""
    assert words[0] == "chainopt", f"a comment has to say why {words[0]} is not run"
    name, *arguments = words[1:]
    if name in QUICK and not {"--iterations", "--method", "--list"} & set(arguments):
        if "--time-limit" in arguments:
            at = arguments.index("--time-limit")
            del arguments[at : at + 2]
        arguments = [*QUICK[name], *arguments]
    code, output, errors = run_command([name, *arguments])
    assert code == expected, f"{' '.join(words)}: exit code {code}\n{errors}"
    return output + errors


def _compare(block: Block, printed: str) -> None:
    """What is shown is about the same thing, its rows are printed, and mean times are the same to 10 %."""
    assert block.code.split()[0] in printed
    assert set(LABEL.findall(block.code)) - UNSURE <= set(LABEL.findall(printed))
    there = dict(SAME.findall(printed))
    for name, value in SAME.findall(block.code):
        assert float(there[name]) == pytest.approx(float(value), rel=0.1)


def test_few_blocks_are_left_out() -> None:
    """Blocks that are not run say why, and are few."""
    reasons = [block.reason for page in PAGES for block in blocks(page) if block.reason is not None]
    assert all(len(reason) > 20 for reason in reasons)
    assert len(reasons) <= 8
