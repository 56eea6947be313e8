"""Is it safe to start? What is looked at before the server answers anybody.

All that is wrong is found at once, not the first thing only. ``refused`` keeps the
server from starting; ``warning`` is said and the server starts. Every finding has a
cure. Rule: nothing here changes anything, and no message holds a key.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPrivateKey

from linekey.certs.certificate import Certificate
from linekey.certs.expiry import expires_soon, left_words
from linekey.certs.host_names import match_host
from linekey.certs.pem import (
    PrivateKey,
    parse_bundle,
    parse_private_key,
)
from linekey.endpoint import is_loopback
from linekey.errors import CertificateError, InputError, StorageError
from linekey.provisioning.ca_rules import RULE_CURE, Rules, prospect
from linekey.provisioning.expired import ExpiredRules
from linekey.provisioning.purpose import issuing_problem
from linekey.server.preflight.finding import found
from linekey.server.preflight.management import check_management
from linekey.server.preflight.proxy import check_proxy
from linekey.settings import Settings
from linekey.tls.context import PrivateKey as TlsKey
from linekey.tls.server_key import server_key
from linekey.trust.anchors import NO_ANCHORS, Anchors, anchors_of
from linekey.trust.findings import Finding

MAX_FILE_BYTES = 1_000_000
_OTHERS = 0o077


@dataclass(frozen=True, slots=True, repr=False)
class ServerFiles:
    """The server's certificate, what is above it, and its key.

    Behind a proxy they are the proxy's, and ``key`` is None: it alone has that.
    ``also``: another of a different kind, for the phones that can use it. Then
    ``chain`` and ``key`` are those that every phone can use: RSA's. ``anchors`` are the
    roots of both, as far as phones are to be given them.
    """

    chain: tuple[Certificate, ...]
    key: TlsKey | None
    also: "ServerFiles | None" = None
    anchors: Anchors = NO_ANCHORS

    @property
    def every(self) -> tuple["ServerFiles", ...]:
        """Each certificate with its key, the one to be preferred first."""
        return (self,) if self.also is None else (self.also, self)

    @property
    def chains(self) -> tuple[tuple[Certificate, ...], ...]:
        """Each certificate with what is above it, the one to be preferred first."""
        return tuple(files.chain for files in self.every)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(c for chain in self.chains for c in chain))

    @property
    def ends_first(self) -> tuple[Certificate, ...]:
        """The chain whose certificate expires first."""
        return min(self.chains, key=lambda chain: chain[0].not_after)


def read_server_files(settings: Settings, folder: Path) -> ServerFiles:
    """Read certificate and key; relative paths start at ``folder``, the state folder.

    Raises InputError or CertificateError, with the cure, if a file is not named, not
    there, not readable, holds no certificate or key, or if the key is another one's;
    and for more than one certificate for RSA keys and one for others.
    """
    with_key = not settings.proxy.behind_proxy
    if not settings.certificate or (with_key and not settings.key):
        missing = "key" if settings.certificate else "certificate"
        raise InputError(
            f"no server {missing} is named",
            hint=f'set {missing} = "FILE.pem" in linekey.toml, or --{missing} FILE'
            + ("" if with_key else "; behind a proxy it is the proxy's certificate"),
        )
    if with_key and len(settings.certificate) != len(settings.key):
        raise InputError(
            f"number of certificates: {len(settings.certificate)}, of keys: "
            f"{len(settings.key)}",
            hint="name one key for each certificate, in the same order",
        )
    found = []
    for number, path in enumerate(settings.certificate):
        if with_key:
            chain_path, key_path = of_one_pair(folder, path, settings.key[number])
            chain = read_chain(chain_path)
            found.append(ServerFiles(chain, read_key(key_path, chain, chain_path)))
        else:
            found.append(ServerFiles(read_chain(folder / path), None))
    files = _side_by_side(found)
    return replace(files, anchors=read_anchors(settings, folder, files.chains))


def read_anchors(
    settings: Settings,
    folder: Path,
    chains: Sequence[tuple[Certificate, ...]] | None = None,
) -> Anchors:
    """Find the roots of the server's chains, if phones are to be given them.

    ``chains`` are read if they are not given. Raises InputError or CertificateError for
    a file that cannot be read or holds no certificate.
    """
    if not settings.trust_anchor.in_files:
        return NO_ANCHORS
    files = settings.trust_anchor.file
    named = [c for path in files for c in read_chain(folder / path)]
    if chains is None:
        chains = [read_chain(folder / path) for path in settings.certificate]
    return anchors_of(chains, named)


def _side_by_side(found: Sequence[ServerFiles]) -> ServerFiles:
    """Put a server's certificates together: one, or RSA's and another."""
    rsa = [files for files in found if files.chain[0].key.kind == "rsa"]
    others = [files for files in found if files.chain[0].key.kind != "rsa"]
    if len(found) > 1 and (len(rsa), len(others)) != (1, 1):
        kinds = " and ".join(files.chain[0].key.text for files in found)
        raise InputError(
            f"the server's certificates are for {kinds} keys, and no phone can tell "
            "which it shall be shown",
            hint="name one certificate, or two: one for an RSA key, one for an EC key",
        )
    return replace(rsa[0], also=others[0]) if rsa and others else found[0]


def of_one_pair(folder: Path, certificate: Path, key: Path) -> tuple[Path, Path]:
    """Return where both files are read from.

    Where they are in one folder that is a link, which ``server.deploy`` lets point to
    the next pair in one step, it is followed once, for both.
    """
    first, second = folder / certificate, folder / key
    if first.parent == second.parent and first.parent.is_symlink():
        real = first.parent.resolve()
        return real / first.name, real / second.name
    return first, second


def read_chain(certificate_path: Path) -> tuple[Certificate, ...]:
    """Read a server's certificate and what is above it.

    Raises InputError or CertificateError, with the cure, if that cannot be read or
    holds no certificate.
    """
    certificate_pem = _read(certificate_path, "certificate")
    try:
        bundle = parse_bundle(certificate_pem)
    except CertificateError as error:
        raise _in_file(certificate_path, error) from None
    if not bundle.certificates:
        raise CertificateError(
            f"no certificate in {str(certificate_path)!r}",
            hint="give a PEM file that starts with the server's certificate",
        )
    return tuple(bundle.certificates)


def read_key(
    key_path: Path, chain: Sequence[Certificate], chain_path: Path | None = None
) -> TlsKey:
    """Read the key of the first certificate of a chain, and say where that was read.

    Raises InputError or CertificateError, with the cure, if that cannot be read or is
    another certificate's.
    """
    key_pem = _read(key_path, "key")
    try:
        key = parse_private_key(key_pem)
    except CertificateError as error:
        raise _in_file(key_path, error) from None
    if not key_fits(chain[0], key):
        where = "" if chain_path is None else f" in {str(chain_path)!r}"
        others = [c for c in chain[1:] if key_fits(c, key)]
        raise CertificateError(
            f"the key in {str(key_path)!r} does not belong to the first certificate"
            f"{where}",
            hint="put the server's own certificate first in the file"
            if others
            else "give the key that the certificate was made with; of two, the keys in "
            "the certificates' order",
        )
    if isinstance(key, DSAPrivateKey) or server_key(chain[0]).kind == "other":
        raise CertificateError(
            f"the key in {str(key_path)!r} is a {chain[0].key.text} key, which no "
            "cipher suite of this server can use",
            hint="use RSA-2048: every phone in the catalogue supports it",
        )
    return key


def _in_file(path: Path, error: CertificateError) -> CertificateError:
    return CertificateError(f"{str(path)!r}: {error.message}", hint=error.hint)


def key_fits(certificate: Certificate, key: PrivateKey) -> bool:
    """Whether ``key`` is the private half of the certificate's key."""
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public == certificate.public_key_der


