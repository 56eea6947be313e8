"""HTTP answers that speak of TLS: the refusal that comes after a good handshake.

nginx finishes the handshake and answers 400 where it wants another client certificate,
or none came ("The SSL certificate error", "No required SSL certificate was sent"), and
where plain HTTP reached its HTTPS port; 495, 496 and 497 are its codes for the three
(ngx_http_request.h), which some operators let through. Other servers say "certificate"
in their own words. The virtual phone and the check read such an answer here.

Rule: pure; what is quoted of an answer is one short printable line.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from linekey.reasons import Row

_MOST: Final = 4096
"""Bytes of a body that are looked at; such pages have some 200."""
_SHOWN: Final = 120


class HttpRefusal(Enum):
    """What an HTTP answer holds against the client's TLS."""

    CERTIFICATE_REFUSED = "certificate_refused"
    CERTIFICATE_MISSING = "certificate_missing"
    PLAIN_HTTP = "plain_http"

    @property
    def sentence(self) -> str:
        """What happened, a clause."""
        return _TEXTS[self].sentence

    @property
    def cure(self) -> str:
        """What to do about it."""
        return _TEXTS[self].cure


_TEXTS: Final = {
    HttpRefusal.CERTIFICATE_REFUSED: Row(
        "the server finished the handshake and then refused the phone's certificate",
        "import the authority that issued the phone's certificate into what the server "
        "trusts for clients (nginx: ssl_client_certificate, and ssl_verify_depth for "
        "an intermediate); its error log names the reason",
    ),
    HttpRefusal.CERTIFICATE_MISSING: Row(
        "the server wants a certificate, and the phone showed none",
        "turn off empty_tls_client_cert, and see that the phone has a certificate",
    ),
    HttpRefusal.PLAIN_HTTP: Row(
        "the server wants TLS, and the request came without",
        "write https:// instead of http:// in the URL",
    ),
}
assert _TEXTS.keys() == set(HttpRefusal), "every refusal has its texts"


@dataclass(frozen=True, slots=True)
class SaidInHttp:
    """A refusal, and the words of the answer that say it (may be empty)."""

    refusal: HttpRefusal
    words: str


_STATUSES: Final = {
    495: HttpRefusal.CERTIFICATE_REFUSED,
    496: HttpRefusal.CERTIFICATE_MISSING,
    497: HttpRefusal.PLAIN_HTTP,
}
_WORDS: Final = (
    (
        re.compile(
            r"plain http request was sent to https|plain http to an ssl|"
            r"http request to an https server|host and port requires? tls",
            re.I,
        ),
        HttpRefusal.PLAIN_HTTP,
    ),
    (
        re.compile(
            r"no required ssl certificate|certificate (?:is |was )?(?:required|missing|"
            r"not (?:sent|provided|presented))|no (?:client |ssl )*certificate|"
            r"(?:requires?|need) a (?:client )?certificate",
            re.I,
        ),
        HttpRefusal.CERTIFICATE_MISSING,
    ),
    # Not what is part of a path or a file's name, which some servers repeat.
    (
        re.compile(r"(?<![\w/.%-])certificates?(?![\w/%-]|\.\w)", re.I),
        HttpRefusal.CERTIFICATE_REFUSED,
    ),
)


def read_http_refusal(status: int, body: bytes) -> SaidInHttp | None:
    """What an answer of 4xx says of TLS; None for one that says nothing of it.

    404 and 410 speak of a file, be it a certificate that is to be fetched.
    """
    if not 400 <= status < 500 or status in (404, 410):
        return None
    text = _text_of(body)
    for pattern, refusal in _WORDS:
        if found := pattern.search(text):
            start = max(0, found.start() - _SHOWN // 2)
            return SaidInHttp(refusal, text[start : start + _SHOWN].strip())
    refused = _STATUSES.get(status)
    return None if refused is None else SaidInHttp(refused, "")


def _text_of(body: bytes) -> str:
    """The words of a page, without its marks."""
    text = body[:_MOST].decode("utf-8", "replace")
    text = re.sub(r"<[^<>]{0,400}>", " ", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
