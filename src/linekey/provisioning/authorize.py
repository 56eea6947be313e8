"""May this phone have this file? One function, and everything it looks at comes in.

``authorize`` is asked for every request anew, on a resumed session as on a fresh one,
so a revocation or an expiry acts at once. The questions, in this order; the first that
fails is the reason:

    request       does the target name a file, and is the method one for reading?
    certificate   was one sent, does its chain hold, is it valid now?
    target        does the URL name the phone that the certificate names?
    record        is that phone registered, active, of this vendor, of this generation,
                  from a CA that its group allows?
    connection    is the TLS version as good as this model with this firmware speaks?
    second factor where the certificate proves less than the phone: token or digest
    format        does linekey know how to write this vendor's file?

A phone's own certificate needs no second factor, and one that is sent is not looked
at. A shared certificate proves the vendor, so a second factor is needed; it is not
accepted for a model that the catalogue knows to have certificates of its own.

A phone whose own certificate holds and that has no record is a **newcomer**: pending,
and where the operator wants it, given a waiting file in the place of its own
(``pending``).

Rule: no grant without a record, and no grant of a phone's file to an identity with
another MAC, whatever else is true. Nothing here reads a clock or remembers anything.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from linekey.catalog.models import Generation, Model
from linekey.catalog.vendors import LAB_PREFIX, LAB_VENDOR
from linekey.mac import Mac
from linekey.provisioning.decision import Decision, Newcomer, Outcome, Reason
from linekey.provisioning.device import Device
from linekey.provisioning.expired import Expired, policy_for, was_registered
from linekey.provisioning.format import (
    certified_maker,
    format_by,
    format_of,
    is_master,
)
from linekey.provisioning.group import Group
from linekey.provisioning.identity import Identity
from linekey.provisioning.pending import Welcome, pending_code
from linekey.provisioning.resource import (
    SNOM,
    AbsentFile,
    CertificateFile,
    CommonFile,
    Nothing,
    PhoneFile,
    Resource,
    UploadFile,
)
from linekey.provisioning.second_factor import Answer, SecondFactor, second_factor
from linekey.provisioning.tls_version import (
    is_old,
    known_model,
    nothing_known,
    too_old,
)
from linekey.said import joined, say
from linekey.value import value

READING = frozenset({"GET", "HEAD"})
# Made once: a union of classes in each call would cost more than the question.
_OPTIONAL = (UploadFile, AbsentFile)
_OPENED = (PhoneFile, CertificateFile)
_WITH_MAC = (*_OPENED, *_OPTIONAL)
_NO_WELCOME = Welcome()


@value
class ConnectionFacts:
    """What is known of the connection. ``version`` as on the wire: 0x0303 is TLS 1.2.

    ``version`` is None where nobody knows it, such as behind a proxy that does not
    tell: then nothing is concluded from it.
    """

    version: int | None
    policy_name: str | None = None
    behind_proxy: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows. Both are off unless switched on."""

    blanked_for_shared: bool = False
    """A phone with a shared certificate and no second factor gets its file with every
    secret left out, instead of nothing."""
    second_factor_without_certificate: bool = False
    """A phone that sends no certificate at all may prove itself by second factor."""
    base_paths: tuple[str, ...] = ()
    """Folders that may stand before a file in a URL; empty: any
    (``resource.parse_target``)."""

    def of(self, group: Group) -> "Rules":
        """What holds for a group's phones."""
        said = group.policies.get("blanked_for_shared")
        if said is None:
            return self
        return replace(self, blanked_for_shared=said == "on")


def record_key(identity: Identity, resource: Resource) -> Mac | None:
    """Whose record ``authorize`` wants as ``device``.

    The phone that the certificate names; where it names none, the phone whose file is
    asked for; None: no record is needed.
    """
    if identity.mac is not None:
        return identity.mac
    return resource.mac if isinstance(resource, _OPENED) else None


