"""Policies: what this server speaks with which kind of client, chosen by the hello.

Three, each an explicit list (design decision 2), so that one port serves a fleet:

- MODERN: TLS 1.2 and 1.3, authenticated encryption with forward secrecy.
- INTERIM: TLS 1.2 for clients that offer nothing of MODERN: AES without forward
  secrecy, or in CBC mode.
- LEGACY: TLS 1.0 and 1.1 for phones that know nothing better; AES-CBC only. Never
  NULL, anonymous, export, DES, 3DES, RC4 or MD5.

**No way down.** A hello that offers TLS 1.2 or newer with any MODERN suite gets
MODERN, which cannot negotiate anything else; the hello is part of the transcript that
both ends sign or MAC, so nobody between them can take suites out of it unnoticed. A
hello that says it is a fallback is refused whenever we speak better (RFC 7507 §3).
LEGACY contexts serve nothing above TLS 1.1, so OpenSSL marks no downgrade there; the
rule above is what stands in for it.

DHE with AES-GCM is in MODERN, last: the seed's matrix names DH beside ECDH and AES-GCM
for firmware 8.7.5.49 and later, and a client without ECDHE is better served by DHE-GCM
than by INTERIM. DHE uses the groups of RFC 7919, 2048 bits and more.

SHA-1 signatures close each list of signature algorithms: a TLS 1.2 client may send a
certificate only if its chain's hashes are on the list (RFC 5246 §7.4.4), and 12 of the
seed's 16 models have SHA-1 chains.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from linekey.tls.alerts import Alert
from linekey.tls.hello import ClientHello
from linekey.tls.suites import SIGNALS, SUITES, Suite, by_name, name_of
from linekey.tls.versions import Version, is_grease, label_of


@dataclass(frozen=True, slots=True)
class Policy:
    """Versions and algorithms, all explicit; equal policies share one context.

    ``suites`` (TLS 1.2 and below) and ``tls13_suites`` hold OpenSSL names, ``groups``
    and ``signature_algorithms`` IANA's, each best first; ours wins over the client's
    order. Raises ValueError for a suite that OpenSSL does not know.
    """

    name: str
    min_version: Version
    max_version: Version
    suites: tuple[str, ...]
    tls13_suites: tuple[str, ...]
    groups: tuple[str, ...]
    signature_algorithms: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in (*self.suites, *self.tls13_suites):
            try:
                known = by_name(name).known_by_engine
            except KeyError:
                known = False
            if not known:
                raise ValueError(f"policy {self.name}: no suite {name!r} in OpenSSL")

    @property
    def suite_values(self) -> tuple[Suite, ...]:
        """The suites, TLS 1.3's first."""
        return tuple(map(by_name, (*self.tls13_suites, *self.suites)))


_GROUPS = ("x25519", "secp256r1", "secp384r1", "secp521r1")
_FFDHE = ("ffdhe2048", "ffdhe3072", "ffdhe4096")
_SIGNATURES = (
    "ecdsa_secp256r1_sha256",
    "ecdsa_secp384r1_sha384",
    "ecdsa_secp521r1_sha512",
    "ed25519",
    "rsa_pss_rsae_sha256",
    "rsa_pss_rsae_sha384",
    "rsa_pss_rsae_sha512",
    "rsa_pkcs1_sha256",
    "rsa_pkcs1_sha384",
    "rsa_pkcs1_sha512",
    "ecdsa_sha1",
    "rsa_pkcs1_sha1",
)

