"""Traces are read to the last digit, and refused with the line that is wrong."""

from __future__ import annotations

import io
import math
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainopt.errors import FormatError
from chainopt.simulation.traces import FORMATS, Trace, azure_code_trace, read_trace
from chainopt.simulation.traces.cells import counts, seconds, timestamps
from chainopt.simulation.traces.reading import CHUNK, parse_trace

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n"
SPLITWISE = "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n"


def parsed(text: str | bytes, format: str | None = None) -> Trace:  # noqa: A002
    return parse_trace(io.BytesIO(text if isinstance(text, bytes) else text.encode()), "trace.csv", format)


def rows(trace: Trace) -> list[tuple[float, int, int]]:
    return list(zip(trace.arrival_s.tolist(), trace.tokens_in.tolist(), trace.tokens_out.tolist(), strict=True))


def test_azure_2023() -> None:
    """Seven digits of a second count, across midnight and the end of a leap February too, with CR LF as in the file."""
    text = AZURE + "2024-02-28 23:59:59.9999999,4808,10\n2024-02-29 00:00:00.0000001,3180,8\n2024-03-01 00:00:00.5,1,0"
    trace = parsed(text.replace("\n", "\r\n"))
    assert rows(trace) == [(0, 4808, 10), (2e-7, 3180, 8), (86400.5000001, 1, 0)]
    assert (trace.source, trace.format) == ("trace.csv", "azure")


def test_azure_2024() -> None:
    """The trace of 2024 names the time zone, has six digits, and none where they would be zeros."""
    text = AZURE + "2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:00:01+00:00,2399,6\n"
    assert rows(parsed(text)) == [(0, 2162, 5), (0.99007, 2399, 6)]


def test_vidur() -> None:
    """Seconds are floats as Python writes them; the first request comes at 0."""
    assert rows(parsed(VIDUR + "0.0,4808,10\n0.052,3180,8\n1e3,110,27\n")) == [
        (0, 4808, 10),
        (0.052, 3180, 8),
        (1000, 110, 27),
    ]
    assert rows(parsed(VIDUR + "5.5,1,1\n6,2,2\n")) == [(0, 1, 1), (0.5, 2, 2)]


def test_splitwise() -> None:
    """The three requests of the simulator's test trace."""
    trace = parsed(SPLITWISE + "0,2,0,1,1,4096,32\n1,2,0,3,1,2048,8\n2,2,0,4,1,2048,16\n")
    assert rows(trace) == [(0, 4096, 32), (2, 2048, 8), (3, 2048, 16)]
    assert trace.format == "splitwise"


def test_order_of_columns_and_others() -> None:
    """Columns are found by their names, whatever is between them, quoted or not; a byte order mark is skipped."""
    head = 'GeneratedTokens,"said, ""so""",TIMESTAMP,ContextTokens'
    lines = ['7,"a, ""b""",2024-05-10 00:00:00,9', '8,é,2024-05-10 00:00:02,"5"']
    text = "\n".join([head, *lines])
    assert rows(parsed(b"\xef\xbb\xbf" + text.encode())) == [(0, 9, 7), (2, 5, 8)]


def test_equal_times() -> None:
    """Requests may come at the same time."""
    assert parsed(VIDUR + "1,1,1\n1,1,1\n").arrival_s.tolist() == [0, 0]


def test_format_that_is_asked_for() -> None:
    """Where the columns of two formats are there, the first one counts unless another is asked for."""
    text = "arrived_at,num_prefill_tokens,num_decode_tokens,arrival_timestamp,prompt_size,token_size\n1,2,3,4,5,6\n"
    assert rows(parsed(text)) == [(0, 2, 3)]
    assert rows(parsed(text, "splitwise")) == [(0, 5, 6)]
    with pytest.raises(FormatError, match="expected one of azure, vidur, splitwise, got 'csv'") as caught:
        read_trace("trace.csv", "csv")
    assert caught.value.path == "format"


