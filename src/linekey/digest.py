"""Digest authentication as both ends need it: the header's parameters, the arithmetic.

RFC 7616 for HTTP, RFC 8760 for SIP (which is RFC 3261 §22 with SHA-256 added). The
server's nonces and verdicts are in ``provisioning.digest``; the phone's answers are
made by ``answer`` here. Quoted values may hold commas and escaped quotes (RFC 9110
§5.6.4).

Rule: randomness comes in as arguments; nothing here keeps a password.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_HEADER = 4096
"""Characters of a header's value; a real one has some 300."""
ALGORITHMS = ("SHA-256", "MD5")
"""Best first, as RFC 7616 §3.7 asks. Session variants are not spoken."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's token
_PARAMETER = re.compile(
    rf'[\s,]*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*(?=,|$)', re.ASCII
)


def parse_digest(value: str) -> dict[str, str] | None:
    """The parameters of a ``Digest …`` header, names in lower case; None for all else.

    A header with a parameter twice, with anything left over, over ``MAX_HEADER``
    characters or outside ASCII has no one meaning: None.
    """
    if len(value) > MAX_HEADER or not value.isascii():
        return None
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    parameters: dict[str, str] = {}
    at = 0
    rest = rest.strip().rstrip(", \t")
    while at < len(rest):
        found = _PARAMETER.match(rest, at)
        if not found:
            return None
        name, quoted, bare = found.groups()
        name = name.lower()
        if name in parameters:
            return None
        parameters[name] = (
            bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        )
        at = found.end()
    return parameters


def hash_hex(algorithm: str, text: str) -> str:
    """The hash of ``MD5`` or ``SHA-256`` over UTF-8 text, lower-case hex."""
    if algorithm == "MD5":
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return hashlib.sha256(text.encode()).hexdigest()


def response(
    algorithm: str,
    *,
    ha1: str,
    nonce: str,
    nc: str,
    cnonce: str,
    method: str,
    uri: str,
    qop: str = "auth",
) -> str:
    """The ``response`` of RFC 7616 §3.4.1, lower-case hex.

    ``ha1`` is H(username:realm:password). An empty ``qop`` gives the form of RFC 2069,
    which SIP registrars of the phones' age still ask for.
    """
    ha2 = hash_hex(algorithm, f"{method}:{uri}")
    if not qop:
        return hash_hex(algorithm, f"{ha1}:{nonce}:{ha2}")
    return hash_hex(algorithm, f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge that can be answered."""

    realm: str
    nonce: str
    algorithm: str
    """``MD5`` or ``SHA-256``."""
    qop: str
    """``auth``, or empty where the server offers none (RFC 2069)."""
    opaque: str | None
    stale: bool


def best_challenge(values: Iterable[str]) -> Challenge | None:
    """Choose among a response's challenge headers the best that can be answered.

    SHA-256 before MD5 (RFC 8760 §2.4). None when there is none: another scheme, an
    unknown algorithm, ``qop`` without ``auth``, no nonce, or no one reading.
    """
    return min(_readable(values), key=_rank, default=None)


def challenges_by_realm(values: Iterable[str]) -> dict[str, Challenge]:
    """The best challenge of each realm, in the order they came (RFC 3261 §22.3).

    A response that a proxy put together of several servers' asks for several realms.
    """
    found: dict[str, Challenge] = {}
    for challenge in _readable(values):
        known = found.get(challenge.realm)
        if known is None or _rank(challenge) < _rank(known):
            found[challenge.realm] = challenge
    return found


def _rank(challenge: Challenge) -> int:
    return ALGORITHMS.index(challenge.algorithm)


def _readable(values: Iterable[str]) -> Iterator[Challenge]:
    for value in values:
        parameters = parse_digest(value)
        if parameters is None or not {"realm", "nonce"} <= parameters.keys():
            continue
        algorithm = parameters.get("algorithm", "MD5").upper()
        offered = [q.strip().lower() for q in parameters.get("qop", "").split(",")]
        if algorithm not in ALGORITHMS or ("auth" not in offered and offered != [""]):
            continue
        yield Challenge(
            parameters["realm"],
            parameters["nonce"],
            algorithm,
            "auth" if "auth" in offered else "",
            parameters.get("opaque"),
            parameters.get("stale", "").lower() == "true",
        )


def answer(
    challenge: Challenge,
    *,
    username: str,
    password: str,
    method: str,
    uri: str,
    nc: int,
    cnonce: str,
) -> str:
    """The value of the ``Authorization`` header that answers ``challenge``.

    ``nc`` counts the requests made with this nonce, from 1; ``cnonce`` is a fresh
    random token.
    """
    algorithm, count = challenge.algorithm, f"{nc:08x}"
    proof = response(
        algorithm,
        ha1=hash_hex(algorithm, f"{username}:{challenge.realm}:{password}"),
        nonce=challenge.nonce,
        nc=count,
        cnonce=cnonce,
        method=method,
        uri=uri,
        qop=challenge.qop,
    )
    parts = [
        f"username={_quoted(username)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(uri)}",
        f'response="{proof}"',
        f"algorithm={algorithm}",
    ]
    if challenge.qop:
        parts += [f"qop={challenge.qop}", f"nc={count}", f'cnonce="{cnonce}"']
    if challenge.opaque is not None:
        parts.append(f"opaque={_quoted(challenge.opaque)}")
    return "Digest " + ", ".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