def authorize(
    identity: Identity,
    resource: Resource,
    device: Device | None,
    connection: ConnectionFacts,
    second_factor: SecondFactor | None,
    rules: Rules,
    now: datetime,
    *,
    method: str = "GET",
    group: Group | None = None,
    welcome: Welcome = _NO_WELCOME,
    expired: Expired = Expired.REFUSE,
) -> Decision:
    """Decide one request. Never raises; ``now`` is aware.

    ``device`` is the record of ``record_key(identity, resource)``, None if there is
    none; ``group`` is that device's, None if it is in none. ``welcome`` is what the
    operator wants of this phone if there is no record of it, ``expired`` what he wants
    of its CA's phones once their certificates have ended. See the module for the order
    of the questions and ``Reason`` for the answers.
    """
    if group is not None:
        rules = rules.of(group)
    ended = ""
    if identity.problem is None and identity.has_ended(now):
        ended = identity.ends
    case = _Case(
        identity,
        resource,
        device,
        connection,
        second_factor,
        rules,
        now,
        method,
        group,
        welcome,
        expired,
        ended,
    )
    reason, detail = _reason(case)
    newcomer = _newcomer(case, reason)
    if newcomer is not None:
        detail = _joined(detail, say("pending, code %(code)s", code=newcomer.code))
    # What is odd about a certificate that holds is on record whatever was decided, and
    # that it has ended.
    if ended or identity.notes:
        ended = "" if ended in detail else ended
        detail = _joined(detail, ended, *identity.notes)
    target = None
    if isinstance(resource, _WITH_MAC):
        target = resource.mac
    consumes = reason is Reason.TOKEN_ACCEPTED and method == "GET"
    if consumes and isinstance(resource, PhoneFile) and device is not None:
        # What only names the phone's file leaves the token for that.
        maker = format_of(identity, device, resource)
        consumes = not is_master(maker, resource)
    return Decision(
        reason,
        resource.text,
        mac=identity.mac,
        target_mac=target,
        detail=detail,
        consumes_token=consumes,
        challenge=reason.status == 401,
        vendor=identity.vendor,
        generation=identity.generation.value if identity.generation else None,
        leaf_sha256=identity.leaf_sha256,
        issuer_key_sha256=identity.authorities[0] if identity.authorities else None,
        certificate_ends_at=identity.not_after,
        group=None if device is None else device.group,
        newcomer=newcomer,
    )


@value
class _Case:
    identity: Identity
    resource: Resource
    device: Device | None
    connection: ConnectionFacts
    second_factor: SecondFactor | None
    rules: Rules
    now: datetime
    method: str
    group: Group | None
    welcome: Welcome
    expired: Expired
    ended: str
    """That the certificate has ended, and when; empty: it has not."""


def _joined(*parts: str) -> str:
    """What there is of ``parts``, in a row."""
    said = [part for part in parts if part]
    return joined(said) if said else ""


def _reason(case: _Case) -> Answer:
    resource = case.resource
    if isinstance(resource, Nothing):
        return resource.reason, resource.detail
    if isinstance(resource, _OPTIONAL):
        return _absent(case, resource)
    if case.method not in READING:
        return Reason.METHOD_NOT_ALLOWED, say(
            "method %(method)s", method=repr(case.method[:16])
        )
    if refusal := _certificate(case):
        return refusal
    if isinstance(resource, PhoneFile):
        return _phone_file(case, resource)
    return _common_file(case, resource)


def _absent(case: _Case, resource: UploadFile | AbsentFile) -> Answer:
    """A name that phones ask for, or write to, and that has nothing under it."""
    if case.method in READING:
        whose = ", ".join(sorted(v for v in resource.vendors if "lab-" not in v))
        return Reason.OPTIONAL_FILE, say("phones of %(whose)s", whose=whose)
    if isinstance(resource, UploadFile):
        return Reason.UPLOAD_REFUSED, say(
            "method %(method)s", method=repr(case.method[:16])
        )
    return Reason.METHOD_NOT_ALLOWED, say(
        "method %(method)s", method=repr(case.method[:16])
    )


