"""Lab authorities and device certificates shaped like other makers', as data.

What is copied from the real ones (MTLS-PROTECT for the authorities' bytes, H; see
``catalog.vendors`` for where the MAC is): how many authorities stand above a phone, the
kinds and sizes of their keys, their hashes, the days on which they end, and the place
of the MAC:

- ``yealink``: Root CA → Manufacturing CA, RSA-4096 with SHA-256, to 2049; MAC in the
  CN. ``yealink-old``: one self-signed issuing authority, RSA-4096 with SHA-1, to 2033;
  its phones have one generic certificate in common (YEALINK-CERT).
- ``poly``: Root CA → Policy CA → Issuing CA 1, RSA-4096 with SHA-256, the root to 2044,
  the others to 2039; MAC in the CN.
- ``grandstream``: generation 2, Root CA → CA, P-384 with SHA-384, to 2065 and 2055, the
  second with path length 0; MAC in the CN. Generation 1 signs with MD5, and is made in
  tests alone.
- ``cisco``: MAC in the ST, model in the OU, serial number in the L (CISCO-MPP, H);
  ``cisco-spa``: ``ciscogeneric`` there (CISCO-SPA, H). Their authorities' names and
  keys are not known: RSA-2048 with SHA-256, one below the other (L).

Key and hash of the phones' own certificates nobody has seen, save for Cisco's: they are
of the kind of their issuer, RSA-2048 where that is RSA (L).

What differs: every name says LAB and names no maker, so that nobody takes any of it for
theirs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from linekey.certs.build import HashName, Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey
from linekey.lab.vendor_ca import new_serial
from linekey.mac import Mac

Key = tuple[str, int | str]
"""Kind and size as ``certs.build.new_key`` takes them."""


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority of a shape."""

    cn: str
    key: Key
    hash: HashName
    ends: datetime
    path_length: int | None = None


@dataclass(frozen=True, slots=True)
class MakerShape:
    """One maker's authorities, the root first, and what its phones' leaves hold."""

    id: str
    """Its folder in the lab, and what ``--maker`` calls it."""
    maker: str
    """Short name as in ``catalog.vendors``."""
    country: str
    organization: str
    unit: str
    """Of authorities and leaves; empty: none."""
    begins: datetime
    authorities: tuple[Authority, ...]
    leaf_key: Key
    leaf_ends: datetime
    mac_in: str = "CN"
    shared_value: str = ""
    """What stands in the MAC's place where all its phones have one certificate."""

    @property
    def leaf_hash(self) -> HashName:
        """The hash of the authority that issues leaves."""
        return self.authorities[-1].hash


def _day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


_RSA4096: Final[Key] = ("rsa", 4096)
_RSA2048: Final[Key] = ("rsa", 2048)
_P384: Final[Key] = ("ec", "secp384r1")

