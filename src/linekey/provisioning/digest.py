"""HTTP digest authentication, the server's side (RFC 7616), without state.

A nonce carries the time it was made and a keyed hash over it, so any worker that
holds the key can check any nonce, and nothing is remembered between requests. What
that leaves open: within a nonce's lifetime the same answer is taken again for the
same method and URL, since no count is kept (RFC 7616 §5.12 allows it; here the answer
travels inside TLS).

MD5 is offered next to SHA-256, since phones of this age know nothing else; inside TLS
it protects a password from the operator's own proxies, not from the network. Only
``qop=auth`` is accepted. ``userhash`` is neither offered nor accepted.

The header's grammar and the arithmetic are ``linekey.digest``'s, which the phone uses
too; what is judged, and how, is here alone.

Rule: ``now`` and the key come in; no password is ever seen here.
"""

import base64
import binascii
import hmac
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from linekey.digest import ALGORITHMS, parse_digest, response
from linekey.provisioning.device import DigestCredential
from linekey.said import say

NONCE_LIFETIME_S = 300
"""Seconds a nonce is good for. A phone answers within one; a proxy's queue in some."""

CLOCKS_APART_S = 30
"""Seconds by which the clock of the server that made a nonce may be ahead of ours."""


class DigestOutcome(StrEnum):
    """What an Authorization header came to."""

    VERIFIED = "verified"
    STALE = "stale"
    """The nonce is too old, or not ours: a new challenge with stale=true. Whether the
    answer is right was not looked at."""
    WRONG = "wrong"
    """User name, password or URL is not right."""
    MALFORMED = "malformed"
    """Not a digest answer of RFC 7616, or one of a kind that is not offered."""


@dataclass(frozen=True, slots=True)
class DigestResult:
    """The outcome, and for which credential it holds. ``detail`` holds no secret."""

    outcome: DigestOutcome
    detail: str = ""
    credential: DigestCredential | None = field(default=None, repr=False)
    """What the answer was held against; authorize compares it with the device's."""


def make_nonce(key: bytes, now: datetime) -> str:
    """Make a nonce: milliseconds since 1970 and a keyed hash over them, base64.

    ``key`` is at least 16 random bytes that only the servers know; ``now`` is aware.
    """
    assert len(key) >= 16, "a nonce key of under 16 bytes can be guessed"
    stamp = struct.pack(">Q", int(now.astimezone(UTC).timestamp() * 1000))
    return base64.urlsafe_b64encode(stamp + _seal(key, stamp)).decode("ascii")


def challenges(
    realm: str,
    key: bytes,
    now: datetime,
    *,
    stale: bool = False,
    algorithms: Sequence[str] = ALGORITHMS,
) -> tuple[str, ...]:
    """The values of the ``WWW-Authenticate`` headers for a 401, best first.

    ``realm`` must be the one the credentials were made for.
    """
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    nonce = make_nonce(key, now)
    return tuple(
        f'Digest realm="{quoted}", qop="auth", algorithm={algorithm}, nonce="{nonce}"'
        + (", stale=true" if stale else "")
        for algorithm in algorithms
    )


def verify(
    authorization: str,
    *,
    method: str,
    target: str,
    credential: DigestCredential | None,
    keys: Sequence[bytes],
    now: datetime,
    lifetime_s: float = NONCE_LIFETIME_S,
) -> DigestResult:
    """Check an ``Authorization`` header's value against one device's credential.

    ``target`` is the request target as it stood in the request line; the header's uri
    must equal it (RFC 7616 §3.4.6). A nonce of any of ``keys`` is good: while a key is
    rotated, servers make them with different ones. The nonce is looked at first (RFC
    7616 §3.3): with a bad one nothing is held against the password, so nobody can guess
    without a nonce of ours. Without a ``credential`` every answer with a good nonce is
    wrong. Never raises; see DigestOutcome.
    """
    parameters = parse_digest(authorization)
    if parameters is None:
        return _malformed(say("not a digest answer"))
    missing = _REQUIRED - parameters.keys()
    if missing:
        return _malformed(say("%(names)s missing", names=", ".join(sorted(missing))))
    algorithm = parameters.get("algorithm", "MD5").upper()
    if algorithm not in ALGORITHMS:
        return _malformed(say("an algorithm that was not offered"))
    if parameters["qop"].lower() != "auth":
        return _malformed(say("qop is not auth"))
    if parameters.get("userhash", "false").lower() != "false":
        return _malformed(say("userhash was not offered"))
    if not re.fullmatch(r"[0-9a-fA-F]{8}", parameters["nc"]):
        return _malformed(say("nc is not 8 hex digits"))
    made = _nonce_time(keys, parameters["nonce"])
    if made is None:
        # Made by nobody here, or with a key that has been replaced since.
        return DigestResult(DigestOutcome.STALE, say("a nonce of another key"))
    if not -CLOCKS_APART_S <= now.timestamp() - made <= lifetime_s:
        return DigestResult(DigestOutcome.STALE, say("the nonce is too old"))
    held = credential or _NOBODY
    # All is computed before anything is compared, whichever part is wrong.
    known = hmac.compare_digest(parameters["username"].encode(), held.username.encode())
    realm_fits = parameters["realm"] == held.realm
    expected = response(
        algorithm,
        ha1=held.ha1_md5 if algorithm == "MD5" else held.ha1_sha256,
        nonce=parameters["nonce"],
        nc=parameters["nc"],
        cnonce=parameters["cnonce"],
        method=method,
        uri=parameters["uri"],
    )
    proved = hmac.compare_digest(
        expected.encode(), parameters["response"].lower().encode()
    )
    if credential is None or not (known and realm_fits and proved):
        return DigestResult(
            DigestOutcome.WRONG, say("user name or password"), credential=credential
        )
    if parameters["uri"] != target:
        return DigestResult(
            DigestOutcome.WRONG,
            say("the answer is for another URL"),
            credential=credential,
        )
    return DigestResult(DigestOutcome.VERIFIED, credential=credential)


_NOBODY = DigestCredential("", "", "0" * 32, "0" * 64)
"""What an answer is held against where nobody has a password: the same work."""
_REQUIRED = frozenset(
    {"username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce"}
)


def _malformed(detail: str) -> DigestResult:
    return DigestResult(DigestOutcome.MALFORMED, detail)


def _seal(key: bytes, stamp: bytes) -> bytes:
    return hmac.digest(key, b"linekey digest nonce" + stamp, "sha256")[:16]


def _nonce_time(keys: Sequence[bytes], nonce: str) -> float | None:
    """When a nonce was made, seconds since 1970; None if no key here made it."""
    try:
        raw = base64.b64decode(nonce, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    stamp, seal = raw[:8], raw[8:]
    if len(raw) != 24 or not any(
        hmac.compare_digest(_seal(key, stamp), seal) for key in keys
    ):
        return None
    milliseconds: int = struct.unpack(">Q", stamp)[0]
    return milliseconds / 1000
