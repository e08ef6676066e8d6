"""A folder appears whole or not at all, and nothing else is touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import chainopt
from chainopt.export import write_folder
from tests.export.stubs import tree

LISTED = '"files": ["README.md", "plan.json", "scripts/a.sh", "keys/a.key", "variables.env", "../beside"]'
MINE = {
    "plan.json": f'{{"format": "chainopt-plan/1", {LISTED}}}',
    "scripts/a.sh": "#!/bin/sh\n",
    "README.md": "é\n",
}
OTHER = {"plan.json": '{"format": "chainopt-plan/1", "new": 1}'}


def test_writes_all_files(tmp_path: Path) -> None:
    """Texts as UTF-8 with plain line ends, scripts executable, nothing left beside."""
    write_folder(MINE, tmp_path / "x")
    assert tree(tmp_path) == {f"x/{path}" for path in MINE}
    assert (tmp_path / "x" / "README.md").read_bytes() == "é\n".encode()
    assert os.access(tmp_path / "x" / "scripts" / "a.sh", os.X_OK)
    assert not os.access(tmp_path / "x" / "plan.json", os.X_OK)


def test_permissions_follow_the_mask(tmp_path: Path) -> None:
    """Who may not read a script may not execute it."""
    old = os.umask(0o077)
    try:
        write_folder(MINE, tmp_path / "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x" / "scripts" / "a.sh").stat().st_mode) == 0o700


def test_empty_folder_and_link(tmp_path: Path) -> None:
    """An empty folder is taken, also through a symbolic link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_folder(MINE, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert tree(tmp_path / "real") == set(MINE)


def test_replaces_an_export_only_if_forced(tmp_path: Path) -> None:
    """An export is kept unless --force is given, and then all that it lists is replaced."""
    write_folder(MINE, tmp_path / "x")
    with pytest.raises(chainopt.FormatError, match=r"x: it holds an export; --force replaces its files"):
        write_folder(OTHER, tmp_path / "x")
    assert tree(tmp_path / "x") == set(MINE)
    write_folder(OTHER, tmp_path / "x", force=True)
    assert tree(tmp_path) == {"x/plan.json"}


def test_keeps_what_it_did_not_write(tmp_path: Path) -> None:
    """Keys, variables and files of users stay as they are, even if the plan lists them; so do permissions."""
    folder = tmp_path / "x"
    write_folder(MINE, folder)
    others = ("keys/a.key", "peers.json", "variables.env", "scripts/mine.sh", "notes/deep/a.txt")
    for path in others:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    (folder / "keys" / "a.key").chmod(0o400)
    (folder / "keys").chmod(0o500)
    folder.chmod(0o700)
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("notes")
    (tmp_path / "beside").write_text("1")
    old = (folder / "keys" / "a.key").stat()
    write_folder(OTHER, folder, force=True)
    assert tree(tmp_path) >= {f"x/{path}" for path in (*others, "plan.json")} | {"beside"}
    assert {path.name for path in folder.iterdir()} == {
        *("empty", "keys", "link", "notes", "peers.json", "plan.json", "scripts", "variables.env")
    }
    assert all((folder / path).read_text() == path for path in others)
    assert os.readlink(folder / "link") == "notes"
    new = (folder / "keys" / "a.key").stat()
    assert (new.st_mode, new.st_ino) == (old.st_mode, old.st_ino)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "keys")] == [0o700, 0o500]
    (folder / "keys").chmod(0o700)  # so that it can be cleaned up
    assert {path.name for path in tmp_path.iterdir()} == {"x", "beside"}


def test_keeps_by_copies_where_links_are_impossible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("no links here")

    write_folder(MINE, tmp_path / "x")
    (tmp_path / "x" / "mine").write_text("1")
    monkeypatch.setattr(os, "link", refuse)
    write_folder(OTHER, tmp_path / "x", force=True)
    assert tree(tmp_path) == {"x/plan.json", "x/mine"}
    assert (tmp_path / "x" / "mine").read_text() == "1"


@pytest.mark.parametrize(("mine", "new"), [("a", "a"), ("a/b", "a"), ("a", "a/b")])
def test_never_replaces_files_of_others(tmp_path: Path, mine: str, new: str) -> None:
    """A new file where there is one of the user is refused, and nothing changes."""
    write_folder(MINE, tmp_path / "x")
    (tmp_path / "x" / mine).parent.mkdir(exist_ok=True)
    (tmp_path / "x" / mine).write_text("1")
    with pytest.raises(chainopt.FormatError, match=r"x: a(/b)? is to be written, and is not of the export there"):
        write_folder({**OTHER, new: "2"}, tmp_path / "x", force=True)
    assert tree(tmp_path) == {*(f"x/{path}" for path in MINE), f"x/{mine}"}
    assert (tmp_path / "x" / mine).read_text() == "1"


@pytest.mark.parametrize("listed", ["", ', "files": 1', ', "files": [{}, [], null, 1]'])
def test_without_a_list_of_files_all_are_of_others(tmp_path: Path, listed: str) -> None:
    """Only the plan is surely of the export."""
    write_folder({"plan.json": f'{{"format": "chainopt-plan/1"{listed}}}', "a": "1"}, tmp_path / "x")
    write_folder(OTHER, tmp_path / "x", force=True)
    assert tree(tmp_path) == {"x/plan.json", "x/a"}


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "not JSON", '{"format": "else"}', "[" * 5000])
def test_never_replaces_other_folders(tmp_path: Path, text: str | None) -> None:
    """What is no export stays, whatever is asked."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "precious").write_text("1")
    if text is not None:
        (tmp_path / "x" / "plan.json").write_text(text)
    for force in (False, True):
        with pytest.raises(chainopt.FormatError, match="it holds files that are not an export"):
            write_folder(MINE, tmp_path / "x", force=force)
    assert (tmp_path / "x" / "precious").read_text() == "1"
    assert {path.split("/")[0] for path in tree(tmp_path)} == {"x"}


def test_never_replaces_a_file(tmp_path: Path) -> None:
    """A file in place of the folder stays."""
    (tmp_path / "x").write_text("1")
    with pytest.raises(chainopt.FormatError, match="there is a file of that name"):
        write_folder(MINE, tmp_path / "x", force=True)
    assert (tmp_path / "x").read_text() == "1"


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    """A file that cannot be written leaves neither the folder nor anything beside it, nor the old one changed."""
    write_folder(MINE, tmp_path / "x")
    for target in ("y", "x"):
        with pytest.raises(chainopt.FormatError, match="cannot be written"):
            write_folder({"plan.json": "", "a": "", "a/b": ""}, tmp_path / target, force=True)
    assert tree(tmp_path) == {f"x/{path}" for path in MINE}


def test_no_folder_to_put_it(tmp_path: Path) -> None:
    """Where the folder above is missing, or the path is impossible, it says so."""
    with pytest.raises(chainopt.FormatError, match=r"cannot be written: No such file"):
        write_folder(MINE, tmp_path / "no" / "x")
    with pytest.raises(chainopt.FormatError, match="cannot be written"):
        write_folder(MINE, f"{tmp_path}/a\0b")
    assert tree(tmp_path) == set()
