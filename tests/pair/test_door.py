"""The door and a client engine, joined in memory: TLS, HTTP and the ASGI extension."""

import asyncio
import gc
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linekey.catalog.models import Generation
from linekey.certs.pem import parse_certificates
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.settings import LimitSettings
from linekey.tls.alerts import Alert
from linekey.tls.context import Identity, client_context
from linekey.tls.engine import ClientEngine, ServerContexts
from linekey.tls.events import (
    Accept,
    DataReceived,
    HandshakeCompleted,
    PeerChain,
    Refuse,
)
from linekey.tls.versions import Version
from linekey.wire.asgi_tls import connection_tls
from linekey.wire.door.connection import DoorConnection
from linekey.wire.door.listener import Door
from linekey.wire.door.refusal import Refusal, cure_of
from linekey.wire.door.states import State

MAC = Mac("000413AABBCC")


class Wire(asyncio.Transport):
    """A transport without a socket: keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711)})
        self.sent = b""
        self.ended = self.closed = self.paused = False

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> LabAuthority:
    folder: Path = tmp_path_factory.mktemp("lab")
    return LabAuthority.open(folder)


class Joined:
    """A door, one connection of it, and a phone's engine at the other end."""

    def __init__(
        self,
        lab: LabAuthority,
        app: Any,
        verify: Callable[[PeerChain], Accept | Refuse],
    ) -> None:
        chain, key = lab.server_identity()
        contexts = ServerContexts(
            Identity(chain, key), verify=verify, roots=lab.vendor_roots()
        )
        self.refusals: list[Refusal] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.door = Door(
            app,
            contexts,
            self.listener,
            limits=LimitSettings(hello_bytes=4096),
            on_refused=self._refused,
        )
        self.wire = Wire()
        self.events: list[Any] = []

    async def _refused(self, refusals: list[Refusal], dropped: int) -> None:
        self.refusals += refusals

    async def __aenter__(self) -> "Joined":
        await self.door.__aenter__()
        self.connection = DoorConnection(self.door)
        self.connection.connection_made(self.wire)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.connection.connection_lost(None)
        await self.door.close()
        self.listener.close()

    async def pump(self, engine: ClientEngine, *, size: int = 65536) -> None:
        """Carry bytes both ways until neither end has more to say."""
        for _ in range(60):
            output = engine.take_output()
            for at in range(0, len(output), size):
                self.connection.data_received(output[at : at + size])
            await asyncio.sleep(0)
            sent, self.wire.sent = self.wire.sent, b""
            if sent:
                self.events += engine.receive(sent)

    def answer(self) -> bytes:
        return b"".join(e.data for e in self.events if isinstance(e, DataReceived))


def phone(lab: LabAuthority, version: Version = Version.TLS1_3) -> ClientEngine:
    chain, key = lab.device_identity(MAC, Generation.SHA256)
    context = client_context(
        verify=lambda _: Accept(),
        min_version=version,
        max_version=version,
        identity=Identity(chain, key),
    )
    return ClientEngine(context, server_name="prov.example.com")


