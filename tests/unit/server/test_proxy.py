"""The middleware alone: what it takes from a proxy, and what it refuses."""

import asyncio
import logging
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import authority, intermediate

from linekey.certs.certificate import Certificate
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.errors import InputError, StorageError
from linekey.server.proxy import (
    MAX_HEADER_BYTES,
    BehindProxy,
    is_in,
    parse_networks,
)
from linekey.tls.versions import Version
from linekey.wire.asgi_edge import Edge
from linekey.wire.asgi_tls import connection_tls
from linekey.wire.door.refusal import Refusal, cure_of

ROOT = authority("TEST vendor root")
ISSUER = intermediate(ROOT, "TEST vendor phones")
LEAF, ABOVE = ISSUER.certificate, ROOT.certificate
"""Any two certificates do here: nothing is proved by the middleware."""
PROXY = ("127.0.0.1", 40000)


def rfc9440(certificate: Certificate) -> str:
    return f":{b64encode(certificate.der).decode()}:"


HOST = (b"host", b"phones.example.com")
GOOD = {
    "Client-Cert": rfc9440(LEAF),
    "Client-Cert-Chain": rfc9440(ABOVE),
    "X-Linekey-Client-Verify": "SUCCESS",
    "X-Linekey-Tls-Version": "TLSv1.2",
    "X-Linekey-Tls-Suite": "ECDHE-RSA-AES128-GCM-SHA256",
    "X-Forwarded-For": "192.0.2.7",
}


class World:
    """The middleware before an app that only remembers its scope."""

    def __init__(self, trusted: tuple[str, ...] = ("127.0.0.1",), **options: Any) -> None:  # fmt: skip
        self.scopes: list[Any] = []
        self.refusals: list[Refusal] = []
        self.order: list[str] = []
        self.broken = False
        self.hosts: tuple[tuple[bytes, bytes], ...] = (HOST,)
        self.raw_path = b"/x"
        self.proxy = BehindProxy(
            self.app,
            trusted,
            on_refused=self.record,
            clock=lambda: datetime(2026, 6, 1, tzinfo=UTC),
            **options,
        )

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"app"})

    async def record(self, refusal: Refusal) -> None:
        if self.broken:
            raise StorageError("the disk is full")
        self.order.append("record")
        self.refusals.append(refusal)

    async def ask(
        self, headers: Any, client: Any = PROXY, kind: str = "http"
    ) -> tuple[int, str]:
        pairs = headers.items() if isinstance(headers, dict) else headers
        scope = {
            "type": kind, "http_version": "1.1", "method": "GET", "path": "/x",
            "raw_path": self.raw_path, "query_string": b"",
            "scheme": "http", "client": client, "server": ("127.0.0.1", 8443),
            "headers": [
                *self.hosts,
                *((n.lower().encode(), v.encode("latin-1")) for n, v in pairs),
            ],
        }  # fmt: skip
        sent: list[Any] = []

        async def send(message: Any) -> None:
            self.order.append("answer")
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        edge = Edge(self.proxy, logging.getLogger("test"))
        await edge(scope, receive, send)
        if not sent:
            return 0, ""
        return sent[0]["status"], sent[1]["body"].decode()


async def test_what_a_proxy_says_becomes_the_tls_extension() -> None:
    world = World()
    status, _ = await world.ask({**GOOD, "User-Agent": "snomD785"})
    assert status == 200
    (scope,) = world.scopes
    assert scope["client"] == ("192.0.2.7", 0)
    assert scope["scheme"] == "https"
    assert scope["headers"] == [HOST, (b"user-agent", b"snomD785")]
    tls = connection_tls(scope)
    assert tls is not None
    assert tls.chain == (LEAF, ABOVE)
    assert tls.version is Version.TLS1_2
    assert tls.suite == 0xC02F
    assert tls.suite_name == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert tls.policy is None
    assert tls.verdict is None
    assert tls.error is None


async def test_a_foreign_application_reads_the_same_from_the_asgi_keys() -> None:
    world = World()
    await world.ask(GOOD)
    extensions = dict(world.scopes[0]["extensions"])
    del extensions["linekey"]
    assert set(extensions["tls"]) == {
        "server_cert", "client_cert_chain", "client_cert_name", "client_cert_error",
        "tls_version", "cipher_suite",
    }  # fmt: skip
    tls = connection_tls({"extensions": extensions})
    assert tls is not None
    assert tls.chain == (LEAF, ABOVE)
    assert tls.version is Version.TLS1_2


