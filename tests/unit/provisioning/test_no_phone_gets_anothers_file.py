"""The promise, tried at least 100,000 times: no phone ever gets another's file.

A case is a certificate chain (real ones, good and hostile), a request target (plain,
odd or hostile), a registry, a second factor, a connection, the operator's rules, a
moment and a method. ``provisioning.service.decide`` answers, as it does in the server;
a share of the cases goes through the whole application, which has to send the same.
The judge (``verdict``) believes nothing the code under test says: each device's file
and each model's layer hold a canary, and the bytes that came out are searched for
canaries. Who may see which follows from how the case was made.
"""

import os
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import certificates
from tests.certificates import ec
from tests.memory_pending import MemoryPending

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.digest import answer, best_challenge
from linekey.mac import Mac
from linekey.provisioning.authorize import ConnectionFacts, Rules
from linekey.provisioning.brake import Attempts, Verdict, judge
from linekey.provisioning.decision import Outcome, Reason
from linekey.provisioning.device import REALM, Device, DigestCredential, hash_token
from linekey.provisioning.digest import challenges
from linekey.provisioning.document import (
    CertificateEntry,
    FunctionKey,
    Layer,
    Setting,
)
from linekey.provisioning.expired import OF_PHONES, Expired
from linekey.provisioning.files import RenderedFiles, SharedLayers
from linekey.provisioning.group import Group
from linekey.provisioning.identity import Identity, identify
from linekey.provisioning.pending import (
    Adoption,
    AdoptionRule,
    MacRange,
    Policy,
    Welcome,
)
from linekey.provisioning.resource import CertificateFile, PhoneFile
from linekey.provisioning.service import (
    Answer,
    Request,
    Site,
    decide,
)
from linekey.server.app import ProvisioningApp
from linekey.server.gate import Gate, Known
from linekey.settings import PendingSettings
from linekey.store.decisions import LogEntry
from linekey.store.registry import Authorities, Revision
from linekey.tls.versions import Version
from linekey.wire.asgi_tls import ConnectionTls

CASES = int(os.environ.get("LINEKEY_PROPERTY_CASES", "120000"))
"""At least 100,000; ``make property`` tries 1,000,000."""
THROUGH_THE_APP = 10
"""One of so many cases goes through the application too."""

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
MACS = [f"000413AABBC{n}" for n in "01234567"]
KEY = b"a key for nonces, 32 bytes long.."


def certificate(name: str) -> CertificateEntry:
    return CertificateEntry(certificates.certificate(name, ec(name)).der)


PUBLIC_URL = "https://prov.example.com"
FLEET_CANARY = b"fleet-canary-secret"
FLEET_CERTIFICATE = certificate("pbx.example.com")
FLEET = Layer(
    (
        Setting("language", "English"),
        Setting("ldap_password", "fleet-canary-secret"),
        Setting("any.directory.password", "fleet-canary-secret"),
    ),
    certificates=(FLEET_CERTIFICATE,),
)
OWN_CERTIFICATES = {mac: certificate(f"{mac}.example.com") for mac in MACS[:3]}
MODELS = [
    "D785", "D715", "320", "PA1", "unheard-of", "T46U", "VVX450", "GRP2614"
]  # fmt: skip
MAKER_OF = {MACS[3]: "yealink", MACS[4]: "poly", MACS[5]: "grandstream"}
"""Phones whose certificates other makers issued."""
WRITTEN = {"snom", *MAKER_OF.values()}
PERIODS = (
    *[NOW] * 20,
    datetime(2019, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC),
    datetime(2015, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC),
)  # fmt: skip


LONG_AGO = datetime(2018, 1, 1, tzinfo=UTC)
"""Before any of the certificates ended."""


def canary(mac: str) -> bytes:
    return f"canary-of-{mac}".encode()


def model_canary(model: str) -> bytes:
    return f"canary-of-model-{model}-".encode()


SHARED = {
    model: SharedLayers(
        FLEET,
        Layer(
            (
                Setting("admin_mode_password", model_canary(model).decode()),
                Setting("any.admin.password", model_canary(model).decode()),
            )
        ),
        (1, 1),
    )
    for model in MODELS
}
NO_MODEL = SharedLayers(FLEET, Layer(), (1, 0))
GROUPS = {
    "acme": Group("acme", policies={"expired_certificates": "registered"}, version=3),
    "beta": Group("beta", version=3, authorities={"of a CA": "that made no phone"}),
}


