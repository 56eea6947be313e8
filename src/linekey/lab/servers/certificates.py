"""The test servers' certificates: right and wrong ones, from one small set of keys.

``Pki`` keeps its keys in one folder (0600), so that their root is the same
certificate from one start to the next and can be given to phones once. Each maker
returns what a server shows, leaf first, with the key; ``MAKERS`` names them.

Nothing here is for use: keys lie unencrypted, and half of it is wrong on purpose.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey, parse_private_key, private_key_to_pem
from linekey.lab.files import locked, make_folder, write_file

SERVER_NAME: Final = "prov.linekey.test"
"""What phones call the test servers (RFC 6761 §6.2: test is nobody's)."""

_BEGIN: Final = datetime(2020, 1, 1, tzinfo=UTC)
_END: Final = datetime(2049, 12, 31, tzinfo=UTC)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server shows, leaf first, and its key, which no repr shows."""

    chain: tuple[Certificate, ...]
    key: PrivateKey = field(repr=False, compare=False)


class Pki:
    """Makes the certificates for one moment; keys are kept in ``folder``.

    ``now`` is aware; leaves are valid around it. Raises StorageError if the folder
    cannot be written.
    """

    def __init__(self, folder: Path, now: datetime) -> None:
        make_folder(folder)
        self._folder = folder
        self._now = now
        self._keys: dict[str, PrivateKey] = {}

    def key(self, label: str, kind: str = "rsa", size: int | str = 2048) -> PrivateKey:
        """The key of that label, made at its first use."""
        if label not in self._keys:
            path = self._folder / f"{label}.key"
            with locked(self._folder):
                if not path.exists():
                    made = private_key_to_pem(new_key(kind, size))
                    write_file(path, made, private=True)
            self._keys[label] = parse_private_key(path.read_bytes())
        return self._keys[label]

    @property
    def root(self) -> Issuer:
        """The root that phones must know."""
        return self.authority("root")

    @property
    def middle(self) -> Issuer:
        """The intermediate under it."""
        return self.authority("middle", self.root)

    @property
    def stranger(self) -> Issuer:
        """A root that no phone knows."""
        return self.authority("stranger")

    def authority(
        self, label: str, issuer: Issuer | None = None, **fields: Any
    ) -> Issuer:
        """A CA whose certificate is the same bytes each time."""
        own = self.key(fields.pop("key_label", label).replace(" ", "-"))
        # as RFC 5280 §4.2.1.9 and §4.2.1.3 want it; strict verifiers refuse others
        given = {
            "hash": "sha256",
            "ca": True,
            "ca_critical": True,
            "key_usage": ("keyCertSign", "cRLSign"),
            "serial": 1 + sum(label.encode()),
        }
        certificate = issue(
            _name(label), own, issuer, not_before=_BEGIN, not_after=_END,
            **{**given, **fields},
        )  # fmt: skip
        return Issuer(certificate, own)

    def leaf(
        self,
        issuer: Issuer | None,
        *dns: str,
        key: PrivateKey | None = None,
        cn: str = SERVER_NAME,
        addresses: tuple[str, ...] = (),
        **fields: Any,
    ) -> Certificate:
        """A server certificate, 30 days old, good for another 60 unless told so."""
        given = {
            "serial": 4711,
            "not_before": self._now - 30 * _DAY,
            "not_after": self._now + 60 * _DAY,
            "dns_names": dns,
            "ip_addresses": [ip_address(a) for a in addresses],
        }
        return issue(
            _name(cn), key or self.key("server"), issuer, **{**given, **fields}
        )

    def usual(self, *dns: str, **fields: Any) -> Shown:
        """Leaf and intermediate, as they should be but for what ``fields`` say."""
        key = fields.setdefault("key", self.key("server"))
        leaf = self.leaf(self.middle, *dns, **fields)
        return Shown((leaf, self.middle.certificate), key)

    def make(self, maker: str) -> Shown:
        """What the maker of that name makes. Raises KeyError."""
        return MAKERS[maker](self)

    @property
    def now(self) -> datetime:
        """The moment it makes certificates for."""
        return self._now


def _name(cn: str) -> Name:
    return Name.build([("O", "linekey test servers"), ("CN", cn)])


def _right(n: Pki) -> Shown:
    return n.usual(SERVER_NAME)


def _expired(n: Pki) -> Shown:
    return n.usual(
        SERVER_NAME, not_before=n.now - 90 * _DAY, not_after=n.now - timedelta(hours=1)
    )


def _early(n: Pki) -> Shown:
    return n.usual(
        SERVER_NAME, not_before=n.now + 2 * _DAY, not_after=n.now + 90 * _DAY
    )


def _missing(n: Pki) -> Shown:
    return Shown(n.usual(SERVER_NAME).chain[:1], n.key("server"))


def _misordered(n: Pki) -> Shown:
    leaf, middle = n.usual(SERVER_NAME).chain
    return Shown((leaf, n.root.certificate, middle), n.key("server"))


def _extra(n: Pki) -> Shown:
    return Shown((*n.usual(SERVER_NAME).chain, n.stranger.certificate), n.key("server"))


def _root_sent(n: Pki) -> Shown:
    return Shown((*n.usual(SERVER_NAME).chain, n.root.certificate), n.key("server"))


def _twice(n: Pki) -> Shown:
    leaf, middle = n.usual(SERVER_NAME).chain
    return Shown((leaf, leaf, middle), n.key("server"))


def _hashed(hash: str, middle_label: str) -> Callable[[Pki], Shown]:
    """Leaf and intermediate signed with an old hash."""

    def make(n: Pki) -> Shown:
        middle = n.authority(middle_label, n.root, hash=hash, key_label="middle")
        leaf = n.leaf(middle, SERVER_NAME, hash=hash)
        return Shown((leaf, middle.certificate), n.key("server"))

    return make


def _keyed(label: str, kind: str, size: int | str) -> Callable[[Pki], Shown]:
    return lambda n: n.usual(SERVER_NAME, key=n.key(label, kind, size))


def _version_1(n: Pki) -> Shown:
    leaf = n.leaf(n.middle, version=1, key_ids=False)
    return Shown((leaf, n.middle.certificate), n.key("server"))


def _self_signed(n: Pki) -> Shown:
    key = n.key("server")
    return Shown((n.leaf(None, SERVER_NAME, key=key),), key)


def _leaf_as_issuer(n: Pki) -> Shown:
    above = n.leaf(n.middle, "upper.linekey.test", cn="upper.linekey.test", ca=False)
    issuer = Issuer(above, n.key("server"))
    key = n.key("server-2")
    leaf = n.leaf(issuer, SERVER_NAME, key=key, serial=4712)
    return Shown((leaf, above, n.middle.certificate), key)


def _unknown_ca(n: Pki) -> Shown:
    chain = (n.leaf(n.stranger, SERVER_NAME), n.stranger.certificate)
    return Shown(chain, n.key("server"))


def _cross_signed(n: Pki) -> Shown:
    """A new root that phones do not know, signed by the one they do."""
    new = n.authority("new root")
    bridge = n.authority("new root", n.root, serial=77)
    return Shown((n.leaf(new, SERVER_NAME), bridge.certificate), n.key("server"))


def _path_too_long(n: Pki) -> Shown:
    short = n.authority("short", n.root, path_length=0)
    below = n.authority("below", short)
    chain = (n.leaf(below, SERVER_NAME), below.certificate, short.certificate)
    return Shown(chain, n.key("server"))


def _forged(n: Pki) -> Shown:
    """The intermediate's name, another's signature."""
    liar = Issuer(n.middle.certificate, n.key("stranger"))
    return Shown((n.leaf(liar, SERVER_NAME), n.middle.certificate), n.key("server"))


MAKERS: Final[Mapping[str, Callable[[Pki], Shown]]] = {
    "right": _right,
    "expired": _expired,
    "not-yet-valid": _early,
    "wrong-name": lambda n: n.usual("other.linekey.test", cn="other.linekey.test"),
    "wildcard": lambda n: n.usual("*.linekey.test", cn="*.linekey.test"),
    "partial-wildcard": lambda n: n.usual("p*.linekey.test", cn="p*.linekey.test"),
    "deep-wildcard": lambda n: n.usual("*.test", cn="*.test"),
    "ip-san": lambda n: n.usual(cn="test", addresses=("127.0.0.1",)),
    "ip-as-dns": lambda n: n.usual("127.0.0.1", cn="test"),
    "cn-only": lambda n: n.usual(),
    "cn-and-other-san": lambda n: n.usual("other.linekey.test"),
    "missing-intermediate": _missing,
    "misordered": _misordered,
    "extra-root": _extra,
    "root-sent": _root_sent,
    "leaf-twice": _twice,
    "sha1": _hashed("sha1", "middle sha1"),
    "md5": _hashed("md5", "middle md5"),
    "rsa-1024": _keyed("server-1024", "rsa", 1024),
    "rsa-4096": _keyed("server-4096", "rsa", 4096),
    "ecdsa": _keyed("server-ec", "ec", "secp256r1"),
    "version-1": _version_1,
    "self-signed": _self_signed,
    "leaf-as-issuer": _leaf_as_issuer,
    "unknown-ca": _unknown_ca,
    "cross-signed": _cross_signed,
    "path-too-long": _path_too_long,
    "forged": _forged,
    "clients-only": lambda n: n.usual(SERVER_NAME, extended_key_usage=["clientAuth"]),
}
"""Name → what makes it."""
