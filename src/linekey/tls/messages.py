"""A server's first flight, read from bytes: what it chose, its chain, what it asks for.

Below TLS 1.3 all of it is plain text, so a hello that no library would send still gets
an answer that can be read to the end (design decision 8). In TLS 1.3 everything after
the ServerHello is encrypted; the reader says so and stops.

RFC 5246 §7.4, RFC 8422 §5, RFC 6066 §8, RFC 8446 §4.1.3; SSL 3: RFC 6101 §5.6
(confidence H). Rule: any bytes, in pieces of any size, give values or TlsError.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from linekey.tls import wire
from linekey.tls.alerts import FATAL, Alert, parse_alert
from linekey.tls.errors import TlsError
from linekey.tls.parameters import group_name
from linekey.tls.strangers import name_server
from linekey.tls.suites import SUITES, Suite, name_of
from linekey.tls.versions import Version

MAX_FLIGHT_BYTES = 262_144
"""Handshake bytes taken from one server; OpenSSL takes 100 kB of certificates."""

MAX_CERTIFICATES = 100
"""Certificates in one chain (OpenSSL's default depth)."""

MAX_MESSAGES = 32
"""Messages and alerts in one flight; a real one has six."""

_RETRY_RANDOM = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)  # RFC 8446 §4.1.3: SHA-256 of "HelloRetryRequest"


@dataclass(frozen=True, slots=True)
class ServerHello:
    """What the server chose. ``version`` is the one that counts, 1.3 included.

    ``is_retry``: a HelloRetryRequest, by which the server asks for another hello.
    ``extensions``: as sent, in order.
    """

    version: int
    suite_number: int
    session_id: bytes = field(repr=False)
    compression: int
    extensions: tuple[tuple[int, bytes], ...] = field(repr=False)
    random: bytes = field(repr=False)
    record_version: int
    is_retry: bool = False

    @property
    def suite(self) -> Suite | None:
        """The suite, if we know its number."""
        return SUITES.get(self.suite_number)

    @property
    def suite_name(self) -> str:
        """The suite's name, or its number in words."""
        return name_of(self.suite_number)

    def extension(self, number: int) -> bytes | None:
        """Give an extension's body, or None when it was not sent."""
        return next((body for n, body in self.extensions if n == number), None)


@dataclass(frozen=True, slots=True)
class CertificateMessage:
    """The chain as sent, leaf first, each certificate's DER unread."""

    chain_der: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """A stapled answer: ``kind`` 1 is OCSP, its DER in ``response``."""

    kind: int
    response: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerKeyExchange:
    """The server's half of an ephemeral key exchange.

    ``kind``: ECDHE, DHE, RSA (export), or the suite's own word for one whose content
    is not read (SRP, PSK …). ``group``: the curve's number, None for an explicit one.
    ``bits``: size of the DH prime, or of the temporary RSA key. ``signature``: the
    scheme's number, from TLS 1.2 on.
    """

    kind: str
    group: int | None = None
    bits: int | None = None
    signature: int | None = None

    @property
    def group_name(self) -> str | None:
        """The curve's name."""
        return None if self.group is None else group_name(self.group)


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """The server asks for a client certificate.

    ``types``: numbers of the kinds it takes. ``signature_algorithms``: from TLS 1.2
    on. ``authorities_der``: names it would like to see above the certificate, DER;
    none means that any will do.
    """

    types: tuple[int, ...]
    signature_algorithms: tuple[int, ...]
    authorities_der: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerHelloDone:
    """The flight is complete."""


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """The server sent an alert; ``alert`` is None for an unregistered number."""

    alert: Alert | None
    number: int
    fatal: bool


@dataclass(frozen=True, slots=True)
class EncryptedFollows:
    """What follows can only be read with keys: TLS 1.3, or a resumed session."""


@dataclass(frozen=True, slots=True)
class OtherMessage:
    """A handshake message that is not read here, by type and length."""

    kind: int
    size: int


Message = (
    ServerHello
    | CertificateMessage
    | CertificateStatus
    | ServerKeyExchange
    | CertificateRequest
    | ServerHelloDone
    | AlertMessage
    | EncryptedFollows
    | OtherMessage
)


