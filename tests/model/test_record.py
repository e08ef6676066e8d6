"""Records: frozen, strict about numbers and names, validated whenever they are built."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from enum import Enum, StrEnum
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from chainopt.model import Evaluation, InstanceReference, Server, Service, SolutionChain, Workload
from chainopt.model.record import shown


def server(**changes: Any) -> Server:
    """A small server."""
    return Server(**{"id": "s", "memory_gb": 40, "comm_s": 1, "comp_s_per_block": 0.1, **changes})


def test_frozen() -> None:
    """A record cannot be changed."""
    with pytest.raises(ValidationError, match="frozen"):
        server().memory_gb = Decimal(1)  # type: ignore[misc]


def test_replace() -> None:
    """A changed copy is validated like a new record; the original stays as it is."""
    original = server()

    assert original.replace(memory_gb=80).memory_gb == 80
    assert original.memory_gb == 40
    assert original.replace() == original
    with pytest.raises(ValidationError, match="expected a number from 1e-9 to 1e9, got -1"):
        original.replace(memory_gb=-1)
    with pytest.raises(ValidationError, match="reserve_gb 41 is more than memory_gb 40"):
        original.replace(reserve_gb=41)
    with pytest.raises(ValidationError, match="memory"):
        original.replace(memory=80)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (40, "40"),
        (1.32, "1.32"),
        (Decimal("1.320"), "1.320"),
        (np.float64(1.32), "1.32"),
        (np.float32(0.5), "0.5"),
        (np.int64(7), "7"),
        (np.uint8(200), "200"),
        (Decimal("0.123456789012345678901234567891"), "0.123456789012345678901234567891"),
        (1e-9, "1E-9"),
        (10**9, "1000000000"),
    ],
)
def test_numbers(number: Any, expected: str) -> None:
    """Integers, floats, decimals and numpy's scalars are numbers; a float means its shortest decimal."""
    with localcontext(prec=3):
        assert str(server(memory_gb=number).memory_gb) == str(Decimal(expected))
        assert str(server(comm_s=number).comm_s) == str(Decimal(expected))


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, np.True_, None, "40", b"40", [40], {"gb": 40}, 1j, np.array([1.0]), range(3)),
        *(
            math.nan,
            math.inf,
            -math.inf,
            np.nan,
            np.float32("inf"),
            Decimal("NaN"),
            Decimal("sNaN"),
            Decimal("-Infinity"),
        ),
        *(-1, 0.99e-9, 1e9 + 1, 10**5000, -(10**5000), Decimal("1e999999999"), Decimal("1e-999999999"), -0.0),
    ],
    ids=shown,
)
def test_no_numbers(value: Any) -> None:
    """Booleans, texts, NaN, infinities and what is out of range are refused, in one line."""
    for key in ("memory_gb", "comm_s"):
        with pytest.raises(ValidationError) as caught:
            server(**{key: value})
        (error,) = caught.value.errors()
        assert error["loc"] == (key,)
        assert error["msg"].removeprefix("Value error, ").startswith("expected a number ")
        assert error["msg"].isprintable()


def test_zero() -> None:
    """Zero is an amount, but no size."""
    assert str(server(comm_s=Decimal("0.00")).comm_s) == "0"
    with pytest.raises(ValidationError, match="expected a number from 1e-9 to 1e9, got 0"):
        server(memory_gb=0)


@pytest.mark.parametrize("places", [30, 31])
def test_decimal_places(places: int) -> None:
    """Thirty decimal places are read exactly, more are refused; zeros at the end do not count."""
    number = Decimal(f"1.{'0' * (places - 1)}1{'0' * 20}")
    if places == 30:
        assert server(memory_gb=number).memory_gb == number
    else:
        with pytest.raises(ValidationError, match=r"expected at most 30 decimal places, got 1.0000"):
            server(memory_gb=number)


@pytest.mark.parametrize("value", [1, 1.0, 2, 0, -0.5, Decimal("1.5")])
def test_share(value: Any) -> None:
    """A target load lies strictly between 0 and 1."""
    assert Workload(arrival_rate=1, target_load=0.5).target_load == Decimal("0.5")
    with pytest.raises(ValidationError, match="expected a number"):
        Workload(arrival_rate=1, target_load=value)


def test_integers() -> None:
    """Integers are Python's or numpy's, of 64 bits; nothing is rounded to one."""
    assert Service(blocks=np.int64(3), block_gb=1, cache_gb=1).blocks == 3
    assert type(Service(blocks=np.uint8(3), block_gb=1, cache_gb=1).blocks) is int
    for value in (3.0, Decimal(3), "3", True, np.True_, None, 0, -1, 10**5 + 1, 2**63, -(10**5000)):
        with pytest.raises(ValidationError):
            Service(blocks=value, block_gb=1, cache_gb=1)  # type: ignore[arg-type]


