"""Join the fastest free chain, as asyncio: who gets which chain, and who waits.

A job that arrives takes the fastest chain with a free job server; where there is none it waits in one queue, first come
first served, and a chain that gets free takes the job that waits longest [Sun, He, Hou, arXiv 2604.14993, section 3.3].
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(eq=False)
class Chain:
    """A chain of servers behind one endpoint.

    Attributes
    ----------
    endpoint
        Base URL.
    capacity
        c_k, jobs that it may run at once.
    service_time_s
        T_k, mean seconds of a job.
    busy
        Jobs that it runs.
    up
        Whether it answers.
    served
        Jobs that it has finished.
    """

    name: str
    endpoint: str
    capacity: int
    service_time_s: float
    busy: int = 0
    up: bool = True
    served: int = 0

    @property
    def free(self) -> bool:
        """Whether it can take a job."""
        return self.up and self.busy < self.capacity


class Dispatcher:
    """Hands chains to jobs; for one event loop.

    Attributes
    ----------
    chains
        The fastest first.
    """

    def __init__(self, chains: Sequence[Chain]) -> None:
        self.chains = sorted(chains, key=lambda chain: chain.service_time_s)
        self._tickets = count()
        self._waiting: list[tuple[int, asyncio.Future[Chain]]] = []
        self._gone = 0

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._waiting) - self._gone

    def ticket(self) -> int:
        """A place in the queue: by time of arrival, also for a job that has to start anew."""
        return next(self._tickets)

    def take_free(self) -> Chain | None:
        """The fastest free chain, if nobody waits; whoever gets one has to release it."""
        if not self.waiting:
            for chain in self.chains:
                if chain.free:
                    chain.busy += 1
                    return chain
        return None

    async def acquire(self, ticket: int) -> Chain:
        """Wait for a chain; whoever gets one has to release it."""
        chain = self.take_free()
        if chain is not None:
            return chain
        future: asyncio.Future[Chain] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (ticket, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.release(future.result(), served=False)
            else:
                future.cancel()
                self._gone += 1
                self._forget_those_gone()
            raise

    def release(self, chain: Chain, *, served: bool = True) -> None:
        """Give a chain back."""
        chain.busy -= 1
        chain.served += served
        self._hand_out(chain)

    def lost(self, chain: Chain) -> None:
        """It does not answer: nothing more is given to it until it is found again."""
        chain.up = False

    def found(self, chain: Chain) -> None:
        """It answers again."""
        chain.up = True
        self._hand_out(chain)

    def _hand_out(self, chain: Chain) -> None:
        """Give what is free of a chain to those who wait longest."""
        while chain.free and self._waiting:
            _, future = heapq.heappop(self._waiting)
            if future.done():
                self._gone -= 1
            else:
                chain.busy += 1
                future.set_result(chain)

    def _forget_those_gone(self) -> None:
        """Clean up once half of the queue has given up, so that it costs little and the queue stays short."""
        if 2 * self._gone > len(self._waiting):
            self._waiting = [entry for entry in self._waiting if not entry[1].done()]
            heapq.heapify(self._waiting)
            self._gone = 0
