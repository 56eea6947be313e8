"""A phone's trust store: its four tabs, as one immutable value.

The tabs are the four tabs of the phone's *Certificates* page (SNOM-TLS, Server
Authentication):

- **authorities**: Mozilla's roots as of the firmware. Read-only; not persisted, since
  the firmware brings them.
- **server certificates**: what was provisioned, uploaded, or added as an exception.
- **unknown**: every refused server certificate, with when, which connection and why.
- **802.1X**: its own; nothing on it vouches for a TLS server.

Rules of this file: an operation returns a new store, and says as a value whether it
did what was asked; nothing reads a clock, ``at`` is an argument.

What a certificate on the server tab vouches for (confidence M: SNOM-TLS says what is
accepted, not how the firmware stores it):

- a CA that was provisioned or uploaded is an anchor, like an authority;
- any other provisioned or uploaded certificate vouches for itself;
- an exception vouches for exactly that certificate and for nothing it signed: a
  self-signed web server certificate is usually marked CA:TRUE, and *Add Exception*
  speaks of "a connection from a peer using this certificate".
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from linekey.certs.certificate import Certificate
from linekey.certs.containers import of_file
from linekey.certs.path import prove
from linekey.errors import CertificateError, StorageError

UNKNOWN_LIMIT: Final = 64
"""Refused certificates kept, newest first; a limit of ours, the phone's is unknown."""

UPLOAD_LIMIT_BYTES: Final = 64 * 1024
"""The largest upload that is looked at: OpenSSL's own limit for a certificate list
message is 100 KiB for a whole chain (SSL_MAX_CERT_LIST_DEFAULT)."""

FORMAT: Final = 1
"""Version of the dictionary that ``as_dict`` writes."""


class Origin(StrEnum):
    """How a certificate came to the server tab."""

    PROVISIONED = "provisioned"
    UPLOADED = "uploaded"
    EXCEPTED = "excepted"


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """One entry of the Server Certificates tab; ``since`` is aware UTC."""

    certificate: Certificate
    origin: Origin
    since: datetime

    @property
    def is_anchor(self) -> bool:
        """Whether certificates signed by this one are accepted because of it."""
        return self.origin is not Origin.EXCEPTED and can_sign(self.certificate)


@dataclass(frozen=True, slots=True)
class UnknownCertificate:
    """One entry of the Unknown Certificates tab.

    ``seen`` is when it was last refused (aware UTC), ``purpose`` which TLS use it was
    ("sip", "provisioning", …), ``peer`` the server as ``host:port``, ``reason`` the
    verdict in words, ``times`` how often it was refused in all.
    """

    certificate: Certificate
    seen: datetime
    purpose: str
    peer: str
    reason: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Intake:
    """What came of an attempt to put a certificate on a tab.

    ``store`` is the store afterwards (the same one if refused); ``reason`` a sentence
    for the phone's log, in both cases.
    """

    store: "TrustStore"
    accepted: bool
    reason: str


def can_sign(certificate: Certificate) -> bool:
    """Whether a certificate may issue others: CA:TRUE, or a self-issued version 1.

    RFC 5280 §4.2.1.9 for version 3; a version 1 certificate has no such mark, and
    OpenSSL takes it for a CA only where it is self-signed (``check_ca``).
    """
    if certificate.is_ca is not None:
        return certificate.is_ca
    return certificate.version == 1 and certificate.self_issued


