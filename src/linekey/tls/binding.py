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
``Session._session``, ``._context``, ``X509._x509``, ``PKey._pkey``. pyOpenSSL's
``Connection`` is not used: it costs time and memory for each connection, and does
nothing here that OpenSSL does not.
"""

from collections.abc import Callable
from enum import Enum, auto
from itertools import pairwise
from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

from OpenSSL import SSL, crypto

from linekey.certs.certificate import Certificate
from linekey.certs.restate import stand_in
from linekey.tls.alerts import Alert
from linekey.tls.errors import TlsError
from linekey.tls.events import REFUSAL_ALERTS
from linekey.tls.messages import read_client_chain

lib: Any = SSL._lib  # type: ignore[attr-defined]
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]

_allocate = _ffi.new_allocator(should_clear_after_alloc=False)
_STORE_INDEX = lib.SSL_get_ex_data_X509_STORE_CTX_idx()
_IN_MEMORY = lib.BIO_s_mem()
NULL = _ffi.NULL

CHUNK = 32_768
"""Bytes that are read at once: two records' worth (RFC 8446 §5.1), and SSL_read never
gives more than one."""
_anywhere = _ffi.new("char **")  # for an answer that nobody reads
_spare: list[Any] = []
"""Buffers of CHUNK bytes that nobody uses: one for each thread that ever did at once.
Made anew each time they would cost malloc a walk through its lists."""

# What OpenSSL's ssl_x509err2alert (ssl/statem/statemlib.c) turns into each alert.
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


_links: dict[int, "ref[Link]"] = {}
"""By the address of the SSL object; each takes itself out."""


def _address(pointer: Any) -> int:
    return int(_ffi.cast("uintptr_t", pointer))


def _link_of(ssl: Any) -> "Link | None":
    found = _links.get(_address(ssl))
    return None if found is None else found()


class Link:
    """One SSL object over two memory buffers."""

    __slots__ = (
        "__weakref__",
        "_address",
        "_asked",
        "_context",
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
        self._ssl: Any = lib.SSL_new(context._context)
        if self._ssl == NULL:
            raise MemoryError("OpenSSL could not make a connection")
        self._address = _address(self._ssl)
        self._context = context  # whose callbacks OpenSSL calls
        self._into: Any
        self._out: Any
        self._make_buffers()
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
        _links[self._address] = ref(self)

    def _make_buffers(self) -> None:
        """Give OpenSSL two new buffers; it frees those that it had, and these at its
        end."""
        self._into, self._out = lib.BIO_new(_IN_MEMORY), lib.BIO_new(_IN_MEMORY)
        lib.SSL_set_bio(self._ssl, self._into, self._out)

    def __del__(self, free: Callable[[Any], None] = lib.SSL_free) -> None:
        if self._ssl != NULL:
            _links.pop(self._address, None)
            free(self._ssl)

    # -- set-up ---------------------------------------------------------------

    def be_server(self) -> None:
        """Wait for a hello."""
        lib.SSL_set_accept_state(self._ssl)

    def show(self, leaf: crypto.X509, key: crypto.PKey) -> bool:
        """Show this certificate if asked; False where OpenSSL refuses.

        The context's extra certificates follow it.
        """
        lib.ERR_clear_error()
        done = show(self._ssl, leaf, key)
        lib.ERR_clear_error()
        return done

    def be_client(self, server_name: bytes | None, session: SSL.Session | None) -> None:
        """Be ready to send a hello, with this SNI, resuming this session."""
        if server_name is not None:
            lib.SSL_set_tlsext_host_name(self._ssl, server_name)
        if session is not None:
            if session._context is not self._context:
                raise ValueError("a session is resumed in the context that made it")
            lib.SSL_set_session(self._ssl, session._session)
        lib.SSL_set_connect_state(self._ssl)

    # -- bytes and steps ------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if data and lib.BIO_write(self._into, data, len(data)) != len(data):
            raise MemoryError("OpenSSL could not take the bytes")

    def take(self) -> bytes:
        """Give all bytes for the peer."""
        buffer = _spare.pop() if _spare else _allocate("char[]", CHUNK)
        size = lib.BIO_read(self._out, buffer, CHUNK)
        taken: bytes = _ffi.buffer(buffer, size)[:] if size > 0 else b""
        if size == CHUNK:
            parts = [taken]
            while (size := lib.BIO_read(self._out, buffer, CHUNK)) > 0:
                parts.append(_ffi.buffer(buffer, size)[:])
            taken = b"".join(parts)
        _spare.append(buffer)
        return taken

    def rest(self) -> None:
        """Give back the memory that the buffers have grown to, if they are empty: a
        handshake's certificates need kilobytes, and they never shrink by themselves."""
        if not self.has_unread and not lib.BIO_get_mem_data(self._out, _anywhere):
            self._make_buffers()

    def handshake(self) -> State:
        """Go on with the handshake."""
        lib.ERR_clear_error()
        result = lib.SSL_do_handshake(self._ssl)
        return State.DONE if result == 1 else self._state(result)

    @property
    def has_unread(self) -> bool:
        """Whether bytes of the peer wait that OpenSSL has not taken: it takes a record
        at a time, and ``read`` gives all of it."""
        return bool(lib.BIO_get_mem_data(self._into, _anywhere))

    def read(self) -> bytes | State:
        """Give decrypted bytes, or the state in which there are none."""
        lib.ERR_clear_error()
        buffer = _spare.pop() if _spare else _allocate("char[]", CHUNK)
        size = lib.SSL_read(self._ssl, buffer, CHUNK)
        read = _ffi.buffer(buffer, size)[:] if size > 0 else self._state(size)
        _spare.append(buffer)
        return read

    def write(self, data: bytes | memoryview) -> bool:
        """Encrypt bytes, all of them; False where OpenSSL refuses."""
        lib.ERR_clear_error()
        with _ffi.from_buffer(data) as view:
            return bool(lib.SSL_write(self._ssl, view, len(view)) == len(view))

    def shutdown(self) -> None:
        """Write a close_notify."""
        lib.ERR_clear_error()
        lib.SSL_shutdown(self._ssl)
        lib.ERR_clear_error()

    def mark_closed(self) -> None:
        """Take it that both ends said close_notify.

        OpenSSL would make the session useless otherwise, as TLS 1.0 had it; since TLS
        1.1 a transport that just ends leaves it usable (RFC 4346 §7.2.1).
        """
        lib.SSL_set_shutdown(self._ssl, SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)

    def _state(self, result: int) -> State:
        error = lib.SSL_get_error(self._ssl, result)
        if error == lib.SSL_ERROR_WANT_READ:
            return State.WANTS_MORE
        return State.CLOSED if error == lib.SSL_ERROR_ZERO_RETURN else State.FAILED

    def reasons(self) -> tuple[str, ...]:
        """Take OpenSSL's reasons from its queue, first cause first."""
        return reasons()

    # -- what was negotiated --------------------------------------------------

    @property
    def version(self) -> int:
        """The version's number on the wire."""
        return int(lib.SSL_version(self._ssl))

    @property
    def suite(self) -> str:
        """OpenSSL's name of the suite."""
        name = lib.SSL_CIPHER_get_name(lib.SSL_get_current_cipher(self._ssl))
        return _ffi.string(name).decode("ascii")  # type: ignore[no-any-return]

    @property
    def resumed(self) -> bool:
        """Whether the handshake was an abbreviated one."""
        return bool(lib.SSL_session_reused(self._ssl))

    @property
    def group(self) -> str | None:
        """OpenSSL's name of the group of the key exchange."""
        name = lib.SSL_get0_group_name(self._ssl)
        return None if name == NULL else _ffi.string(name).decode("ascii", "replace")

    @property
    def server_name(self) -> bytes | None:
        """The client's SNI."""
        name = lib.SSL_get_servername(self._ssl, lib.TLSEXT_NAMETYPE_host_name)
        return None if name == NULL else _ffi.string(name)

    @property
    def alpn(self) -> bytes:
        """The protocol agreed on, or nothing."""
        start, size = _ffi.new("unsigned char **"), _ffi.new("unsigned int *")
        lib.SSL_get0_alpn_selected(self._ssl, start, size)
        return _ffi.buffer(start[0], size[0])[:] if size[0] else b""

    @property
    def session(self) -> SSL.Session | None:
        """The session, to be resumed later."""
        pointer = lib.SSL_get1_session(self._ssl)
        if pointer == NULL:
            return None
        session = SSL.Session.__new__(SSL.Session)
        session._session = _ffi.gc(pointer, lib.SSL_SESSION_free)
        session._context = self._context
        return session

    def peer_leaf(self) -> bytes | None:
        """The peer's own certificate, DER, after the handshake."""
        pointer = lib.SSL_get_peer_certificate(self._ssl)
        if pointer == NULL:
            return None
        try:
            return self._as_sent(_ders([pointer]))[0]
        finally:
            lib.X509_free(pointer)

    def peer_sent(self) -> list[bytes]:
        """All that a server sent, or all that a client sent beside its leaf."""
        return self._as_sent(_stack(lib.SSL_get_peer_cert_chain(self._ssl)))

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
        stack = lib.X509_STORE_CTX_get1_chain(self._store)
        try:
            return self._as_sent(_stack(stack))
        finally:
            if stack != NULL:
                for i in range(lib.sk_X509_num(stack)):
                    lib.X509_free(lib.sk_X509_value(stack, i))
                lib.sk_X509_free(stack)

    def judge(self, ok: int, store: Any) -> int:
        """Answer OpenSSL's verify callback; 1 goes on, 0 refuses.

        Where certificates are watched it is asked first for an error, that there is no
        issuer; then is the time to decide, and what OpenSSL finds later is nothing.
        """
        if self.certificate_message is not None:
            return self._answer(store, None) if self._decided else self._decide(store)
        if not ok:
            error = lib.X509_STORE_CTX_get_error(store)
            depth = lib.X509_STORE_CTX_get_error_depth(store)
            if not self._decided:
                self.x509_errors.append((error, depth))
                return 1
            return self._answer(store, self._judge().decide_late(self, error))
        if lib.X509_STORE_CTX_get_error_depth(store) or self._decided:
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
            lib.X509_STORE_CTX_set_error(store, 0)
            return 1
        lib.X509_STORE_CTX_set_error(store, X509_ERROR_FOR[alert])
        return 0


