"""Recomputes everything from the equations and trusts nobody: no algorithm of chainopt is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.verification.claims import check_claims
from chainopt.verification.composition import Violation, check_composition

if TYPE_CHECKING:
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution

__all__ = ["Violation", "verify"]


def verify(instance: Instance, solution: Solution) -> list[Violation]:
    """List every violation of a solution; empty if it is what it claims to be.

    Placement, chains and slots are checked in exact rational arithmetic, the numbers of the evaluation up to a
    relative difference of 1e-6. A bound is only checked against the value, and an infeasibility only against the
    simplest reason for the contrary: proofs are not kept in files.
    """
    from chainopt.files.instance import digest

    violations = []
    if solution.instance.sha256 != digest(instance):
        violations.append(Violation("instance.sha256", f"belongs to another instance than {instance.name!r}"))
    wrong, recomputed = check_composition(instance, solution)
    violations.extend(wrong)
    if not wrong:
        violations.extend(check_claims(instance, solution, recomputed))
    return violations
