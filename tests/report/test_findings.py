"""Warnings: each where it belongs, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.report.facts import facts
from chainopt.report.findings import MOST_NAMED, Finding, findings
from tests.report.systems import many, one_chain, two_chains

if TYPE_CHECKING:
    from chainopt.model import Instance, Solution


def of(system: tuple[Instance, Solution], rate: float | None = None) -> dict[str, Finding]:
    """Warnings by the first word of their titles."""
    return {finding.title.split()[0].rstrip(":"): finding for finding in findings(facts(*system, rate))}


def test_nothing_to_warn_of() -> None:
    """Many full servers, of which each can fail."""
    instance, solution = many(20)
    # 4 GB of blocks and 0.4 GB of cache at servers of 8 GB: idle, unless the memory is less
    tight = instance.replace(servers=[server.replace(memory_gb=5) for server in instance.servers])
    assert findings(facts(tight, solution)) == ()


def test_two_chains() -> None:
    """At 0.5 jobs/s, without a or b just 1/2 is left: too little; a, d are idle, e is empty, no chain passes d.

    Idle shares: a 6 of 12 GB, b 3 of 12 (not more than a quarter), d 10 of 12.
    """
    found = of(two_chains())
    assert set(found) == {"Overload", "Idle", "Hosting", "No"}
    assert found["Overload"].servers == (0, 1)
    assert found["Idle"].servers == (3, 0)
    assert found["Idle"].details == ("10 GB, 83%", "6 GB, 50%")
    assert found["Hosting"].servers == (4,)
    assert found["No"].servers == (3,)


def test_single_point_of_failure() -> None:
    """Without either server of the only chain nothing runs."""
    found = of(one_chain())
    assert found["Single"].servers == (0, 1)
    assert "without any one of these servers nothing runs" in found["Single"].text
    assert "Overload" not in found


def test_load() -> None:
    """The load is warned of above 0.85 and not at it; at 1 it is unstable, and servers are no further matter."""
    instance, solution = one_chain()  # ν = 2/6 jobs/s
    assert "The" not in of((instance, solution), 0.85 / 3)
    assert of((instance, solution), 0.86 / 3)["The"].title == "The load is 0.86"
    unstable = of((instance, solution), 1 / 3)
    assert unstable["Unstable"].title.startswith("Unstable")
    assert "The" not in unstable
    assert "Overload" not in of(two_chains(), 2.0)


def test_the_first_are_named() -> None:
    """Of many servers the worst are described, the others counted."""
    finding = of(many(60))["Idle"]
    assert len(finding.servers) == 60
    assert len(finding.details) == MOST_NAMED
    assert finding.title == "Idle memory: 60 of 60 servers"
