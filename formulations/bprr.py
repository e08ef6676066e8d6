"""Block placement and request routing (BPRR) as a mixed integer program, in the terms of this problem.

R requests are there at once. Each server hosts a range of blocks, each request takes a path of servers, and the sum of
the requests' times is minimised, subject to the memory for blocks and caches.

References
----------
T. Sun, T. He, B. Ji, P. Parag, Optimizing Resource Allocation for Geographically-Distributed Inference by Large
Language Models, arXiv 2512.21884, the offline problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Link = tuple[int | None, int]

ORIGIN = None
"""Where every request comes from; servers are numbers."""


class Model:
    """The variables of the program.

    Attributes
    ----------
    problem
        The program.
    blocks
        L.
    requests
        r = 0, ..., R - 1.
    slots
        S_j(m) by server j and number of blocks m: what j can host and still run a job.
    hosts
        b_jm, whether server j hosts m blocks; none of them is 1 where it hosts nothing.
    start, stop
        a_j and e_j = a_j + Σ_m m b_jm.
    links
        (i, j), a request goes from i to j; its origin is None.
    goes
        f^r_ij, whether request r goes from i to j, by r and (i, j).
    ends
        g^r_j, whether its last server is j, by r and j.
    takes
        n^r_ij, blocks that j processes of request r after i, by r and (i, j).
    """

    def __init__(self, slots: Sequence[Sequence[int]], blocks: int, requests: int, pins: Mapping[int, tuple[int, int]]):
        self.problem = pulp.LpProblem("bprr", pulp.LpMinimize)
        self.blocks = blocks
        self.requests = range(requests)
        self.slots = {
            j: {m: s for m, s in enumerate(left[:blocks], 1) if s >= 1 and (j not in pins or m == _size(pins[j]))}
            for j, left in enumerate(slots)
        }
        self.slots = {j: sizes for j, sizes in self.slots.items() if sizes}
        self.hosts = {(j, m): self._binary(f"hosts_{j}_{m}") for j, sizes in self.slots.items() for m in sizes}
        self.start = {
            j: self.problem.add_variable(f"start_{j}", *_range(pins.get(j), blocks), pulp.LpInteger) for j in self.slots
        }
        self.stop = {j: self.start[j] + pulp.lpSum(m * b for m, b in self.sizes(j)) for j in self.slots}
        self.links: list[Link] = [(ORIGIN, j) for j in self.slots]
        self.links += [(i, j) for i in self.slots for j in self.slots if i != j]
        keys = [(r, link) for r in self.requests for link in self.links]
        self.goes = {(r, link): self._binary(f"goes_{r}_{_name(link)}") for r, link in keys}
        self.ends = {(r, j): self._binary(f"final_{r}_{j}") for r in self.requests for j in self.slots}
        self.takes = {(r, link): self.problem.add_variable(f"takes_{r}_{_name(link)}", 0) for r, link in keys}

    def sizes(self, j: int) -> list[tuple[int, pulp.LpVariable]]:
        """Numbers of blocks that server j can host, and their b_jm."""
        return [(m, self.hosts[j, m]) for m in self.slots[j]]

    def most(self, j: int) -> int:
        """Most blocks of one request that server j can process: the largest m with S_j(m') >= m for some m' >= m."""
        return max(min(m, s) for m, s in self.slots[j].items())

    def into(self, j: int) -> list[Link]:
        """Links that lead to server j."""
        return [link for link in self.links if link[1] == j]

    def time(self, r: int, comm: Sequence[float], comp: Sequence[float]) -> pulp.LpAffineExpression:
        """Σ_ij (τ^c_j f^r_ij + τ^p_j n^r_ij), seconds [eq. 2]."""
        return pulp.lpSum(
            comm[link[1]] * self.goes[r, link] + comp[link[1]] * self.takes[r, link] for link in self.links
        )

    def _binary(self, name: str) -> pulp.LpVariable:
        return self.problem.add_variable(name, cat=pulp.LpBinary)


def least_total_time(
    slots: Sequence[Sequence[int]],
    comm: Sequence[float],
    comp: Sequence[float],
    blocks: int,
    requests: int,
    pins: Mapping[int, tuple[int, int]] | None = None,
) -> Model:
    """Minimise Σ_r T_r, the time of R requests that are there at once; divided by R it is their mean.

    Parameters
    ----------
    slots
        S_j(m) for m = 1, 2, ...: cache slots of server j when it hosts m blocks [eq. 3].
    comm, comp
        τ^c_j and τ^p_j, seconds.
    blocks, requests
        L and R.
    pins
        (start, stop) of the servers that host this range and no other.
    """
    model = Model(slots, blocks, requests, pins or {})
    model.problem.setObjective(pulp.lpSum(model.time(r, comm, comp) for r in model.requests))
    one_size(model)
    ends_in_time(model)
    one_origin(model)
    conservation(model)
    only_hosts(model)
    first_hosts_first(model)
    last_hosts_last(model)
    next_hosts_next(model)
    goes_on(model)
    counts_blocks(model)
    takes_what_is_hosted(model)
    takes_all_blocks(model)
    memory(model)
    alike(model, comm, comp)
    return model


def one_size(model: Model) -> None:
    """Σ_m b_jm <= 1."""
    for j in model.slots:
        model.problem.addConstraint(pulp.lpSum(b for _, b in model.sizes(j)) <= 1, f"one_size_{j}")


def ends_in_time(model: Model) -> None:
    """e_j <= L."""
    for j in model.slots:
        model.problem.addConstraint(model.stop[j] <= model.blocks, f"stop_{j}")


def one_origin(model: Model) -> None:
    """Σ_j f^r_0j = 1."""
    for r in model.requests:
        leaves = pulp.lpSum(model.goes[r, (ORIGIN, j)] for j in model.slots)
        model.problem.addConstraint(leaves == 1, f"origin_{r}")


def conservation(model: Model) -> None:
    """Σ_i f^r_ij = Σ_k f^r_jk + g^r_j."""
    for r in model.requests:
        for j in model.slots:
            enters = pulp.lpSum(model.goes[r, link] for link in model.into(j))
            leaves = pulp.lpSum(model.goes[r, link] for link in model.links if link[0] == j)
            model.problem.addConstraint(enters - leaves - model.ends[r, j] == 0, f"conservation_{r}_{j}")


def only_hosts(model: Model) -> None:
    """Σ_i f^r_ij <= Σ_m b_jm."""
    for r in model.requests:
        for j in model.slots:
            enters = pulp.lpSum(model.goes[r, link] for link in model.into(j))
            hosts = pulp.lpSum(b for _, b in model.sizes(j))
            model.problem.addConstraint(enters - hosts <= 0, f"visits_{r}_{j}")


def first_hosts_first(model: Model) -> None:
    """a_j <= (L - 1)(1 - f^r_0j)."""
    most = model.blocks - 1
    for r in model.requests:
        for j in model.slots:
            row = model.start[j] + most * model.goes[r, (ORIGIN, j)] <= most
            model.problem.addConstraint(row, f"first_{r}_{j}")


def last_hosts_last(model: Model) -> None:
    """e_j >= L g^r_j."""
    for r in model.requests:
        for j in model.slots:
            model.problem.addConstraint(model.stop[j] - model.blocks * model.ends[r, j] >= 0, f"last_{r}_{j}")


def next_hosts_next(model: Model) -> None:
    """a_j <= e_i + (L - 1)(1 - f^r_ij)."""
    for r in model.requests:
        for i, j in model.links:
            if i is not ORIGIN:
                stays = 1 - model.goes[r, (i, j)]
                row = model.start[j] - model.stop[i] - (model.blocks - 1) * stays <= 0
                model.problem.addConstraint(row, f"behind_{r}_{i}_{j}")


def goes_on(model: Model) -> None:
    """n^r_ij >= f^r_ij: each server of a path processes at least one block."""
    for key in model.goes:
        name = f"advance_{key[0]}_{_name(key[1])}"
        model.problem.addConstraint(model.takes[key] - model.goes[key] >= 0, name)


def counts_blocks(model: Model) -> None:
    """n^r_ij >= e_j - e_i - L (1 - f^r_ij), and n^r_ij <= most_j f^r_ij; e_0 = 0."""
    for (r, (i, j)), goes in model.goes.items():
        takes = model.takes[r, (i, j)]
        gone = model.stop[j] if i is ORIGIN else model.stop[j] - model.stop[i]
        name = f"{r}_{_name((i, j))}"
        model.problem.addConstraint(takes - gone - model.blocks * goes >= -model.blocks, f"blocks_{name}")
        model.problem.addConstraint(takes - model.most(j) * goes <= 0, f"none_{name}")


def takes_what_is_hosted(model: Model) -> None:
    """Σ_i n^r_ij <= Σ_m m b_jm."""
    for r in model.requests:
        for j in model.slots:
            taken = pulp.lpSum(model.takes[r, link] for link in model.into(j))
            hosted = pulp.lpSum(m * b for m, b in model.sizes(j))
            model.problem.addConstraint(taken - hosted <= 0, f"hosted_{r}_{j}")


def takes_all_blocks(model: Model) -> None:
    """Σ_ij n^r_ij = L; with n^r_ij >= e_j - e_i it makes these equal."""
    for r in model.requests:
        taken = pulp.lpSum(model.takes[r, link] for link in model.links)
        model.problem.addConstraint(taken == model.blocks, f"all_{r}")


def memory(model: Model) -> None:
    """Σ_r Σ_i n^r_ij <= Σ_m S_j(m) b_jm [eq. 3]."""
    for j in model.slots:
        taken = pulp.lpSum(model.takes[r, link] for r in model.requests for link in model.into(j))
        free = pulp.lpSum(model.slots[j][m] * b for m, b in model.sizes(j))
        model.problem.addConstraint(taken - free <= 0, f"memory_{j}")


def alike(model: Model, comm: Sequence[float], comp: Sequence[float]) -> None:
    """T_r <= T_{r+1}: requests that trade places are the same solution."""
    for r in model.requests[1:]:
        gap = model.time(r, comm, comp) - model.time(r - 1, comm, comp)
        model.problem.addConstraint(gap >= 0, f"alike_{r}")


def _size(pin: tuple[int, int]) -> int:
    return pin[1] - pin[0]


def _range(pin: tuple[int, int] | None, blocks: int) -> tuple[int, int]:
    """Bounds of a_j."""
    return (0, blocks - 1) if pin is None else (pin[0], pin[0])


def _name(link: Link) -> str:
    source, target = ("o" if i is ORIGIN else str(i) for i in link)
    return f"{source}_{target}"
