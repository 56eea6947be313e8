"""The provisioning application: who asks, for what, may they, and here it is.

A raw ASGI application (a framework's routing would cost more than the decision). For
each request, on a resumed session as on a fresh one:

    TLS extension → identity → target → device record → authorize → the decision is on
    record → the answer leaves

It reads the ASGI TLS extension only, so it works alike at the door and behind a proxy.

Rules: no answer leaves before its decision is on record; if it cannot be recorded, the
answer is 503 and holds nothing. A refusal says its reason, and nothing about any phone
but the one that asked: whether a MAC is registered is told only to the phone that
proves to be it (``public_refusal``). Answers are never cached (``no-store``) and have
no ETag: each request is a decision of its own, and phones do not revalidate.
"""

import dataclasses
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError, StorageError
from linekey.mac import Mac
from linekey.net.asgi_tls import ConnectionTls, connection_tls
from linekey.provisioning import digest
from linekey.provisioning.authorize import (
    ConnectionFacts,
    Rules,
    SecondFactor,
    authorize,
    record_key,
)
from linekey.provisioning.decision import Decision, Outcome, Reason
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, merge
from linekey.provisioning.identity import Identity
from linekey.provisioning.render import CONTENT_TYPE, Rendered, render_document
from linekey.provisioning.resource import (
    CertificateFile,
    CommonFile,
    PhoneFile,
    Resource,
    parse_target,
)
from linekey.store.decisions import LogEntry
from linekey.web.gate import Gate
from linekey.web.reader import Reader, RegistryReader

_log = logging.getLogger("linekey.provisioning")

REALM = "linekey"
MAX_RENDERED = 4096
"""Rendered files kept."""
MAX_RENDERED_BYTES = 33_554_432
"""Bytes of them together: some 4 kB for each of 8,000 phones."""

