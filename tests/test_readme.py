"""What the README shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainopt.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_first_command_prints_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The output under the first command line has the rows of that of its last command, and figures as good.

    How far two seconds of search get depends on the machine: at least as far as the paper's algorithms (16.05 s), and
    no farther than the bound that is shown.
    """
    monkeypatch.chdir(ROOT)
    command = shlex.split(blocks("bash")[0].rpartition("&&")[2])
    assert command[0].endswith("chainopt")
    shown, printed = blocks("text")[0], CliRunner().invoke(main, command[1:]).stdout
    label = re.compile(r"^ ?[a-z][^0-9]*?(?=  )", re.MULTILINE)
    assert label.findall(printed) == label.findall(shown)
    assert printed.splitlines()[0] == shown.splitlines()[0]
    for output in (shown, printed):
        mean, bound = (
            re.search(rf"^{name} +([\d.]+) s$", output, re.MULTILINE) for name in ("mean response time", "proven bound")
        )
        assert mean is not None
        assert bound is not None
        assert float(bound[1]) <= float(mean[1]) <= 16.05


def test_the_commands_exist() -> None:
    """Every command that is shown is one."""
    lines = "".join(blocks("console")).replace("\\\n", " ").splitlines()
    assert len(lines) > 10
    for line in lines:
        name = shlex.split(line.removeprefix("$ "), comments=True)[1]
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The example runs as printed."""
    monkeypatch.chdir(ROOT)
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("feasible 15.")


def test_links_lead_somewhere() -> None:
    """Every relative link of the README and the docs names a file that is there."""
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "instances").rglob("*.md"),
    ]
    for page in pages:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
