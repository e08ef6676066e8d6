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
import yarl
from aiohttp import web
from multidict import CIMultiDict

sys.path.insert(0, str(Path(__file__).parent))
from jffc import Chain, Dispatcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from multidict import CIMultiDictProxy

HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "host", "content-length", "expect"),
    }
)
"""Headers of one connection [RFC 9110, section 7.6.1], what aiohttp sets, and Expect, which is met here."""
NOT_INVENTED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add to a request that has none."""
MOST_BODY = 64 * 2**20
CHUNK = 2**16
ATTEMPTS = 2
"""Chains that may fail while they compute the same request; it may be what makes them fail."""


class ClientGone(Exception):  # noqa: N818
    """Whoever asked does not listen any more."""


class Gateway:
    """The gateway.

    Parameters
    ----------
    chains
        As in chains.json.
    patience_s
        Seconds that a request waits for chains before it is refused with 503.
    most_waiting
        Requests that may wait; more are refused with 503 at once.
    probe_s
        Seconds between two looks at a chain that does not answer.
    silence_s
        Seconds without a byte after which a chain counts as lost.
    """

    def __init__(
        self,
        chains: list[Chain],
        *,
        patience_s: float = 600,
        most_waiting: int = 100_000,
        probe_s: float = 1,
        silence_s: float = 3600,
    ) -> None:
        self.dispatcher = Dispatcher(chains)
        self.patience_s, self.most_waiting = patience_s, most_waiting
        self.probe_s, self.silence_s = probe_s, silence_s
        self._probes: set[asyncio.Task[None]] = set()

    def runner(self) -> web.AppRunner:
        """What serves it: requests end when their clients leave, and bodies stay as they come."""
        return web.AppRunner(self.application(), handler_cancellation=True, auto_decompress=False)

    def application(self) -> web.Application:
        """The gateway as an application of aiohttp."""
        application = web.Application(client_max_size=MOST_BODY)
        application.router.add_get("/gateway/status", self.status)
        application.router.add_route("*", "/{path:.*}", self.forward)
        application.cleanup_ctx.append(self._session)
        return application

    async def _session(self, application: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)  # the capacities are the limit
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=self.silence_s)
        jar = aiohttp.DummyCookieJar()  # cookies are between the client and the chain
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=jar, auto_decompress=False
        ) as session:
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
            return self._refused(503, "too many requests wait")
        body = await request.read()
        ticket, waited_s, failed = self.dispatcher.ticket(), 0.0, 0
        while True:
            asked = time.monotonic()
            chain = self.dispatcher.take_free() or await self._waited_for(ticket, self.patience_s - waited_s)
            waited_s += time.monotonic() - asked
            if chain is None:
                return self._refused(503, "no chain is free")
            answered = False
            try:
                async with self._client.request(
                    request.method,
                    _target(chain, request),
                    headers=_end_to_end(request.headers),
                    skip_auto_headers=NOT_INVENTED,
                    data=body or None,
                    allow_redirects=False,
                ) as answer:
                    answered = True
                    return await self._passed_back(request, answer, chain, waited_s)
            except ClientGone:
                raise
            except aiohttp.ClientConnectorError:
                self._lost(chain)  # it never got the request
            except (aiohttp.ClientConnectionError, ConnectionError, TimeoutError):
                self._lost(chain)
                if answered:  # the client has a part of the answer: it has to see that this is not all
                    raise
                failed += 1
                if failed >= ATTEMPTS:
                    return self._refused(502, f"{failed} chains have failed on this request")
            except aiohttp.ClientError as error:  # an answer that makes no sense
                if answered:
                    raise
                return self._refused(502, f"{chain.name} answers what cannot be understood: {type(error).__name__}")
            finally:
                self.dispatcher.release(chain, served=answered)

    async def _waited_for(self, ticket: int, patience_s: float) -> Chain | None:
        """A chain, in turn; None if there is none in time."""
        try:
            return await asyncio.wait_for(self.dispatcher.acquire(ticket), max(0.0, patience_s))
        except TimeoutError:
            return None

    @staticmethod
    async def _passed_back(
        request: web.Request, answer: aiohttp.ClientResponse, chain: Chain, waited_s: float
    ) -> web.StreamResponse:
        """The answer, as it comes."""
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        response.headers.extend(_end_to_end(answer.headers))
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
    def _refused(status: int, reason: str) -> web.Response:
        kind = {502: "chain_failed", 503: "overloaded"}[status]
        return web.json_response({"error": {"message": reason, "type": kind}}, status=status)

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


def _target(chain: Chain, request: web.Request) -> yarl.URL:
    """The same path at the chain, letter by letter."""
    path = request.raw_path if request.raw_path.startswith("/") else request.path_qs
    return yarl.URL(chain.endpoint.rstrip("/") + path, encoded=True)


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers that are for the other end."""
    named = {name.strip().lower() for value in headers.getall("Connection", ()) for name in value.split(",")}
    return CIMultiDict((key, value) for key, value in headers.items() if key.lower() not in HOP_BY_HOP | named)


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
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(gateway, arguments.host, arguments.port))


async def serve(gateway: Gateway, host: str, port: int) -> None:
    """Serve until cancelled."""
    runner = gateway.runner()
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        print(f"http://{host}:{port}", flush=True)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
