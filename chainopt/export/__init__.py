"""From a composition to what starts it on a serving engine.

>>> from chainopt.export import ENGINES
>>> sorted(ENGINES)[:2]
['json', 'kubernetes']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt.errors import FormatError
from chainopt.export.deployment import Addresses
from chainopt.export.documents import common_files
from chainopt.export.engines import ENGINES
from chainopt.export.folder import write_folder
from chainopt.export.options import Host, Options, read_hosts
from chainopt.export.plan import Plan, Sharing, plan_of
from chainopt.export.scripts import script
from chainopt.export.sharing import exclusive_plan, split_plan

if TYPE_CHECKING:
    from chainopt.export.deployment import Deployment
    from chainopt.model.instance import Instance
    from chainopt.model.solution import Solution

__all__ = [
    "ENGINES",
    "Host",
    "Options",
    "Plan",
    "Sharing",
    "deploy",
    "export_files",
    "make_plan",
    "read_hosts",
    "write_folder",
]


def make_plan(instance: Instance, solution: Solution, sharing: Sharing = Sharing.SHARED) -> Plan:
    """What is to be run, before any engine is asked.

    Parameters
    ----------
    solution
        Valid; its chains may meet unless they are made exclusive or split.

    Raises
    ------
    InfeasibleError, UnstableError
        If chains cannot be made exclusive or split; see :func:`exclusive_plan` and :func:`split_plan`.
    """
    bound = solution.bind(instance)
    if sharing is Sharing.EXCLUSIVE:
        return exclusive_plan(instance, bound)
    return split_plan(instance, bound) if sharing is Sharing.SPLIT else plan_of(instance, bound)


def deploy(engine: str, asked: Plan, options: Options) -> Deployment:
    """What starts a plan on an engine.

    Raises
    ------
    FormatError
        If there is no such engine, or something that it needs is not given.
    InfeasibleError
        If by the engine's own rules it would not run exactly this plan; the message names chains and servers.
    """
    if engine not in ENGINES:
        raise FormatError(f"expected one of {', '.join(ENGINES)}, got {engine!r}", path="ENGINE")
    return ENGINES[engine].rule(asked, options, Addresses(asked, options, by_process=engine == "kubernetes"))


def export_files(engine: str, asked: Plan, options: Options) -> tuple[Deployment, dict[str, str]]:
    """The deployment, and the texts of its files by their path in the folder.

    Raises
    ------
    FormatError, InfeasibleError
        As :func:`deploy`.
    """
    deployment = deploy(engine, asked, options)
    entry = ENGINES[engine]
    processes = () if engine == "kubernetes" else deployment.processes
    scripts = {f"scripts/{process.name}.sh": script(process, deployment.plan, entry.version) for process in processes}
    return deployment, common_files(deployment, options, engine, entry.version, scripts)