MODERN = Policy(
    name="modern",
    min_version=Version.TLS1_2,
    max_version=Version.TLS1_3,
    suites=(
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
    ),
    tls13_suites=(
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
    groups=("x25519", "secp256r1", "X25519MLKEM768", *_GROUPS[2:], *_FFDHE),
    signature_algorithms=_SIGNATURES,
)

_CBC_SHA1 = (
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "DHE-RSA-AES128-SHA",
    "DHE-RSA-AES256-SHA",
    "AES128-SHA",
    "AES256-SHA",
)

INTERIM = Policy(
    name="interim",
    min_version=Version.TLS1_2,
    max_version=Version.TLS1_2,
    suites=(
        "ECDHE-ECDSA-AES128-SHA256",
        "ECDHE-RSA-AES128-SHA256",
        "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-RSA-AES256-SHA384",
        "DHE-RSA-AES128-SHA256",
        "DHE-RSA-AES256-SHA256",
        *_CBC_SHA1[:6],
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA256",
        "AES256-SHA256",
        *_CBC_SHA1[6:],
    ),
    tls13_suites=(),
    groups=(*_GROUPS, *_FFDHE),
    signature_algorithms=_SIGNATURES,
)

LEGACY = Policy(
    name="legacy",
    min_version=Version.TLS1_0,
    max_version=Version.TLS1_1,
    suites=_CBC_SHA1,
    tls13_suites=(),
    groups=(*_GROUPS, *_FFDHE),
    signature_algorithms=_SIGNATURES,
)

POLICIES = {policy.name: policy for policy in (MODERN, INTERIM, LEGACY)}

# Numbers once, since every connection asks.
_TLS13 = frozenset(by_name(n).number for n in MODERN.tls13_suites)
_MODERN = frozenset(by_name(n).number for n in MODERN.suites)
_INTERIM = frozenset(by_name(n).number for n in INTERIM.suites)
_LEGACY = frozenset(by_name(n).number for n in LEGACY.suites)


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """Which policy a hello gets, and why; or None, why not, and the alert to send."""

    policy: Policy | None
    reason: str
    alert: Alert | None = None


_CHOSEN_MODERN = PolicyChoice(MODERN, "offers TLS 1.2 or newer with modern suites")
_CHOSEN_INTERIM = PolicyChoice(INTERIM, "offers TLS 1.2, but no modern suite")


def choose(hello: ClientHello, *, legacy: bool = True) -> PolicyChoice:
    """Choose the policy for a client, by its hello alone.

    ``legacy=False`` refuses what is below TLS 1.2. When none fits, ``reason`` says
    what is offered and what is needed, and ``alert`` is the one to send.
    """
    offered = hello.versions
    if Version.TLS1_3 in offered and not _TLS13.isdisjoint(hello.suites):
        return _CHOSEN_MODERN
    highest = max(
        (v for v in offered if v <= Version.TLS1_3), default=hello.max_version
    )
    if hello.is_fallback:
        return PolicyChoice(
            None,
            f"the client fell back to {label_of(highest)}, and says so, although this"
            " server speaks TLSv1.3; that is how a downgrade attack looks",
            Alert.INAPPROPRIATE_FALLBACK,
        )
    if Version.TLS1_2 in offered:
        if not _MODERN.isdisjoint(hello.suites):
            return _CHOSEN_MODERN
        if not _INTERIM.isdisjoint(hello.suites):
            return _CHOSEN_INTERIM
        return _no_suite(hello, INTERIM)
    if Version.TLS1_1 in offered or Version.TLS1_0 in offered:
        if not legacy:
            return PolicyChoice(
                None,
                f"the client speaks nothing above {label_of(highest)}, and this server"
                " is set to refuse what is below TLSv1.2",
                Alert.PROTOCOL_VERSION,
            )
        if not _LEGACY.isdisjoint(hello.suites):
            return PolicyChoice(LEGACY, f"speaks nothing above {label_of(highest)}")
        return _no_suite(hello, LEGACY)
    if Version.TLS1_3 in offered:
        return _no_suite(hello, MODERN)
    return PolicyChoice(
        None,
        f"the client speaks only {label_of(highest)}; this server needs TLSv1 or newer",
        Alert.PROTOCOL_VERSION,
    )


def _no_suite(hello: ClientHello, policy: Policy) -> PolicyChoice:
    lists = policy.tls13_suites if policy is MODERN else policy.suites
    return PolicyChoice(
        None,
        f"the client offers only {list_suites(hello.suites)}; this server's"
        f" {policy.name.upper()} policy needs one of"
        f" {list_suites(by_name(n).number for n in lists)}",
        Alert.HANDSHAKE_FAILURE,
    )


def list_suites(numbers: Iterable[int], limit: int = 6) -> str:
    """List suites by name for a sentence, signals and GREASE left out, cut short."""
    names = [name_of(n) for n in numbers if n not in SIGNALS and not is_grease(n)]
    if not names:
        return "no cipher suite"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def missing_suites(numbers: Iterable[int]) -> tuple[int, ...]:
    """Pick the suites that the engine's OpenSSL cannot negotiate, or nobody knows."""
    return tuple(
        n
        for n in numbers
        if n not in SIGNALS
        and not is_grease(n)
        and (n not in SUITES or not SUITES[n].known_by_engine)
    )