def reasons() -> tuple[str, ...]:
    """Take OpenSSL's reasons from its queue, first cause first."""
    found = []
    while code := lib.ERR_get_error():
        text = lib.ERR_reason_error_string(code)
        found.append(
            _ffi.string(text).decode("ascii", "replace")
            if text != NULL
            else f"error {code:#x}"
        )
    return tuple(found)


def show(ssl: Any, leaf: crypto.X509, key: crypto.PKey) -> bool:
    """Both belong to each other, which OpenSSL looks at when it gets the second."""
    return bool(
        lib.SSL_use_certificate(ssl, leaf._x509) == 1
        and lib.SSL_use_PrivateKey(ssl, key._pkey) == 1
    )


def _ders(pointers: list[Any]) -> list[bytes]:
    """Write certificates as DER, through one buffer for all of them."""
    bio = lib.BIO_new(_IN_MEMORY)
    try:
        start = _ffi.new("char **")
        ends = [0]
        for pointer in pointers:
            if lib.i2d_X509_bio(bio, pointer) != 1:
                raise MemoryError("OpenSSL could not write a certificate")
            ends.append(lib.BIO_get_mem_data(bio, start))
        data = _ffi.buffer(start[0], ends[-1])[:] if pointers else b""
        return [data[a:b] for a, b in pairwise(ends)]
    finally:
        lib.BIO_free(bio)


