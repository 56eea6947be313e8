"""Behind a proxy that ends TLS: what it says of the phone, as the TLS extension.

``BehindProxy`` is an ASGI middleware. From the listed proxies it takes

    Client-Cert: :base64 of the DER:        RFC 9440 §2.2, or the PEM, percent-encoded
    Client-Cert-Chain: :…:, :…:             RFC 9440 §2.3; one item may hold several
    X-Linekey-Client-Verify: SUCCESS        NONE, or FAILED:why
    X-Linekey-Tls-Version: TLSv1.2
    X-Linekey-Tls-Suite: ECDHE-RSA-AES128-GCM-SHA256     OpenSSL's name or IANA's
    X-Forwarded-For: 192.0.2.7              the phone's address, and no other

and fills ``scope["extensions"]`` as the door does (``wire.asgi_tls``), so that the
application cannot tell. The headers go no further.

What the headers are worth: that the phone holds the certificate's key is the proxy's
word, which is why only listed addresses are believed. What the certificate proves is
not: the application proves it anew (``verdict`` is None). A certificate without the
verification's result, or with another than SUCCESS, is not handed on.

Rules: an address that is not listed gets nothing, whatever it sends, and that is on
record before the answer leaves. A header that comes twice, is too long or does not
parse is refused, never guessed at; proxies that append to what clients send are
noticed by that. A request without protocol version or address is refused too: a client
can have headers taken out on the way by naming them in ``Connection`` (RFC 9110
§7.6.1), and what is not said must not count as "nothing to object".
"""

import binascii
import ipaddress
import re
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_bundle, to_pem
from linekey.errors import CertificateError, InputError, PeerError
from linekey.said import say
from linekey.tls.suites import Suite, by_name
from linekey.tls.versions import Version, parse_version
from linekey.wire.asgi_tls import ConnectionTls
from linekey.wire.door.refusal import Refusal, cure_of
from linekey.wire.networks import is_in, parse_networks, spelled
from linekey.wire.request_head import place_target, read_host, target_of

MAX_HEADER_BYTES = 16_384
"""Of one header's value; a chain of three RSA-4096 certificates has 8,000."""
MAX_CHAIN = 10
"""Certificates in Client-Cert-Chain; the longest real chain has four."""
MAX_KNOWN = 4_096
"""Parsed certificates kept, so that a phone's next request costs no parsing."""

_CLIENT_CERT = b"client-cert"
_CHAIN = b"client-cert-chain"
_VERIFY = b"x-linekey-client-verify"
_VERSION = b"x-linekey-tls-version"
_SUITE = b"x-linekey-tls-suite"
_FORWARDED_FOR = b"x-forwarded-for"
_OURS = frozenset({_CLIENT_CERT, _CHAIN, _VERIFY, _VERSION, _SUITE})
_TAKEN = _OURS | {_FORWARDED_FOR}

App = Callable[[Any, Any, Any], Awaitable[None]]
OnRefused = Callable[[Refusal], Awaitable[None]]


class _HeaderError(Exception):
    """What is wrong with a proxy's header; never leaves this module."""

    code = "proxy.header"


class _HostError(_HeaderError):
    """No Host, or two, or one that is no host."""

    code = "request.host"


class _IncompleteError(_HeaderError):
    """A header that every request of a proxy has is not there."""

    code = "proxy.incomplete"


@dataclass(frozen=True, slots=True)
class _Known:
    """A chain as parsed, with what the extension shows of it."""

    chain: tuple[Certificate, ...]
    pems: tuple[str, ...]
    name: str | None


_NOBODY = _Known((), (), None)