@pytest.mark.parametrize("version", [Version.TLS1_2, Version.TLS1_3])
@pytest.mark.parametrize("size", [1, 65536])
async def test_an_application_finds_the_tls_extension(
    lab: LabAuthority, version: Version, size: int
) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    async with Joined(lab, app, lambda _: Accept("let in")) as joined:
        engine = phone(lab, version)
        await joined.pump(engine, size=size)
        assert any(isinstance(e, HandshakeCompleted) for e in joined.events)
        engine.send(b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n")
        await joined.pump(engine, size=size)
        assert joined.answer().endswith(b"\r\n\r\nhello")
    (scope,) = scopes
    assert scope["scheme"] == "https"
    assert scope["client"] == ("192.0.2.7", 4711)
    tls = scope["extensions"]["tls"]
    chain, _ = lab.device_identity(MAC, Generation.SHA256)
    assert [
        parse_certificates(p.encode())[0] for p in tls["client_cert_chain"]
    ] == list(chain)
    assert set(tls) == {
        "server_cert", "client_cert_chain", "client_cert_name", "client_cert_error",
        "tls_version", "cipher_suite",
    }  # fmt: skip
    assert str(MAC) in tls["client_cert_name"]
    assert tls["client_cert_error"] is None
    assert parse_certificates(tls["server_cert"].encode()) == [
        lab.server_identity()[0][0]
    ]
    assert tls["tls_version"] == int(version)
    assert isinstance(tls["cipher_suite"], int)
    own = connection_tls(scope)
    foreign = connection_tls({"extensions": {"tls": dict(tls.items())}})
    assert own is not None
    assert foreign is not None
    assert own.verdict == "let in"
    assert foreign.chain == own.chain
    assert (foreign.version, foreign.suite) == (own.version, own.suite)


async def test_more_come_while_somebody_may_ask_at_any_moment(
    lab: LabAuthority,
) -> None:
    seen: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(joined.door.more_come())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    joined = Joined(lab, app, lambda _: Accept())
    async with joined:
        assert joined.door.more_come(), "it has connected"
        engine = phone(lab)
        await joined.pump(engine)
        assert joined.door.more_come(), "its handshake is over"
        engine.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await joined.pump(engine)
        assert seen == [False], "it was being answered, and nobody else was there"
        assert not joined.door.more_come(), "it is idle"


async def test_a_connection_leaves_nothing_to_the_garbage_collector(
    lab: LabAuthority,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    gc.collect()
    gc.disable()
    try:
        async with Joined(lab, app, lambda _: Accept()) as joined:
            engine = phone(lab)
            await joined.pump(engine)
            engine.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await joined.pump(engine)
            assert b" 204 " in joined.answer()
        del joined.connection
        left = [type(o) for o in gc.get_objects() if isinstance(o, DoorConnection)]
        assert left == []
    finally:
        gc.enable()


async def test_a_refusal_inside_the_handshake_is_one_record_with_its_alert(
    lab: LabAuthority,
) -> None:
    def refuse(_: PeerChain) -> Refuse:
        return Refuse(Alert.CERTIFICATE_EXPIRED, "it is too old")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nobody was let in")

    async with Joined(lab, app, refuse) as joined:
        engine = phone(lab, Version.TLS1_2)
        await joined.pump(engine)
        assert joined.wire.ended
        assert joined.connection.state is State.LINGER
        joined.connection.data_received(b"more" * 100)
        (refusal,) = joined.refusals
    assert refusal.reason == "it is too old"
    assert refusal.alert_sent is Alert.CERTIFICATE_EXPIRED
    assert refusal.certificate is not None
    assert refusal.server_name == "prov.example.com"
    assert refusal.cure == cure_of("handshake.failed")
    assert joined.events[-1].alert_received is Alert.CERTIFICATE_EXPIRED


async def test_what_falls_over_while_judging_lets_nobody_in(
    lab: LabAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(_: PeerChain) -> Accept:
        raise ZeroDivisionError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nobody was let in")

    async with Joined(lab, app, crash) as joined:
        await joined.pump(phone(lab, Version.TLS1_2))
        assert joined.connection.state is State.LINGER
    assert [r.alert_sent for r in joined.refusals] == [Alert.INTERNAL_ERROR]
    assert "ZeroDivisionError" in caplog.text


async def test_a_peer_that_stops_reading_stops_the_application(
    lab: LabAuthority,
) -> None:
    went_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send(
                {"type": "http.response.body", "body": b"x" * 1000, "more_body": True}
            )
        went_on.set()
        await send({"type": "http.response.body", "body": b""})

    async with Joined(lab, app, lambda _: Accept()) as joined:
        engine = phone(lab)
        await joined.pump(engine)
        joined.connection.pause_writing()
        engine.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await joined.pump(engine)
        assert not went_on.is_set()
        joined.connection.resume_writing()
        await joined.pump(engine)
        assert went_on.is_set()
        assert joined.answer().count(b"x" * 1000) == 3


@pytest.mark.parametrize(
    ("head", "seen"),
    [
        (b"GET /a?b#c HTTP/1.1\r\nHost: x\r\n", (b"/a", "/a", b"b#c")),
        (b"GET http://y/a%20?b HTTP/1.1\r\nHost: x\r\n", (b"/a%20", "/a ", b"b")),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n", (b"*", "*", b"")),
        (b"GET /a HTTP/1.0\r\n", (b"/a", "/a", b"")),
        (b"GET /a HTTP/1.1\r\n", None),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n", None),
        (b"GET /a HTTP/1.1\r\nHost: x/\r\n", None),
    ],
)
async def test_every_application_gets_the_target_as_it_came_and_one_host(
    lab: LabAuthority, head: bytes, seen: tuple[bytes, str, bytes] | None
) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with Joined(lab, app, lambda _: Accept()) as joined:
        engine = phone(lab)
        await joined.pump(engine)
        engine.send(head + b"\r\n")
        await joined.pump(engine)
        status = joined.answer().split(b" ")[1]
    got = [(s["raw_path"], s["path"], s["query_string"]) for s in scopes]
    assert got == ([] if seen is None else [seen])
    assert status == (b"400" if seen is None else b"200")
    assert [(r.code, r.status) for r in joined.refusals] == (
        [("request.host", 400)] if seen is None else []
    )
