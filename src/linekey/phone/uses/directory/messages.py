"""The messages of one look-up, RFC 4511 §4: the phone's written, the server's read.

``MessageReader`` takes bytes as they come and gives whole messages as values. What is
no LDAP, or breaks its rules, is a PeerError. ``write_bind``, ``write_search`` and
``write_unbind`` are all that the phone says.

Rules: elements are taken apart by ``certs.der``, which bounds every length and never
recurses (LDAP's BER has definite lengths and one-byte tags only, RFC 4511 §5.1);
numbers have at most four bytes (maxInt, §4.1.1); texts that are no UTF-8 are shown with
marks in them, since a wrong letter in a name is no reason to show nobody; controls and
elements that a later version may add are passed over (§4).

Why no LDAP library does this: docs/decisions/0025.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from linekey.certs import der
from linekey.errors import CertificateError, PeerError
from linekey.phone.uses.directory.filters import write_filter

MAX_ANSWER: Final = 4 * 1024 * 1024
"""Bytes taken in one look-up; a thousand entries are some 300 kB."""
DISCONNECTION: Final = "1.3.6.1.4.1.1466.20036"
"""The Notice of Disconnection (RFC 4511 §4.4.1)."""


class ResultCode(IntEnum):
    """The result codes of RFC 4511 (§4.1.9); servers send others, too."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    PROTOCOL_ERROR = 2
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    COMPARE_FALSE = 5
    COMPARE_TRUE = 6
    AUTH_METHOD_NOT_SUPPORTED = 7
    STRONG_AUTH_REQUIRED = 8
    REFERRAL = 10
    ADMIN_LIMIT_EXCEEDED = 11
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    CONFIDENTIALITY_REQUIRED = 13
    SASL_BIND_IN_PROGRESS = 14
    NO_SUCH_ATTRIBUTE = 16
    UNDEFINED_ATTRIBUTE_TYPE = 17
    INAPPROPRIATE_MATCHING = 18
    CONSTRAINT_VIOLATION = 19
    ATTRIBUTE_OR_VALUE_EXISTS = 20
    INVALID_ATTRIBUTE_SYNTAX = 21
    NO_SUCH_OBJECT = 32
    ALIAS_PROBLEM = 33
    INVALID_DN_SYNTAX = 34
    ALIAS_DEREFERENCING_PROBLEM = 36
    INAPPROPRIATE_AUTHENTICATION = 48
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53
    LOOP_DETECT = 54
    NAMING_VIOLATION = 64
    OBJECT_CLASS_VIOLATION = 65
    NOT_ALLOWED_ON_NON_LEAF = 66
    NOT_ALLOWED_ON_RDN = 67
    ENTRY_ALREADY_EXISTS = 68
    OBJECT_CLASS_MODS_PROHIBITED = 69
    AFFECTS_MULTIPLE_DSAS = 71
    OTHER = 80


class _Operation(IntEnum):
    """The choices of protocolOp that a server sends (RFC 4511 §4.2 to §4.13)."""

    BIND_RESPONSE = 0x61
    ENTRY = 0x64
    DONE = 0x65
    REFERENCE = 0x73
    EXTENDED = 0x78
    INTERMEDIATE = 0x79


_ENUMERATED: Final = 0x0A
_REFERRAL: Final = 0xA3  # [3] of LDAPResult, §4.1.9
_RESPONSE_NAME: Final = 0x8A  # [10] of ExtendedResponse, §4.12
_NO_LDAP_HINT: Final = "check ldap_server, ldap_port and ldap_over_tls"


@dataclass(frozen=True, slots=True)
class Result:
    """An LDAPResult: how an operation ended (RFC 4511 §4.1.9, appendix A)."""

    code: int
    """The resultCode as the server sent it; the list of codes is open."""
    text: str = ""
    """The diagnosticMessage: the server's own words."""
    referrals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bound:
    """The answer to a bind (§4.2.2). ``id`` is the message that it answers."""

    id: int
    result: Result


@dataclass(frozen=True, slots=True)
class Found:
    """One entry that a search found (§4.5.2)."""

    id: int
    dn: str
    attributes: tuple[tuple[str, tuple[bytes, ...]], ...]
    """Attribute descriptions, as the server spells them, with their values."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A part of the directory that another server has (§4.5.3)."""

    id: int


@dataclass(frozen=True, slots=True)
class Done:
    """The search is over (§4.5.2)."""

    id: int
    result: Result


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that nobody asked for: an unsolicited notification (§4.4)."""

    name: str
    """Its object identifier."""
    result: Result


Message = Bound | Found | Reference | Done | Notice


class MessageReader:
    """Cuts a server's bytes into messages, and reads them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._taken = 0
        self._understood = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they came. Raises PeerError above ``MAX_ANSWER`` in all."""
        self._taken += len(data)
        self._buffer += data
        if self._taken > MAX_ANSWER:
            raise _too_much()

    def next(self) -> Message | None:
        """The next whole message that says anything; None until more bytes came.

        Raises PeerError for what is no LDAP message, or none that a server sends.
        """
        while (size := self._size()) is not None and len(self._buffer) >= size:
            whole = bytes(self._buffer[:size])
            del self._buffer[:size]
            try:
                message = _read(whole)
            except CertificateError as error:
                raise self._wrong(error.message) from None
            self._understood += 1
            if message is not None:
                return message
        return None

    def _size(self) -> int | None:
        """Bytes of the message that begins the buffer; None if too few are here."""
        head = self._buffer[:6]
        if head[:1] not in (b"", bytes((der.SEQUENCE,))):
            # Else its first bytes may pass for the length of a message to wait for.
            raise self._wrong("it begins as no message does")
        if len(head) < 2 or (head[1] & 0x80 and len(head) < 2 + (head[1] & 0x7F) <= 6):
            return None
        try:
            _, _, stop = der.read_span(bytes(head), 0, MAX_ANSWER)
        except CertificateError as error:
            if head[1] == 0x80 or head[1] > 0x84:
                raise self._wrong(error.message) from None
            raise _too_much() from None
        return stop

    def _wrong(self, why: str) -> PeerError:
        if not self._understood:
            return PeerError(
                f"the directory's answer is not LDAP: {why}", hint=_NO_LDAP_HINT
            )
        return PeerError(
            f"the directory breaks the rules of LDAP: {why}",
            hint="look in the server's log, and check for a device in between",
        )


def write_bind(number: int, name: str, password: str) -> bytes:
    """A simple login as LDAPv3; with both empty, nobody's (RFC 4511 §4.2)."""
    simple = der.write(0x80, password.encode())
    return _message(number, 0x60, der.write_integer(3), _octets(name), simple)


