"""Keys and hashes: what the model can compute with, and what still protects.

Two questions that are easily confused and never are here: can the phone use it (from
SNOM-TLS's table of cipher suites; refuses), and should anybody (RFC 9325, RFC 6151,
RFC 9155; warns). SNOM-TLS's table of hashes speaks of the phone's own certificate; that
older firmware refuses a server's SHA-2 chain is nowhere said, and speaks against the
suites with SHA256 and SHA384 that 8.9.3.52 has: so that is a warning (L). The lines of
OpenSSL that phones are derived after have no minimum for hashes: MD5 warns, too. The
anchor's own signature is not looked at, since nobody verifies it; its key is.
"""

from collections.abc import Sequence
from typing import Final

from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.certs.lines import Line
from linekey.said import say, together
from linekey.trust.findings import Finding, failed, held

SHA2: Final = frozenset({"sha224", "sha256", "sha384", "sha512"})
"""The family that SNOM-TLS calls SHA-2: a phone knows all of it or none of it (L)."""

RARE_HASHES: Final = frozenset({"md4", "ripemd160"})
"""OpenSSL 1.0.1u, 1.0.2o, 1.0.2s and 1.1.1k verify signatures with them (measured)."""

SOUND_BITS: Final = {"rsa": 2048, "dsa": 2048, "ec": 224}
"""Key sizes in bits below which a warning is given (RFC 9325 §4.5)."""

SOUND_DH_BITS: Final = 2048
"""RFC 9325 §4.4."""

DH_FLOOR: Final[dict[Line, int]] = {
    "0.9.8": 0,
    "1.0.0": 0,
    "1.0.1": 1024,
    "1.0.2": 1024,
    "1.1.1": 1024,
}
"""Smallest prime in bits that a line of OpenSSL takes: 1.0.1u, 1.0.2o, 1.0.2s and
1.1.1k refuse smaller ones (measured); the lines before have no such limit, nor had the
first of 1.0.1 and 1.0.2 (OpenSSL's change log; L for a phone)."""

_AUTHENTICATION: Final = {"rsa": "RSA", "ec": "ECDSA", "dsa": "DSS"}
_KIND_NAMES: Final = {"rsa": "RSA", "ec": "EC", "dsa": "DSA"}


def known_kinds(profile: Profile) -> frozenset[str]:
    """The kinds of key the phone's suites authenticate with: "rsa", "ec", "dsa".

    The matrix's column Authentication (SNOM-TLS, Supported Cipher Suites).
    """
    return frozenset(
        kind
        for kind, word in _AUTHENTICATION.items()
        if word in profile.authentications
    )


def knows_hash(profile: Profile, name: str) -> bool:
    """Whether the phone can verify a signature made with this hash."""
    if name in SHA2:
        return bool(SHA2 & set(profile.hashes))
    return name in profile.hashes


def look_at_keys(path: Sequence[Certificate], profile: Profile) -> list[Finding]:
    """Kind and size of every key in the path, leaf first."""
    findings: list[Finding] = []
    kinds = known_kinds(profile)
    usable = [_KIND_NAMES[k] for k in sorted(kinds)]
    for depth, certificate in enumerate(path):
        key = certificate.key
        if key.kind not in kinds:
            findings.append(
                failed(
                    "key.kind" if depth == 0 else "key.issuer-kind",
                    say(
                        "the phone supports only %(kinds)s keys, but "
                        "%(certificate)s has an %(key)s key",
                        kinds=together(usable),
                        certificate=certificate.label,
                        key=certificate.key.text,
                    )
                    if usable
                    else say(
                        "the phone supports no keys, but %(certificate)s has an "
                        "%(key)s key",
                        certificate=certificate.label,
                        key=certificate.key.text,
                    ),
                    evidence=f"{certificate.key.text} at depth {depth}",
                    cure=say(
                        "issue the certificate for an RSA 2048 key, by an RSA CA "
                        "(linekey serve, nginx and HAProxy can have it beside an ECDSA "
                        "one, and show each phone the one that it can use)"
                    ),
                    x509_error=None if depth == 0 else 7,
                )
            )
            continue
        limit = profile.max_key_bits
        if key.kind == "rsa" and limit is not None and key.bits > limit:
            findings.append(
                failed(
                    "key.large",
                    say(
                        "%(certificate)s has an RSA key of %(bits)s bits; the phone "
                        "uses at most %(limit)s",
                        certificate=certificate.label,
                        bits=str(key.bits),
                        limit=str(limit),
                    ),
                    evidence=f"{certificate.key.text} at depth {depth}",
                    cure=say(
                        "issue it for an RSA key of at most %(limit)s bits",
                        limit=str(limit),
                    ),
                )
            )
        floor = profile.min_key_bits
        if key.kind == "rsa" and floor is not None and key.bits < floor:
            findings.append(
                failed(
                    "key.small",
                    say(
                        "%(certificate)s has an RSA key of %(bits)s bits; the phone "
                        "accepts no fewer than %(limit)s",
                        certificate=certificate.label,
                        bits=str(key.bits),
                        limit=str(floor),
                    ),
                    evidence=f"{certificate.key.text} at depth {depth}",
                    cure=say("issue it for an RSA key of 2048 bits"),
                    x509_error=66 if depth == 0 else 67,
                )
            )
        elif key.bits < SOUND_BITS.get(key.kind, 0):
            findings.append(
                failed(
                    "key.weak",
                    say(
                        "%(certificate)s has a weak key: %(key)s"
                        if key.bits
                        else "%(certificate)s has a key of unknown strength: %(key)s",
                        certificate=certificate.label,
                        key=key.text,
                    ),
                    severity="warning",
                    evidence=f"{certificate.key.text} at depth {depth}",
                    cure=say(
                        "issue it for an RSA key of 2048 bits: every phone in the "
                        "catalogue with SHA-2 supports it"
                    ),
                )
            )
    if not any(f.rule.startswith("key.") and f.refuses for f in findings) and path:
        findings.append(
            held(
                "key.kind", "the phone can use every key of the path", path[0].key.text
            )
        )
    return findings


