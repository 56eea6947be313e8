"""The ClientHello: read from the first bytes of a connection, and built from values.

A hello tells what a client can do before anything is decided, so it is read in plain,
ahead of the engine. What is not a hello is told apart, since an administrator who
reads "plain HTTP on the TLS port" need not read on.

RFC 5246 §7.4.1.2, RFC 8446 §4.1.2 and §5.1; SSL 3: RFC 6101 §5.6.1.2 (confidence H).
Rule: any bytes give a ClientHello, None (more is needed) or TlsError.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NoReturn

from linekey.said import say
from linekey.tls import wire
from linekey.tls.alerts import Alert
from linekey.tls.errors import TlsError
from linekey.tls.no_hello import CONTENT, explain_stranger, raise_garbage
from linekey.tls.parameters import extension_name, is_address
from linekey.tls.strangers import may_become_known
from linekey.tls.suites import FALLBACK_SCSV
from linekey.tls.versions import Version, is_grease

__all__ = [
    "MAX_HELLO_BYTES",
    "ClientHello",
    "HelloReader",
    "TlsError",
    "build_client_hello",
    "new_client_hello",
    "parse_client_hello",
]

MAX_HELLO_BYTES = 16_384
"""The longest hello we take, with its handshake header: one record's worth (RFC 8446
§5.1), five times what a browser with post-quantum keys sends."""

MAX_HELLO_RECORDS = 64
"""In how many records it may come. Some stacks split it; nobody needs 64."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_MAX_RECORD = 16_384  # bytes in a record, RFC 8446 §5.1
_WHOLE = struct.Struct("!BHHI")  # a record's header, and its first message's
_START = struct.Struct("!H32sB")
_SHORT = struct.Struct("!H")
_PAIR = struct.Struct("!HH")
# Extensions that hold one list of numbers: field, extension, size of each number,
# which is also the size of the list's length.
_NUMBER_LISTS = (
    ("groups", 10, 2),
    ("signature_algorithms", 13, 2),
    ("point_formats", 11, 1),
)


@dataclass(frozen=True, slots=True)
class ClientHello:
    """A hello as it was, or is to be, on the wire; numbers stay numbers.

    The first fields are the wire's; the others are read from ``extensions``, whose
    malformed content raises TlsError. ``versions``: those offered, best first,
    GREASE left out: ``supported_versions``, or all from ``legacy_version`` down to
    TLS 1.0 (a hello below TLS 1.3 names only its highest, RFC 5246 §E.1), or SSL 3
    alone. ``server_name`` is None when not sent; bytes that are no ASCII are escaped.
    """

    legacy_version: int
    random: bytes = field(repr=False)
    suites: tuple[int, ...]
    extensions: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)
    session_id: bytes = field(default=b"", repr=False)
    compressions: tuple[int, ...] = (0,)
    record_version: int = 0x0301

    versions: tuple[int, ...] = field(init=False, compare=False)
    server_name: str | None = field(init=False, compare=False)
    groups: tuple[int, ...] = field(init=False, compare=False)
    signature_algorithms: tuple[int, ...] = field(init=False, compare=False)
    alpn: tuple[bytes, ...] = field(init=False, compare=False)
    point_formats: tuple[int, ...] = field(init=False, compare=False)
    offer: "Offer | None" = field(init=False, compare=False, repr=False)
    """The same object for hellos that were read and differ in nothing but what is new
    in each connection; None for one that was made."""

    def __post_init__(self) -> None:
        found = dict(self.extensions)
        if len(found) != len(self.extensions):
            sent = [number for number, _ in self.extensions]
            _fail_twice(next(n for n in sent if sent.count(n) > 1))
        put = object.__setattr__
        for name, value in _read_extensions(self.legacy_version, found).items():
            put(self, name, value)
        put(self, "offer", None)

    @property
    def max_version(self) -> int:
        """The highest version offered."""
        return max(self.versions)

    @property
    def is_fallback(self) -> bool:
        """Whether it says that the client could do better (RFC 7507)."""
        return FALLBACK_SCSV in self.suites

    def extension(self, number: int) -> bytes | None:
        """Give an extension's body, or None when it was not sent."""
        return next((body for n, body in self.extensions if n == number), None)


