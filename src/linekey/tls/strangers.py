"""What a connection to a TLS port speaks instead of TLS, by its first bytes.

An administrator who reads "a PROXY protocol header", with where to switch it off, need
not capture anything. Data with sources: the protocols' own documents, named in the
table. Rule: any bytes give a Stranger, or None; nothing here raises or waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from linekey.said import say

MAX_BYTES: Final = 512
"""After so many bytes nothing becomes clearer."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A protocol that is not TLS: its name for a sentence, and what to do about it."""

    name: str
    cure: str
    is_http: bool = False


_TLS_HERE = say("speak TLS on this port, from the first byte")

HTTP: Final = Stranger(
    say("plain HTTP"),
    say("write https:// instead of http:// in the client's URL"),
    is_http=True,
)
SIP: Final = Stranger(
    say("plain SIP"),
    say(
        "this is no plain SIP port: set the phone's SIP transport to TLS, and its "
        "outbound proxy to the SIP server"
    ),
)
PROXY_V1: Final = Stranger(
    say("a PROXY protocol header"),
    say(
        "list the load balancer in proxy.protocol_from, or turn it off there (HAProxy: "
        "no send-proxy in the server line; nginx stream: proxy_protocol off)"
    ),
)
PROXY_V2: Final = Stranger(
    say("a PROXY protocol header (version 2)"),
    say(
        "list the load balancer in proxy.protocol_from, or turn it off there (HAProxy: "
        "no send-proxy-v2 in the server line; AWS: the target group's proxy protocol "
        "off)"
    ),
)
DTLS: Final = Stranger(
    say("a DTLS ClientHello"), say("use TLS over TCP: DTLS is for UDP")
)


def _other(name: str, cure: str = _TLS_HERE) -> Stranger:
    return Stranger(name, cure)


_SMTP = _other(
    say("plain SMTP"), say("find the mail program that uses this port by mistake")
)
_LDAP = _other(
    say("plain LDAP"),
    say("this is not a directory; directory clients should use LDAPS (ldaps://)"),
)
_RTSP = _other(
    say("plain RTSP"), say("find the camera or player that uses this port by mistake")
)
_SSH = _other("SSH", say("use the SSH port, usually 22"))
_SCAN = say(
    "nothing, if it is a port scan; otherwise find out what connects from there"
)

