"""A phone at Kamailio that says what it likes: ``openssl s_client``, and SIP typed in.

``registrar`` runs Kamailio from its exported files, as the export says to run it;
``line`` is a connection of one phone; ``register``, ``message`` and ``proof`` make what
it says.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.conftest import peer_path
from tests.live.conftest import LEGACY_OPENSSL, Place
from tests.live.peers import (  # fmt: skip
    NAME,
    Peer,
    free_port,
    open_folder,
    prepare,
    running,
    write_export,
)

from linekey.certs.pem import to_pem
from linekey.export.request import ClientCertificates
from linekey.phone.identity import DeviceIdentity

USER, SECRET = "4711", "sip-geheim"
OTHER = "4712"
LINE = "sip:line@127.0.0.1:5061;transport=tls"
"""A phone's address as it says it in a call; nobody listens there."""

_MESSAGE = re.compile(
    r"(?:SIP/2\.0 \d|[A-Z]+ sips?:\S+ SIP/2\.0\r?\n).*?\r?\n\r?\n", re.DOTALL
)


def ha1(user: str = USER, secret: str = SECRET, realm: str = NAME) -> str:
    return hashlib.md5(f"{user}:{realm}:{secret}".encode()).hexdigest()


@asynccontextmanager
async def registrar(
    place: Place,
    *accounts: tuple[str, str],
    client_certificates: ClientCertificates = "required",
    ha1_of: Any = ha1,
    changes: dict[str, str] | None = None,
    server: DeviceIdentity | None = None,
) -> AsyncIterator[Peer]:
    """Kamailio with accounts (user, MAC), all with the same password.

    ``changes`` are made to the configuration: text that must be there, and its
    successor.
    ``server`` is its certificate, if not the lab's for ``NAME``.
    """
    with open_folder() as folder:
        port = free_port()
        made = write_export(
            place, "kamailio", folder, port=port, client_certificates=client_certificates
        )  # fmt: skip
        if server is not None:
            (folder / "server.crt").write_text("".join(map(to_pem, server.chain)))
            (folder / "server.key").write_bytes(server.key_pem)
        with (folder / "dbtext" / "subscriber").open("a") as table:
            for user, mac in accounts:
                table.write(f"{user}:{NAME}:{ha1_of(user)}:{mac}\n")
        for old, new in (changes or {}).items():
            changed = [f for f in (folder / "kamailio.cfg", folder / "tls.cfg") if old in f.read_text()]  # fmt: skip
            assert changed, old
            for file in changed:
                file.write_text(file.read_text().replace(old, new))
        await prepare(place, made)
        async with running(Peer("kamailio", port, folder, made)) as peer:
            yield peer


def proof(
    challenge: str, method: str, uri: str, user: str = USER, secret: str = SECRET
) -> str:
    """The header that answers ``challenge`` (a 401 or 407), with its line end."""
    nonce = re.search(r'nonce="([^"]+)"', challenge)
    assert nonce is not None, challenge
    a2 = hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
    a1 = ha1(user, secret)
    answer = hashlib.md5(f"{a1}:{nonce[1]}:00000001:abcd:auth:{a2}".encode()).hexdigest()  # fmt: skip
    header = "Authorization" if challenge.startswith("SIP/2.0 401") else "Proxy-Authorization"  # fmt: skip
    return (
        f'{header}: Digest username="{user}", realm="{NAME}", nonce="{nonce[1]}", '
        f'uri="{uri}", qop=auth, nc=00000001, cnonce="abcd", response="{answer}"\r\n'
    )


