"""An engine that only pretends: answers after a while, and counts how many requests it had at once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from aiohttp import web


class StubBackend:
    """One backend, which can be killed and started again at the same port."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.port = 0
        self.now = self.most = 0
        self.finished: Counter[int] = Counter()
        self._runner: web.AppRunner | None = None

    @property
    def endpoint(self) -> str:
        """Base URL."""
        return f"http://localhost:{self.port}"

    async def start(self) -> None:
        """Listen; at the same port as before."""
        application = web.Application()
        application.router.add_post("/v1/completions", self._complete)
        application.router.add_get("/v1/stream", self._stream)
        application.router.add_get("/health", self._health)
        application.router.add_get("/headers", self._headers)
        application.router.add_post("/raw/{rest:.*}", self._raw)
        application.router.add_post("/poison", self._break)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def kill(self) -> None:
        """Cut all connections, whatever runs on them."""
        assert self._runner is not None
        for connection in list(self._runner.server.connections if self._runner.server else ()):
            connection.force_close()
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            body: dict[str, Any] = json.loads(await request.read())
            await asyncio.sleep(self.seconds)
            self.finished[body["number"]] += 1
            return web.json_response({"number": body["number"], "echo": request.headers.get("X-Echo")})
        finally:
            self.now -= 1

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for i in range(3):
            await response.write(f"data: {i}\n\n".encode())
            await asyncio.sleep(self.seconds)
        await response.write_eof()
        return response

    async def _headers(self, request: web.Request) -> web.Response:
        response = web.json_response(list(request.headers.items()))
        if "set" in request.query:
            response.headers["Set-Cookie"] = "session=secret"
        return response

    async def _raw(self, request: web.Request) -> web.Response:
        encoding, body = request.headers.get("Content-Encoding"), (await request.read()).hex()
        return web.json_response({"path": request.raw_path, "encoding": encoding, "body": body})

    async def _break(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response()
