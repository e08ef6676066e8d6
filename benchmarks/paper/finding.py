"""What the paper says, and whether the records bear it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chainopt.simulation.intervals import Estimate


@dataclass(frozen=True)
class Finding:
    """A claim held against the records of one setting.

    Attributes
    ----------
    claim
        Of the paper, in our words.
    holds
        Whether the records bear it out; None where they do not say, or with a reservation that `measured` names.
    measured
        What was measured, with numbers.
    """

    claim: str
    holds: bool | None
    measured: str


def above(estimate: Estimate, value: float) -> bool | None:
    """Whether a mean over runs is above a value; None where its interval does not say, as that of one run."""
    if estimate.mean - estimate.half_width > value:
        return True
    return False if estimate.mean + estimate.half_width < value else None


VERDICTS = {True: "agrees", False: "**does not agree**", None: "in part, or undecided"}


def rows(figure: str, setting: str, findings: Iterable[Finding]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {figure} | {setting} | {f.claim} | {VERDICTS[f.holds]} | {f.measured} |" for f in findings]


REASONS = """\
- Figure 1: at the stated λ = 0.2 one or two chains serve the rate, whatever the order of the servers, so that there
  is little to choose. The authors' simulator takes a rate for every c at which a fixed share of all chains is
  needed.
- Figure 2: the integer program may only use the chains and the capacities that GCA gave out, and the fastest of
  these first is optimal. Other chains of the same placement hardly help either; another placement does.
- Figure 3: what is drawn as Theorem 4 is an M/M/1 queue with the speed of all chains together, and a multiple of
  it. Simulations of 50 to 1,350 jobs in the mean, without those that have not ended, are too short to tell policies
  apart at low load, and their means too low at high load. JIQ sends jobs to all chains alike once none is free,
  also to small and slow ones, whose queues then grow.
- Figures 5 and 6 of the report: the surrogate counts job servers and not how fast they are; it takes a small c even
  where that leaves a load near 1. The upper bound has all jobs on the slowest chains, which hurts most where GBP-CR
  never stops and slow chains are left over.
- Table 1: the whole model fits on every slice, and at these rates all slices together are far from full, so that a
  second hop adds exchanges and saves nothing. With c = 35 servers host 13 to 26 of 32 blocks and no chain is a
  single hop. What makes PETALS slow is its default cache, for two sessions a server; with a cache of the right size
  it differs little from the others. The paper measured real software: what is missing here may explain its numbers,
  but the model that its method optimises does not.
"""
"""Why records and paper differ."""
