"""Which phones a server could not even begin with, after its key has changed.

The judge says what a phone thinks of a chain; whether the two ends have a cipher suite
for its key is the server's own choice (``tls.policy``), asked here for the hello that
each kind of phone sends. So a phone that speaks nothing but RSA is told as lost before
an ECDSA certificate is deployed.
"""

from collections.abc import Sequence
from datetime import datetime

from linekey.certs.certificate import Certificate
from linekey.check.forecast import Event, Kind
from linekey.said import say
from linekey.tls.policy import choose_key
from linekey.tls.server_key import server_key

CURE = say(
    "deploy an RSA-2048 certificate (certbot: --key-type rsa --rsa-key-size 2048), or "
    "update these phones' firmware"
)


def unserved(
    kinds: Sequence[Kind],
    present: Sequence[Sequence[Certificate]],
    new: Sequence[Sequence[Certificate]],
    *,
    label: str,
    at: datetime,
) -> tuple[Event, ...]:
    """Say which phones have no cipher suite for the new keys, of those that have now.

    Both are all chains that the server has, each leaf first; ``present`` may be empty.
    ``label`` names the server.
    """
    old_keys = [server_key(chain[0]) for chain in present]
    keys = [server_key(chain[0]) for chain in new]
    found: dict[str, list[Kind]] = {}
    for kind in kinds:
        hello = kind.phone.hello.client_hello
        if old_keys and choose_key(hello, old_keys).policy is None:
            continue
        choice = choose_key(hello, keys)
        if choice.policy is None:
            found.setdefault(choice.reason, []).append(kind)
    return tuple(_event(label, at, why, those) for why, those in found.items())


def _event(label: str, at: datetime, why: str, kinds: Sequence[Kind]) -> Event:
    counts: dict[tuple[str, str], int] = {}
    for kind in kinds:
        pair = (kind.phone.profile.model.name, str(kind.phone.profile.firmware))
        counts[pair] = counts.get(pair, 0) + len(kind.macs)
    return Event(
        at,
        "accepts",
        label,
        tuple(sorted(mac for kind in kinds for mac in kind.macs)),
        why,
        CURE,
        models=tuple((*pair, n) for pair, n in sorted(counts.items())),
        is_so=True,
    )
