"""Who takes alerts in tests: a web server and mail servers on loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.certificates import END, ca, ec, leaf

from linekey.certs.pem import private_key_to_pem, to_pem

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLtk9LmwV8s6yZfE="
HOST = "alerts.example.com"


@dataclass
class Receiver:
    """What came in, and what is answered: ``answer`` is called with the connection."""

    port: int = 0
    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    hold: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    connections: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.got) < count:
                self.news.clear()
                await self.news.wait()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            self.targets.append(first.split(" ")[1])
            headers = dict(line.lower().split(": ", 1) for line in lines)
            raw = dict(line.split(": ", 1) for line in lines)
            body = await reader.readexactly(int(headers["content-length"]))
            if self.hold is not None:
                await self.hold(writer)
            else:
                writer.write(self.answer)
                await writer.drain()
            self.got.append(({k.lower(): v for k, v in raw.items()}, body))
            self.news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(
    context: ssl.SSLContext | None = None, port: int = 0, **more: object
) -> AsyncIterator[Receiver]:
    receiver = Receiver(**more)  # type: ignore[arg-type]
    server = await asyncio.start_server(
        receiver.serve, "127.0.0.1", port, ssl=context, start_serving=True
    )
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@asynccontextmanager
async def speaking(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server of a test's own; its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def identity(folder: Path, name: str = HOST) -> tuple[Path, ssl.SSLContext]:
    """A CA's file, and a server's context with a certificate of it for ``name``."""
    root = ca("alerts root", own=ec("alerts root"))
    own = ec("alerts leaf")
    is_address = name[0].isdigit()
    dns, ips = ((), (name,)) if is_address else ((name,), ())
    certificate = leaf(root, *dns, ips=ips, leaf_key=own, not_after=END)
    files = folder / "ca.pem", folder / "leaf.pem", folder / "leaf.key"
    files[0].write_text(to_pem(root.certificate))
    files[1].write_text(to_pem(certificate))
    files[2].write_bytes(private_key_to_pem(own))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[2])
    return files[0], context