async def test_every_form_of_the_certificate_is_read() -> None:
    both = f":{b64encode(LEAF.der + ABOVE.der).decode()}:"
    for cert, chain, expected in (
        (quote(to_pem(LEAF), safe=""), None, (LEAF,)),  # nginx
        (quote(to_pem(LEAF), safe="/+="), None, (LEAF,)),
        (rfc9440(LEAF), f"{rfc9440(ABOVE)}, {rfc9440(LEAF)}", (LEAF, ABOVE)),
        (rfc9440(LEAF), both, (LEAF, ABOVE)),  # HAProxy's chain in one item
        (rfc9440(LEAF), "", (LEAF,)),
    ):
        world = World()
        headers = {**GOOD, "Client-Cert": cert, "Client-Cert-Chain": chain or ""}
        status, text = await world.ask(headers)
        assert status == 200, text
        tls = connection_tls(world.scopes[0])
        assert tls is not None
        assert tls.chain == expected


CONNECTION = {"X-Linekey-Tls-Version": "TLSv1.2", "X-Forwarded-For": "192.0.2.7"}


async def test_a_phone_without_a_certificate_is_one_without() -> None:
    for verify in ({}, {"X-Linekey-Client-Verify": "NONE"}):
        world = World()
        status, _ = await world.ask({**CONNECTION, **verify})
        assert status == 200
        tls = connection_tls(world.scopes[0])
        assert tls is not None
        assert tls.chain == ()
        assert tls.error is None


async def test_a_certificate_that_the_proxy_did_not_verify_is_not_handed_on() -> None:
    world = World()
    status, _ = await world.ask(
        {**GOOD, "X-Linekey-Client-Verify": "FAILED:certificate has expired"}
    )
    assert status == 200
    tls = connection_tls(world.scopes[0])
    assert tls is not None
    assert tls.chain == ()
    assert tls.error == "FAILED:certificate has expired"
    assert world.scopes[0]["extensions"]["tls"]["client_cert_chain"] == []


BAD = {
    "no verification result": {**GOOD, "X-Linekey-Client-Verify": None},
    "SUCCESS without a certificate": {**CONNECTION, "X-Linekey-Client-Verify": "SUCCESS"},
    "a chain without a leaf": {**CONNECTION, "Client-Cert-Chain": rfc9440(ABOVE)},
    "no base64": {**GOOD, "Client-Cert": ":****:"},
    "bad padding": {**GOOD, "Client-Cert": ":AAA:"},
    "no colons": {**GOOD, "Client-Cert": b64encode(LEAF.der).decode()},
    "no DER": {**GOOD, "Client-Cert": ":AAAA:"},
    "empty item": {**GOOD, "Client-Cert": "::"},
    "two leaves": {**GOOD, "Client-Cert": f"{rfc9440(LEAF)}, {rfc9440(ABOVE)}"},
    "cut short": {**GOOD, "Client-Cert": f":{b64encode(LEAF.der[:-9]).decode()}:"},
    "cut in its head": {**GOOD, "Client-Cert": f":{b64encode(LEAF.der[:3]).decode()}:"},
    "junk behind it": {**GOOD, "Client-Cert": f":{b64encode(LEAF.der + b'xx').decode()}:"},
    "PEM of nothing": {**GOOD, "Client-Cert": "-----BEGIN%20CERTIFICATE-----"},
    "a parameter": {**GOOD, "Client-Cert": rfc9440(LEAF) + ";a=1"},
    "eleven above": {**GOOD, "Client-Cert-Chain": ",".join([rfc9440(ABOVE)] * 11)},
    "too long": {**GOOD, "Client-Cert": ":" + "A" * MAX_HEADER_BYTES + ":"},
    "no version": {**GOOD, "X-Linekey-Tls-Version": "TLSv9"},
    "no suite's name": {**GOOD, "X-Linekey-Tls-Suite": "a b"},
    "two addresses": {**GOOD, "X-Forwarded-For": "192.0.2.7, 192.0.2.8"},
    "no address": {**GOOD, "X-Forwarded-For": "unknown"},
}  # fmt: skip


@pytest.mark.parametrize("headers", BAD.values(), ids=BAD)
async def test_a_header_that_does_not_parse_is_refused_and_on_record(
    headers: dict[str, str | None],
) -> None:
    world = World()
    given = {n: v for n, v in headers.items() if v is not None}
    status, text = await world.ask(given)
    assert status == 400
    assert "reason: proxy.header" in text
    assert world.scopes == []
    (refusal,) = world.refusals
    assert (refusal.code, refusal.status, refusal.kind) == ("proxy.header", 400, "request")  # fmt: skip
    assert refusal.cure == cure_of("proxy.header")


@pytest.mark.parametrize("missing", list(CONNECTION))
@pytest.mark.parametrize("said", [None, ""])
@pytest.mark.parametrize("others", [GOOD, CONNECTION])
async def test_a_request_without_version_or_address_is_refused_and_on_record(
    missing: str, said: str | None, others: dict[str, str]
) -> None:
    world = World()
    headers = {n: v for n, v in others.items() if n != missing}
    if said is not None:
        headers[missing] = said
    status, text = await world.ask(headers)
    assert status == 400
    assert "reason: proxy.incomplete" in text
    assert missing.lower() in text
    assert world.scopes == []
    (refusal,) = world.refusals
    assert refusal.code == "proxy.incomplete"
    assert "Connection" in refusal.cure


