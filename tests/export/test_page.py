"""The page on exports: its commands run, its list of engines is complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainopt.cli import main
from chainopt.export import ENGINES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")


def test_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The commands do what they say, one after another."""
    (tmp_path / "instances").symlink_to(ROOT / "instances")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines():
        result = CliRunner().invoke(main, shlex.split(line)[1:])
        assert result.exit_code == 0, result.output
    assert (tmp_path / "swarm" / "identities.py").exists()
    assert (tmp_path / "pipelines" / "scripts").is_dir()


def test_engines() -> None:
    """Each engine has a row in the table, in the order of the list."""
    assert re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE) == list(ENGINES)


def test_files() -> None:
    """The files of the first table are those that an export has."""
    from chainopt.export import Options, export_files, make_plan
    from tests.export.systems import two_chains

    _, files = export_files("vllm", make_plan(*two_chains()), Options(model="m", tokens=2048))
    rows = set(re.findall(r"`([^`]+\.(?:json|md|sh))`", PAGE.split("## What is written")[1].split("Beside them")[0]))
    named = {"scripts/NAME.sh" if path.startswith("scripts/") else path for path in files}
    assert rows == named