def _certificate(case: _Case) -> Answer | None:
    """Why the certificate is not enough to go on; None: it is."""
    identity = case.identity
    if identity.problem is not None:
        absent = identity.problem is Reason.NO_CERTIFICATE
        if absent and case.rules.second_factor_without_certificate:
            return None
        return identity.problem, identity.detail
    if not (identity.not_before and identity.not_after and identity.vendor):
        return Reason.CHAIN_NOT_PROVED, say("the identity is incomplete")
    if case.now < identity.not_before:
        return Reason.NOT_YET_VALID, identity.begins
    if case.ended and not case.expired.opens:
        return Reason.EXPIRED, case.ended
    return None


def _phone_file(case: _Case, resource: PhoneFile) -> Answer:
    identity, device = case.identity, case.device
    if refusal := _others(case, resource):
        return refusal
    # The second comparison holds even if the caller looked up the wrong record.
    if device is None or device.mac != resource.mac:
        return _unknown(case, resource)
    if refusal := _record(case, device) or _connection(case, device):
        return refusal
    answer: Answer = (Reason.OWN_FILE, _odd_model(device, resource))
    if case.ended:
        answer = _after_its_end(case, device)
    elif identity.mac is None:
        token = case.resource.token
        answer = second_factor(case.second_factor, token, device, _alone(case))
    if answer[0].outcome is Outcome.REFUSED:
        return answer
    # Said last, so that nobody learns of a device by asking for its format.
    vendor = device.vendor or certified_maker(identity)
    return _format(vendor, resource, device.model) or answer


def _after_its_end(case: _Case, device: Device) -> Answer:
    """The answer to a certificate that held until it ended, for this phone's file.

    It may be one that many phones share: then a second factor is needed in any case.
    """
    if refusal := _not_accepted(case, device):
        return refusal
    if _policy(case, device) is Expired.ACCEPT and case.identity.mac is not None:
        return Reason.EXPIRED_ACCEPTED, case.ended
    alone = (Reason.EXPIRED_ALONE, case.ended)
    return second_factor(case.second_factor, case.resource.token, device, alone)


def _policy(case: _Case, device: Device) -> Expired:
    of_group = case.group.policies.get("expired_certificates") if case.group else None
    return policy_for(case.expired, of_group, device.expired)


def _not_accepted(case: _Case, device: Device) -> Answer | None:
    """Why this phone's certificate is worth nothing after its end; None: it is."""
    policy, at = _policy(case, device), device.registered_at
    if policy is Expired.REFUSE:
        return Reason.EXPIRED_NOT_ACCEPTED, case.ended
    end = case.identity.not_after
    if policy is Expired.ACCEPT or end is None or was_registered(at, end):
        return None
    when = (
        say("registered at a time that is not known")
        if at is None
        else say("registered on %(at)s", at=f"{at:%Y-%m-%d %H:%M}")
    )
    return Reason.EXPIRED_NOT_ACCEPTED, _joined(case.ended, when)


def _common_file(case: _Case, resource: CommonFile | CertificateFile) -> Answer:
    """A file without secrets: for registered phones, and for proved vendors' phones."""
    identity, device = case.identity, case.device
    vendor = certified_maker(identity)
    if identity.vendor is None:
        return Reason.NO_CERTIFICATE, identity.detail
    if isinstance(resource, CertificateFile) and (refusal := _others(case, resource)):
        return refusal
    if identity.mac is not None:
        if device is None or device.mac != identity.mac:
            return Reason.UNKNOWN_PHONE, say(
                "%(mac)s is not registered", mac=identity.mac
            )
        if refusal := _record(case, device) or _connection(case, device):
            return refusal
        if case.ended and (refusal := _not_accepted(case, device)):
            return refusal
        vendor = device.vendor or vendor
    elif isinstance(resource, CommonFile) and (
        refusal := _nameless(case, resource.model)
    ):
        return refusal
    if isinstance(resource, CertificateFile):
        return Reason.CERTIFICATE_FILE, ""
    return _format(vendor, resource) or (Reason.COMMON_FILE, "")