@pytest.mark.parametrize("name", list(GOOD))
async def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    world = World()
    status, text = await world.ask([*GOOD.items(), (name, GOOD[name])])
    assert status == 400
    assert "came twice" in text
    assert world.scopes == []


async def test_a_private_key_in_the_header_is_refused_and_not_repeated() -> None:
    world = World()
    pem = to_pem(LEAF) + private_key_to_pem(ISSUER.key).decode()
    status, text = await world.ask({**GOOD, "Client-Cert": quote(pem, safe="")})
    assert status == 400
    assert "PRIVATE" not in text.upper().replace("PRIVATE KEY\nREASON", "")
    assert world.scopes == []


async def test_an_address_that_is_not_listed_gets_nothing_and_the_record_comes_first() -> None:  # fmt: skip
    world = World()
    status, text = await world.ask(GOOD, client=("192.0.2.9", 1))
    assert status == 403
    assert "proxy.forged" in text
    assert world.scopes == []
    (refusal,) = world.refusals
    assert refusal.peer == ("192.0.2.9", 1)
    assert "client-cert, client-cert-chain, x-linekey-client-verify" in refusal.reason
    assert world.order[0] == "record"
    status, text = await world.ask({}, client=("192.0.2.9", 1))
    assert status == 403
    assert "proxy.not_listed" in text


async def test_without_a_record_there_is_no_answer_but_503() -> None:
    world = World()
    world.broken = True
    status, text = await world.ask(GOOD, client=("192.0.2.9", 1))
    assert status == 503
    assert "proxy.not_listed" not in text


async def test_a_unix_socket_is_listed_only_if_said() -> None:
    world = World()
    assert (await world.ask(GOOD, client=None))[0] == 403
    assert world.refusals[0].peer == ("unix", 0)
    world = World((), unix_socket=True)
    assert (await world.ask(GOOD, client=None))[0] == 200
    assert (await world.ask(GOOD, client=PROXY))[0] == 403


async def test_websockets_lead_nowhere() -> None:
    world = World()
    assert await world.ask(GOOD, kind="websocket") == (0, "")
    assert world.scopes == []


def test_nobody_listed_is_an_error_and_so_is_what_is_no_network() -> None:
    with pytest.raises(InputError, match="no proxy is listed"):
        World(())
    with pytest.raises(InputError, match=r"'proxy\.example'"):
        World(("proxy.example",))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("11.0.0.1", False), ("fe80::1%eth0", False),
        ("", False), ("testclient", False), ("192.0.2.10", True), ("192.0.2.11", False), ("2001:db8::5", True),
    ],
)  # fmt: skip
def test_a_listed_address_is_recognized(host: str, expected: bool) -> None:
    networks = parse_networks(("10.0.0.0/8", "192.0.2.10", " 2001:db8::/32"))
    assert is_in(host, networks) is expected


@pytest.mark.parametrize(
    ("listed", "inside", "outside"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.2"), ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.1"),
        ("::ffff:192.0.2.0/120", "::ffff:192.0.2.7", "192.0.3.7"), ("::/0", "2001:db8::1", "192.0.2.1"),
    ],
)  # fmt: skip
def test_a_network_written_as_ipv4_in_ipv6_is_the_ipv4_one(
    listed: str, inside: str, outside: str
) -> None:
    networks = parse_networks((listed,))
    assert is_in(inside, networks)
    assert not is_in(outside, networks)


async def test_a_known_certificate_is_parsed_once_and_another_is_another() -> None:
    world = World()
    await world.ask(GOOD)
    await world.ask(GOOD)
    await world.ask({**GOOD, "Client-Cert": rfc9440(ABOVE)})
    first, second, third = (connection_tls(s) for s in world.scopes)
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.chain[0] is second.chain[0]
    assert third.chain == (ABOVE,)


@given(st.binary(max_size=200), st.sampled_from(list(GOOD)))
def test_whatever_a_header_holds_is_taken_or_refused(data: bytes, name: str) -> None:
    async def ask() -> None:
        world = World()
        status, _ = await world.ask({**GOOD, name: data.decode("latin-1")})
        assert status in (200, 400)
        assert (status == 200) == bool(world.scopes)

    asyncio.run(ask())


async def test_a_host_that_is_none_is_refused_and_on_record() -> None:
    for hosts in ((), (HOST, HOST), ((b"host", b"x/y"),)):
        world = World()
        world.hosts = hosts
        status, text = await world.ask(GOOD)
        assert (status, world.scopes) == (400, [])
        assert "reason: request.host" in text
        assert world.order[0] == "record"
        assert world.refusals[0].cure


async def test_a_target_in_absolute_form_goes_on_as_its_path() -> None:
    world = World()
    world.raw_path = b"https://192.0.2.9:8443/snom.htm"
    assert (await world.ask(GOOD))[0] == 200
    (scope,) = world.scopes
    assert (scope["raw_path"], scope["path"]) == (b"/snom.htm", "/snom.htm")
