"""Phones that ask for their files all the time, and what becomes of each request.

Python's own TLS, so neither end is ours. Each phone comes from an address of its own on
loopback, since balancers tell phones apart by that. Half of them keep their connection
for some requests, as phones do; where the server closed such a connection without a
byte of an answer, the request is sent again on a new one (RFC 9112 §9.3.1).
"""

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

GUARD_S = 90
"""Only so that a failure does not hang."""


@dataclass
class Asked:
    """One request that was answered, or failed."""

    at: float
    """When it ended, by the monotonic clock."""
    seconds: float
    status: int
    """Of the answer; 0: there was none."""
    why: str = ""
    retry_after: bool = False


@dataclass
class Asking:
    """Phones that ask while inside; an async context manager.

    ``address`` is where they connect to, ``pair`` certificate and key of the phone,
    ``path`` its file, which holds ``password``.
    """

    address: tuple[str, int]
    authority: Path
    pair: tuple[str, str]
    path: str
    password: str
    name: str = "localhost"
    sources: tuple[str, ...] = tuple(f"127.0.0.{n}" for n in range(101, 107))
    pause_s: float = 0.02
    asked: list[Asked] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._news = asyncio.Event()
        self._ending = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority)
        context.load_cert_chain(*self.pair)
        self._context = context
        self._tasks = [
            asyncio.create_task(self._phone(source, keeps=bool(number % 2)))
            for number, source in enumerate(self.sources)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        async with asyncio.timeout(GUARD_S):
            await asyncio.gather(*self._tasks)

    # What tests look at

    @property
    def failed(self) -> list[Asked]:
        """Those that were not answered with the phone's file."""
        return [asked for asked in self.asked if asked.status != 200]

    @property
    def served(self) -> int:
        """How many were."""
        return sum(asked.status == 200 for asked in self.asked)

    async def more(self, each: int = 3) -> None:
        """Wait until every phone could have asked so often again."""
        wanted = len(self.asked) + each * len(self.sources)
        async with asyncio.timeout(GUARD_S):
            while len(self.asked) < wanted:
                self._news.clear()
                await self._news.wait()

    async def until_served(self, each: int = 3) -> None:
        """Wait until so many in a row have been served, of each phone."""
        wanted = each * len(self.sources)
        async with asyncio.timeout(GUARD_S):
            while [a.status for a in self.asked[-wanted:]] != [200] * wanted:
                self._news.clear()
                await self._news.wait()

    # One phone

    async def _phone(self, source: str, *, keeps: bool) -> None:
        while not self._ending:
            await self._connection(source, 5 if keeps else 1)
            await asyncio.sleep(self.pause_s)

    async def _connection(self, source: str, requests: int) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection(
                    *self.address, ssl=self._context, server_hostname=self.name,
                    local_addr=(source, 0),
                )  # fmt: skip
        except (OSError, TimeoutError) as error:
            self._note(began, 0, f"connecting: {error!r}")
            return
        try:
            for number in range(requests):
                if self._ending:
                    return
                began = time.monotonic()
                if not await self._request(
                    reader, writer, began, first=not number, last=number == requests - 1
                ):
                    return
                await asyncio.sleep(self.pause_s)
        finally:
            writer.transport.abort()

    async def _request(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        began: float,
        *,
        first: bool,
        last: bool,
    ) -> bool:
        """Ask once; whether the connection can be used again."""
        close = "Connection: close\r\n" if last else ""
        head = b""
        try:
            async with asyncio.timeout(30):
                writer.write(f"GET {self.path} HTTP/1.1\r\nHost: {self.name}\r\n{close}\r\n".encode())  # fmt: skip
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                length = next(int(x[15:]) for x in lines if x.startswith(b"content-length:"))  # fmt: skip
                body = await reader.readexactly(length)
        except (OSError, TimeoutError, EOFError) as error:
            partial = getattr(error, "partial", b"") or head
            if not first and not partial and not isinstance(error, TimeoutError):
                return False  # it was idle, and the server let go of it
            self._note(began, 0, f"asking: {error!r}")
            return False
        status = int(head.split(b" ")[1])
        why = ""
        if status == 200 and self.password.encode() not in body:
            status, why = 0, "somebody else's file"
        retry = any(line.startswith(b"retry-after:") for line in lines)
        self._note(began, status, why or body[:80].decode("utf-8", "replace"), retry)
        return b"connection: close" not in lines

    def _note(self, began: float, status: int, why: str, retry: bool = False) -> None:
        now = time.monotonic()
        self.asked.append(Asked(now, now - began, status, why, retry))
        self._news.set()


async def ended(process: asyncio.subprocess.Process) -> int:
    """Wait for the end of a process that was told to."""
    async with asyncio.timeout(GUARD_S):
        return await process.wait()


async def kill_if_left(process: asyncio.subprocess.Process) -> None:
    """So that a failed test leaves nothing behind."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
