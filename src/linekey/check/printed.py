"""A ClientHello in what other programs print: dumps, traces, JSON, trees.

What is read: offsets and hex bytes with text beside them (Wireshark's hex dump,
``xxd``, ``hexdump -C``, ``tcpdump -x`` and ``-X``, OpenSSL's ``-debug``); OpenSSL's
``-msg``, which prints the handshake message without its record; long hex digits within
text, such as ``tcp.payload`` in ``tshark -T json``; and the tree that Wireshark copies
as text and ``tshark -V`` prints, which names each number.

From a tree the hello is built anew; an extension whose content the tree does not print
is left out and named. TLS 1.3 needs a key share, which no tree prints whole.

Rule: pure; what is none of these forms gives nothing, never an error.
"""

import re
from collections.abc import Iterator
from typing import Final

from linekey.tls import wire
from linekey.tls.hello import ClientHello

_LINE: Final = re.compile(
    rb"\s*(?:\|\s*)?(?:0x)?[0-9A-Fa-f]{4,8}\s*(?::|-|\s)\s*(?P<rest>.*)"
)
_PAIRS: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}){1,8}")
_MESSAGE: Final = re.compile(rb"[<>]{3}.*Handshake.*ClientHello")
_HEX_LINE: Final = re.compile(rb"\s+[0-9A-Fa-f]{2}(?: [0-9A-Fa-f]{2})*\s*")
_RUN: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}[:]?){40,}")
_IN_A_ROW: Final = 16


def printed_bytes(data: bytes) -> Iterator[bytes]:
    """Bytes that a print may hold, in which a hello is then looked for."""
    for body in _messages(data.splitlines()):
        yield b"\x16\x03\x01" + len(body).to_bytes(2, "big") + body
    if dumped := _dumped(data):
        yield dumped
    for run in _RUN.finditer(data):
        digits = run.group().replace(b":", b"")
        yield bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))


def _messages(lines: list[bytes]) -> Iterator[bytes]:
    body: bytearray | None = None
    for line in (*lines, b""):
        if body is not None and _HEX_LINE.fullmatch(line):
            body += bytes.fromhex(line.decode("ascii"))
            continue
        if body and len(body) < 1 << 16:
            yield bytes(body)
        body = bytearray() if _MESSAGE.match(line) else None


def _dumped(data: bytes) -> bytes:
    found = bytearray()
    for line in data.splitlines():
        shaped = _LINE.fullmatch(line)
        if shaped is None:
            continue
        row = bytearray()
        # Text beside the bytes is set off by several blanks or a bar.
        for part in re.split(rb"\s{3,}|\s?\|", shaped["rest"])[0].split(b"  "):
            for token in re.split(rb"[\s-]+", part.strip()):
                if not _PAIRS.fullmatch(token) or len(row) >= _IN_A_ROW:
                    break
                row += bytes.fromhex(token.decode("ascii"))
            else:
                continue
            break
        found += row[:_IN_A_ROW]
    return bytes(found)


# A tree: "    Cipher Suite: TLS_RSA_WITH_AES_128_CBC_SHA (0x002f)"
_NUMBER: Final = r"[^\n]*?\((?P<n>0x[0-9a-fA-F]+|[0-9]+)\)"
_HELLO: Final = re.compile(r"Handshake Type: Client Hello")
_VERSION: Final = re.compile(rf"^\s*(?:Legacy )?Version: {_NUMBER}", re.MULTILINE)
_SUITE: Final = re.compile(rf"^\s*Cipher Suite: {_NUMBER}", re.MULTILINE)
_COMPRESSION: Final = re.compile(rf"^\s*Compression Method: {_NUMBER}", re.MULTILINE)
_EXTENSION: Final = re.compile(
    r"^[ \t]*Extension: (?P<name>\w[\w -]{0,60}?)(?=[ \t]*(?:\(|$)).*$", re.MULTILINE
)
_TYPE: Final = re.compile(rf"^\s*Type: {_NUMBER}", re.MULTILINE)
_ITEMS: Final = {
    10: (2, re.compile(rf"^\s*Supported Group: {_NUMBER}", re.MULTILINE)),
    11: (1, re.compile(rf"^\s*(?:EC|Elliptic curves) point format: {_NUMBER}",
                       re.MULTILINE | re.IGNORECASE)),
    13: (2, re.compile(rf"^\s*Signature (?:Hash )?Algorithm: {_NUMBER}", re.MULTILINE)),
}  # fmt: skip
"""Extensions whose content is a list of numbers that the tree prints: size, item."""
_EMPTY: Final = frozenset({17, 22, 23, 35})
"""Extensions that a client sends empty, or may."""
_NAME: Final = re.compile(r"^\s*Server Name: (?P<name>[A-Za-z0-9.-]{1,253})\s*$",
                          re.MULTILINE)  # fmt: skip


def hello_in_tree(text: str) -> tuple[ClientHello, tuple[str, ...]] | None:
    """A hello as a tree prints it, and which extensions were left out; None: no tree.

    Raises ValueError for one of TLS 1.3, whose key share is not in it.
    """
    begin = _HELLO.search(text)
    if begin is None:
        return None
    body = text[begin.end() :]
    end = re.search(r"Server Hello|Handshake Protocol: (?!Client Hello)", body)
    body = body if end is None else body[: end.start()]
    suites = tuple(_number(m) for m in _SUITE.finditer(body))
    versions = [_number(m) for m in _VERSION.finditer(body)]
    if not suites or not versions:
        return None
    starts = [*_EXTENSION.finditer(body)]
    extensions: list[tuple[int, bytes]] = []
    left_out: list[str] = []
    for place, found in enumerate(starts):
        following = starts[place + 1].start() if place + 1 < len(starts) else len(body)
        part = body[found.end() : following]
        kind = _TYPE.search(part)
        number = -1 if kind is None else _number(kind)
        content = _content(number, part)
        if number in (43, 51) and "0x0304" in part + body:
            raise ValueError("a hello of TLS 1.3, whose key share a tree does not hold")
        if content is None:
            left_out.append(found["name"].strip())
        else:
            extensions.append((number, content))
    compressions = tuple(_number(m) for m in _COMPRESSION.finditer(body)) or (0,)
    before = [*_VERSION.finditer(text[: begin.start()][-600:])]
    record = _number(before[-1]) if before else 0x0301
    hello = ClientHello(
        versions[0], bytes(32), suites, tuple(extensions),
        compressions=compressions, record_version=record,
    )  # fmt: skip
    return hello, tuple(left_out)


def _number(found: re.Match[str]) -> int:
    return int(found["n"], 0)


def _content(number: int, part: str) -> bytes | None:
    if number in _ITEMS:
        size, pattern = _ITEMS[number]
        items = [_number(m) for m in pattern.finditer(part)]
        if number == 11:
            return wire.numbers(1, tuple(items), 1) if items else None
        return wire.numbers(size, tuple(items)) if items else None
    if number in _EMPTY:
        return b""
    if number == 0 and (name := _NAME.search(part)) is not None:
        ascii_name = name["name"].encode("ascii")
        return wire.vector(2, b"\0" + wire.vector(2, ascii_name))
    return None
