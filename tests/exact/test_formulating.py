"""Models as files: other programs read them and find the same optimum, and what the optimum should be."""

from __future__ import annotations

import subprocess
from itertools import combinations, product
from pathlib import Path

import highspy
import numpy as np
import pulp
import pytest

from chainopt.allocation import gca
from chainopt.errors import ChainoptError, InfeasibleError
from chainopt.exact import bound
from chainopt.exact.backends import quiet_highs, solve_milp
from chainopt.exact.bounds import bound_from, envelope_of
from chainopt.exact.formulating import (
    FORMULATIONS,
    Options,
    describe,
    formulate,
    helix_rates,
    model_text,
    slots_by_size,
)
from chainopt.exact.parts import parts_of
from chainopt.files import read_instance
from chainopt.model import (
    BlockRange,
    Composition,
    Instance,
    Objective,
    Placement,
    Server,
    Service,
    Status,
    Workload,
)
from chainopt.placement import gbp_cr
from formulations import relaxation

ROOT = Path(__file__).parents[2]
BLOOM = ROOT / "instances" / "bloom" / "bloom-ripe-j20-eta20-s1-medium.json"


def small(rate: float = 0.25) -> Instance:
    """Four servers of two kinds, five blocks."""
    kinds = [(4.6, 0.31, 0.21), (3.3, 0.75, 0.12)]
    return Instance(
        name="small",
        service=Service(blocks=5, block_gb=1.1, cache_gb=0.11),
        workload=Workload(arrival_rate=rate, target_load=0.5),
        servers=[
            Server(id=f"s{j}", memory_gb=kinds[j % 2][0], comm_s=kinds[j % 2][1], comp_s_per_block=kinds[j % 2][2])
            for j in range(4)
        ],
    )


def cases() -> list[tuple[str, Objective]]:
    return [(name, objective) for name, entry in FORMULATIONS.items() for objective in entry.objectives]


def read_by_highs(path: Path) -> tuple[str, float]:
    """Status and optimum."""
    solver = quiet_highs()
    assert solver.readModel(str(path)) == highspy.HighsStatus.kOk
    solver.run()
    return solver.getModelStatus().name, float(solver.getInfo().objective_function_value)


def read_by_cbc(path: Path) -> tuple[str, float]:
    """Status and optimum."""
    solution = path.with_suffix(".txt")
    command = [pulp.PULP_CBC_CMD.pulp_cbc_path, str(path), "-ratio", "0", "-solve", "-solution", str(solution)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    words = solution.read_text().splitlines()[0]
    return words.partition(" - ")[0], float(words.rpartition(" ")[2])


@pytest.mark.parametrize(("name", "objective"), cases())
def test_other_programs_read_the_files(name: str, objective: Objective, tmp_path: Path) -> None:
    """HiGHS' and CBC's own readers find the optimum of the model in memory, in both formats; MPS files minimise."""
    problem = formulate(small(), name, Options(objective=objective, jobs=3 if name == "bprr" else None))
    outcome = solve_milp(problem)
    assert outcome.status is Status.OPTIMAL
    assert outcome.value
    maximised = problem.sense == pulp.LpMaximize
    for kind in ("mps", "lp"):
        path = tmp_path / f"model.{kind}"
        path.write_text(model_text(problem, kind))  # type: ignore[arg-type]
        expected = -outcome.value if maximised and kind == "mps" else outcome.value
        status, value = read_by_highs(path)
        assert (status, value) == ("kOptimal", pytest.approx(expected, rel=1e-7))
        status, value = read_by_cbc(path)
        assert status == "Optimal"
        assert abs(value) == pytest.approx(abs(expected), rel=1e-6)  # CBC prints a sign of its own, and few digits


@pytest.mark.parametrize(("name", "objective"), cases())
def test_equal_bytes(name: str, objective: Objective) -> None:
    """The text is the same each time, also from the same model twice."""
    options = Options(objective=objective, jobs=2 if name == "bprr" else None)
    first, second = (formulate(small(), name, options) for _ in range(2))
    for kind in ("mps", "lp"):
        text = model_text(first, kind)  # type: ignore[arg-type]
        assert text == model_text(second, kind) == model_text(first, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "objective"), cases())
def test_names_are_valid_in_both_formats(name: str, objective: Objective) -> None:
    """Short, distinct, of letters, digits and underscores, and not to be taken for a number such as e1."""
    problem = formulate(small(), name, Options(objective=objective, jobs=2 if name == "bprr" else None))
    for names in ([v.name for v in problem.variables()], [row.name for row in problem.constraints()]):
        assert len(set(names)) == len(names)
        for each in names:
            assert each.isascii()
            assert each.replace("_", "a").isalnum()
            assert each[0].isalpha()
            assert each[0] not in "eE"
            assert len(each) <= 40


