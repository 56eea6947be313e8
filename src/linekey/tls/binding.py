"""The module that touches pyOpenSSL's private names; see docs/decisions/0002.

No other one does, but for ``certs.path``, which clears OpenSSL's error queue.

pyOpenSSL's own verify callback cannot name the alert, and sees no certificates on
the server's side. So one C callback of ours stands in every context. It collects
what OpenSSL finds, lets it build the whole path, asks once, at the leaf, and sets the
error number from which OpenSSL makes the alert. Another callback hears of alerts, in
both directions and in all versions of TLS: of events, or where the engine reads the
peer's Certificate itself, of messages.

Rules: whatever goes wrong in a callback refuses the peer. One ``Link`` belongs to one
thread at a time. OpenSSL's error queue is emptied before each call that may add to it.

Private names used: ``SSL._lib``, ``SSL._ffi``, ``Context._context``,
``Connection._ssl``, ``._into_ssl``, ``._from_ssl``, ``X509._x509``, ``PKey._pkey``.
"""

from collections.abc import Callable, Iterable
from enum import Enum, auto
from itertools import pairwise
from typing import Any, Protocol
from weakref import WeakValueDictionary, ref

from OpenSSL import SSL, crypto

from linekey.certs.certificate import Certificate
from linekey.certs.restate import stand_in
from linekey.tls.alerts import Alert
from linekey.tls.errors import TlsError
from linekey.tls.events import REFUSAL_ALERTS
from linekey.tls.messages import read_client_chain

_lib: Any = SSL._lib  # type: ignore[attr-defined]
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]

_allocate = _ffi.new_allocator(should_clear_after_alloc=False)
_STORE_INDEX = _lib.SSL_get_ex_data_X509_STORE_CTX_idx()
_NULL = _ffi.NULL

OUTPUT_CHUNK = 32_768
PLAINTEXT_CHUNK = 16_384
"""One record's worth (RFC 8446 §5.1): SSL_read never gives more at once."""

# What OpenSSL's ssl_x509err2alert (ssl/statem/statem_lib.c) turns into each alert.
# 38 (PROXY_PATH_LENGTH_EXCEEDED) is in no row there, and so certificate_unknown.
X509_ERROR_FOR: dict[Alert, int] = {
    Alert.HANDSHAKE_FAILURE: 50,  # APPLICATION_VERIFICATION
    Alert.BAD_CERTIFICATE: 28,  # CERT_REJECTED
    Alert.UNSUPPORTED_CERTIFICATE: 26,  # INVALID_PURPOSE
    Alert.CERTIFICATE_REVOKED: 23,  # CERT_REVOKED
    Alert.CERTIFICATE_EXPIRED: 10,  # CERT_HAS_EXPIRED
    Alert.CERTIFICATE_UNKNOWN: 38,
    Alert.UNKNOWN_CA: 20,  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    Alert.DECRYPT_ERROR: 7,  # CERT_SIGNATURE_FAILURE
    Alert.INTERNAL_ERROR: 1,  # UNSPECIFIED
}
assert X509_ERROR_FOR.keys() == REFUSAL_ALERTS


class State(Enum):
    """How far a step came."""

    DONE = auto()
    WANTS_MORE = auto()
    CLOSED = auto()
    FAILED = auto()


class Asked(Protocol):
    """Whoever a Link asks and tells: the engine."""

    def decide(self, link: "Link") -> Alert | None:
        """Judge the peer's certificate: None accepts, an alert refuses with it."""

    def decide_late(self, link: "Link", error: int) -> Alert | None:
        """Judge an error that OpenSSL found after ``decide`` had accepted."""


_links: WeakValueDictionary[int, "Link"] = WeakValueDictionary()


def _address(pointer: Any) -> int:
    return int(_ffi.cast("uintptr_t", pointer))