def write_search(
    number: int,
    *,
    base: str,
    filter_text: str,
    attributes: Iterable[str],
    size_limit: int,
    time_limit_s: int,
) -> bytes:
    """A search of the whole subtree below ``base``, aliases left alone (§4.5.1).

    ``filter_text`` is written by RFC 4515; raises InputError where it is no filter. At
    most ``size_limit`` entries are asked for, within ``time_limit_s`` seconds.
    """
    return _message(
        number,
        0x63,
        _octets(base),
        der.write(_ENUMERATED, b"\x02"),  # wholeSubtree
        der.write(_ENUMERATED, b"\x00"),  # neverDerefAliases
        der.write_integer(size_limit),
        der.write_integer(time_limit_s),
        der.write(der.BOOLEAN, b"\x00"),  # values, too, and not the types alone
        write_filter(filter_text),
        der.write(der.SEQUENCE, *map(_octets, attributes)),
    )


def write_unbind(number: int) -> bytes:
    """The phone's good-bye, an ``[APPLICATION 2] NULL`` (RFC 4511 §4.3)."""
    return _message(number, 0x42)


def _message(number: int, operation: int, *parts: bytes) -> bytes:
    return der.write(
        der.SEQUENCE, der.write_integer(number), der.write(operation, *parts)
    )


def _octets(text: str) -> bytes:
    return der.write(der.OCTET_STRING, text.encode())


def _too_much() -> PeerError:
    return PeerError(
        f"the directory sends more than {MAX_ANSWER} bytes",
        hint="narrow ldap_base or the filter, or lower ldap_max_hits",
    )


def _read(data: bytes) -> Message | None:
    """Read one whole message; None for one to pass over. Raises CertificateError."""
    start, stop = der.read_tagged(data, 0, len(data), der.SEQUENCE, "LDAPMessage")
    id_start, id_stop = der.read_tagged(data, start, stop, der.INTEGER, "messageID")
    number = _number(data[id_start:id_stop], "messageID")
    operation, at, end = der.read_span(data, id_stop, stop)
    match operation:
        case _Operation.BIND_RESPONSE:
            return Bound(number, _result(data, at, end))
        case _Operation.ENTRY:
            return _found(data, at, end, number)
        case _Operation.DONE:
            return Done(number, _result(data, at, end))
        case _Operation.REFERENCE:
            return Reference(number)
        case _Operation.EXTENDED if number == 0:
            # Active Directory puts the name beside the operation ([MS-ADTS] 3.1.1.3.4).
            spans = der.read_all(data, at, end) + der.read_all(data, end, stop)
            names = [data[a:b] for tag, a, b in spans if tag == _RESPONSE_NAME]
            return Notice(_text(names[0]) if names else "", _result(data, at, end))
        case _Operation.INTERMEDIATE:  # only whoever asked for an extension knows it
            return None
    raise CertificateError(f"operation 0x{operation:02x} is no answer to a look-up")


def _result(data: bytes, at: int, end: int) -> Result:
    start, stop = der.read_tagged(data, at, end, _ENUMERATED, "resultCode")
    code = _number(data[start:stop], "resultCode")
    _, stop = der.read_tagged(data, stop, end, der.OCTET_STRING, "matchedDN")
    start, stop = der.read_tagged(data, stop, end, der.OCTET_STRING, "diagnostics")
    text = _text(data[start:stop])
    referrals: list[str] = []
    for tag, a, b in der.read_all(data, stop, end):
        if tag == _REFERRAL:
            referrals += [_text(data[x:y]) for _, x, y in der.read_all(data, a, b)]
    return Result(code, text, tuple(referrals))


def _found(data: bytes, at: int, end: int, number: int) -> Found:
    name_at, name_end = der.read_tagged(data, at, end, der.OCTET_STRING, "objectName")
    at, end = der.read_tagged(data, name_end, end, der.SEQUENCE, "attributes")
    attributes = []
    for tag, start, stop in der.read_all(data, at, end):
        if tag != der.SEQUENCE:
            raise CertificateError(f"attribute: found BER tag 0x{tag:02x}")
        a, b = der.read_tagged(data, start, stop, der.OCTET_STRING, "attribute type")
        at, end = der.read_tagged(data, b, stop, der.SET, "attribute values")
        values = tuple(data[x:y] for _, x, y in der.read_all(data, at, end))
        attributes.append((_text(data[a:b]), values))
    return Found(number, _text(data[name_at:name_end]), tuple(attributes))


def _number(content: bytes, what: str) -> int:
    if len(content) > 4:
        raise CertificateError(f"{what}: a number of {len(content)} bytes")
    return der.read_integer(content, what)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
