"""Small certificate worlds for tests: a root, an intermediate, leaves, all wrong ways."""

from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Any

from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@cache
def key(label: str, kind: str = "rsa", size: int | str = 2048) -> PrivateKey:
    """One key a label, made once a run."""
    return new_key(kind, size)


def named(*common: str, org: str = "Test") -> Name:
    """A name with O and the CNs."""
    return Name.build([("O", org), *(("CN", c) for c in common)])


def ca(
    label: str,
    issuer: Issuer | None = None,
    *,
    signing_key: PrivateKey | None = None,
    **kw: Any,
) -> Issuer:
    """A CA; a root without ``issuer``."""
    own = signing_key or key("ca " + label)
    fields: dict[str, Any] = {
        "serial": 1 + sum(label.encode()),
        "not_before": NOW - 1000 * DAY,
        "not_after": NOW + 5000 * DAY,
        "ca": True,
    }
    fields.update(kw)
    return Issuer(issue(named(label), own, issuer, **fields), own)  # fmt: skip


def leaf(
    issuer: Issuer | None,
    *dns: str,
    ips: tuple[str, ...] = (),
    cn: tuple[str, ...] = ("leaf",),
    leaf_key: PrivateKey | None = None,
    **kw: Any,
) -> Certificate:
    """A server certificate, valid around NOW unless told otherwise."""
    fields: dict[str, Any] = {
        "serial": 1000,
        "not_before": NOW - 10 * DAY,
        "not_after": NOW + 80 * DAY,
        "dns_names": dns,
        "ip_addresses": [ip_address(i) for i in ips],
    }
    fields.update(kw)
    return issue(named(*cn), leaf_key or key("leaf"), issuer, **fields)