def _others(case: _Case, resource: PhoneFile | CertificateFile) -> Answer | None:
    """That the URL is another phone's than the certificate; None: it is not."""
    certified = case.identity.mac
    if certified is None or resource.mac in (certified, None):
        return None
    return (
        Reason.OTHER_PHONES_FILE,
        say("certificate %(mac)s, URL %(asked)s", mac=certified, asked=resource.mac),
    )


def _unknown(case: _Case, resource: PhoneFile) -> Answer:
    """A phone's file without a record: nothing, or a waiting file in its place.

    The waiting file holds no secret, so what it asks of the phone is what a common file
    does: a certificate of its own, a format that linekey writes, a TLS version that is
    not below the model's.
    """
    identity = case.identity
    said = say("%(mac)s is not registered", mac=resource.mac)
    if identity.mac is None:
        return Reason.UNKNOWN_PHONE, said
    if case.welcome.refused:
        return Reason.UNKNOWN_PHONE, say(
            "%(said)s, and was refused by the operator", said=said
        )
    if not case.welcome.waits or case.ended:
        return Reason.UNKNOWN_PHONE, said
    if refusal := _format(certified_maker(identity), resource) or _nameless(
        case, resource.model
    ):
        reason, why = refusal
        return Reason.UNKNOWN_PHONE, _joined(said, reason.value, why)
    return Reason.WAITING, said


def _newcomer(case: _Case, reason: Reason) -> Newcomer | None:
    """The pending phone, if it is one: its own certificate holds, a record is missing.

    Who is refused for anything else, such as for asking for another phone's file, is
    not pending.
    """
    identity, resource = case.identity, case.resource
    if reason not in (Reason.UNKNOWN_PHONE, Reason.WAITING):
        return None
    if identity.mac is None or identity.vendor is None or case.device is not None:
        return None
    if case.ended:
        return None
    rule = case.welcome.rule
    return Newcomer(
        identity.mac,
        pending_code(identity.mac, identity.leaf_sha256),
        identity.vendor,
        identity.issuer,
        identity.model,
        resource.model if isinstance(resource, PhoneFile | CommonFile) else None,
        group=rule.group if rule else None,
        waits=reason is Reason.WAITING,
    )


def _format(
    vendor: str | None, resource: PhoneFile | CommonFile, model: str | None = None
) -> Answer | None:
    """Why the file cannot be written for this vendor's phone; None: it can.

    ``vendor`` is None where neither certificate nor record names one: then the file's
    name alone says in which format it is, or with it the record's model.
    """
    if vendor is not None and vendor not in resource.vendors:
        return (
            Reason.NOTHING_THERE,
            say(
                "no phone of vendor %(vendor)s asks for a file of this name",
                vendor=repr(vendor),
            ),
        )
    if format_by(vendor, resource, model) is not None:
        return None
    if vendor is not None:
        return Reason.NO_RENDERER, say("vendor %(vendor)s", vendor=vendor)
    wanted = sorted(v for v in resource.vendors if not v.startswith("lab-"))
    return Reason.NO_RENDERER, say(
        "vendor %(names)s: the record names none", names=" or ".join(wanted)
    )


