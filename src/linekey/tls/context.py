"""Contexts: everything an engine needs that is the same for many connections.

The one place where OpenSSL's contexts are made. Security level 0 throughout; what is
allowed is what a policy, or a caller, names (design decision 2). Renegotiation and
compression are off. A client always has a Verify: a connection whose certificate
nobody judges cannot be made here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from OpenSSL import SSL, crypto

from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError, InputError
from linekey.tls import binding
from linekey.tls import context_calls as calls
from linekey.tls.events import Verify
from linekey.tls.ffdhe import ffdhe2048_pem
from linekey.tls.parameters import GROUPS, SIGNATURE_SCHEMES, group_name, signature_name
from linekey.tls.policy import MODERN, Policy, missing_suites
from linekey.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, SUITES, name_of
from linekey.tls.versions import Version

PrivateKey = (
    rsa.RSAPrivateKey
    | dsa.DSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)

SESSION_LIFETIME_S = 600
"""How long a session can be resumed. A booting phone asks several times within
seconds; every request is decided anew anyway (design decision 4). A short life keeps
the server's cache small: it holds one entry for each client that has no tickets, and
never more than 20,480 a context (SSL_SESSION_CACHE_MAX_SIZE_DEFAULT), oldest out first.
An entry outlives its connection unless that failed (RFC 5246 §7.2.2)."""

MAX_CHAIN_DEPTH = 10
"""How many certificates may stand between a leaf and its root (OpenSSL allows 100)."""

_COMMON_OPTIONS = (
    SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_RENEGOTIATION
    # The empty record before each CBC record in TLS 1.0 (against BEAST, which needs
    # a browser) upsets old embedded stacks; nginx leaves it out too.
    | SSL.OP_DONT_INSERT_EMPTY_FRAGMENTS
)

# openssl/ssl.h, SSL_OP_BIT(0) and SSL_OP_BIT(19); pyOpenSSL has no names for them.
_NO_EXTENDED_MASTER_SECRET = 1 << 0
# SSL_OP_BIT(2): speak to servers without RFC 5746, as every OpenSSL before 3.0 did by
# default; nothing here renegotiates, which is what RFC 5746 protects.
_LEGACY_SERVER_CONNECT = 1 << 2
_NO_ENCRYPT_THEN_MAC = 1 << 19


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with what leads to its root, leaf first, and its private key."""

    chain: tuple[Certificate, ...]
    key: PrivateKey = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.chain:
            raise CertificateError("an identity needs at least its own certificate")

    @property
    def leaf(self) -> Certificate:
        """Its own certificate."""
        return self.chain[0]


@final
@dataclass(frozen=True, slots=True)
class ServerContext:
    """What ``ServerEngine`` takes; made by ``server_context``."""

    ssl: SSL.Context = field(repr=False)
    policy_name: str
    verify: Verify | None
    require_certificate: bool
    policy: Policy
    best_version: Version
    """The highest that OpenSSL is told; the policy's own, or above it."""


@final
@dataclass(frozen=True, slots=True)
class Own:
    """A client's identity as OpenSSL has it, put on each of its connections."""

    identity: Identity
    leaf: crypto.X509 = field(repr=False, compare=False)
    key: crypto.PKey = field(repr=False, compare=False)


@final
@dataclass(frozen=True, slots=True)
class ClientContext:
    """What ``ClientEngine`` takes; made by ``client_context``.

    ``left_out``: the suites, groups and signature algorithms that were asked for and
    that the engine cannot speak, by name, in order. ``own``: what a server that asks
    is shown. ``issuers``: what is shown above it, leaf side first.
    """

    ssl: SSL.Context = field(repr=False)
    policy_name: str
    verify: Verify
    alpn: tuple[str, ...]
    left_out: tuple[str, ...]
    own: Own | None = None
    issuers: tuple[Certificate, ...] = ()

    def showing(self, identity: Identity | None) -> "ClientContext":
        """Give this context with another identity; OpenSSL's part is shared.

        That part takes longer to make than all else but the handshake, and phones of
        one model and one issuing CA differ in nothing but their leaf. Raises
        CertificateError for a key that does not fit, ValueError for other issuers
        than the context's.
        """
        if identity is not None and identity.chain[1:] != self.issuers:
            raise ValueError("an identity with other issuers needs another context")
        own = None if identity is None else _own(self.ssl, identity)
        return replace(self, own=own)