def test_results() -> None:
    """Results are finite floats, whatever number they are given as."""
    evaluation = Evaluation(total_service_rate=Decimal("0.1"), job_servers=np.int32(3), load=np.float32(0.5))  # type: ignore[arg-type]

    assert (evaluation.total_service_rate, evaluation.job_servers, evaluation.load) == (0.1, 3, 0.5)
    assert type(evaluation.load) is float
    for value in (True, "0.1", math.nan, math.inf, Decimal("sNaN"), Decimal("1e400"), -0.1, None, 10**400):
        with pytest.raises(ValidationError, match=r"expected a|at least 0|greater than or equal to 0"):
            evaluation.replace(total_service_rate=value)
    assert evaluation.replace(load=None).load is None


@pytest.mark.parametrize("value", [0, -1.0, 1e-400, math.nan, "1", True])
def test_service_time(value: Any) -> None:
    """A chain takes time."""
    assert SolutionChain(servers=("s",), capacity=1, service_time_s=5e-324).service_time_s > 0
    with pytest.raises(ValidationError):
        SolutionChain(servers=("s",), capacity=1, service_time_s=value)


@pytest.mark.parametrize(
    "name", ["", "n" * 201, "a\nb", "a\tb", "\x00", "\ud800", "\u202e", "\u00a0", 7, None, b"s", True]
)
def test_names(name: Any) -> None:
    """A name is one printable line of 1 to 200 characters."""
    assert server(id="n" * 200).id == "n" * 200
    assert server(id="Zürich 1").id == "Zürich 1"
    with pytest.raises(ValidationError, match=r"expected 1 to 200 printable characters|valid string"):
        server(id=name)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n", "٣" * 64])
def test_digests(sha256: str) -> None:
    """A digest is 64 hexadecimal digits in lower case."""
    assert InstanceReference(name="x", sha256="0" * 64).sha256 == "0" * 64
    with pytest.raises(ValidationError):
        InstanceReference(name="x", sha256=sha256)


class Colour(StrEnum):
    """Text with a name."""

    RED = "red"


class Shade(str, Enum):  # noqa: UP042 - older code still writes this
    """Text with a name, the old way."""

    DARK = "dark"


def test_tags_are_copied_as_plain_json() -> None:
    """Tags are copied: tuples as lists, enumerations as texts, numpy's numbers as Python's."""
    free: dict[str, Any] = {"a": (1, np.int64(2), np.float64(0.1)), "b": Colour.RED, Shade.DARK: Shade.DARK, "c": {}}

    tags = server(tags=free).tags
    free["c"]["d"] = 1

    assert tags == {"a": [1, 2, 0.1], "b": "red", "dark": "dark", "c": {}}
    assert [type(value) for value in tags["a"]] == [int, int, float]
    assert type(tags["b"]) is type(tags["dark"]) is str


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("1", int),
        ("0.1", float),
        ("1.50", float),
        ("1e22", float),
        ("1e400", Decimal),
        ("0.10000000000000000001", Decimal),
    ],
)
def test_numbers_in_tags(number: str, kind: type) -> None:
    """A decimal in tags becomes a float if that loses nothing, and stays a decimal if it does."""
    value = server(tags={"x": int(number) if kind is int else Decimal(number)}).tags["x"]

    assert type(value) is kind
    assert value == (float(number) if kind is float else Decimal(number))


def nested(depth: int) -> dict[str, Any]:
    """Objects within objects."""
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"a": {"b": [0, math.nan]}}, r"a.b\[1\]: expected a JSON value, got nan"),
        ({"a": Decimal("Infinity")}, "a: expected a JSON value, got Infinity"),
        ({"a": {1, 2}}, r"a: expected a JSON value, got \{1, 2\}"),
        ({"a": np.array([[1], [2]])}, r"a: expected a JSON value, got array\(\[\[1\], \[2\]\]\)"),
        ({"a": "\ud800"}, "a: expected text without lone surrogates"),
        ({"a": {"\ud800": 1}}, "a: expected keys that are text without lone surrogates"),
        ({"a": {1: 1}}, "a: expected keys that are text without lone surrogates, got 1"),
        ({1: 1}, "expected keys that are text without lone surrogates, got 1"),
        ({"a": 10**400}, "a: expected a number of at most 400 characters, got 1000"),
        (nested(17), "nested more than 16 deep"),
        ([], "valid dictionary"),
        (None, "valid dictionary"),
    ],
)
def test_no_tags(tags: Any, message: str) -> None:
    """What no file can hold is refused, with the path to it."""
    assert server(tags=nested(16)).tags == nested(16)
    with pytest.raises(ValidationError, match=message):
        server(tags=tags)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ({"a": 1}, "an object"),
        ((1, 2), "an array of 2"),
        ("it's\n", '"it\'s\\n"'),
        ("n" * 100, "'" + "n" * 56 + "..."),
        (10**4000, "1" + "0" * 56 + "..."),
        (Decimal("1e400"), "1E+400"),
        (1.5, "1.5"),
        (np.array([[1], [2]]), "array([[1], [2]])"),
    ],
)
def test_shown(value: Any, text: str) -> None:
    """A value is shown in one short line, in the words of a file."""
    assert shown(value) == text