def _read_extensions(legacy: int, found: Mapping[int, bytes]) -> dict[str, Any]:
    """The fields of a hello that are read from its extensions."""
    read: dict[str, Any] = {
        "versions": _read_versions(legacy, found.get(43)),
        "server_name": _read_server_name(found.get(0)),
    }
    for name, number, size in _NUMBER_LISTS:
        body = found.get(number)
        what = "client hello: " + name
        read[name] = () if body is None else wire.read_numbers(body, size, size, what)
    read["alpn"] = _read_alpn(found.get(16))
    return read


class Offer:
    """What a client can do: the same for all phones of a model, so it is read once
    (``_offer_of``), and whoever judges it can keep that by this object."""

    __slots__ = ("fields",)

    def __init__(self, fields: tuple[tuple[str, Any], ...]) -> None:
        self.fields = fields


_NEW_IN_EACH = (21, 35, 41, 51)
"""Padding, SessionTicket, pre_shared_key and key_share: whether they are there counts,
what is in them does not (``policy.choose``)."""
_MAX_KEPT = 1536
"""Bytes of a hello whose offer is kept: with a ticket phones need some 500."""


def _read_offer(
    legacy_version: int, suites: bytes, pairs: tuple[tuple[int, bytes], ...]
) -> Offer:
    found = dict(pairs)
    for name, number, _ in _NUMBER_LISTS:
        if not any(found.get(number, b"\1")):
            _fail(say("%(name)s names nothing", name=name))
    fields = _read_extensions(legacy_version, found)
    fields["legacy_version"] = legacy_version
    fields["suites"] = struct.unpack(f"!{len(suites) // 2}H", suites)
    return Offer(tuple(fields.items()))


_offer_of = lru_cache(maxsize=1024)(_read_offer)


def _read_versions(legacy: int, body: bytes | None) -> tuple[int, ...]:
    if body is not None:
        found = wire.read_numbers(body, 1, 2, "client hello: supported_versions")
        versions = tuple([v for v in found if v & 0x0F0F != 0x0A0A or not is_grease(v)])
        if not versions:
            raise TlsError(
                say("client hello: supported_versions names no version"),
                alert=Alert.PROTOCOL_VERSION if found else Alert.DECODE_ERROR,
            )
        return versions
    if legacy < Version.SSL3:
        raise TlsError(
            say(
                "client hello: version 0x%(legacy)s is older than SSL 3",
                legacy=f"{legacy:04x}",
            ),
            alert=Alert.PROTOCOL_VERSION,
        )
    if legacy == Version.SSL3:
        return (Version.SSL3,)
    return tuple(range(min(legacy, Version.TLS1_2), Version.SSL3, -1))


def _read_server_name(body: bytes | None) -> str | None:
    if body is None:
        return None
    size = len(body)
    if size > 5 and body[:5] == struct.pack("!HBH", size - 2, 0, size - 5):
        name = body[5:]  # one host name, as nearly everybody sends it
    else:
        reader = wire.Reader(body, "client hello: server_name")
        names = reader.sub(2, "list")
        reader.done()
        found = []
        while names.left:
            kind = names.number(1, "name type")
            content = names.vector(2, "name")
            if kind == 0:
                found.append(content)
        if not found:
            return None
        name = found[0]
    if not name or b"\0" in name:
        raise TlsError(
            say("client hello: the server name is empty or holds a NUL"),
            # OpenSSL's for the second; RFC 6066 §3 has a byte at least.
            alert=Alert.UNRECOGNIZED_NAME if name else Alert.DECODE_ERROR,
        )
    return name.decode("ascii", "backslashreplace")


