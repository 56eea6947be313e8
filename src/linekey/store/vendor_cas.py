"""The vendors' CAs whose device certificates are believed.

A self-issued CA is an anchor (``root``); any other helps to complete the paths of
phones that send only their leaf (``intermediate``) and is believed for its root only.

Rule: what is no CA does not come in (RFC 5280 §4.2.1.9: basicConstraints CA:TRUE); a
device's certificate as an anchor would make its holder an authority.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from linekey.catalog.authorities import known_ca
from linekey.catalog.vendors import LAB_VENDOR, vendor_of_authority
from linekey.certs.certificate import Certificate
from linekey.certs.key_bounds import (
    MAX_EXPONENT_BITS,
    MAX_MODULUS_BITS,
    key_problem,
)
from linekey.errors import CertificateError, InputError
from linekey.store.database import Database
from linekey.store.schema import from_us, to_us, vendor_cas

Role = Literal["root", "intermediate"]


@dataclass(frozen=True, slots=True)
class VendorCa:
    """One CA in the trust list.

    ``vendor`` and ``generation`` are the catalogue's for a known CA; for an unknown one
    what its name and its signature suggest, or None. ``known_as`` is the catalogue's
    name for exactly this certificate, or None.
    """

    certificate: Certificate
    role: Role
    vendor: str | None
    generation: str | None
    known_as: str | None
    added_at: datetime

    @property
    def known(self) -> bool:
        """Whether the catalogue has exactly this certificate."""
        return self.known_as is not None


def describe_ca(certificate: Certificate, added_at: datetime) -> VendorCa:
    """Say what a certificate is as a vendor's CA.

    Raises CertificateError if it is none: a device's certificate, or one that does not
    say that it is a CA; and for a key that costs too much to check signatures with.
    """
    if certificate.is_ca is not True:
        said = (
            "says that it is no CA"
            if certificate.is_ca is False
            else "does not say that it is a CA (no basicConstraints CA:TRUE)"
        )
        raise CertificateError(
            f"{str(certificate.subject)!r} {said}; as an authority it would let its "
            "holder vouch for any phone",
            hint="give the vendor's root and intermediates; a phone itself is added "
            "with linekey device add MAC",
        )
    if problem := key_problem(certificate):
        raise CertificateError(
            f"{str(certificate.subject)!r} has {problem}: checking a signature with it "
            "would cost too much in each phone's handshake",
            hint=f"use a CA with an RSA key of at most {MAX_MODULUS_BITS:,} bits and "
            f"an exponent of at most {MAX_EXPONENT_BITS} bits (65537 is usual), or a "
            "named curve",
        )
    known = known_ca(certificate)
    hashes = {"sha1": "sha1", "md5": "sha1", "sha256": "sha256"}
    return VendorCa(
        certificate=certificate,
        role="root" if certificate.self_issued else "intermediate",
        vendor=known.vendor if known else vendor_of_authority(certificate.subject),
        generation=(
            known.generation.value
            if known
            else hashes.get(certificate.signature_hash or "")
        ),
        known_as=known.name if known else None,
        added_at=added_at,
    )


class VendorCas:
    """The trust list, to change and to list."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, added: Sequence[VendorCa]) -> list[VendorCa]:
        """Add CAs, all or none; return those that were not in the list before."""
        new: dict[str, VendorCa] = {}
        with self._database.change("trust") as connection:
            there = set(connection.execute(sa.select(vendor_cas.c.sha256)).scalars())
            for ca in added:
                if ca.certificate.sha256 not in there:
                    new[ca.certificate.sha256] = ca
            if new:
                connection.execute(
                    sa.insert(vendor_cas), [_row(c) for c in new.values()]
                )
        return list(new.values())

    def all(self) -> list[VendorCa]:
        """Return all, roots first, each kind by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(vendor_cas)).all()
        found = [
            VendorCa(
                certificate=Certificate.from_der(bytes(row.der)),
                role=row.role,
                vendor=row.vendor,
                generation=row.generation,
                known_as=row.known_as,
                added_at=from_us(row.added_at),
            )
            for row in rows
        ]
        return sorted(
            found, key=lambda ca: (ca.role != "root", str(ca.certificate.subject))
        )

    def usual_vendor(self) -> str:
        """The vendor of a phone that is registered without one.

        ``snom``; where the lab's CA is trusted and no Snom CA is, the lab's: then every
        certificate that such a phone can show is the lab's.
        """
        vendors = {ca.vendor for ca in self.all()}
        lab_alone = LAB_VENDOR in vendors and "snom" not in vendors
        return LAB_VENDOR if lab_alone else "snom"

    def remove(self, fingerprint: str) -> VendorCa:
        """Remove the CA with this SHA-256 or SHA-1 fingerprint, or its beginning.

        Colons, spaces and case do not count; eight digits at least. Raises InputError
        if none, or more than one, begins so.
        """
        digits = fingerprint.replace(":", "").replace(" ", "").lower()
        if len(digits) < 8 or set(digits) - set("0123456789abcdef"):
            raise InputError(
                f"not a fingerprint: {fingerprint!r}",
                hint="give its first eight hex digits or more, as linekey trust list "
                "shows them",
            )
        found = [
            ca
            for ca in self.all()
            if ca.certificate.sha256.startswith(digits)
            or ca.certificate.sha1.startswith(digits)
        ]
        if len(found) != 1:
            raise InputError(
                f"{len(found) or 'no'} CA{'s' * (len(found) > 1)} with the fingerprint "
                f"{fingerprint!r}",
                hint="linekey trust list shows those there are",
            )
        sha256 = found[0].certificate.sha256
        with self._database.change("trust") as connection:
            connection.execute(
                sa.delete(vendor_cas).where(vendor_cas.c.sha256 == sha256)
            )
        return found[0]


def _row(ca: VendorCa) -> dict[str, object]:
    return {
        "sha256": ca.certificate.sha256,
        "der": ca.certificate.der,
        "role": ca.role,
        "vendor": ca.vendor,
        "generation": ca.generation,
        "known_as": ca.known_as,
        "added_at": to_us(ca.added_at),
    }
