"""A fleet for the benchmarks: a CA pair shaped like a vendor's, and device identities.

Everything is made once into a cache folder and used again; the names say LAB.
"""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey, private_key_to_pem, to_pem

IDENTITIES = 96
"""Distinct device certificates that connect; six for each of 16 clients."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Fleet:
    """Where the files are. ``macs`` have a certificate and key of their own each."""

    folder: Path
    macs: tuple[str, ...]

    @property
    def authorities(self) -> Path:
        return self.folder / "vendor.pem"

    @property
    def server_certificate(self) -> Path:
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    @property
    def pairs(self) -> tuple[tuple[Path, Path], ...]:
        """The server's two certificates with their keys: RSA's, then EC's."""
        ec = self.folder / "server-ec.pem", self.folder / "server-ec.key"
        return ((self.server_certificate, self.server_key), ec)

    @property
    def server_authority(self) -> Path:
        return self.folder / "server-ca.pem"


def make_fleet(folder: Path, count: int = IDENTITIES) -> Fleet:
    listing = folder / "fleet.json"
    if listing.exists() and (folder / "server-ec.pem").exists():
        macs = json.loads(listing.read_text())
        if len(macs) >= count:
            return Fleet(folder, tuple(macs[:count]))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    now = datetime.now(UTC).replace(microsecond=0)
    span: dict[str, Any] = {
        "not_before": now - _DAY,
        "not_after": now + 3650 * _DAY,
    }

    def name(common_name: str) -> Name:
        return Name.build(
            [
                ("emailAddress", "lab@linekey.invalid"),
                ("C", "DE"),
                ("O", "LAB Technology AG"),
                ("CN", common_name),
            ]
        )

    numbers = random.Random(1)  # the same MACs in every run

    def serial() -> int:
        return numbers.getrandbits(60) + 1

    root_key, phone_key = new_key(), new_key()
    root = issue(
        name("LAB SHA-256 CA"), root_key, None, serial=serial(), ca=True, **span
    )
    phone = issue(
        name("LAB Phone 1 SHA-256"),
        phone_key,
        Issuer(root, root_key),
        serial=serial(),
        ca=True,
        **span,
    )
    (folder / "vendor.pem").write_text(to_pem(root) + to_pem(phone))
    _write(folder, "phone-ca", [phone], phone_key)  # for who issues more phones
    server_ca_key, server_key = new_key(), new_key()
    server_ca = issue(
        name("LAB server CA"), server_ca_key, None, serial=serial(), ca=True, **span
    )
    for stem, own in (
        ("server", server_key),
        ("server-ec", new_key("ec", "secp256r1")),
    ):
        server = issue(
            Name.build([("CN", "localhost")]),
            own,
            Issuer(server_ca, server_ca_key),
            serial=serial(),
            dns_names=["localhost"],
            **span,
        )
        _write(folder, stem, [server, server_ca], own)
    (folder / "server-ca.pem").write_text(to_pem(server_ca))
    macs = sorted({f"000413{numbers.getrandbits(24):06X}" for _ in range(count * 2)})
    macs = macs[:count]
    for mac in macs:
        key = new_key()
        leaf = issue(name(mac), key, Issuer(phone, phone_key), serial=serial(), **span)
        _write(folder, mac, [leaf, phone], key)
    listing.write_text(json.dumps(macs))
    return Fleet(folder, tuple(macs))


def _write(folder: Path, stem: str, chain: list[Certificate], key: PrivateKey) -> None:
    (folder / f"{stem}.pem").write_text("".join(map(to_pem, chain)))
    path = folder / f"{stem}.key"
    path.touch(mode=0o600)
    path.write_bytes(private_key_to_pem(key))