_RECORD_TELLS = frozenset(
    {
        Reason.UNKNOWN_PHONE,
        Reason.REVOKED,
        Reason.VENDOR_MISMATCH,
        Reason.GENERATION_NOT_ALLOWED,
        Reason.SHARED_CERTIFICATE,
        Reason.SHARED_NOT_EXPECTED,
        Reason.TLS_TOO_OLD,
        Reason.MODEL_NEEDED,
        Reason.TOKEN_WRONG,
        Reason.TOKEN_USED,
        Reason.DIGEST_REQUIRED,
        Reason.DIGEST_WRONG,
        Reason.DIGEST_STALE,
        Reason.NO_CERTIFICATE,
    }
)
"""Reasons from which one could learn whether a phone is registered, and how."""

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class Recorder(Protocol):
    """What the application asks of ``store.decision_log.DecisionLog``."""

    async def record(self, entry: LogEntry) -> None:
        """Return when the line is on disk."""

    async def record_using_token(
        self, entry: LogEntry, *, mac: Mac, token_sha256: str, otherwise: LogEntry
    ) -> bool:
        """Use up the token and put that on record in one step."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    content_type: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class ProvisioningApp:
    """The ASGI application. ``on_decision`` is told of each decision once on record.

    ``nonce_key`` is at least 16 random bytes, the same in every worker. ``public_url``
    is where phones reach this server, without a slash at its end.
    """

    def __init__(
        self,
        *,
        registry: RegistryReader,
        log: Recorder,
        gate: Gate,
        rules: Rules,
        nonce_key: bytes,
        public_url: str,
        clock: Callable[[], datetime],
        on_decision: Callable[[LogEntry], None] = lambda _: None,
    ) -> None:
        self._registry = Reader(registry)
        self._log = log
        self._gate = gate
        self._rules = rules
        self._nonce_key = nonce_key
        self._public_url = public_url
        self._clock = clock
        self._on_decision = on_decision
        self._rendered: OrderedDict[tuple[object, ...], Rendered] = OrderedDict()
        self._rendered_bytes = 0

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope)
        except StorageError as error:
            _log.error("no answer without a record: %s (%s)", error.message, error.hint)
            answer = _Answer(
                503,
                b"the server cannot look up or record this request now\n",
                b"text/plain; charset=utf-8",
                ((b"retry-after", b"30"),),
            )
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [
                    (b"content-type", answer.content_type),
                    (b"content-length", b"%d" % len(answer.body)),
                    (b"cache-control", b"no-store"),
                    *answer.headers,
                ],
            }
        )
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Any) -> _Answer:
        now = self._clock()
        method = scope["method"]
        target = scope["raw_path"]
        if scope["query_string"]:
            target = target + b"?" + scope["query_string"]
        resource = parse_target(target)
        await self._registry.look()
        tls, identity = await self._who(scope)
        key = record_key(identity, resource)
        device = await self._registry.find(key) if key is not None else None
        factor, user_agent = self._read_headers(scope, method, target, device, now)
        version = tls.version if tls else None
        decision = authorize(
            identity,
            resource,
            device,
            ConnectionFacts(
                None if version is None else int(version),
                tls.policy if tls else None,
                tls is None or tls.policy is None,
            ),
            factor,
            self._rules,
            now,
            method=method,
        )
        content: tuple[bytes, bytes] | None = None
        if decision.outcome is not Outcome.REFUSED:
            content = await self._content(decision, resource, device)
            if content is None:
                decision = dataclasses.replace(
                    decision,
                    reason=Reason.NOTHING_THERE,
                    detail="no layer of this phone holds this certificate",
                    consumes_token=False,
                )
        refusal = None
        if content is None:
            refusal = self._refuse(decision, identity, resource, now)
        entry = LogEntry.of_decision(
            decision,
            at=now,
            peer=scope["client"] or ("", 0),
            tls_version=None if version is None else version.label,
            suite=tls.suite_name if tls else None,
            policy=tls.policy if tls else None,
            server_name=tls.server_name if tls else None,
            user_agent=user_agent,
        )
        if refusal is not None and refusal.status != entry.status:
            entry = dataclasses.replace(entry, status=refusal.status)
        if decision.consumes_token and device is not None:
            used = await self._use_token(decision, device, entry)
            if used is not None:
                return self._refuse(used, identity, resource, now)
        else:
            await self._log.record(entry)
            self._on_decision(entry)
        if content is None:
            assert refusal is not None
            return refusal
        return _Answer(200, content[0], content[1])

    async def _who(self, scope: Any) -> tuple[ConnectionTls | None, Identity]:
        authorities = await self._registry.authorities()
        self._gate.trust(
            authorities.roots, authorities.intermediates, authorities.version
        )
        try:
            tls = connection_tls(scope)
        except CertificateError as error:
            _log.warning("the TLS extension holds no certificate: %s", error.message)
            tls = None
        if tls is None:
            return None, self._gate.identify(())
        return tls, self._gate.identify(tls.chain, tls.verdict)

    async def _use_token(
        self, decision: Decision, device: Device, entry: LogEntry
    ) -> Decision | None:
        """Use up the token; the refusal instead, if somebody else just did."""
        assert device.token_sha256 is not None
        late = dataclasses.replace(
            decision, reason=Reason.TOKEN_USED, detail="a moment ago", challenge=False
        )
        otherwise = dataclasses.replace(
            entry,
            outcome=late.outcome.value,
            reason=late.reason.value,
            detail=late.detail,
            status=401,
        )
        good = await self._log.record_using_token(
            entry,
            mac=device.mac,
            token_sha256=device.token_sha256,
            otherwise=otherwise,
        )
        self._on_decision(entry if good else otherwise)
        return None if good else late

    def _read_headers(
        self,
        scope: Any,
        method: str,
        target: bytes,
        device: Device | None,
        now: datetime,
    ) -> tuple[SecondFactor | None, str | None]:
        authorization = user_agent = None
        for name, value in scope["headers"]:
            if name == b"user-agent":
                user_agent = value.decode("latin-1")
            elif name == b"authorization":
                authorization = value.decode("latin-1")
        if authorization is None or device is None or device.digest is None:
            return None, user_agent
        result = digest.verify(
            authorization,
            method=method,
            target=target.decode("latin-1"),
            credential=device.digest,
            key=self._nonce_key,
            now=now,
        )
        return SecondFactor(digest=result), user_agent

    # What goes out

    async def _content(
        self, decision: Decision, resource: Resource, device: Device | None
    ) -> tuple[bytes, bytes] | None:
        """Return body and content type; None if there is nothing of this name."""
        if isinstance(resource, CertificateFile):
            shared = await self._registry.layers(device.model if device else None)
            own = device.layer if device else Layer()
            for layer in (shared.fleet, shared.model, own):
                for entry in layer.certificates:
                    if entry.certificate.sha256 == resource.sha256:
                        return entry.certificate.der, b"application/pkix-cert"
            return None
        if isinstance(resource, PhoneFile):
            assert device is not None
            shared = await self._registry.layers(device.model)
            found = self._render(
                (device.mac, device.version, shared.version, decision.blank_secrets),
                device,
                device.model,
                (shared.fleet, shared.model, device.layer),
                decision.blank_secrets,
            )
        else:
            assert isinstance(resource, CommonFile)
            shared = await self._registry.layers(resource.model)
            found = self._render(
                (resource.model, shared.version),
                None,
                resource.model,
                (shared.fleet, shared.model),
                True,
            )
        return found.body, CONTENT_TYPE.encode("ascii")

    def _render(
        self,
        key: tuple[object, ...],
        device: Device | None,
        model: str | None,
        layers: tuple[Layer, ...],
        blank: bool,
    ) -> Rendered:
        rendered = self._rendered.get(key)
        if rendered is not None:
            self._rendered.move_to_end(key)
            return rendered
        rendered = render_document(
            merge(*layers),
            firmware=device.firmware if device else None,
            mac=device.mac if device else None,
            model=model,
            blank_secrets=blank,
            certificate_url=self._certificate_url,
        )
        for skipped in rendered.skipped:
            _log.warning("left out of %s: %s", device.mac if device else model, skipped)
        self._rendered[key] = rendered
        self._rendered_bytes += len(rendered.body)
        while (
            len(self._rendered) > MAX_RENDERED
            or self._rendered_bytes > MAX_RENDERED_BYTES
        ):
            _, old = self._rendered.popitem(last=False)
            self._rendered_bytes -= len(old.body)
        return rendered

    def _certificate_url(self, certificate: Certificate) -> str:
        return f"{self._public_url}/certificates/{certificate.sha256}.der"

    def _refuse(
        self, decision: Decision, identity: Identity, resource: Resource, now: datetime
    ) -> _Answer:
        status, text = public_refusal(decision, identity, resource)
        headers: list[tuple[bytes, bytes]] = []
        if status == 401:
            stale = decision.reason is Reason.DIGEST_STALE
            headers += [
                (b"www-authenticate", value.encode("latin-1"))
                for value in digest.challenges(REALM, self._nonce_key, now, stale=stale)
            ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        return _Answer(
            status, text.encode("utf-8"), b"text/plain; charset=utf-8", tuple(headers)
        )


def public_refusal(
    decision: Decision, identity: Identity, resource: Resource
) -> tuple[int, str]:
    """Return what the peer is told of a refusal: status and text.

    Who proves no MAC and asks for a phone's file always hears the same, whether that
    phone is registered, revoked, has a second factor or not; the log has the truth.
    """
    if (
        identity.mac is None
        and isinstance(resource, PhoneFile)
        and decision.reason in _RECORD_TELLS
    ):
        return 401, "a second factor is needed for this file\nreason: second_factor\n"
    return (
        decision.status,
        f"{decision.reason.sentence}\nreason: {decision.reason.value}\n",
    )