def read_upload(data: bytes, called: str = "the uploaded file") -> Certificate:
    """Read what was uploaded on the phone's page: one certificate in DER.

    ``called`` is what errors call it.

    Raises CertificateError for PEM, PKCS #7 and #12, a private key, several
    certificates, anything beyond 64 KiB and garbage (SNOM-TLS, Manually Uploading
    Certificates: "make sure your certificate is in DER format").
    """
    convert = "openssl x509 -in FILE -outform DER -out FILE.der"
    if not data.strip():
        raise CertificateError(f"{called} is empty", hint="choose a DER file")
    if b"PRIVATE KEY-----" in data[:UPLOAD_LIMIT_BYTES]:
        raise CertificateError(
            f"{called} holds a private key",
            hint="upload the certificate alone; a private key never leaves its server",
        )
    if len(data) > UPLOAD_LIMIT_BYTES:
        raise CertificateError(
            f"{called} has {len(data)} bytes; at most {UPLOAD_LIMIT_BYTES} are read",
            hint="upload one certificate in DER format",
        )
    if (container := of_file(data)) is not None:
        raise CertificateError(
            f"{called} is {container.name}",
            hint=f"{container.cure}; then {convert}",
        )
    if b"-----BEGIN " in data:
        raise CertificateError(
            f"{called} is PEM, not DER", hint=f"convert it: {convert}"
        )
    try:
        return Certificate.from_der(data)
    except CertificateError as error:
        raise CertificateError(
            error.message, hint="give one certificate in DER format, and nothing else"
        ) from None


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The four tabs. Equal when their entries are."""

    authorities: tuple[Certificate, ...] = ()
    server_certificates: tuple[ServerCertificate, ...] = ()
    unknown: tuple[UnknownCertificate, ...] = ()
    ieee8021x: tuple[Certificate, ...] = ()

    # --- what the tabs vouch for

    @property
    def anchors(self) -> tuple[Certificate, ...]:
        """Every certificate that vouches for what it signed."""
        return self.authorities + tuple(
            entry.certificate for entry in self.server_certificates if entry.is_anchor
        )

    def entry(self, certificate: Certificate) -> ServerCertificate | None:
        """The server tab's entry for exactly this certificate; an exception first."""
        found = [e for e in self.server_certificates if e.certificate == certificate]
        found.sort(key=lambda e: e.origin is not Origin.EXCEPTED)
        return found[0] if found else None

    def is_exception(self, certificate: Certificate) -> bool:
        """Whether exactly this certificate was added as an exception."""
        found = self.entry(certificate)
        return found is not None and found.origin is Origin.EXCEPTED

    def signer_of(self, certificate: Certificate) -> Certificate | None:
        """The authority or server certificate that signed this one, or None.

        The signature is verified, not just the name. Validity is not looked at:
        SNOM-TLS's rule is "signed by one of phone's authorities or server
        certificates".
        """
        candidates = {
            anchor
            for anchor in self.anchors
            if anchor.subject.der == certificate.issuer.der
        }
        for anchor in sorted(candidates, key=lambda c: c.sha256):
            result = prove(certificate, (), (anchor,), at=None, partial_chain=True)
            if result.ok and anchor in result.path:
                return anchor
        return None

    # --- the Unknown tab

    def with_refused(
        self,
        certificate: Certificate,
        *,
        at: datetime,
        purpose: str,
        peer: str,
        reason: str,
    ) -> "TrustStore":
        """Note a refused server certificate: newest first, bounded, one row each."""
        before = next((u for u in self.unknown if u.certificate == certificate), None)
        times = 1 if before is None else before.times + 1
        entry = UnknownCertificate(certificate, at, purpose, peer, reason, times)
        rest = tuple(u for u in self.unknown if u.certificate != certificate)
        return replace(self, unknown=((entry, *rest)[:UNKNOWN_LIMIT]))

    def without_unknown(self, certificate: Certificate) -> "TrustStore":
        """Take a certificate off the Unknown tab; no change if it is not there."""
        rest = tuple(u for u in self.unknown if u.certificate != certificate)
        return replace(self, unknown=rest)

    def add_exception(self, certificate: Certificate, *, at: datetime) -> Intake:
        """Move a certificate from Unknown to Server Certificates (*Add Exception*)."""
        if not any(u.certificate == certificate for u in self.unknown):
            return Intake(
                self,
                False,
                f"{certificate.label} is not among the unknown certificates",
            )
        moved = self.without_unknown(certificate)._with(
            certificate, Origin.EXCEPTED, at
        )
        return Intake(
            moved,
            True,
            f"{certificate.label} was added as an exception",
        )

    # --- the Server Certificates tab

    def upload(self, certificate: Certificate, *, at: datetime) -> Intake:
        """Manual upload in admin mode: only what an accepted certificate signed.

        SNOM-TLS, Manually Uploading Certificates: "Every attempt to upload an unknown
        certificate will fail." Confidence H.
        """
        return self._take(certificate, Origin.UPLOADED, at, signed_by_rule=True)

    def provision(
        self, certificate: Certificate, *, at: datetime, signed_by_rule: bool
    ) -> Intake:
        """A certificate of a ``<certificates>`` document.

        ``signed_by_rule`` is the profile's: true before 8.7.5.52 and 8.9.3.41, where a
        provisioned certificate must be signed by an authority or server certificate;
        false from then on (SNOM-TLS, Uploading Server Certificates via Provisioning,
        H).
        """
        return self._take(
            certificate, Origin.PROVISIONED, at, signed_by_rule=signed_by_rule
        )

    def _take(
        self,
        certificate: Certificate,
        origin: Origin,
        at: datetime,
        *,
        signed_by_rule: bool,
    ) -> Intake:
        name = certificate.label
        for entry in self.server_certificates:
            if entry.certificate == certificate and entry.origin is not Origin.EXCEPTED:
                return Intake(self, True, f"{name} was {entry.origin} already")
        signer = self.signer_of(certificate) if signed_by_rule else None
        if signed_by_rule and signer is None:
            return Intake(
                self,
                False,
                f"{name} is signed by none of the phone's authorities or server "
                f"certificates; its issuer is {certificate.issuer_label}",
            )
        reason = f"{name} was {origin}"
        if signer is not None:
            reason += f"; it is signed by {signer.label}"
        store = self.without_unknown(certificate)._with(certificate, origin, at)
        return Intake(store, True, reason)

    def _with(
        self, certificate: Certificate, origin: Origin, at: datetime
    ) -> "TrustStore":
        entry = ServerCertificate(certificate, origin, at)
        kept = tuple(
            e
            for e in self.server_certificates
            if not (e.certificate == certificate and e.origin is origin)
        )
        return replace(self, server_certificates=(*kept, entry))

    def without(self, certificate: Certificate) -> "TrustStore":
        """Remove a certificate from the server and 802.1X tabs, however it came."""
        return replace(
            self,
            server_certificates=tuple(
                e for e in self.server_certificates if e.certificate != certificate
            ),
            ieee8021x=tuple(c for c in self.ieee8021x if c != certificate),
        )

    # --- the other two, and all four

    def with_ieee8021x(self, certificate: Certificate) -> "TrustStore":
        """Put a certificate on the 802.1X tab; no change if it is there."""
        if certificate in self.ieee8021x:
            return self
        return replace(self, ieee8021x=(*self.ieee8021x, certificate))

    def with_authorities(self, authorities: Iterable[Certificate]) -> "TrustStore":
        """The store after a firmware change: its list of roots and no other."""
        return replace(self, authorities=tuple(dict.fromkeys(authorities)))

    def factory_reset(self) -> "TrustStore":
        """Only what the firmware brings is left."""
        return TrustStore(authorities=self.authorities)

    # --- persistence

    def as_dict(self) -> dict[str, Any]:
        """For JSON; without the authorities, which come with the firmware."""
        return {
            "format": FORMAT,
            "server_certificates": [
                {
                    "der": _encode(e.certificate),
                    "origin": str(e.origin),
                    "since": e.since.astimezone(UTC).isoformat(),
                }
                for e in self.server_certificates
            ],
            "unknown": [
                {
                    "der": _encode(u.certificate),
                    "seen": u.seen.astimezone(UTC).isoformat(),
                    "purpose": u.purpose,
                    "peer": u.peer,
                    "reason": u.reason,
                    "times": u.times,
                }
                for u in self.unknown
            ],
            "ieee8021x": [_encode(c) for c in self.ieee8021x],
        }

    @classmethod
    def from_dict(
        cls, document: Mapping[str, Any], authorities: Iterable[Certificate] = ()
    ) -> "TrustStore":
        """Read what ``as_dict`` wrote. Raises StorageError for anything else."""
        if document.get("format") != FORMAT:
            raise StorageError(
                f"a trust store of format {document.get('format')!r}; "
                f"this linekey reads {FORMAT}",
                hint="open the state folder with the linekey that wrote it",
            )
        try:
            return cls(
                authorities=tuple(authorities),
                server_certificates=tuple(
                    ServerCertificate(
                        _decode(row["der"]), Origin(row["origin"]), _time(row["since"])
                    )
                    for row in document["server_certificates"]
                ),
                unknown=tuple(
                    UnknownCertificate(
                        _decode(row["der"]),
                        _time(row["seen"]),
                        str(row["purpose"]),
                        str(row["peer"]),
                        str(row["reason"]),
                        int(row["times"]),
                    )
                    for row in document["unknown"]
                ),
                ieee8021x=tuple(_decode(text) for text in document["ieee8021x"]),
            )
        except (KeyError, TypeError, ValueError, CertificateError) as error:
            raise StorageError(
                f"the trust store cannot be read: {error!r}",
                hint="restore the state folder, or reset the phone to factory defaults",
            ) from error


def _encode(certificate: Certificate) -> str:
    return base64.b64encode(certificate.der).decode("ascii")


def _decode(text: Any) -> Certificate:
    try:
        return Certificate.from_der(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error


def _time(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return moment
