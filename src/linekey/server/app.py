"""The provisioning application: who asks, for what, may they, and here it is.

A raw ASGI application (a framework's routing would cost more than the decision). For
each request, on a resumed session as on a fresh one:

    TLS extension → identity → target → device record → authorize → the decision is on
    record → the answer leaves

``provisioning.service.decide`` alone decides what is answered; here is what waits: the
registry is looked into, a phone that a rule expects registered (``store.adoption``), a
guess at a password counted (``provisioning.brake``), the decision recorded, the answer
sent. Only the ASGI TLS extension is read, so it works alike at the door and behind a
proxy.

A fleet that nobody changes is decided from memory: by what was read when the registry's
counters were last seen, and the transaction that puts the decision on record looks
whether they still are the same (``record_if``). If not, or if anything is not kept, or
more is to be done than to answer, the registry is looked into before. Decision 0044.

Rules: no answer leaves before its decision is on record; where that cannot be done, or
nothing looked up within ``LOOK_WITHIN_S``, StorageError is raised, which
``wire.asgi_edge`` answers with 503. Answers are never cached (``no-store``) and have no
ETag: each request is a decision of its own, and phones do not revalidate.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import perf_counter
from typing import Any, Protocol

from linekey.errors import Cause, CertificateError, StorageError
from linekey.mac import Mac
from linekey.provisioning.authorize import ConnectionFacts, Rules
from linekey.provisioning.brake import Verdict
from linekey.provisioning.decision import Newcomer
from linekey.provisioning.device import Device
from linekey.provisioning.files import SharedLayers
from linekey.provisioning.pending import Adoption, Policy, Welcome, policy_of
from linekey.provisioning.service import Answer, Request, Site, decide
from linekey.server.gate import Gate
from linekey.settings import PendingSettings
from linekey.store.decisions import LogEntry
from linekey.store.registry import Authorities, Revision
from linekey.trust.anchors import NO_ANCHORS, Anchors
from linekey.wire.asgi_tls import ConnectionTls, connection_tls
from linekey.wire.request_head import target_of
from linekey.wire.sources import source_of

_log = logging.getLogger("linekey.provisioning")

LOOK_WITHIN_S = 2.0
"""Seconds for all that is looked up for one request. With
``decision_log.RECORD_WITHIN_S`` after it a phone has its answer within 5."""

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class Registry(Protocol):
    """What the application asks of ``store.registry.Registry``."""

    async def revision(self) -> Revision:
        """Return the counters as they are now."""

    async def find(self, mac: Mac, at: Revision) -> Device | None:
        """Return the device."""

    async def layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers:
        """Return fleet's, group's and model's layers, and the group."""

    async def authorities(self, at: Revision) -> Authorities:
        """Return the vendor CAs."""

    async def adoption(self, at: Revision) -> Adoption:
        """Return the rules for phones that are expected."""

    async def is_refused(self, mac: Mac) -> bool:
        """Whether the operator refused this phone while it was pending."""

    def kept(self, mac: Mac, at: Revision) -> Device | None:
        """Return the device if it is kept in memory as of ``at``."""

    def kept_layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers | None:
        """Return the layers and the group, if they are kept as of ``at``."""

    def kept_authorities(self, at: Revision) -> Authorities | None:
        """Return the vendor CAs, if they are kept as of ``at``."""


class Adopter(Protocol):
    """What the application asks of ``store.adoption.Adopter``."""

    async def adopt(
        self, newcomer: Newcomer, rule: str, peer: str, now: datetime
    ) -> bool:
        """Register a phone by a rule, if it may be; say whether it was."""


class Recorder(Protocol):
    """What the application asks of ``store.decision_log.DecisionLog``."""

    counters: Revision | None
    """The registry's, as it saw them last."""

    async def record_if(self, entry: LogEntry, seen: Revision) -> bool:
        """Put the line on record if the registry's counters still are ``seen``."""

    async def record(self, entry: LogEntry) -> None:
        """Return when the line is on disk."""

    async def record_using_token(
        self, entry: LogEntry, *, mac: Mac, token_sha256: str, otherwise: LogEntry
    ) -> bool:
        """Use up the token and put that on record in one step."""


class Brake(Protocol):
    """What the application asks of ``store.attempts.AttemptStore``."""

    async def judge(
        self, mac: Mac, source: str, leaf: str | None, *, right: bool, now: datetime
    ) -> Verdict:
        """Judge one guess at a phone's password, and count it if it is wrong."""


