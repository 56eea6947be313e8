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
So that a client sees a version that somebody took out, the server marks its random
(RFC 8446 §4.1.3); OpenSSL does while a context's maximum is TLS 1.3, and the contexts
of all three policies are made so. It follows that a hello which offers TLS 1.3 is
served in TLS 1.3 or not at all, as at nginx: else taking out its suites, and leaving
the version, would be a way down without a mark.

DHE with AES-GCM is in MODERN, last: SNOM-TLS's matrix names DH beside ECDH and AES-GCM
for firmware 8.7.5.49 and later, and a client without ECDHE is better served by DHE-GCM
than by INTERIM. DHE uses the groups of RFC 7919, 2048 bits and more.

SHA-1 signatures close each list of signature algorithms: a TLS 1.2 client may send a
certificate only if its chain's hashes are on the list (RFC 5246 §7.4.4), and 12 of the
SNOM-TLS's 16 models have SHA-1 chains.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from linekey.said import fill, joined, mark, say
from linekey.tls.alerts import Alert
from linekey.tls.hello import ClientHello
from linekey.tls.parameters import GROUPS, SIGNATURE_SCHEMES, group_name
from linekey.tls.server_key import ServerKey
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

    def __hash__(self) -> int:
        return hash(self.name)  # equal ones have one name; asked for each connection

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


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """Which policy a hello gets, and why; or None, why not, and the alert to send.

    ``key``: the one of the server's that it is shown, where it has been asked about.
    """

    policy: Policy | None
    reason: str
    alert: Alert | None = None
    key: ServerKey | None = None


_WHY = {
    "modern": mark("offers %(version)s with modern suites"),
    "interim": mark(
        "offers %(version)s, but nothing modern that this server can do with it"
    ),
    "legacy": mark("speaks nothing above %(version)s"),
}