def _use(context: SSL.Context, identity: Identity) -> None:
    """Make this the context's own identity: a server's."""
    words = ""
    try:
        fits = calls.use_certificate(context, identity.leaf.openssl)
        context.use_privatekey(identity.key)
        context.check_privatekey()
    except (SSL.Error, TypeError) as error:
        fits, words = False, _words(error)
    if not fits:
        raise _unusable(identity.leaf, words)
    _add_issuers(context, identity.chain[1:])


def _own(context: SSL.Context, identity: Identity) -> Own:
    """Prepare an identity for connections of this context: a client's."""
    try:
        key = crypto.PKey.from_cryptography_key(identity.key)
    except TypeError as error:
        raise _unusable(identity.leaf, str(error)) from error
    own = Own(identity, identity.leaf.openssl, key)
    if words := calls.misfit(context, own.leaf, own.key):
        raise _unusable(identity.leaf, words)
    return own


def _add_issuers(context: SSL.Context, issuers: Sequence[Certificate]) -> None:
    for certificate in issuers:
        if not calls.add_chain_certificate(context, certificate.openssl):
            raise _unusable(certificate, "")


def _unusable(certificate: Certificate, words: str) -> CertificateError:
    return CertificateError(
        f"certificate {certificate.label!r} and its key cannot be used"
        + (f": {words}" if words else ""),
        hint="check that the key belongs to the first certificate of the chain",
    )


def _words(error: Exception) -> str:
    if (
        isinstance(error, SSL.Error | crypto.Error)
        and error.args
        and isinstance(error.args[0], list)
    ):
        return "; ".join(reason for _, _, reason in error.args[0]) or "no reason given"
    return str(error)


def _new(
    method: int, low: Version, high: Version, suites: Sequence[str]
) -> SSL.Context:
    if low > high:
        raise InputError(f"versions: {low.label} is above {high.label}")
    if low < Version.TLS1_0:
        raise InputError(
            f"the engine cannot speak {low.label}",
            hint="no current OpenSSL speaks SSL 3; the check's raw hellos do",
        )
    context = SSL.Context(method)
    context.set_min_proto_version(low)
    context.set_max_proto_version(high)
    context.set_options(_COMMON_OPTIONS)
    context.set_mode(calls.RELEASE_BUFFERS)
    context.clear_mode(calls.PARTIAL_WRITE)
    # The list replaces OpenSSL's defaults; with none, TLS 1.3 alone is spoken.
    text = ":".join(suites) or "AES128-SHA"
    try:
        context.set_cipher_list(f"{text}:@SECLEVEL=0".encode("ascii"))
    except SSL.Error as error:
        raise InputError(f"cipher suites {text!r}: {_words(error)}") from error
    return context


