"""How much traffic servers carry for a target, and how few servers carry the traffic."""

from chainopt.sizing.rate import LargestRate, largest_rate
from chainopt.sizing.subset import LeastServers, least_servers
from chainopt.sizing.target import Target

__all__ = ["LargestRate", "LeastServers", "Target", "largest_rate", "least_servers"]