def is_lab(certificate: Certificate) -> bool:
    """Whether a certificate is a lab's by its own names; every lab name says LAB."""
    names = [
        value
        for name in (certificate.subject, certificate.issuer)
        for attribute in ("CN", "O", "OU")
        for value in name.values(attribute)
    ]
    return any("LAB" in name.upper().replace("-", " ").split() for name in names)


def check_start(
    settings: Settings,
    files: ServerFiles,
    vendor_cas: Sequence[Certificate],
    now: datetime,
    rules: Rules | None = None,
    expired: ExpiredRules | None = None,
) -> list[Finding]:
    """Judge certificate, trust and addresses. Files' modes: ``check_modes``.

    ``rules`` is what the operator says of the phones of ``vendor_cas``, ``expired`` of
    their certificates once these have ended.
    """
    return [
        *check_proxy(settings),
        *check_management(settings),
        *check_trust(settings, vendor_cas, now, rules, expired),
        *(
            finding
            for each in reversed(files.every)
            for finding in _told_apart(
                check_certificate(
                    settings, each.chain, now, beside_rsa=each is files.also
                ),
                each.chain[0] if files.also else None,
            )
        ),
    ]


def _told_apart(
    findings: Sequence[Finding], certificate: Certificate | None
) -> Iterator[Finding]:
    """Say which certificate is meant, where the server has two."""
    for each in findings:
        if certificate is None:
            yield each
        else:
            which = f" (of two, the one for the {certificate.key.text} key)"
            yield replace(each, message=each.message + which)