SHAPES: Final[dict[str, MakerShape]] = {
    shape.id: shape
    for shape in (
        MakerShape(
            "yealink", "yealink", "CN", "LAB Network Technology Co.,Ltd.",
            "lab.invalid", _day(2019, 12, 12),
            (
                Authority("LAB Y Root CA", _RSA4096, "sha256", _day(2049, 12, 12)),
                Authority("LAB Y Manufacturing CA", _RSA4096, "sha256",
                          _day(2049, 12, 12), 0),
            ),
            _RSA2048, _day(2049, 12, 11),
        ),
        MakerShape(
            "yealink-old", "yealink", "CN", "LAB Network Technology Co.,Ltd.",
            "lab.invalid", _day(2013, 11, 7),
            (
                Authority("LAB Y Equipment Issuing CA", _RSA4096, "sha1",
                          _day(2033, 11, 7)),
            ),
            _RSA2048, _day(2033, 11, 6), shared_value="LAB Y generic",
        ),
        MakerShape(
            "poly", "poly", "US", "LAB P Inc.", "", _day(2009, 3, 9),
            (
                Authority("LAB P Root CA", _RSA4096, "sha256", _day(2044, 3, 9)),
                Authority("LAB P Equipment Policy CA", _RSA4096, "sha256",
                          _day(2039, 3, 9)),
                Authority("LAB P Equipment Issuing CA 1", _RSA4096, "sha256",
                          _day(2039, 3, 9)),
            ),
            _RSA2048, _day(2039, 3, 8),
        ),
        MakerShape(
            "grandstream", "grandstream", "US", "LAB G Networks, Inc.", "",
            _day(2019, 9, 20),
            (
                Authority("LAB G Root CA", _P384, "sha384", _day(2065, 9, 12)),
                Authority("LAB G Networks CA", _P384, "sha384", _day(2055, 9, 16), 0),
            ),
            _P384, _day(2055, 9, 15),
        ),
        MakerShape(
            "cisco", "cisco", "US", "LAB C Systems", "", _day(2015, 1, 1),
            (
                Authority("LAB C Root CA", _RSA2048, "sha256", _day(2037, 11, 12)),
                Authority("LAB C Manufacturing CA", _RSA2048, "sha256",
                          _day(2037, 11, 12), 0),
            ),
            _RSA2048, _day(2037, 11, 11), mac_in="ST",
        ),
        MakerShape(
            "cisco-spa", "cisco", "US", "LAB C Systems", "", _day(2010, 1, 1),
            (
                Authority("LAB C Small Business Root CA", _RSA2048, "sha1",
                          _day(2034, 1, 1)),
            ),
            _RSA2048, _day(2033, 12, 31), mac_in="ST", shared_value="ciscogeneric",
        ),
    )
}  # fmt: skip
"""Every shape by its id."""


def shape_of(maker: str, *, shared: bool = False) -> MakerShape | None:
    """The shape of a maker's phones; ``shared`` for those with a common certificate."""
    for shape in SHAPES.values():
        if shape.maker == maker and bool(shape.shared_value) is shared:
            return shape
    return None


def new_authority_key(authority: Authority) -> PrivateKey:
    """A key of its kind and size; RSA-4096 takes about a second."""
    return new_key(*authority.key)


def new_leaf_key(shape: MakerShape) -> PrivateKey:
    """A phone's key."""
    return new_key(*shape.leaf_key)


def issue_authority(
    shape: MakerShape, place: int, key: PrivateKey, above: Issuer | None
) -> Certificate:
    """The authority at ``place``, 0 the root; ``above`` issues the others."""
    authority = shape.authorities[place]
    return issue(
        _name(shape, ("CN", authority.cn)),
        key,
        above,
        serial=new_serial(),
        not_before=shape.begins,
        not_after=authority.ends,
        hash=authority.hash,
        ca=True,
        ca_critical=True,
        path_length=authority.path_length,
    )


def issue_leaf(
    shape: MakerShape,
    key: PrivateKey,
    issuer: Issuer,
    *,
    mac: Mac | None,
    model: str = "",
) -> Certificate:
    """A phone's certificate: its MAC in its maker's place; None: one for all phones.

    ``model`` stands in the OU where the maker has it there.
    """
    value = shape.shared_value if mac is None else str(mac)
    if shape.mac_in == "ST":
        serial = "LAB0000000" if mac is None else f"LAB{mac.digits[-7:]}"
        parts = [
            ("OU", model or "LAB-3PCC"),
            ("L", value if mac is None else serial),
            ("ST", value),
            ("O", shape.organization),
            ("CN", f"LAB C, MAC: {value}, Serial: {serial}"),
        ]
        subject = Name.build(parts)
    else:
        subject = _name(shape, ("CN", value))
    return issue(
        subject,
        key,
        issuer,
        serial=new_serial(),
        not_before=shape.begins,
        not_after=shape.leaf_ends,
        hash=shape.leaf_hash,
        ca=False,
    )


def _name(shape: MakerShape, last: tuple[str, str]) -> Name:
    parts = [("C", shape.country), ("O", shape.organization)]
    if shape.unit:
        parts.append(("OU", shape.unit))
    return Name.build([*parts, last])