def test_azure_code_trace() -> None:
    """The trace that is shipped has the statistics that the paper states: 2.57 per second, 2,048 and 28 tokens."""
    trace = azure_code_trace()
    assert trace.requests == 8819
    assert trace.rate == pytest.approx(2.5664, abs=5e-5)
    assert (trace.mean_tokens_in, trace.mean_tokens_out) == pytest.approx((2047.85, 27.88), abs=0.005)
    assert (trace.tokens_in.max(), trace.tokens_out.max()) == (7437, 1899)
    assert trace.gap_variation == pytest.approx(13.15, abs=0.005)
    assert trace.span_s == 3435.948056
    assert trace.longest_gap_s == pytest.approx(217.168952)
    assert trace.arrival_s[:3].tolist() == [0, 0.052, 0.098189]


def test_statistics_by_hand() -> None:
    """Gaps of 1, 0 and 5 s: mean 2, so 1/2 per second; variance (1 + 4 + 9) / 3, so a variation of sqrt(14 / 3) / 2."""
    trace = parsed(VIDUR + "0,1,4\n1,2,4\n1,3,0\n6,6,4\n")
    assert trace.rate == 0.5
    assert trace.gap_variation == pytest.approx(math.sqrt(14 / 3) / 2)
    assert trace.longest_gap_s == 5
    assert (trace.mean_tokens_in, trace.mean_tokens_out) == (3, 3)


def test_cuts() -> None:
    """A part of a trace is a trace, which starts at 0."""
    trace = parsed(VIDUR + "0,1,4\n1,2,4\n1,3,0\n6,6,4\n")
    assert rows(trace.first(2)) == [(0, 1, 4), (1, 2, 4)]
    assert rows(trace.between(1, 6)) == [(0, 2, 4), (0, 3, 0)]
    assert rows(trace.between(1, 6.1)) == [(0, 2, 4), (0, 3, 0), (5, 6, 4)]
    for requests in (0, 5):
        with pytest.raises(FormatError, match=f"expected 1 to 4 requests, got {requests}"):
            trace.first(requests)
    with pytest.raises(FormatError, match="no request arrives from 2 s on and before 6 s, of 6 s"):
        trace.between(2, 6)


def test_scaled() -> None:
    """At another rate, all gaps change by one factor."""
    trace = parsed(VIDUR + "0,1,4\n1,2,4\n1,3,0\n6,6,4\n").scaled(2)
    assert rows(trace) == [(0, 1, 4), (0.25, 2, 4), (0.25, 3, 0), (1.5, 6, 4)]
    assert trace.rate == 2
    for rate in (0, -1, math.nan, math.inf):
        with pytest.raises(FormatError, match="expected a positive number") as caught:
            trace.scaled(rate)
        assert caught.value.path == "rate"


def test_one_request() -> None:
    """A single request has no rate and no gap."""
    trace = parsed(VIDUR + "3,1,4\n")
    assert (trace.requests, trace.span_s, trace.longest_gap_s) == (1, 0, 0)
    with pytest.raises(FormatError, match="expected requests that come at different times"):
        trace.scaled(1)


@pytest.mark.parametrize("format", FORMATS)
def test_chunks(format: str) -> None:  # noqa: A002
    """A file of several chunks is read as one; a line that is wrong near its end has its number.

    With a step of 1 s, request i comes at i s, has i + 1 tokens in and i mod 7 out.
    """
    layout, count = FORMATS[format], 100_000
    days = (np.datetime64("2024-01-01") + np.arange(count).astype("m8[s]")).astype(str)
    times = [day.replace("T", " ") for day in days] if format == "azure" else [str(float(i)) for i in range(count)]
    lines = [f"{time},{i + 1},{i % 7},{'x' * 20}" for i, time in enumerate(times)]
    head = ",".join((*layout.columns, "note"))
    text = "\n".join([head, *lines])
    assert len(text) > 3 * CHUNK
    trace = parsed(text)
    np.testing.assert_array_equal(trace.arrival_s, np.arange(count))
    np.testing.assert_array_equal(trace.tokens_in, np.arange(count) + 1)
    np.testing.assert_array_equal(trace.tokens_out, np.arange(count) % 7)
    lines[98_765], first = lines[0], lines[98_765]
    with pytest.raises(FormatError, match="expected requests in order of arrival") as caught:
        parsed("\n".join([head, *lines]))
    assert (caught.value.line, caught.value.path) == (98_767, layout.time)
    lines[98_765] = first.replace(",", ";")
    with pytest.raises(FormatError, match="expected 4 values as in the header, got 1") as caught:
        parsed("\n".join([head, *lines]))
    assert caught.value.line == 98_767


