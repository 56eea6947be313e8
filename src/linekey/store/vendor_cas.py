"""The vendors' CAs whose device certificates are believed.

A self-issued CA is an anchor (``root``); any other helps to complete the paths of
phones that send only their leaf (``intermediate``) and is believed for its root only.

Rule: what is no CA does not come in (RFC 5280 §4.2.1.9: basicConstraints CA:TRUE); a
device's certificate as an anchor would make its holder an authority. What the catalogue
says of a CA is asked each time, so that a newer catalogue helps at once; stored is the
certificate, and what the operator says of its phones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from linekey.catalog.authorities import known_ca
from linekey.catalog.vendors import LAB_VENDOR, OperatorRule
from linekey.certs.certificate import Certificate
from linekey.certs.key_bounds import (
    MAX_EXPONENT_BITS,
    MAX_MODULUS_BITS,
    key_problem,
)
from linekey.errors import CertificateError, InputError
from linekey.provisioning.ca_rules import (
    Rules,
    authority_of,
    catalogued_vendor,
    rules_of,
)
from linekey.provisioning.difference import Difference
from linekey.provisioning.expired import Expired, ExpiredRules
from linekey.provisioning.identity import generation_of
from linekey.provisioning.pending import Policy
from linekey.said import say
from linekey.store.changes import Changed, put_on_record
from linekey.store.database import Database
from linekey.store.records import read_expired, read_policy, read_rule
from linekey.store.schema import from_us, to_us, vendor_cas

Role = Literal["root", "intermediate"]


@dataclass(frozen=True, slots=True)
class VendorCa:
    """One CA in the trust list.

    ``said`` is the operator's word on its phones, or None. ``known_as`` is the
    catalogue's name for exactly this certificate, or None.
    """

    certificate: Certificate
    role: Role
    known_as: str | None
    added_at: datetime
    said: OperatorRule | None = None
    pending: Policy | None = None
    """What its phones get that nobody registered; None: as linekey.toml says."""
    expired: Expired | None = None
    """What its phones' certificates are worth after their end; None: as that says."""

    @property
    def known(self) -> bool:
        """Whether the catalogue has exactly this certificate."""
        return self.known_as is not None

    @property
    def vendor(self) -> str | None:
        """Whose it is: as the operator said, else by the catalogue, else None."""
        if self.said is not None and self.said.vendor is not None:
            return self.said.vendor
        return catalogued_vendor(self.certificate)

    @property
    def generation(self) -> str | None:
        """The generation of its own signature; None for one that is neither."""
        generation = generation_of(self.certificate)
        return generation.value if generation else None


def describe_ca(
    certificate: Certificate, added_at: datetime, said: OperatorRule | None = None
) -> VendorCa:
    """Say what a certificate is as a vendor's CA.

    Raises CertificateError if it is none: a device's certificate, or one that does not
    say that it is a CA; for a key that costs too much to check signatures with; and if
    ``said`` names another vendor than the catalogue has for exactly this certificate.
    """
    if certificate.is_ca is not True:
        text = (
            say("says that it is no CA")
            if certificate.is_ca is False
            else say("does not say that it is a CA (no basicConstraints CA:TRUE)")
        )
        raise CertificateError(
            say(
                "%(label)s %(what)s; as a CA it would let its holder make a "
                "certificate for any phone",
                label=repr(certificate.label),
                what=text,
            ),
            hint=say(
                "give the vendor's root and intermediates; to register a phone, use "
                "linekey device add MAC"
            ),
        )
    if problem := key_problem(certificate):
        raise CertificateError(
            say(
                "%(label)s has %(problem)s: checking a signature with it would cost "
                "too much in each phone's handshake",
                label=repr(certificate.label),
                problem=problem,
            ),
            hint=say(
                "use a CA with an RSA key of at most %(modulus)s bits and an "
                "exponent of at most %(exponent)s bits (65537 is usual), or a "
                "named curve",
                modulus=MAX_MODULUS_BITS,
                exponent=MAX_EXPONENT_BITS,
            ),
        )
    known = known_ca(certificate)
    if known and said and said.vendor not in (None, known.vendor):
        raise CertificateError(
            say(
                "%(name)s is %(vendor)s's, by its fingerprint, not %(named)s's",
                name=known.name,
                vendor=known.vendor,
                named=repr(said.vendor),
            ),
            hint=say("leave out --vendor: linekey knows this CA"),
        )
    return _described(certificate, added_at, said)


def _described(
    certificate: Certificate,
    added_at: datetime,
    said: OperatorRule | None,
    pending: Policy | None = None,
    expired: Expired | None = None,
) -> VendorCa:
    known = known_ca(certificate)
    return VendorCa(
        certificate=certificate,
        role="root" if certificate.self_issued else "intermediate",
        known_as=known.name if known else None,
        added_at=added_at,
        said=said,
        pending=pending,
        expired=expired,
    )