class Link:
    """One SSL object over two memory buffers."""

    __slots__ = (
        "__weakref__",
        "_asked",
        "_connection",
        "_decided",
        "_into",
        "_out",
        "_ssl",
        "_stand_ins",
        "_store",
        "alerts_received",
        "alerts_sent",
        "certificate_message",
        "crash",
        "x509_errors",
    )

    def __init__(self, context: SSL.Context, asked: Asked) -> None:
        connection = SSL.Connection(context, None)
        self._connection = connection
        self._ssl: Any = connection._ssl
        self._into: Any = connection._into_ssl
        self._out: Any = connection._from_ssl
        self._asked = ref(asked)  # no cycle: memory is freed when the engine goes
        self._store: Any = None
        self._decided = False
        self._stand_ins: dict[bytes, bytes] = {}
        self.x509_errors: list[tuple[int, int]] = []
        self.alerts_sent: list[tuple[int, int]] = []
        self.alerts_received: list[tuple[int, int]] = []
        self.certificate_message: tuple[int, bytes] | None = None
        """The peer's Certificate message without its header, and the version it is of;
        None where the context does not ``watch_certificates``, or before it came."""
        self.crash: BaseException | None = None
        _links[_address(self._ssl)] = self

    # -- set-up ---------------------------------------------------------------

    def be_server(self) -> None:
        """Wait for a hello."""
        _lib.SSL_set_accept_state(self._ssl)

    def show(self, leaf: crypto.X509, key: crypto.PKey) -> bool:
        """Show this certificate if asked; False where OpenSSL refuses.

        The context's extra certificates follow it.
        """
        _lib.ERR_clear_error()
        done = _show(self._ssl, leaf, key)
        _lib.ERR_clear_error()
        return done

    def be_client(self, server_name: bytes | None, session: SSL.Session | None) -> None:
        """Be ready to send a hello, with this SNI, resuming this session."""
        if server_name is not None:
            self._connection.set_tlsext_host_name(server_name)
        if session is not None:
            self._connection.set_session(session)
        _lib.SSL_set_connect_state(self._ssl)

    # -- bytes and steps ------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if data and _lib.BIO_write(self._into, data, len(data)) != len(data):
            raise MemoryError("OpenSSL could not take the bytes")

    def take(self) -> bytes:
        """Give all bytes for the peer."""
        buffer = _allocate("char[]", OUTPUT_CHUNK)
        size = _lib.BIO_read(self._out, buffer, OUTPUT_CHUNK)
        if size < OUTPUT_CHUNK:
            return _ffi.buffer(buffer, size)[:] if size > 0 else b""
        parts = []
        while size > 0:
            parts.append(_ffi.buffer(buffer, size)[:])
            size = _lib.BIO_read(self._out, buffer, OUTPUT_CHUNK)
        return b"".join(parts)

    def handshake(self) -> State:
        """Go on with the handshake."""
        _lib.ERR_clear_error()
        result = _lib.SSL_do_handshake(self._ssl)
        return State.DONE if result == 1 else self._state(result)

    def read(self) -> bytes | State:
        """Give decrypted bytes, or the state in which there are none."""
        _lib.ERR_clear_error()
        buffer = _allocate("char[]", PLAINTEXT_CHUNK)
        size = _lib.SSL_read(self._ssl, buffer, PLAINTEXT_CHUNK)
        if size > 0:
            return _ffi.buffer(buffer, size)[:]  # type: ignore[no-any-return]
        return self._state(size)

    def write(self, data: bytes | memoryview) -> bool:
        """Encrypt bytes, all of them; False where OpenSSL refuses."""
        _lib.ERR_clear_error()
        with _ffi.from_buffer(data) as view:
            return bool(_lib.SSL_write(self._ssl, view, len(view)) == len(view))

    def shutdown(self) -> None:
        """Write a close_notify."""
        _lib.ERR_clear_error()
        _lib.SSL_shutdown(self._ssl)
        _lib.ERR_clear_error()

    def mark_closed(self) -> None:
        """Take it that both ends said close_notify.

        OpenSSL would make the session useless otherwise, as TLS 1.0 had it; since TLS
        1.1 a transport that just ends leaves it usable (RFC 4346 §7.2.1).
        """
        self._connection.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)

    def _state(self, result: int) -> State:
        error = _lib.SSL_get_error(self._ssl, result)
        if error == _lib.SSL_ERROR_WANT_READ:
            return State.WANTS_MORE
        return State.CLOSED if error == _lib.SSL_ERROR_ZERO_RETURN else State.FAILED

    def reasons(self) -> tuple[str, ...]:
        """Take OpenSSL's reasons from its queue, first cause first."""
        return _reasons()

    # -- what was negotiated --------------------------------------------------

    @property
    def version(self) -> int:
        """The version's number on the wire."""
        return int(_lib.SSL_version(self._ssl))

    @property
    def suite(self) -> str:
        """OpenSSL's name of the suite."""
        name = _lib.SSL_CIPHER_get_name(_lib.SSL_get_current_cipher(self._ssl))
        return _ffi.string(name).decode("ascii")  # type: ignore[no-any-return]

    @property
    def resumed(self) -> bool:
        """Whether the handshake was an abbreviated one."""
        return bool(_lib.SSL_session_reused(self._ssl))

    @property
    def group(self) -> str | None:
        """OpenSSL's name of the group of the key exchange."""
        name = _lib.SSL_get0_group_name(self._ssl)
        return None if name == _NULL else _ffi.string(name).decode("ascii", "replace")

    @property
    def server_name(self) -> bytes | None:
        """The client's SNI."""
        name = _lib.SSL_get_servername(self._ssl, _lib.TLSEXT_NAMETYPE_host_name)
        return None if name == _NULL else _ffi.string(name)

    @property
    def alpn(self) -> bytes:
        """The protocol agreed on, or nothing."""
        return self._connection.get_alpn_proto_negotiated()

    @property
    def session(self) -> SSL.Session | None:
        """The session, to be resumed later."""
        return self._connection.get_session()

    def peer_leaf(self) -> bytes | None:
        """The peer's own certificate, DER, after the handshake."""
        pointer = _lib.SSL_get_peer_certificate(self._ssl)
        if pointer == _NULL:
            return None
        try:
            return self._as_sent(_ders([pointer]))[0]
        finally:
            _lib.X509_free(pointer)

    def peer_sent(self) -> list[bytes]:
        """All that a server sent, or all that a client sent beside its leaf."""
        return self._as_sent(_stack(_lib.SSL_get_peer_cert_chain(self._ssl)))

    def _as_sent(self, ders: list[bytes]) -> list[bytes]:
        stand_ins = self._stand_ins
        return [stand_ins.get(der, der) for der in ders] if stand_ins else ders

    def replace_unread(self, body: Any, version: int) -> None:
        """Put stand-ins where OpenSSL would stop (``restate.stand_in``), in place.

        ``body`` is OpenSSL's own buffer of a server's Certificate message, without its
        header: already part of the transcript, not yet read.
        """
        at = 3
        for der in read_client_chain(body[:], version):
            at += 3
            stand = stand_in(der)
            if stand is not None:
                body[at : at + len(der)] = stand
                again = Certificate.from_der(stand).openssl
                self._stand_ins[_ders([again._x509])[0]] = der
            at += len(der)

    # -- while a certificate is being judged ----------------------------------

    def store_path(self) -> list[bytes]:
        """Within ``decide`` only: the path OpenSSL built; first the peer's own."""
        stack = _lib.X509_STORE_CTX_get1_chain(self._store)
        try:
            return self._as_sent(_stack(stack))
        finally:
            if stack != _NULL:
                for i in range(_lib.sk_X509_num(stack)):
                    _lib.X509_free(_lib.sk_X509_value(stack, i))
                _lib.sk_X509_free(stack)

    def judge(self, ok: int, store: Any) -> int:
        """Answer OpenSSL's verify callback; 1 goes on, 0 refuses.

        Where certificates are watched it is asked first for an error, that there is no
        issuer; then is the time to decide, and what OpenSSL finds later is nothing.
        """
        if self.certificate_message is not None:
            return self._answer(store, None) if self._decided else self._decide(store)
        if not ok:
            error = _lib.X509_STORE_CTX_get_error(store)
            depth = _lib.X509_STORE_CTX_get_error_depth(store)
            if not self._decided:
                self.x509_errors.append((error, depth))
                return 1
            return self._answer(store, self._judge().decide_late(self, error))
        if _lib.X509_STORE_CTX_get_error_depth(store) or self._decided:
            return 1
        return self._decide(store)

    def _decide(self, store: Any) -> int:
        self._decided = True
        self._store = store
        try:
            return self._answer(store, self._judge().decide(self))
        finally:
            self._store = None

    def _judge(self) -> Asked:
        asked = self._asked()
        if asked is None:
            raise RuntimeError("the engine is gone, and its handshake goes on")
        return asked

    @staticmethod
    def _answer(store: Any, alert: Alert | None) -> int:
        if alert is None:
            _lib.X509_STORE_CTX_set_error(store, 0)
            return 1
        _lib.X509_STORE_CTX_set_error(store, X509_ERROR_FOR[alert])
        return 0