def register(
    user: str = USER, *, challenge: str = "", secret: str = SECRET, as_user: str = "", cseq: int = 1,
    contact: str = "", to: str = "", to_tag: str = "",
) -> bytes:  # fmt: skip
    authorization = ""
    if challenge:
        authorization = proof(challenge, "REGISTER", f"sip:{NAME}", as_user or user, secret)  # fmt: skip
    contact = contact or f"<sip:{user}@127.0.0.1:5061;transport=tls>"
    to = to or f"sip:{user}@{NAME}"
    tag = f";tag={to_tag}" if to_tag else ""
    return (
        f"REGISTER sip:{NAME} SIP/2.0\r\n"
        f"Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK{cseq}{user};rport\r\n"
        f"From: <sip:{user}@{NAME}>;tag=1\r\nTo: <{to}>{tag}\r\n"
        f"Call-ID: c{user}@127.0.0.1\r\nCSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\n"
        f"Contact: {contact}\r\nExpires: 300\r\n"
        f"{authorization}Content-Length: 0\r\n\r\n"
    ).encode()


@dataclass(frozen=True)
class Dialog:
    """A call as one of its phones sees it."""

    call_id: str
    own: str
    """Its own URI and tag, as From has them: ``<sip:…>;tag=…``."""
    peer: str
    route: str

    @property
    def headers(self) -> str:
        return f"Route: {self.route}\r\n"


def message(
    method: str,
    uri: str,
    *,
    own: str = f"<sip:{USER}@{NAME}>;tag=1",
    peer: str = f"<sip:{OTHER}@{NAME}>",
    call_id: str = "",
    cseq: int = 1,
    branch: str = "",
    headers: str = "",
) -> bytes:
    """A request. ``headers`` are more of them, each with its line end."""
    call_id = call_id or f"{method.lower()}{cseq}@127.0.0.1"
    branch = branch or f"z9hG4bK{method}{cseq}{abs(hash((own, call_id, headers)))}"
    return (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/TLS 127.0.0.1:5061;branch={branch};rport\r\n"
        f"From: {own}\r\nTo: {peer}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
        f"Max-Forwards: 70\r\nContact: <{LINE}>\r\n"
        f"{headers}Content-Length: 0\r\n\r\n"
    ).encode()


def header(text: str, name: str) -> str:
    """The value of a message's first header of this name."""
    found = re.search(rf"(?im)^{name}: *(.*?)\r?$", text)
    assert found is not None, (name, text)
    return found[1]


def reply(request: str, status: str, *, tag: str = "", headers: str = "") -> bytes:
    """The answer of the phone that got ``request``."""
    kept = re.findall(r"(?im)^(?:Via|Record-Route|From|Call-ID|CSeq): .*?\r?$", request)
    to = header(request, "To") + (f";tag={tag}" if tag else "")
    lines = [f"SIP/2.0 {status}", *(k.strip() for k in kept), f"To: {to}"]
    return ("\r\n".join(lines) + f"\r\n{headers}Content-Length: 0\r\n\r\n").encode()