def server_context(
    identity: Identity,
    policy: Policy,
    *,
    verify: Verify | None,
    roots: Sequence[Certificate] = (),
    intermediates: Sequence[Certificate] = (),
    require_certificate: bool = False,
    alpn: Sequence[str] = (),
    session_id_context: bytes = b"linekey",
    session_lifetime_s: int = SESSION_LIFETIME_S,
    best_version: Version | None = None,
    openssl_proves: bool = True,
) -> ServerContext:
    """Make the context for one policy.

    ``best_version``: the highest version that this server speaks under any policy, if
    that is above the policy's own. OpenSSL then marks what lies below it in the
    ServerHello's random (RFC 8446 §4.1.3), so that a client sees a downgrade; engines
    of such a context need the hello, which must not offer more than the policy allows.

    ``verify`` None asks for no client certificate. Otherwise one is asked for, its
    path is built to ``roots`` with what the client sent and with ``intermediates``
    (a phone that sends its leaf alone is completed; SNOM-CA), and Verify
    has the last word. No intermediate becomes an anchor: OpenSSL trusts none in its
    store that is not self-signed, and a self-issued one is refused here. The names of
    both go into the CertificateRequest. ``require_certificate`` ends handshakes
    without one; without it they succeed, and the HTTP layer can say why it refuses.
    ``alpn``: what may be agreed on, best first; a client that asks for nothing else
    goes on without.

    ``openssl_proves`` False leaves the proof to Verify alone: ``roots`` and
    ``intermediates`` are named and nothing else, OpenSSL builds no path and checks no
    certificate's signature, and ``PeerChain.sent`` has all that the client sent. For
    servers that strangers can reach, and for a Verify that proves by itself.

    Raises CertificateError for a key that does not fit or a certificate OpenSSL
    cannot load, InputError for what it does not know.
    """
    for certificate in intermediates:
        if certificate.self_issued:
            raise CertificateError(
                f"{certificate.label!r} is self-issued: no intermediate",
                hint="give it as a root, if it is to be trusted",
            )
    if require_certificate and verify is None:
        raise InputError("a certificate is required, and nothing verifies it")
    highest = max(policy.max_version, best_version or policy.max_version)
    context = _new(SSL.TLS_SERVER_METHOD, policy.min_version, highest, policy.suites)
    if highest >= Version.TLS1_3:
        # OpenSSL wants a suite of its highest version; no hello that may come here
        # (see ServerEngine) can choose it.
        newest = policy.tls13_suites or MODERN.tls13_suites
        context.set_tls13_ciphersuites(":".join(newest).encode("ascii"))
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    _set_lists(context, policy.groups, policy.signature_algorithms)
    calls.set_dh_parameters(context, ffdhe2048_pem().encode("ascii"))
    _use(context, identity)
    context.set_session_id(session_id_context)
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    context.set_timeout(session_lifetime_s)
    if alpn:
        wanted = tuple(protocol.encode("ascii") for protocol in alpn)
        binding.agree_on_protocols(context, wanted)
    mode = SSL.VERIFY_NONE
    if verify is not None:
        mode = SSL.VERIFY_PEER
        if require_certificate:
            mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        if openssl_proves:
            context.set_verify_depth(MAX_CHAIN_DEPTH)
            _trust(context, (*roots, *intermediates))
        _name(context, (*roots, *intermediates))
    watched = verify is not None and not openssl_proves
    install = binding.watch_certificates if watched else binding.install_callbacks
    install(context, mode)
    return ServerContext(
        context, policy.name, verify, require_certificate, policy, highest
    )


def _trust(context: SSL.Context, authorities: Sequence[Certificate]) -> None:
    """Put authorities into the store."""
    store = context.get_cert_store()
    assert store is not None, "a new context has a store"
    for certificate in authorities:
        try:
            store.add_cert(certificate.openssl)
        except crypto.Error as error:
            raise CertificateError(
                f"authority {certificate.label!r} cannot be used: {_words(error)}"
            ) from error


def _name(context: SSL.Context, authorities: Sequence[Certificate]) -> None:
    """Name authorities when asking for a certificate, each name once."""
    for certificate in {c.subject.der: c for c in authorities}.values():
        if not calls.add_client_authority(context, certificate.openssl):
            raise CertificateError(
                f"authority {certificate.label!r} cannot be named to clients"
            )


def _set_lists(
    context: SSL.Context, groups: Sequence[str], signatures: Sequence[str]
) -> None:
    if groups and not calls.set_groups(context, groups):
        raise InputError(f"OpenSSL does not know all of the groups {list(groups)!r}")
    if signatures and not calls.set_signature_algorithms(context, signatures):
        raise InputError(
            "OpenSSL does not know all of the signature algorithms"
            f" {list(signatures)!r}"
        )


