"""One request, decided whole: what the server answers to whom, as one value.

    target → identity → record → second factor → authorize → file → refusal

The server and the property test "no phone gets another's file" call this and nothing
else, so what is tested is what runs. Who has a request reads it (``Request``), looks up
the two things it names (``record_of``, ``model_of``), and calls ``decide``:

    request = Request(method, raw_target, identity, connection, authorization)
    device  = the record of request.record_of
    shared  = the layers of request.model_of(device) and of the device's group
    answer  = decide(request, device, shared, site, now)

An answer that comes of a guess at a password (``Answer.guess``) does not leave before
the brake has judged it; what does is ``decide(…, verdict)``, with what it said.

Rules: pure; no clock, no database. A record that is not the one asked for opens
nothing. A refusal says its reason, and nothing about any phone but the one that asked:
whether a MAC is registered is told only to the phone that proves to be it
(``public_refusal``). An answer that uses up a one-time token says so and brings the
answer for the case that somebody else was quicker.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from linekey.certs.certificate import Certificate
from linekey.mac import Mac
from linekey.makers.maker import Maker
from linekey.provisioning import digest
from linekey.provisioning.authorize import (
    READING,
    ConnectionFacts,
    Rules,
    authorize,
    record_key,
)
from linekey.provisioning.brake import Verdict
from linekey.provisioning.decision import Decision, Newcomer, Outcome, Reason
from linekey.provisioning.device import REALM, Device
from linekey.provisioning.digest import DigestOutcome, DigestResult
from linekey.provisioning.expired import Expired
from linekey.provisioning.files import (
    RenderedFiles,
    SharedLayers,
    common_file,
    phone_file,
)
from linekey.provisioning.format import format_of, is_master
from linekey.provisioning.identity import Identity
from linekey.provisioning.other_makers import (
    for_maker,
    render_for_maker,
    render_master,
)
from linekey.provisioning.pending import (
    Welcome,
    waiting_layer,
    waiting_layer_neutral,
)
from linekey.provisioning.render import Rendered, render_document
from linekey.provisioning.resource import (
    CertificateFile,
    CommonFile,
    PhoneFile,
    Resource,
    parse_target,
)
from linekey.provisioning.second_factor import SecondFactor
from linekey.said import joined, say
from linekey.trust.anchors import NO_ANCHORS, Anchors
from linekey.value import value

PLAIN_TEXT = b"text/plain; charset=utf-8"
CERTIFICATE = b"application/pkix-cert"
"""RFC 2585 §4.1."""

_NO_WELCOME = Welcome()

_RECORD_TELLS = frozenset(
    {
        Reason.UNKNOWN_PHONE,
        Reason.REVOKED,
        Reason.CA_NOT_ALLOWED,
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
        Reason.DIGEST_PAUSED,
        Reason.NO_CERTIFICATE,
        Reason.EXPIRED_NOT_ACCEPTED,
        Reason.EXPIRED_ALONE,
    }
)
"""Reasons from which one could learn whether a phone is registered, and how."""


@value
class Request:
    """What came in: read once, and nothing decided yet.

    ``raw_target`` is the request target as it stood in the request line;
    ``authorization`` the header's value, if there was one.
    """

    method: str
    raw_target: bytes = field(repr=False)
    identity: Identity
    connection: ConnectionFacts
    authorization: str | None = field(default=None, repr=False)
    base_paths: tuple[str, ...] = ()
    """The folders under which files are served; empty: any (``parse_target``)."""
    expired: Expired = Expired.REFUSE
    """What the operator wants of its CA's phones once their certificates have ended."""
    resource: Resource = field(init=False)

    def __post_init__(self) -> None:
        found = parse_target(self.raw_target, bases=self.base_paths)
        object.__setattr__(self, "resource", found)

    def is_weak(self, now: datetime) -> bool:
        """Whether the certificate may need a second factor: it names no phone, or it
        has ended and its CA's phones may come all the same."""
        if self.identity.mac is None:
            return True
        ended = self.identity.problem is None and self.identity.has_ended(now)
        return ended and self.expired.opens

    def is_newcomers(self, device: Device | None, now: datetime) -> bool:
        """Whether a phone asks that proves itself and has no ``device``.

        Only then ``decide`` looks at its ``welcome``.
        """
        if device is not None or self.identity.mac is None:
            return False
        return self.identity.is_valid(now)

    @property
    def record_of(self) -> Mac | None:
        """Whose record ``decide`` wants as ``device``; None: no record is needed."""
        return record_key(self.identity, self.resource)

    def model_of(self, device: Device | None) -> str | None:
        """Whose model's layer ``decide`` wants in ``shared``; None: the fleet's alone.

        The model in a common file's name counts only where the certificate proves
        something: a stranger's names are not looked up.
        """
        if isinstance(self.resource, CommonFile):
            return self.resource.model if self.identity.problem is None else None
        return device.model if device else None


