"""Beginnings of a connection that are no good hello, and what answers each.

A row: the bytes, the alert that the RFCs have for them, and OpenSSL's own answer where
it differs, with the reason. None is silence: no answer in TLS makes sense.
"""

from dataclasses import dataclass

from linekey.tls.alerts import Alert


@dataclass(frozen=True)
class Row:
    data: bytes
    alert: Alert | None
    header: int = 0x0303
    """The version in the alert's record: the hello's, or its record's."""
    openssl: int | str | None = None
    """OpenSSL's answer, where it is another: an alert, "hello" or "silence"."""
    why: str = ""


def record(kind: int, body: bytes, version: int = 0x0301) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body  # fmt: skip


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def extension(number: int, body: bytes) -> bytes:
    return number.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


GROUPS = extension(10, b"\0\2\0\x17")
SCHEMES = extension(13, b"\0\2\4\1")
PSS = extension(13, b"\0\2\x08\4")
TLS13 = extension(43, b"\2\3\4")
SHARE = extension(51, b"\0\0")


def body(
    *,
    legacy: bytes = b"\3\3",
    session: bytes = b"\0",
    suites: bytes = b"\0\4\xc0\x2f\0\x2f",
    compressions: bytes = b"\1\0",
    extensions: bytes | None = GROUPS + SCHEMES,
    tail: bytes = b"",
) -> bytes:
    made = legacy + bytes(32) + session + suites + compressions
    if extensions is not None:
        made += len(extensions).to_bytes(2, "big") + extensions
    return made + tail


def hello(version: int = 0x0301, **parts: bytes | None) -> bytes:
    return record(22, message(1, body(**parts)), version)  # type: ignore[arg-type]


def with_extension(
    number: int, content: bytes, rest: bytes = GROUPS + SCHEMES
) -> bytes:
    return hello(extensions=rest + extension(number, content))


def tls13(*extensions: bytes, **parts: bytes) -> bytes:
    return hello(suites=b"\0\2\x13\1", extensions=b"".join(extensions), **parts)


_WHOLE = message(1, body())
_OTHER, _MALFORMED, _BAD = Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER  # fmt: skip
_OLD = Alert.PROTOCOL_VERSION
_MISSING = Alert.MISSING_EXTENSION
_IN_PART = record(22, _WHOLE[:20])