def group_canary(name: str) -> bytes:
    """What the files of a group's phones hold, also the common one: no secret."""
    return f"canary-of-group-{name}".encode()


def shared_of(model: str | None, group: str | None) -> SharedLayers:
    """What the store gives; the group "gone" is not there."""
    found = SHARED.get(model or "", NO_MODEL)
    if group not in GROUPS:
        return found
    word = group_canary(group).decode()
    layer = Layer((Setting("timezone", word), Setting("any.time.server", word)))
    return replace(found, group=GROUPS[group], of_group=layer)


def token_of(mac: str) -> str:
    return f"token-for-{mac}-0123456789"


def credential_of(mac: str) -> DigestCredential:
    return _CREDENTIALS[mac]


_CREDENTIALS = {m: DigestCredential.create(f"u{m}", REALM, f"p{m}") for m in MACS}
_HASHES = {m: hash_token(token_of(m)) for m in MACS}
_LAYERS = {
    m: Layer(
        (
            Setting("user_name", m, 1),
            Setting("user_pass", canary(m).decode(), 1),
            Setting("any.account.user", m, 1),
            Setting("any.account.password", canary(m).decode(), 1),
        ),
        (FunctionKey(0, "url", f"https://u:{canary(m).decode()}@pbx.example/"),),
        (OWN_CERTIFICATES[m],) if m in OWN_CERTIFICATES else (),
    )
    for m in MACS
}
_FIRMWARES = [None, *map(Firmware.parse, ("8.7.5.35", "8.9.3.60", "10.1.33.33"))]
_versions = count(1)
Registry = dict[str, Device]


def make_registry(rng: random.Random) -> Registry:
    registry = {}
    for mac in MACS:
        if rng.random() < 0.15:
            continue
        generations: frozenset[Generation] | None = None
        if rng.random() < 0.15:
            generations = frozenset({rng.choice(list(Generation))})
        registry[mac] = Device(
            Mac(mac),
            MAKER_OF[mac]
            if mac in MAKER_OF and rng.random() < 0.7
            else rng.choice(["snom"] * 6 + ["", "", "gigaset", "lab-snom", "cisco"]),
            model=rng.choice([None, None, *MODELS]),
            firmware=rng.choice(_FIRMWARES),
            state="revoked" if rng.random() < 0.1 else "active",
            generations=generations,
            group=rng.choice([None] * 20 + ["acme", "acme", "beta", "gone"]),
            token_sha256=_HASHES[mac] if rng.random() < 0.6 else None,
            token_used_at=NOW if rng.random() < 0.2 else None,
            digest=credential_of(mac) if rng.random() < 0.6 else None,
            layer=_LAYERS[mac],
            registered_at=rng.choice([None, *[LONG_AGO] * 3, NOW]),
            expired=rng.choice([None, None, *OF_PHONES]),
            waited=rng.random() < 0.2,
            version=next(_versions),
        )
    return registry


def make_rules(rng: random.Random) -> Adoption:
    """Rules that speak of some of the phones."""
    cut = rng.randint(1, len(MACS) - 1)
    parts = [("first", MACS[:cut]), ("second", MACS[cut:])]
    return Adoption(
        tuple(
            AdoptionRule(
                name, (MacRange(Mac(macs[0]), Mac(macs[-1])),),
                group=rng.choice([None, None, "acme", "beta", "gone"]),
                model=rng.choice([None, "D785", "D715"]),
                vendor=rng.choice(["", "snom", "yealink"]),
                adopts=rng.random() < 0.8,
            )
            for name, macs in parts
            if rng.random() < 0.8
        )
    )  # fmt: skip


