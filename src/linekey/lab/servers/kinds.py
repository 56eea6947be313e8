"""What a test server is, and the kinds of phones that are tried at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from linekey.lab.servers.certificates import SERVER_NAME
from linekey.lab.servers.programs import Speech


@dataclass(frozen=True, slots=True)
class Kind:
    """Phones that answer a server alike.

    ``rows`` are rows of the cipher matrix; ``phone`` one of them (model, firmware);
    ``authenticates``: TLS server authentication is switched on (10.x cannot do
    without).
    """

    rows: tuple[str, ...]
    phone: tuple[str, str]
    words: str
    authenticates: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "tripledes": Kind(
        ("8.7.3.25.9",), ("300", "8.7.3.25.9"), "TLS 1.0 with 3DES, RC4 and DES"
    ),
    "tls10": Kind(("8.7.5.35",), ("300", "8.7.5.35"), "TLS 1.0 with AES-CBC"),
    "tls10_short": Kind(("8.7.5.57",), ("370", "8.7.5.57"), "TLS 1.0, three suites"),
    "tls12": Kind(
        ("8.7.5.35-715", "8.7.5.49-710"), ("D715", "8.7.5.35"), "TLS 1.2, SHA-1 only"
    ),
    "v89": Kind(("8.9.3.52",), ("D745", "8.9.3.52"), "TLS 1.2, SHA-1 only"),
    "v89_strict": Kind(
        ("8.9.3.52",),
        ("D745", "8.9.3.52"),
        "the same with server authentication on",
        authenticates=True,
    ),
    "v10": Kind(("10.1",), ("D785", "10.1.33.33"), "TLS 1.2, server authentication on"),
}
"""The kinds of phones; every row of the matrix is in one of them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test server.

    ``program`` runs it (``linekey`` where ``talk`` says what linekey plays);
    ``certificate`` is a name of ``certificates.MAKERS``; ``name`` what phones call
    it; ``expected`` outcome by kind (phones show their built-in certificate where
    asked); ``why`` the reason in words.
    """

    name: str
    program: str
    sentence: str
    certificate: str = "right"
    speech: Speech = field(default_factory=Speech)
    talk: str = ""
    called: str = SERVER_NAME
    expected: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def asks(self) -> bool:
        """Whether it demands a client certificate."""
        return self.speech.clients != "no"


_OLD: Final = "server: tls.suite"


def same_for_all(every: str, **others: str) -> dict[str, str]:
    """The same for every kind, but for ``others``."""
    return {kind: others.get(kind, every) for kind in KINDS}


def from_tls10(v10: str = "accepted", v89_strict: str = "accepted") -> dict[str, str]:
    """A server that speaks every version and AES with RSA: only phones that
    authenticate servers look at its certificate, and no library speaks 3DES to the
    oldest."""
    return same_for_all("accepted", tripledes=_OLD, v10=v10, v89_strict=v89_strict)


def from_tls12(v10: str = "accepted", **others: str) -> dict[str, str]:
    """The same, from TLS 1.2 on."""
    old = dict.fromkeys(("tls10", "tls10_short"), "server: tls.version")
    return {**from_tls10(v10), **old, **others}