def _stack(stack: Any) -> list[bytes]:
    if stack == NULL:
        return []
    value, size = lib.sk_X509_value, lib.sk_X509_num(stack)
    return _ders([value(stack, i) for i in range(size)])


def _refuse_all(store: Any) -> int:
    lib.X509_STORE_CTX_set_error(store, X509_ERROR_FOR[Alert.INTERNAL_ERROR])
    return 0


@_ffi.callback("int (*)(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
def _on_verify(ok: int, store: Any) -> int:
    link = _link_of(lib.X509_STORE_CTX_get_ex_data(store, _STORE_INDEX))
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
    link = _link_of(ssl)
    if link is not None:
        alerts = link.alerts_received if where & _READ else link.alerts_sent
        alerts.append((value >> 8, value & 0xFF))


_ALERT, _HANDSHAKE = 21, 22  # ContentType
_CERTIFICATE = 11  # HandshakeType (RFC 8446 §4)
_HEADER = 4  # its type and three bytes of length


# Called a dozen times in a handshake: addresses as numbers are made in less time than
# pointers, and all but one or two are not looked at.
@_ffi.callback(  # type: ignore[untyped-decorator]
    "void (*)(int, int, int, uintptr_t, size_t, uintptr_t, uintptr_t)"
)
def _on_message(
    sent: int, version: int, kind: int, data: int, size: int, ssl: int, _: int
) -> None:
    if kind == _HANDSHAKE:
        if sent or size < _HEADER:
            return
    elif kind != _ALERT:
        return  # the header of a record, a ChangeCipherSpec, application data
    message = _ffi.buffer(_ffi.cast("char *", data), size)[:]
    if kind == _HANDSHAKE and message[0] != _CERTIFICATE:
        return
    found = _links.get(ssl)
    link = None if found is None else found()
    if link is None:
        return
    if kind == _ALERT:
        alerts = link.alerts_sent if sent else link.alerts_received
        alerts.append((message[0], message[1]))
    else:
        link.certificate_message = version, message[_HEADER:]


_TLS1_2 = 0x0303


_MESSAGE_CALLBACK = "void (*)(int, int, int, const void *, size_t, SSL *, void *)"


@_ffi.callback(_MESSAGE_CALLBACK)  # type: ignore[untyped-decorator]
def _on_server_message(
    sent: int, version: int, kind: int, data: Any, size: int, ssl: Any, _: Any
) -> None:
    if sent or kind != _HANDSHAKE or size < _HEADER or version > _TLS1_2:
        return
    if _ffi.cast("unsigned char *", data)[0] != _CERTIFICATE:
        return
    link = _link_of(ssl)
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
    lib.SSL_CTX_set_msg_callback(context._context, _on_server_message)


def install_callbacks(context: SSL.Context, verify_mode: int) -> None:
    """Put our two callbacks into a context; ``verify_mode`` is SSL.VERIFY_…."""
    lib.SSL_CTX_set_verify(context._context, verify_mode, _on_verify)
    lib.SSL_CTX_set_info_callback(context._context, _on_info)


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
    lib.SSL_CTX_set_verify(context._context, verify_mode, _on_verify)
    lib.SSL_CTX_set_msg_callback(
        context._context, _ffi.cast(_MESSAGE_CALLBACK, _on_message)
    )
    context.set_verify_depth(_NO_PATH)


_NO_PATH = -2  # -1 is OpenSSL's "not set"

_protocols: WeakKeyDictionary[SSL.Context, Any] = WeakKeyDictionary()
"""What each context agrees on, as a handle that lives as long as the context."""


@_ffi.callback(  # type: ignore[untyped-decorator]
    "int (*)(SSL *, unsigned char **, unsigned char *, const unsigned char *,"
    " unsigned int, void *)",
    error=lib.SSL_TLSEXT_ERR_ALERT_FATAL,
)
def _on_protocols(
    ssl: Any, chosen: Any, size: Any, offered: Any, length: int, wanted: Any
) -> int:
    offer, at = _ffi.buffer(offered, length)[:], 0
    places: dict[bytes, int] = {}
    while at < length:  # OpenSSL has looked at the lengths
        end = at + 1 + offer[at]
        places.setdefault(offer[at + 1 : end], at + 1)
        at = end
    for protocol in _ffi.from_handle(wanted):
        if protocol in places:
            chosen[0] = _ffi.cast("unsigned char *", offered) + places[protocol]
            size[0] = len(protocol)
            return lib.SSL_TLSEXT_ERR_OK  # type: ignore[no-any-return]
    return lib.SSL_TLSEXT_ERR_NOACK  # type: ignore[no-any-return]


def agree_on_protocols(context: SSL.Context, wanted: tuple[bytes, ...]) -> None:
    """Let a server agree on the first of these that a client offers (RFC 7301)."""
    handle = _protocols[context] = _ffi.new_handle(wanted)
    lib.SSL_CTX_set_alpn_select_cb(context._context, _on_protocols, handle)
