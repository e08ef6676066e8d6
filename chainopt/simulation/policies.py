"""The dispatch policies of the simulator, by name (PROBLEM, section 6).

A new policy is one function, one code, and one line in `POLICIES`; one that is only tried out can be given to
`simulate` as a rule in Python.
"""

from __future__ import annotations

from chainopt.protocols import Method
from chainopt.simulation import dispatched

_PAPER = "Sun, He, Hou, arXiv 2604.14993, section 4.1"

CENTRAL = -1
"""Code of the policies with one queue for all chains."""

POLICIES: dict[str, Method[int]] = {
    "jffc": Method(
        CENTRAL,
        "one queue; the fastest chain with a free job server takes the job",
        "Sun, He, Hou, arXiv 2604.14993, Algorithm 3",
    ),
    "thresholds": Method(
        CENTRAL,
        "one queue; a slow chain starts a job only when enough of them wait",
        "W. Lin, P. R. Kumar, IEEE Transactions on Automatic Control 29 (1984), for two servers",
    ),
    "jsq": Method(
        dispatched.JSQ,
        "the chain with the fewest jobs too many for each job server, ties at random",
        f"W. Winston, Journal of Applied Probability 14 (1977); rule of {_PAPER}",
    ),
    "sa-jsq": Method(
        dispatched.SA_JSQ,
        "the same, ties to the fastest",
        f"S. Bhambay, A. Mukhopadhyay, Performance Evaluation 157-158 (2022); rule of {_PAPER}",
    ),
    "jiq": Method(
        dispatched.JIQ,
        "a chain with a free job server at random, else any chain at random",
        f"Y. Lu et al., Performance Evaluation 68 (2011); rule of {_PAPER}",
    ),
    "sed": Method(
        dispatched.SED,
        "the chain with the shortest expected delay, ties to the first",
        f"S. A. Banawan, J. Zahorjan, IEEE INFOCOM (1989); rule of {_PAPER}",
    ),
    "random": Method(
        dispatched.RANDOM,
        "a chain at random, in proportion to its capacity and rate",
        _PAPER,
    ),
    "split": Method(
        dispatched.SPLIT,
        "chains in turn, in proportion to capacity and rate",
        "Y. Arian, Y. Levy, Operations Research Letters 12 (1992), in the form of nginx's smooth weighted round robin",
    ),
}