def _read_alpn(body: bytes | None) -> tuple[bytes, ...]:
    if body is None:
        return ()
    reader = wire.Reader(body, "client hello: ALPN")
    names = reader.sub(2, "list")
    reader.done()
    found = []
    while names.left:
        found.append(names.vector(1, "protocol"))
    return tuple(found)


class HelloReader:
    """Reads the ClientHello at the start of a connection; feed it what arrives."""

    __slots__ = ("_at", "_count", "_end", "_max_bytes", "_message", "_version", "data")

    def __init__(self, max_bytes: int = MAX_HELLO_BYTES) -> None:
        self.data = bytearray()
        """All that came."""
        self._max_bytes = max_bytes
        self._message = bytearray()
        self._at = self._end = 0  # what is read of data; where this record ends
        self._count = 0
        self._version = 0x0301

    def feed(self, data: bytes) -> ClientHello | None:
        """Take bytes; give the hello as soon as it is whole, None before.

        What follows the hello is ignored. Raises TlsError for anything that cannot
        become a hello, with the reason and the alert to send, if TLS has one for it:
        plain HTTP or SIP, an SSL 2 hello, another record or message first, empty
        records, a hello longer than ``max_bytes`` (its four bytes of header counted) or
        in more than ``MAX_HELLO_RECORDS`` records, and malformed content. Never keeps
        more than ``max_bytes`` and five bytes a record before it says one or the other,
        and what came in the same piece.
        """
        taken, message = self.data, self._message
        if not taken and (body := self._whole(data)) is not None:
            taken += data
            return _parse_body(body, self._version)
        taken += data
        if not taken:
            return None
        if taken[0] != _HANDSHAKE:
            explain_stranger(bytes(taken))
            return None
        while True:
            if self._at == self._end and not self._begin_record():
                return None
            fragment = taken[self._at : self._end]
            message += fragment
            self._at += len(fragment)
            if message and message[0] != _CLIENT_HELLO:
                raise TlsError(
                    say(
                        "the first handshake message has type %(number)s, not 1, which "
                        "is a client hello",
                        number=message[0],
                    ),
                    alert=Alert.UNEXPECTED_MESSAGE,
                )
            if len(message) >= 4:
                size = 4 + int.from_bytes(message[1:4], "big")
                if size > self._max_bytes:
                    raise TlsError(
                        say(
                            "the client hello has %(size)s bytes; %(limit)s is the "
                            "limit",
                            size=size,
                            limit=self._max_bytes,
                        ),
                        alert=Alert.ILLEGAL_PARAMETER,  # as OpenSSL has it
                        kind="too_large",
                    )
                if len(message) >= size:
                    return _parse_body(bytes(message[4:size]), self._version)
            if self._at < self._end:
                return None

    def _whole(self, data: bytes) -> bytes | None:
        """Give the hello's body if ``data`` is one record, and it is all of that, as
        nearly everybody sends it."""
        if len(data) < _WHOLE.size:
            return None
        kind, version, length, message = _WHOLE.unpack_from(data)
        if kind != _HANDSHAKE or version >> 8 != 3 or message >> 24 != _CLIENT_HELLO:
            return None
        size = 4 + (message & 0xFFFFFF)
        if length != size or len(data) != 5 + size:
            return None
        if size > self._max_bytes or size > _MAX_RECORD:
            return None
        self._version = version
        return bytes(data[_WHOLE.size :])

    def _begin_record(self) -> bool:
        """Read a record's header; say whether it is there."""
        header = self.data[self._at : self._at + 5]
        if len(header) > 1 and header[1] != 3:
            if not self._at and may_become_known(bytes(self.data)):
                return False  # DTLS, perhaps
            raise_garbage(bytes(self.data))
        if header and header[0] != _HANDSHAKE:
            raise TlsError(
                say(
                    "%(record)s came in the middle of the client hello",
                    record=CONTENT.get(header[0], say("an unknown record")),
                ),
                alert=Alert.UNEXPECTED_MESSAGE,
            )
        if len(header) < 5:
            return False
        length = int.from_bytes(header[3:], "big")
        if not 0 < length <= _MAX_RECORD:
            raise TlsError(
                say(
                    "a record of the client hello says it has %(length)s bytes; it "
                    "must have 1 to 16,384",
                    length=length,
                ),
                alert=Alert.RECORD_OVERFLOW if length else Alert.UNEXPECTED_MESSAGE,
            )
        if self._count == MAX_HELLO_RECORDS:
            raise TlsError(
                say(
                    "the client hello comes in more than %(limit)s records",
                    limit=MAX_HELLO_RECORDS,
                ),
                alert=Alert.UNEXPECTED_MESSAGE,
            )
        if not self._count:
            self._version = int.from_bytes(header[1:3], "big")
        self._count += 1
        self._at += 5
        self._end = self._at + length
        return True