def check_certificate(
    settings: Settings,
    chain: Sequence[Certificate],
    now: datetime,
    *,
    beside_rsa: bool = False,
) -> list[Finding]:
    """Judge a server's certificate, with what is above it, for the settings' names.

    ``beside_rsa``: phones that support only RSA are shown another.
    """
    return [
        finding
        for finding in (
            *_check_leaf(settings, chain[0], now),
            *_check_chain(chain, now),
        )
        if not (beside_rsa and finding.rule == "certificate.not_rsa")
    ]


def check_modes(folder: Path, private: Sequence[Path]) -> list[Finding]:
    """Judge who may get at the state folder and at the private files.

    Raises StorageError if one cannot be looked at.
    """
    findings = []
    mode = _mode(folder)
    if mode & _OTHERS:
        findings.append(
            found(
                "state.open",
                f"other users can access the state folder {str(folder)!r} "
                f"(mode {mode:04o})",
                f"chmod 700 {folder}",
            )
        )
    for path in private:
        mode = _mode(path)
        if mode & _OTHERS:
            findings.append(
                found(
                    "key.open",
                    f"other users can read {str(path)!r} (mode {mode:04o})",
                    f"chmod 600 {path}; if others may have read the key, replace it",
                )
            )
    return findings


def check_trust(
    settings: Settings,
    vendor_cas: Sequence[Certificate],
    now: datetime,
    rules: Rules | None = None,
    expired: ExpiredRules | None = None,
) -> Iterator[Finding]:
    """Judge the vendor CAs for a server at the settings' host."""
    expired = expired or ExpiredRules()
    if not vendor_cas:
        yield found(
            "trust.empty",
            "no vendor CA is trusted, so every phone would be refused",
            "linekey trust add FILE, with the vendor's root and intermediates",
        )
    labs = [c for c in vendor_cas if is_lab(c)]
    if labs and settings.proxy.behind_proxy:
        yield found(
            "trust.lab_behind_proxy",
            f"{_lab_cas(labs)}, and anybody may have its key",
            f"{_removal(labs)}, unless the proxy listens on loopback only",
        )
    elif labs and not is_loopback(settings.host):
        yield found(
            "trust.lab",
            f"{_lab_cas(labs)}, and anybody may have its key",
            f"{_removal(labs)}, or listen only on 127.0.0.1",
        )
    for certificate in vendor_cas:
        word = expired.of([certificate.public_key_sha256])
        if certificate.not_after < now and word.opens:
            yield found(
                "trust.expired_open",
                f"a vendor CA has expired: {certificate.label} "
                f"({certificate.not_after:%Y-%m-%d}); what its phones get is set to "
                f"{word}",
                "plan for it: linekey forecast names these phones",
            )
        elif certificate.not_after < now:
            yield found(
                "trust.expired",
                f"a vendor CA has expired: {certificate.label} "
                f"({certificate.not_after:%Y-%m-%d})",
                "its phones are refused: import the renewed CA with linekey trust add; "
                "if there is none, linekey trust set --expired says what they get",
            )
        phones = prospect(certificate, vendor_cas, rules or {})
        if phones.rule is None:
            yield found(
                "trust.no_rule",
                f"phones of a trusted CA are refused: {certificate.label}: "
                f"{phones.problem}",
                RULE_CURE.format(certificate.sha256[:16]),
            )
        elif problem := issuing_problem(certificate):
            yield found(
                "trust.purpose",
                f"phones of a trusted CA are refused: {certificate.label}: {problem}",
                "import the CA that issues certificates for TLS, and remove this one: "
                f"linekey trust remove {certificate.sha256[:16]}",
            )


def _lab_cas(labs: Sequence[Certificate]) -> str:
    more = f", and {len(labs) - 1} more" if len(labs) > 1 else ""
    return f"a lab CA is trusted ({labs[0].label}{more})"


def _removal(labs: Sequence[Certificate]) -> str:
    return " && ".join(f"linekey trust remove {c.sha256[:16]}" for c in labs)