class BehindProxy:
    """Takes the phone's identity from listed proxies and hands requests on to ``app``.

    ``trusted`` holds addresses and networks (``192.0.2.10``, ``10.0.0.0/8``);
    ``unix_socket`` says that peers without an address, those of a Unix socket, are
    proxies. ``on_refused`` returns once a refusal is on record; what it raises is
    raised from here, and there is no answer. Raises InputError for a network that is
    none, and if nobody at all is listed.
    """

    def __init__(
        self,
        app: App,
        trusted: Sequence[str],
        *,
        on_refused: OnRefused,
        clock: Callable[[], datetime],
        unix_socket: bool = False,
    ) -> None:
        self._app = app
        self._trusted = parse_networks(trusted)
        if not self._trusted and not unix_socket:
            raise InputError(
                "no proxy is listed, so nobody could reach this server",
                hint="give --behind-proxy ADDR[,ADDR], or proxy.trusted_proxies",
            )
        self._unix_socket = unix_socket
        self._on_refused = on_refused
        self._clock = clock
        self._known: OrderedDict[tuple[bytes, bytes], _Known] = OrderedDict()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # phones have no use for WebSockets, and the server speaks none
        peer = scope.get("client")
        if not self._is_listed(peer):
            await self._refuse_stranger(scope, send, peer)
            return
        try:
            inner = self._inner(scope)
        except _HeaderError as error:
            await self._refuse(send, peer, error.code, str(error), 400)
            return
        await self._app(inner, receive, send)

    # Who speaks

    def _is_listed(self, peer: Any) -> bool:
        if not peer or not peer[0]:
            return self._unix_socket
        return is_in(str(peer[0]), self._trusted)

    async def _refuse_stranger(self, scope: Any, send: Any, peer: Any) -> None:
        sent = sorted({n.decode("latin-1") for n, _ in scope["headers"] if n in _OURS})
        if sent:
            code, said = (
                "proxy.forged",
                say(
                    "this address is no listed proxy, and it sent %(names)s",
                    names=", ".join(sent),
                ),
            )
        else:
            code, said = "proxy.not_listed", say("this address is no listed proxy")
        await self._refuse(send, peer, code, said, 403)

    async def _refuse(
        self, send: Any, peer: Any, code: str, reason: str, status: int
    ) -> None:
        refusal = Refusal(
            kind="request",
            at=self._clock(),
            peer=(str(peer[0]), int(peer[1])) if peer else ("unix", 0),
            code=code,
            reason=reason,
            cure=cure_of(code),
            status=status,
        )
        await self._on_refused(refusal)
        body = f"{reason}\nreason: {code}\n".encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", b"text/plain; charset=utf-8"),
                    (b"content-length", b"%d" % len(body)),
                    (b"cache-control", b"no-store"),
                    (b"connection", b"close"),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    # What it says

    def _inner(self, scope: Any) -> dict[str, Any]:
        try:
            read_host(scope["http_version"], scope["headers"])
        except PeerError as odd:
            raise _HostError(odd.message) from None
        given: dict[bytes, bytes] = {}
        others = []
        for name, value in scope["headers"]:
            if name not in _TAKEN:
                others.append((name, value))
                continue
            if name in given:
                raise _HeaderError(
                    say("the header %(shown)s came twice", shown=_shown(name))
                )
            if len(value) > MAX_HEADER_BYTES:
                raise _HeaderError(
                    say(
                        "the header %(shown)s has more than %(limit)s bytes",
                        shown=_shown(name),
                        limit=MAX_HEADER_BYTES,
                    )
                )
            given[name] = value.strip(b" \t")
        for name in (_VERSION, _FORWARDED_FOR):
            if not given.get(name):
                raise _IncompleteError(
                    say("the proxy did not send %(shown)s", shown=_shown(name))
                )
        known, error = self._certificate(given)
        version = _read_version(given[_VERSION])
        suite, suite_name = _read_suite(given.get(_SUITE))
        inner = dict(scope)
        inner["headers"] = others
        place_target(inner, target_of(scope))
        inner["scheme"] = "https"
        inner["client"] = (_read_address(given[_FORWARDED_FOR]), 0)
        inner["extensions"] = {
            **(scope.get("extensions") or {}),
            "tls": {
                "server_cert": None,
                "client_cert_chain": list(known.pems),
                "client_cert_name": known.name,
                "client_cert_error": error,
                "tls_version": int(version),
                "cipher_suite": None if suite is None else suite.number,
            },
            "linekey": ConnectionTls(
                chain=known.chain,
                error=error,
                version=version,
                suite=None if suite is None else suite.number,
                suite_name=suite_name,
                policy=None,
                server_name=None,
                resumed=False,
            ),
        }
        return inner

    def _certificate(self, given: dict[bytes, bytes]) -> tuple[_Known, str | None]:
        certificate = given.get(_CLIENT_CERT) or b""
        chain = given.get(_CHAIN) or b""
        verify = given.get(_VERIFY)
        if not certificate:
            if chain:
                raise _HeaderError(say("client-cert-chain came without client-cert"))
            if verify is not None and verify.upper() == b"SUCCESS":
                raise _HeaderError(
                    say(
                        "x-linekey-client-verify says SUCCESS, but client-cert is not "
                        "there"
                    )
                )
            return _NOBODY, _verify_error(verify)
        if verify is None:
            raise _HeaderError(
                say(
                    "client-cert came without x-linekey-client-verify: whether the "
                    "proxy verified it is not known"
                )
            )
        if verify.upper() != b"SUCCESS":
            return _NOBODY, _verify_error(verify)
        key = (certificate, chain)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known, None
        leaf = _read_certificates(certificate, "client-cert")
        if len(leaf) != 1:
            raise _HeaderError(say("client-cert does not hold exactly one certificate"))
        above = _read_certificates(chain, "client-cert-chain") if chain else []
        if len(above) > MAX_CHAIN:
            raise _HeaderError(
                say(
                    "client-cert-chain holds more than %(limit)s certificates",
                    limit=MAX_CHAIN,
                )
            )
        whole = tuple(dict.fromkeys((*leaf, *above)))
        known = _Known(whole, tuple(map(to_pem, whole)), str(whole[0].subject))
        self._known[key] = known
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return known, None


