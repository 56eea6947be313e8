"""Digest authentication as both ends need it: challenges read, the arithmetic.

RFC 7616 for HTTP, RFC 8760 for SIP (which is RFC 3261 §22 with SHA-256 added). The
server's nonces and verdicts are in ``provisioning.digest``; the phone's answers are
made by ``answer`` here. One header field may hold several challenges of several schemes
(RFC 9110 §11.6.1), and quoted values commas, escaped quotes and UTF-8 (§5.6.4).

Rules: randomness comes in as arguments; nothing here keeps a password. What is hashed
is UTF-8 (RFC 7616 §4, whether or not the server says ``charset=UTF-8``); bytes that are
none, as ``surrogateescape`` decodes them, are hashed and sent back as they came.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MAX_HEADER = 4096
"""Characters of a header's value; a real one has some 300."""
ALGORITHMS = ("SHA-256", "MD5")
"""Best first, as RFC 7616 §3.7 asks. Session variants are not spoken."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's token
_QUOTED = r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*)"'
_WS = r"[ \t\r\n]"
_BETWEEN = " \t\r\n,"
_PARAMETER = re.compile(
    rf"({_TOKEN}){_WS}*={_WS}*(?:{_QUOTED}|({_TOKEN})){_WS}*(?=,|$)"
)
_SCHEME = re.compile(rf"({_TOKEN})(?:{_WS}+|(?=,|$))")
_TOKEN68 = re.compile(rf"[A-Za-z0-9._~+/-]+=*{_WS}*(?=,|$)")


@dataclass(frozen=True, slots=True)
class AuthScheme:
    """One challenge, or one answer, of any scheme (RFC 9110 §11.3, §11.4)."""

    name: str
    """In lower case: ``basic``, ``digest``, ``negotiate`` …"""
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case. Empty where the scheme brings a token68, which nobody
    here needs."""


def split_schemes(value: str) -> tuple[AuthScheme, ...]:
    """Read a ``WWW-Authenticate`` field or its like: its challenges, in order.

    A field with a parameter twice in one challenge, with anything left over or over
    ``MAX_HEADER`` characters has no one meaning: nothing is read of it. Never raises.
    """
    if len(value) > MAX_HEADER:
        return ()
    value = value.strip(_BETWEEN)
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while at < len(value):
        if found and (parameter := _PARAMETER.match(value, at)):
            name, quoted, bare = parameter.groups()
            parameters = found[-1][1]
            if name.lower() in parameters:
                return ()
            parameters[name.lower()] = (
                bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            )
            at = parameter.end()
        elif scheme := _SCHEME.match(value, at):
            found.append((scheme[1].lower(), {}))
            at = scheme.end()
            if not _PARAMETER.match(value, at) and (
                token68 := _TOKEN68.match(value, at)
            ):
                at = token68.end()
        else:
            return ()
        while at < len(value) and value[at] in _BETWEEN:
            at += 1
    return tuple(AuthScheme(name, parameters) for name, parameters in found)


def parse_digest(value: str) -> dict[str, str] | None:
    """The parameters of an ``Authorization: Digest …`` field; None for all else.

    Names are in lower case. Whatever ``split_schemes`` cannot read, holds a second
    scheme or is not ASCII has no one meaning: None.
    """
    schemes = split_schemes(value) if value.isascii() else ()
    if len(schemes) != 1 or schemes[0].name != "digest":
        return None
    return dict(schemes[0].parameters)


def hash_hex(algorithm: str, text: str) -> str:
    """The hash of ``MD5`` or ``SHA-256`` over UTF-8 text, lower-case hex."""
    data = text.encode("utf-8", "surrogateescape")
    if algorithm == "MD5":
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    return hashlib.sha256(data).hexdigest()


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
    userhash: bool = False
    """Whether the server takes the user name as a hash (RFC 7616 §3.4.4)."""


def best_challenge(values: Iterable[str]) -> Challenge | None:
    """Choose among a response's challenge headers the best that can be answered.

    SHA-256 before MD5 (RFC 8760 §2.4), whichever field or order they came in. None when
    there is none: another scheme, an unknown algorithm, ``qop`` without ``auth``, no
    nonce, or no one reading.
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


def asked_schemes(values: Iterable[str]) -> str:
    """Name what challenges ask for: ``negotiate, digest with SHA-512-256``."""
    found = [
        f"digest with {algorithm}"
        if scheme.name == "digest" and (algorithm := scheme.parameters.get("algorithm"))
        else scheme.name
        for value in values
        for scheme in split_schemes(value)
    ]
    return ", ".join(dict.fromkeys(word[:40] for word in found[:8]))


def _rank(challenge: Challenge) -> int:
    return ALGORITHMS.index(challenge.algorithm)


def _readable(values: Iterable[str]) -> Iterator[Challenge]:
    for scheme in (s for value in values for s in split_schemes(value)):
        parameters = scheme.parameters
        if scheme.name != "digest" or not {"realm", "nonce"} <= parameters.keys():
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
            parameters.get("userhash", "").lower() == "true",
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
    named = username
    if challenge.userhash:
        named = hash_hex(algorithm, f"{username}:{challenge.realm}")
    parts = [
        f"username={_quoted(named)}",
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
    if challenge.userhash:
        parts.append("userhash=true")
    return "Digest " + ", ".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
