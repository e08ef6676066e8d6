"""The runs of a suite: every method on every instance, with every seed and for every objective."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from chainopt.bench.best_known import SOLUTION, solution_file
from chainopt.bench.methods import Entrant, Kind, OptionError, entrant
from chainopt.bench.suite import Simulation
from chainopt.errors import ChainoptError, FormatError
from chainopt.files import digest, read_instance, read_solution
from chainopt.files.text import printable
from chainopt.generate import FAMILIES
from chainopt.model.solution import Objective, Status
from chainopt.simulation import POLICIES
from chainopt.simulation.arrivals import parse_arrivals
from chainopt.simulation.routing import ROUTING
from chainopt.simulation.sizes import parse_sizes
from chainopt.verification import verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chainopt.bench.suite import Entry, Generated, Position, Suite
    from chainopt.model.instance import Instance


@dataclass(frozen=True, eq=False)
class BestKnown:
    """What is known of an instance: the verified solution beside it."""

    objective: Objective
    value: float | None
    bound: float | None
    optimal: bool


@dataclass(frozen=True, eq=False)
class Task:
    """An instance of a suite.

    Attributes
    ----------
    source
        Where it comes from: a path, as the suite gives it; or the family, its parameters and the seed.
    file
        Its file, None if it is generated.
    """

    instance: Instance
    sha256: str
    source: str
    best_known: BestKnown | None
    file: Path | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """One method on one instance, with one seed, for one objective.

    Attributes
    ----------
    simulation
        What is simulated, None where the value is exact.
    """

    suite: str
    task: Task
    entrant: Entrant
    seed: int
    objective: Objective
    simulation: Simulation | None
    bound_time_limit_s: float | None

    @property
    def key(self) -> str:
        """A hash of what determines the outcome."""
        determined = {
            "instance": [self.task.instance.name, self.task.sha256],
            "method": self.entrant.identity,
            "seed": self.seed,
            "objective": self.objective.value,
            "simulation": None if self.simulation is None else self.simulation.model_dump(mode="json"),
            "bound_time_limit_s": self.bound_time_limit_s,
        }
        text = json.dumps(determined, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Added:
    """Methods that the command line adds to a suite, and what their paths start from."""

    methods: Sequence[Entry]
    folder: Path


def plan(suite: Suite, folder: Path, position: Position, added: Added | None = None) -> list[Run]:
    """All runs of a suite, instance by instance.

    Parameters
    ----------
    folder
        What the paths in the suite start from.
    position
        Locates mistakes.
    added
        Methods besides those of the suite; one that the suite has already is left out.

    Raises
    ------
    FormatError
        If something that the suite names is not there, or not what it should be.
    """
    entrants = _entrants(suite, folder, position, added)
    if suite.simulate is not None:
        _check_simulation(suite.simulate, position)
    tasks = _tasks(suite, folder, position)
    return [
        Run(
            suite.name,
            task,
            chosen,
            seed,
            objective,
            _simulation(suite.simulate, chosen, objective),
            suite.bound_time_limit,
        )
        for task in tasks
        for objective in suite.objectives
        for seed in suite.seeds
        for chosen in entrants
    ]


def _entrants(suite: Suite, folder: Path, position: Position, added: Added | None) -> list[Entrant]:
    found: list[Entrant] = []
    for i, entry in enumerate(suite.methods):
        try:
            chosen = entrant(entry, folder, suite.time_limit, suite.objectives)
            _add_entrant(found, chosen)
        except OptionError as error:
            raise position.error(error.message, "methods", i, *error.path) from error
    for entry in () if added is None else added.methods:
        assert added is not None
        try:
            chosen = entrant(entry, added.folder, suite.time_limit, suite.objectives)
            if all(other.identity != chosen.identity for other in found):
                _add_entrant(found, chosen)
        except OptionError as error:
            raise FormatError(error.message, path=f"--method {printable(entry.name)}") from error
    return found


def _add_entrant(found: list[Entrant], chosen: Entrant) -> None:
    """One more method; files of the same name are told apart by their paths."""
    labels = {other.label for other in found}
    if chosen.label in labels and chosen.long_label not in (None, chosen.label):
        chosen = replace(chosen, label=chosen.long_label)
    if chosen.label in labels:
        raise OptionError(f"two methods are called {printable(chosen.label)!r}")
    same = next((other for other in found if other.identity == chosen.identity), None)
    if same is not None:
        raise OptionError(f"{chosen.label!r} is the same as {same.label!r}")
    found.append(chosen)


def _check_simulation(simulation: Simulation, position: Position) -> None:
    if simulation.policy not in POLICIES and simulation.policy not in ROUTING:
        known = ", ".join([*POLICIES, *ROUTING])
        raise position.error(f"no policy {simulation.policy!r}; known are {known}", "simulate", "policy")
    for name, check in (("arrivals", lambda law: parse_arrivals(law, 1.0)), ("sizes", parse_sizes)):
        try:
            check(getattr(simulation, name))
        except FormatError as error:
            raise position.error(error.message, "simulate", name) from None
    if simulation.compositions == "exact" and not _computable(simulation):
        message = "only the mean of jffc with Poisson arrivals, exponential sizes and a steady state is known exactly"
        raise position.error(message, "simulate", "compositions")


def _computable(simulation: Simulation) -> bool:
    return simulation.policy == "jffc" and simulation.standard


def _simulation(simulation: Simulation | None, chosen: Entrant, objective: Objective) -> Simulation | None:
    """What is simulated in a run: systems always, compositions where their value is not computed.

    What makes no difference there is left at its default, so that keys do not depend on it.
    """
    if chosen.kind is Kind.SYSTEM:
        default = Simulation()
        return (simulation or default).replace(policy=default.policy, compositions=None)
    if simulation is None or objective is not Objective.RESPONSE_TIME:
        return None
    computed = simulation.compositions == "exact" or (simulation.compositions is None and _computable(simulation))
    return None if computed else simulation.replace(compositions=None)


def _tasks(suite: Suite, folder: Path, position: Position) -> list[Task]:
    tasks: dict[str, Task] = {}
    seen: set[str] = set()
    for i, pattern in enumerate(suite.instances):
        paths = matching(folder, pattern)
        if not paths:
            raise position.error(f"no instance matches {pattern!r}", "instances", i)
        for path in paths:
            if os.path.realpath(folder / path) not in seen:
                seen.add(os.path.realpath(folder / path))
                _add(tasks, _from_file(folder, path), position)
    for i, generated in enumerate(suite.generate):
        for task in _generated(generated, position, i):
            _add(tasks, task, position)
    if not tasks:
        raise position.error("there are no instances: give instances, or generate some")
    return list(tasks.values())


def _add(tasks: dict[str, Task], task: Task, position: Position) -> None:
    name = task.instance.name
    if name in tasks:
        both = f"{tasks[name].source} and {task.source}"
        raise position.error(f"two instances are named {name!r}: {both}", "instances")
    tasks[name] = task


def matching(folder: Path, pattern: str) -> list[str]:
    """Instance files that a pattern means, from the folder on: a file, all in a folder and below it, or a glob."""
    start = folder / pattern
    if start.is_dir():
        found = [os.path.join(pattern, path) for path in glob.glob("**/*.json", root_dir=start, recursive=True)]
    elif start.is_file():
        found = [pattern]
    else:
        found = glob.glob(pattern, root_dir=folder, recursive=True)
    return sorted(path for path in found if path.endswith(".json") and not path.endswith(SOLUTION))


def _from_file(folder: Path, path: str) -> Task:
    file = folder / path
    instance, beside = read_instance(file), solution_file(file)
    best = _best_known(instance, beside) if beside.exists() else None
    return Task(instance, digest(instance), path, best, file.absolute())  # a method may change the current folder


def _best_known(instance: Instance, path: Path) -> BestKnown:
    solution = read_solution(path, instance)
    violations = verify(instance, solution)
    if violations:
        raise FormatError(f"not a best-known solution of {instance.name!r}: {violations[0]}", source=str(path))
    solved = solution.status in (Status.OPTIMAL, Status.FEASIBLE)
    optimal = solution.status is Status.OPTIMAL
    return BestKnown(solution.objective, solution.value if solved else None, solution.bound, optimal)


def _generated(generated: Generated, position: Position, i: int) -> list[Task]:
    family = FAMILIES.get(generated.family)
    if family is None:
        known = ", ".join(FAMILIES)
        raise position.error(f"no family {generated.family!r}; known are {known}", "generate", i, "family")
    names = {option.name for option in family.options}
    given: dict[str, Any] = {}
    for key, value in generated.parameters.items():
        name = key.replace("-", "_")
        if name not in names:
            raise position.error(f"unknown key {key!r}", "generate", i, "parameters", key)
        given[name] = value
    words = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
    try:
        parameters = family.parameters(**given)
        instances = [(seed, family.instance(parameters, seed)) for seed in generated.seeds]
    except ChainoptError as error:
        message, path = (error.message, error.path) if isinstance(error, FormatError) else (str(error), None)
        inner = ("parameters", path) if path in given else ()
        raise position.error(message, "generate", i, *inner) from error
    return [
        Task(instance, digest(instance), " ".join(f"{generated.family} {words} --seed {seed}".split()), None)
        for seed, instance in instances
    ]
