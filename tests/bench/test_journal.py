"""Results on disk: whatever happens, a line is whole or not there."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chainopt.bench.journal import RESULTS, Journal
from chainopt.errors import FormatError

LINES = '{"key": "a", "name": "η"}\n{"key": "b", "value": 0.1}\n'


def fill(folder: Path) -> None:
    with Journal(folder, resume=False) as journal:
        journal.append({"key": "a", "name": "η"})
        journal.append({"key": "b", "value": 0.1})


def test_records_are_lines(tmp_path: Path) -> None:
    """One line a record, in a folder that is made, and read again as they were."""
    fill(tmp_path / "new" / "er")
    assert (tmp_path / "new" / "er" / RESULTS).read_text(encoding="utf-8") == LINES
    with Journal(tmp_path / "new" / "er", resume=True) as journal:
        assert journal.records == [{"key": "a", "name": "η"}, {"key": "b", "value": 0.1}]


@pytest.mark.parametrize("length", range(len(LINES.encode())))
def test_a_cut_line_is_cut_off(length: int, tmp_path: Path) -> None:
    """Wherever a kill has cut the file, whole lines stay, the rest goes, and the next record stands on its own line."""
    data = LINES.encode()[:length]
    (tmp_path / RESULTS).write_bytes(data)
    with Journal(tmp_path, resume=True) as journal:
        assert len(journal.records) == data.count(b"\n")
        journal.append({"key": "c"})
    with Journal(tmp_path, resume=True) as journal:
        assert [record["key"] for record in journal.records] == [*"ab"[: data.count(b"\n")], "c"]


def test_results_are_not_overwritten(tmp_path: Path) -> None:
    """A folder with results is refused without resume, and stays as it is."""
    fill(tmp_path)
    with pytest.raises(FormatError, match="--resume"):
        Journal(tmp_path, resume=False)
    assert (tmp_path / RESULTS).read_text(encoding="utf-8") == LINES


@pytest.mark.parametrize("line", ["", "7", '{"key": 3}', '{"key": "a"', '{"name": "a"}', "\x00\x00"])
def test_a_damaged_line_is_an_error(line: str, tmp_path: Path) -> None:
    """What no kill does is not repaired silently: the error names the line."""
    (tmp_path / RESULTS).write_text(f'{{"key": "a"}}\n{line}\n{{"key": "c"}}\n')
    with pytest.raises(FormatError, match=rf"{RESULTS}:2: expected the result of a run"):
        Journal(tmp_path, resume=True)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    """The second one is told who the first is; after the first has ended, whatever happened to it, the next may go."""
    with Journal(tmp_path, resume=True), pytest.raises(FormatError, match=f"process {os.getpid()} writes"):
        Journal(tmp_path, resume=True)
    Journal(tmp_path, resume=True).__exit__()


def test_a_dead_holder_holds_nothing(tmp_path: Path) -> None:
    """A process that is killed while it holds the lock leaves it."""
    text = (
        "import sys, time\nfrom pathlib import Path\nfrom chainopt.bench.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), resume=True)\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", text, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        with pytest.raises(FormatError, match=f"process {holder.pid} writes"):
            Journal(tmp_path, resume=True)
        holder.send_signal(signal.SIGKILL)
    with Journal(tmp_path, resume=True) as journal:
        assert journal.records == []


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot be written ends the benchmark with one line that says so."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(tmp_path, resume=True) as journal:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(FormatError, match=rf"{RESULTS}: cannot be written: No space left"):
            journal.append({"key": "a"})
        monkeypatch.undo()
