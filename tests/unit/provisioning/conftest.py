"""Vendors' authorities and phones' certificates, good and hostile.

Every certificate says what it truly is by construction (``Made.mac``, ``Made.kind``), so
that tests need not believe what the code under test reads from it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from tests import certificates
from tests.certificates import START as FROM
from tests.certificates import certificate, ec
from tests.hostile import costly_rsa, crossing

from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.build import Issuer, PublicKey
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.provisioning.ca_rules import rules_of
from linekey.provisioning.identity import VendorTrust

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
UNTIL = datetime(2037, 1, 1, tzinfo=UTC)

MAC_A, MAC_B, MAC_C, MAC_D, MAC_E, MAC_F = (f"000413AABBC{n}" for n in "012345")

Rdn = tuple[str, str]


def authority(
    cn: str, o: str, over: "Issuer | None" = None, *, hash_name: str = "sha256",
    key: str | None = None, ca: bool | None = True, version: int = 3,
    until: datetime = UNTIL,
) -> Issuer:  # fmt: skip
    return certificates.ca(
        [("emailAddress", "security@example.com"), ("CN", cn), ("O", o)], over,
        own=ec(key or f"{cn}/{o}"), not_after=until, hash=hash_name, ca=ca,
        version=version, key_ids=version == 3,
    )  # fmt: skip


def leaf(
    over: Issuer | None, *rdns: Rdn, hash_name: str = "sha256", ca: bool | None = False,
    version: int = 3, since: datetime = FROM, until: datetime = UNTIL, key: str = "leaf",
    usage: tuple[str, ...] = (), ids: bool = True, public: PublicKey | None = None,
    purposes: tuple[str, ...] = (),
) -> Certificate:  # fmt: skip
    return certificate(
        rdns, public or ec(key), over, not_before=since, not_after=until,
        hash=hash_name, ca=ca, version=version, key_usage=usage,
        extended_key_usage=purposes, key_ids=ids and version == 3,
    )  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A chain, leaf first, and the truth about it.

    ``mac`` is the phone that it was really made for by an authority that may; None for
    all else. ``kind``: own, shared, none (nothing sent), bad.
    """

    name: str
    chain: tuple[Certificate, ...]
    kind: str = "bad"
    mac: str | None = None
    since: datetime = FROM
    until: datetime = UNTIL
    vendor: str = "snom"


@dataclass
class Lab:
    """What the operator trusts, and what phones and others send."""

    trust: VendorTrust
    made: dict[str, Made] = field(default_factory=dict)
    authorities: dict[str, Issuer] = field(default_factory=dict)


