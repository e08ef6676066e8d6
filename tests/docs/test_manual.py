"""The manual: a page for each command, with what its help says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from chainopt.cli import COMMANDS, main
from chainopt.cli.manual import Manual, command, man_page, manuals

MANUALS = {manual.name: manual for manual in manuals()}
PAGES = pytest.mark.parametrize("manual", MANUALS.values(), ids=MANUALS.keys())


def test_every_command_has_one() -> None:
    """All commands, and those that they have themselves."""
    assert {"chainopt", "chainopt-catalog-gpus", "chainopt-generate-bloom"} <= set(MANUALS)
    assert {f"chainopt-{name}" for name in COMMANDS} <= set(MANUALS)


@PAGES
def test_options_are_those_of_the_help(manual: Manual) -> None:
    """Every option of the help is in the manual, and on the page."""
    text = CliRunner().invoke(main, [*manual.words[1:], "--help"]).stdout
    shown = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))
    assert shown == {name for names, _ in manual.options for name in re.findall(r"(?<![\w-])--[a-z-]+", names)}
    assert all(name.replace("-", r"\-") in man_page(manual) for name in shown)


@PAGES
def test_examples_are_commands(manual: Manual) -> None:
    """Examples name commands and options that exist; what has none belongs to a command that has."""
    assert manual.examples or len(manual.words) in (1, 3)
    for line in manual.examples:
        words = shlex.split(line)
        context, group = click.Context(main), main
        assert words[0] == "chainopt"
        name, each, rest = group.resolve_command(context, words[1:])
        while isinstance(each, click.Group):
            name, each, rest = each.resolve_command(context, rest)
        assert each is not None
        if "--list" not in rest:
            each.make_context(name, list(rest))


@PAGES
def test_pages_have_their_sections(manual: Manual) -> None:
    """Name, synopsis, description, options and exit codes; no line is taken for a command of man that is none."""
    page = man_page(manual)
    sections = re.findall(r"^\.SH (.+)$", page, re.MULTILINE)
    assert [part for part in sections if part in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS")] == [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "EXIT STATUS",
    ]
    assert ("EXAMPLES" in sections) == bool(manual.examples)
    assert {line.split()[0] for line in page.splitlines() if line[:1] in (".", "'")} <= {
        *(".TH", ".SH", ".PP", ".TP", ".nf", ".fi"),
    }


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_groff_has_nothing_to_say(tmp_path: Path) -> None:
    """Pages are written as files, and groff formats them without warnings."""
    assert CliRunner().invoke(command, [str(tmp_path / "man1")]).exit_code == 0
    files = sorted((tmp_path / "man1").iterdir())
    assert {file.name for file in files} == {f"{name}.1" for name in MANUALS}
    for file in files[::6]:
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-k", file], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        assert "SYNOPSIS" in re.sub(r".\x08", "", done.stdout)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """One line says so."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = CliRunner().invoke(command, [str(tmp_path / "file" / "man1")])
    assert result.exit_code == 1
    assert "Not a directory" in result.stderr
