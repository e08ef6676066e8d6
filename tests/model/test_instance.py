"""Instances: parts that are each valid must fit each other too."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from chainopt.model import BlockRange, Server

if TYPE_CHECKING:
    from chainopt.model import Instance


def test_servers_must_differ(worked_example: Instance) -> None:
    """An id that stands twice is reported with both positions."""
    first, second, *others = worked_example.servers

    with pytest.raises(ValidationError, match=r"servers\[1\].id: 's1' is the id of servers\[0\] too"):
        worked_example.replace(servers=[first, second.replace(id="s1"), *others])


def test_pins_must_fit(worked_example: Instance) -> None:
    """A pin ends at the last block at the latest."""
    first, *others = worked_example.servers
    good = worked_example.replace(servers=[first.replace(pin=BlockRange(start=1, stop=3)), *others])

    assert good.servers[0].pin == BlockRange(start=1, stop=3)
    with pytest.raises(ValidationError, match=r"servers\[0\].pin.stop: expected at most service.blocks = 3, got 4"):
        worked_example.replace(servers=[first.replace(pin=BlockRange(start=1, stop=4)), *others])
    with pytest.raises(ValidationError, match=r"expected at most service.blocks = 2, got 3"):
        good.replace(service=good.service.replace(blocks=2))


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (2, 1), (-1, 1), (0, 10**5 + 1)])
def test_ranges_hold_blocks(start: int, stop: int) -> None:
    """A range of blocks is half-open and not empty."""
    with pytest.raises(ValidationError):
        BlockRange(start=start, stop=stop)


def test_servers_must_make_sense(worked_example: Instance) -> None:
    """No server reserves more than it has, and none works in no time; all of the memory may be reserved."""
    server = worked_example.servers[0]

    assert server.replace(reserve_gb=2).reserve_gb == server.memory_gb
    with pytest.raises(ValidationError, match=r"reserve_gb 2.1 is more than memory_gb 2"):
        server.replace(reserve_gb=2.1)
    with pytest.raises(ValidationError, match="a job would take no time"):
        server.replace(comm_s=0, comp_s_per_block=0)


def test_there_is_a_server(worked_example: Instance) -> None:
    """An instance without servers is none."""
    with pytest.raises(ValidationError, match="at least 1 item"):
        worked_example.replace(servers=[])


def test_positions(worked_example: Instance) -> None:
    """Servers are found by id."""
    assert worked_example.position == {"s1": 0, "s2": 1, "s3": 2, "s4": 3, "s5": 4}


def test_design_rate(worked_example: Instance) -> None:
    """λ/ρ̄ is the rate to design for."""
    assert worked_example.design_rate == 1.0


def test_equality(worked_example: Instance) -> None:
    """Instances are equal by value, whether or not something has been computed from them."""
    other = worked_example.replace()
    assert other.memory.places == 1

    assert other == worked_example
    assert other != worked_example.replace(name="other")


def test_parts_from_plain_values(worked_example: Instance) -> None:
    """Parts can be given as dictionaries, as a file has them."""
    values = {"id": "s1", "memory_gb": 2, "comm_s": 1, "comp_s_per_block": 0.01}

    assert Server.model_validate(values) == worked_example.servers[0]
    assert worked_example.replace(servers=[values]).servers == worked_example.servers[:1]


@pytest.mark.parametrize(("block_gb", "reserve_gb"), [("99", f"1.{'0' * 29}1"), (f"100.{'0' * 29}1", "0")])
@pytest.mark.parametrize("prec", [3, 28])
def test_memory_is_exact(block_gb: str, reserve_gb: str, prec: int, worked_example: Instance) -> None:
    """A server whose memory is short by the last of 30 decimal places hosts nothing."""
    server = worked_example.servers[0].replace(memory_gb=100, reserve_gb=Decimal(reserve_gb))
    service = worked_example.service.replace(block_gb=Decimal(block_gb))

    with localcontext(prec=prec):
        assert worked_example.replace(service=service, servers=[server]).memory.sizes(0).tolist() == [0]
