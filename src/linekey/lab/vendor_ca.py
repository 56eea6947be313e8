"""The lab vendor: authorities and device certificates shaped like the real vendor's.

What is copied from the real ones (SNOM-CA, SNOM-TLS, H, unless said):

- two generations, root → intermediate → leaf: RSA-1024 with SHA-1, RSA-2048 with
  SHA-256; the validity of the real authorities;
- the names' attributes and their order: C, ST, L, O, CN, emailAddress in the encoding,
  which prints as ``emailAddress=…,CN=…,C=DE``; basicConstraints CA:TRUE, not critical,
  no path length; no keyUsage, no pointers; both key identifiers;
- CN = MAC, 12 hex digits, for a phone of its own; for 300, 320, 370, PA1 and MP one
  certificate for all, of version 1 and with the RDN order that SNOM-TLS prints, read
  as the reverse of the encoding ("Adding Unknown Certificates", H for the print, M
  that it is theirs).

What differs: every name says LAB, and the e-mail address ends in .invalid, so that
nobody takes any of it for the vendor's. That leaves carry basicConstraints CA:FALSE is
ours (L): no source tells of them.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from linekey.catalog.models import Generation
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey
from linekey.mac import Mac

EMAIL = "security@lab.invalid"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the certificates of one generation have in common."""

    generation: Generation
    hash: Literal["sha1", "sha256"]
    key_bits: int
    organization: str
    root_cn: str
    intermediate_cn: str
    shared_cn: str
    root_begins: datetime
    """Validity of the root begins, UTC; the intermediate's begins the same day."""
    ends: datetime
    """Everything of the generation ends, UTC."""


SHAPES = {
    Generation.SHA1: Shape(
        Generation.SHA1,
        "sha1",
        1024,
        "LAB Technology AG",
        "LAB Technology AG CA",
        "LAB Phone 1",
        "LAB VoIP Phone",
        datetime(2008, 7, 22, 10, 18, 48, tzinfo=UTC),
        datetime(2037, 4, 21, 10, 18, 48, tzinfo=UTC),
    ),
    Generation.SHA256: Shape(
        Generation.SHA256,
        "sha256",
        2048,
        "LAB technology AG",
        "LAB technology AG SHA-256 CA",
        "LAB Phone 1 SHA-256",
        "LAB VoIP Phone SHA-256",
        datetime(2016, 2, 11, 14, 13, 15, tzinfo=UTC),
        datetime(2037, 12, 31, 14, 13, 15, tzinfo=UTC),
    ),
}
"""Both generations."""


def new_vendor_key(generation: Generation) -> PrivateKey:
    """A key of the generation's size; RSA-2048 takes some 100 ms."""
    return new_key("rsa", SHAPES[generation].key_bits)


def issue_root(generation: Generation, key: PrivateKey) -> Certificate:
    """The generation's root, self-signed."""
    shape = SHAPES[generation]
    return issue(
        _name(shape, shape.root_cn),
        key,
        None,
        serial=new_serial(),
        not_before=shape.root_begins,
        not_after=shape.ends,
        hash=shape.hash,
        ca=True,
    )


def issue_intermediate(
    generation: Generation, key: PrivateKey, root: Issuer
) -> Certificate:
    """The authority that signs the phones' certificates; serial 2, as the real one."""
    shape = SHAPES[generation]
    return issue(
        _name(shape, shape.intermediate_cn),
        key,
        root,
        serial=2,
        not_before=shape.root_begins,
        not_after=shape.ends,
        hash=shape.hash,
        ca=True,
    )


def issue_device(
    mac: Mac, generation: Generation, key: PrivateKey, intermediate: Issuer
) -> Certificate:
    """A phone's own certificate, its MAC as the CN."""
    shape = SHAPES[generation]
    return issue(
        _name(shape, str(mac)),
        key,
        intermediate,
        serial=new_serial(),
        not_before=shape.root_begins,
        not_after=shape.ends,
        hash=shape.hash,
        ca=False,
    )


def issue_shared(
    generation: Generation, key: PrivateKey, intermediate: Issuer
) -> Certificate:
    """The one certificate of all phones without their own: version 1, no MAC."""
    shape = SHAPES[generation]
    subject = Name.build(
        [
            ("C", "DE"),
            ("CN", shape.shared_cn),
            ("L", "Berlin"),
            ("O", shape.organization),
            ("ST", "Berlin"),
            ("emailAddress", EMAIL),
        ]
    )
    return issue(
        subject,
        key,
        intermediate,
        serial=new_serial(),
        not_before=shape.root_begins,
        not_after=shape.ends,
        hash=shape.hash,
        version=1,
    )


def _name(shape: Shape, cn: str) -> Name:
    return Name.build(
        [
            ("C", "DE"),
            ("ST", "Berlin"),
            ("L", "Berlin"),
            ("O", shape.organization),
            ("CN", cn),
            ("emailAddress", EMAIL),
        ]
    )


def new_serial() -> int:
    """A serial number that no other certificate of the lab has: 63 random bits."""
    return secrets.randbits(63) + 1
