"""A directory server's messages, read: RFC 4511 §4, as far as one look-up needs it.

``MessageReader`` takes bytes as they come and gives whole messages as values. What is
no LDAP, or breaks its rules, is a PeerError. Beside it, the phone's good-bye.

Rules: elements are taken apart by ``certs.der``, which bounds every length and never
recurses (LDAP's BER has definite lengths and one-byte tags only, RFC 4511 §5.1);
numbers have at most four bytes (maxInt, §4.1.1); texts that are no UTF-8 are shown with
marks in them, since a wrong letter in a name is no reason to show nobody; controls and
elements that a later version may add are passed over (§4).

sansldap writes the phone's bind and search, and is not let read the server's messages:
it takes a result code that it does not know for 0, success; it waits for the rest of a
message that is whole and wrong inside; and a long integer costs it the square of its
length (0.1.0). Its unbind has a tag that slapd does not know, so that is written here.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from linekey.certs import der
from linekey.errors import CertificateError, PeerError

MAX_ANSWER: Final = 4 * 1024 * 1024
"""Bytes taken in one look-up; a thousand entries are some 300 kB."""
DISCONNECTION: Final = "1.3.6.1.4.1.1466.20036"
"""The Notice of Disconnection (RFC 4511 §4.4.1)."""


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


def write_unbind(number: int) -> bytes:
    """The phone's good-bye, an ``[APPLICATION 2] NULL`` (RFC 4511 §4.3)."""
    return der.write(der.SEQUENCE, der.write_integer(number), der.write(0x42))


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