class FlightReader:
    """Reads one server's first flight; feed it what arrives.

    ``done`` is set by ServerHelloDone, a fatal alert or EncryptedFollows; bytes after
    that are ignored. A TlsError is final: feeding again raises it again.
    """

    def __init__(self, *, max_bytes: int = MAX_FLIGHT_BYTES) -> None:
        self.done = False
        self._max_bytes = max_bytes
        self._raw = bytearray()
        self._messages = bytearray()
        self._taken = 0
        self._count = 0
        self._hello: ServerHello | None = None
        self._record_version = 0
        self._error: TlsError | None = None

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes; give the messages that are complete now, in order.

        Raises TlsError for a server that speaks something else, breaks TLS's rules,
        or sends more than the limits; messages that came before it in the same bytes
        are lost, so feed what arrives as it arrives.
        """
        if self._error is not None:
            raise self._error
        if self.done:
            return []
        self._raw += data
        try:
            return self._read()
        except TlsError as error:
            self._error = error
            raise

    def _read(self) -> list[Message]:
        found: list[Message] = []
        while not self.done and self._raw:
            if not self._taken and not self._count:
                self._check_start()
            if len(self._raw) < 5:
                break
            kind = self._raw[0]
            version = int.from_bytes(self._raw[1:3], "big")
            length = int.from_bytes(self._raw[3:5], "big")
            if version >> 8 != 3 or not 20 <= kind <= 23:
                raise TlsError(
                    "the server's bytes are no TLS record:"
                    f" {bytes(self._raw[:8]).hex(' ')}",
                    alert=Alert.DECODE_ERROR,
                    kind="broken" if self._count else "not_tls",
                )
            if length > 16_384 + 256:  # TLS 1.3 allows 256 more when encrypted
                raise TlsError(
                    f"a record says it has {length} bytes; 16384 is the limit",
                    alert=Alert.RECORD_OVERFLOW,
                )
            if len(self._raw) < 5 + length:
                break
            fragment = bytes(self._raw[5 : 5 + length])
            del self._raw[: 5 + length]
            self._record_version = version
            self._take_record(kind, fragment, found)
        return found

    def _check_start(self) -> None:
        name = name_server(bytes(self._raw[:16]))
        if name is not None:
            raise TlsError(
                f"the server answers in {name}, not TLS",
                hint="check the port: this one does not speak TLS from the start",
                kind="not_tls",
            )

    def _take_record(self, kind: int, fragment: bytes, found: list[Message]) -> None:
        if kind == 22:
            if not fragment:
                raise TlsError("an empty handshake record", alert=Alert.DECODE_ERROR)
            self._taken += len(fragment)
            self._messages += fragment
            self._take_messages(found)
            if self._taken > self._max_bytes and not self.done:
                raise TlsError(
                    f"the server's first flight is longer than {self._max_bytes} bytes",
                    alert=Alert.ILLEGAL_PARAMETER,
                )
            return
        if self._messages:
            raise TlsError(
                "another record came in the middle of a handshake message",
                alert=Alert.UNEXPECTED_MESSAGE,
            )
        if kind == 21:
            if len(fragment) != 2 or fragment[0] not in {1, 2}:
                raise TlsError("a malformed alert", alert=Alert.DECODE_ERROR)
            fatal = fragment[0] == FATAL
            self._add(AlertMessage(parse_alert(fragment[1]), fragment[1], fatal), found)
            self.done = fatal or fragment[1] == Alert.CLOSE_NOTIFY
        elif self._hello is None:
            raise TlsError(
                "encrypted records before any server hello",
                alert=Alert.UNEXPECTED_MESSAGE,
            )
        else:
            self._add(EncryptedFollows(), found)
            self.done = True

    def _add(self, message: Message, found: list[Message]) -> None:
        self._count_one()
        found.append(message)

    def _count_one(self) -> None:
        self._count += 1
        if self._count > MAX_MESSAGES:
            raise TlsError(
                f"the server's first flight has more than {MAX_MESSAGES} messages",
                alert=Alert.UNEXPECTED_MESSAGE,
            )

    def _take_messages(self, found: list[Message]) -> None:
        while len(self._messages) >= 4 and not self.done:
            kind = self._messages[0]
            size = int.from_bytes(self._messages[1:4], "big")
            if size > self._max_bytes:
                raise TlsError(
                    f"the server's {_NAMES.get(kind, f'message of type {kind}')} says"
                    f" it has {size} bytes; {self._max_bytes} is the limit",
                    alert=Alert.ILLEGAL_PARAMETER,
                )
            if len(self._messages) < 4 + size:
                return
            body = bytes(self._messages[4 : 4 + size])
            del self._messages[: 4 + size]
            self._take_message(kind, body, found)

    def _take_message(self, kind: int, body: bytes, found: list[Message]) -> None:
        if kind == 0:  # HelloRequest: to be ignored (RFC 5246 §7.4.1.1)
            self._count_one()
            return
        if kind == 2:
            if self._hello is not None:
                raise TlsError("a second server hello", alert=Alert.UNEXPECTED_MESSAGE)
            self._hello = _read_hello(body, self._record_version)
            self._add(self._hello, found)
            if self._hello.version >= Version.TLS1_3:
                self._add(EncryptedFollows(), found)
                self.done = True
            return
        if self._hello is None:
            raise TlsError(
                f"the first message is {_NAMES.get(kind, f'of type {kind}')},"
                " not a server hello",
                alert=Alert.UNEXPECTED_MESSAGE,
            )
        reader = _READERS.get(kind)
        if reader is None:
            self._add(OtherMessage(kind, len(body)), found)
            return
        self._add(reader(body, self._hello), found)
        self.done = kind == 14


def _read_hello(body: bytes, record_version: int) -> ServerHello:
    reader = wire.Reader(body, "server hello")
    version = reader.number(2, "version")
    random = reader.take(32, "random")
    session_id = reader.vector(1, "session id")
    if len(session_id) > 32:
        reader.fail("the session id is longer than 32 bytes")
    suite = reader.number(2, "cipher suite")
    compression = reader.number(1, "compression method")
    extensions = reader.extensions()
    for number, content in extensions:
        if number == 43:
            if len(content) != 2:
                reader.fail("supported_versions must hold one version")
            version = int.from_bytes(content, "big")
    return ServerHello(
        version=version,
        suite_number=suite,
        session_id=session_id,
        compression=compression,
        extensions=extensions,
        random=random,
        record_version=record_version,
        is_retry=random == _RETRY_RANDOM,
    )


def _read_certificate(body: bytes, _: ServerHello) -> CertificateMessage:
    reader = wire.Reader(body, "certificate message")
    block = reader.sub(3, "list")
    reader.done()
    chain: list[bytes] = []
    while block.left:
        if len(chain) == MAX_CERTIFICATES:
            block.fail(f"more than {MAX_CERTIFICATES} certificates")
        chain.append(block.vector(3, "certificate"))
    return CertificateMessage(tuple(chain))


def read_client_chain(body: bytes, version: int) -> tuple[bytes, ...]:
    """A client's Certificate message, without its header: each certificate's DER.

    ``version`` is the one agreed on, as on the wire: from TLS 1.3 on there is a context
    before the list and extensions with each certificate (RFC 8446 §4.4.2, before it
    RFC 5246 §7.4.6). Raises TlsError.
    """
    reader = wire.Reader(body, "certificate message")
    newer = version >= Version.TLS1_3
    if newer:
        reader.vector(1, "context")
    block = reader.sub(3, "list")
    reader.done()
    chain: list[bytes] = []
    while block.left:
        if len(chain) == MAX_CERTIFICATES:
            block.fail(f"more than {MAX_CERTIFICATES} certificates")
        chain.append(block.vector(3, "certificate"))
        if newer:
            block.vector(2, "extensions")
    return tuple(chain)


def _read_status(body: bytes, _: ServerHello) -> CertificateStatus:
    reader = wire.Reader(body, "certificate status")
    kind = reader.number(1, "type")
    response = (
        reader.vector(3, "response") if kind == 1 else reader.take(reader.left, "")
    )
    reader.done()
    return CertificateStatus(kind, response)


def _read_key_exchange(body: bytes, hello: ServerHello) -> ServerKeyExchange:
    suite = hello.suite
    if suite is None:
        return ServerKeyExchange("unknown")
    reader = wire.Reader(body, "server key exchange")
    group: int | None = None
    bits: int | None = None
    if suite.key_exchange == "ECDHE":
        curve_type = reader.number(1, "curve type")
        if curve_type != 3:  # explicit curves: RFC 8422 forbids them; told, not read
            return ServerKeyExchange("ECDHE")
        group = reader.number(2, "curve")
        reader.vector(1, "point")
    elif suite.key_exchange == "DHE":
        bits = int.from_bytes(reader.vector(2, "prime"), "big").bit_length()
        reader.vector(2, "generator")
        reader.vector(2, "value")
    elif suite.key_exchange == "RSA":  # export suites: a temporary, weak key
        bits = int.from_bytes(reader.vector(2, "modulus"), "big").bit_length()
        reader.vector(2, "exponent")
    else:
        return ServerKeyExchange(suite.key_exchange)
    signature: int | None = None
    if suite.authentication != "anon":
        if hello.version >= Version.TLS1_2:
            signature = reader.number(2, "signature algorithm")
        reader.vector(2, "signature")
    reader.done()
    return ServerKeyExchange(suite.key_exchange, group, bits, signature)


def _read_request(body: bytes, hello: ServerHello) -> CertificateRequest:
    reader = wire.Reader(body, "certificate request")
    types = reader.numbers(1, "certificate types", 1)
    signatures: tuple[int, ...] = ()
    if hello.version >= Version.TLS1_2:
        signatures = reader.numbers(2, "signature algorithms")
    names = []
    # An old server may end here, with no list of names at all.
    if reader.left:
        block = reader.sub(2, "authorities")
        reader.done()
        while block.left:
            names.append(block.vector(2, "name"))
    return CertificateRequest(types, signatures, tuple(names))


def _read_done(body: bytes, _: ServerHello) -> ServerHelloDone:
    wire.Reader(body, "server hello done").done()
    return ServerHelloDone()


_READERS: dict[int, Callable[[bytes, ServerHello], Message]] = {
    11: _read_certificate,
    12: _read_key_exchange,
    13: _read_request,
    14: _read_done,
    22: _read_status,
}
_NAMES = {
    0: "hello request",
    1: "client hello",
    2: "server hello",
    4: "session ticket",
    11: "certificate message",
    12: "server key exchange",
    13: "certificate request",
    14: "server hello done",
    20: "finished message",
    22: "certificate status",
}