@dataclass(frozen=True, slots=True)
class Site:
    """What is the same for every request, and what is kept between them."""

    rules: Rules
    nonce_keys: tuple[bytes, ...] = field(repr=False)
    """Of at least 16 random bytes each, the same wherever phones may ask next: the one
    that nonces are made with, then others whose nonces are good."""
    public_url: str
    """Where phones reach this server, without a slash at its end."""
    rendered: RenderedFiles = field(default_factory=RenderedFiles)
    anchors: Anchors = NO_ANCHORS
    """The roots of the server's chains, as far as phones are to be given them."""


@value
class Answer:
    """What leaves, once ``decision`` is on record. ``repr`` shows no content."""

    decision: Decision
    status: int
    body: bytes = field(repr=False)
    content_type: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    left_out: tuple[str, ...] = ()
    """What could not be written into a file that was rendered now, in words, for the
    log; empty when the file is one that was kept."""
    guess: Mac | None = None
    """Whose password was guessed at, whether that phone is registered or not; then the
    brake has to judge, ``right`` or not, before this may leave."""
    right: bool = False
    """Whether the guess was the password of a phone that may have its file."""
    adopts: Device | None = None
    """The record that a rule gives the phone that asks: it would open the phone's file.
    Whoever registers it decides anew; where that cannot be, this answer leaves."""
    otherwise: "Answer | None" = None
    """Set where the answer uses up the device's one-time token, which has to happen in
    one step with the record; this leaves instead if somebody else just used it."""


