"""A small HTTPS server for the phone's tests: our engine, plain asyncio, port 0.

It answers each path from ``routes`` and notes who asked and how connections ended.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from linekey.certs.certificate import Certificate
from linekey.phone.identity import DeviceIdentity
from linekey.tls.engine import Identity, ServerContexts, ServerEngine
from linekey.tls.events import (
    Accept,
    AlertReceived,
    DataReceived,
    HandshakeCompleted,
    HandshakeFailed,
    PeerChain,
    PeerClosed,
    Refuse,
    TlsInfo,
)
from linekey.tls.hello import parse_client_hello
from linekey.tls.policy import INTERIM, LEGACY, MODERN, Policy, choose


@dataclass
class Route:
    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    leaf: Certificate | None
    info: TlsInfo | None


Answerer = Callable[[Asked], Route]


@dataclass
class Site:
    """One running server."""

    port: int = 0
    scheme: str = "https"
    routes: dict[str, Route] = field(default_factory=dict)
    answer: Answerer | None = None
    asked: list[Asked] = field(default_factory=list)
    ended: list[object] = field(default_factory=list)
    """HandshakeFailed and AlertReceived, as they came."""
    raw: bytes | None = None
    """Sent instead of an HTTP answer, then the connection is closed."""

    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def note_end(self, event: object) -> None:
        self.ended.append(event)
        self._more.set()

    async def wait_ended(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.ended) < count:
                self._more.clear()
                await self._more.wait()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


def _respond(site: Site, text: bytes, info: TlsInfo | None) -> bytes:
    head = text.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
    path = head[0].split(" ")[1]
    fields = (line.split(":", 1) for line in head[1:])
    headers = {name.strip().lower(): value.strip() for name, value in fields}
    leaf = info.peer_chain[0] if info and info.peer_chain else None
    asked = Asked(path, headers, leaf, info)
    site.asked.append(asked)
    if site.raw is not None:
        return site.raw
    route = (
        site.answer(asked) if site.answer else site.routes.get(path, Route(b"", 404))
    )
    lines = [
        f"HTTP/1.1 {route.status} X",
        f"content-length: {len(route.body)}",
        "connection: close",
    ]
    lines += [f"{k}: {v}" for k, v in route.headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + route.body


@asynccontextmanager
async def serve(
    identity: DeviceIdentity | None,
    *,
    verify: Callable[[PeerChain], Accept | Refuse] | None = None,
    require: bool = False,
    policy: Policy | None = None,
    roots: tuple[Certificate, ...] = (),
    routes: dict[str, Route] | None = None,
    fragment: int = 0,
) -> AsyncIterator[Site]:
    """Run it; ``identity`` None speaks plain HTTP."""
    site = Site(routes=routes or {}, scheme="https" if identity else "http")
    contexts = None
    if identity is not None:
        contexts = ServerContexts(
            Identity(identity.chain, identity.key), verify=verify, roots=roots,
            require_certificate=require,
        )  # fmt: skip
    writers: set[asyncio.StreamWriter] = set()

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writers.add(writer)
        try:
            await (_plain if contexts is None else _tls)(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()
            writers.discard(writer)

    async def _plain(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        text = await reader.readuntil(b"\r\n\r\n")
        writer.write(_respond(site, text, None))
        await writer.drain()

    async def _tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert contexts is not None
        data = b""
        while (hello := parse_client_hello(data)) is None:
            part = await reader.read(65536)
            if not part:
                return
            data += part
        chosen = policy or choose(hello).policy or LEGACY
        engine = ServerEngine(contexts.context(chosen), hello=hello)
        request, info = b"", None
        while True:
            for event in engine.receive(data) if data else engine.receive_eof():
                match event:
                    case HandshakeCompleted():
                        info = event.info
                    case DataReceived():
                        request += event.data
                    case HandshakeFailed() | AlertReceived():
                        site.note_end(event)
                    case PeerClosed():
                        writer.write(engine.take_output())
                        return
            output = engine.take_output()
            if fragment:
                for at in range(0, len(output), fragment):
                    writer.write(output[at : at + fragment])
                    await writer.drain()
            else:
                writer.write(output)
            if engine.ended:
                await writer.drain()
                return
            if b"\r\n\r\n" in request:
                engine.send(_respond(site, request, info))
                engine.close()
                writer.write(engine.take_output())
                request = b""
            await writer.drain()
            if not data:
                return
            data = await reader.read(65536)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for writer in list(writers):
            writer.close()
        await server.wait_closed()


def accept(_: PeerChain) -> Accept:
    return Accept(None, final=True)


__all__ = ["INTERIM", "LEGACY", "MODERN", "Route", "Site", "accept", "serve"]