def _shown(name: bytes) -> str:
    return name.decode("latin-1")


def _verify_error(verify: bytes | None) -> str | None:
    """The reason for ``client_cert_error``; None where no certificate was sent."""
    if verify is None or verify.upper() == b"NONE":
        return None
    said = verify[:200].decode("latin-1")
    return said if said.isprintable() else ascii(said)


_ITEM = re.compile(rb":([A-Za-z0-9+/]*={0,2}):")
_PEM_BEGINS = re.compile(rb"-----BEGIN(?: |%20)CERTIFICATE-----")


def _read_certificates(value: bytes, name: str) -> list[Certificate]:
    """One or more certificates of a header. Raises _HeaderError."""
    try:
        if value.startswith(b":"):
            found = []
            for item in value.split(b","):
                match = _ITEM.fullmatch(item.strip(b" \t"))
                if match is None:
                    raise _HeaderError(
                        say("%(name)s is not base64 between colons", name=name)
                    )
                found += _split_der(b64decode(match.group(1), validate=True), name)
            return found
        if _PEM_BEGINS.match(value):
            bundle = parse_bundle(unquote_to_bytes(value))
            if bundle.keys:
                raise _HeaderError(say("%(name)s holds a private key", name=name))
            return list(bundle.certificates)
    except (CertificateError, binascii.Error, ValueError) as error:
        raise _HeaderError(
            say("%(name)s holds no certificate: %(error)s", name=name, error=error)
        ) from None
    raise _HeaderError(
        say(
            "%(name)s is neither base64 between colons (RFC 9440) nor percent-encoded "
            "PEM",
            name=name,
        )
    )


def _split_der(data: bytes, name: str) -> list[Certificate]:
    """Certificates one after another, as HAProxy's ssl_c_chain_der gives them."""
    found: list[Certificate] = []
    at = 0
    while at < len(data):
        if len(found) > MAX_CHAIN:
            raise _HeaderError(say("%(name)s holds too many certificates", name=name))
        if data[at : at + 2] != b"\x30\x82" or at + 4 > len(data):
            raise _HeaderError(say("%(name)s holds no certificate", name=name))
        end = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.append(Certificate.from_der(data[at:end]))
        at = end
    if not found:
        raise _HeaderError(say("%(name)s is empty", name=name))
    return found


def _read_version(value: bytes) -> Version:
    try:
        return parse_version(value.decode("ascii"))
    except ValueError:
        raise _HeaderError(say("x-linekey-tls-version is no version of TLS")) from None


def _read_suite(value: bytes | None) -> tuple[Suite | None, str | None]:
    if not value:
        return None, None
    if not re.fullmatch(rb"[A-Za-z0-9_-]{1,64}", value):
        raise _HeaderError(say("x-linekey-tls-suite is no cipher suite's name"))
    name = value.decode("ascii")
    try:
        suite = by_name(name)
    except KeyError:
        return None, name  # one that linekey's table does not have; the name will do
    return suite, suite.name


def _read_address(value: bytes) -> str:
    try:
        text = value.decode("ascii")
        return spelled(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise _HeaderError(
            say(
                "x-forwarded-for is not one address: the proxy must replace what the "
                "client sent, not append to it"
            )
        ) from None
