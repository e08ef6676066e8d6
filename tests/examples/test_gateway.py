"""The reference gateway, in front of stub backends."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest
import yarl
from aiohttp import web

from tests.examples.stub_backend import StubBackend

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "gateway"))
from gateway import Gateway, read_chains
from jffc import Chain, Dispatcher


@contextlib.asynccontextmanager
async def running(
    backends: Sequence[StubBackend], capacities: Sequence[int], **options: float
) -> AsyncIterator[tuple[str, Gateway, aiohttp.ClientSession]]:
    """A gateway in front of backends, and a client."""
    for backend in backends:
        await backend.start()
    chains = [
        Chain(f"chain-{k}", backend.endpoint, capacity, backend.seconds)
        for k, (backend, capacity) in enumerate(zip(backends, capacities, strict=True))
    ]
    gateway = Gateway(chains, probe_s=0.02, **options)  # type: ignore[arg-type]
    runner = gateway.runner()
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    address = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            yield address, gateway, client
    finally:
        await runner.cleanup()
        for backend in backends:
            with contextlib.suppress(Exception):
                await backend.kill()


async def ask(client: aiohttp.ClientSession, address: str, number: int) -> tuple[int, int, str]:
    """Status, number and chain of one request."""
    async with client.post(f"{address}/v1/completions", json={"number": number}) as answer:
        body = await answer.json()
        return answer.status, body.get("number", -1), answer.headers.get("X-Chain", "")


def test_the_fastest_free_chain_and_then_the_queue() -> None:
    """By hand: capacities 1 and 2; jobs 0, 1, 2 take chains 0, 1, 1; job 3 waits for the first that gets free."""

    async def scenario() -> list[str]:
        dispatcher = Dispatcher([Chain("slow", "", 2, 9.0), Chain("fast", "", 1, 1.0)])
        held = [await dispatcher.acquire(dispatcher.ticket()) for _ in range(3)]
        fourth = asyncio.create_task(dispatcher.acquire(dispatcher.ticket()))
        fifth = asyncio.create_task(dispatcher.acquire(dispatcher.ticket()))
        await asyncio.sleep(0)
        assert dispatcher.waiting == 2
        dispatcher.release(held[2])
        dispatcher.release(held[0])
        return [chain.name for chain in (*held, await fourth, await fifth)]

    assert asyncio.run(scenario()) == ["fast", "slow", "slow", "slow", "fast"]


def test_who_gives_up_leaves_no_hole() -> None:
    """A job that is cancelled while it waits, or just when it gets a chain, takes none with it."""

    async def scenario() -> tuple[int, int]:
        dispatcher = Dispatcher([Chain("only", "", 1, 1.0)])
        held = await dispatcher.acquire(dispatcher.ticket())
        waiting = [asyncio.create_task(dispatcher.acquire(dispatcher.ticket())) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        dispatcher.release(held)  # to the second
        waiting[1].cancel()  # which does not want it any more
        chain = await waiting[2]
        busy = chain.busy
        dispatcher.release(chain)
        return busy, chain.busy

    assert asyncio.run(scenario()) == (1, 0)


def test_none_is_lost_or_doubled_and_capacities_hold() -> None:
    """Many requests at once; one backend is killed in the middle, and comes back."""
    requests, at_once, capacities = 1500, 300, (8, 5, 3)

    async def scenario() -> None:
        backends = [StubBackend(seconds) for seconds in (0.004, 0.006, 0.01)]
        async with running(backends, capacities) as (address, gateway, client):
            limit = asyncio.Semaphore(at_once)

            async def one(number: int) -> tuple[int, int, str]:
                async with limit:
                    return await ask(client, address, number)

            async def disturb() -> None:
                await asyncio.sleep(0.4)
                await backends[0].kill()
                await asyncio.sleep(0.3)
                await backends[0].start()

            disturbed = asyncio.create_task(disturb())
            answers = await asyncio.gather(*(one(number) for number in range(requests)))
            await disturbed
            assert Counter(status for status, _, _ in answers) == {200: requests}
            assert [number for _, number, _ in answers] == list(range(requests))
            for backend, capacity in zip(backends, capacities, strict=True):
                assert 0 < backend.most <= capacity
            finished = sum((backend.finished for backend in backends), Counter())
            assert set(finished) == set(range(requests))
            assert all(chain.busy == 0 for chain in gateway.dispatcher.chains)
            await asyncio.sleep(0.1)
            assert all(chain.up for chain in gateway.dispatcher.chains)

    asyncio.run(scenario())


def test_requests_and_streams_pass_as_they_are() -> None:
    """Headers, queries, streams and the answers of unknown paths."""

    async def scenario() -> None:
        async with running([StubBackend(0.001)], [2]) as (address, _, client):
            async with client.post(f"{address}/v1/completions?x=1", json={"number": 7}, headers={"X-Echo": "hi"}) as a:
                assert await a.json() == {"number": 7, "echo": "hi"}
                assert float(a.headers["X-Waited-Seconds"]) >= 0
            async with client.get(f"{address}/v1/stream") as stream:
                assert stream.headers["Content-Type"] == "text/event-stream"
                assert await stream.text() == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
            async with client.get(f"{address}/nothing") as missing:
                assert missing.status == 404
            async with client.get(f"{address}/gateway/status") as status:
                document = await status.json()
                assert document["waiting"] == 0
                assert document["chains"][0]["served"] == 3

    asyncio.run(scenario())


def test_patience_ends() -> None:
    """Where no chain gets free in time, and where too many wait, a request is refused with 503."""

    async def scenario() -> None:
        async with running([StubBackend(0.3)], [1], patience_s=0.05, most_waiting=1) as (address, gateway, client):
            first = asyncio.create_task(ask(client, address, 1))
            await asyncio.sleep(0.1)
            waits = asyncio.create_task(ask(client, address, 2))
            await asyncio.sleep(0.02)
            assert (await ask(client, address, 3))[0] == 503
            assert (await waits)[0] == 503
            assert (await first)[0] == 200
            assert gateway.dispatcher.waiting == 0

    asyncio.run(scenario())


def test_a_client_that_leaves_frees_its_place() -> None:
    """The slot of a request whose client is gone is given to the next."""

    async def scenario() -> None:
        backend = StubBackend(5)
        async with running([backend], [1]) as (address, gateway, client):
            leaving = asyncio.create_task(ask(client, address, 1))
            await asyncio.sleep(0.1)
            leaving.cancel()
            backend.seconds = 0.01
            assert (await asyncio.wait_for(ask(client, address, 2), 2))[0] == 200
            assert gateway.dispatcher.chains[0].busy == 0

    asyncio.run(scenario())


def test_chains_without_endpoints_are_refused(tmp_path: Path) -> None:
    """An engine without HTTP has nothing to pass on to."""
    file = tmp_path / "chains.json"
    file.write_text('{"chains": [{"id": "a", "endpoint": null, "capacity": 1, "service_time_s": 1}]}')
    with pytest.raises(SystemExit, match="no endpoint for a"):
        read_chains(str(file))
    file.write_text('{"chains": [{"id": "a", "endpoint": "http://x", "capacity": 2, "service_time_s": 1.5}]}')
    assert [(chain.name, chain.capacity) for chain in read_chains(str(file))] == [("a", 2)]


def test_nothing_of_one_client_reaches_another() -> None:
    """Cookies of a chain are not sent with anybody else's requests; no header is invented or passed too far."""

    async def scenario() -> None:
        async with running([StubBackend(0.001)], [2]) as (address, _, client):
            async with client.get(f"{address}/headers?set=1") as first:
                assert first.headers["Set-Cookie"] == "session=secret"
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as other:
                sent = {"Connection": "close, X-Secret", "X-Secret": "1", "X-Mine": "2"}
                skip = ("User-Agent", "Accept", "Accept-Encoding")
                async with other.get(f"{address}/headers", headers=sent, skip_auto_headers=skip) as answer:
                    seen = {key.lower(): value for key, value in await answer.json()}
        assert seen.pop("host").startswith("localhost")
        assert seen == {"x-mine": "2"}

    asyncio.run(scenario())


