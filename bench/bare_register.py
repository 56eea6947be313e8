"""The least that a Python program must do to register: what a whole phone costs more.

The standard library's ``ssl`` and asyncio streams, canned messages, no parser, no judge
but OpenSSL's, no state, no log; a context for each certificate, made before the clock
starts. The floor beside which ``bench.registrations`` measures.
"""

import asyncio
import hashlib
import re
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from bench.process import cpu_seconds


@dataclass(frozen=True, slots=True)
class Account:
    """A user with its certificate, chain and key in one PEM file."""

    user: str
    identity: Path
    domain: str
    password: str


def _context(account: Account, ca: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(account.identity)
    return context


def _md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()


def _register(account: Account, port: int, cseq: int, proof: str = "") -> bytes:
    own = f"<sip:{account.user}@{account.domain}>"
    branch = f"z9hG4bK{cseq}{account.user}"
    return (
        f"REGISTER sip:{account.domain} SIP/2.0\r\n"
        f"Via: SIP/2.0/TLS 127.0.0.1:{port};branch={branch};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: {own};tag=1\r\nTo: {own}\r\n"
        f"Call-ID: bare-{account.user}\r\nCSeq: {cseq} REGISTER\r\n"
        f"Contact: <sip:{account.user}@127.0.0.1:{port};transport=tls>\r\n"
        f"Expires: 3600\r\n{proof}Content-Length: 0\r\n\r\n"
    ).encode()


async def _one(
    account: Account,
    context: ssl.SSLContext,
    port: int,
    held: list[asyncio.StreamWriter],
) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=account.domain
    )
    held.append(writer)
    local = int(writer.get_extra_info("sockname")[1])
    writer.write(_register(account, local, 1))
    challenge = (await reader.readuntil(b"\r\n\r\n")).decode()
    found = {
        name: m[1]
        for name in ("realm", "nonce")
        if (m := re.search(rf'{name}="([^"]*)"', challenge))
    }
    uri, nc, cnonce = f"sip:{account.domain}", "00000001", account.user.zfill(8)
    response = _md5(
        _md5(account.user, found["realm"], account.password),
        found["nonce"], nc, cnonce, "auth", _md5("REGISTER", uri),
    )  # fmt: skip
    proof = (
        f'Authorization: Digest username="{account.user}", realm="{found["realm"]}", '
        f'nonce="{found["nonce"]}", uri="{uri}", response="{response}", '
        f'algorithm=MD5, qop=auth, nc={nc}, cnonce="{cnonce}"\r\n'
    )
    writer.write(_register(account, local, 2, proof))
    answer = await reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"SIP/2.0 200"):
        raise RuntimeError(f"not registered: {answer[:60]!r}")


async def register(
    accounts: list[Account], ca: Path, port: int, at_once: int, server: int
) -> tuple[float, float, float]:
    """Register all; wall, own and the server's CPU seconds."""
    gate = asyncio.Semaphore(at_once)
    held: list[asyncio.StreamWriter] = []

    async def one(account: Account, context: ssl.SSLContext) -> None:
        async with gate:
            await _one(account, context, port, held)

    contexts = [_context(account, ca) for account in accounts]
    begin, own, theirs = time.perf_counter(), time.process_time(), cpu_seconds(server)
    async with asyncio.TaskGroup() as group:
        for account, context in zip(accounts, contexts, strict=True):
            group.create_task(one(account, context))
    took = (
        time.perf_counter() - begin,
        time.process_time() - own,
        cpu_seconds(server) - theirs,
    )
    for writer in held:
        writer.transport.abort()
    return took