def _record(case: _Case, device: Device) -> Answer | None:
    """What the device's record forbids; None: nothing."""
    identity = case.identity
    if device.state != "active":
        return Reason.REVOKED, device.revoked_reason
    if device.group is not None and (
        case.group is None or case.group.name != device.group
    ):
        return Reason.CA_NOT_ALLOWED, say(
            "the group %(group)s is not there", group=repr(device.group)
        )
    if identity.vendor is None:
        return None
    if case.group is not None and not case.group.allows(identity.authorities):
        issuer = ascii(identity.issuer[:200])
        return Reason.CA_NOT_ALLOWED, say(
            "group %(group)s, issuer %(issuer)s",
            group=repr(device.group),
            issuer=issuer,
        )
    if not _vendors_fit(identity, device.vendor):
        return (
            Reason.VENDOR_MISMATCH,
            say(
                "certificate %(vendor)s, record %(recorded)s",
                vendor=repr(identity.vendor),
                recorded=repr(device.vendor),
            ),
        )
    if identity.generation is None:
        # Signed with neither SHA-1 nor SHA-2: MD5, in the certificates known.
        return Reason.GENERATION_NOT_ALLOWED, say("signed with neither SHA-1 nor SHA-2")
    # What the catalogue knows of a model is its built-in certificate.
    allowed = device.generations if identity.own else allowed_generations(device)
    if allowed is not None and identity.generation not in allowed:
        by = "the record" if device.generations is not None else "the catalogue"
        names = ", ".join(sorted(g.label for g in allowed)) or "none"
        return (
            Reason.GENERATION_NOT_ALLOWED,
            say(
                "certificate %(label)s; allowed by %(by)s: %(names)s",
                label=identity.generation.label,
                by=by,
                names=names,
            ),
        )
    if identity.shared and not identity.own and _has_own_certificate(device):
        return Reason.SHARED_NOT_EXPECTED, say("model %(model)s", model=device.model)
    return None


def _connection(case: _Case, device: Device) -> Answer | None:
    """Whether the TLS version is older than what this phone can speak."""
    if not is_old(case.connection.version):
        return None
    model = _model(device)
    if model is None:
        return Reason.MODEL_NEEDED, nothing_known(device.model)
    return too_old(case.connection.version, model, device.firmware)


def _nameless(case: _Case, name: str | None) -> Answer | None:
    """The same where there is no record, for a file without secrets.

    The model in the file's ``name`` has to do. It proves nothing; but a model that
    speaks TLS 1.2 is not let in with less by any name. A shared certificate is let in
    only for a model that has no other.
    """
    if not is_old(case.connection.version):
        return None
    model = known_model(name)
    if model is None:
        return Reason.MODEL_NEEDED, say("the file's name says no model")
    if case.identity.mac is None and not model.shared_certificate:
        return Reason.MODEL_NEEDED, say("a shared certificate names no model")
    return too_old(case.connection.version, model, None)


def _alone(case: _Case) -> Answer:
    """The answer to a certificate that names no phone, and nothing besides it."""
    if case.identity.vendor is None:
        return Reason.NO_CERTIFICATE, say("and no second factor")
    if case.rules.blanked_for_shared:
        return Reason.SECRETS_LEFT_OUT, ""
    return Reason.SHARED_CERTIFICATE, ""


def allowed_generations(device: Device) -> frozenset[Generation] | None:
    """The certificate generations this device may use; None: any.

    The record's pin, else the catalogue's for its model: the built-in generation, and
    SHA-2 where a firmware patch can bring it. The record's firmware is not asked: it
    may lag behind the phone, and what it would forbid is the stronger generation.
    """
    if device.generations is not None:
        return device.generations
    model = _model(device)
    return None if model is None else model.generations_at(None)


_AS_SNOMS = {("snom", "gigaset"), (LAB_VENDOR, f"{LAB_PREFIX}gigaset")}


def _vendors_fit(identity: Identity, record: str) -> bool:
    # Gigaset desk phones carry certificates as Snom's (GIGASET-WIKI, M).
    return (
        not record
        or identity.vendor == record
        or (identity.vendor, record) in _AS_SNOMS
        or (identity.own and certified_maker(identity) is None)
    )


def _has_own_certificate(device: Device) -> bool:
    model = _model(device)
    return model is not None and not model.shared_certificate


def _odd_model(device: Device, resource: PhoneFile) -> str:
    """Worth saying, and no reason to refuse: a file name proves nothing."""
    asked, recorded = known_model(resource.model), _model(device)
    if asked and recorded and asked is not recorded:
        return say(
            "asked as %(asked)s, registered as %(recorded)s",
            asked=asked.name,
            recorded=recorded.name,
        )
    return ""


def _model(device: Device) -> Model | None:
    # What is known of TLS and of built-in certificates is known of Snom's models.
    return (
        known_model(device.model)
        if not device.vendor or device.vendor in SNOM
        else None
    )
