"""The door's answer to each beginning that is no good hello: the alert, and its record.

``tests/live/test_serve_alerts.py`` asks OpenSSL's own server the same.
"""

import asyncio
from typing import Any

import pytest
from tests.pair.broken_hellos import ROWS, Row, hello
from tests.pair.test_door import Joined, lab  # noqa: F401 -- a fixture

from linekey.lab.authority import LabAuthority
from linekey.tls.alerts import Alert
from linekey.tls.events import Accept
from linekey.wire.door.states import State


async def _app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody was let in")


def joined(own: LabAuthority) -> Joined:
    return Joined(own, _app, lambda _: Accept())


def wire_form(row: Row) -> bytes:
    if row.alert is None:
        return b""
    return bytes([21]) + row.header.to_bytes(2, "big") + bytes([0, 2, 2, row.alert])


@pytest.mark.parametrize("name", list(ROWS))
@pytest.mark.parametrize("size", [1, 65_536], ids=["byte by byte", "at once"])
async def test_what_is_no_good_hello_is_answered_with_its_own_alert(
    lab: LabAuthority,  # noqa: F811
    name: str,
    size: int,
) -> None:
    row = ROWS[name]
    async with joined(lab) as door:
        for at in range(0, len(row.data), size):
            door.connection.data_received(row.data[at : at + size])
        await asyncio.sleep(0)
        assert door.wire.sent == wire_form(row)
        assert door.wire.ended
        assert door.connection.state is State.LINGER
    (refusal,) = door.refusals
    assert refusal.alert_sent is row.alert
    assert refusal.reason
    assert refusal.cure


STRANGERS = {
    b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n": ("a PROXY protocol header", "proxy.protocol_from"),
    b"PROXY UNKNOWN\r\n": ("a PROXY protocol header", "proxy.protocol_from"),
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c": ("a PROXY protocol header (version 2)", "proxy.protocol_from"),
    b"REGISTER sip:pbx SIP/2.0\r\n": ("plain SIP", "transport to TLS"),
    b"OPTIONS sip:pbx SIP/2.0\r\n": ("plain SIP", "transport to TLS"),
    b"INVITE sip:1@pbx SIP/2.0\r\n": ("plain SIP", "transport to TLS"),
    b"PUBLISH sip:1@pbx SIP/2.0\r\n": ("plain SIP", "transport to TLS"),
    b"SIP/2.0 200 OK\r\n": ("plain SIP", "transport to TLS"),
    b"OPTIONS * HTTP/1.1\r\n": ("plain HTTP", "https://"),
    b"GET /a.htm HTTP/1.0\r\n": ("plain HTTP", "https://"),
    b"PATCH / HTTP/1.1\r\n": ("plain HTTP", "https://"),
    b"PRI * HTTP/2.0\r\n": ("plain HTTP", "https://"),
    b"HTTP/1.1 200 OK\r\n": ("an HTTP answer", "answers"),
    b"OPTIONS / RTSP/1.0\r\n": ("plain RTSP", "camera"),
    b"DESCRIBE rtsp://a RTSP/1.0\r\n": ("plain RTSP", "camera"),
    b"SSH-2.0-OpenSSH_9.2\r\n": ("SSH", "22"),
    b"EHLO mail.example\r\n": ("plain SMTP", "mail"),
    b"USER anonymous\r\n": ("plain FTP or POP3", "connects from there"),
    bytes.fromhex("300c020101600702010304008000"): ("plain LDAP", "LDAPS"),
    bytes.fromhex("301d02010177188016312e332e362e312e342e312e313436362e3230303337"): ("plain LDAP", "LDAPS"),
    bytes.fromhex("0300002b26e00000000000436f6f6b69653a20"): ("plain RDP", "connects from there"),
    bytes.fromhex("0300004c08020001"): ("plain H.323", "SIP over TLS"),
    bytes.fromhex("00000054ff534d4272000000"): ("plain SMB", "connects from there"),
    bytes.fromhex("0000000804d2162f"): ("plain PostgreSQL", "connects from there"),
    bytes.fromhex("000100002112a442") + bytes(12): ("plain STUN", "STUN"),
    bytes.fromhex("100c00044d5154540402003c0000"): ("plain MQTT", "connects from there"),
    bytes.fromhex("3c0000000000000001000000") + b"SEP0004": ("plain Skinny", "SIP firmware"),
    bytes.fromhex("050100"): ("plain SOCKS 5", "connects from there"),
    bytes.fromhex("302902010004067075626c6963a01c"): ("plain SNMP", "connects from there"),
    bytes.fromhex("16feff0000000000000000"): ("a DTLS ClientHello", "TLS over TCP"),
    b"RFB 003.008\n": ("plain VNC", "connects from there"),
    b"<stream:stream to='x'": ("plain XMPP", "connects from there"),
    bytes(64): ("no TLS: the connection begins with 00 00 00 00", "port scan"),
    b"hello world": ("no TLS: the connection begins with 68 65", "port scan"),
}  # fmt: skip


