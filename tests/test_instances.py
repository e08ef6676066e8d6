"""Every file of instances/ is what its README says: made by that command line, byte for byte."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from chainopt.cli import main
from chainopt.files import instance_text, read_instance
from chainopt.generate import FAMILIES

ROOT = Path(__file__).parent.parent / "instances"
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir())


def files(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).glob("*.json") if not path.name.endswith(".sol.json"))


def calls(folder: str) -> list[list[str]]:
    """The command lines of a README, without the name of the program."""
    text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("folder", FOLDERS)
def test_readme_lines_make_every_file(folder: str, tmp_path: Path) -> None:
    """Run in-process, the lines of a README make the files of its folder, all of them and no others."""
    lines = calls(folder)
    for line in lines:
        assert line[-2:] == ["-o", f"instances/{folder}/"]
        result = CliRunner().invoke(main, ["-q", *line[:-1], f"{tmp_path}/"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(made) == len(lines), "each line makes another file"
    assert set(made) == {path.name for path in files(folder)}
    for path in files(folder):
        assert made[path.name] == path.read_bytes(), path.name


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_read_and_are_named_as_their_instances(folder: str) -> None:
    """Every file is a valid instance in its canonical layout, and bears the instance's name."""
    assert files(folder)
    for path in files(folder):
        instance = read_instance(path)
        assert instance.name == path.stem
        assert instance_text(instance) == path.read_text(encoding="utf-8")


def test_names_are_unique() -> None:
    """No two instances of all folders share a name."""
    names = Counter(path.stem for folder in FOLDERS for path in files(folder))
    assert max(names.values()) == 1


def test_every_family_has_instances() -> None:
    """There is a folder for each family."""
    assert set(FAMILIES) <= set(FOLDERS)


def test_top_readme_lists_every_folder_and_its_size() -> None:
    """The table of instances/README.md has a row for each folder, with the number of its instances."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[([\w-]+)\]\(\1/README\.md\) \| (\d+) \|", text, re.MULTILINE))
    assert {name: int(number) for name, number in rows.items()} == {name: len(files(name)) for name in FOLDERS}


def test_instances_stay_small() -> None:
    """All instances together take less than 3 MB."""
    assert sum(path.stat().st_size for folder in FOLDERS for path in files(folder)) < 3_000_000
