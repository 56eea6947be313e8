"""Phones for the avalanche: each with a certificate of its own, over some 200 keys.

    python -m bench.avalanche_fleet [--phones 10000] [--keys 200]

Keys are what takes time to make, and no server sees whose key a certificate has, so
phones share them. All is made once, by as many processes as there are cores, into
``.cache/bench/avalanche``; the CAs and the server's certificate are those of
``bench.fleet``'s maker. The names say LAB.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from bench.fleet import Fleet, make_fleet
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import (
    parse_certificates,
    parse_private_key,
    private_key_to_pem,
    to_pem,
)

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".cache" / "bench" / "avalanche"
PHONES = 10_000
KEYS = 200
_PIECE = 250
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Crowd:
    """``fleet`` has the CAs and the server's certificate, and all phones' MACs."""

    fleet: Fleet
    keys: int
    made_in_s: float
    """How long the making took, whenever that was; of keys and certificates alone."""


def make_crowd(phones: int = PHONES, keys: int = KEYS, folder: Path = FOLDER) -> Crowd:
    """Make what is not there yet; where there are more, the first are given."""
    told = folder / "crowd.json"
    if told.exists():
        found = json.loads(told.read_text())
        if len(found["macs"]) >= phones and found["keys"] == keys:
            first = tuple(found["macs"][:phones])
            return Crowd(Fleet(folder, first), keys, found["made_in_s"])
    make_fleet(folder, 1)
    began = time.monotonic()
    macs = [f"000413{number * 1597 % (1 << 24):06X}" for number in range(1, phones + 1)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(_key, range(keys)))
        (folder / "keys.pem").touch(mode=0o600)
        (folder / "keys.pem").write_bytes(b"".join(private for private, _ in made))
        issuer = [(folder / f"phone-ca.{what}").read_bytes() for what in ("pem", "key")]
        public = [each for _, each in made]
        pieces = [
            (issuer, public, first, macs[first : first + _PIECE])
            for first in range(0, phones, _PIECE)
        ]
        leaves = list(pool.map(_leaves, pieces))
    (folder / "leaves.pem").write_text("".join(leaves))
    took = time.monotonic() - began
    told.write_text(json.dumps({"macs": macs, "keys": keys, "made_in_s": took}))
    return Crowd(Fleet(folder, tuple(macs)), keys, took)


def _key(_: int) -> tuple[bytes, bytes]:
    key = new_key()
    public = key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return private_key_to_pem(key), public


def _leaves(piece: Any) -> str:
    (ca_pem, ca_key), keys, first, macs = piece
    [ca] = parse_certificates(ca_pem)
    issuer = Issuer(ca, parse_private_key(ca_key))
    public: list[Any] = [load_pem_public_key(key) for key in keys]
    now = datetime.now(UTC).replace(microsecond=0)
    return "".join(
        to_pem(
            issue(
                Name.build([("C", "DE"), ("O", "LAB Technology AG"), ("CN", mac)]),
                public[number % len(public)],
                issuer,
                serial=number + 1_000_000,
                not_before=now - _DAY,
                not_after=now + 3650 * _DAY,
            )
        )
        for number, mac in enumerate(macs, first)
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.avalanche_fleet")
    parser.add_argument("--phones", type=int, default=PHONES)
    parser.add_argument("--keys", type=int, default=KEYS)
    given = parser.parse_args()
    crowd = make_crowd(given.phones, given.keys)
    sys.stdout.write(
        f"{len(crowd.fleet.macs):,} certificates over {crowd.keys} keys, "
        f"made in {crowd.made_in_s:.1f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