class ProvisioningApp:
    """The ASGI application.

    ``on_decision`` is told of each decision once it is on record, and how many seconds
    that took.

    ``nonce_keys`` gives keys of at least 16 random bytes, the same in every worker and
    server: the one to make nonces with, then others that are good. ``public_url`` is
    where phones reach this server, without a slash at its end; ``anchors`` gives the
    roots of its chains of now.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        log: Recorder,
        gate: Gate,
        brake: Brake,
        adopter: Adopter,
        pending: PendingSettings,
        rules: Rules,
        nonce_keys: Callable[[], tuple[bytes, ...]],
        public_url: str,
        anchors: Callable[[], Anchors] = lambda: NO_ANCHORS,
        clock: Callable[[], datetime],
        on_decision: Callable[[LogEntry, float], None] = lambda *_: None,
    ) -> None:
        self._registry = registry
        self._log = log
        self._gate = gate
        self._brake = brake
        self._adopter = adopter
        self._pending = pending
        self._policy = Policy(pending.policy)
        self._site = Site(rules, nonce_keys(), public_url)
        self._nonce_keys = nonce_keys
        self._anchors = anchors
        self._clock = clock
        self._on_decision = on_decision

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = await self._answer(scope)
        await _send(
            scope,
            send,
            answer.status,
            answer.body,
            answer.content_type,
            *answer.headers,
        )

    async def _answer(self, scope: Any) -> Answer:
        asked = _Asked(scope, self._clock(), perf_counter())
        seen = self._log.counters
        answer = None if seen is None else self._from_memory(asked, seen)
        if answer is None or seen is None:
            return await self._looked_up(asked)
        line = asked.line(answer)
        if not await self._log.record_if(line, seen):
            return await self._looked_up(asked)  # something has changed meanwhile
        self._on_decision(line, perf_counter() - asked.began)
        return answer

    def _from_memory(self, asked: "_Asked", seen: Revision) -> Answer | None:
        """Decide by what is kept, if all of it is, and if nothing else is to be done.

        The registry's counters were ``seen`` by the log a moment ago. That they still
        are it looks in the transaction that puts the decision on record: so what is
        kept decides only where a look would have found the same.
        """
        registry, now = self._registry, asked.now
        authorities = registry.kept_authorities(seen)
        if authorities is None or authorities.version != self._gate.version:
            return None
        request = self._read(asked, authorities)
        if request.is_weak(now):
            return None
        device, wanted = None, request.record_of
        if wanted is not None:
            device = registry.kept(wanted, seen)
            if device is None:
                return None
        shared = registry.kept_layers(
            request.model_of(device), seen, device.group if device else None
        )
        if shared is None or request.is_newcomers(device, now):
            return None
        answer = decide(request, device, shared, self._site, now)
        if answer.guess is not None or answer.otherwise is not None:
            return None
        _tell_left_out(request, answer)
        return answer

    async def _looked_up(self, asked: "_Asked") -> Answer:
        """Decide by what the registry says now, and put that on record."""
        now, scope = asked.now, asked.scope
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                at = await self._registry.revision()
                authorities = await self._registry.authorities(at)
                request = self._read(asked, authorities)
                wanted = request.record_of
                device = (
                    None if wanted is None else await self._registry.find(wanted, at)
                )
                shared = await self._registry.layers(
                    request.model_of(device), at, device.group if device else None
                )
                site = self._here(request.is_weak(now))
                if request.is_newcomers(device, now):
                    answer = await self._newcomers(
                        request, authorities, shared, site, at, now, scope
                    )
                else:
                    answer = decide(request, device, shared, site, now)
                if answer.guess is not None:
                    peer = scope["client"] or ("", 0)
                    verdict = await self._brake.judge(
                        answer.guess,
                        source_of(peer[0]),
                        request.identity.leaf_sha256,
                        right=answer.right,
                        now=now,
                    )
                    answer = decide(request, device, shared, site, now, verdict)
        except TimeoutError:
            raise StorageError(
                f"the database has not answered within {LOOK_WITHIN_S:g} s",
                hint="look at its load, and at the network before it",
                cause=Cause.SLOW,
            ) from None
        _tell_left_out(request, answer)
        line = asked.line(answer)
        if answer.otherwise is not None:
            assert device is not None
            assert device.token_sha256 is not None
            late = asked.line(answer.otherwise)
            good = await self._log.record_using_token(
                line, mac=device.mac, token_sha256=device.token_sha256, otherwise=late
            )
            if not good:
                answer, line = answer.otherwise, late
        else:
            await self._log.record(line)
        self._on_decision(line, perf_counter() - asked.began)
        return answer

    async def _newcomers(
        self,
        request: Request,
        authorities: Authorities,
        shared: SharedLayers,
        site: Site,
        at: Revision,
        now: datetime,
        scope: Any,
    ) -> Answer:
        """The answer to a phone that proves itself and has no record, so far."""
        identity = request.identity
        assert identity.mac is not None
        rule = (await self._registry.adoption(at)).find(identity.mac, identity.vendor)
        policy = policy_of(identity.authorities, authorities.pending, self._policy)
        group = None
        if policy is Policy.ADOPT and rule is not None and rule.group is not None:
            group = (await self._registry.layers(None, at, rule.group)).group
        welcome = Welcome(
            policy,
            policy.waits and await self._registry.is_refused(identity.mac),
            rule,
            group,
            self._pending.ask_again_s,
        )
        answer = decide(request, None, shared, site, now, welcome=welcome)
        newcomer = answer.decision.newcomer
        if answer.adopts is None or newcomer is None or rule is None:
            return answer
        peer = scope["client"] or ("", 0)
        if not await self._adopter.adopt(newcomer, rule.name, peer[0], now):
            return answer
        at = await self._registry.revision()
        device = await self._registry.find(identity.mac, at)
        shared = await self._registry.layers(
            request.model_of(device), at, device.group if device else None
        )
        return decide(request, device, shared, site, now, adopted_by=rule.name)

    def _here(self, weak: bool) -> Site:
        anchors = self._anchors()
        if anchors is not self._site.anchors:
            self._site = dataclasses.replace(self._site, anchors=anchors)
        if weak:  # else HTTP digest is not looked at
            keys = self._nonce_keys()
            if keys != self._site.nonce_keys:
                self._site = dataclasses.replace(self._site, nonce_keys=keys)
        return self._site

    def _read(self, asked: "_Asked", authorities: Authorities) -> Request:
        """Read what came, by what the operator trusts."""
        gate, tls, scope = self._gate, asked.tls, asked.scope
        gate.trust(
            authorities.roots,
            authorities.intermediates,
            authorities.version,
            authorities.rules,
            authorities.expired,
        )
        if tls is None:
            identity = gate.identify(())
        else:
            identity = gate.identify(tls.chain, tls.verdict, asked.now)
        version = tls.version if tls else None
        return Request(
            scope["method"],
            target_of(scope),
            identity,
            ConnectionFacts(
                None if version is None else int(version),
                tls.policy if tls else None,
                tls is None or tls.policy is None,
            ),
            asked.authorization,
            self._site.rules.base_paths,
            gate.expired_of(identity),
        )


class _Asked:
    """A request as it came, and what of it goes on record."""

    __slots__ = ("authorization", "began", "now", "scope", "tls", "user_agent")

    def __init__(self, scope: Any, now: datetime, began: float) -> None:
        self.scope = scope
        self.now = now
        self.began = began
        """By the clock that measures; ``now`` is the time of day."""
        self.user_agent: str | None = None
        self.authorization: str | None = None
        for name, value in scope["headers"]:
            if name == b"user-agent":
                self.user_agent = value.decode("latin-1")
            elif name == b"authorization":
                self.authorization = value.decode("latin-1")
        self.tls: ConnectionTls | None = None
        try:
            self.tls = connection_tls(scope)
        except CertificateError as error:
            _log.warning("the TLS extension holds no certificate: %s", error.message)

    def line(self, answer: Answer) -> LogEntry:
        """Make the line of the log for an answer."""
        tls = self.tls
        version = tls.version if tls else None
        return LogEntry.of_decision(
            answer.decision,
            at=self.now,
            peer=self.scope["client"] or ("", 0),
            tls_version=None if version is None else version.label,
            suite=tls.suite_name if tls else None,
            policy=tls.policy if tls else None,
            server_name=tls.server_name if tls else None,
            user_agent=self.user_agent,
            status=answer.status,
        )


def _tell_left_out(request: Request, answer: Answer) -> None:
    for skipped in answer.left_out:
        _log.warning("left out of %s: %s", request.resource.text, skipped)


async def _send(
    scope: Any,
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes,
    *headers: tuple[bytes, bytes],
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", b"%d" % len(body)),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    sent = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": sent})
