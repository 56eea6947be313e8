"""Certificates for the virtual phone's tests, made once a process.

Shaped as the vendor's (SNOM-CA): root → intermediate → device, basicConstraints
not critical, no keyUsage. Every name says TEST.
"""

from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from itertools import count

from linekey.certs.build import HashName, Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem
from linekey.mac import Mac
from linekey.phone.identity import DeviceIdentity

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
START = datetime(2016, 1, 1, tzinfo=UTC)
END = datetime(2037, 12, 31, tzinfo=UTC)
MAC = Mac("000413AABBCC")
OTHER = Mac("000413AABBDD")
_serials = count(1)


@lru_cache(maxsize=64)
def key(kind: str = "rsa", size: int | str = 1024, number: int = 0):
    """A private key, the same for the same arguments."""
    return new_key(kind, size)


def name(cn: str, *, o: str = "linekey TEST") -> Name:
    return Name.build([("O", o), ("CN", cn)])


@lru_cache(maxsize=64)
def authority(
    cn: str = "TEST server root", hash: HashName = "sha256", bits: int = 2048
) -> Issuer:
    own = key("rsa", bits, hash == "sha1")
    certificate = issue(
        name(cn), own, None, serial=next(_serials), not_before=START, not_after=END,
        hash=hash, ca=True,
    )  # fmt: skip
    return Issuer(certificate, own)


@lru_cache(maxsize=64)
def intermediate(root: Issuer, cn: str, hash: HashName = "sha256") -> Issuer:
    own = key("rsa", 1024 if hash == "sha1" else 2048, 7)
    certificate = issue(
        name(cn), own, root, serial=next(_serials), not_before=START, not_after=END,
        hash=hash, ca=True,
    )  # fmt: skip
    return Issuer(certificate, own)


@lru_cache(maxsize=4)
def vendor(generation: str) -> tuple[Issuer, Issuer]:
    """The root and the intermediate that device certificates come from."""
    hash: HashName = "sha1" if generation == "sha1" else "sha256"
    root = authority(
        f"TEST vendor {generation} root", hash, 1024 if hash == "sha1" else 2048
    )
    return root, intermediate(root, f"TEST Phone {generation}", hash)


def device(cn: str | Mac = MAC, generation: str = "sha256") -> DeviceIdentity:
    """A phone's built-in certificate: the same for the same arguments."""
    return _device(cn, generation)


@lru_cache(maxsize=256)
def _device(cn: str | Mac, generation: str) -> DeviceIdentity:
    _, signer = vendor(generation)
    own = key("rsa", 1024 if generation == "sha1" else 2048, 11)
    leaf = issue(
        Name.build([("emailAddress", "security@linekey.invalid"), ("CN", str(cn))]),
        own, signer, serial=next(_serials), not_before=START, not_after=END,
        hash="sha1" if generation == "sha1" else "sha256",
    )  # fmt: skip
    return DeviceIdentity((leaf, signer.certificate), private_key_to_pem(own))


@lru_cache(maxsize=256)
def server(
    host: str = "127.0.0.1",
    *,
    root: Issuer | None = None,
    hash: HashName = "sha256",
    not_after: datetime = END,
    names: tuple[str, ...] | None = None,
    kind: str = "rsa",
    size: int | str = 2048,
) -> DeviceIdentity:
    """A server's certificate and key, with ``host`` as its only name."""
    own = key(kind, size, 13)
    is_address = host.replace(".", "").isdigit()
    signer = authority() if root is None else root
    leaf = issue(
        name(host), own, signer, serial=next(_serials), not_before=START,
        not_after=not_after, hash=hash,
        dns_names=names if names is not None else () if is_address else (host,),
        ip_addresses=(ip_address(host),) if is_address and names is None else (),
    )  # fmt: skip
    return DeviceIdentity((leaf,), private_key_to_pem(own))


def self_signed(cn: str = "stranger.test", *, number: int = 21) -> Certificate:
    own = key("rsa", 2048, number)
    return issue(
        name(cn), own, None, serial=next(_serials), not_before=START, not_after=END,
        ca=True, dns_names=(cn,),
    )  # fmt: skip