def _check_leaf(
    settings: Settings, leaf: Certificate, now: datetime
) -> Iterator[Finding]:
    if now > leaf.not_after:
        yield found(
            "certificate.expired",
            f"the server's certificate expired on {leaf.not_after:%Y-%m-%d %H:%M} UTC",
            "renew it: phones that check certificates refuse the server",
        )
    elif now < leaf.not_before:
        yield found(
            "certificate.not_yet_valid",
            "the server's certificate is valid only from "
            f"{leaf.not_before:%Y-%m-%d %H:%M} UTC",
            "check this machine's clock, then the certificate's dates",
        )
    elif expires_soon(leaf, now):
        yield found(
            "certificate.expires_soon",
            f"the server's certificate expires in {left_words(leaf, now)}",
            "renew it now",
        )
    if leaf.key.kind == "rsa" and leaf.key.bits < 2048:
        yield found(
            "certificate.weak_key",
            f"the server's key is {leaf.key.text}, which is too short",
            "use RSA-2048: every phone in the catalogue supports it",
        )
    elif leaf.key.kind != "rsa":
        yield found(
            "certificate.not_rsa",
            f"the server's key is {leaf.key.text}, and old phones support only RSA",
            "add an RSA-2048 certificate beside it (certificate and key take two files "
            "each), unless linekey check says that all your phones accept this one",
        )
    usage = leaf.key_usage
    if usage is not None and "digitalSignature" not in usage:
        yield found(
            "certificate.usage",
            "the server certificate's keyUsage lacks digitalSignature, which every "
            "modern cipher suite needs; some phones refuse it",
            "get a certificate with digitalSignature and, for RSA, keyEncipherment",
        )
    elif (
        leaf.key.kind == "rsa" and usage is not None and "keyEncipherment" not in usage
    ):
        yield found(
            "certificate.usage",
            "the server certificate's keyUsage lacks keyEncipherment: old phones that"
            " support only RSA key exchange may refuse it",
            "get a certificate with digitalSignature and keyEncipherment, unless "
            "linekey check says that all your phones support ECDHE",
        )
    if leaf.is_ca:
        yield found(
            "certificate.authority",
            "the server's certificate is a CA certificate",
            "use a server certificate that this CA issues",
        )
    for name in settings.names:
        match = match_host(leaf, name)
        if not match.ok:
            yield found(
                "certificate.name",
                f"the server's certificate is not for {name!r}: {match.reason}",
                "set names to the host name in the phones' setting server URL, or get "
                "a certificate with this name",
            )
    if not settings.names and not (leaf.dns_names or leaf.ip_addresses):
        yield found(
            "certificate.no_names",
            "the server's certificate has no subjectAltName",
            "get one with the host name that phones use as subjectAltName",
        )


def _check_chain(chain: Sequence[Certificate], now: datetime) -> Iterator[Finding]:
    for certificate in chain:
        if certificate.self_issued and len(chain) > 1:
            continue  # A root's own signature proves nothing, and is not looked at.
        if certificate.signature_hash in ("sha1", "md5"):
            yield found(
                "certificate.weak_hash",
                f"{certificate.label} is signed with {certificate.signature_hash}",
                "get a certificate signed with SHA-256: every firmware since 8.9.3.60 "
                "supports it; linekey check shows what older ones accept",
            )
    for certificate in chain[1:]:
        if not certificate.not_before <= now <= certificate.not_after:
            yield found(
                "chain.not_valid",
                f"an intermediate is not valid now: {certificate.label} "
                f"(to {certificate.not_after:%Y-%m-%d})",
                "take the current intermediate from the certificate's issuer",
            )
    for lower, upper in pairwise(chain):
        if not lower.issuer.matches(upper.subject):
            ordered = any(lower.issuer.matches(c.subject) for c in chain)
            yield found(
                "chain.order" if ordered else "chain.broken",
                f"{lower.label} is followed by {upper.label}, but was issued by "
                f"{lower.issuer_label}",
                "put the server's certificate first, then its issuer, then the "
                "issuer's issuer"
                if ordered
                else "add the missing intermediate, and remove other certificates",
            )
            break
    if len(chain) == 1 and not chain[0].self_issued:
        yield found(
            "chain.no_intermediate",
            "the certificate file contains no intermediate",
            "append the issuer's certificate, unless a root issued this one directly; "
            "linekey check shows whether phones accept the chain",
        )


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"cannot read the {what} file {str(path)!r}: "
            f"{(error.strerror or str(error)).lower()}",
            hint="check the path, and that this user may read it",
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError(
            f"the {what} file {str(path)!r} is larger than a megabyte",
            hint="give a PEM file",
        )
    return data


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError as error:
        raise StorageError(
            f"cannot look at {str(path)!r}: {(error.strerror or str(error)).lower()}",
            hint="run linekey as the user who owns it",
        ) from error
