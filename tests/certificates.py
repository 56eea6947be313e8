"""The tests' certificates: keys made once a process, authorities, leaves, phones.

What a test does not say is usual: a serial number of its own, SHA-256, version 3, dates
that hold today (OpenSSL reads the system's clock). RSA, which every phone takes; an
elliptic curve (``ec``) is quicker where no phone looks. Phones' certificates are shaped
as the vendor's (SNOM-CA): root → intermediate → device, basicConstraints not critical,
no keyUsage.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from itertools import count
from typing import Any

from linekey.certs.build import HashName, Issuer, PublicKey, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey, private_key_to_pem
from linekey.mac import Mac
from linekey.phone.identity import DeviceIdentity

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
START = datetime(2016, 1, 1, tzinfo=UTC)
END = datetime(2037, 12, 31, tzinfo=UTC)
DAY = timedelta(days=1)
MAC = Mac("000413AABBCC")
OTHER = Mac("000413AABBDD")
_serials = count(1)


@cache
def key(label: str, kind: str = "rsa", size: int | str = 2048) -> PrivateKey:
    """One private key a label."""
    return new_key(kind, size)


def ec(label: str) -> PrivateKey:
    return key(label, "ec", "secp256r1")


def named(*common: str, o: str = "linekey TEST") -> Name:
    """A name with O and the CNs."""
    return Name.build([("O", o), *(("CN", cn) for cn in common)])


def certificate(
    subject: str | Name | Sequence[tuple[str, str]],
    own: PublicKey | PrivateKey,
    issuer: Issuer | None = None,
    **more: Any,
) -> Certificate:
    """Any certificate; ``more`` as ``issue`` takes it. A text is a CN."""
    if isinstance(subject, str):
        subject = named(subject)
    elif not isinstance(subject, Name):
        subject = Name.build(list(subject))
    usual = {"serial": next(_serials), "not_before": START, "not_after": END}
    return issue(subject, own, issuer, **(usual | more))


def ca(
    subject: str | Name | Sequence[tuple[str, str]],
    issuer: Issuer | None = None,
    *,
    own: PrivateKey | None = None,
    **more: Any,
) -> Issuer:
    """A CA; a root without ``issuer``. One name has one key, unless ``own`` is."""
    own = own or key(f"ca {subject}")
    return Issuer(certificate(subject, own, issuer, **({"ca": True} | more)), own)


def leaf(
    issuer: Issuer | None,
    *dns: str,
    ips: tuple[str, ...] = (),
    cn: tuple[str, ...] = ("leaf",),
    leaf_key: PrivateKey | None = None,
    **more: Any,
) -> Certificate:
    """A server's certificate of 90 days, ten of which are over at NOW."""
    usual = {
        "not_before": NOW - 10 * DAY, "not_after": NOW + 80 * DAY, "dns_names": dns,
        "ip_addresses": [ip_address(ip) for ip in ips],
    }  # fmt: skip
    return certificate(named(*cn), leaf_key or key("leaf"), issuer, **(usual | more))


@cache
def authority(
    cn: str = "TEST server root", hash: HashName = "sha256", bits: int = 2048
) -> Issuer:
    return ca(cn, own=key(f"authority {hash == 'sha1'}", "rsa", bits), hash=hash)


@cache
def intermediate(root: Issuer, cn: str, hash: HashName = "sha256") -> Issuer:
    own = key("intermediate", "rsa", 1024 if hash == "sha1" else 2048)
    return ca(cn, root, own=own, hash=hash)


@cache
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


@cache
def _device(cn: str | Mac, generation: str) -> DeviceIdentity:
    _, signer = vendor(generation)
    own = key("device", "rsa", 1024 if generation == "sha1" else 2048)
    made = certificate(
        [("emailAddress", "security@linekey.invalid"), ("CN", str(cn))], own, signer,
        hash="sha1" if generation == "sha1" else "sha256",
    )  # fmt: skip
    return DeviceIdentity((made, signer.certificate), private_key_to_pem(own))


@cache
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
    own = key("server", kind, size)
    is_address = host.replace(".", "").isdigit()
    made = certificate(
        host, own, authority() if root is None else root, not_after=not_after, hash=hash,
        dns_names=names if names is not None else () if is_address else (host,),
        ip_addresses=(ip_address(host),) if is_address and names is None else (),
    )  # fmt: skip
    return DeviceIdentity((made,), private_key_to_pem(own))


@cache
def self_signed(cn: str = "stranger.test", *, number: int = 21) -> Certificate:
    return certificate(cn, key(f"self-signed {number}"), ca=True, dns_names=(cn,))