ROWS: dict[str, Row] = {
    # another record first
    "a fatal alert": Row(record(21, b"\2\x28"), _OTHER, 0x0301),
    "a warning": Row(record(21, b"\1\0", 0x0303), _OTHER, 0x0303),
    "a ChangeCipherSpec": Row(record(20, b"\1"), _OTHER, 0x0301),
    "application data": Row(record(23, b"hello"), _OTHER, 0x0301),
    "a heartbeat": Row(record(24, b"\1\0\0"), _OTHER, 0x0301),
    "a record of type 0": Row(record(0, b"abc"), _OTHER, 0x0301),
    "a record of type 25": Row(record(25, b"abc"), _OTHER, 0x0301),
    # another message first
    "a hello request": Row(record(22, message(0, b"")), _OTHER, 0x0301),
    "a server hello": Row(record(22, message(2, body())), _OTHER, 0x0301),
    "a certificate": Row(record(22, message(11, b"\0\0\0")), _OTHER, 0x0301),
    "a finished": Row(record(22, message(20, bytes(12)), 0x0303), _OTHER, 0x0303),
    "a message of type 255": Row(record(22, message(255, body())), _OTHER, 0x0301),
    # in the middle of a hello
    "an alert within": Row(_IN_PART + record(21, b"\2\x28"), _OTHER, 0x0301),
    "a ChangeCipherSpec within": Row(_IN_PART + record(20, b"\1"), _OTHER, 0x0301),
    "application data within": Row(_IN_PART + record(23, b"x"), _OTHER, 0x0301),
    # records
    "an empty record": Row(
        record(22, b"") + hello(), _OTHER, 0x0301, "hello",
        "RFC 5246 §6.2.1 forbids it; OpenSSL overlooks some",
    ),
    "a record of 16385": Row(
        b"\x16\3\1\x40\1" + message(1, b"\3\3" + bytes(16_379)), Alert.RECORD_OVERFLOW, 0x0301
    ),
    "a record of 65535": Row(b"\x16\3\1\xff\xff" + bytes(99), Alert.RECORD_OVERFLOW, 0x0301),
    "a record of version 2.0": Row(record(22, _WHOLE, 0x0200), None),
    "a record of version 4.0": Row(record(22, _WHOLE, 0x0400), None),
    # the hello's frame
    "an empty hello": Row(record(22, message(1, b"")), _MALFORMED, 0x0301),
    "a hello of two bytes": Row(record(22, message(1, b"\3\3")), _MALFORMED, 0x0301),
    "cut in the random": Row(record(22, message(1, body()[:20])), _MALFORMED, 0x0301),
    "a byte too many": Row(hello(tail=b"x"), _MALFORMED, 0x0301),
    "a session id of 33": Row(hello(session=b"\x21" + bytes(33)), _MALFORMED, 0x0301),
    "a session id beyond the end": Row(hello(session=b"\xff"), _MALFORMED, 0x0301),
    "half a suite": Row(hello(suites=b"\0\3\xc0\x2f\0"), _MALFORMED, 0x0301),
    "no suites": Row(
        hello(suites=b"\0\0"), _MALFORMED, 0x0301, 47, "a vector below its least (RFC 8446 §6.2)"
    ),
    "suites beyond the end": Row(hello(suites=b"\xff\xfe\0\x2f"), _MALFORMED, 0x0301),
    "no compression method": Row(hello(compressions=b"\0"), _MALFORMED, 0x0301),
    "not the null compression": Row(
        hello(compressions=b"\1\1"), _BAD, 0x0303, 50, "OpenSSL 4 has 47, as RFC 8446 §4.1.2"
    ),
    "extensions longer than said": Row(
        hello(extensions=None, tail=b"\0\3\0\x17\0\0"), _MALFORMED, 0x0301
    ),
    "extensions shorter than said": Row(
        hello(extensions=None, tail=b"\0\5\0\x17\0\0"), _MALFORMED, 0x0301
    ),
    "an extension cut short": Row(hello(extensions=GROUPS + b"\0\x17\0\5"), _MALFORMED, 0x0301),
    "an extension twice": Row(
        hello(extensions=GROUPS + SCHEMES + extension(23, b"") * 2), _BAD, 0x0301
    ),
    "an unknown extension twice": Row(
        hello(extensions=GROUPS + SCHEMES + extension(0x9999, b"") * 2), _BAD, 0x0301, "hello",
        "RFC 8446 §4.2 forbids it for any",
    ),
    # versions
    "version 2.0": Row(hello(legacy=b"\2\0"), _OLD, 0x0301),
    "version 0.2": Row(hello(legacy=b"\0\2"), _OLD, 0x0301),
    "SSL 3": Row(
        hello(0x0300, legacy=b"\3\0", extensions=None), _OLD, 0x0300, 40, "OpenSSL 4 has 70"
    ),
    "TLS 1.4 alone": Row(with_extension(43, b"\2\3\5"), _OLD),
    "GREASE for a version": Row(with_extension(43, b"\2\x0a\x0a"), _OLD, 0x0301),
    "no version": Row(
        with_extension(43, b"\0"), _MALFORMED, 0x0301, 70, "a vector below its least"
    ),
    "half a version": Row(
        with_extension(43, b"\3\3\3\3"), _MALFORMED, 0x0301, 70, "a vector of a wrong length"
    ),
    "a fallback": Row(hello(suites=b"\0\4\0\x2f\x56\0"), Alert.INAPPROPRIATE_FALLBACK),
    # extensions' contents
    "no group": Row(hello(extensions=SCHEMES + extension(10, b"\0\0")), _MALFORMED, 0x0301),
    "half a group": Row(hello(extensions=SCHEMES + extension(10, b"\0\1\0")), _MALFORMED, 0x0301),
    "no signature algorithm": Row(
        hello(extensions=GROUPS + extension(13, b"\0\0")), _MALFORMED, 0x0301
    ),
    "no point format": Row(with_extension(11, b"\0"), _MALFORMED, 0x0301),
    "an empty server name": Row(
        with_extension(0, b"\0\3\0\0\0"), _MALFORMED, 0x0301, "hello", "RFC 6066 §3: one byte at least"
    ),
    "no server name in the list": Row(with_extension(0, b"\0\0"), _MALFORMED),
    "a NUL in the server name": Row(
        with_extension(0, b"\0\6\0\0\3a\0b"), Alert.UNRECOGNIZED_NAME, 0x0301
    ),
    "a server name of 300": Row(
        with_extension(0, b"\1\x2f\0\1\x2c" + b"a" * 300), Alert.UNRECOGNIZED_NAME
    ),
    "two server names": Row(with_extension(0, b"\0\x08\0\0\1a\0\0\1b"), _MALFORMED),
    "no ALPN protocol": Row(with_extension(16, b"\0\0"), _MALFORMED),
    "an empty ALPN protocol": Row(with_extension(16, b"\0\1\0"), _MALFORMED),
    "an ALPN protocol cut short": Row(with_extension(16, b"\0\2\5a"), _MALFORMED, 0x0301),
    "a filled extended_master_secret": Row(with_extension(23, b"\0"), _MALFORMED),
    "a renegotiation that is none": Row(with_extension(0xFF01, b"\1\0"), Alert.HANDSHAKE_FAILURE),
    # TLS 1.3
    "no key share": Row(tls13(GROUPS, PSS, TLS13), _MISSING),
    "no groups in TLS 1.3": Row(tls13(PSS, TLS13, SHARE), _MISSING),
    "no signature algorithms in TLS 1.3": Row(tls13(GROUPS, TLS13, SHARE), _MISSING),
    "compression in TLS 1.3": Row(
        tls13(GROUPS, PSS, TLS13, SHARE, compressions=b"\2\1\0"), _BAD
    ),
    "a session before other extensions": Row(
        tls13(extension(41, b"\0\0"), GROUPS, PSS, TLS13, SHARE), _BAD
    ),
    "a share of a group not offered": Row(
        tls13(GROUPS, PSS, TLS13, extension(51, b"\0\x24\0\x1d\0\x20" + bytes(32))), _BAD
    ),
    "a share cut short": Row(tls13(GROUPS, PSS, TLS13, extension(51, b"\0\5\0\x1d")), _MALFORMED),
    "a point on no curve": Row(
        tls13(GROUPS, PSS, TLS13, extension(51, b"\0\x45\0\x17\0\x41\4" + bytes(64))), _BAD
    ),
    # nothing in common
    "RC4 alone": Row(hello(suites=b"\0\2\0\5"), Alert.HANDSHAKE_FAILURE),
    # no TLS
    "SSL 2's form": Row(
        b"\x80\x2e\1\3\1\0\x15\0\0\0\x10" + b"\0\0\x2f" * 7 + bytes(16), _OLD, 0x0301, "hello",
        "OpenSSL 3 takes TLS 1.0 in it; OpenSSL 4 does not",
    ),
    "SSL 2": Row(b"\x80\x2e\1\0\2\0\x15\0\0\0\x10" + b"\0\0\x2f" * 7 + bytes(16), _OLD, 0x0301),
    "plain SIP": Row(b"OPTIONS sip:a SIP/2.0\r\n\r\n", None),
    "SSH": Row(b"SSH-2.0-OpenSSH_9.2\r\n", None),
    "a PROXY header": Row(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", None),
    "garbage": Row(b"\xff" * 32, None),
}  # fmt: skip
