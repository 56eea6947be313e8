"""What a certificate was issued for: good, noted or refused, each with its own reason.

The leaf, its issuing authority and the root carry one odd extension at a time. What is
accepted must not be more than OpenSSL lets pass as a path, and where OpenSSL's check of
the client purpose is stricter, the case says so (``strict``).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.certificates import ca, certificate, ec

from linekey.certs.certificate import Certificate
from linekey.certs.path import prove
from linekey.mac import Mac
from linekey.provisioning.authorize import ConnectionFacts, Rules, authorize
from linekey.provisioning.decision import Reason
from linekey.provisioning.device import Device
from linekey.provisioning.identity import VendorTrust, identify
from linekey.provisioning.resource import parse_target

MAC = Mac("000413AABBCC")
NOW = datetime(2024, 5, 1, tzinfo=UTC)
O_ = ("O", "snom technology AG")
EKU, KEY_USAGE, NS = "2.5.29.37", "2.5.29.15", "2.16.840.1.113730.1.1"
EXCLUDED = x509.NameConstraints(
    None,
    [
        x509.DirectoryName(
            x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, O_[1])])
        )
    ],
).public_bytes()
PURPOSE, USAGE = Reason.PURPOSE_NOT_ALLOWED, Reason.KEY_USAGE_NOT_ALLOWED
BROKEN = Reason.CHAIN_NOT_PROVED

Options = Mapping[str, object]


def eku(*names: str) -> Options:
    return {"extended_key_usage": names}


def raw(
    oid: str, value: str, *, critical: bool = False, twice: bool = False
) -> Options:
    return {"extensions": [(oid, critical, bytes.fromhex(value))] * (2 if twice else 1)}


def chain(
    leaf: Options, issuing: Options | None = None, root: Options | None = None
) -> tuple[Certificate, ...]:
    """Leaf, issuing authority and root, with the given extensions."""

    top = ca([O_, ("CN", "snom CA")], own=ec("ca"), **(root or {}))
    phones = [O_, ("CN", "Snom Phone 1 SHA-256")]
    over = ca(phones, top, own=ec("ca"), **(issuing or {}))
    made = certificate([O_, ("CN", MAC.digits)], ec("leaf"), over, **leaf)
    return made, over.certificate, top.certificate


GOOD: dict[str, tuple[Options, ...]] = {
    "nothing said": ({},),
    "clientAuth": (eku("clientAuth"),),
    "clientAuth and codeSigning": (eku("codeSigning", "clientAuth"),),
    "digitalSignature": ({"key_usage": ["digitalSignature"]},),
    "digitalSignature and keyEncipherment": (
        {"key_usage": ["digitalSignature", "keyEncipherment"]},
    ),
    "nsCertType client": (raw(NS, "03020780"),),
    "nsCertType client and server": (raw(NS, "030206c0"),),
    "authority for clientAuth": ({}, eku("clientAuth")),
    "authority and root for both": ({}, eku("clientAuth", "serverAuth"), eku("clientAuth")),
    "authority with keyCertSign": ({}, {"key_usage": ["keyCertSign"]}),
    "version 1": ({"version": 1, "key_ids": False},),
}  # fmt: skip
NOTED: dict[str, tuple[tuple[Options, ...], str]] = {
    "serverAuth": (
        (eku("serverAuth"),),
        "the certificate's extendedKeyUsage is serverAuth, without clientAuth",
    ),
    "serverAuth and codeSigning": (
        (eku("serverAuth", "codeSigning"),),
        "the certificate's extendedKeyUsage is serverAuth, codeSigning, without clientAuth",
    ),
    "nsCertType server": (
        (raw(NS, "03020640"),),
        "the certificate's nsCertType is server, without client",
    ),
    "nsCertType of an authority": (
        (raw(NS, "03020007"),),
        "the certificate's nsCertType is emailCA, objCA, sslCA, without client",
    ),
    "authority for serverAuth": (
        ({}, eku("serverAuth")),
        "Snom Phone 1 SHA-256: extendedKeyUsage is serverAuth, without clientAuth",
    ),
    "root for serverAuth": (
        ({}, {}, eku("serverAuth")),
        "snom CA: extendedKeyUsage is serverAuth, without clientAuth",
    ),
}  # fmt: skip
ANY: dict[str, tuple[Options, ...]] = {
    "any": (eku("anyExtendedKeyUsage"),),
    "authority for any": ({}, eku("anyExtendedKeyUsage")),
}
"""Good by RFC 5280, and nothing to note; OpenSSL's client purpose wants clientAuth."""
REFUSED: dict[str, tuple[tuple[Options, ...], Reason, str]] = {
    **{
        f"{name} alone": ((eku(name),), PURPOSE, name)
        for name in (
            "codeSigning",
            "emailProtection",
            "OCSPSigning",
            "timeStamping",
            "eapOverLAN",
            "sipDomain",
            "1.3.6.1.4.1.311.20.2.2",  # Microsoft's smart card logon
        )
    },
    "several of them": ((eku("codeSigning", "emailProtection"),), PURPOSE, "codeSigning"),
    "an empty EKU": ((raw(EKU, "3000"),), PURPOSE, "empty"),
    "thousand purposes": (
        (eku(*(f"1.2.3.{n}" for n in range(1000))),), PURPOSE, "and 995 more",
    ),
    "a critical codeSigning": (
        (raw(EKU, "300a06082b06010505070303", critical=True),), PURPOSE, "codeSigning",
    ),
    "keyEncipherment alone": (
        ({"key_usage": ["keyEncipherment"]},), USAGE, "keyEncipherment",
    ),
    "keyAgreement alone": (({"key_usage": ["keyAgreement"]},), USAGE, "keyAgreement"),
    "keyCertSign alone": (({"key_usage": ["keyCertSign"]},), USAGE, "keyCertSign"),
    "nonRepudiation alone": (
        ({"key_usage": ["nonRepudiation"]},), USAGE, "nonRepudiation",
    ),
    "a keyUsage without a bit": ((raw(KEY_USAGE, "030100"),), USAGE, "empty"),
    "an authority for codeSigning": (({}, eku("codeSigning")), PURPOSE, "Snom Phone 1"),
    "an authority with an empty EKU": (({}, raw(EKU, "3000")), PURPOSE, "Snom Phone 1"),
    "a root for OCSPSigning": (({}, {}, eku("OCSPSigning")), PURPOSE, "snom CA"),
    "an EKU that cannot be read": ((raw(EKU, "3003616263"),), BROKEN, "extendedKeyUsage"),
    "an EKU that stands twice": (
        (raw(EKU, "300a06082b06010505070302", twice=True),), BROKEN, "extendedKeyUsage",
    ),
    "a keyUsage that cannot be read": ((raw(KEY_USAGE, "0300"),), BROKEN, "keyUsage"),
    "an nsCertType that cannot be read": ((raw(NS, "0300"),), BROKEN, "nsCertType"),
    "an authority's unreadable keyUsage": (
        ({}, raw(KEY_USAGE, "0300")), BROKEN, "Snom Phone 1 SHA-256",
    ),
    "an unknown critical extension": (
        (raw("1.2.3.4", "0500", critical=True),), BROKEN, "critical",
    ),
    "an authority's unknown critical extension": (
        ({}, raw("1.2.3.4", "0500", critical=True)), BROKEN, "critical",
    ),
    "a path too long": (({}, {}, {"path_length": 0}), BROKEN, "it allows 0"),
    "a name that its authority must not give": (
        ({}, {"extensions": [("2.5.29.30", True, EXCLUDED)]}), BROKEN, "must not name",
    ),
    "an authority without keyCertSign": (
        ({}, {"key_usage": ["digitalSignature"]}), Reason.ISSUER_NOT_AN_AUTHORITY,
        "no authority",
    ),
    "a root without keyCertSign": (
        ({}, {}, {"key_usage": ["cRLSign"]}), Reason.ISSUER_NOT_AN_AUTHORITY,
        "no authority",
    ),
}  # fmt: skip