def decide(
    request: Request,
    device: Device | None,
    shared: SharedLayers,
    site: Site,
    now: datetime,
    verdict: Verdict | None = None,
    *,
    welcome: Welcome = _NO_WELCOME,
    adopted_by: str = "",
) -> Answer:
    """Decide a request and make the answer to it. Never raises; ``now`` is aware.

    ``device`` is the record of ``request.record_of``, None if there is none; ``shared``
    are the layers of ``request.model_of(device)`` and of the device's group.
    ``verdict`` is what the brake said to the answer that was made without one.
    ``welcome`` is what the operator wants of the phone if there is no record of it, and
    ``adopted_by`` the rule that registered it a moment ago.
    """
    resource = request.resource
    if device is not None and device.mac != request.record_of:
        device = None  # a record of somebody else says nothing here
    if shared.group is not None and (
        device is None or device.group != shared.group.name
    ):
        shared = shared.without_group()
    result = _held_against_password(request, device, site, now)
    factor = None if result is None else SecondFactor(result)
    if verdict is not None and not verdict.read:
        factor = SecondFactor(None, verdict.wait_s)
    decision = authorize(
        request.identity,
        resource,
        device,
        request.connection,
        factor,
        site.rules,
        now,
        method=request.method,
        group=shared.group,
        welcome=welcome,
        expired=request.expired,
    )
    if decision.newcomer is not None:
        return _newcomers_answer(decision, request, welcome, site, now)
    if adopted_by and decision.reason is Reason.OWN_FILE:
        rule = say("rule %(rule)s", rule=adopted_by)
        detail = joined(filter(None, (rule, decision.detail)))
        decision = dataclasses.replace(decision, reason=Reason.ADOPTED, detail=detail)
    guess = None
    if result is not None and result.outcome in _GUESSES:
        assert isinstance(resource, PhoneFile)
        guess = resource.mac
    if decision.outcome in (Outcome.REFUSED, Outcome.ABSENT):
        stale = result is not None and result.outcome is DigestOutcome.STALE
        refusal = _refusal(decision, request, site, now, stale, verdict)
        # A revoked phone's password is as wrong as an unknown phone's; where only the
        # format is missing, the password was looked at before.
        right = (
            decision.reason in _AFTER_THE_PASSWORD
            and result is not None
            and result.outcome is DigestOutcome.VERIFIED
        )
        if not right and decision.reason not in _RECORD_TELLS:
            guess = None  # refused before any password
        return dataclasses.replace(refusal, guess=guess, right=right)
    if decision.reason is not Reason.DIGEST_ACCEPTED:
        guess = None  # granted for something else
    if isinstance(resource, CertificateFile):
        for certificate in (*site.anchors.roots, *_held(device, shared)):
            if certificate.sha256 == resource.sha256:
                return Answer(decision, 200, certificate.der, CERTIFICATE)
        gone = dataclasses.replace(
            decision,
            reason=Reason.NOTHING_THERE,
            detail=say("no layer of this phone holds this certificate"),
            consumes_token=False,
        )
        return _refusal(gone, request, site, now)
    assert isinstance(resource, PhoneFile | CommonFile)
    maker = format_of(request.identity, device, resource)
    file, left_out = _file(decision, resource, device, shared, site, maker)
    otherwise = None
    if decision.consumes_token:
        late = dataclasses.replace(
            decision,
            reason=Reason.TOKEN_USED,
            detail=say("a moment ago"),
            consumes_token=False,
            challenge=False,
        )
        otherwise = _refusal(late, request, site, now)
    return Answer(
        decision,
        200,
        file.body,
        file.content_type.encode("ascii"),
        left_out=left_out,
        guess=guess,
        right=guess is not None,
        otherwise=otherwise,
    )


def _held(device: Device | None, shared: SharedLayers) -> Iterator[Certificate]:
    """The certificates of a phone's layers, or of the fleet's where it has no good
    record.

    Whether there is a record makes no difference to who asks by a shared certificate.
    """
    good = device is not None and device.state == "active"
    layers = (*shared.all, device.layer) if device and good else (shared.fleet,)
    for layer in layers:
        yield from (entry.certificate for entry in layer.certificates)


def _newcomers_answer(
    decision: Decision,
    request: Request,
    welcome: Welcome,
    site: Site,
    now: datetime,
) -> Answer:
    """A waiting file or a refusal; and whom a rule may register instead."""
    newcomer = decision.newcomer
    assert newcomer is not None
    if decision.reason is Reason.WAITING:
        file = _waiting_file(newcomer, request, welcome)
        content_type = file.content_type.encode("ascii")
        answer = Answer(decision, 200, file.body, content_type)
    else:
        answer = _refusal(decision, request, site, now)
    rule = welcome.rule
    if not welcome.adopts or rule is None or request.method != "GET":
        return answer
    candidate = rule.device(newcomer)
    trial = authorize(
        request.identity, request.resource, candidate, request.connection, None,
        site.rules, now, method=request.method, group=welcome.group,
    )  # fmt: skip
    if trial.reason is not Reason.OWN_FILE:
        return answer
    return dataclasses.replace(answer, adopts=candidate)


def _waiting_file(newcomer: Newcomer, request: Request, welcome: Welcome) -> Rendered:
    """The file of a phone that waits, in its maker's format."""
    assert isinstance(request.resource, PhoneFile)
    maker = format_of(request.identity, None, request.resource)
    if is_others(maker):
        assert maker is not None
        if is_master(maker, request.resource):
            return render_master(maker, newcomer.mac)
        return render_for_maker(
            for_maker(waiting_layer_neutral(welcome.ask_again_s), maker, own=True),
            maker, mac=newcomer.mac, model=f"waiting, code {newcomer.code}",
            blank_secrets=True, certificate_url=lambda _: "", waits=True,
        )  # fmt: skip
    return render_document(
        waiting_layer(newcomer.code, welcome.ask_again_s),
        firmware=None, mac=newcomer.mac, model=None, blank_secrets=True,
        certificate_url=lambda _: "",
    )  # fmt: skip


