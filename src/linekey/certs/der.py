"""DER, read and written: as much of X.690 as certificates need.

Reading keeps to offsets into the bytes it was given, so that a certificate is taken
apart without copying. It takes lengths that are longer than they need be, since
OpenSSL does; it refuses tags of several bytes, which no certificate has, and indefinite
lengths, which ``write_definite`` rewrites. Every refusal is a CertificateError. Nothing
here knows what a certificate is, and nothing recurses.
"""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from linekey.errors import CertificateError
from linekey.said import say

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
NUMERIC_STRING = 0x12
PRINTABLE_STRING = 0x13
T61_STRING = 0x14
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
VISIBLE_STRING = 0x1A
UNIVERSAL_STRING = 0x1C
BMP_STRING = 0x1E
SEQUENCE = 0x30
SET = 0x31

Span = tuple[int, int, int]
"""Tag, then where the content starts and where it stops."""


def read_span(data: bytes, at: int, end: int) -> Span:
    """Read one element's head at ``at``; its content lies within ``end``.

    Raises CertificateError when the head or the content would cross ``end``.
    """
    start = at + 2
    if start > end:
        raise CertificateError(say("truncated DER at byte %(at)s", at=at))
    tag = data[at]
    length = data[at + 1]
    if tag & 0x1F == 0x1F:
        raise CertificateError(say("DER tag of several bytes at byte %(at)s", at=at))
    if length & 0x80:
        count = length & 0x7F
        if count == 0:
            raise CertificateError(
                say("indefinite length at byte %(at)s: BER, not DER", at=at)
            )
        start += count
        if count > 4 or start > end:
            raise CertificateError(
                say("DER length out of bounds at byte %(at)s", at=at)
            )
        length = int.from_bytes(data[at + 2 : start], "big")
    stop = start + length
    if stop > end:
        raise CertificateError(
            say("DER element at byte %(at)s runs past its end", at=at)
        )
    return tag, start, stop


def read_tagged(data: bytes, at: int, end: int, tag: int, what: str) -> tuple[int, int]:
    """Read one element that must have ``tag``; its content's start and stop.

    ``what`` names it in the error. Raises CertificateError.
    """
    found, start, stop = read_span(data, at, end)
    if found != tag:
        raise CertificateError(
            say(
                "%(what)s: expected DER tag 0x%(tag)s, found 0x%(found)s",
                what=what,
                tag=f"{tag:02x}",
                found=f"{found:02x}",
            )
        )
    return start, stop


def read_all(data: bytes, start: int, stop: int) -> list[Span]:
    """Read the elements that fill ``start`` to ``stop``. Raises CertificateError."""
    spans = []
    while start < stop:
        span = read_span(data, start, stop)
        spans.append(span)
        start = span[2]
    return spans


def read_integer(content: bytes, what: str) -> int:
    """A signed INTEGER's content. Raises CertificateError when empty."""
    if not content:
        raise CertificateError(say("%(what)s: an INTEGER without content", what=what))
    return int.from_bytes(content, "big", signed=True)


@lru_cache(maxsize=512)
def dotted(content: bytes) -> str:
    """An OBJECT IDENTIFIER's content in dotted form, such as ``2.5.4.3``.

    Raises CertificateError when it is empty, cut off, or longer than 64 bytes.
    """
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise CertificateError(
            say(
                "malformed object identifier: %(content)s",
                content=repr(content[:64].hex()),
            )
        )
    arcs = []
    value = 0
    for byte in content:
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


_TIMES: Final = {
    tag: re.compile(
        rb"(?P<year>\d{%d})(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)"
        rb"(?:(?P<second>\d\d)(?:\.\d+)?)?(?:Z|(?P<sign>[+-])(?P<off>\d{4}))" % digits
    )
    for tag, digits in ((UTC_TIME, 2), (GENERALIZED_TIME, 4))
}


def read_time(tag: int, content: bytes, what: str) -> datetime | None:
    """A UTCTime or GeneralizedTime, in UTC; None where there is no date in it.

    As RFC 5280 §4.1.2.5 writes it, and as X509_cmp_time of OpenSSL up to 1.0.2o reads
    it: seconds may be left out or have a fraction, which is dropped, and an offset may
    stand in place of Z (``is_strict_time`` tells). Two-digit years from 50 on are 19xx.
    OpenSSL compares the digits: a day that does not exist is the end of its month here,
    a month 13 the end of its year. Raises CertificateError for any other tag.
    """
    form = _TIMES.get(tag)
    if form is None:
        raise CertificateError(
            say("%(what)s: DER tag 0x%(tag)s is no time", what=what, tag=f"{tag:02x}")
        )
    found = form.fullmatch(content) if len(content) <= _LONGEST_TIME else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (
        int(found[part] or 0)
        for part in ("year", "month", "day", "hour", "minute", "second")
    )
    if tag == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    try:
        moment = _nearest(year, month, day, hour, minute, second)
        if found["off"]:
            off = int(found["off"][:2]) * 60 + int(found["off"][2:])
            moment += timedelta(minutes=-off if found["sign"] == b"+" else off)
    except (ValueError, OverflowError):
        return None  # the year 0, or off the calendar's ends
    return moment


