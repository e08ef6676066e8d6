"""The reference gateway under load: what is lost, what it costs.

python -m benchmarks.gateway [--requests N] [--at-once N]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp
import numpy as np

from benchmarks.environment import describe
from tests.examples.stub_backend import StubBackend
from tests.examples.test_gateway import ask, running

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "gateway"))
from jffc import Chain, Dispatcher

CAPACITIES = (40, 25, 15)
SECONDS = (0.05, 0.08, 0.12)


async def disturbed(requests: int, at_once: int) -> dict[str, object]:
    """Many requests at once, a backend killed and started again three times in the middle."""
    backends = [StubBackend(seconds) for seconds in SECONDS]
    async with running(backends, CAPACITIES) as (address, gateway, client):
        limit = asyncio.Semaphore(at_once)

        async def one(number: int) -> tuple[int, int, str]:
            async with limit:
                return await ask(client, address, number)

        async def disturb() -> None:
            for backend in backends:
                await asyncio.sleep(1.5)
                await backend.kill()
                await asyncio.sleep(0.5)
                await backend.start()

        started = time.perf_counter()
        disturbing = asyncio.create_task(disturb())
        answers = await asyncio.gather(*(one(number) for number in range(requests)))
        took = time.perf_counter() - started
        await disturbing
        finished = sum((backend.finished for backend in backends), Counter())
        return {
            "requests, at once": f"{requests:,}, {at_once:,}",
            "answered with 200": sum(status == 200 for status, _, _ in answers),
            "answers that are not those asked for": sum(n != i for i, (_, n, _) in enumerate(answers)),
            "never computed; computed again, for the kill came before the answer": (
                f"{requests - len(finished)}, {sum(count > 1 for count in finished.values())}"
            ),
            "most at once of each backend (allowed)": ", ".join(
                f"{backend.most} ({capacity})" for backend, capacity in zip(backends, CAPACITIES, strict=True)
            ),
            "slots not given back": sum(chain.busy for chain in gateway.dispatcher.chains),
            "requests/s": round(requests / took),
        }


def decision_us(chains: int, jobs: int = 200_000) -> float:
    """Microseconds of giving a chain to a job and taking it back, all chains busy and many jobs waiting."""

    async def run() -> float:
        dispatcher = Dispatcher([Chain(str(k), "", 4, 1.0 + k) for k in range(chains)])
        held = [await dispatcher.acquire(dispatcher.ticket()) for _ in range(4 * chains)]
        waiting = [asyncio.create_task(dispatcher.acquire(dispatcher.ticket())) for _ in range(jobs)]
        await asyncio.sleep(0)
        started = time.perf_counter()
        for i, task in enumerate(waiting):
            dispatcher.release(held[i % len(held)])
            if i % 1000 == 999:
                await asyncio.sleep(0)
            if task.done():
                held[i % len(held)] = task.result()
        await asyncio.sleep(0)
        return (time.perf_counter() - started) / jobs * 1e6

    return asyncio.run(run())


async def added_ms(requests: int = 2000) -> tuple[float, float]:
    """Median milliseconds of a request sent to a backend that answers at once, directly and through the gateway."""
    backend = StubBackend(0.0)
    async with running([backend], [10]) as (address, _, client):

        async def median(where: str) -> float:
            times = []
            for number in range(requests):
                started = time.perf_counter()
                async with client.post(f"{where}/v1/completions", json={"number": number}) as answer:
                    await answer.read()
                times.append(time.perf_counter() - started)
            return float(np.median(times)) * 1e3

        return await median(backend.endpoint), await median(address)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=1000)
    arguments = parser.parse_args()
    print("# The reference gateway under load\n\n`python -m benchmarks.gateway`\n")
    print("\n".join([*describe(), f"- aiohttp {aiohttp.__version__}; backends, gateway and client in one process\n"]))
    print("Stub backends that answer after 50, 80 and 120 ms; each is killed once, for half a second, in the middle.\n")
    print("| | |\n|---|---|")
    for key, value in asyncio.run(disturbed(arguments.requests, arguments.at_once)).items():
        print(f"| {key} | {value} |")
    for chains in (3, 30, 300):
        print(f"| decision, {chains} chains, µs | {decision_us(chains):.1f} |")
    directly, through = asyncio.run(added_ms())
    print(f"| one request at a time, directly, ms | {directly:.2f} |")
    print(f"| through the gateway, ms | {through:.2f} |")


if __name__ == "__main__":
    main()