FOLDER = b"/prov"
"""Where some phones' URLs have the files; it means nothing."""
PLAIN = [
    *["/snom{model}-{mac}.htm", "/snom{model}-{mac}.xml", "/{mac}", "/{mac}.xml", "/snom{model}.htm"] * 3,
    "/snom{model}-{mac}.htm", "/snom{model}-{mac}.htm", "/snom{model}-{mac}.xml",
    "/{mac}", "/{mac}.xml", "/{mac}.htm", "/{mac}/snom{model}.htm",
    "/{mac}/snom{model}-{mac}.htm", "/settings.xml?mac={mac}", "/?mac={mac}",
    "/snom{model}-{mac}.htm?mac={mac}", "/snom{model}.htm", "/snom.xml",
    "/snom{model}.htm?mac={mac}", "/a/b/{mac}.xml", "/index.php?mac={mac}",
    "/settings-{mac}.xml", "/{mac}.cfg", "/SEP{mac}.cnf.xml", "/cfg{mac}.xml",
    "/certificates/" + "ab" * 32 + ".der", "/certificates/{certificate}.der", "/000000000000.cfg", "/gigaset{model}.htm",
    "/{mac}.cfg", "/{mac}-user.cfg", "/{mac}-user.cfg", "/cfg{mac}.xml", "/{mac}.boot", "/cfg{mac}", "/cfg{mac}.bin",
    "/{mac}-local.cfg", "/{mac}-app.log", "/{mac}-phone.cfg", "/y000000000108.cfg", "/cfg.xml", "/cfgGRP2614.xml",
    "/y000000000000.boot", "/000000000000-license.cfg", "/{mac}.cfg?mac={mac}",
]  # fmt: skip
ODD = [
    "/{mac}/snom{model}-{other}.htm", "/{other}/snom{model}-{mac}.htm",
    "/snom{model}-{mac}.htm?mac={other}", "/{mac}?mac={other}&mac={mac}",
    "/snom{model}-{mac}-{other}.htm", "/snom{model}-{other}{mac}.htm",
    "/{mac}/../{other}.xml", "/{mac}/{other}.xml", "/{mac}.xml/../{other}.xml",
    "/x?mac={mac}&MAC={other}", "/{mac}.xml?%6dac={other}", "/{mac}.xml;mac={other}",
    "/{mac}%2f..%2f{other}.xml", "/snom{model}-{mac}.htm%00{other}", "/.{mac}.xml",
    "/snom{model}-{mac}.htm#{other}", "/{mac}%0a{other}", "/{mac}\\{other}.xml",
    "http://{other}/{mac}.xml", "//{other}/{mac}.xml", "/t/{mac}/{other}.xml",
    "/t/{token}/t/{token}/{mac}", "/T/{token}/{mac}", "/{mac}-boot.log",
    "/snomD{other}-{mac}.htm", "/snom{mac}-{other}.htm", "/y{mac}.cfg",
    "/{other}/{mac}-user.cfg", "/{mac}-user.cfg?mac={other}", "/cfg{mac}.xml?mac={other}", "/cfg{mac}{other}.xml",
    "/{mac}-{other}.cfg", "/{other}/cfg{mac}.xml", "/{mac}/{other}.cfg", "/{other}/000000000000.cfg", "/cfg{mac}.XML",
    "/{other}/x/{mac}.xml", "/x/{other}/{mac}.xml", "/{other}/snom{model}.htm?mac={mac}",
]  # fmt: skip


