"""Whole texts: what cannot be read or written says so in one line, and no file is ever half written."""

from __future__ import annotations

import builtins
import errno
import io
import os
import resource
import stat
import sys
import threading
from pathlib import Path

import pytest

from chainopt.errors import FormatError
from chainopt.files import instance_text, read_instance, text, write_instance
from chainopt.files.text import read_text, write_text, written

INSTANCE = Path(__file__).parent / "examples" / "instance.json"


def standard(data: bytes = b"", encoding: str = "latin-1") -> io.TextIOWrapper:
    """A standard stream with a locale that is not ours."""
    return io.TextIOWrapper(io.BytesIO(data), encoding=encoding)


class TestReading:
    """`read_instance` and the bytes below it."""

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("missing.json", "No such file or directory"),
            ("", "Is a directory"),
            ("file/x.json", "Not a directory"),
            ("loop", "Too many levels of symbolic links"),
            ("n" * 300, "File name too long"),
            ("nul\0.json", "embedded null byte"),
        ],
    )
    def test_what_cannot_be_read(self, name: str, reason: str, tmp_path: Path) -> None:
        """A missing file, a directory and the like are reported in one line, without a position."""
        (tmp_path / "file").touch()
        (tmp_path / "loop").symlink_to("loop")

        with pytest.raises(FormatError) as caught:
            read_instance(f"{tmp_path}/{name}")

        shown = f"{tmp_path}/{name}".replace("\0", "?")
        assert str(caught.value) == f"{shown}: cannot be read: {reason}"
        assert caught.value.line is None

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path: Path) -> None:
        """A file that may not be read is reported."""
        path = tmp_path / "x.json"
        path.touch(mode=0)

        with pytest.raises(FormatError, match="cannot be read: Permission denied"):
            read_instance(path)

    def test_no_permission_even_for_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever `open` raises is reported."""

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(builtins, "open", refuse)
        with pytest.raises(FormatError, match="cannot be read: Permission denied"):
            read_instance(INSTANCE)

    def test_device(self) -> None:
        """A device that yields nothing is an empty file."""
        with pytest.raises(FormatError, match=r"^/dev/null:1:1: not JSON: "):
            read_instance("/dev/null")

    def test_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A device that yields bytes for ever is not read for ever."""
        monkeypatch.setattr(text, "MOST_BYTES", 3 * 2**20)
        with pytest.raises(FormatError, match="/dev/zero: cannot be read: it is larger than 3145728 bytes"):
            read_instance("/dev/zero")

    def test_pipe(self, tmp_path: Path) -> None:
        """A named pipe is read to its end."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(INSTANCE.read_bytes(),))
        writer.start()

        assert read_instance(pipe) == read_instance(INSTANCE)
        writer.join()

    def test_name_that_cannot_be_printed(self, tmp_path: Path) -> None:
        """A name with a line break in it does not break the line."""
        with pytest.raises(FormatError) as caught:
            read_instance(tmp_path / "two\nlines")

        assert str(caught.value).isprintable()

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A dash is standard input, in UTF-8 whatever the locale says."""
        monkeypatch.setattr(sys, "stdin", standard(INSTANCE.read_bytes()))
        assert read_instance("-") == read_instance(INSTANCE)

        monkeypatch.setattr(sys, "stdin", standard(b'{"name": \xff'))
        with pytest.raises(FormatError, match=r"^standard input:1:10: expected UTF-8, got the byte 0xff"):
            read_instance("-")

        monkeypatch.setattr(sys, "stdin", standard(b"[]"))
        with pytest.raises(FormatError, match=r"^standard input:1:1: expected an object"):
            read_instance("-")

    def test_closed_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Standard input may be closed, or not there at all."""
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(FormatError, match=r"^standard input: cannot be read: it is closed"):
            read_instance("-")

        closed = standard()
        closed.close()
        monkeypatch.setattr(sys, "stdin", closed)
        with pytest.raises(FormatError, match=r"^standard input: cannot be read: "):
            read_instance("-")


class TestWriting:
    """`write_text` and the file that it replaces."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """A file that is already there."""
        path = tmp_path / "x.json"
        path.write_text("old", encoding="utf-8")
        return path

    def test_new_file(self, tmp_path: Path) -> None:
        """A new file has the usual permissions, the text in UTF-8 and nothing beside it."""
        path = tmp_path / ("é" * 120 + ".json")
        mask = os.umask(0o027)
        try:
            write_text("τ\n", path)
        finally:
            os.umask(mask)

        assert path.read_bytes() == "τ\n".encode()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert os.listdir(tmp_path) == [path.name]

    @pytest.mark.parametrize("mode", [0o600, 0o644, 0o666, 0o755])
    def test_permissions_are_kept(self, target: Path, mode: int) -> None:
        """A file that is replaced keeps its permissions, wider or narrower than the usual ones."""
        target.chmod(mode)

        write_text("new", target)

        assert target.read_text(encoding="utf-8") == "new"
        assert stat.S_IMODE(target.stat().st_mode) == mode

    def test_symbolic_link(self, target: Path, tmp_path: Path) -> None:
        """A symbolic link stays one, the file at its end is replaced or made."""
        folder = tmp_path / "folder"
        folder.mkdir()
        link = folder / "link"
        link.symlink_to("../x.json")
        dangling = folder / "dangling"
        dangling.symlink_to("../new.json")

        write_text("new", link)
        write_text("newer", dangling)

        assert link.is_symlink()
        assert dangling.is_symlink()
        assert target.read_text(encoding="utf-8") == "new"
        assert (tmp_path / "new.json").read_text(encoding="utf-8") == "newer"
        assert sorted(os.listdir(folder)) == ["dangling", "link"]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("", "Is a directory"),
            ("no/x.json", "No such file or directory"),
            ("x.json/x.json", "Not a directory"),
            ("loop", "Too many levels of symbolic links"),
            ("n" * 300, "File name too long"),
            ("nul\0.json", "embedded null byte"),
        ],
    )
    def test_what_cannot_be_written(self, name: str, reason: str, target: Path, tmp_path: Path) -> None:
        """A place where no file can be is reported in one line, and nothing is left behind."""
        (tmp_path / "loop").symlink_to("loop")

        with pytest.raises(FormatError) as caught:
            write_text("new", f"{tmp_path}/{name}")

        assert str(caught.value) == f"{tmp_path}/{name}: cannot be written: {reason}".replace("\0", "?")
        assert sorted(os.listdir(tmp_path)) == ["loop", "x.json"]
        assert target.read_text(encoding="utf-8") == "old"

    def test_write_protected(self, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that may not be written is not replaced, though its folder would allow it."""
        target.chmod(0o444)
        if os.geteuid() == 0:  # root may write everything
            monkeypatch.setattr(os, "access", lambda *_: False)

        with pytest.raises(FormatError, match="cannot be written: it is write-protected"):
            write_text("new", target)

        assert target.read_text(encoding="utf-8") == "old"

    def test_full_disk(self, target: Path, tmp_path: Path) -> None:
        """Where the disk is full, the old file stays whole and nothing is left beside it."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(FormatError, match="cannot be written: File too large"):
                write_text("new" * 10_000, target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        assert target.read_text(encoding="utf-8") == "old"
        assert os.listdir(tmp_path) == ["x.json"]

    @pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
    def test_interrupted(self, step: str, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-C at any step leaves the old file whole and nothing beside it."""

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_text("new", target)

        assert target.read_text(encoding="utf-8") == "old"
        assert os.listdir(tmp_path) == ["x.json"]

    def test_text_that_is_no_utf_8(self, target: Path) -> None:
        """A text that has no bytes leaves the old file whole."""
        with pytest.raises(FormatError, match="cannot be written: 'utf-8' codec can't encode"):
            write_text("\ud800", target)

        assert target.read_text(encoding="utf-8") == "old"

    def test_devices(self) -> None:
        """A device is written to, not replaced."""
        write_text("new", "/dev/null")
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
        with pytest.raises(FormatError, match=r"^/dev/full: cannot be written: No space left on device"):
            write_text("new", "/dev/full")

    def test_pipe(self, tmp_path: Path) -> None:
        """A named pipe is written to, not replaced."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        read: list[str] = []
        reader = threading.Thread(target=lambda: read.append(read_text(pipe)))
        reader.start()
        write_text("new", pipe)
        reader.join()

        assert read == ["new"]
        assert pipe.is_fifo()

    def test_standard_output(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A dash is standard output, in UTF-8 whatever the locale says and after what was printed before."""
        stream = standard(encoding="ascii")
        monkeypatch.setattr(sys, "stdout", stream)
        stream.write("before\n")

        write_text("τ\n", "-")

        assert isinstance(stream.buffer, io.BytesIO)
        assert stream.buffer.getvalue() == "before\nτ\n".encode()

    def test_broken_standard_output(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full or closed standard output is reported; a reader who left is for the command line to handle."""
        monkeypatch.setattr(sys, "stdout", None)
        with pytest.raises(FormatError, match=r"^standard output: cannot be written: it is closed"):
            write_text("new", "-")

        with open("/dev/full", "w", encoding="utf-8") as full:
            monkeypatch.setattr(sys, "stdout", full)
            with pytest.raises(FormatError, match=r"^standard output: cannot be written: No space left on device"):
                write_text("new", "-")
            monkeypatch.undo()
            with pytest.raises(OSError, match="No space left"):
                full.close()

        read_end, write_end = os.pipe()
        os.close(read_end)
        with os.fdopen(write_end, "w", encoding="utf-8") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            with pytest.raises(BrokenPipeError):
                write_text("new", "-")
            monkeypatch.undo()
            with pytest.raises(BrokenPipeError):
                pipe.close()

    def test_instance(self, target: Path) -> None:
        """An instance is written as its text."""
        instance = read_instance(INSTANCE)

        write_instance(instance, target)

        assert target.read_text(encoding="utf-8") == instance_text(instance)
        assert read_instance(target) == instance


class TestWritten:
    """`written`, a file that is written piece by piece."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        """A file that is already there."""
        path = tmp_path / "x.csv"
        path.write_text("old", encoding="utf-8")
        return path

    def test_pieces(self, target: Path, tmp_path: Path) -> None:
        """The old file stays until the last piece is written, and then the new one is whole."""
        for path, before in ((target, [b"old"]), (tmp_path / "new.csv", [])):
            with written(path) as file:
                file.write(b"one,")
                file.write(b"two")
                file.flush()
                assert [found.read_bytes() for found in tmp_path.glob(path.name)] == before
            assert path.read_bytes() == b"one,two"
        assert sorted(os.listdir(tmp_path)) == ["new.csv", "x.csv"]

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, FormatError, BrokenPipeError])
    def test_untouched(self, error: type[BaseException], target: Path, tmp_path: Path) -> None:
        """Whatever breaks off the writing goes on as it is, the old file stays whole, and no new one is left."""

        def write(path: Path) -> None:
            with written(path) as file:
                file.write(b"half")
                raise error("broken off")

        for path in (target, tmp_path / "new.csv"):
            with pytest.raises(error, match=r"^broken off$"):
                write(path)

        assert target.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["x.csv"]

    def test_fails_before_the_first_piece(self, tmp_path: Path) -> None:
        """A place where no file can be is found out at once, not after hours of work."""
        worked = []
        with (
            pytest.raises(FormatError, match="cannot be written: No such file or directory"),
            written(tmp_path / "a/b"),
        ):
            worked.append(1)
        assert worked == []

    def test_standard_output(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A dash is standard output, which gets the pieces as they come and stays open."""
        stream = standard()
        monkeypatch.setattr(sys, "stdout", stream)
        with written("-") as file:
            file.write(b"one,")
            assert isinstance(stream.buffer, io.BytesIO)
            assert stream.buffer.getvalue() == b"one,"
            file.write(b"two")

        assert stream.buffer.getvalue() == b"one,two"
        assert not stream.closed