def test_order_from_chunk_to_chunk() -> None:
    """Order is checked from one chunk to the next: here, the first line of the second chunk is too early."""
    line = "5.0,1,1\n"
    chunk = line * (CHUNK // len(line))
    assert len(chunk) == CHUNK
    with pytest.raises(FormatError, match=r"in order of arrival, got '4\.0'") as caught:
        parsed(VIDUR + chunk + "4.0,1,1\n")
    assert caught.value.line == CHUNK // len(line) + 2


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read by their names, and - is standard input."""
    file = tmp_path / "trace.csv"
    file.write_text(VIDUR + "0,1,2\n")
    assert rows(read_trace(file)) == rows(read_trace(str(file))) == [(0, 1, 2)]
    assert read_trace(file).source == str(file)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    assert read_trace("-").source == "standard input"
    monkeypatch.setattr(sys, "stdin", None)
    for source in ("-", tmp_path, tmp_path / "absent.csv", "a\0b"):
        with pytest.raises(FormatError, match="cannot be read: "):
            read_trace(source)


BAD_FILES: list[tuple[str | bytes, str, int | None, str | None]] = [
    ("", "expected a header and requests, got an empty file", None, None),
    (b"\xef\xbb\xbf", "expected a header and requests, got an empty file", None, None),
    ("\n", "expected the columns of a known format: TIMESTAMP, ", 1, None),
    (VIDUR, "expected at least one request after the header", 2, None),
    (VIDUR.strip(), "expected at least one request after the header", 2, None),
    ("0.0,1,2\n", "expected the columns of a known format: .*; got '0.0, 1, 2'", 1, None),
    ("arrived_at,num_prefill_tokens\n0,1\n", "expected the columns of a known format", 1, None),
    (AZURE.lower() + "2024-05-10 00:00:00,1,1\n", "expected the columns of a known format", 1, None),
    (VIDUR.strip() + ",arrived_at\n0,1,1,0\n", "expected one such column, got 2 of this name", 1, "arrived_at"),
    (VIDUR + "0,1,1\n0,1\n", "expected 3 values as in the header, got 2", 3, None),
    (VIDUR + "0,1,1\n0,1,1,1\n", "expected 3 values as in the header, got 4", 3, None),
    (VIDUR + "0,1,1\n\n0,1,1\n", "expected 3 values as in the header, got 0", 3, None),
    (VIDUR + "0,1,1\n\n", "expected 3 values as in the header, got 0", 3, None),
    (VIDUR + '0,1,1\n0,"1,1\n0,1,1\n', "expected quotes that are closed on the same line", 3, None),
    (VIDUR + '0,1,1\n0,"1"2,1\n', "not CSV: ", 3, None),
    (VIDUR + '0,1,1\n0,1,"1\n"\n', "expected quotes that are closed on the same line", 3, None),
    (VIDUR.replace("\n", "\r") + "0,1,1\r", "not CSV: new-line character", 1, None),
    (VIDUR + "0,1,1\n0,1,1\r0,1,1\n", "not CSV: new-line character", 3, None),
    (VIDUR + "0,1,1\n0,1\0,1\n", "expected text, got a NUL", 3, None),
    (VIDUR.encode() + b"0,1,1\n0,1,\xff\n", "expected UTF-8, got the byte 0xff", 3, None),
    (b"\x1f\x8b\x08\x00\x00", "expected text, got a NUL", 1, None),
    (b"\xff\xfea\x00", "expected text, got a NUL", 1, None),
    ("x" * 2**20, "expected lines shorter than 1048576 bytes", 1, None),
    (VIDUR + "0,1,1\n" + "x" * 2**21 + "\n", "expected lines shorter than 1048576 bytes", 3, None),
    (VIDUR + "0,1,1\n" + "x" * 200_000 + "\n", "not CSV: field larger than field limit", 3, None),
    (VIDUR + "1,1,1\n0.9,1,1\n", "expected requests in order of arrival, got '0.9'", 3, "arrived_at"),
    (AZURE + "2024-05-10 00:00:01,1,1\n2024-05-10 00:00:00.9999999,1,1\n", "in order of arrival", 3, "TIMESTAMP"),
]


@pytest.mark.parametrize(("text", "message", "line", "path"), BAD_FILES)
def test_bad_file(text: str | bytes, message: str, line: int | None, path: str | None) -> None:
    """What is no trace is refused with one line that says where and why."""
    with pytest.raises(FormatError, match=message) as caught:
        parsed(text)
    assert (caught.value.source, caught.value.line, caught.value.path) == ("trace.csv", line, path)
    assert "\n" not in str(caught.value)


def test_missing_column_of_the_format_asked_for() -> None:
    """If a format is asked for, the error names the column that is missing."""
    with pytest.raises(
        FormatError, match="expected one such column, got 0 of this name in 'arrived_at, num_"
    ) as caught:
        parsed(VIDUR + "0,1,1\n", "azure")
    assert caught.value.path == "TIMESTAMP"


BAD_COUNTS = ["", " ", "-1", "+1", "1.0", "1.5", "1e3", "1_000", " 1", "1 ", "one", "nan", "inf", "٤", "é", "0x10"]
BAD_COUNTS += ["1000000001", "99999999999999999999999", "1" * 100_000]


@pytest.mark.parametrize("cell", BAD_COUNTS)
def test_bad_counts(cell: str) -> None:
    """Tokens are digits and nothing else, and not too many."""
    for text, path in ((f"0,1,1\n0,{cell},1\n", "num_prefill_tokens"), (f"0,1,1\n0,1,{cell}\n", "num_decode_tokens")):
        with pytest.raises(FormatError, match=r"expected an integer from \d to 1000000000, got '") as caught:
            parsed(VIDUR + text + "0,1,1\n")
        assert (caught.value.line, caught.value.path) == (3, path)
        assert len(str(caught.value)) < 200


def test_no_tokens() -> None:
    """A prompt has at least one token; none may come out."""
    assert rows(parsed(VIDUR + "0,1,0\n")) == [(0, 1, 0)]
    with pytest.raises(FormatError, match="expected an integer from 1 to 1000000000, got '0'"):
        parsed(VIDUR + "0,0,1\n")


BAD_SECONDS = ["", " ", "-1", "-0.5", "nan", "inf", "-inf", "infinity", "1e999", "1e13", "1e", "--1", ".", "e5", "1_0"]
BAD_SECONDS += [" 1", "1 ", "0x1p3", "one", "٤", "1,5", "2023-11-16 18:17:03", "1" * 41]


@pytest.mark.parametrize("cell", BAD_SECONDS)
def test_bad_seconds(cell: str) -> None:
    """Seconds are finite numbers from 0 on, as Python and others write floats."""
    with pytest.raises(FormatError, match=r"expected seconds from 0 to 1e12, got '") as caught:
        parsed(VIDUR + f'0,1,1\n"{cell}",1,1\n0,1,1\n')
    assert (caught.value.line, caught.value.path) == (3, "arrived_at")


BAD_TIMES = [
    "",
    "2023-11-16",
    "2023-11-16 18:17",
    "2023-11-16 18:17:0",
    "2023-11-16 18:17:03.",
    "2023-11-16 18:17:03.1234567890",
    "2023-11-16 18:17:03.12 4",
    "2023-11-16 18:17:03,5",
    "2023-11-16 18:17:03Z",
    "2023-11-16 18:17:03+01:00",
    "2023-11-16 18:17:03+00:00+00:00",
    "2023-11-16T18:17:03",
    "2023/11/16 18:17:03",
    "16-11-2023 18:17:03",
    "2023-11-16 18.17.03",
    "2023-00-16 18:17:03",
    "2023-13-16 18:17:03",
    "2023-11-00 18:17:03",
    "2023-11-31 18:17:03",
    "2023-02-29 18:17:03",
    "2023-11-16 24:00:00",
    "2023-11-16 18:60:03",
    "2023-11-16 18:17:60",
    "1969-12-31 23:59:59",
    "2262-01-01 00:00:00",
    " 2023-11-16 18:17:03",
    "-023-11-16 18:17:03",
    "٢٠٢٣-11-16 18:17:03",
    "NaT",
    "now",
    "1700158623.98",
]


@pytest.mark.parametrize("cell", BAD_TIMES)
def test_bad_times(cell: str) -> None:
    """Times are those of the calendar, written as in the format."""
    with pytest.raises(FormatError, match=r"expected a UTC time such as .*, got '") as caught:
        parsed(AZURE + f'2023-11-16 18:17:03,1,1\n"{cell}",1,1\n2023-11-16 18:17:03,1,1\n')
    assert (caught.value.line, caught.value.path) == (3, "TIMESTAMP")


ZONED_TIMES = st.tuples(st.datetimes(datetime(1970, 1, 1), datetime(2261, 12, 31)), st.sampled_from(["", "+00:00"]))


@given(st.lists(ZONED_TIMES, min_size=1, max_size=20))
def test_any_time(times: list[tuple[datetime, str]]) -> None:
    """Every time of Python's calendar is read as numpy reads it."""
    nanoseconds, good = timestamps([f"{time}{zone}" for time, zone in times])
    assert good.all()
    assert nanoseconds.tolist() == [int(np.datetime64(str(time), "ns").astype(np.int64)) for time, _ in times]


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=20))
def test_any_seconds(values: list[float]) -> None:
    """Every float is read back as it was written."""
    read, good = seconds([repr(value) for value in values])
    assert good.all()
    assert read.tolist() == values


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_any_counts(values: list[int]) -> None:
    """Every integer is read back as it was written."""
    read, good = counts([str(value) for value in values])
    assert good.all()
    assert read.tolist() == values


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30), min_size=1, max_size=20))
def test_any_text(cells: list[str]) -> None:
    """Whatever else stands in a column is told from a number, without an exception."""
    for read in (counts, seconds, timestamps):
        values, good = read(cells)
        assert values.shape == good.shape == (len(cells),)
        for cell, fine in zip(cells, good.tolist(), strict=True):
            assert not fine or cell[0] in "0123456789.+"


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """A file of any bytes is refused like every bad file, also behind a header."""
    for head in (b"", VIDUR.encode(), AZURE.encode()):
        try:
            trace = parsed(head + data)
        except FormatError:
            continue
        assert trace.requests > 0


@pytest.mark.parametrize(
    ("arrival_s", "tokens_in", "tokens_out", "message"),
    [
        ([], [], [], "expected at least one request"),
        ([0.0], [1, 2], [1], "of the same requests, got 1, 2 and 1"),
        ([1.0], [1], [1], "expected arrivals from 0 on, in order"),
        ([0.0, 2.0, 1.0], [1, 1, 1], [1, 1, 1], "expected arrivals from 0 on, in order"),
        ([0.0, math.nan], [1, 1], [1, 1], "expected arrivals from 0 on, in order"),
        ([0.0, math.inf], [1, 1], [1, 1], "expected arrivals from 0 on, in order"),
        ([0.0], [0], [1], "expected at least 1 token in and 0 tokens out"),
        ([0.0], [1], [-1], "expected at least 1 token in and 0 tokens out"),
    ],
)
def test_bad_trace(arrival_s: list[float], tokens_in: list[int], tokens_out: list[int], message: str) -> None:
    """A trace that is made rather than read is checked as well."""
    with pytest.raises(FormatError, match=message) as caught:
        Trace(np.array(arrival_s), np.array(tokens_in), np.array(tokens_out), "made", "none")
    assert caught.value.source == "made"
