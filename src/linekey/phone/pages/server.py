"""The phone's pages on a socket: HTTPS with the phone's own certificate.

``PhoneServer`` is a service of ``edge.runner.VirtualPhone``: it serves the pages
through the same door and engine as everything else, as the phone's firmware speaks TLS,
with whichever certificate the phone shows at that moment (SNOM-TLS, Phone's Web Server
Certificate: the built-in one, or the operator's own).

Rules: loopback unless told otherwise; a phone without any certificate has no HTTPS
pages, and the log says so.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.endpoint import host_port
from linekey.errors import LinekeyError
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import Answer, Event
from linekey.phone.identity import DeviceIdentity
from linekey.phone.pages.app import PhonePages
from linekey.phone.state import PhoneState
from linekey.settings import LimitSettings
from linekey.tls.context import Identity, ServerContext, server_context
from linekey.tls.engine import ServerEngine
from linekey.tls.hello import ClientHello
from linekey.tls.policy import POLICIES, Policy, PolicyChoice, choose_key
from linekey.tls.server_key import server_key
from linekey.tls.suites import by_name
from linekey.tls.versions import Version
from linekey.wire.door.listener import Door, bind
from linekey.wire.door.refusal import Refusal

_log = logging.getLogger("linekey.phone")

_LIMITS = LimitSettings(half_open=32, connections=64, body_bytes=4 * 1024 * 1024)
"""A desk phone serves one person; the body limit holds one upload."""


class PhoneServer:
    """Serves one phone's pages on ``listener`` (``listener.bind``), once; closes it."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    @property
    def url(self) -> str:
        """Where the pages are."""
        host, port = self._listener.getsockname()[:2]
        return f"https://{host_port(host, port)}/"

    async def __call__(self, phone: VirtualPhone) -> None:
        """Serve until cancelled."""
        with self._listener:
            if phone.state.identity.identity is None:
                mac = phone.state.mac
                _log.warning("%s has no certificate, so no HTTPS pages", mac)
                return

            async with Door(
                PhonePages(_Desk(phone)),
                _PhoneTls(phone),
                self._listener,
                limits=_LIMITS,
                on_refused=_note_refused,
                drain_s=1.0,
            ):
                await asyncio.Event().wait()


class _PhoneTls:
    """The phone's end of its pages' connections, with its certificate of that time."""

    def __init__(self, phone: VirtualPhone) -> None:
        self._phone = phone
        self._contexts: dict[tuple[str, str], ServerContext] = {}

    def choose(self, hello: ClientHello) -> PolicyChoice:
        """Choose the policy for a client."""
        return choose_key(hello, [server_key(self._identity.leaf)])

    def engine_for(self, choice: PolicyChoice, hello: ClientHello) -> ServerEngine:
        """Make the engine for one connection."""
        assert choice.policy is not None, "a client that is refused has no engine"
        return ServerEngine(self._context(choice.policy), hello=hello)

    def shown(self, _choice: PolicyChoice) -> Certificate:
        """Give the certificate that a client is shown."""
        return self._identity.leaf

    @property
    def _identity(self) -> DeviceIdentity:
        return _shown(self._phone.state)

    def _context(self, policy: Policy) -> ServerContext:
        identity, profile = self._identity, self._phone.state.profile
        key = (policy.name, identity.leaf.sha256)
        if key not in self._contexts:
            self._contexts = {
                (name, identity.leaf.sha256): _build(identity, fit, profile)
                for name, fit in phone_policies(profile).items()
            }
        return self._contexts[key]


def serve_pages(port: int, host: str = "127.0.0.1") -> PhoneServer:
    """Listen for a phone's pages; port 0 takes a free one. Raises LinekeyError."""
    return PhoneServer(bind(host, port))


def phone_policies(row: Profile) -> dict[str, Policy]:
    """What the phone's web server speaks for each policy that a hello may choose.

    Versions and suites are the profile's; for a hello that could do better than the
    phone, what the phone can do. LEGACY comes last and is the floor: the suites that no
    policy has (NULL, DES …) are not served, whatever the matrix says.
    """
    order: Sequence[Policy] = tuple(POLICIES.values())
    numbers = frozenset(row.suites)
    fitted: dict[str, Policy] = {}
    for policy in order:
        suites = tuple(s for s in policy.suites if by_name(s).number in numbers)
        newest = min(policy.max_version, Version(row.max_version))
        oldest = max(policy.min_version, Version(max(row.min_version, 0x0301)))
        if suites and oldest <= newest:
            fitted[policy.name] = replace(
                policy,
                min_version=oldest,
                max_version=newest,
                suites=suites,
                tls13_suites=policy.tls13_suites if newest >= Version.TLS1_3 else (),
            )
    fallback = next((fitted[p.name] for p in order if p.name in fitted), None)
    if fallback is None:
        raise LinekeyError(
            f"no current TLS library supports what the {row.name}'s web server needs",
            hint="choose a firmware from 8.7.5.35 on",
        )
    result = {}
    for policy in order:
        result[policy.name] = fallback = fitted.get(policy.name, fallback)
    return result


def _shown(state: PhoneState) -> DeviceIdentity:
    identity = state.identity.identity
    assert identity is not None, "a phone's certificate never goes away"
    return identity


def _build(identity: DeviceIdentity, policy: Policy, row: Profile) -> ServerContext:
    # Lines of OpenSSL that have TLS 1.3 mark what lies below it; older ones do not.
    marks = row.max_version >= Version.TLS1_3
    return server_context(
        Identity(identity.chain, identity.key),
        policy,
        verify=None,
        alpn=("http/1.1",),
        session_id_context=b"linekey phone",
        best_version=Version.TLS1_3 if marks else None,
    )


async def _note_refused(refusals: list[Refusal], dropped: int) -> None:
    for refusal in refusals:
        _log.info("a browser was refused: %s", refusal.reason)
    if dropped:
        _log.info("%d more were refused", dropped)


class _Desk:
    """A running phone, as its pages see it."""

    def __init__(self, phone: VirtualPhone) -> None:
        self._phone = phone

    @property
    def state(self) -> PhoneState:
        return self._phone.state

    def now(self) -> datetime:
        return self._phone.clock.now()

    async def tell(self, event: Event) -> Answer | None:
        return await self._phone.do(event)