def mangle(rng: random.Random, target: bytes) -> bytes:
    """Damage a target a little: bytes changed, doubled, encoded, inserted, cut."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, max(len(target) - 1, 0))
        byte = target[at : at + 1]
        new = rng.choice(
            [
                b"", byte * 2, b"%%%02x" % (byte[0] if byte else 0), b"/", b"//", b"/./",
                b"/../", b"?", b"&", b"mac=", b"%2F", b"%00", b"\x00", b"\\", b".", b";",
                b"\xc0\xaf", "０".encode(), byte.swapcase(), rng.choice(MACS).encode(),
            ]
        )  # fmt: skip
        target = target[:at] + new + target[at + 1 :]
    return target


@dataclass(frozen=True)
class Case:
    certificate: str
    """Name in ``lab.made``."""
    target: bytes
    registry: Registry
    password_of: str | None
    """Whose user name and password the phone knows and sends, rightly hashed."""
    connection: ConnectionFacts
    rules: Rules
    now: datetime
    method: str
    wrong_record: str | None
    """A careless server looks this record up instead of the right one."""
    challenge_age_s: int = 1
    """Seconds since the server made the nonce that the phone answers."""
    paused: bool = False
    expired: Expired = Expired.REFUSE
    """What the operator says of certificates that have ended."""
    policy: Policy = Policy.REFUSE
    """What phones get that nobody registered."""
    rules_for_new: Adoption = Adoption()  # noqa: RUF009 - frozen
    refused: frozenset[str] = frozenset()
    """MACs that the operator refused while they were pending."""


def make_case(rng: random.Random, made, registries: list[Registry]) -> Case:
    mac, other, third = (
        rng.choice(MACS[:5] if rng.random() < 0.8 else MACS) for _ in "abc"
    )
    if made.mac is not None and rng.random() < 0.6:
        mac = made.mac
    target = (
        rng.choice(PLAIN if rng.random() < 0.75 else ODD)
        .replace("{mac}", mac.lower() if rng.random() < 0.2 else mac)
        .replace("{other}", other)
        .replace("{model}", rng.choice(["D785", "320", "D715", "", "300", "d785"]))
        .replace("{token}", token_of(third))
        .replace(
            "{certificate}",
            rng.choice(
                [FLEET_CERTIFICATE, *OWN_CERTIFICATES.values()]
            ).certificate.sha256,
        )
        .encode()
    )
    if rng.random() < 0.35:
        whose = mac if rng.random() < 0.7 else third
        target = b"/t/" + token_of(whose).encode() + target
    if rng.random() < 0.1:
        target = FOLDER + target
    if rng.random() < 0.15:
        target = mangle(rng, target)
    return Case(
        certificate=made.name,
        target=target,
        registry=rng.choice(registries),
        password_of=(mac if rng.random() < 0.7 else other)
        if rng.random() < 0.5
        else None,
        connection=ConnectionFacts(rng.choice([0x0303] * 8 + [0x0301, None])),
        rules=Rules(rng.random() < 0.6, rng.random() < 0.5),
        now=rng.choice(PERIODS),
        method=rng.choice(["GET"] * 30 + ["HEAD", "PUT", "POST"]),
        wrong_record=rng.choice(MACS) if rng.random() < 0.1 else None,
        challenge_age_s=rng.choice([1] * 9 + [400]),
        paused=rng.random() < 0.1,
        expired=rng.choice([*Expired]),
        policy=rng.choice([*Policy]),
        rules_for_new=make_rules(rng),
        refused=frozenset(m for m in MACS if rng.random() < 0.1),
    )


def authorization(case: Case) -> str | None:
    """The Authorization header that the phone sends: the phone's own code makes it."""
    if case.password_of is None:
        return None
    uri = case.target.decode("latin-1")
    made = case.now - timedelta(seconds=case.challenge_age_s)
    challenge = best_challenge(challenges(REALM, KEY, made))
    assert challenge is not None
    if not uri.isascii() or '"' in uri:
        return None
    return answer(
        challenge, username=f"u{case.password_of}", password=f"p{case.password_of}",
        method=case.method, uri=uri, nc=1, cnonce="x",
    )  # fmt: skip


def site_of(rules: Rules, rendered: RenderedFiles) -> Site:
    return Site(rules, (KEY,), PUBLIC_URL, rendered)


def serve(case: Case, identity: Identity, rendered: RenderedFiles) -> Answer:
    """Look up what the request names, as the server does, and have it decided."""
    request = Request(
        case.method, case.target, identity, case.connection, authorization(case),
        expired=case.expired,
    )  # fmt: skip
    device = case.registry.get(str(request.record_of))
    if case.wrong_record is not None:
        device = case.registry.get(case.wrong_record)
    shared = shared_of(request.model_of(device), device.group if device else None)
    site = site_of(case.rules, rendered)
    if request.is_newcomers(device, case.now):
        return serve_newcomer(case, request, shared, site)
    answer = decide(request, device, shared, site, case.now)
    if answer.guess is not None:
        braked = judged(case, answer.right)
        answer = decide(request, device, shared, site, case.now, braked)
    return answer


