"""What a server's certificate can do in a handshake, as far as a hello decides it.

A suite that both ends know is no suite in common where the server's key is of another
kind, or where no curve or signature algorithm of the client fits it. What is written
here is what the engine's OpenSSL does (ssl/t1_lib.c, tls1_check_chain and
tls_choose_sigalg; RFC 5246 §7.4.2, RFC 8446 §4.4.2.2 and RFC 8422 §5.1); a test holds
it against OpenSSL itself, over generated hellos and keys.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from linekey.certs.certificate import Certificate
from linekey.tls.hello import ClientHello
from linekey.tls.parameters import GROUPS, SIGNATURE_SCHEMES
from linekey.tls.versions import Version

KeyKind = Literal["RSA", "EC", "Ed25519", "other"]

_SCHEME = {name: number for number, name in SIGNATURE_SCHEMES.items()}
_GROUP = {name: number for number, name in GROUPS.items()}
_HASHES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
_CURVE_HASH = {"secp256r1": "sha256", "secp384r1": "sha384", "secp521r1": "sha512"}
_SIGNATURE_ALGORITHMS_CERT = 50
_PSS_ONLY = bytes.fromhex("06092a864886f70d01010a")  # id-RSASSA-PSS, RFC 4055 §1.2


@dataclass(frozen=True, slots=True)
class ServerKey:
    """The key of a server's certificate; ``server_key`` reads it.

    ``kind``: "other" serves nothing here (DSA, Ed448, RSA for PSS alone). ``bits``:
    the modulus of an RSA key. ``curve``: an EC key's, by its number among the groups;
    None where TLS has none for it. ``may_sign``, ``may_encipher``: what its keyUsage
    says, if it has one (digitalSignature, keyEncipherment). ``issued_with``: the
    schemes that the signature on the certificate is of; empty where TLS has none.
    """

    kind: KeyKind
    bits: int = 2048
    curve: int | None = None
    may_sign: bool = True
    may_encipher: bool = True
    issued_with: frozenset[int] = frozenset({_SCHEME["rsa_pkcs1_sha256"]})
    tls13: bool = field(init=False)
    """Whether TLS 1.3 has a signature scheme for it (RFC 8446 §4.2.3)."""
    schemes: frozenset[int] = field(init=False, repr=False)
    """With what it can sign in TLS 1.2."""
    schemes13: frozenset[int] = field(init=False, repr=False)
    """With what it can sign in TLS 1.3."""

    def __post_init__(self) -> None:
        names, names13 = _schemes(self)
        put = object.__setattr__
        put(self, "schemes", frozenset(_SCHEME[n] for n in names))
        put(self, "schemes13", frozenset(_SCHEME[n] for n in names13))
        put(self, "tls13", bool(names13))

    def __hash__(self) -> int:
        return hash((self.kind, self.bits, self.curve))  # for each connection

    @property
    def authentication(self) -> str:
        """The word of its suites: RSA or ECDSA (Ed25519 has ECDSA's, RFC 8422 §5.2)."""
        return {"EC": "ECDSA", "Ed25519": "ECDSA"}.get(self.kind, self.kind)

    @property
    def text(self) -> str:
        """For people: ``RSA``, ``EC secp256r1``."""
        if self.kind != "EC":
            return self.kind
        return f"EC {GROUPS.get(self.curve or 0, 'of a curve without a number')}"

    def signs(self, hello: ClientHello, version: int, allowed: frozenset[int]) -> bool:
        """Whether the client takes a signature of this key, and of its certificate.

        ``allowed``: the schemes of the policy. Below TLS 1.2 nothing is negotiated. In
        TLS 1.2 OpenSSL asks it of RSA key transport as well, since the certificate is
        signed too; a client that sends no list takes SHA-1 (RFC 5246 §7.4.1.4.1).
        """
        if version < Version.TLS1_2:
            return self.kind in {"RSA", "EC"}
        certificates = hello.extension(_SIGNATURE_ALGORITHMS_CERT)
        if certificates is not None:
            taken = {
                int.from_bytes(certificates[i : i + 2], "big")
                for i in range(2, len(certificates) - 1, 2)
            }
            if self.issued_with.isdisjoint(taken):
                return False
        own = self.schemes13 if version >= Version.TLS1_3 else self.schemes
        if not hello.signature_algorithms:
            default = {_SCHEME["rsa_pkcs1_sha1"], _SCHEME["ecdsa_sha1"]}
            return (
                version < Version.TLS1_3
                and certificates is None  # with one list alone OpenSSL has no default
                and not own.isdisjoint(default & allowed)
            )
        return not (own & allowed).isdisjoint(hello.signature_algorithms)

    def curve_fits(self, hello: ClientHello) -> bool:
        """Whether the client knows the key's curve, as TLS 1.2 and below need it."""
        return self.kind != "EC" or self.curve in hello.groups


def _schemes(key: ServerKey) -> tuple[list[str], list[str]]:
    """Names of what a key signs with, in TLS 1.2 and in TLS 1.3."""
    if key.kind == "RSA":
        size = (key.bits + 7) // 8
        # RFC 8017 §9.2: the hash, 19 bytes that name it, and 11 of padding.
        plain = [f"rsa_pkcs1_{n}" for n, long in _HASHES.items() if size >= long + 30]
        # RFC 8017 §9.1.1, with a salt as long as the hash.
        pss = [
            f"rsa_pss_rsae_{name}"
            for name, long in _HASHES.items()
            if name != "sha1" and size >= 2 * long + 2
        ]
        return plain + pss, pss
    if key.kind == "EC":
        names = [n for n in SIGNATURE_SCHEMES.values() if n.startswith("ecdsa_sec")]
        curve = GROUPS.get(key.curve or 0, "")
        own = [n for n in names if f"_{curve}_{_CURVE_HASH.get(curve)}" in n]
        return ["ecdsa_sha1", *names], own
    if key.kind == "Ed25519":
        return ["ed25519"], ["ed25519"]
    return [], []


@lru_cache(maxsize=64)
def server_key(certificate: Certificate) -> ServerKey:
    """Read what a certificate's key can do. Raises CertificateError if it is broken."""
    info = certificate.key
    usage = certificate.key_usage
    kind: KeyKind = "other"
    curve: int | None = None
    if info.kind == "rsa" and _PSS_ONLY not in certificate.public_key_der[:32]:
        kind = "RSA"
    elif info.kind == "ec":
        kind, curve = "EC", _GROUP.get(info.curve or "")
    elif info.kind == "ed25519":
        kind = "Ed25519"
    return ServerKey(
        kind,
        bits=info.bits or 0,
        curve=curve,
        may_sign=usage is None or "digitalSignature" in usage,
        may_encipher=usage is None or "keyEncipherment" in usage,
        issued_with=_issued_with(certificate),
    )


def _issued_with(certificate: Certificate) -> frozenset[int]:
    name, digest = certificate.signature_algorithm.lower(), certificate.signature_hash
    if name == "rsassapss":
        names = {f"rsa_pss_{key}_{digest}" for key in ("rsae", "pss")}
    elif name.startswith("ecdsa"):
        names = {f"ecdsa_{digest}"}
        names |= {f"ecdsa_{c}_{digest}" for c, h in _CURVE_HASH.items() if h == digest}
    elif name.startswith("ed"):
        names = {name}
    else:
        names = {f"rsa_pkcs1_{digest}"} if "withrsa" in name else set()
    return frozenset(_SCHEME[n] for n in names if n in _SCHEME)
