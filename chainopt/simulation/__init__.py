"""Discrete events: any policy, any traffic."""

from chainopt.simulation.arrays import simulate
from chainopt.simulation.policies import POLICIES
from chainopt.simulation.records import Records
from chainopt.simulation.rules import CentralRule, DispatchRule

__all__ = ["POLICIES", "CentralRule", "DispatchRule", "Records", "simulate"]