def client_context(
    *,
    verify: Verify,
    min_version: Version = Version.TLS1_2,
    max_version: Version = Version.TLS1_3,
    suites: Sequence[int] = (),
    groups: Sequence[int] = (),
    signature_algorithms: Sequence[int] = (),
    identity: Identity | None = None,
    issuers: Sequence[Certificate] = (),
    roots: Sequence[Certificate] = (),
    alpn: Sequence[str] = (),
    session_ticket: bool = True,
    extended_master_secret: bool = True,
    encrypt_then_mac: bool = True,
    name: str = "client",
) -> ClientContext:
    """Make a context that speaks exactly as it is told.

    ``suites``, ``groups`` and ``signature_algorithms`` are numbers, in the order in
    which the hello is to have them; empty leaves OpenSSL's defaults. ``roots`` let
    OpenSSL prove a path for ``PeerChain``; a Verify that proves its own needs none.
    ``session_ticket``, ``extended_master_secret`` and ``encrypt_then_mac`` False leave
    those extensions out of the hello (RFC 5077, RFC 7627, RFC 7366).
    ``identity`` is sent when the server asks; ``issuers`` instead of it makes a context
    for many (``ClientContext.showing``). ``name`` becomes the policy's name in
    ``TlsInfo``.

    What the engine cannot speak is left out and named in ``left_out``. Raises
    InputError when nothing is left of a list, or for SSL 3, and CertificateError for
    an identity or a root that OpenSSL does not take.
    """
    suites = [n for n in suites if n != EMPTY_RENEGOTIATION_INFO_SCSV]
    missing = set(missing_suites(suites))
    spoken = [SUITES[n] for n in suites if n in SUITES and n not in missing]
    left_out = [name_of(n) for n in suites if n in missing]
    if suites and not spoken:
        raise InputError(
            f"the engine can speak none of the cipher suites {', '.join(left_out)}",
            hint="no current OpenSSL has them; the check's raw hellos do",
        )
    old = [s.openssl_name or "" for s in spoken if not s.tls13]
    new = [s.openssl_name or "" for s in spoken if s.tls13]
    if suites and not new:
        max_version = min(max_version, Version.TLS1_2)
    if suites and not old:
        min_version = max(min_version, Version.TLS1_3)
    context = _new(
        SSL.TLS_CLIENT_METHOD, min_version, max_version, old if suites else ["DEFAULT"]
    )
    if new:
        context.set_tls13_ciphersuites(":".join(new).encode("ascii"))
    context.set_options(
        _LEGACY_SERVER_CONNECT
        | (0 if session_ticket else SSL.OP_NO_TICKET)
        | (0 if extended_master_secret else _NO_EXTENDED_MASTER_SECRET)
        | (0 if encrypt_then_mac else _NO_ENCRYPT_THEN_MAC)
    )
    for numbers, table, label, setter in (
        (groups, GROUPS, group_name, calls.set_groups),
        (
            signature_algorithms,
            SIGNATURE_SCHEMES,
            signature_name,
            calls.set_signature_algorithms,
        ),
    ):
        known = [
            table[n] for n in numbers if n in table and setter(context, [table[n]])
        ]
        left_out += [label(n) for n in numbers if table.get(n) not in known]
        if numbers and not (known and setter(context, known)):
            raise InputError(
                f"the engine can speak none of {', '.join(map(label, numbers))}"
            )
    issuers = tuple(issuers) if identity is None else identity.chain[1:]
    _add_issuers(context, issuers)
    if alpn:
        context.set_alpn_protos([protocol.encode("ascii") for protocol in alpn])
    # Whoever resumes a session holds it (``Engine.session``); a store in a context
    # that phones share would only grow.
    context.set_session_cache_mode(SSL.SESS_CACHE_CLIENT | SSL.SESS_CACHE_NO_INTERNAL)
    context.set_verify_depth(MAX_CHAIN_DEPTH)
    _trust(context, roots)
    binding.watch_server(context)
    binding.install_callbacks(context, SSL.VERIFY_PEER)
    made = ClientContext(
        context, name, verify, tuple(alpn), tuple(left_out), issuers=issuers
    )
    return made.showing(identity)