def _nearest(
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> datetime:
    """The moment; for one that does not exist the next before or after that does."""
    if month > 12:
        month, day = 12, 99
    if not month:
        month, day = 1, 0
    if not day:
        day, hour, minute, second = 1, 0, 0, 0
    last = monthrange(year, month)[1]
    if day > last:
        day, hour = last, 99
    if hour > 23:
        hour, minute = 23, 99
    if minute > 59:
        minute, second = 59, 59
    return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)


def is_strict_time(tag: int, content: bytes) -> bool:
    """Whether a time is written as RFC 5280 §4.1.2.5 has it: seconds, Z, a real day."""
    moment = read_time(tag, content, "time")
    if moment is None:
        return False
    year = f"{moment.year % 100:02}" if tag == UTC_TIME else f"{moment.year:04}"
    return content == f"{year}{moment:%m%d%H%M%S}Z".encode("ascii")


_LONGEST_TIME: Final = 32  # OpenSSL 1.0 reads at most 23 bytes of a GeneralizedTime


_DEEPEST: Final = 30  # OpenSSL's ASN1_MAX_CONSTRUCTED_NEST


def write_definite(data: bytes) -> bytes:
    """BER with indefinite lengths (X.690 §8.1.3.6) in definite ones, as OpenSSL writes.

    Elements without any keep their bytes. Raises CertificateError for what is no BER.
    """
    # Each open element: its tag, where it began and ends (None: at two zero bytes),
    # what it holds, and whether any of that was rewritten.
    opened: list[tuple[int, int, int | None, list[bytes], bool]] = []
    at, end = 0, len(data)
    while True:
        until = opened[-1][2] if opened else None
        ended = bool(opened) and until is None and data[at : at + 2] == b"\x00\x00"
        if ended or (until is not None and at == until):
            tag, begin, _, parts, rewritten = opened.pop()
            at += 2 * ended
            again = rewritten or ended
            whole = write(tag, *parts) if again else data[begin:at]
            if not opened:
                return whole + data[at:]
            above = opened.pop()
            above[3].append(whole)
            opened.append((*above[:4], above[4] or again))
            continue
        if len(opened) > _DEEPEST:
            raise CertificateError(
                say("elements nest too deeply at byte %(at)s", at=at)
            )
        if at + 2 <= end and data[at] & 0x20 and data[at + 1] == 0x80:
            opened.append((data[at], at, None, [], False))
            at += 2
            continue
        tag, start, stop = read_span(data, at, end if until is None else until)
        if tag & 0x20:
            opened.append((tag, at, stop, [], False))
            at = start
            continue
        if not opened:
            return data
        opened[-1][3].append(data[at:stop])
        at = stop


def write(tag: int, *contents: bytes) -> bytes:
    """One element with ``tag`` and the joined contents."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def write_integer(value: int) -> bytes:
    """An INTEGER, negative values too, in the fewest bytes."""
    magnitude = value if value >= 0 else ~value
    size = magnitude.bit_length() // 8 + 1
    return write(INTEGER, value.to_bytes(size, "big", signed=True))


def write_oid(text: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form. Raises CertificateError."""
    arcs = text.split(".")
    if len(arcs) < 2 or not all(arc.isascii() and arc.isdigit() for arc in arcs):
        raise CertificateError(
            say("not a dotted object identifier: %(text)s", text=repr(text))
        )
    first, second, *rest = map(int, arcs)
    if first > 2 or (first < 2 and second > 39):
        raise CertificateError(
            say(
                "not an object identifier that DER can hold: %(text)s",
                text=repr(text),
            )
        )
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | (arc & 0x7F))
        content.extend(reversed(septets))
    return write(OBJECT_IDENTIFIER, bytes(content))


def write_time(when: datetime) -> bytes:
    """A date as RFC 5280 §4.1.2.5 asks: UTCTime through 2049, then GeneralizedTime.

    ``when`` must be aware; parts of a second are dropped. Raises CertificateError for
    a naive date.
    """
    if when.tzinfo is None:
        raise CertificateError(
            say("a date without time zone: %(when)s", when=repr(when.isoformat()))
        )
    when = when.astimezone(UTC)
    text = f"{when.year:04}{when:%m%d%H%M%S}Z"
    if 1950 <= when.year < 2050:
        return write(UTC_TIME, text[2:].encode("ascii"))
    return write(GENERALIZED_TIME, text.encode("ascii"))