def serve_newcomer(
    case: Case, request: Request, shared: SharedLayers, site: Site
) -> Answer:
    """As the server does; a rule registers nobody who is registered."""
    mac, vendor = str(request.identity.mac), request.identity.vendor
    rule = case.rules_for_new.find(Mac(mac), vendor)
    group = GROUPS.get(rule.group or "") if rule else None
    welcome = Welcome(case.policy, mac in case.refused, rule, group)
    answer = decide(request, None, shared, site, case.now, welcome=welcome)
    assert answer.decision.newcomer is None or str(answer.decision.newcomer.mac) == mac
    if answer.adopts is None or mac in case.registry:
        return answer
    assert case.policy is Policy.ADOPT
    assert mac not in case.refused
    device = adopted(answer.adopts)
    case.registry[mac] = device
    try:
        shared = shared_of(request.model_of(device), device.group)
        return decide(
            request,
            device,
            shared,
            site,
            case.now,
            adopted_by=rule.name if rule else "",
        )
    finally:
        del case.registry[mac]


def adopted(device: Device) -> Device:
    """The record that a rule made, with what tells a file of this phone's."""
    return replace(device, layer=_LAYERS[str(device.mac)], version=next(_versions))


def as_it_was(case: Case, answer: Answer) -> Case:
    """The case with the registry as it is after the answer."""
    if answer.decision.reason is not Reason.ADOPTED:
        return case
    mac = answer.decision.mac
    assert mac is not None
    rule = case.rules_for_new.find(mac, answer.decision.vendor)
    assert rule is not None
    device = Device(mac, "snom", rule.model, group=rule.group, layer=_LAYERS[str(mac)])
    return replace(case, registry={**case.registry, str(mac): device})


def newcomers_verdict(case: Case, made, answer: Answer) -> str | None:
    """What is wrong with what a phone without a record got; None: nothing."""
    decision = answer.decision
    is_waiting = decision.reason is Reason.WAITING
    if decision.newcomer is None:
        return "a waiting file for nobody" if is_waiting else None
    valid = made.since <= case.now <= made.until
    if made.kind != "own" or made.mac is None or not valid:
        return f"{made.name!r} is pending, and proves no phone"
    if made.mac in case.registry and case.wrong_record is None:
        return f"{made.name!r} is pending, and registered"
    if not is_waiting:
        return None if answer.status in (401, 403) else "a refusal that is none"
    if case.policy is Policy.REFUSE or made.mac in case.refused:
        return "a waiting file that the operator did not want"
    for word in (
        b"canary",
        b"https://",
        b"BEGIN",
        b"<certificate",
        b"user_pass",
        b"language",
    ):
        if word in answer.body:
            return f"{word!r} in a waiting file"
    others = [mac for mac in MACS if mac != made.mac and mac.encode() in answer.body]
    return f"the MACs {others} in a waiting file" if others else None


def word_after_the_end(case: Case, made, owner: str) -> Expired:
    """What the operator says of this phone's ended certificate, whoever sends it."""
    device = case.registry[owner]
    word = case.expired
    if word is Expired.REFUSE:
        return word
    if device.group == "acme":
        word = Expired.REGISTERED
    word = device.expired or word
    at = device.registered_at
    if word is Expired.REGISTERED and (at is None or at > made.until):
        return Expired.REFUSE
    return Expired.REFUSE if word is Expired.NAMED else word


def judged(case: Case, right: bool) -> Verdict:
    """What the brake says: the first answer of all, or one in a pause."""
    if case.paused:
        return Verdict(read=False, paused=True, wait_s=7)
    return judge(Attempts(), right=right, now=case.now)[0]