def look_at_hashes(
    path: Sequence[Certificate], profile: Profile, *, anchored: bool
) -> list[Finding]:
    """The hash of every signature that is verified: all but a final anchor's."""
    findings: list[Finding] = []
    signed = path[:-1] if anchored else path
    for depth, certificate in enumerate(signed):
        name = certificate.signature_hash
        what = say(
            "%(certificate)s is signed with %(algorithm)s",
            certificate=certificate.label,
            algorithm=certificate.signature_algorithm,
        )
        evidence = f"{certificate.signature_algorithm} at depth {depth}"
        if name is None:  # Ed25519 and the like hash inside: no phone's table has them
            findings.append(
                failed(
                    "hash.unsupported",
                    say(
                        "%(what)s, which no phone in the catalogue supports", what=what
                    ),
                    evidence=evidence,
                    cure=say("have it signed with sha256WithRSAEncryption"),
                    x509_error=7,
                )
            )
        elif name in SHA2 and not knows_hash(profile, name):
            since = profile.model.sha2_since
            findings.append(
                failed(
                    "hash.table",
                    say(
                        "%(what)s, but the maker's table lists only SHA-1 for this "
                        "phone's own certificate; whether the phone verifies such a "
                        "signature of a server is not documented",
                        what=what,
                    ),
                    severity="warning",
                    evidence=evidence,
                    cure=say(
                        "try it with one such phone; the table has SHA-2 from firmware "
                        "%(firmware)s on",
                        firmware=since,
                    )
                    if since
                    else say("try it with one such phone"),
                )
            )
        elif name in RARE_HASHES:
            findings.append(
                failed(
                    "hash.rare",
                    say(
                        "%(what)s, which OpenSSL 1.0.1 to 1.1.1 takes; a phone's may "
                        "be built without it",
                        what=what,
                    ),
                    severity="warning",
                    evidence=evidence,
                    cure=say("have it signed with sha256WithRSAEncryption"),
                    confidence="L",
                )
            )
        elif name not in ("md5", "sha1") and not knows_hash(profile, name):
            findings.append(
                failed(
                    "hash.unsupported",
                    say(
                        "%(what)s, which no phone in the catalogue supports", what=what
                    ),
                    evidence=evidence,
                    cure=say("have it signed with sha256WithRSAEncryption"),
                    x509_error=7,
                )
            )
        elif name in ("md5", "sha1"):
            findings.append(
                failed(
                    f"hash.{name}",
                    say("%(what)s, which is no longer secure", what=what),
                    severity="warning",
                    evidence=evidence,
                    cure=say(
                        "have it signed with SHA-256 once no SHA-1-only phone is left"
                    ),
                )
            )
    if signed and not findings:
        findings.append(
            held(
                "hash.unsupported",
                "the phone supports every signature hash in the path",
                ", ".join(sorted({c.signature_hash or "?" for c in signed})),
            )
        )
    return findings


def look_at_group(bits: int, profile: Profile) -> Finding | None:
    """A server's finite-field Diffie-Hellman group, by the size of its prime.

    No setting lifts a refusal: OpenSSL ends the handshake with handshake_failure,
    whoever is authenticated.
    """
    if bits >= SOUND_DH_BITS:
        return None
    line = profile.match.row.era
    small = bits < DH_FLOOR[line]
    return failed(
        "tls.dh-size",
        say(
            "the Diffie-Hellman group has %(bits)s bits; the last OpenSSL %(line)s "
            "refuses it",
            bits=str(bits),
            line=line,
        )
        if small
        else say("the Diffie-Hellman group has %(bits)s bits", bits=str(bits)),
        severity="refused" if small else "warning",
        evidence="DHE",
        cure=say(
            "give the server a 2048-bit group (ssl_dhparam in nginx), or let it prefer "
            "ECDHE"
        ),
        confidence="L" if small else "H",
    )