def expired_rules(trusted: Iterable[VendorCa], otherwise: Expired) -> ExpiredRules:
    """What ended certificates are worth, by the words on trusted CAs."""
    words = {ca.certificate.public_key_sha256: ca.expired for ca in trusted}
    said = {key: word for key, word in words.items() if word is not None}
    return ExpiredRules(otherwise, said)


def makers_cas(trusted: Iterable[VendorCa]) -> dict[str, list[Certificate]]:
    """Return makers' own CAs by vendor: those that phones have on their tab.

    Known by fingerprint, or the lab's; what the operator says of another CA is about
    its phones' certificates, and makes it none of their maker's.
    """
    found: dict[str, list[Certificate]] = {}
    for ca in trusted:
        if ca.vendor is not None and (ca.known or ca.vendor == LAB_VENDOR):
            found.setdefault(ca.vendor, []).append(ca.certificate)
    return found


class VendorCas:
    """The trust list, to change and to list."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, added: Sequence[VendorCa]) -> list[VendorCa]:
        """Add CAs, all or none; return those that were not in the list before.

        What the operator says holds for the authority, and so for every certificate of
        it in the list; one that is added without a word has that of the others.
        """
        new: dict[str, VendorCa] = {}
        with self._database.change("trust") as connection:
            there = _read_all(connection)
            said = dict(rules_of((ca.certificate, ca.said) for ca in there.values()))
            for ca in added:
                authority = authority_of(ca.certificate)
                if ca.said is not None:
                    said[authority] = ca.said
                if ca.certificate.sha256 not in there:
                    new[ca.certificate.sha256] = ca
            _say(connection, there.values(), said)
            made = [_with(ca, said) for ca in new.values()]
            if made:
                connection.execute(sa.insert(vendor_cas), [_row(c) for c in made])
            self._record(connection, there, _read_all(connection))
        return made

    def all(self) -> list[VendorCa]:
        """Return all, roots first, each kind by name."""
        with self._database.read() as connection:
            found = _read_all(connection).values()
        return sorted(found, key=lambda ca: (ca.role != "root", ca.certificate.label))

    def say(
        self,
        fingerprint: str,
        said: OperatorRule | None,
        unless: Callable[[list[VendorCa]], None] = lambda there: None,
    ) -> VendorCa:
        """Say which rule the phones of a CA in the list follow; None: the catalogue's.

        It holds for every certificate of that authority. ``fingerprint`` and ``unless``
        are as for ``remove``. Raises InputError and CertificateError as ``remove`` and
        ``describe_ca`` do.
        """
        ca = self.find(fingerprint)
        ca = describe_ca(ca.certificate, ca.added_at, said)
        with self._database.change("trust") as connection:
            there = _read_all(connection)
            unless(list(there.values()))
            rules = dict(rules_of((c.certificate, c.said) for c in there.values()))
            rules.pop(authority_of(ca.certificate), None)
            if said is not None:
                rules[authority_of(ca.certificate)] = said
            _say(connection, there.values(), rules)
            self._record(connection, there, _read_all(connection))
        return ca

    def say_of_pending(
        self,
        fingerprint: str,
        policy: Policy | None,
        unless: Callable[[list[VendorCa]], None] = lambda there: None,
    ) -> VendorCa:
        """Say what phones of a CA get that nobody registered; None: as for all.

        It holds for every certificate with the CA's key. Else as ``say``.
        """
        value = None if policy is None else policy.value
        ca = self._say_one(fingerprint, {"pending": value}, unless)
        return replace(ca, pending=policy)

    def say_of_expired(
        self,
        fingerprint: str,
        policy: Expired | None,
        unless: Callable[[list[VendorCa]], None] = lambda there: None,
    ) -> VendorCa:
        """Say what certificates of a CA's phones are worth after their end; None: as
        for all.

        It holds for every certificate with the CA's key. Else as ``say``.
        """
        value = None if policy is None else policy.value
        ca = self._say_one(fingerprint, {"expired": value}, unless)
        return replace(ca, expired=policy)

    def _say_one(
        self,
        fingerprint: str,
        values: dict[str, str | None],
        unless: Callable[[list[VendorCa]], None],
    ) -> VendorCa:
        """Write these columns for every certificate with a CA's key."""
        ca = self.find(fingerprint)
        key = ca.certificate.public_key_sha256
        with self._database.change("trust") as connection:
            there = _read_all(connection)
            unless(list(there.values()))
            its = [c for c in there.values() if c.certificate.public_key_sha256 == key]
            named = [c.certificate.sha256 for c in its]
            connection.execute(
                sa.update(vendor_cas)
                .where(vendor_cas.c.sha256.in_(named))
                .values(values)
            )
            self._record(connection, there, _read_all(connection))
        return ca

    def usual_vendor(self) -> str:
        """The vendor of a phone that is registered without one.

        ``snom``; where the lab's CA is trusted and no Snom CA is, the lab's: then every
        certificate that such a phone can show is the lab's.
        """
        vendors = {ca.vendor for ca in self.all()}
        lab_alone = LAB_VENDOR in vendors and "snom" not in vendors
        return LAB_VENDOR if lab_alone else "snom"

    def remove(
        self,
        fingerprint: str,
        unless: Callable[[list[VendorCa]], None] = lambda there: None,
    ) -> VendorCa:
        """Remove the CA with this SHA-256 or SHA-1 fingerprint, or its beginning.

        Colons, spaces and case do not count; eight digits at least. ``unless`` gets the
        list as it is now, and may raise; then nothing is changed. Raises InputError if
        none, or more than one, begins so.
        """
        ca = self.find(fingerprint)
        with self._database.change("trust") as connection:
            unless(list(_read_all(connection).values()))
            connection.execute(
                sa.delete(vendor_cas).where(
                    vendor_cas.c.sha256 == ca.certificate.sha256
                )
            )
            self._record(connection, {ca.certificate.sha256: ca}, {})
        return ca

    def _record(
        self,
        connection: sa.Connection,
        before: Mapping[str, VendorCa],
        after: Mapping[str, VendorCa],
    ) -> None:
        done = []
        for sha256 in dict.fromkeys((*before, *after)):
            old, new = before.get(sha256), after.get(sha256)
            if old == new:
                continue
            action = "add" if old is None else "remove" if new is None else "change"
            details = [
                Difference(what, was, now)
                for what, was, now in zip(
                    _WHAT,
                    _words(old),
                    _words(new),
                    strict=True,
                )
                if was != now
            ]
            done.append(Changed(action, f"vendor-ca {sha256}", details))
        put_on_record(connection, self._database.actor, done)

    def find(
        self, fingerprint: str, among: Iterable[VendorCa] | None = None
    ) -> VendorCa:
        """Return the CA that ``fingerprint`` names, as for ``remove``, of all or
        ``among`` some."""
        digits = fingerprint.replace(":", "").replace(" ", "").lower()
        if len(digits) < 8 or set(digits) - set("0123456789abcdef"):
            raise InputError(
                say(
                    "not a fingerprint: %(fingerprint)s", fingerprint=repr(fingerprint)
                ),
                hint=say(
                    "give at least its first eight hex digits, as linekey "
                    "trust list shows them"
                ),
            )
        found = [
            ca
            for ca in (self.all() if among is None else among)
            if ca.certificate.sha256.startswith(digits)
            or ca.certificate.sha1.startswith(digits)
        ]
        if len(found) != 1:
            raise InputError(
                say(
                    "%(count)s CAs with the fingerprint %(fingerprint)s",
                    count=len(found),
                    fingerprint=repr(fingerprint),
                )
                if found
                else say(
                    "no CA with the fingerprint %(fingerprint)s",
                    fingerprint=repr(fingerprint),
                ),
                hint=say("linekey trust list shows the CAs with their fingerprints"),
            )
        return found[0]