def parse_client_hello(
    data: bytes, *, max_bytes: int = MAX_HELLO_BYTES
) -> ClientHello | None:
    """Read a whole first piece, as ``HelloReader`` does. None: more is needed."""
    return HelloReader(max_bytes).feed(data)


def _parse_body(body: bytes, record_version: int) -> ClientHello:
    # Every connection begins here, often with cold caches: no calls, no objects that
    # are not needed (a fifth of the time of the same with wire.Reader).
    try:
        legacy_version, random, size = _START.unpack_from(body)
        session_id = body[35 : 35 + size]
        at = 35 + size
        (size,) = _SHORT.unpack_from(body, at)
        suites = body[at + 2 : at + 2 + size]
        if size % 2 or not size or len(session_id) > 32:
            _fail(say("its session id or its list of cipher suites has a wrong length"))
        at += 2 + size
        size = body[at]
        compressions = tuple(body[at + 1 : at + 1 + size])
        at += 1 + size
        if not size or at > len(body):
            _fail(say("its list of compression methods has a wrong length"))
        found: dict[int, bytes] = {}
        if at < len(body):
            (size,) = _SHORT.unpack_from(body, at)
            at += 2
            if at + size != len(body):
                _fail(say("its list of extensions has a wrong length"))
            while at < len(body):
                number, size = _PAIR.unpack_from(body, at)
                at += 4 + size
                if at > len(body):
                    _fail(
                        say(
                            "extension %(name)s is cut short",
                            name=extension_name(number),
                        )
                    )
                if number in found:
                    _fail_twice(number)
                found[number] = body[at - size : at]
    except (struct.error, IndexError):
        _fail(say("it is cut short"))
    extensions = tuple(found.items())
    for number in _NEW_IN_EACH:
        if number in found:
            found[number] = b""
    read = _offer_of if len(body) <= _MAX_KEPT else _read_offer
    offer = read(legacy_version, suites, tuple(found.items()))
    hello = object.__new__(ClientHello)
    put = object.__setattr__  # a third of the time of its own way
    for name, value in offer.fields:
        put(hello, name, value)
    put(hello, "random", random)
    put(hello, "extensions", extensions)
    put(hello, "session_id", session_id)
    put(hello, "compressions", compressions)
    put(hello, "record_version", record_version)
    put(hello, "offer", offer)
    return hello


def _fail(problem: str) -> NoReturn:
    raise TlsError(
        say("client hello: %(problem)s", problem=problem), alert=Alert.DECODE_ERROR
    )


def _fail_twice(number: int) -> NoReturn:
    raise TlsError(
        say(
            "client hello: extension %(name)s comes twice",
            name=extension_name(number),
        ),
        alert=Alert.ILLEGAL_PARAMETER,
    )


