"""Instance files: numbers mean what is written, and equal problems have equal digests."""

from __future__ import annotations

from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from chainopt.files import canonical_form, digest, instance_text, read_instance, write_instance
from chainopt.files.document import parse_record
from chainopt.model import Instance

EXAMPLE = Path(__file__).parent / "examples" / "instance.json"
THIRTY_PLACES = [
    "0.123456789012345678901234567891",
    "999999999.999999999999999999999999999999",
    "1E-9",
    "1e9",
    "4.00e1",
]


@pytest.fixture
def instance() -> Instance:
    """The example."""
    return read_instance(EXAMPLE)


def changed(instance: Instance, **changes: Any) -> Instance:
    """The instance with its second server changed."""
    return instance.replace(servers=[instance.servers[0], instance.servers[1].replace(**changes)])


def test_what_is_read(instance: Instance) -> None:
    """Every key arrives where it belongs, exactly."""
    first, second = instance.servers

    assert (instance.name, instance.note, instance.service.name) == ("two-servers", 'τ is "small"', "toy")
    assert (instance.service.blocks, instance.service.block_gb) == (3, Decimal("1.32"))
    assert instance.workload.arrival_rate == Decimal("0.2")
    assert (first.id, first.comm_s, first.reserve_gb, first.pin) == ("s01", Decimal("0.738"), 0, None)
    assert first.tags == {"gpu": "A100", "at": [1, 2.5]}
    assert (second.id, second.memory_gb, second.reserve_gb) == ("été", 40, 2)
    assert second.pin is not None
    assert (second.pin.start, second.pin.stop) == (0, 3)


def test_defaults(instance: Instance) -> None:
    """A file of required keys only has a target load of 0.7 and nothing reserved, pinned or tagged; null is absent."""
    text = """{"format": "chainopt-instance/1", "name": "x", "note": null,
        "service": {"name": null, "blocks": 1, "block_gb": 1, "cache_gb": 1}, "workload": {"arrival_rate": 1},
        "servers": [{"id": "s", "memory_gb": 1, "comm_s": 1, "comp_s_per_block": 0, "pin": null}]}"""

    bare = parse_record(text, Instance, "x")

    assert bare.workload.target_load == Decimal("0.7")
    assert (bare.servers[0].reserve_gb, bare.servers[0].pin, bare.servers[0].tags) == (0, None, {})
    assert "null" not in instance_text(bare)


@pytest.mark.parametrize("number", THIRTY_PLACES)
def test_numbers_survive(number: str, instance: Instance, tmp_path: Path) -> None:
    """A decimal is read, written and read again digit by digit, whatever the precision of the context."""
    path = tmp_path / "x.json"
    path.write_text(instance_text(instance).replace("1.32", number, 1), encoding="utf-8")

    with localcontext(prec=5):
        read = read_instance(path)
        write_instance(read, path)
        again = read_instance(path)

    assert read.service.block_gb == Decimal(number)
    assert str(again.service.block_gb) == str(Decimal(number))
    assert again == read


@pytest.mark.parametrize("forty", ["40.0", "4e1", "4.0E+1", "0.0004e5", "400e-1", "40." + "0" * 450])
def test_one_number_in_several_ways(forty: str, instance: Instance) -> None:
    """40, 40.0 and 4e1 are one number: same canonical form, same digest."""
    text = EXAMPLE.read_text(encoding="utf-8").replace('"memory_gb": 40', f'"memory_gb": {forty}')

    written = parse_record(text, Instance, "x")

    assert canonical_form(written) == canonical_form(instance)
    assert digest(written) == digest(instance)


def test_known_digest(instance: Instance) -> None:
    """The canonical form and its digest never change, for they stand in solution files."""
    assert canonical_form(instance) == (
        '{"format":"chainopt-instance/1","service":[3,"1.32","0.11"],"workload":["0.2","0.7"],'
        '"servers":[["s01","40","0.738","0.109","0",null],["\\u00e9t\\u00e9","40","0","0.1","2",[0,3]]]}'
    )
    assert digest(instance) == "3013bdc4ba826ab5cea77acb6fe0697b9c91e5c9ffcc0b4fdb239eb21a5f99e9"


def test_what_the_digest_ignores(instance: Instance) -> None:
    """Names, notes and tags do not change the problem."""
    other = changed(instance, tags={"site": "Paris"}).replace(
        name="other", note=None, service=instance.service.replace(name=None)
    )

    assert digest(other) == digest(instance)


@pytest.mark.parametrize("prec", [3, 28, 100])
def test_digest_in_any_context(prec: int, instance: Instance) -> None:
    """The digest does not depend on the precision that a user has set for decimals."""
    fine = changed(instance, comm_s=Decimal(THIRTY_PLACES[1]))
    with localcontext(prec=prec):
        assert f'"{THIRTY_PLACES[1]}"' in canonical_form(fine)


def test_what_the_digest_sees(instance: Instance) -> None:
    """Ids, order, numbers, pins and reserves change the problem."""
    others = [
        instance.replace(servers=instance.servers[::-1]),
        instance.replace(servers=instance.servers[:1]),
        instance.replace(service=instance.service.replace(blocks=4)),
        instance.replace(service=instance.service.replace(block_gb=Decimal(f"1.32{'0' * 27}1"))),
        instance.replace(service=instance.service.replace(cache_gb=Decimal("0.12"))),
        instance.replace(workload=instance.workload.replace(arrival_rate=3)),
        instance.replace(workload=instance.workload.replace(target_load=0.8)),
        changed(instance, id="other"),
        changed(instance, memory_gb=41),
        changed(instance, comm_s=1),
        changed(instance, comp_s_per_block=1),
        changed(instance, reserve_gb=3),
        changed(instance, pin=None),
        changed(instance, pin={"start": 1, "stop": 3}),
    ]

    digests = {digest(other) for other in [instance, *others]}

    assert len(digests) == len(others) + 1


def test_text(instance: Instance) -> None:
    """The text of a file is stable: one line for each server, defaults left out."""
    text = instance_text(instance)

    assert text == EXAMPLE.read_text(encoding="utf-8").replace("4.0e1", "40")
    assert instance_text(parse_record(text, Instance, "x")) == text
