"""How close `chainopt size` comes to its bounds.

python -m benchmarks.sizing [--time-limit S]
"""

from __future__ import annotations

import argparse
import time

import chainopt
from benchmarks.environment import ROOT, describe
from chainopt.sizing import Target, largest_rate, least_servers

INSTANCES = (
    "worked-example/worked-example",
    "mig/mig-bloom-176b-nf4-12xa100-s1",
    "bloom/bloom-ripe-j10-eta20-s1-medium",
    "bloom/bloom-ripe-j20-eta20-s1-medium",
    "bloom/bloom-ripe-j40-eta20-s1-medium",
    "bloom/bloom-ripe-j200-eta20-s1-medium",
)
FACTOR = 1.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time-limit", type=float, default=20.0, metavar="S")
    limit = parser.parse_args().time_limit
    print("# Sizing against its bounds\n\n`python -m benchmarks.sizing`\n")
    print("\n".join(describe()))
    print(
        f"\nFor each instance, the target is {FACTOR} times the mean response time that `auto` finds in 5 s at the "
        f"instance's own arrival rate. The largest rate for it, and the fewest servers that meet it at the instance's "
        f"own rate, in {limit:g} s each.\n"
    )
    print("| instance | target s | largest rate | bound | gap | s | servers | at least | offered | s |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in INSTANCES:
        instance = chainopt.read_instance(ROOT / "instances" / f"{name}.json")
        value = chainopt.compose(instance, time_limit_s=5).value
        assert value is not None
        target = Target(FACTOR * value)
        begin = time.perf_counter()
        rate = largest_rate(instance, target, time_limit_s=limit)
        between = time.perf_counter()
        few = least_servers(instance, target, time_limit_s=limit)
        end = time.perf_counter()
        found = float(rate.instance.workload.arrival_rate)
        assert rate.solution is not None
        assert not chainopt.verify(rate.instance, rate.solution)
        assert few.solution is not None
        assert not chainopt.verify(few.instance, few.solution)
        print(
            f"| {instance.name} | {target.response_time_s:.4g} | {found:.4g} | {rate.bound:.4g} | "
            f"{1 - found / rate.bound:.1%} | {between - begin:.0f} | {few.cost:.0f} | {few.bound:.0f} | "
            f"{len(instance.servers)} | {end - between:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