def _read_all(connection: sa.Connection) -> dict[str, VendorCa]:
    return {
        row.sha256: _described(
            Certificate.from_der(bytes(row.der)),
            from_us(row.added_at),
            read_rule(row.rule, row.vendor),
            read_policy(row.pending),
            read_expired(row.expired),
        )
        for row in connection.execute(sa.select(vendor_cas))
    }


def _with(ca: VendorCa, rules: Rules) -> VendorCa:
    return replace(ca, said=rules.get(authority_of(ca.certificate)))


def _say(connection: sa.Connection, there: Iterable[VendorCa], rules: Rules) -> None:
    """Write into each row what ``rules`` says of its authority, where it is new."""
    for ca in there:
        after = _with(ca, rules)
        if after != ca:
            values = _said_values(after)
            connection.execute(
                sa.update(vendor_cas)
                .where(vendor_cas.c.sha256 == ca.certificate.sha256)
                .values(values)
            )


def _said_values(ca: VendorCa) -> dict[str, str | None]:
    return {
        "rule": None if ca.said is None else ca.said.rule.value,
        "vendor": None if ca.said is None else ca.said.vendor,
    }


_WHAT = ("subject", "rule", "vendor", "unregistered phones", "expired certificates")


def _words(ca: VendorCa | None) -> tuple[str | None, ...]:
    """What the record of changes says of a CA, in the order of ``_WHAT``."""
    if ca is None:
        return (None,) * len(_WHAT)
    said, name = _said_values(ca), str(ca.certificate.subject)
    return name, said["rule"], said["vendor"], ca.pending, ca.expired


def _row(ca: VendorCa) -> dict[str, object]:
    return {
        "sha256": ca.certificate.sha256,
        "der": ca.certificate.der,
        "role": ca.role,
        "added_at": to_us(ca.added_at),
        "pending": ca.pending,
        "expired": None if ca.expired is None else ca.expired.value,
        **_said_values(ca),
    }
