"""Best-known solutions of all instances: several methods, several seeds, the best of all and of what is there.

Run with ``python benchmarks/best_known.py``; ``--help`` lists the options. For each instance whose optimum is not
proven yet, ``gbp-cr+gca``, ``auto`` with each seed, and on small instances ``exact`` are run; whatever is better than
what stands beside the instance replaces it, see `chainopt.bench.best_known`. In the end ``index.csv`` is written.

What was run is noted in a journal, and is not run again with the same limits: after a kill at any moment, the same
command goes on where it was. The outcomes of ``auto`` depend on the machine, for it has a time limit.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainopt
from benchmarks.environment import ROOT
from chainopt.bench.best_known import index, instance_files, keep, recomputed, solution_file
from chainopt.bench.journal import Journal
from chainopt.errors import ChainoptError
from chainopt.files import digest, read_instance, read_solution
from chainopt.model import Instance, Solution, Status

MOST_SERVERS, MOST_BLOCKS = 12, 12
"""Of instances on which the exact method is tried."""
CLOSED = (Status.OPTIMAL, Status.INFEASIBLE)


class Attempt(NamedTuple):
    """One call of `chainopt.compose`."""

    method: str
    seed: int
    time_limit_s: float | None

    def key(self, instance: Instance) -> str:
        """What is in the journal once it was made."""
        return " ".join(map(str, (digest(instance), *self, chainopt.__version__)))

    def solution(self, instance: Instance) -> Solution | None:
        """What it gives, with its time limit among the parameters; None where it gives nothing."""
        try:
            found = chainopt.compose(instance, self.method, time_limit_s=self.time_limit_s, seed=self.seed)
        except (chainopt.InfeasibleError, chainopt.UnstableError) as error:
            if error.solution is None:
                return None
            found = error.solution
        if self.time_limit_s is None:
            return found
        return found.replace(parameters={**found.parameters, "time_limit_s": self.time_limit_s})


def attempts(instance: Instance, options: argparse.Namespace) -> Iterator[Attempt]:
    """What is tried on an instance, the quick ones first."""
    yield Attempt("gbp-cr+gca", 0, None)
    if len(instance.servers) <= MOST_SERVERS and instance.service.blocks <= MOST_BLOCKS:
        yield Attempt("exact", 0, options.exact_time_limit)
    for seed in options.seeds:
        yield Attempt("auto", seed, options.time_limit)


def closed(instance: Instance, path: Path) -> bool:
    """Whether nothing better than what is known can exist."""
    target = solution_file(path)
    return target.exists() and read_solution(target, instance).status in CLOSED


def improve(path: Path, options: argparse.Namespace, journal: Journal, done: set[str]) -> Iterator[str]:
    """Make the attempts on one instance that were not made yet, and say what came of them."""
    instance = read_instance(path)
    for attempt in attempts(instance, options):
        key = attempt.key(instance)
        if key in done:
            continue
        if closed(instance, path):
            return
        entry: dict[str, Any] = {"key": key, "instance": instance.name, **attempt._asdict()}
        try:
            solution = attempt.solution(instance)
            if solution is not None:
                yield from keep(instance, [recomputed(instance, solution)], path)
                entry |= {"status": solution.status.value, "value": solution.value, "bound": solution.bound}
        except ChainoptError as error:
            entry["error"] = str(error)
            yield f"{instance.name}: {attempt.method} failed: {error}"
        journal.append(entry)  # after the solution is on the disk
        done.add(key)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT / "instances", help="folder of instances")
    parser.add_argument("--only", default="*", metavar="GLOB", help="names of the instances, such as 'bloom-*-heavy'")
    parser.add_argument("--time-limit", type=float, default=10.0, metavar="S", help="of auto, for each seed")
    parser.add_argument("--exact-time-limit", type=float, default=60.0, metavar="S", help="of exact")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N", help="of auto")
    parser.add_argument("--journal", type=Path, default=ROOT / "build" / "best-known", help="folder of the journal")
    options = parser.parse_args()
    paths = [path for path in instance_files(options.root) if fnmatch.fnmatch(path.stem, options.only)]
    with Journal(options.journal, resume=True) as journal:
        done = {record["key"] for record in journal.records}
        try:
            for number, path in enumerate(paths, 1):
                print(f"{number}/{len(paths)} {path.stem}", file=sys.stderr, flush=True)
                for line in improve(path, options, journal, done):
                    print(line, flush=True)
        finally:  # Ctrl-C too
            print(index(options.root))


if __name__ == "__main__":
    main()