def build_client_hello(hello: ClientHello, *, record_size: int = 16_384) -> bytes:
    """Write a hello as records of at most ``record_size`` bytes of content.

    Raises ValueError for what no record can carry: an empty list of suites, numbers
    out of range, a random that has not 32 bytes.
    """
    if len(hello.random) != 32 or len(hello.session_id) > 32:
        raise ValueError("random has 32 bytes and session_id at most 32")
    if not hello.suites or not hello.compressions or not 1 <= record_size <= 16_384:
        raise ValueError("a hello needs suites, a compression and a record size")
    try:
        body = (
            hello.legacy_version.to_bytes(2, "big")
            + hello.random
            + wire.vector(1, hello.session_id)
            + wire.numbers(2, hello.suites)
            + wire.numbers(1, hello.compressions, 1)
        )
        if hello.extensions:
            body += wire.vector(
                2,
                b"".join(
                    number.to_bytes(2, "big") + wire.vector(2, content)
                    for number, content in hello.extensions
                ),
            )
        message = bytes([_CLIENT_HELLO]) + wire.vector(3, body)
        head = bytes([_HANDSHAKE]) + hello.record_version.to_bytes(2, "big")
    except OverflowError as error:
        raise ValueError(f"a number or list does not fit: {error}") from error
    return b"".join(
        head + wire.vector(2, message[i : i + record_size])
        for i in range(0, len(message), record_size)
    )


def with_server_name(hello: ClientHello, name: str | None) -> ClientHello:
    """Give a hello another server name, or none; all else stays as it is.

    A new name stands first, as OpenSSL 1.0 writes it; an IP address is not sent (RFC
    6066 §3). Raises UnicodeError for a text that cannot be a host name.
    """
    kept = tuple(item for item in hello.extensions if item[0] != 0)
    if name is None or is_address(name):
        return replace(hello, extensions=kept)
    return replace(hello, extensions=(_server_name(name), *kept))


def _server_name(name: str) -> tuple[int, bytes]:
    plain = name.rstrip(".").encode("ascii" if name.isascii() else "idna")
    return 0, wire.vector(2, b"\0" + wire.vector(2, plain))


def new_client_hello(
    *,
    random: bytes,
    max_version: Version,
    suites: Iterable[int],
    server_name: str | None = None,
    groups: tuple[int, ...] = (),
    signature_algorithms: tuple[int, ...] = (),
    point_formats: tuple[int, ...] = (0,),
    alpn: tuple[bytes, ...] = (),
    session_id: bytes = b"",
    session_ticket: bool = False,
    extended_master_secret: bool = False,
    record_version: int | None = None,
) -> ClientHello:
    """Make a hello below TLS 1.3 from what a client can do.

    Only what is given is sent: groups with their point formats, signature algorithms
    (TLS 1.2 alone has them), ALPN. An IP address sends no server_name (RFC 6066 §3),
    and SSL 3 sends no extensions at all. The record says TLS 1.0, as RFC 5246 §E.1
    advises, or SSL 3 for SSL 3. Raises ValueError for TLS 1.3, whose hello needs a
    key share: the engine makes those.
    """
    if max_version > Version.TLS1_2:
        raise ValueError("a TLS 1.3 hello carries a key share; let the engine make it")
    extensions: list[tuple[int, bytes]] = []
    if server_name and not is_address(server_name):
        extensions.append(_server_name(server_name))
    if extended_master_secret:
        extensions.append((23, b""))
    if groups:
        extensions.append((10, wire.numbers(2, groups)))
        extensions.append((11, wire.numbers(1, point_formats, 1)))
    if session_ticket:
        extensions.append((35, b""))
    if alpn:
        protocols = b"".join(wire.vector(1, protocol) for protocol in alpn)
        extensions.append((16, wire.vector(2, protocols)))
    if signature_algorithms and max_version >= Version.TLS1_2:
        extensions.append((13, wire.numbers(2, signature_algorithms)))
    if record_version is None:
        record_version = min(max_version, Version.TLS1_0)
    return ClientHello(
        legacy_version=max_version,
        random=random,
        suites=tuple(suites),
        extensions=() if max_version is Version.SSL3 else tuple(extensions),
        session_id=session_id,
        record_version=record_version,
    )