@pytest.mark.parametrize("data", list(STRANGERS), ids=lambda d: d[:12].hex())
@pytest.mark.parametrize("size", [1, 65_536], ids=["byte by byte", "at once"])
async def test_what_is_no_tls_at_all_is_named_with_its_cure(
    lab: LabAuthority,  # noqa: F811
    data: bytes,
    size: int,
) -> None:
    words, cure = STRANGERS[data]
    async with joined(lab) as door:
        for at in range(0, len(data), size):
            door.connection.data_received(data[at : at + size])
        await asyncio.sleep(0)
        assert door.connection.state is State.LINGER
        http = words == "plain HTTP"
        assert (
            door.wire.sent.startswith(b"HTTP/1.1 400 ") if http else not door.wire.sent
        )
    (refusal,) = door.refusals
    other = "hello.proxy_unasked" if "PROXY" in words else "hello.not_tls"
    assert refusal.code == ("hello.plain_http" if http else other)
    assert refusal.reason.startswith(words)
    assert cure in refusal.cure


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"\r\n\r\n", "hello.not_tls", "a keep-alive of plain SIP"),
        (b"OPTIONS /", "hello.plain_http", "plain HTTP"),
        (b"\x16\3\1", "hello.gone", "in the middle of the hello"),
        (b"", "hello.gone", "without a word"),
        (b"\0\0\0", "hello.not_tls", "begins with 00 00 00"),
    ],
)
async def test_a_beginning_that_goes_no_further_is_named_by_what_it_is(
    lab: LabAuthority,  # noqa: F811
    data: bytes,
    code: str,
    words: str,
) -> None:
    async with joined(lab) as door:
        if data:
            door.connection.data_received(data)
        assert door.connection.state is State.HELLO
        door.connection.eof_received()
    (refusal,) = door.refusals
    assert (refusal.code, words in refusal.reason) == (code, True), refusal.reason


async def test_a_hello_in_many_records_is_a_hello(lab: LabAuthority) -> None:  # noqa: F811
    whole = hello()[5:]
    async with joined(lab) as door:
        for at in range(0, len(whole), 4):
            part = whole[at : at + 4]
            door.connection.data_received(
                b"\x16\3\1" + len(part).to_bytes(2, "big") + part
            )
        assert door.wire.sent.startswith(b"\x16\3\3")
        assert door.connection.state is State.HANDSHAKE


async def test_a_hello_that_is_too_large_is_an_illegal_parameter(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with joined(lab) as door:  # its limit is 4096
        door.connection.data_received(b"\x16\3\1\x40\0\1\0\x40\0")
        assert door.wire.sent == b"\x15\3\1\0\2\2" + bytes([Alert.ILLEGAL_PARAMETER])
    assert [r.code for r in door.refusals] == ["hello.too_large"]
