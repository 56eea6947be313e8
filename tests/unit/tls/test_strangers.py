"""First bytes that are no TLS: named as soon as they can be, and never too early."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.tls.strangers import (
    _PREFIXES,
    MAX_BYTES,
    explain_no_http,
    may_become_known,
    name_server,
    name_stranger,
)

KNOWN = {
    b"OPTIONS sips:a SIP/2.0\r\n": "plain SIP",
    b"OPTIONS * SIP/2.0\r\n": "plain SIP",
    b"OPTIONS rtsp://a RTSP/1.0\r\n": "plain RTSP",
    b"OPTIONS /si HTTP/1.1\r\n": "plain HTTP",
    b"MESSAGE sip:a SIP/2.0\r\n": "plain SIP",
    b"CONNECT a:443 HTTP/1.1\r\n": "plain HTTP",
    b"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x63\x0b": "plain LDAP",
}


@pytest.mark.parametrize("data", list(KNOWN), ids=lambda d: d[:16].hex())
def test_each_beginning_waits_until_it_is_known(data):
    for end in range(1, len(data)):
        part = data[:end]
        if name_stranger(part) is None:
            assert may_become_known(part), part
    assert name_stranger(data).name == KNOWN[data]


@pytest.mark.parametrize("prefix", [p for p, _ in _PREFIXES], ids=lambda d: d.hex())
def test_every_row_is_reached_and_has_a_cure(prefix):
    found = name_stranger(prefix)
    assert found is not None
    assert found.cure
    assert not found.cure.startswith(" ")
    assert all(may_become_known(prefix[:n]) or name_stranger(prefix[:n]) for n in range(1, len(prefix)))  # fmt: skip


def test_a_method_of_three_protocols_is_not_guessed_before_its_line_ends():
    assert name_stranger(b"OPTIONS ") is None
    assert name_stranger(b"OPTIONS /a") is None
    assert name_stranger(b"OPTIONS /a", final=True).name == "plain HTTP"
    assert name_stranger(b"OPTIONS " + b"x" * MAX_BYTES).is_http


@given(st.binary(max_size=80))
def test_any_bytes_are_named_or_not(data):
    found = name_stranger(data, final=True)
    assert found is None or found.name
    assert not may_become_known(data + bytes(MAX_BYTES))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"SSH-2.0-OpenSSH_9.2", "SSH"),
        (b"* OK IMAP4 ready", "IMAP"),
        (bytes.fromhex("4a0000000a352e372e34"), "MySQL"),
        (bytes.fromhex("300c02010078070a0102"), "plain LDAP"),
        (b"Asterisk Call Manager/5", "Asterisk's manager interface"),
        (b"\xff\xfd\x18", "Telnet"),
        (bytes.fromhex("160303004a0200"), None),
        (bytes.fromhex("15030300020228"), None),
        (b"", None),
    ],
)
def test_what_a_server_answers_in_is_named(data, name):
    assert name_server(data) == name


@pytest.mark.parametrize(
    ("first", "reason", "cure"),
    [
        (bytes.fromhex("160301020001"), "sent TLS to the plain HTTP port", "proxy_pass http://"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2", "sent a PROXY protocol header to", "send-proxy"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21", "a PROXY protocol header (version 2)", "send-proxy"),
        (b"OPTIONS sip:a SIP/2.0\r\n", "sent plain SIP to", "transport to TLS"),
        (b"GET / HTTP/9.9\r\n", "not an HTTP/1.1 request", ""),
        (b"\0\1\2", "not an HTTP/1.1 request", ""),
    ],
)  # fmt: skip
def test_what_a_plain_port_gets_instead_of_http_is_named(first, reason, cure):
    said, remedy = explain_no_http(first)
    assert reason in said
    assert cure in remedy
