"""Whatever the bytes, a reader accepts them or raises a FormatError of one line; what it accepts survives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import simplejson
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from chainopt.errors import FormatError
from chainopt.files import digest, instance_text, read_instance, read_solution, solution_text
from chainopt.files.document import parse_record
from chainopt.files.schema import stored_schema
from chainopt.model import BlockRange, Instance, Server, Service, Solution, Workload
from chainopt.model.record import LEAST, MOST

EXAMPLES = {
    kind: (Path(__file__).parent / "examples" / f"{kind}.json").read_bytes() for kind in ("instance", "solution")
}
SCHEMAS = {
    kind: Draft202012Validator(simplejson.loads(stored_schema(f"chainopt-{kind}-1"), use_decimal=True))
    for kind in EXAMPLES
}
TOKENS = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\x00", b"\xff", b"\xef\xbb\xbf", "τ".encode()),
    *(b"NaN", b"-Infinity", b"1e400", b"1e999999999", b"1e" + b"9" * 25, b"-0", b"0.0", b"9" * 5000, b"1e-9"),
    *(b"null", b"true", b'""', b'"\\ud800"', b'"\\u0000"', b'"id":', b'"id":1,', b"{}", b"[]", b"[" * 2000),
]

fuzz = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
kinds = st.sampled_from(sorted(EXAMPLES))


def check_message(error: FormatError, source: str) -> None:
    """The message is one short line that begins with a place and speaks of JSON, not of Python."""
    assert str(error).startswith(f"{source}:{error.line}:{error.column}: ")
    assert str(error).isprintable()
    assert len(str(error)) < len(source) + 400
    words = re.sub(r"'[^']*'|\"[^\"]*\"|['\"].*\.\.\.$", "", error.message)
    assert not re.search("tuple|dict|Input|Decimal|None|True|False", words)


def survives(kind: str, data: bytes, path: Path) -> bool:
    """Whether the reader accepts the bytes; if so, what it read is written, read again and fits the schema."""
    path.write_bytes(data)
    try:
        if kind == "instance":
            instance = read_instance(path)
            text = instance_text(instance)
            again = parse_record(text, Instance, "again")
            assert again == instance
            assert digest(again) == digest(instance)
            assert instance_text(again) == text
        else:
            solution = read_solution(path)
            text = solution_text(solution)
            again_solved = parse_record(text, Solution, "again")
            assert again_solved == solution
            assert solution_text(again_solved) == text
    except FormatError as error:
        check_message(error, str(path))
        return False
    for document in (data.decode(), text):
        SCHEMAS[kind].validate(simplejson.loads(document, use_decimal=True))
    return True


@fuzz
@given(kind=kinds, data=st.binary(max_size=100))
def test_random_bytes(kind: str, data: bytes, tmp_path: Path) -> None:
    """Random bytes are no instance."""
    assert not survives(kind, data, tmp_path / "x.json")


@fuzz
@given(kind=kinds, data=st.data())
def test_random_slices(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    """A good file with slices deleted, repeated, replaced or inserted is read or reported."""
    content = EXAMPLES[kind]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(start + 20, len(content))))
        middle = data.draw(st.sampled_from([b"", content[start:stop] * 2, *TOKENS]) | st.binary(max_size=5))
        content = content[:start] + middle + content[stop:]

    survives(kind, content, tmp_path / "x.json")


words = st.sampled_from(["id", "servers", "start", "stop", "blocks", "pin", "tags", "s01", "", "τ", "optimal", "a\nb"])
numbers = st.integers() | st.floats() | st.decimals() | st.just(10**600) | st.sampled_from([0, 1, 3, 7, 0.5])
values = st.recursive(
    st.none() | st.booleans() | numbers | words | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@fuzz
@given(kind=kinds, value=values)
def test_random_json(kind: str, value: Any, tmp_path: Path) -> None:
    """Random JSON is no instance."""
    text = simplejson.dumps(value, allow_nan=True, use_decimal=True)
    assert not survives(kind, text.encode(), tmp_path / "x.json")


@fuzz
@given(kind=kinds, data=st.data())
def test_random_parts(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    """A good document with parts replaced, renamed, taken out or put in is read or reported."""
    document = json.loads(EXAMPLES[kind])
    for _ in range(data.draw(st.integers(1, 2))):
        part = document
        while True:
            steps = list(part) if isinstance(part, dict) else list(range(len(part)))
            step = data.draw(st.sampled_from(steps)) if steps else None
            if step is None or not isinstance(part[step], dict | list) or data.draw(st.booleans()):
                break
            part = part[step]
        change = data.draw(st.sampled_from(["replace", "take out", "put in", "swap"]))
        if change == "put in" and isinstance(part, dict):
            part[data.draw(words)] = data.draw(values)
        elif step is not None and change == "take out":
            del part[step]
        elif step is not None and change == "swap":
            other = data.draw(st.sampled_from(steps))
            part[step], part[other] = part[other], part[step]
        elif step is not None:
            part[step] = data.draw(values)

    text = simplejson.dumps(document, allow_nan=True, use_decimal=True)
    survives(kind, text.encode(), tmp_path / "x.json")


sizes = st.decimals(LEAST, MOST, places=9) | st.decimals("0.1", 10, places=29) | st.sampled_from([LEAST, MOST])
amounts = sizes | st.just(0)
names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=5)
tags = st.dictionaries(st.text(max_size=3), values, max_size=3)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    """Instances with numbers from the whole range, at any precision."""
    blocks = draw(st.integers(1, 10**5))
    servers = []
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        comm, comp = draw(st.tuples(amounts, amounts).filter(any))
        memory, reserve = sorted(draw(st.tuples(sizes, amounts)), reverse=True)
        pin = draw(st.none() | st.integers(1, blocks).map(lambda stop: BlockRange(start=stop // 2, stop=stop)))
        servers.append(
            Server(id=name, memory_gb=memory, reserve_gb=reserve, comm_s=comm, comp_s_per_block=comp, pin=pin)
        )
    try:
        return Instance(
            name=draw(names),
            note=draw(st.none() | st.text()),
            service=Service(name=draw(st.none() | names), blocks=blocks, block_gb=draw(sizes), cache_gb=draw(sizes)),
            workload=Workload(arrival_rate=draw(sizes), target_load=draw(st.decimals("1e-9", "0.999999999", places=9))),
            servers=servers,
        )
    except ValidationError:  # too many slots, or times too far apart: the parts are valid, together they are not
        reject()


@fuzz
@given(instance=instances())
def test_any_instance_is_read(instance: Instance, tmp_path: Path) -> None:
    """Every instance that can be built can be written, and read again as it was."""
    text = instance_text(instance)

    assert survives("instance", text.encode(), tmp_path / "x.json")
    assert parse_record(text, Instance, "x") == instance


@fuzz
@given(tags=tags)
def test_any_tags_are_read(tags: dict[str, Any], tmp_path: Path) -> None:
    """Whatever tags a server may have can be written and read."""
    instance = read_instance(Path(__file__).parent / "examples" / "instance.json")
    try:
        server = instance.servers[0].replace(tags=tags)
    except ValueError:
        return
    text = instance_text(instance.replace(servers=[server]))

    assert survives("instance", text.encode(), tmp_path / "x.json")
    assert parse_record(text, Instance, "x").servers == (server,)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_examples_survive(kind: str, tmp_path: Path) -> None:
    """The files that are damaged above are good."""
    assert survives(kind, EXAMPLES[kind], tmp_path / "x.json")