def test_size() -> None:
    """What is said of a model is what it is."""
    size = describe(formulate(small(), "bprr", Options(jobs=2)))

    # 4 servers that can host 4, 3, 4, 3 blocks at most, of which all leave a slot; 2 (4 + 4·3) paths and as many n
    sizes = sum(sum(s >= 1 for s in slots) for slots in slots_by_size(small()))
    assert size["columns"] == sizes + 4 + 2 * (16 + 16 + 4)
    assert size["integer_columns"] == sizes + 4 + 2 * (16 + 4)
    assert size["sense"] == "minimize"


def all_chains(instance: Instance) -> tuple[list[relaxation.Chain], dict[tuple[int, int], float]]:
    """Every chain without positions."""
    parts = parts_of(instance)
    keys = list(zip(parts.server.tolist(), parts.blocks.tolist(), strict=True))
    times = dict(zip(keys, parts.time_s.tolist(), strict=True))
    chains = []
    for counts in product(range(instance.service.blocks + 1), repeat=len(instance.servers)):
        used = tuple((j, n) for j, n in enumerate(counts) if n)
        if sum(counts) == instance.service.blocks and all(part in times for part in used):
            chains.append(relaxation.Chain(sum(times[part] for part in used), used))
    return chains, dict(zip(keys, parts.weight.tolist(), strict=True))


@pytest.mark.parametrize("rate", [0.05, 0.25, 1, 1.6])
def test_relaxation_has_all_the_columns_it_needs(rate: float) -> None:
    """The optimum over the columns that were generated is that over all chains, and the proven bound."""
    instance = small(rate)
    chains, weights = all_chains(instance)

    fewest = solve_milp(formulate(instance, "relaxation", Options())).value
    assert fewest == pytest.approx(
        solve_milp(relaxation.fewest_job_servers(chains, weights, instance.design_rate).problem).value, rel=1e-7
    )
    assert fewest is not None
    assert bound(instance, "job-servers") == np.ceil(fewest - 1e-6)
    for jobs in (None, 2):
        options = Options(objective=Objective.RATE, jobs=jobs)
        most = solve_milp(formulate(instance, "relaxation", options)).value
        everything = relaxation.largest_rate(chains, weights, jobs)
        assert most == pytest.approx(solve_milp(everything.problem).value, rel=1e-7)


def test_relaxation_of_bloom() -> None:
    """At 20 servers the file proves what `chainopt.exact.bound` begins with; profiles can only be closer."""
    instance = read_instance(BLOOM)

    fewest = solve_milp(formulate(instance, "relaxation", Options())).value
    most = solve_milp(formulate(instance, "relaxation", Options(objective=Objective.RATE))).value

    assert fewest is not None
    assert most is not None
    assert bound_from(envelope_of(instance), instance, Objective.JOB_SERVERS) == np.ceil(fewest - 1e-6)
    without_profiles = bound_from(envelope_of(instance), instance, Objective.RATE)
    assert without_profiles == pytest.approx(most, rel=2e-4)  # its lines are that close
    assert bound(instance, "job-servers", 2) >= np.ceil(fewest - 1e-6)
    assert bound(instance, "rate", 2) <= without_profiles * (1 + 1e-9)


def test_relaxation_that_is_infeasible() -> None:
    """A rate that no chains have together is said to be so, with the most there is."""
    with pytest.raises(InfeasibleError, match="no composition serves 80 jobs/s"):
        formulate(small(40), "relaxation", Options())


def test_helix_counts_own_time_only() -> None:
    """By hand: with 2 of 3 blocks 10 slots, 5 jobs, 1/(2 + 2·0.02) each; the flow is no total service rate."""
    instance = read_instance(ROOT / "instances" / "worked-example" / "worked-example.json")

    assert helix_rates(instance)[1] == pytest.approx([20 / 2.02, 5 / 2.04])
    flow = solve_milp(formulate(instance, "helix", Options())).value
    assert flow is not None
    assert flow > 2 * bound(instance, "rate")  # slots are held for the whole of a chain, not for a server's own time


def test_helix_does_not_know_what_partial_inference_saves() -> None:
    """A flow may be below what a placement serves: a job that enters a range in the middle takes fewer slots."""
    # L = 2, 1 GB a block and a slot. s1 is pinned to both blocks, 2 slots: behind s0 it serves 2 jobs of 2.1 s,
    # but Helix counts floor(2/2) job in 1 + 2 s.
    servers = [
        Server(id="s0", memory_gb=3, comm_s=0.1, comp_s_per_block=0, pin=BlockRange(start=0, stop=1)),
        Server(id="s1", memory_gb=4, comm_s=1, comp_s_per_block=1, pin=BlockRange(start=0, stop=2)),
    ]
    service = Service(blocks=2, block_gb=1, cache_gb=1)
    instance = Instance(name="x", service=service, workload=Workload(arrival_rate=0.1), servers=servers)
    composition = Composition.of(instance, Placement([0, 0], [1, 2]), [[0, 1]], [2])

    assert composition.total_service_rate == pytest.approx(2 / 2.1)
    assert solve_milp(formulate(instance, "helix", Options())).value == pytest.approx(1 / 3)