_PREFIXES: Final[tuple[tuple[bytes, Stranger], ...]] = (
    (b"PROXY ", PROXY_V1),  # HAProxy's proxy-protocol.txt §2.1
    (b"\r\n\r\n\x00\r\nQUIT\n", PROXY_V2),  # §2.2
    (b"PRI * HTTP", HTTP),  # RFC 9113 §3.4
    (
        b"HTTP/",
        _other(say("an HTTP answer"), say("find out who sends answers to a server")),
    ),
    (b"SIP/2.0 ", SIP),
    (b"SSH-", _SSH),  # RFC 4253 §4.2
    (b"EHLO ", _SMTP), (b"HELO ", _SMTP), (b"LHLO ", _SMTP), (b"MAIL FROM:", _SMTP),
    (b"USER ", _other(say("plain FTP or POP3"), _SCAN)),
    (b"STARTTLS", _other(say("a STARTTLS command"), _TLS_HERE)),
    (b"RFB 00", _other(say("plain VNC"), _SCAN)),  # RFC 6143 §7.1.1
    (b"\x04\x01", _other(say("plain SOCKS 4"), _SCAN)),
    (b"\x05\x01\x00", _other(say("plain SOCKS 5"), _SCAN)),  # RFC 1928 §3
    (b"\x05\x02\x00", _other(say("plain SOCKS 5"), _SCAN)),
    (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", _other(say("plain PostgreSQL"), _SCAN)),
    (b"<?xml", _other(say("plain XML (XMPP, perhaps)"), _SCAN)),
    (b"<stream:", _other(say("plain XMPP"), _SCAN)),
    (b"AMQP", _other(say("plain AMQP"), _SCAN)),
    (b"\x13BitTorrent", _other(say("plain BitTorrent"), _SCAN)),
    (b"JRMI", _other(say("plain Java RMI"), _SCAN)),
    (b"*1\r\n$", _other(say("plain Redis"), _SCAN)),
    (b"\x16\xfe\xff", DTLS), (b"\x16\xfe\xfd", DTLS),  # RFC 6347 §4.1
)  # fmt: skip

_HTTP_METHODS = (
    b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"CONNECT", b"TRACE",
    b"PROPFIND",
)  # fmt: skip
_SIP_METHODS = (
    b"REGISTER", b"INVITE", b"SUBSCRIBE", b"NOTIFY", b"ACK", b"BYE", b"CANCEL",
    b"MESSAGE", b"PUBLISH", b"INFO", b"PRACK", b"UPDATE", b"REFER",
)  # fmt: skip
_RTSP_METHODS = (b"DESCRIBE", b"SETUP", b"PLAY", b"ANNOUNCE", b"TEARDOWN")
_WORDS: Final[dict[bytes, Stranger]] = {
    **dict.fromkeys(_HTTP_METHODS, HTTP),
    **dict.fromkeys(_SIP_METHODS, SIP),
    **dict.fromkeys(_RTSP_METHODS, _RTSP),
}
_SHARED = b"OPTIONS"
"""A method of all three: its target or its version tells (RFC 9110, 3261, 2326)."""


def name_stranger(data: bytes, *, final: bool = False) -> Stranger | None:
    """Name what these first bytes are; None for what nobody knows, or not yet.

    ``final``: no more bytes will come, so that a beginning may be enough.
    """
    for prefix, stranger in _PREFIXES:
        if data.startswith(prefix):
            return stranger
    word, space, rest = data.partition(b" ")
    if space and word in _WORDS:
        return _WORDS[word]
    if space and word == _SHARED:
        return _of_options(rest, final or len(data) >= MAX_BYTES)
    for shape, stranger in _SHAPES:
        if shape(data):
            return stranger
    if final and data and not data.strip(b"\r\n"):
        return _KEEP_ALIVE
    return None


def may_become_known(data: bytes) -> bool:
    """Whether more bytes could tell what these are."""
    if len(data) >= MAX_BYTES:
        return False
    if any(prefix.startswith(data) for prefix, _ in _PREFIXES):
        return True
    word, space, _ = data.partition(b" ")
    if space:
        return word == _SHARED
    if any(known.startswith(word) for known in (*_WORDS, _SHARED)):
        return True
    if any(data[: len(start)] == start[: len(data)] for start in _SHAPE_STARTS):
        return len(data) < (16 if data[:1] == b"0" else 8)
    return len(data) < 12 and data[0] >= 4 and b"\0\0\0".startswith(data[1:4])


_KEEP_ALIVE = Stranger(say("a keep-alive of plain SIP (empty lines)"), SIP.cure)


def _of_options(rest: bytes, final: bool) -> Stranger | None:
    target, _, version = rest.partition(b"\n")[0].strip(b"\r").partition(b" ")
    low = target.lower()
    schemes = {b"sip:": SIP, b"sips:": SIP, b"tel:": SIP, b"rtsp:": _RTSP}
    for scheme, stranger in schemes.items():
        if low.startswith(scheme):
            return stranger
    if b"\n" not in rest and not final:
        return None
    if version.startswith(b"RTSP/"):
        return _RTSP
    return SIP if version.startswith(b"SIP/") else HTTP


def _is_ldap(data: bytes) -> bool:
    """A request to a directory: bind, search, extended (StartTLS), unbind."""
    return _is_message(data, (b"\x60", b"\x63", b"\x77", b"\x42"))


def _is_message(data: bytes, operations: tuple[bytes, ...]) -> bool:
    """An LDAPMessage (RFC 4511 §4.1.1): a sequence, a number, an operation."""
    at = 2 if data[1:2] < b"\x80" else 2 + (data[1] & 0x7F)
    number = data[at + 1 : at + 2]
    if data[:1] != b"0" or data[at : at + 1] != b"\x02" or not number:
        return False
    return number[0] <= 4 and data[at + 2 + number[0] :][:1] in operations


def _is_snmp(data: bytes) -> bool:
    """SNMP over TCP (RFC 3430): a sequence, a version, a community."""
    return (
        data[:1] == b"0" and data[2:5] in (b"\2\1\0", b"\2\1\1") and data[5:6] == b"\4"
    )


def _is_tpkt(data: bytes) -> bool:
    """RFC 1006's packets: version 3, nothing, a length."""
    return data[:2] == b"\3\0" and len(data) >= 6 and data[2:4] >= b"\0\7"


def _is_rdp(data: bytes) -> bool:
    """A connection request of X.224 in a TPKT ([MS-RDPBCGR] §2.2.1.1)."""
    return _is_tpkt(data) and data[5] == 0xE0


def _is_h323(data: bytes) -> bool:
    """Q.931 in a TPKT (H.225.0)."""
    return _is_tpkt(data) and data[4] == 0x08


def _is_smb(data: bytes) -> bool:
    return data[:1] == b"\0" and data[4:8] in (b"\xffSMB", b"\xfeSMB")


def _is_mqtt(data: bytes) -> bool:
    return data[:1] == b"\x10" and (b"\0\4MQTT" in data[2:9] or b"MQIsdp" in data[2:11])


def _is_stun(data: bytes) -> bool:
    """STUN or TURN: the magic cookie of RFC 8489 §5."""
    return data[:1] == b"\0" and data[4:8] == b"\x21\x12\xa4\x42"


def _is_postgres(data: bytes) -> bool:
    return data[:3] == b"\0\0\0" and data[4:8] == b"\0\3\0\0"


def _is_skinny(data: bytes) -> bool:
    """Cisco's SCCP: length and header version, low byte first, a station's message."""
    return (
        len(data) >= 12
        and data[0] >= 4
        and data[1:4] == b"\0\0\0"
        and data[4] in (0, *range(0x11, 0x17))
        and data[5:8] == b"\0\0\0"
        and data[8:12] in (b"\0\0\0\0", b"\1\0\0\0", b"\2\0\0\0")
    )


_SHAPES: Final[tuple[tuple[Callable[[bytes], bool], Stranger], ...]] = (
    (_is_ldap, _LDAP),
    (_is_snmp, _other(say("plain SNMP"), _SCAN)),
    (_is_rdp, _other(say("plain RDP (remote desktop)"), _SCAN)),
    (
        _is_h323,
        _other(
            say("plain H.323"),
            say("this is not a gatekeeper; set the device to SIP over TLS"),
        ),
    ),
    (_is_smb, _other(say("plain SMB (file sharing)"), _SCAN)),
    (_is_mqtt, _other(say("plain MQTT"), _SCAN)),
    (
        _is_stun,
        _other(say("plain STUN"), say("give the phone its STUN server's own port")),
    ),
    (_is_postgres, _other(say("plain PostgreSQL"), _SCAN)),
    (
        _is_skinny,
        _other(
            say("plain Skinny (Cisco's SCCP)"),
            say("install the phone's SIP firmware, and turn on TLS"),
        ),
    ),
)
# LDAP and SNMP, TPKT, SMB and PostgreSQL, STUN, MQTT.
_SHAPE_STARTS = (b"0", b"\3\0", b"\0\0\0", b"\0\1\0", b"\0\3\0", b"\x10")


_SERVERS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"HTTP/", say("plain HTTP")),
    (b"<html", say("plain HTTP")),
    (b"<!DOC", say("plain HTTP")),
    (b"SIP/2.0", say("plain SIP")),
    (b"RTSP/", say("plain RTSP")),
    (b"SSH-", "SSH"),
    (b"220 ", say("SMTP or FTP")),
    (b"220-", say("SMTP or FTP")),
    (b"421 ", say("SMTP or FTP")),
    (b"500 ", say("SMTP or FTP")),
    (b"554 ", say("SMTP or FTP")),
    (b"+OK", "POP3"),
    (b"-ERR ", say("Redis or POP3")),
    (b"* OK", "IMAP"),
    (b"* BYE", "IMAP"),
    (b"RFB 00", "VNC"),
    (b"@RSYNCD:", "rsync"),
    (b"AMQP", "AMQP"),
    (b"<?xml", say("XML (XMPP, perhaps)")),
    (b"Asterisk Call Manager", say("Asterisk's manager interface")),
    (b"\xff\xfb", "Telnet"),  # RFC 854: IAC WILL, IAC DO
    (b"\xff\xfd", "Telnet"),
)


