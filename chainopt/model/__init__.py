"""The frozen types that flow through the house: instance, placement, composition, evaluation, solution."""

from chainopt.model.composition import Chain, Composition
from chainopt.model.evaluation import Evaluation
from chainopt.model.instance import BlockRange, Instance, Server, Service, Workload
from chainopt.model.placement import Placement
from chainopt.model.solution import (
    HostedRange,
    InstanceReference,
    Objective,
    Solution,
    SolutionChain,
    Status,
)

__all__ = [
    "BlockRange",
    "Chain",
    "Composition",
    "Evaluation",
    "HostedRange",
    "Instance",
    "InstanceReference",
    "Objective",
    "Placement",
    "Server",
    "Service",
    "Solution",
    "SolutionChain",
    "Status",
    "Workload",
]