def verdict(case: Case, made, body: bytes) -> str | None:
    """What is wrong with these bytes for this peer; None: nothing."""
    owners = [mac for mac in MACS if canary(mac) in body]
    for mac, entry in OWN_CERTIFICATES.items():
        # Nobody else learns which servers this phone is told to trust.
        if body == entry.der and not (made.kind == "own" and made.mac == mac):
            return f"{made.name!r} got a certificate of {mac}"
    for group in GROUPS:
        if group_canary(group) not in body:
            continue
        # Who proves a vendor only may have a blanked file, which names its phone.
        named = [mac for mac in MACS if mac.encode() in body]
        whose = named if made.mac is None else [made.mac]
        if len(whose) != 1 or case.registry[whose[0]].group != group:
            return f"{made.name!r} got what the group {group} has"
        if group == "beta" and made.kind != "none":
            return f"{made.name!r} got a file although its CA is not allowed"
    models = [model for model in MODELS if model_canary(model) in body]
    if any(case.registry[owner].group == "gone" for owner in owners):
        return f"{owners} got a file although their group is not there"
    if not (owners or models or FLEET_CANARY in body):
        return None
    if len(owners) != 1:
        return f"secrets of {owners or 'the fleet'} in one answer"
    owner = owners[0]
    if case.registry[owner].state != "active":
        return f"secrets of the revoked {owner}"
    if models and models != [case.registry[owner].model]:
        return f"secrets of the models {models} for {owner}"
    valid = made.since <= case.now <= made.until
    word = word_after_the_end(case, made, owner) if case.now > made.until else None
    is_its = made.kind == "own" and made.mac == owner
    if is_its and (valid or word is Expired.ACCEPT):
        return None
    late = word in (Expired.REGISTERED, Expired.ACCEPT)
    cannot_prove = (made.kind == "shared" and (valid or late)) or (is_its and late)
    if made.kind == "none" and case.rules.second_factor_without_certificate:
        cannot_prove = True
    if not cannot_prove:
        return f"{made.name!r} got secrets of {owner}"
    has_password = case.registry[owner].digest is not None
    if case.password_of == owner and has_password and not case.paused:
        return None
    fresh = case.registry[owner].token_used_at is None
    prefix = f"/t/{token_of(owner)}/".encode()
    if (
        fresh
        and case.registry[owner].token_sha256
        and case.target.removeprefix(FOLDER).startswith(prefix)
    ):
        return None
    return f"{made.name!r} got secrets of {owner} without a second factor"


@pytest.fixture(scope="session")
def identities(lab) -> dict[str, Identity]:
    return {name: identify(made.chain, lab.trust) for name, made in lab.made.items()}


@pytest.fixture(scope="session")
def names(lab) -> list[str]:
    """Own and shared ones more often, so that grants are tried as much as refusals."""
    return [
        name
        for name, made in lab.made.items()
        for _ in range({"own": 6, "shared": 12, "none": 16}.get(made.kind, 1))
        for _ in range(
            3 if made.kind in {"own", "shared"} and made.vendor in WRITTEN else 1
        )
    ]


class CaseRegistry(MemoryPending):
    """A case's registry and log, for the application."""

    def __init__(self, case: Case) -> None:
        devices = {device.mac: device for device in case.registry.values()}
        super().__init__(devices, case.rules_for_new, set(map(Mac, case.refused)))
        self.case = case
        self.lines: list[LogEntry] = []
        self.used: list[Mac] = []

    async def revision(self) -> Revision:
        return Revision(0, 0, 0)

    async def find(self, mac: Mac, at: Revision) -> Device | None:
        if self.adopted:
            return adopted(self.devices[mac])
        return self.case.registry.get(self.case.wrong_record or str(mac))

    async def layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers:
        return shared_of(model, group)

    async def authorities(self, at: Revision) -> Authorities:
        return Authorities((), (), 0)

    async def judge(
        self, mac: Mac, source: str, leaf: str | None, *, right: bool, now: datetime
    ) -> Verdict:
        return judged(self.case, right)

    # What is kept is what is there: so most cases are decided from memory.
    counters = Revision(0, 0, 0)

    def kept(self, mac: Mac, at: Revision) -> Device | None:
        return self.case.registry.get(self.case.wrong_record or str(mac))

    def kept_layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers | None:
        return shared_of(model, group)

    def kept_authorities(self, at: Revision) -> Authorities | None:
        return Authorities((), (), 0)

    async def record_if(self, entry: LogEntry, seen: Revision) -> bool:
        self.lines.append(entry)
        return True

    async def record(self, entry: LogEntry) -> None:
        self.lines.append(entry)

    async def record_using_token(
        self, entry: LogEntry, *, mac: Mac, token_sha256: str, otherwise: LogEntry
    ) -> bool:
        assert token_sha256 == self.case.registry[str(mac)].token_sha256
        self.used.append(mac)
        self.lines.append(entry)
        return True