def found(how: tuple[Options, ...]):  # type: ignore[no-untyped-def]
    leaf, over, top = chain(*how)
    return identify((leaf, over), VendorTrust((top,)))


def strict(how: tuple[Options, ...]) -> bool:
    """Whether OpenSSL, asked for a TLS client as nginx asks it, takes the chain."""
    leaf, over, top = chain(*how)
    return prove(leaf, [over], [top], at=NOW, purpose="client").ok


@pytest.mark.parametrize("name", GOOD)
def test_a_certificate_for_a_client_or_for_nothing_named_is_a_phones(name: str) -> None:
    identity = found(GOOD[name])
    assert identity.problem is None, identity.detail
    assert (identity.mac, identity.notes) == (MAC, ())
    assert strict(GOOD[name])


@pytest.mark.parametrize("name", ANY)
def test_any_purpose_is_a_phones_too(name: str) -> None:
    identity = found(ANY[name])
    assert (identity.mac, identity.notes) == (MAC, ())
    assert not strict(ANY[name])


@pytest.mark.parametrize("name", NOTED)
def test_a_servers_certificate_is_accepted_and_noted(name: str) -> None:
    how, note = NOTED[name]
    identity = found(how)
    assert identity.problem is None, identity.detail
    assert identity.mac == MAC
    (said,) = identity.notes
    assert said.endswith(note.split(": ")[-1])
    assert note.split(": ")[0] in said


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_issued_for_something_else_is_refused(name: str) -> None:
    how, reason, said = REFUSED[name]
    identity = found(how)
    assert identity.problem is reason, identity.detail
    assert said in identity.detail
    assert identity.detail.isprintable()
    assert len(identity.detail) <= 301
    assert identity.mac is None
    assert not strict(how) or name == "keyAgreement alone"


def test_a_purpose_is_no_excuse_for_a_stranger() -> None:
    leaf, over, _ = chain(eku("codeSigning"))
    assert identify((leaf, over), VendorTrust(())).problem is Reason.ISSUER_NOT_TRUSTED


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (f"/snomD785-{MAC}.htm", Reason.OWN_FILE),
        ("/snomD785.htm", Reason.COMMON_FILE),
        ("/snomD785-000413AABBCD.htm", Reason.OTHER_PHONES_FILE),
    ],
)
def test_a_note_is_on_record_whatever_is_decided(target: str, reason: Reason) -> None:
    how, note = NOTED["nsCertType server"]
    decision = authorize(
        found(how), parse_target(target.encode()), Device(MAC, "snom", "D785"),
        ConnectionFacts(0x0303), None, Rules(), NOW,
    )  # fmt: skip
    assert decision.reason is reason
    assert note in decision.detail
    assert note in decision.sentence
