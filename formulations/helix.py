"""The max-flow placement of Helix as a mixed integer program, in the terms of this problem.

Every server hosts a range of blocks, every range makes links, and what is maximised is the flow of jobs per second
from the coordinator through servers back to it. Jobs may enter a range in the middle (partial inference).

References
----------
Y. Mei, Y. Zhuang, X. Miao, J. Yang, Z. Jia, R. Vinayak, Helix: Serving Large Language Models over Heterogeneous GPUs
and Network via Max-Flow, ASPLOS 2025, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COORDINATOR = None
"""Where every job comes from and goes to; servers are numbers."""
Link = tuple[int | None, int | None]
"""From where and to where."""


class Model:
    """The variables of the program.

    Attributes
    ----------
    problem
        The program.
    servers
        Those that can host a block and have a link.
    links
        (i, j), jobs go from i to j; the coordinator is None.
    hosts
        b_ik, whether server i hosts k blocks, by i and k.
    start, stop
        s_i and e_i = s_i + Σ_k k b_ik.
    flow, open
        f_ij, jobs per second, and d_ij, whether they may be more than none.
    """

    def __init__(
        self, rates: Sequence[Sequence[float]], links: Iterable[Link], blocks: int, pins: Mapping[int, tuple[int, int]]
    ) -> None:
        self.problem = pulp.LpProblem("helix", pulp.LpMaximize)
        self.links = [link for link in links if all(i is COORDINATOR or rates[i] for i in link)]
        self.servers = sorted({i for link in self.links for i in link if i is not COORDINATOR})
        self.hosts = {
            (i, k): self._binary(f"hosts_{i}_{k}")
            for i in self.servers
            for k in range(1, min(len(rates[i]), blocks) + 1)
            if i not in pins or k == pins[i][1] - pins[i][0]
        }
        self.start = {
            i: self.problem.add_variable(f"start_{i}", *_range(pins.get(i), blocks), pulp.LpInteger)
            for i in self.servers
        }
        self.stop = {i: self.start[i] + pulp.lpSum(k * b for k, b in self.sizes(i)) for i in self.servers}
        self.flow = {link: self.problem.add_variable(f"flow_{_name(link)}", 0) for link in self.links}
        self.open = {link: self._binary(f"open_{_name(link)}") for link in self.links}

    def sizes(self, i: int) -> list[tuple[int, pulp.LpVariable]]:
        """Numbers of blocks that server i can host, and their b_ik."""
        return [(k, b) for (server, k), b in self.hosts.items() if server == i]

    def between_servers(self) -> list[tuple[int, int]]:
        """Links that do not touch the coordinator."""
        return [(i, j) for i, j in self.links if i is not None and j is not None]

    def _binary(self, name: str) -> pulp.LpVariable:
        return self.problem.add_variable(name, cat=pulp.LpBinary)


def largest_flow(
    rates: Sequence[Sequence[float]],
    blocks: int,
    links: Mapping[Link, float] | None = None,
    pins: Mapping[int, tuple[int, int]] | None = None,
    *,
    partial_inference: bool = True,
) -> Model:
    """Maximise Σ_j f_0j, the jobs per second that leave the coordinator 0.

    Parameters
    ----------
    rates
        T_i(k) for k = 1, ..., K_i: jobs per second that server i can serve when it hosts k blocks. Empty where it can
        host none; every other server hosts at least one.
    blocks
        L.
    links
        Most jobs per second on each link there is; None for all links, without limits.
    pins
        (start, stop) of the servers that host this range and no other.
    partial_inference
        Whether jobs may enter a range in the middle.
    """
    best = [max(rate, default=0.0) for rate in rates]
    if links is None:
        links = _all_links(best)
    model = Model(rates, links, blocks, pins or {})
    model.problem.setObjective(pulp.lpSum(f for (i, _), f in model.flow.items() if i is COORDINATOR))
    one_size(model)
    ends_in_time(model, blocks)
    conservation(model)
    server_rates(model, rates)
    link_rates(model, links)
    all_blocks(model, rates, blocks)
    first_links(model, blocks)
    last_links(model, blocks)
    if partial_inference:
        inner_links(model, blocks)
    else:
        exact_links(model, blocks)
    return model


def one_size(model: Model) -> None:
    """Σ_k b_ik = 1 (1)."""
    for i in model.servers:
        model.problem.addConstraint(pulp.lpSum(b for _, b in model.sizes(i)) == 1, f"one_size_{i}")


def ends_in_time(model: Model, blocks: int) -> None:
    """e_i <= L (2)."""
    for i in model.servers:
        model.problem.addConstraint(model.stop[i] <= blocks, f"stop_{i}")


def conservation(model: Model) -> None:
    """Σ_u f_ui = Σ_v f_iv (3)."""
    for i in model.servers:
        model.problem.addConstraint(_into(model, i) - _out_of(model, i) == 0, f"conservation_{i}")


def server_rates(model: Model, rates: Sequence[Sequence[float]]) -> None:
    """Σ_u f_ui <= Σ_k T_i(k) b_ik (4)."""
    for i in model.servers:
        served = pulp.lpSum(rates[i][k - 1] * b for k, b in model.sizes(i))
        model.problem.addConstraint(_into(model, i) - served <= 0, f"rate_{i}")


def link_rates(model: Model, links: Mapping[Link, float]) -> None:
    """f_ij <= B_ij d_ij (5)."""
    for link in model.links:
        model.problem.addConstraint(model.flow[link] - links[link] * model.open[link] <= 0, f"link_{_name(link)}")


def all_blocks(model: Model, rates: Sequence[Sequence[float]], blocks: int) -> None:
    """L Σ_j f_0j <= Σ_i Σ_k k T_i(k) b_ik: every job is processed by L blocks.

    It follows from the rest, but not for fractions of placements. With the largest k T_i(k) it is the bound that Helix
    compares its solutions with.
    """
    flow = pulp.lpSum(f for (i, _), f in model.flow.items() if i is COORDINATOR)
    processed = pulp.lpSum(k * rates[i][k - 1] * b for (i, k), b in model.hosts.items())
    model.problem.addConstraint(blocks * flow - processed <= 0, "all_blocks")


def first_links(model: Model, blocks: int) -> None:
    """s_j <= (L - 1)(1 - d_0j): the first server of a job hosts block 0 (6)."""
    for i, j in model.links:
        if i is COORDINATOR and j is not None:
            row = model.start[j] + (blocks - 1) * model.open[i, j] <= blocks - 1
            model.problem.addConstraint(row, f"first_{j}")


def last_links(model: Model, blocks: int) -> None:
    """e_i >= L d_i0: the last server of a job hosts block L - 1 (7)."""
    for i, j in model.links:
        if j is COORDINATOR and i is not None:
            model.problem.addConstraint(model.stop[i] - blocks * model.open[i, j] >= 0, f"last_{i}")


def inner_links(model: Model, blocks: int) -> None:
    """s_j <= e_i + (L - 2)(1 - d_ij) and e_j >= e_i + 1 - L (1 - d_ij): server j hosts block e_i (8).

    Helix has a binary for each of the two conditions and one for both; the last is enough. The factors are the least
    that free the rows where d_ij = 0, as 0 <= s <= L - 1 and 1 <= e <= L.
    """
    for i, j in model.between_servers():
        closed = 1 - model.open[i, j]
        behind = model.start[j] - model.stop[i] - max(blocks - 2, 0) * closed <= 0
        model.problem.addConstraint(behind, f"behind_{i}_{j}")
        model.problem.addConstraint(model.stop[j] - model.stop[i] + blocks * closed >= 1, f"beyond_{i}_{j}")


def exact_links(model: Model, blocks: int) -> None:
    """|s_j - e_i| <= L (1 - d_ij): without partial inference server j starts where i stops (8')."""
    for i, j in model.between_servers():
        step = model.start[j] - model.stop[i]
        closed = 1 - model.open[i, j]
        model.problem.addConstraint(step - blocks * closed <= 0, f"behind_{i}_{j}")
        model.problem.addConstraint(step + blocks * closed >= 0, f"before_{i}_{j}")


def _all_links(best: Sequence[float]) -> dict[Link, float]:
    """Links between all servers, each with the least rate that limits nothing."""
    servers = range(len(best))
    links: dict[Link, float] = {(COORDINATOR, j): best[j] for j in servers}
    links |= {(i, j): min(best[i], best[j]) for i in servers for j in servers if i != j}
    return links | {(i, COORDINATOR): best[i] for i in servers}


def _into(model: Model, server: int) -> pulp.LpAffineExpression:
    return pulp.lpSum(f for (_, j), f in model.flow.items() if j == server)


def _out_of(model: Model, server: int) -> pulp.LpAffineExpression:
    return pulp.lpSum(f for (i, _), f in model.flow.items() if i == server)


def _range(pin: tuple[int, int] | None, blocks: int) -> tuple[int, int]:
    """Bounds of s_i."""
    return (0, blocks - 1) if pin is None else (pin[0], pin[0])


def _name(link: Link) -> str:
    source, target = ("c" if i is COORDINATOR else str(i) for i in link)
    return f"{source}_{target}"