class _Numbers:
    """A policy by the numbers of a hello: once, since every connection asks."""

    __slots__ = (
        "choices",
        "ffdhe",
        "groups",
        "groups13",
        "kinds",
        "policy",
        "schemes",
        "tls13",
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.choices: dict[int, PolicyChoice] = {
            v: PolicyChoice(policy, fill(_WHY[policy.name], {"version": v.label}))
            for v in Version
            if policy.min_version <= v <= policy.max_version
        }
        self.tls13 = frozenset(by_name(n).number for n in policy.tls13_suites)
        old = [by_name(n) for n in policy.suites]
        self.kinds = {
            (wanted, exchange): frozenset(
                s.number
                for s in old
                if s.key_exchange == exchange and wanted in {s.authentication, "any"}
            )
            for wanted in ("RSA", "ECDSA", "any")
            for exchange in ("ECDHE", "DHE", "RSA")
        }
        numbers = {name: number for number, name in GROUPS.items()}
        self.groups13 = frozenset(numbers[n] for n in policy.groups)
        self.ffdhe = frozenset(n for n in self.groups13 if n in _FFDHE_NUMBERS)
        # A hybrid group is TLS 1.3's alone.
        self.groups = frozenset(n for n in self.groups13 if n <= 30)
        schemes = {name: number for number, name in SIGNATURE_SCHEMES.items()}
        self.schemes = frozenset(schemes[n] for n in policy.signature_algorithms)

    def common(self, hello: ClientHello, version: int) -> list[int]:
        """The suites that both ends know, whatever the server's key."""
        ours = self.tls13
        if version < Version.TLS1_3:
            ours = frozenset().union(*(self.kinds["any", x] for x in _EXCHANGES))
        return [n for n in hello.suites if n in ours]

    def serves(self, hello: ClientHello, version: int, key: ServerKey | None) -> bool:
        """Whether a handshake at ``version`` comes to its end."""
        suites = hello.suites
        if version >= Version.TLS1_3:
            if self.tls13.isdisjoint(suites):
                return False
            return key is None or (
                not self.groups13.isdisjoint(hello.groups)
                and (key.signs(hello, version, self.schemes) or _resumes(hello))
                and hello.extension(51) is not None
            )
        if key is None:
            return any(not self.kinds["any", x].isdisjoint(suites) for x in _EXCHANGES)
        if not key.signs(hello, version, self.schemes) or not key.curve_fits(hello):
            return False
        kinds, kind = self.kinds, key.authentication
        if kind not in {"RSA", "ECDSA"} or (kind == "ECDSA" and not key.may_sign):
            return False
        return (
            (
                not kinds[kind, "ECDHE"].isdisjoint(suites)
                and not self.groups.isdisjoint(hello.groups)
            )
            or (not kinds[kind, "DHE"].isdisjoint(suites) and self._shares_ffdhe(hello))
            or not kinds[kind, "RSA"].isdisjoint(suites)
        )

    def _shares_ffdhe(self, hello: ClientHello) -> bool:
        """RFC 7919 §4: a client that names groups for DHE is given one of them."""
        named = _FFDHE_NUMBERS.intersection(hello.groups)
        return not named or not named.isdisjoint(self.ffdhe)


_EXCHANGES = ("ECDHE", "DHE", "RSA")
_FFDHE_NUMBERS = frozenset(range(0x0100, 0x0200))
_NEEDED13 = ((43, "supported_versions"), (10, "supported_groups"), (51, "key_share"))


def _without_signatures(policy: Policy) -> Policy:
    """The policy for a key that may only decrypt: what is left is RSA key transport."""
    left = (n for n in policy.suites if by_name(n).key_exchange == "RSA")
    return replace(policy, suites=tuple(left))


_TIERS = tuple(map(_Numbers, (MODERN, INTERIM, LEGACY)))
_DECRYPTS_ONLY = tuple(_Numbers(_without_signatures(p)) for p in (INTERIM, LEGACY))
BEST_VERSION = Version.TLS1_3
"""The highest version of any policy."""


def choose(hello: ClientHello, key: ServerKey | None = None) -> PolicyChoice:
    """Choose the policy for a client, by its hello and the server's own key.

    The version is settled first: the highest that both ends speak, as RFC 8446 §4.2.1
    has it, and as the engine's OpenSSL will choose. Then the strongest policy of that
    version that has a suite, a group and a signature for this client *and this key*:
    whatever is chosen, the handshake comes to its end. When none fits, ``reason`` says
    what is offered and what is needed, and ``alert`` is the one to send. ``key`` None
    compares versions and suites alone, for a server that is not known.
    """
    best = Version.TLS1_2 if key is not None and not key.tls13 else BEST_VERSION
    version = max((v for v in hello.versions if v <= best), default=0)
    if hello.is_fallback and version < best:
        return PolicyChoice(
            None,
            say(
                "the client fell back to %(version)s, and says so, although this "
                "server speaks %(best)s; that is how a downgrade attack looks",
                version=label_of(version or hello.max_version),
                best=best.label,
            ),
            Alert.INAPPROPRIATE_FALLBACK,
        )
    if version < Version.TLS1_0:
        return PolicyChoice(
            None,
            say(
                "the client speaks only %(version)s; this server needs TLSv1 or newer",
                version=label_of(hello.max_version),
            ),
            Alert.PROTOCOL_VERSION,
        )
    tiers = _TIERS
    if key is not None and not key.may_sign and key.may_encipher:
        # Such a certificate is for RSA key transport; some clients hold it to that, and
        # the others do not mind. OpenSSL itself never looks.
        tiers = (*_DECRYPTS_ONLY, *_TIERS)
    last = None
    for tier in tiers:
        if version in tier.choices:
            if tier.serves(hello, version, key):
                return tier.choices[version]
            last = tier
    assert last is not None, "the policies leave no version out"
    return _refuse(hello, version, key, last)


def choose_key(hello: ClientHello, keys: Sequence[ServerKey]) -> PolicyChoice:
    """Choose policy and certificate for a client of a server that has several.

    ``keys`` are theirs, the one to be preferred first. The client gets the strongest
    policy that any of them lets it have; of equal ones, the first whose signature it
    takes. That depends on nothing that a client changes when it resumes a session, so
    it comes back to the certificate that the session was made with. OpenSSL with
    several certificates chooses alike, by the client's suites and signature algorithms
    (ssl/t1_lib.c, tls_choose_sigalg).
    """
    choices = [replace(choose(hello, key), key=key) for key in keys]
    first, *others = choices
    for choice in choices:
        if choice.alert is Alert.INAPPROPRIATE_FALLBACK:
            return choice  # whatever a key that knows nothing newer would do
    served = [choice for choice in choices if choice.policy is not None]
    if served:
        return min(served, key=partial(_rank, hello)) if others else first
    reasons = dict.fromkeys(choice.reason for choice in choices)
    return replace(first, reason=joined(reasons))


def _rank(hello: ClientHello, choice: PolicyChoice) -> tuple[int, int, bool]:
    """The place of a choice among those that serve a hello, the least first."""
    policy, key = choice.policy, choice.key
    assert policy is not None, "served"
    assert key is not None, "asked about a key"
    highest = policy.max_version if key.tls13 else Version.TLS1_2
    version = max(v for v in hello.versions if v <= highest)
    tier = next(n for n, t in enumerate(_TIERS) if t.policy.name == policy.name)
    return -version, tier, not key.signs(hello, version, _TIERS[tier].schemes)


def _resumes(hello: ClientHello) -> bool:
    """Whether it brings a TLS 1.3 session, which needs no signature."""
    return hello.extension(41) is not None


def _missing_extension(hello: ClientHello) -> str | None:
    """What TLS 1.3 cannot do without and is not there (RFC 8446 §9.2)."""
    needed = (*_NEEDED13, *(() if _resumes(hello) else ((13, "signature_algorithms"),)))
    sent = dict(hello.extensions)
    return next((name for number, name in needed if number not in sent), None)


def _refuse(
    hello: ClientHello, version: int, key: ServerKey | None, tier: _Numbers
) -> PolicyChoice:
    """Say why nothing fits, at the version that both ends speak."""
    common = [
        n for t in _TIERS if version in t.choices for n in t.common(hello, version)
    ]
    if not common or key is None:
        return _no_suite(hello, version, tier.policy)
    alert = Alert.HANDSHAKE_FAILURE
    label, named = label_of(version), list_suites(common)
    if version >= Version.TLS1_3 and (missing := _missing_extension(hello)):
        why = say(
            "the client offers %(label)s without %(missing)s, which it needs",
            label=label,
            missing=missing,
        )
        alert = Alert.MISSING_EXTENSION
    elif key.kind == "other":
        why = say(
            "no cipher suite can be used with the key of the server's certificate"
        )
    elif not key.signs(hello, version, tier.schemes):
        why = say(
            "the client takes no signature that the server's %(key)s key can make, "
            "or none of the kind that is on its certificate",
            key=key.text,
        )
    elif version < Version.TLS1_3 and key.kind == "EC" and not key.may_sign:
        why = say(
            "the keyUsage of the server's certificate lacks digitalSignature, and its "
            "%(key)s key can do nothing else below TLSv1.3",
            key=key.text,
        )
    elif version < Version.TLS1_3 and not key.curve_fits(hello):
        why = say(
            "the client does not know the curve of the server's %(key)s key",
            key=key.text,
        )
    elif version < Version.TLS1_3 and all(
        by_name(n).authentication != key.authentication for n in map(name_of, common)
    ):
        why = say(
            "of what the client offers, this server allows %(named)s, and none of "
            "these fits the server's %(key)s key",
            named=named,
            key=key.text,
        )
    else:
        groups = ", ".join(map(group_name, hello.groups)) or "none"
        why = say(
            "of what the client offers, this server allows %(named)s, and the two ends "
            "have no key exchange group in common: the client's are %(groups)s",
            named=named,
            groups=groups,
        )
    return PolicyChoice(None, why, alert)


def _no_suite(hello: ClientHello, version: int, policy: Policy) -> PolicyChoice:
    lists = policy.tls13_suites if version >= Version.TLS1_3 else policy.suites
    suites = list_suites(hello.suites)
    needed = list_suites(by_name(n).number for n in lists)
    if version < Version.TLS1_3 or version == min(hello.versions):
        why = say(
            "the client offers only %(suites)s; this server's %(policy)s policy needs"
            " one of %(needed)s",
            suites=suites, policy=policy.name.upper(), needed=needed,
        )  # fmt: skip
    else:
        why = say(
            "the client offers %(suites)s; this server's %(policy)s policy needs one of"
            " %(needed)s, since both ends speak %(version)s",
            suites=suites, policy=policy.name.upper(), needed=needed,
            version=label_of(version),
        )  # fmt: skip
    return PolicyChoice(None, why, Alert.HANDSHAKE_FAILURE)


def list_suites(numbers: Iterable[int], limit: int = 6) -> str:
    """List suites by name for a sentence, signals and GREASE left out, cut short."""
    names = [name_of(n) for n in numbers if n not in SIGNALS and not is_grease(n)]
    if not names:
        return "no cipher suite"
    listed = ", ".join(names[:limit])
    if len(names) <= limit:
        return listed
    return say("%(names)s and %(count)s more", names=listed, count=len(names) - limit)


def missing_suites(numbers: Iterable[int]) -> tuple[int, ...]:
    """Pick the suites that the engine's OpenSSL cannot negotiate, or nobody knows."""
    return tuple(
        n
        for n in numbers
        if n not in SIGNALS
        and not is_grease(n)
        and (n not in SUITES or not SUITES[n].known_by_engine)
    )