def _reasons() -> tuple[str, ...]:
    found = []
    while code := _lib.ERR_get_error():
        text = _lib.ERR_reason_error_string(code)
        found.append(
            _ffi.string(text).decode("ascii", "replace")
            if text != _NULL
            else f"error {code:#x}"
        )
    return tuple(found)


def _show(ssl: Any, leaf: crypto.X509, key: crypto.PKey) -> bool:
    """Both belong to each other, which OpenSSL looks at when it gets the second."""
    return bool(
        _lib.SSL_use_certificate(ssl, leaf._x509) == 1
        and _lib.SSL_use_PrivateKey(ssl, key._pkey) == 1
    )


def _ders(pointers: list[Any]) -> list[bytes]:
    """Write certificates as DER, through one buffer for all of them."""
    bio = _lib.BIO_new(_lib.BIO_s_mem())
    try:
        start = _ffi.new("char **")
        ends = [0]
        for pointer in pointers:
            if _lib.i2d_X509_bio(bio, pointer) != 1:
                raise MemoryError("OpenSSL could not write a certificate")
            ends.append(_lib.BIO_get_mem_data(bio, start))
        data = _ffi.buffer(start[0], ends[-1])[:] if pointers else b""
        return [data[a:b] for a, b in pairwise(ends)]
    finally:
        _lib.BIO_free(bio)


