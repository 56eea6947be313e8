"""The vendor's certification authorities, known by the fingerprint of their DER.

The certificates themselves are the vendor's and are not shipped: the operator imports
them, and ``known_ca`` recognises them. Source of every row: SNOM-CA, read from
certificate bytes; "Snom Phone 2 SHA-256" is also printed in SNOM-TLS.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from linekey.catalog.evidence import Confidence
from linekey.catalog.models import Generation

_BYTES = "SNOM-CA, read from certificate bytes"
_END_2037 = datetime(2037, 12, 31, 14, 13, 15, tzinfo=UTC)


class Fingerprinted(Protocol):
    """A certificate, as far as it is recognised here: hex digests, lower case."""

    @property
    def sha1(self) -> str: ...  # noqa: D102  # told by the class
    @property
    def sha256(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class KnownCa:
    """One authority. What is None is not known."""

    name: str
    """Its common name."""
    organization: str
    vendor: str
    """Short name as in ``vendors.IDENTITY_RULES``."""
    generation: Generation
    role: Literal["root", "intermediate"]
    serial: int | None
    not_before: datetime | None
    not_after: datetime | None
    key_bits: int | None
    signature_hash: str
    sha1: str | None
    sha256: str | None
    md5: str | None
    source: str
    confidence: Confidence


ALL_CAS: tuple[KnownCa, ...] = (
    KnownCa(
        "Snom Technology AG CA",
        "Snom Technology AG",
        "snom",
        Generation.SHA1,
        "root",
        0xA6CE92744C91EC5F,
        datetime(2008, 7, 22, 10, 18, 48, tzinfo=UTC),
        datetime(2037, 4, 21, 10, 18, 48, tzinfo=UTC),
        1024,
        "sha1",
        "d8d849e5819997c4d908f341f57291f00ad7ebc7",
        "c21060cc9b2ba8c6e2e1f4fe6a2fa93dbbf4cdac2d54750bb61a65b43444311c",
        None,
        _BYTES,
        "H",
    ),
    KnownCa(
        "snom technology AG SHA-256 CA",
        "snom technology AG",
        "snom",
        Generation.SHA256,
        "root",
        0xEEE986A833AB43C7,
        datetime(2016, 2, 11, 14, 13, 15, tzinfo=UTC),
        _END_2037,
        2048,
        "sha256",
        "c2d82c4eca9c4bad5b880747330f27ee53730262",
        "746d74357f0a00ecc615d59514ffbadf7caa06ed8a66f33aaea6a1a151a21d40",
        None,
        _BYTES,
        "H",
    ),
    KnownCa(
        "Snom Phone 1 SHA-256",
        "snom technology AG",
        "snom",
        Generation.SHA256,
        "intermediate",
        2,
        datetime(2016, 2, 11, 15, 19, 52, tzinfo=UTC),
        _END_2037.replace(hour=15, minute=19, second=52),
        2048,
        "sha256",
        "cdf226f0627f00043a737cb66659d50009aca6c9",
        "ac6b0efa80c1f92dae01add84cc8ce069e45dd34f7a0a254b4b2dcbbd0f4de88",
        None,
        _BYTES,
        "H",
    ),
    KnownCa(
        "Snom Phone 2 SHA-256",
        "snom technology AG",
        "snom",
        Generation.SHA256,
        "intermediate",
        3,
        datetime(2016, 2, 11, 15, 21, 22, tzinfo=UTC),
        _END_2037.replace(hour=15, minute=21, second=22),
        2048,
        "sha256",
        "4cdca2865d4420f5da5de5652e9e5471871eabff",
        None,
        "92e6ba2db3bcecf0c3383716709b2ebc",
        "SNOM-TLS, Adding Unknown Certificates (printed there); SNOM-CA",
        "H",
    ),
    KnownCa(
        "Snom Phone 1",
        "Snom Technology AG",
        "snom",
        Generation.SHA1,
        "intermediate",
        None,
        None,
        None,
        None,
        "sha1",
        None,
        None,
        None,
        "SNOM-TLS: known by name, no bytes seen",
        "M",
    ),
)
"""Every known authority, also one without a known fingerprint."""

KNOWN_CAS: dict[str, KnownCa] = {
    fingerprint: ca
    for ca in ALL_CAS
    for fingerprint in (ca.sha256, ca.sha1)
    if fingerprint is not None
}
"""By SHA-256 and by SHA-1 fingerprint of the DER, hex, lower case."""


def known_ca(certificate: Fingerprinted) -> KnownCa | None:
    """Return what is known of this very certificate, or None.

    SHA-256 decides where it is known; the SHA-1 fingerprint only for an authority
    whose SHA-256 is not.
    """
    if found := KNOWN_CAS.get(certificate.sha256):
        return found
    found = KNOWN_CAS.get(certificate.sha1)
    return found if found is not None and found.sha256 is None else None
