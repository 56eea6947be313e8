"""The ASGI TLS extension: what an application learns of the connection's TLS.

``scope["extensions"]["tls"]`` has the keys of the ASGI TLS extension (version 0.2):
``server_cert``, ``client_cert_chain``, ``client_cert_name``, ``client_cert_error``,
``tls_version``, ``cipher_suite``. ``scope["extensions"]["linekey"]`` holds the same as
``ConnectionTls``, parsed once, so that our own application need not read PEM again.

Rule: an application decides by the extension alone, so it cannot tell a phone at the
door from one behind a proxy whose headers filled the same extension.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_certificates, to_pem
from linekey.errors import CertificateError
from linekey.tls.events import TlsInfo
from linekey.tls.versions import Version
from linekey.value import value


@value
class ConnectionTls:
    """The phone's side of a TLS connection.

    ``chain`` is the leaf and what came with it, empty without a certificate. ``error``
    is why the certificate did not hold where it was verified, or None. ``policy`` is
    the policy's name, or None where a proxy ended TLS. ``verdict`` is what the verify
    callback found; whoever needs it and finds None judges ``chain`` anew.
    """

    chain: tuple[Certificate, ...]
    error: str | None
    version: Version | None
    suite: int | None
    suite_name: str | None
    policy: str | None
    server_name: str | None
    resumed: bool
    verdict: object = None


class _LazyTls(dict[str, Any]):
    """The extension's keys, where PEM and name are made when they are first asked for.

    Our own application never asks; a foreign one sees an ordinary dictionary.
    """

    __slots__ = ("_chain", "_shown")

    def __init__(
        self, plain: dict[str, Any], shown: Certificate, chain: Sequence[Certificate]
    ) -> None:
        super().__init__(plain)
        self._shown: Certificate | None = shown
        self._chain = tuple(chain)

    def _fill(self) -> None:
        shown, self._shown = self._shown, None
        if shown is None:
            return
        self["server_cert"] = to_pem(shown)
        if chain := self._chain:
            self["client_cert_chain"] = [to_pem(certificate) for certificate in chain]
            self["client_cert_name"] = chain[0].x509.subject.rfc4514_string()

    def __getitem__(self, key: str) -> Any:
        self._fill()
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._fill()
        return super().get(key, default)

    def items(self) -> Any:
        self._fill()
        return super().items()

    def values(self) -> Any:
        self._fill()
        return super().values()

    def copy(self) -> dict[str, Any]:
        self._fill()
        return dict(super().items())

    def __eq__(self, other: object) -> bool:
        self._fill()
        return super().__eq__(other)


def tls_extensions(info: TlsInfo, shown: Certificate) -> dict[str, Any]:
    """Return a scope's ``extensions`` for a connection that the door verified.

    ``shown`` is the server's certificate.
    """
    suite = info.suite
    plain: dict[str, Any] = {
        "server_cert": None,
        "client_cert_chain": [],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": int(info.version),
        "cipher_suite": suite.number,
    }
    facts = ConnectionTls(
        chain=info.peer_chain,
        error=None,
        version=info.version,
        suite=suite.number,
        suite_name=suite.name,
        policy=info.policy_name,
        server_name=info.server_name,
        resumed=info.resumed,
        verdict=info.verdict,
    )
    return {"tls": _LazyTls(plain, shown, info.peer_chain), "linekey": facts}


def connection_tls(scope: Mapping[str, Any]) -> ConnectionTls | None:
    """Read a scope's TLS extension; None if the connection has no TLS.

    Raises CertificateError if a certificate in the extension cannot be read.
    """
    extensions = scope.get("extensions") or {}
    own = extensions.get("linekey")
    if isinstance(own, ConnectionTls):
        return own
    tls = extensions.get("tls")
    if tls is None:
        return None
    chain: list[Certificate] = []
    for pem in tls.get("client_cert_chain") or ():
        found = parse_certificates(pem.encode("ascii", "replace"))
        if len(found) != 1:
            raise CertificateError("not one certificate in an entry of the extension")
        chain += found
    number = tls.get("tls_version")
    return ConnectionTls(
        chain=tuple(chain),
        error=tls.get("client_cert_error"),
        version=Version(number) if number in set(Version) else None,
        suite=tls.get("cipher_suite"),
        suite_name=None,
        policy=None,
        server_name=None,
        resumed=False,
    )