class Line:
    """``openssl s_client`` that stays open: write a request, read an answer."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.text = ""
        self._requests: list[str] = []
        self._answers: list[str] = []

    async def say(self, data: bytes) -> None:
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def ask(self, request: bytes) -> str:
        await self.say(request)
        return await self.read()

    async def read(self) -> str:
        """The next SIP answer but 100, or all there was until the connection ended."""
        return await self._next(self._answers)

    async def request(self) -> str:
        """The next request that was sent here."""
        return await self._next(self._requests)

    async def _next(self, queue: list[str]) -> str:
        async with asyncio.timeout(15):
            while not queue:
                found = _MESSAGE.search(self.text)
                if found:
                    self.text = self.text[found.end() :]
                    told = found.group(0)
                    if not told.startswith("SIP/2.0"):
                        self._requests.append(told)
                    elif not told.startswith("SIP/2.0 100"):
                        self._answers.append(told)
                    continue
                more = await self.process.stdout.read(65536)
                if not more:
                    return self.text
                self.text += more.decode("latin-1")
        return queue.pop(0)

    async def got_nothing(self, probe: bytes) -> bool:
        """Whether no request came here before the answer to ``probe``, sent now.

        One server process serves all connections in turn, so what was relayed here
        before would stand before that answer.
        """
        await self.ask(probe)
        return not self._requests

    async def register(self, user: str = USER, **words: Any) -> str:
        """Register with password; the answer."""
        challenge = await self.ask(register(user, **words))
        assert challenge.startswith("SIP/2.0 401"), challenge
        cseq = words.pop("cseq", 1) + 1
        return await self.ask(register(user, challenge=challenge, cseq=cseq, **words))

    async def ask_with_password(
        self, method: str, uri: str, user: str = USER, **words: Any
    ) -> str:
        """Send a request, answer the challenge; the answer after that."""
        challenge = await self.ask(message(method, uri, **words))
        assert challenge.startswith("SIP/2.0 407"), challenge
        words["headers"] = words.get("headers", "") + proof(challenge, method, uri, user)  # fmt: skip
        words["cseq"] = words.get("cseq", 1) + 1
        return await self.ask(message(method, uri, **words))


@asynccontextmanager
async def line(
    place: Place, peer: Peer, identity: tuple[str, str] | None, *words: str
) -> AsyncIterator[Line]:
    configuration = place.folder / "legacy.cnf"
    configuration.write_text(LEGACY_OPENSSL)
    files = ["-cert", identity[0], "-key", identity[1]] if identity else []
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", "-quiet",
        "-CAfile", str(place.lab.server_root_path), "-verify_return_error", *files, *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env={**os.environ, "OPENSSL_CONF": str(configuration)},
    )  # fmt: skip
    try:
        yield Line(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def call(
    caller: Line, callee: Line, user: str = USER, other: str = OTHER, call_id: str = "call1@a"
) -> tuple[Dialog, Dialog]:  # fmt: skip
    """A call that stands, as the caller and as the callee see it."""
    uri = f"sip:{other}@{NAME}"
    own, peer = f"<sip:{user}@{NAME}>;tag=a1", f"<{uri}>"
    words: dict[str, Any] = dict(own=own, peer=peer, call_id=call_id)
    challenge = await caller.ask(message("INVITE", uri, **words))
    assert challenge.startswith("SIP/2.0 407"), challenge
    await caller.say(message("ACK", uri, **words))
    with_proof = proof(challenge, "INVITE", uri, user)
    await caller.say(message("INVITE", uri, **words, cseq=2, headers=with_proof))
    invite = await callee.request()
    assert invite.startswith("INVITE "), invite
    contact = f"Contact: <{LINE}>\r\n"
    await callee.say(reply(invite, "200 OK", tag="b1", headers=contact))
    answer = await caller.read()
    assert answer.startswith("SIP/2.0 200"), answer
    route = header(answer, "Record-Route")
    there = f"{peer};tag=b1"
    mine = Dialog(call_id, own, there, route)
    await caller.say(message("ACK", LINE, own=own, peer=there, call_id=call_id, cseq=2, headers=mine.headers))  # fmt: skip
    ack = await callee.request()
    assert ack.startswith("ACK "), ack
    return mine, Dialog(call_id, there, own, route)


async def kamcmd(peer: Peer, *words: str) -> str:
    """What Kamailio answers to its operator."""
    program = peer_path("kamcmd")
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program, "-s", f"unixs:{peer.folder}/run/ctl", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return out.decode()


async def tell_phone(peer: Peer, user: str, method: str, headers: str) -> None:
    """Send a request to a phone as the how-to shows it to the operator."""
    found = re.search(r"Received: (\S+)", await kamcmd(peer, "ul.lookup", "location", f"s:{user}"))  # fmt: skip
    assert found is not None
    to = f"sip:{user}@{NAME}"
    told = f"From: <sip:{NAME}>\r\nTo: <{to}>\r\n{headers}Content-Type: text/plain\r\n"
    assert await kamcmd(peer, "tm.t_uac_start", method, to, found[1], ".", told, ".") == ""  # fmt: skip
