"""Records as files: bit for bit, whole or not at all."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.errors import FormatError
from chainopt.simulation import Records
from chainopt.simulation.export import COLUMNS, record_file
from chainopt.simulation.records import joined

TIMES = st.floats(0, 1e300)


@st.composite
def records(draw: st.DrawFn) -> Records:
    """Any times, subnormal ones too, in no order."""
    jobs = draw(st.integers(0, 8))
    times = [np.array(draw(st.lists(TIMES, min_size=jobs, max_size=jobs))) for _ in range(3)]
    chains = draw(st.lists(st.integers(0, 2**40), min_size=jobs, max_size=jobs))
    return Records(*times, np.array(chains, dtype=np.int64))


ONE = Records(np.array([0.1]), np.array([0.2]), np.array([1 / 3]), np.array([7]))


def write(target: Path, parts: list[Records]) -> None:
    with record_file(target) as add:
        for part in parts:
            add(part)


def columns(parts: list[Records]) -> list[list[float]]:
    """What a file of these records has to hold."""
    whole = joined(parts)
    together = (whole.arrival, whole.start, whole.departure, whole.chain)
    return [list(range(whole.arrival.size)), *(column.tolist() for column in together)]


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(records(), min_size=1, max_size=3))
def test_csv(parts: list[Records], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every number comes back from CSV as it was, to the last bit, and jobs are counted through all stretches."""
    target = tmp_path_factory.mktemp("csv") / "jobs.csv"
    write(target, parts)

    header, *lines = target.read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines]
    assert header == ",".join(COLUMNS)
    kinds = (int, float, float, float, int)
    found = [[kind(row[i]) for row in rows] for i, kind in enumerate(kinds)]
    assert found == columns(parts)


def test_csv_by_hand(tmp_path: Path) -> None:
    """A header, a line a job, the shortest digits that name a float."""
    write(tmp_path / "jobs.txt", [ONE, ONE])

    line = "0.1,0.2,0.3333333333333333,7\n"
    assert (tmp_path / "jobs.txt").read_text() == f"job,arrival_s,start_s,departure_s,chain\n0,{line}1,{line}"


@pytest.mark.parametrize("name", ["jobs.parquet", "JOBS.PARQUET"])
@settings(max_examples=15, deadline=None)
@given(parts=st.lists(records(), min_size=1, max_size=3))
def test_parquet(name: str, parts: list[Records], tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same of Parquet, where columns have types."""
    parquet = pytest.importorskip("pyarrow.parquet")
    target = tmp_path_factory.mktemp("parquet") / name
    write(target, parts)

    table = parquet.ParquetFile(target).read()
    assert table.column_names == list(COLUMNS)
    assert [str(column.type) for column in table.columns] == ["int64", "double", "double", "double", "int64"]
    assert [column.to_pylist() for column in table.columns] == columns(parts)


def broken_off(target: Path, error: type[BaseException]) -> None:
    with record_file(target) as add:
        add(ONE)
        raise error


@pytest.mark.parametrize("name", ["jobs.csv", "jobs.parquet"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_behind(name: str, error: type[BaseException], tmp_path: Path) -> None:
    """A run that breaks off, or is broken off, leaves no file, and an old one as it was."""
    old = tmp_path / f"old-{name}"
    old.write_text("old")
    for target in (tmp_path / name, old):
        with pytest.raises(error):
            broken_off(target, error)

    assert [path.name for path in tmp_path.iterdir()] == [old.name]
    assert old.read_text() == "old"


@pytest.mark.parametrize("name", ["jobs.csv", "jobs.parquet"])
def test_where_no_file_can_be(name: str, tmp_path: Path) -> None:
    """A target that cannot be written is refused before a job is served."""
    served: list[Any] = []
    with (
        pytest.raises(FormatError, match=rf"nowhere/{name}: cannot be written: No such file or directory"),
        record_file(tmp_path / "nowhere" / name) as add,
    ):
        served.append(add)
    (tmp_path / name).mkdir()
    with pytest.raises(FormatError, match="cannot be written: Is a directory"), record_file(tmp_path / name) as add:
        served.append(add)

    assert served == []


def test_full_disk() -> None:
    """A disk that is full is an error of one line."""
    with pytest.raises(FormatError, match=r"^/dev/full: cannot be written: No space left on device"):
        write(Path("/dev/full"), [ONE])


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyarrow is not installed the error says how to get it, and CSV still works."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FormatError, match=r"jobs\.parquet: Parquet needs pyarrow \(pip install pyarrow\)"):
        write(tmp_path / "jobs.parquet", [ONE])
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "jobs.csv", [ONE])
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.csv"]
