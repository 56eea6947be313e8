"""The trust list as it is shown, and what the operator says of it, as it is typed."""

import re
from collections.abc import Iterable
from typing import Any

from linekey.catalog.vendors import OperatorRule, TrustRule, vendor_rule
from linekey.certs.path import prove
from linekey.errors import InputError
from linekey.provisioning.ca_rules import Prospect, prospect, rules_of
from linekey.said import say, words_of
from linekey.store.device_rows import parse_vendor
from linekey.store.vendor_cas import VendorCa


class Listed:
    """The trust list as a whole: what becomes of the phones of each CA in it."""

    def __init__(self, cas: Iterable[VendorCa]) -> None:
        every = list(cas)
        self.certificates = [ca.certificate for ca in every]
        self.rules = rules_of((ca.certificate, ca.said) for ca in every)

    def phones_of(self, ca: VendorCa) -> Prospect:
        """Say which rule they will follow."""
        return prospect(ca.certificate, self.certificates, self.rules)

    def way_up(self, ca: VendorCa) -> str:
        """Why no root in the list stands above an intermediate; empty: one does."""
        roots = [c for c in self.certificates if c.self_issued]
        others = [c for c in self.certificates if not c.self_issued]
        result = prove(ca.certificate, others, roots, at=None)
        if result.ok:
            return ""
        top = result.path[-1]
        if any(c.subject.matches(top.issuer) for c in self.certificates):
            return result.problems[0].detail
        who = "its issuer" if top == ca.certificate else f"the issuer of {top.label}"
        return f"{who} is not in the list: {top.issuer_label}"


def ca_json(ca: VendorCa, listed: Listed) -> dict[str, Any]:
    """Write a CA as JSON values.

    ``rule`` is where its phones have their MAC, null where they are refused for want
    of one; ``rule_by`` who says so, ``operator`` or ``catalogue``. ``pending`` is what
    its phones get that nobody registered, null: as ``pending.policy`` says; ``expired``
    what their certificates are worth after their end, null: as
    ``rules.expired_certificates`` says. ``words`` is what the sentence ``phones`` was
    made of.
    """
    certificate, phones = ca.certificate, listed.phones_of(ca)
    return {
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "role": ca.role,
        "vendor": phones.vendor or ca.vendor,
        "rule": phones.name,
        "rule_by": phones.by or None,
        "phones": phones.text,
        "words": words_of([phones.text]),
        "pending": ca.pending,
        "expired": ca.expired,
        "generation": ca.generation,
        "known": ca.known,
        "known_as": ca.known_as,
        "sha256": certificate.sha256,
        "sha1": certificate.sha1,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "key": certificate.key.text,
        "signature_algorithm": certificate.signature_algorithm,
        "signature_hash": certificate.signature_hash,
        "added_at": ca.added_at,
    }


_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)


def operator_rule(vendor: str | None, rule: str | None) -> OperatorRule | None:
    """Read what the operator says of a CA's phones. Raises InputError."""
    if vendor is None:
        return None if rule is None else OperatorRule(TrustRule(rule))
    if rule is not None:
        label = vendor.strip().lower()
        if not _LABEL.fullmatch(label):
            raise InputError(
                say("not a vendor's name: %(vendor)s", vendor=repr(vendor)),
                hint=say(
                    "use at most 32 letters, digits, dots and dashes; or leave "
                    "out --vendor: then the CA is for registered phones of any "
                    "vendor"
                ),
            )
        return OperatorRule(TrustRule(rule), label)
    try:
        name = parse_vendor(vendor)
    except InputError as error:
        raise InputError(
            error.message,
            hint=say("%(hint)s; or, for your own CA, --rule cn-mac", hint=error.hint),
        ) from None
    if vendor_rule(name) is None:
        raise InputError(
            say(
                "linekey does not know where %(name)s puts the MAC, so "
                "--vendor is not enough",
                name=name,
            ),
            hint=say("if you know it, add --rule cn-mac, st-mac or shared"),
        )
    return OperatorRule(TrustRule.VENDOR, name)