def test_compressed_bodies_and_paths_stay_as_they_are() -> None:
    """Letter by letter: an encoded slash, a double slash, a gzip body."""

    async def scenario() -> None:
        body = gzip.compress(b'{"number": 3}')
        async with running([StubBackend(0.001)], [2]) as (address, _, client):
            url = yarl.URL(f"{address}/raw//a%2fb/../c", encoded=True)
            async with client.post(url, data=body, headers={"Content-Encoding": "gzip"}) as answer:
                assert await answer.json() == {"path": "/raw//a%2fb/../c", "encoding": "gzip", "body": body.hex()}

    asyncio.run(scenario())


def test_a_request_that_breaks_chains_breaks_no_more_than_two() -> None:
    """Each chain that gets it drops the connection; the client gets 502, and others are served."""

    async def scenario() -> None:
        backends = [StubBackend(0.001) for _ in range(3)]
        async with running(backends, [1, 1, 1]) as (address, gateway, client):
            async with client.post(f"{address}/poison") as answer:
                assert answer.status == 502
            assert sum(chain.up for chain in gateway.dispatcher.chains) >= 1
            assert (await ask(client, address, 1))[0] == 200
            await asyncio.sleep(0.1)
            assert all(chain.up and chain.busy == 0 for chain in gateway.dispatcher.chains)

    asyncio.run(scenario())


def test_an_expectation_is_met_here() -> None:
    """A client that waits for 100 Continue gets it, whatever the chain does."""

    async def scenario() -> None:
        async with running([StubBackend(0.001)], [1]) as (address, _, client):
            url = f"{address}/v1/completions"
            async with client.post(url, json={"number": 1}, expect100=True) as answer:
                assert answer.status == 200

    asyncio.run(scenario())


def test_those_who_give_up_are_forgotten() -> None:
    """However many time out while all chains are busy, the queue does not grow."""

    async def scenario() -> tuple[int, int]:
        dispatcher = Dispatcher([Chain("only", "", 1, 1.0)])
        await dispatcher.acquire(dispatcher.ticket())
        for _ in range(50):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(dispatcher.acquire(dispatcher.ticket()), 0.0005)
        return dispatcher.waiting, len(dispatcher._waiting)

    waiting, kept = asyncio.run(scenario())
    assert waiting == 0
    assert kept <= 1


def test_no_patience_still_takes_what_is_free() -> None:
    """Patience is for waiting only."""

    async def scenario() -> None:
        async with running([StubBackend(0.001)], [1], patience_s=0) as (address, _, client):
            assert (await ask(client, address, 1))[0] == 200

    asyncio.run(scenario())