def build_lab() -> Lab:
    snom_o, old_o = "snom technology AG", "Snom Technology AG"
    root2 = authority("snom technology AG SHA-256 CA", snom_o)
    phone2 = authority("Snom Phone 1 SHA-256", snom_o, root2)
    root1 = authority("Snom Technology AG CA", old_o, hash_name="sha1")
    phone1 = authority("Snom Phone 1", old_o, root1, hash_name="sha1")
    yealink = authority("Yealink Equipment Issuing CA", "Yealink", hash_name="sha1")
    cisco = authority("Cisco Manufacturing CA", "Cisco Systems")
    panasonic = authority("SIP Phone Client Authentication Self CA Certificate", "P")
    poly = authority("Polycom Equipment Issuing CA 1", "Polycom Inc.")
    grandstream = authority("Grandstream Networks CA", "Grandstream Networks, Inc.")
    audiocodes = authority("AudioCodes Root CA", "AudioCodes")
    lab_root = authority("LAB Root SHA-256", "LAB technology AG")
    lab_ca = authority("LAB Phone 1 SHA-256", "LAB technology AG", lab_root)
    posing = authority("Snom Phone 7 SHA-256", snom_o, yealink)  # under Yealink's root
    own = authority("ACME Phones CA", "ACME")
    all_own = authority("ACME CA", "ACME")  # good for phones of any vendor
    common_own = authority("ACME Common CA", "ACME", all_own)
    odd = authority("Something Else CA", "Yealink", yealink)
    short = authority(
        "Snom Phone 2 SHA-256", snom_o, root2, until=datetime(2020, 1, 1, tzinfo=UTC)
    )
    # Not trusted, with the very names of those that are.
    fake_root = authority("snom technology AG SHA-256 CA", snom_o, key="fake root")
    fake_phone2 = authority("Snom Phone 1 SHA-256", snom_o, fake_root, key="fake phone")
    trust = VendorTrust.from_certificates(
        [
            a.certificate
            for a in (root2, phone2, root1, phone1, yealink, cisco, panasonic)
        ]
        + [poly.certificate, grandstream.certificate]
        + [audiocodes.certificate, lab_root.certificate, lab_ca.certificate]
        + [own.certificate, all_own.certificate],
        rules_of(
            [
                (own.certificate, OperatorRule(TrustRule.CN_MAC, "snom")),
                (all_own.certificate, OperatorRule(TrustRule.CN_MAC)),
                (common_own.certificate, OperatorRule(TrustRule.SHARED)),
            ]
        ),
    )
    lab = Lab(trust, authorities={"phone2": phone2, "phone1": phone1, "lab": lab_ca})
    sent2, sent1 = (phone2.certificate,), (phone1.certificate,)
    real_a = leaf(phone2, ("CN", MAC_A), key="phone a")

    def add(
        name: str, *chain: Certificate, kind: str = "bad", mac: str | None = None,
        since: datetime = FROM, until: datetime = UNTIL, vendor: str = "snom",
    ) -> None:  # fmt: skip
        lab.made[name] = Made(name, chain, kind, mac, since, until, vendor)

    def own_of(name: str, mac: str, *chain: Certificate, **more: object) -> None:
        add(name, *chain, kind="own", mac=mac, **more)  # type: ignore[arg-type]

    own_of("a", MAC_A, real_a, *sent2)
    own_of("b", MAC_B, leaf(phone2, ("CN", MAC_B)), *sent2)
    own_of("c sha1", MAC_C, leaf(phone1, ("CN", MAC_C), hash_name="sha1"), *sent1)
    own_of("a lower case, leaf only", MAC_A, leaf(phone2, ("CN", MAC_A.lower())))
    own_of("a version 1", MAC_A, leaf(phone2, ("CN", MAC_A), version=1, ca=None))
    own_of("b under its root", MAC_B, leaf(root2, ("CN", MAC_B)))
    servers = leaf(phone2, ("CN", MAC_A), purposes=("serverAuth",))
    own_of("a as a server", MAC_A, servers, *sent2)
    own_of("lab a", MAC_A, leaf(lab_ca, ("CN", MAC_A)), vendor="lab-snom")
    own_of("yealink d", MAC_D, leaf(yealink, ("CN", MAC_D.lower())), vendor="yealink")
    own_of("poly e", MAC_E, leaf(poly, ("CN", MAC_E)), vendor="poly")
    own_of("grandstream f", MAC_F, leaf(grandstream, ("CN", MAC_F)),
           vendor="grandstream")  # fmt: skip
    own_of(
        "cisco d", MAC_D, leaf(cisco, ("OU", "CP-8841-3PCC"), ("L", "F"), ("ST", MAC_D)),
        vendor="cisco",
    )  # fmt: skip
    spa = leaf(
        cisco, ("ST", MAC_D), ("L", "CBT"), ("O", "Cisco Systems, Inc."),
        ("CN", f"SPA-525G2, MAC: {MAC_A}, Serial: CBT"),
    )  # fmt: skip
    own_of("cisco spa d", MAC_D, spa, vendor="cisco")
    own_of("operator's own a", MAC_A, leaf(own, ("CN", MAC_A)))
    own_of("operator's own b", MAC_B, leaf(all_own, ("CN", MAC_B)), vendor="own")
    add("operator's common", leaf(common_own, ("CN", MAC_A)), common_own.certificate,
        kind="shared", vendor="own")  # fmt: skip
    early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    own_of("a expired", MAC_A, leaf(phone2, ("CN", MAC_A), until=early), until=early)
    own_of("a not yet", MAC_A, leaf(phone2, ("CN", MAC_A), since=late), since=late)
    own_of(
        "a, its authority expired", MAC_A, leaf(short, ("CN", MAC_A)),
        short.certificate, until=early,
    )  # fmt: skip
    for name, over, rdns, vendor in (
        ("snom common", phone1, [("CN", "snom VoIP Phone")], "snom"),
        ("yealink generic", yealink, [("CN", "Yealink generic")], "yealink"),
        ("cisco generic", cisco, [("L", "ciscogeneric"), ("ST", "ciscogeneric")],
         "cisco"),
        ("panasonic", panasonic, [("CN", MAC_A)], "panasonic"),
    ):  # fmt: skip
        sha = "sha1" if over is phone1 else "sha256"
        made = leaf(over, *rdns, hash_name=sha)
        add(name, made, over.certificate, kind="shared", vendor=vendor)
    add("no certificate", kind="none")
    bad_subjects: dict[str, list[Rdn]] = {
        "colons": [("CN", "00:04:13:AA:BB:C0")],
        "dashes": [("CN", "00-04-13-AA-BB-C0")],
        "trailing NUL": [("CN", MAC_A + "\0")],
        "NUL and more": [("CN", MAC_A + "\0.example.com")],
        "leading space": [("CN", " " + MAC_A)],
        "trailing newline": [("CN", MAC_A + "\n")],
        "full-width digits": [("CN", "０００４１３AABBC0")],
        "arabic digits": [("CN", "٠٠٠٤١٣AABBC0")],
        "zero width": [("CN", MAC_A[:6] + "\u200b" + MAC_A[6:])],
        "right to left": [("CN", "\u202e" + MAC_A)],
        "too long": [("CN", MAC_A + "0")],
        "two macs in one": [("CN", f"{MAC_B},CN={MAC_A}")],
        "dn inside": [("CN", f"x/CN={MAC_A}")],
        "two CNs": [("CN", MAC_B), ("CN", MAC_A)],
        "the same CN twice": [("CN", MAC_A), ("CN", MAC_A)],
        "no CN": [("O", "Snom"), ("OU", MAC_A)],
        "empty CN": [("CN", "")],
        "mac in a comment": [("CN", f"snom phone {MAC_A}")],
    }
    for name, rdns in bad_subjects.items():
        add(f"subject: {name}", leaf(phone2, *rdns), *sent2)
    both = Name.build([[("CN", MAC_A), ("CN", MAC_B)]])
    two_in_one = certificate(both, ec("leaf"), phone2, ca=False)
    add("subject: two CNs in one RDN", two_in_one, *sent2)
    add("cisco: the MAC as CN", leaf(cisco, ("CN", MAC_A)), vendor="cisco")
    add("cisco: two STs", leaf(cisco, ("ST", MAC_D), ("ST", MAC_A)), vendor="cisco")
    add("self-signed", leaf(None, ("CN", MAC_A)))
    add("self-signed, with the true chain", leaf(None, ("CN", MAC_A)), *sent2)
    add("other issuer, same names", leaf(fake_phone2, ("CN", MAC_A)),
        fake_phone2.certificate, fake_root.certificate)  # fmt: skip
    add("other issuer, leaf only", leaf(fake_phone2, ("CN", MAC_A)))
    add("other issuer, leaf only, no key ids",
        leaf(fake_phone2, ("CN", MAC_A), ids=False))  # fmt: skip
    add("other issuer, true chain", leaf(fake_phone2, ("CN", MAC_A)), *sent2)
    # Phone B's own certificate and key, used to issue one for phone A.
    real_b = Issuer(leaf(phone2, ("CN", MAC_B), key="b", ca=None), ec("b"))
    add("leaf as issuer", leaf(real_b, ("CN", MAC_A)), real_b.certificate, *sent2)
    usage_b = Issuer(
        leaf(phone2, ("CN", MAC_B), key="b", ca=None, usage=("keyCertSign",)), ec("b")
    )
    add("leaf with keyCertSign as issuer", leaf(usage_b, ("CN", MAC_A)),
        usage_b.certificate, *sent2)  # fmt: skip
    old_b = Issuer(leaf(phone2, ("CN", MAC_B), key="b", version=1, ca=None), ec("b"))
    add(
        "version 1 leaf as issuer",
        leaf(old_b, ("CN", MAC_A)),
        old_b.certificate,
        *sent2,
    )
    named_b = Issuer(
        leaf(phone2, ("CN", "Snom Phone 1 SHA-256"), ("O", snom_o), key="b", ca=False),
        ec("b"),
    )
    add("leaf named like an issuer", leaf(named_b, ("CN", MAC_A)), named_b.certificate,
        *sent2)  # fmt: skip
    # A leaf of the vendor's that bears an issuer's name, and may sign by its keyUsage.
    sign_b = Issuer(
        leaf(phone2, ("CN", "Snom Phone 1 SHA-256"), ("O", snom_o), key="b", ca=None,
             usage=("keyCertSign",)),
        ec("b"),
    )  # fmt: skip
    add("keyCertSign, named like an issuer", leaf(sign_b, ("CN", MAC_A)),
        sign_b.certificate, *sent2)  # fmt: skip
    add("a costly key", leaf(phone2, ("CN", MAC_A), public=costly_rsa()), *sent2)
    add("a, and a costly key besides", leaf(phone2, ("CN", MAC_A)),
        crossing([costly_rsa()])[1], *sent2)  # fmt: skip
    add("a for signing code", leaf(phone2, ("CN", MAC_A), purposes=("codeSigning",)),
        *sent2)  # fmt: skip
    add("a for enciphering keys", leaf(phone2, ("CN", MAC_A), usage=("keyEncipherment",)),
        *sent2)  # fmt: skip
    add("the issuer itself", *sent2, root2.certificate)
    add("the root itself", root2.certificate)
    add("a leaf that is an authority", leaf(phone2, ("CN", MAC_A), ca=True), *sent2)
    add("under another vendor's root", leaf(posing, ("CN", MAC_A)), posing.certificate)
    add("issuer without a rule", leaf(odd, ("CN", MAC_A)), odd.certificate)
    add("audiocodes", leaf(audiocodes, ("CN", MAC_A)), vendor="audiocodes")
    add("a behind a stranger", leaf(None, ("CN", "x")), real_a, *sent2)
    add("eleven certificates", leaf(phone2, ("CN", MAC_A)), *sent2 * 10)
    return lab


@pytest.fixture(scope="session")
def lab() -> Lab:
    return build_lab()


@pytest.fixture
def make_leaf() -> Callable[..., tuple[Certificate, tuple[Certificate]]]:
    """Make a self-signed authority and phone A's certificate from it."""

    def make(cn: str, **how: object) -> tuple[Certificate, tuple[Certificate]]:
        over = authority(cn, "Snom Technology AG", **how)  # type: ignore[arg-type]
        return over.certificate, (leaf(over, ("CN", MAC_A), ids=False),)

    return make


@pytest.fixture(scope="session")
def der_a() -> bytes:
    return leaf(None, ("CN", "pbx.example")).der


@pytest.fixture(scope="session")
def der_b() -> bytes:
    return leaf(None, ("CN", "ldap.example")).der