def test_helix_rates_of_a_pin() -> None:
    """A pinned server has the rate of its pin, and no other."""
    instance = small()
    server = instance.servers[0].replace(pin=BlockRange(start=2, stop=4))
    rates = helix_rates(instance.replace(servers=[server, *instance.servers[1:]]))

    assert rates[0] == [0.0, helix_rates(instance)[0][1]]


def test_cache_allocation_is_at_least_as_good_as_gca() -> None:
    """Over all chains of the placement the rate is GCA's or more."""
    instance = small()
    model = formulate(instance, "cache-allocation", Options(objective=Objective.RATE, cache_reservation=2))
    composition = gca(instance, gbp_cr(instance, 2))

    assert solve_milp(model).value >= composition.total_service_rate * (1 - 1e-9)  # type: ignore[operator]


@pytest.mark.parametrize("reservation", [1, 2, 4])
def test_disjoint_chains_are_the_sets_that_need_each_server(reservation: int) -> None:
    """The columns are all least sets of servers that have room for every block."""
    instance = small()
    sizes = instance.memory.sizes(reservation)
    model = formulate(instance, "disjoint-chains", Options(cache_reservation=reservation))

    enough = [
        set(servers)
        for count in range(1, 5)
        for servers in combinations(range(4), count)
        if sizes[list(servers)].sum() >= 5
    ]
    least = [servers for servers in enough if not any(other < servers for other in enough)]
    assert describe(model)["columns"] == len(least)


def test_cache_reservation_of_its_own() -> None:
    """Without a c, that of the fewest job servers is taken, so the model has a solution."""
    assert solve_milp(formulate(small(), "disjoint-chains", Options())).status is Status.OPTIMAL


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("magic", Options(), "no formulation 'magic'; known are relaxation"),
        ("job-slots", Options(), "no MPS or LP file can hold it"),
        ("bprr", Options(objective=Objective.RATE), "the objective of bprr is response-time, not rate"),
        ("bprr", Options(jobs=5, limit=100), r"columns or more, the limit is 100"),
        ("helix", Options(limit=9), "the limit is 9"),
        ("relaxation", Options(limit=1), r"\d columns or more, the limit is 1"),
        ("cache-allocation", Options(limit=1), "more than 1 chains"),
        ("cache-allocation", Options(placement="none"), "no placement rule 'none'; known are gbp-cr"),
        ("disjoint-chains", Options(cache_reservation=1, limit=2), "the limit is 2"),
        ("disjoint-chains", Options(placement="whole-model"), "whole-model finds no placement with a chain"),
        ("disjoint-chains", Options(cache_reservation=1000), "room for 1000 jobs"),
    ],
)
def test_refused(name: str, options: Options, message: str) -> None:
    """What cannot be is an error that says why."""
    with pytest.raises(ChainoptError, match=message):
        formulate(small(1.6), name, options)


def test_placement_without_a_cache_reservation() -> None:
    """A rule that reserves nothing leaves the choice of c to the user."""
    instance = small()
    instance = instance.replace(service=instance.service.replace(blocks=2))
    with pytest.raises(ChainoptError, match="has no cache reservation of its own"):
        formulate(instance, "disjoint-chains", Options(placement="whole-model"))


def test_disjoint_chains_know_no_pins() -> None:
    """They are refused rather than forgotten."""
    instance = small()
    server = instance.servers[0].replace(pin=BlockRange(start=0, stop=2))
    with pytest.raises(ChainoptError, match="knows no pins"):
        formulate(instance.replace(servers=[server, *instance.servers[1:]]), "disjoint-chains", Options())


@pytest.mark.parametrize("name", FORMULATIONS)
def test_no_composition(name: str) -> None:
    """Where no chain exists there is no model."""
    instance = small()
    instance = instance.replace(service=instance.service.replace(blocks=40))
    with pytest.raises(InfeasibleError, match="no composition exists"):
        formulate(instance, name, Options())


def test_gca_allocation_takes_the_fastest(worked_example: Instance) -> None:
    """Over GCA's chains 2 / 0.7 jobs/s take five at 1/3.05 and four at 1/3.10: the fastest are the fewest."""
    busy = worked_example.replace(workload=worked_example.workload.replace(arrival_rate=2))
    options = Options(cache_reservation=1)
    assert solve_milp(formulate(busy, "gca-allocation", options)).value == pytest.approx(9)
    rate = solve_milp(formulate(busy, "gca-allocation", Options(objective=Objective.RATE, cache_reservation=1))).value
    assert rate == pytest.approx(5 / 3.05 + 5 / 3.10 + 5 / 3.12)