def name_server(data: bytes) -> str | None:
    """Name what a server answers a ClientHello in, by its first 16 bytes."""
    for prefix, name in _SERVERS:
        if data.startswith(prefix):
            return name
    if data[:1] == b"0" and _is_message(data, (b"\x78", b"\x61")):
        return say("plain LDAP")
    if data[3:5] == b"\0\x0a" and data[2:3] == b"\0":
        return "MySQL"  # its greeting: three bytes of length, number 0, protocol 10
    return None


def explain_no_http(first: bytes) -> tuple[str, str]:
    """Say what came on a plain HTTP port instead of a request, and the cure, if any.

    For the port behind a proxy that ends TLS.
    """
    if first[:1] in (b"\x14", b"\x15", b"\x16", b"\x17") and first[1:2] == b"\3":
        return (
            say("the client sent TLS to the plain HTTP port"),
            say(
                "the proxy must use plain HTTP to linekey (nginx: proxy_pass http://…; "
                "HAProxy: no ssl in the server line); or a phone was configured with "
                "this port instead of the proxy's"
            ),
        )
    stranger = name_stranger(first, final=True)
    if stranger is None or stranger.is_http:
        return say("the client sent something that is not an HTTP/1.1 request"), ""
    if stranger in (PROXY_V1, PROXY_V2):
        return (
            say("the client sent %(name)s to the plain HTTP port", name=stranger.name),
            say(
                "turn it off in the proxy (HAProxy: no send-proxy in the server line): "
                "the phone's address comes in a header, as linekey export configures it"
            ),
        )
    return say(
        "the client sent %(name)s to the plain HTTP port", name=stranger.name
    ), stranger.cure