async def through_the_app(
    case: Case, identity: Identity
) -> tuple[int, Mapping[bytes, bytes], bytes, CaseRegistry]:
    """What the application sends for a case: status, headers, body, and its log."""
    registry = CaseRegistry(case)
    gate = Gate(lambda: case.now, case.expired)
    gate.trust((), (), 0)
    app = ProvisioningApp(
        registry=registry, log=registry, rules=case.rules, gate=gate,
        brake=registry, adopter=registry, pending=PendingSettings(policy=case.policy),
        nonce_keys=lambda: (KEY,), public_url=PUBLIC_URL, clock=lambda: case.now,
    )  # fmt: skip
    version = case.connection.version
    tls = ConnectionTls(
        (), None, None if version is None else Version(version), None, None, "modern",
        None, False, Known(identity, 0),
    )  # fmt: skip
    header = authorization(case)
    raw, _, query = case.target.partition(b"?")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "method": case.method, "raw_path": raw, "query_string": query,
        "headers": [] if header is None else [(b"authorization", header.encode())],
        "client": ("192.0.2.7", 4711), "extensions": {"linekey": tls},
    }  # fmt: skip
    await app(scope, receive, send)
    start, *bodies = sent
    body = b"".join(part["body"] for part in bodies)
    return start["status"], dict(start["headers"]), body, registry


def test_no_phone_ever_gets_anothers_file(
    lab, identities, names, record_property
) -> None:
    rng = random.Random(20240501)
    registries = [make_registry(rng) for _ in range(400)]
    rendered = RenderedFiles()
    reasons: Counter[Reason] = Counter()
    of_makers: Counter[str] = Counter()
    """Files with a secret, by the maker of the phone that got it."""
    for number in range(CASES):
        case = make_case(rng, lab.made[rng.choice(names)], registries)
        found = serve(case, identities[case.certificate], rendered)
        made = lab.made[case.certificate]
        wrong = verdict(as_it_was(case, found), made, found.body)
        wrong = wrong or newcomers_verdict(case, made, found)
        assert wrong is None, f"case {number}: {wrong}: {case}"
        if found.decision.reason is Reason.WAITING:
            alone = replace(
                case, registry={}, rules_for_new=Adoption(), wrong_record=None
            )
            assert (
                serve(alone, identities[case.certificate], rendered).body == found.body
            )
        if found.otherwise is not None:
            late = verdict(case, lab.made["self-signed"], found.otherwise.body)
            assert late is None, f"case {number}: the token was used: {late}: {case}"
        reasons[found.decision.reason] += 1
        if canary(made.mac or "-") in found.body:
            of_makers[made.vendor] += 1
    granted = sum(n for r, n in reasons.items() if r.outcome is not Outcome.REFUSED)
    record_property(
        "counted",
        f"{CASES:,} generated (certificate, URL, registry) cases: no phone got "
        f"another's file ({granted:,} answered, {CASES - granted:,} refused for "
        f"{sum(r.outcome is Outcome.REFUSED for r in reasons)} different reasons)",
    )
    assert CASES >= 100_000
    # A server that refuses everybody would pass the above: all kinds of grants happen,
    # and every reason there is.
    share = CASES / 1000
    assert reasons[Reason.OWN_FILE] > 10 * share
    assert all(of_makers[maker] > share / 50 for maker in MAKER_OF.values()), of_makers
    assert reasons[Reason.TOKEN_ACCEPTED] > share
    assert reasons[Reason.DIGEST_ACCEPTED] > share
    assert reasons[Reason.SECRETS_LEFT_OUT] > share
    assert reasons[Reason.COMMON_FILE] > 5 * share
    assert reasons[Reason.WAITING] > share
    assert reasons[Reason.ADOPTED] > share / 2
    assert set(Reason) == reasons.keys()


