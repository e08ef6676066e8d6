"""A gateway in front of the chains of a composition: one address, OpenAI-compatible where the engines are.

    chainopt export vllm x.json x.sol.json -o plan ...
    python examples/gateway/gateway.py plan/chains.json --port 8000

Every request goes to the fastest chain that is free, never more than c_k at once to chain k, and waits here, first
come first served, where none is (`jffc.py`). Requests and answers pass through as they are, streams too. A chain that
does not answer gets no more requests until it answers again; requests that it had not begun to answer go to another
chain, at their old place in the queue. Needs aiohttp.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent))
from jffc import Chain, Dispatcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers"),
        *("transfer-encoding", "upgrade", "host", "content-length"),
    }
)
"""Headers of one connection [RFC 9110, section 7.6.1], and what aiohttp sets by itself."""
MOST_BODY = 64 * 2**20
CHUNK = 2**16


class ClientGone(Exception):  # noqa: N818
    """Whoever asked does not listen any more."""


class Gateway:
    """The gateway.

    Parameters
    ----------
    chains
        As in chains.json.
    patience_s
        Seconds that a request waits for a chain before it is refused with 503.
    most_waiting
        Requests that may wait; more are refused with 503 at once.
    probe_s
        Seconds between two looks at a chain that does not answer.
    """

    def __init__(
        self, chains: list[Chain], *, patience_s: float = 600, most_waiting: int = 100_000, probe_s: float = 1
    ) -> None:
        self.dispatcher = Dispatcher(chains)
        self.patience_s, self.most_waiting, self.probe_s = patience_s, most_waiting, probe_s
        self._probes: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """The gateway as an application of aiohttp."""
        application = web.Application(client_max_size=MOST_BODY)
        application.router.add_get("/gateway/status", self.status)
        application.router.add_route("*", "/{path:.*}", self.forward)
        application.cleanup_ctx.append(self._session)
        return application

    async def _session(self, application: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)  # the capacities are the limit
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            self._client = session
            yield
        for probe in self._probes:
            probe.cancel()

    async def status(self, request: web.Request) -> web.Response:
        """What runs where."""
        fields = ("name", "endpoint", "capacity", "service_time_s", "busy", "up", "served")
        chains = [{field: getattr(chain, field) for field in fields} for chain in self.dispatcher.chains]
        return web.json_response({"waiting": self.dispatcher.waiting, "chains": chains})

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Pass a request to a chain, and its answer back."""
        if self.dispatcher.waiting >= self.most_waiting:
            return self._refused("too many requests wait")
        body = await request.read()
        arrived, ticket = time.monotonic(), self.dispatcher.ticket()
        while True:
            patience_s = self.patience_s - (time.monotonic() - arrived)
            try:
                chain = await asyncio.wait_for(self.dispatcher.acquire(ticket), max(0.0, patience_s))
            except TimeoutError:
                return self._refused("no chain is free")
            answered = False
            try:
                waited_s = time.monotonic() - arrived
                async with self._client.request(
                    request.method,
                    chain.endpoint.rstrip("/") + request.path_qs,
                    headers=[(k, v) for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP],
                    data=body,
                    allow_redirects=False,
                ) as answer:
                    answered = True
                    return await self._passed_back(request, answer, chain, waited_s)
            except (TimeoutError, aiohttp.ClientError, ConnectionError):
                self._lost(chain)
                if answered:  # the client has a part of the answer: it has to see that this is not all
                    raise
            finally:
                self.dispatcher.release(chain, served=answered)

    @staticmethod
    async def _passed_back(
        request: web.Request, answer: aiohttp.ClientResponse, chain: Chain, waited_s: float
    ) -> web.StreamResponse:
        """The answer, as it comes."""
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        for key, value in answer.headers.items():
            if key.lower() not in HOP_BY_HOP:
                response.headers.add(key, value)
        if answer.content_length is not None:
            response.content_length = answer.content_length
        response.headers["X-Chain"] = chain.name
        response.headers["X-Waited-Seconds"] = f"{waited_s:.6f}"
        await _to_client(response.prepare(request))
        async for chunk in answer.content.iter_chunked(CHUNK):
            await _to_client(response.write(chunk))
        await _to_client(response.write_eof())
        return response

    @staticmethod
    def _refused(reason: str) -> web.Response:
        return web.json_response({"error": {"message": reason, "type": "overloaded"}}, status=503)

    def _lost(self, chain: Chain) -> None:
        """Give it nothing more, and look for it."""
        if chain.up:
            self.dispatcher.lost(chain)
            probe = asyncio.create_task(self._look_for(chain))
            self._probes.add(probe)
            probe.add_done_callback(self._probes.discard)

    async def _look_for(self, chain: Chain) -> None:
        """Wait until it answers, whatever it says short of an error of the server."""
        while not chain.up:
            await asyncio.sleep(self.probe_s)
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                url = chain.endpoint.rstrip("/") + "/health"
                async with self._client.get(url, timeout=aiohttp.ClientTimeout(total=10)) as answer:
                    if answer.status < 500:
                        self.dispatcher.found(chain)


async def _to_client(sending: Awaitable[Any]) -> None:
    """Send something to the client, whose trouble is not the chain's."""
    try:
        await sending
    except ConnectionError as error:
        raise ClientGone from error


def read_chains(path: str) -> list[Chain]:
    """The chains of a chains.json."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    chains: list[dict[str, Any]] = document["chains"]
    without = [chain["id"] for chain in chains if not chain.get("endpoint")]
    if without:
        raise SystemExit(f"{path}: no endpoint for {', '.join(without)}: this engine has no HTTP server to pass on to")
    return [Chain(c["id"], c["endpoint"], c["capacity"], c["service_time_s"]) for c in chains]


def main() -> None:
    """Run the gateway until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("chains", help="chains.json of `chainopt export`")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--patience", type=float, default=600, metavar="S", help="seconds that a request may wait")
    arguments = parser.parse_args()
    gateway = Gateway(read_chains(arguments.chains), patience_s=arguments.patience)
    web.run_app(gateway.application(), host=arguments.host, port=arguments.port, handler_cancellation=True)


if __name__ == "__main__":
    main()