def is_others(maker: Maker | None) -> bool:
    """Whether a maker's files are not Snom's."""
    return maker is not None and not maker.snom_like


def public_refusal(
    decision: Decision,
    resource: Resource,
    verdict: Verdict | None = None,
    *,
    weak: bool,
) -> tuple[int, str]:
    """Return what the peer is told of a refusal: status and text.

    Who proves no MAC (``weak``, ``Request.is_weak``) and asks for a phone's file always
    hears the same, whether that phone is registered, revoked, has a second factor or
    not; the log has the truth. In a pause that is 429, whether the answer was read or
    not.
    """
    if weak and isinstance(resource, PhoneFile) and decision.reason in _RECORD_TELLS:
        if verdict is not None and verdict.paused:
            return 429, "too many wrong answers\nreason: second_factor_paused\n"
        return 401, "a second factor is needed for this file\nreason: second_factor\n"
    return (
        decision.status,
        f"{decision.reason.sentence}\nreason: {decision.reason.value}\n",
    )


_AFTER_THE_PASSWORD = frozenset({Reason.NO_RENDERER, Reason.NOTHING_THERE})
_GUESSES = frozenset({DigestOutcome.VERIFIED, DigestOutcome.WRONG})


def _held_against_password(
    request: Request, device: Device | None, site: Site, now: datetime
) -> DigestResult | None:
    """What the Authorization header comes to; None: it is not looked at.

    Whether a phone is registered, and has a password, makes no difference to a wrong
    answer: else the pauses, or ``stale``, would tell it.
    """
    identity = request.identity
    if (
        request.authorization is None
        or not request.is_weak(now)
        or not isinstance(request.resource, PhoneFile)
        or request.method not in READING
        or identity.mac not in (None, request.resource.mac)
    ):
        return None
    if identity.problem is not None and not (
        identity.problem is Reason.NO_CERTIFICATE
        and site.rules.second_factor_without_certificate
    ):
        return None
    return digest.verify(
        request.authorization,
        method=request.method,
        target=request.raw_target.decode("latin-1"),
        credential=None if device is None else device.digest,
        keys=site.nonce_keys,
        now=now,
    )


def _refusal(
    decision: Decision,
    request: Request,
    site: Site,
    now: datetime,
    stale: bool = False,
    verdict: Verdict | None = None,
) -> Answer:
    weak = request.is_weak(now)
    status, text = public_refusal(decision, request.resource, verdict, weak=weak)
    headers: list[tuple[bytes, bytes]] = []
    if status == 401:
        key = site.nonce_keys[0]
        headers += [
            (b"www-authenticate", value.encode("latin-1"))
            for value in digest.challenges(REALM, key, now, stale=stale)
        ]
    if status in (401, 429) and verdict is not None and verdict.wait_s:
        headers.append((b"retry-after", b"%d" % verdict.wait_s))
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    return Answer(decision, status, text.encode("utf-8"), PLAIN_TEXT, tuple(headers))


def _file(
    decision: Decision,
    resource: PhoneFile | CommonFile,
    device: Device | None,
    shared: SharedLayers,
    site: Site,
    maker: Maker | None,
) -> tuple[Rendered, tuple[str, ...]]:
    """The rendered file, and what was left out of it if it was rendered now."""
    whose = maker.id if maker is not None and not maker.snom_like else ""
    if maker is not None and is_master(maker, resource):
        mac = resource.mac if isinstance(resource, PhoneFile) else None
        return render_master(maker, mac), ()
    if isinstance(resource, PhoneFile):
        assert device is not None
        blank = decision.blank_secrets
        return site.rendered.get(
            (device.mac, device.version, shared.key, blank, whose, site.anchors),
            lambda: phone_file(
                device, shared, site.public_url, maker=maker, blank_secrets=blank,
                anchors=site.anchors,
            ),
        )  # fmt: skip
    return site.rendered.get(
        (resource.model, shared.key, whose, site.anchors),
        lambda: common_file(
            resource.model, shared, site.public_url, maker, site.anchors
        ),
    )