async def test_the_application_sends_what_was_decided_and_records_it(
    lab, identities, names
) -> None:
    rng = random.Random(20240502)
    registries = [make_registry(rng) for _ in range(100)]
    used = 0
    for number in range(CASES // THROUGH_THE_APP):
        case = make_case(rng, lab.made[rng.choice(names)], registries)
        if case.target.endswith(b"?"):
            continue  # ASGI cannot tell it from the target without the question mark
        identity = identities[case.certificate]
        found = serve(case, identity, RenderedFiles())
        status, headers, body, registry = await through_the_app(case, identity)
        after = as_it_was(case, found)
        assert verdict(after, lab.made[case.certificate], body) is None, case
        assert (found.decision.reason is Reason.ADOPTED) == bool(registry.adopted)
        expected = b"" if case.method == "HEAD" else found.body
        assert (status, body) == (found.status, expected), f"case {number}: {case}"
        assert dict(found.headers).items() <= headers.items()
        assert headers[b"content-type"] == found.content_type
        (line,) = registry.lines
        assert (line.reason, line.outcome, line.status) == (
            found.decision.reason, found.decision.outcome, found.status
        )  # fmt: skip
        assert bool(registry.used) is found.decision.consumes_token
        used += len(registry.used)
    assert used > 5


def test_who_proves_no_phone_learns_nothing_of_the_registry(
    lab, identities, names
) -> None:
    """What a stranger hears of a phone's file is the same whatever is registered."""
    rng = random.Random(20240503)
    registries = [make_registry(rng) for _ in range(100)]
    seen = 0
    for _ in range(CASES // 8):
        case = make_case(rng, lab.made[rng.choice(names)], registries)
        identity = identities[case.certificate]
        if identity.mac is not None:
            continue
        case = replace(case, wrong_record=None)
        found = serve(case, identity, RenderedFiles())
        if found.status == 200:
            continue
        request = Request(case.method, case.target, identity, case.connection)
        if not isinstance(request.resource, PhoneFile | CertificateFile):
            continue
        proved = found.decision.reason in {Reason.NO_RENDERER, Reason.NOTHING_THERE}
        if proved and isinstance(request.resource, PhoneFile):
            continue  # told after the second factor was right
        empty = serve(replace(case, registry={}), identity, RenderedFiles())
        told = (found.status, found.body, found.headers)
        assert told == (empty.status, empty.body, empty.headers), case
        seen += 1
    assert seen > CASES // 80


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rng=st.randoms(use_true_random=False))
def test_the_same_with_cases_that_shrink(
    lab, identities, names, rng: random.Random
) -> None:
    case = make_case(rng, lab.made[rng.choice(names)], [make_registry(rng)])
    found = serve(case, identities[case.certificate], RenderedFiles())
    made = lab.made[case.certificate]
    assert verdict(as_it_was(case, found), made, found.body) is None
    assert newcomers_verdict(case, made, found) is None


@given(target=st.binary(max_size=80) | st.text(max_size=60).map(str.encode))
def test_no_target_whatever_opens_another_phones_file(lab, identities, target) -> None:
    registry = {
        mac: Device(Mac(mac), "snom", layer=_LAYERS[mac], token_sha256=_HASHES[mac])
        for mac in MACS
    }
    for name in ("a", "snom common", "no certificate"):
        for suffix in (b"", b"-" + MACS[1].encode() + b".htm"):
            case = Case(
                name, b"/" + target + suffix, registry, None, ConnectionFacts(0x0303),
                Rules(True, True), NOW, "GET", None,
            )  # fmt: skip
            found = serve(case, identities[name], RenderedFiles())
            assert verdict(case, lab.made[name], found.body) is None


@pytest.mark.parametrize("who", ["a", "b"])
def test_the_judge_sees_a_leak(lab, who: str) -> None:
    """The judge itself is tried: another phone's bytes are found out."""
    registry = {mac: Device(Mac(mac), "snom") for mac in MACS}
    case = Case(
        who, b"/", registry, None, ConnectionFacts(0x0303), Rules(), NOW, "GET", None
    )
    made = lab.made[who]
    other = next(m for m in MACS if m != made.mac)
    assert verdict(case, made, canary(made.mac)) is None
    assert verdict(case, made, canary(other))
    assert verdict(case, made, canary(made.mac) + canary(other))
    assert verdict(case, made, FLEET_CANARY)
    assert verdict(replace(case, now=datetime(2040, 1, 1, tzinfo=UTC)), made,
                   canary(made.mac))  # fmt: skip
    for name in ("snom common", "no certificate", "self-signed", "leaf as issuer"):
        assert verdict(replace(case, certificate=name), lab.made[name], canary(other))