def _stack(stack: Any) -> list[bytes]:
    if stack == _NULL:
        return []
    value, size = _lib.sk_X509_value, _lib.sk_X509_num(stack)
    return _ders([value(stack, i) for i in range(size)])


def _refuse_all(store: Any) -> int:
    _lib.X509_STORE_CTX_set_error(store, X509_ERROR_FOR[Alert.INTERNAL_ERROR])
    return 0


@_ffi.callback("int (*)(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
def _on_verify(ok: int, store: Any) -> int:
    link = _links.get(_address(_lib.X509_STORE_CTX_get_ex_data(store, _STORE_INDEX)))
    if link is None:
        return _refuse_all(store)
    try:
        return link.judge(ok, store)
    except BaseException as crash:  # noqa: BLE001 -- C cannot take it; the engine does
        link.crash = crash
        return _refuse_all(store)


_ALERT_EVENT, _READ = SSL.SSL_CB_ALERT, SSL.SSL_CB_READ


@_ffi.callback("void (*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def _on_info(ssl: Any, where: int, value: int) -> None:
    if not where & _ALERT_EVENT:
        return
    link = _links.get(_address(ssl))
    if link is not None:
        alerts = link.alerts_received if where & _READ else link.alerts_sent
        alerts.append((value >> 8, value & 0xFF))


_ALERT, _HANDSHAKE = 21, 22  # ContentType
_CERTIFICATE = 11  # HandshakeType (RFC 8446 §4)
_HEADER = 4  # its type and three bytes of length


@_ffi.callback(  # type: ignore[untyped-decorator]
    "void (*)(int, int, int, const void *, size_t, SSL *, void *)"
)
def _on_message(
    sent: int, version: int, kind: int, data: Any, size: int, ssl: Any, _: Any
) -> None:
    if kind == _HANDSHAKE:
        if sent or size < _HEADER:
            return
        if _ffi.cast("unsigned char *", data)[0] != _CERTIFICATE:
            return
    elif kind != _ALERT:
        return  # the header of a record, a ChangeCipherSpec, application data
    link = _links.get(_address(ssl))
    if link is None:
        return
    message = _ffi.buffer(data, size)[:]
    if kind == _ALERT:
        alerts = link.alerts_sent if sent else link.alerts_received
        alerts.append((message[0], message[1]))
    else:
        link.certificate_message = version, message[_HEADER:]


_TLS1_2 = 0x0303


@_ffi.callback(  # type: ignore[untyped-decorator]
    "void (*)(int, int, int, const void *, size_t, SSL *, void *)"
)
def _on_server_message(
    sent: int, version: int, kind: int, data: Any, size: int, ssl: Any, _: Any
) -> None:
    if sent or kind != _HANDSHAKE or size < _HEADER or version > _TLS1_2:
        return
    if _ffi.cast("unsigned char *", data)[0] != _CERTIFICATE:
        return
    link = _links.get(_address(ssl))
    if link is None:
        return
    try:
        body = _ffi.buffer(_ffi.cast("char *", data) + _HEADER, size - _HEADER)
        link.replace_unread(body, version)
    except TlsError:
        return  # OpenSSL says what is wrong with it
    except BaseException as crash:  # noqa: BLE001 -- C cannot take it; the engine does
        link.crash = crash


# -- contexts -----------------------------------------------------------------


def watch_server(context: SSL.Context) -> None:
    """Let a client read the certificates that phones' OpenSSL reads and ours does not.

    Below TLS 1.3, which no phone speaks (docs/decisions/0002).
    """
    _lib.SSL_CTX_set_msg_callback(context._context, _on_server_message)


def install_callbacks(context: SSL.Context, verify_mode: int) -> None:
    """Put our two callbacks into a context; ``verify_mode`` is SSL.VERIFY_…."""
    _lib.SSL_CTX_set_verify(context._context, verify_mode, _on_verify)
    _lib.SSL_CTX_set_info_callback(context._context, _on_info)


def watch_certificates(context: SSL.Context, verify_mode: int) -> None:
    """``install_callbacks`` where engines decide by what was sent, and nothing else.

    OpenSSL hands out neither the certificates that a client sent nor the moment before
    its own signature checks, but it shows each message before it looks at it. A depth
    below zero lets it build no path: it looks for an issuer while the path has no more
    certificates than depth + 1, and the leaf is one. So it asks the verify callback
    with "chain too long" at the leaf, and checks no signature but the handshake's.
    The context's store must be empty. Alerts are among the messages, so the callback
    that hears of them otherwise, and of each step of a handshake, is not needed.
    """
    _lib.SSL_CTX_set_verify(context._context, verify_mode, _on_verify)
    _lib.SSL_CTX_set_msg_callback(context._context, _on_message)
    context.set_verify_depth(_NO_PATH)


_NO_PATH = -2  # -1 is OpenSSL's "not set"


def use_certificate(context: SSL.Context, certificate: crypto.X509) -> bool:
    """Make this the context's own certificate; False where OpenSSL refuses.

    pyOpenSSL wants `cryptography`'s certificates here, which refuse what old phones
    carry (a serial number below zero, for one); OpenSSL itself takes them.
    """
    return _accepted(_lib.SSL_CTX_use_certificate, context, certificate)


def add_chain_certificate(context: SSL.Context, certificate: crypto.X509) -> bool:
    """Send this one too, after the context's own; False where OpenSSL refuses."""
    x509 = certificate._x509
    _lib.X509_up_ref(x509)  # the context frees it
    if _accepted(_lib.SSL_CTX_add_extra_chain_cert, context, certificate):
        return True
    _lib.X509_free(x509)
    return False


def misfit(context: SSL.Context, leaf: crypto.X509, key: crypto.PKey) -> str:
    """Say why connections of this context cannot show these; empty where they can."""
    _lib.ERR_clear_error()
    ssl = _lib.SSL_new(context._context)
    try:
        if _show(ssl, leaf, key):
            return ""
        return "; ".join(_reasons()) or "no reason given"
    finally:
        _lib.SSL_free(ssl)


def add_client_authority(context: SSL.Context, certificate: crypto.X509) -> bool:
    """Name this authority when asking for a certificate; False where refused."""
    return _accepted(_lib.SSL_CTX_add_client_CA, context, certificate)


def _accepted(
    call: Callable[[Any, Any], int], context: SSL.Context, certificate: crypto.X509
) -> bool:
    _lib.ERR_clear_error()
    done = call(context._context, certificate._x509) == 1
    _lib.ERR_clear_error()
    return done


def set_groups(context: SSL.Context, names: Iterable[str]) -> bool:
    """Set the groups, best first; False where OpenSSL does not know one."""
    return _set_list(context, _lib.SSL_CTX_set1_curves_list, names)


def set_signature_algorithms(context: SSL.Context, names: Iterable[str]) -> bool:
    """Set the signature algorithms, best first; False where OpenSSL refuses."""
    return _set_list(context, _lib.SSL_CTX_set1_sigalgs_list, names)


def _set_list(
    context: SSL.Context, setter: Callable[[Any, bytes], int], names: Iterable[str]
) -> bool:
    _lib.ERR_clear_error()
    done = setter(context._context, ":".join(names).encode("ascii")) == 1
    _lib.ERR_clear_error()
    return done


def set_dh_parameters(context: SSL.Context, pem: bytes) -> None:
    """Set the finite-field group for DHE below TLS 1.3."""
    bio = _lib.BIO_new_mem_buf(pem, len(pem))
    try:
        parameters = _lib.PEM_read_bio_DHparams(bio, _NULL, _NULL, _NULL)
        if parameters == _NULL:
            raise ValueError("OpenSSL cannot read the DH parameters")
        try:
            if _lib.SSL_CTX_set_tmp_dh(context._context, parameters) != 1:
                raise ValueError("OpenSSL does not take the DH parameters")
        finally:
            _lib.DH_free(parameters)
    finally:
        _lib.BIO_free(bio)


RELEASE_BUFFERS: int = _lib.SSL_MODE_RELEASE_BUFFERS
"""Gives a connection's record buffers back whenever they are empty."""

PARTIAL_WRITE: int = _lib.SSL_MODE_ENABLE_PARTIAL_WRITE
"""pyOpenSSL switches it on; memory buffers take everything, so we switch it off."""
