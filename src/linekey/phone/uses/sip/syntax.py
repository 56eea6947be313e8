"""What a SIP message says, and what RFC 3261 answers to one that is wrong.

``read_message`` gives a ``Request``, a ``Response``, or a ``Flawed``: one that is not
served, with the reason, and the answer that its sender gets or nothing. ``flaw_of``
says the same of a request whose fields are not what every request needs. One odd
message is one message's trouble: the connection stays, since its end was known.

Rules, all of RFC 3261: §7.1 (the request line has two single spaces, its version is
``SIP/2.0`` in any case; another is 505, §21.5.6), §7.3 (white space before the colon,
folding, names in any case), §8.1.1 and §20 (Via, From, To, Call-ID and CSeq stand once
and can be read, else 400, §21.4.1), §8.2.2 (a malformed field that is not needed is
passed over; text that is not UTF-8 is one), §8.1.3.3 (a response with more than our Via
is dropped, as is one whose status is none, §7.2), §17.1.1.3 (no ACK is answered). What
a good request is refused for is ``refusal``: 501 and 405 (§8.2.1), 416 (§8.2.2.1), 420
(§8.2.2.3). RFC 4475 holds the cases.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sipmessage import URI, Request, Response
from sipmessage.message import COMPACT_FORMS, Headers

from linekey.errors import PeerError

KNOWN_METHODS: Final = frozenset(
    {
        "ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS",
        "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE",
    }
)  # fmt: skip
"""IANA, SIP Methods. One of them that is not served is 405, any other 501."""
MOST_CSEQ: Final = 2**31
"""A CSeq is below it (§8.1.1.5)."""

_NO_SIP = "check that host and port are those of a SIP server over TLS"
_CHARACTERS = r"[A-Za-z0-9\-.!%*_+`'~]+"
_WORD = re.compile(_CHARACTERS)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)"
_VALUE = rf"(?:{_CHARACTERS}|{_QUOTED.pattern}|{_HOST})"
_PARAMETERS = re.compile(
    rf"(?:[ \t]*;[ \t]*{_CHARACTERS}(?:[ \t]*=[ \t]*{_VALUE})?)*[ \t]*", re.DOTALL
)
_VIA = re.compile(
    rf"[ \t]*SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*{_CHARACTERS}[ \t]+{_HOST}"
    r"(?:[ \t]*:[ \t]*[0-9]{1,5})?",
    re.IGNORECASE,
)
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)
_CSEQ = re.compile(rf"([0-9]{{1,10}})[ \t]+({_CHARACTERS})")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_ONCE: Final = ("From", "To", "Call-ID", "CSeq")
_AT_MOST_ONCE: Final = (*_ONCE, "Max-Forwards")
_DISPLAY = re.compile(r"[A-Za-z0-9\-.!%*_+`'~ \t\x80-\U0010ffff]*")
"""Tokens. Text beyond ASCII needs quotation marks, often has none, and does no harm."""


@dataclass(frozen=True)
class Flawed:
    """A message that is not served; its sender gets ``code``, or nothing where 0."""

    reason: str
    """What is wrong with it, a clause."""
    code: int = 0
    phrase: str = ""
    request: Request | None = None
    """What could be read of it; where there is none, there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a good request is answered where it is not served."""

    code: int
    phrase: str
    headers: tuple[tuple[str, str], ...] = ()


def read_message(head: bytes, body: bytes) -> Request | Response | Flawed:
    """Read one message whose bounds are known; ``head`` is unfolded, with its end.

    Raises PeerError for what is no SIP at all.
    """
    text = head.decode("utf-8", "surrogateescape")
    start, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
    headers = _headers(lines)
    if start[:4].upper() == "SIP/":
        return _response(start, headers, body)
    return _request(start, headers, body)


def readable(text: str) -> str:
    """Header text for people and programs: what is not UTF-8 is read as Latin-1.

    Requests keep the bytes as they came (as surrogates), since a reply gives them back.
    """
    data = text.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_address(value: str) -> tuple[str, str, str]:
    """Display name, URI and header parameters of a From, To or Contact.

    Raises ValueError that says in a clause what is wrong (§20.10, §25.1).
    """
    text = value.strip()
    if text.startswith('"'):
        quoted = _QUOTED.match(text)
        if quoted is None:
            raise ValueError("a quotation mark is missing")
        name, rest = re.sub(r"\\(.)", r"\1", quoted[1]), text[quoted.end() :].lstrip()
        if not rest.startswith("<"):
            raise ValueError("a display name without an address in angle brackets")
    else:
        name, bracket, rest = text.partition("<")
        if bracket:
            if not _DISPLAY.fullmatch(name):
                raise ValueError("a display name that needs quotation marks")
            name, rest = name.strip(), f"<{rest}"
        else:
            name, rest = "", text
    if rest.startswith("<"):
        uri, bracket, parameters = rest[1:].partition(">")
        if not bracket:
            raise ValueError("an angle bracket is missing")
        uri = uri.strip()
    else:
        uri, _, parameters = rest.partition(";")
        parameters = f";{parameters}" if parameters else ""
        uri = uri.strip()
        if "," in uri or "?" in uri:
            raise ValueError("an address that needs angle brackets")
    if not _SCHEME.match(uri) or any(c in uri for c in ' \t<>"'):
        raise ValueError("an address that is no URI")
    if not _PARAMETERS.fullmatch(parameters):
        raise ValueError("parameters that cannot be read")
    return name, uri, parameters


def has_tag(parameters: str) -> bool:
    """Whether header parameters hold a ``tag``."""
    bare = _QUOTED.sub('""', parameters)
    return re.search(r";[ \t]*tag[ \t]*(?:=|;|$)", bare, re.IGNORECASE) is not None


def refusal(
    request: Request, served: Collection[str], extensions: Collection[str] = ()
) -> Refusal | None:
    """Why a request is refused before it is looked at, by the order of §8.2; or None.

    ``served``: the methods; ``extensions``: option tags that Require may name.
    """
    if request.method not in served:
        if request.method in KNOWN_METHODS:
            allow = ("Allow", ", ".join(served))
            return Refusal(405, "Method Not Allowed", (allow,))
        return Refusal(501, "Not Implemented")
    if request.uri.scheme not in ("sip", "sips"):
        return Refusal(416, "Unsupported URI Scheme")
    if request.method not in ("ACK", "CANCEL"):
        unknown = [tag for tag in _required(request) if tag.lower() not in extensions]
        if unknown:
            named = ("Unsupported", ", ".join(unknown))
            return Refusal(420, "Bad Extension", (named,))
    return None


def _required(request: Request) -> list[str]:
    words = ",".join(request.headers.getlist("Require")).split(",")
    return [word.strip() for word in words if _WORD.fullmatch(word.strip())]


def _headers(lines: list[str]) -> Headers:
    """The fields; a line that is none is passed over (§8.2.2)."""
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if colon and _WORD.fullmatch(name):
            headers.add(COMPACT_FORMS.get(name.lower(), name), value.strip(" \t"))
    return headers


def _response(start: str, headers: Headers, body: bytes) -> Response | Flawed:
    status = _STATUS.fullmatch(start)
    if status is None:
        return Flawed(f"a response whose status line is none: {readable(start)[:60]!r}")
    message = Response(int(status[1]), readable(status[2] or ""), body)
    for name in headers.keys():  # noqa: SIM118 - no mapping
        message.headers.setlist(name, [readable(v) for v in headers.getlist(name)])
    if len(_split(",".join(message.headers.getlist("Via")))) > 1:
        return Flawed("a response with more than one Via, which was not for this phone")
    return message


def _request(start: str, headers: Headers, body: bytes) -> Request | Flawed:
    words = start.split(" ")
    if not headers.getlist("Via") and not _VERSION.fullmatch(words[-1]):
        raise PeerError("the peer sends something that is not SIP", hint=_NO_SIP)
    request = Request(words[0], URI(scheme="", host=""), body)
    request.headers = headers

    def flawed(reason: str, code: int = 400, phrase: str = "Bad Request") -> Flawed:
        return _answered(request, reason, code, phrase)

    if len(words) != 3 or not _WORD.fullmatch(words[0]) or not words[1]:
        return flawed("a request line that is none")
    if not _VERSION.fullmatch(words[2]):
        return flawed("a request line without SIP's version")
    if words[2].upper() != "SIP/2.0":
        return flawed(f"version {words[2]}", 505, "Version Not Supported")
    uri = _request_uri(words[1])
    if uri is None:
        return flawed("a Request-URI that is none")
    request.uri = uri
    return request


def _answered(request: Request, reason: str, code: int, phrase: str) -> Flawed:
    if request.method == "ACK" or not request.headers.getlist("Via"):
        return Flawed(reason)  # there is nobody to answer
    return Flawed(reason, code, phrase, request)


def flaw_of(request: Request) -> Flawed | None:
    """What is wrong with the fields that every request needs; None where nothing is."""
    reason = _flaw(request.method, request.headers)
    return _answered(request, reason, 400, "Bad Request") if reason else None


def _flaw(method: str, headers: Headers) -> str:
    if not headers.getlist("Via"):
        return "no Via"
    for name in _ONCE:
        if not headers.get(name):
            return f"no {name}"
    for name in _AT_MOST_ONCE:
        if len(headers.getlist(name)) > 1:
            return f"{name} more than once"
    top = _split(headers.getlist("Via")[0])[0]
    via = _VIA.match(top)
    if via is None or not _PARAMETERS.fullmatch(top, via.end()):
        return "a Via that cannot be read"
    for name in ("From", "To"):
        try:
            read_address(headers[name])
        except ValueError as error:
            return f"{name}: {error}"
    cseq = _CSEQ.fullmatch(headers["CSeq"])
    if cseq is None or int(cseq[1]) >= MOST_CSEQ:
        return "a CSeq that is no number below 2**31 and a method"
    if cseq[2] != method:
        return "a CSeq of another method"
    return ""


def _request_uri(text: str) -> URI | None:
    """The Request-URI; of a scheme that is not SIP's only scheme and rest are told."""
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme + ":") or not rest:
        return None
    scheme = scheme.lower()
    if any(c in rest for c in '<>"\t'):
        return None
    if scheme not in ("sip", "sips"):
        return URI(scheme=scheme, host=rest)
    user, at, host = rest.rpartition("@")
    if not host or host[0] in ":;?" or "?" in host or (at and not user):
        return None  # header fields have no place in a Request-URI (§19.1.1)
    try:
        return URI.parse(f"{scheme}:{rest}")
    except ValueError:  # more than this library reads: a host with an underscore …
        return URI(scheme=scheme, host=rest)


def _split(value: str) -> list[str]:
    """Split a list at its commas, those in quotes and brackets left alone."""
    found, start = [], 0
    bare = _QUOTED.sub(lambda m: "x" * len(m[0]), value)
    inside = False
    for at, character in enumerate(bare):
        if character == "<":
            inside = True
        elif character == ">":
            inside = False
        elif character == "," and not inside:
            found.append(value[start:at])
            start = at + 1
    found.append(value[start:])
    return [part for part in found if part.strip()] or [value]
