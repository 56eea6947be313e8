"""The lab's server CA, and the certificate of the server that ``linekey up`` starts.

A modern pair, apart from the lab vendor: RSA-2048 with SHA-256, keyUsage and
extendedKeyUsage as RFC 5280 has them, names in the subjectAltName. Its organization is
not the lab vendor's, so a server's certificate never passes for a phone's.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from linekey.certs.build import HashName, Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.expiry import SERVER_SOON
from linekey.certs.host_names import match_host, parse_address
from linekey.certs.pem import PrivateKey
from linekey.errors import InputError
from linekey.lab.vendor_ca import new_serial

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""Every lab server's certificate is for these, besides the names it is given."""

VALID_DAYS = 397
"""As long as public authorities issue for (CA/Browser Forum's limit until 2026)."""

_ORGANIZATION = "LAB linekey"
_CA_BEGINS = datetime(2020, 1, 1, tzinfo=UTC)
_CA_ENDS = datetime(2037, 12, 31, 23, 59, 59, tzinfo=UTC)


def new_server_key() -> PrivateKey:
    """RSA-2048: every phone of the catalogue takes it. Takes some 100 ms."""
    return new_key("rsa", 2048)


def issue_server_root(key: PrivateKey) -> Certificate:
    """The lab server CA, self-signed."""
    return issue(
        Name.build([("O", _ORGANIZATION), ("CN", "LAB Server CA")]),
        key,
        None,
        serial=new_serial(),
        not_before=_CA_BEGINS,
        not_after=_CA_ENDS,
        ca=True,
        ca_critical=True,
        key_usage=("keyCertSign", "cRLSign"),
    )


def issue_server(
    names: Sequence[str],
    key: PrivateKey,
    root: Issuer,
    *,
    now: datetime,
    hash: HashName = "sha256",
) -> Certificate:
    """A server's certificate for host names and IP addresses, LOCAL_NAMES included.

    ``hash`` "sha1" is for phones that know no other. Raises InputError for what is no
    host name.
    """
    wanted = all_names(names)
    addresses = [a for a in map(parse_address, wanted) if a is not None]
    hosts = [name for name in wanted if parse_address(name) is None]
    return issue(
        Name.build([("O", _ORGANIZATION), ("CN", f"LAB {wanted[0]}")]),
        key,
        root,
        serial=new_serial(),
        not_before=now - timedelta(days=1),
        not_after=min(now + timedelta(days=VALID_DAYS), _CA_ENDS),
        hash=hash,
        ca=False,
        ca_critical=True,
        key_usage=("digitalSignature", "keyEncipherment"),
        extended_key_usage=("serverAuth",),
        dns_names=hosts,
        ip_addresses=addresses,
    )


def still_good(
    certificate: Certificate, names: Sequence[str], now: datetime, hash: HashName
) -> bool:
    """Whether a server's certificate serves these names and need not be renewed."""
    return (
        certificate.not_before <= now < certificate.not_after - SERVER_SOON
        and certificate.signature_hash == hash
        and all(match_host(certificate, name) for name in all_names(names))
    )


def all_names(names: Iterable[str]) -> list[str]:
    """The given names, then LOCAL_NAMES, each once. Raises InputError."""
    wanted = []
    for name in names:
        bare = name.strip().strip("[]").rstrip(".")
        if not bare or not bare.isascii() or not bare.isprintable() or " " in bare:
            raise InputError(
                f"not a host name: {name!r}",
                hint="write a name such as prov.example.com, or an IP address",
            )
        wanted.append(bare)
    return list(dict.fromkeys((*wanted, *LOCAL_NAMES)))
