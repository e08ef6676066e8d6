"""Completion in shells: what the Tab key offers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainopt.cli import COMMANDS, main


def completed(line: str, cursor: int) -> list[str]:
    """What bash is offered for a word of a line."""
    variables = {"_CHAINOPT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(cursor)}
    result = CliRunner().invoke(main, [], prog_name="chainopt", env=variables)
    return [entry.partition(",")[2] for entry in result.stdout.split()]


def test_commands() -> None:
    """All commands, and those that begin with what is typed."""
    assert completed("chainopt ", 1) == list(COMMANDS)
    assert completed("chainopt s", 1) == [name for name in COMMANDS if name.startswith("s")]
    assert "bloom" in completed("chainopt generate b", 2)


def test_options_and_choices() -> None:
    """Options of a command, and the values of one that has a few."""
    assert completed("chainopt solve --ti", 2) == ["--time-limit"]
    assert completed("chainopt solve --objective r", 3) == ["response-time", "rate"]
    assert {"--response-time", "--percentile"} <= set(completed("chainopt size --", 2))


def test_methods() -> None:
    """Names of methods; where none begins so, the shell is asked for files."""
    assert completed("chainopt solve --method gbp", 3) == ["gbp-cr+gca", "gbp-cr+reserved"]
    assert completed("chainopt bench --method pap", 3) == ["paper"]
    assert completed("chainopt solve --method own/me", 3) == ["own/me"]


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete"), ("zsh", "compdef"), ("fish", "complete")])
def test_sources(shell: str, word: str) -> None:
    """Each shell gets a script that registers the completion of chainopt."""
    result = CliRunner().invoke(main, [], prog_name="chainopt", env={"_CHAINOPT_COMPLETE": f"{shell}_source"})
    assert result.exit_code == 0
    assert word in result.stdout
    assert "_CHAINOPT_COMPLETE" in result.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_in_bash(tmp_path: Path) -> None:
    """The line of the documentation, in a real bash, offers commands."""
    command = tmp_path / "chainopt"
    command.write_text(
        f"#!{sys.executable}\nfrom chainopt.cli import main\nmain(prog_name='chainopt')\n", encoding="utf-8"
    )
    command.chmod(0o755)
    script = (
        'eval "$(_CHAINOPT_COMPLETE=bash_source chainopt)"; COMP_WORDS=(chainopt si); COMP_CWORD=1;'
        ' _chainopt_completion chainopt; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
    )
    assert done.stdout.split() == ["simulate", "size"]


def test_nothing_slow_is_loaded() -> None:
    """Completion imports no compiler, no solver and no arrays, so that the key answers at once."""
    code = (
        "import sys, click\n"
        "from chainopt.cli import main\n"
        "try:\n"
        "    main(prog_name='chainopt')\n"
        "except SystemExit:\n"
        "    print(sorted({'numba', 'numpy', 'scipy', 'pandas', 'ortools', 'highspy'} & set(sys.modules)))\n"
    )
    variables = {"_CHAINOPT_COMPLETE": "bash_complete", "COMP_WORDS": "chainopt solve --ti", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **variables}, check=True
    )
    assert done.stdout.splitlines() == ["plain,--time-limit", "[]"]
