"""A method of your own: the whole model on every server that has room for it, the others left empty.

chainopt solve --method examples/own_method.py:whole_model instances/worked-example/worked-example.json
chainopt bench benchmarks/suites/smoke.toml --method examples/own_method.py:whole_model -o results
"""

from chainopt.model import Instance, Placement


def whole_model(instance: Instance, *, seed: int = 0, time_limit_s: float | None = None) -> Placement:
    """All blocks or none; chainopt finds the chains of a placement and how many jobs each runs at once."""
    service = instance.service
    needed = service.blocks * (service.block_gb + service.cache_gb)
    fits = [server.memory_gb - server.reserve_gb >= needed for server in instance.servers]
    return Placement(start=[0] * len(fits), stop=[service.blocks * room for room in fits])
