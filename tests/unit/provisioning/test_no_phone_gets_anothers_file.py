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
from linekey.provisioning.identity import Identity, identify
from linekey.provisioning.resource import CertificateFile, PhoneFile
from linekey.provisioning.service import (
    Answer,
    RenderedFiles,
    Request,
    SharedLayers,
    Site,
    decide,
)
from linekey.server.app import ProvisioningApp
from linekey.server.gate import Gate, Known
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
    (Setting("language", "English"), Setting("ldap_password", "fleet-canary-secret")),
    certificates=(FLEET_CERTIFICATE,),
)
OWN_CERTIFICATES = {mac: certificate(f"{mac}.example.com") for mac in MACS[:3]}
MODELS = ["D785", "D715", "320", "PA1", "unheard-of"]
PERIODS = (
    *[NOW] * 20,
    datetime(2019, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC),
    datetime(2015, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC),
)  # fmt: skip


def canary(mac: str) -> bytes:
    return f"canary-of-{mac}".encode()


def model_canary(model: str) -> bytes:
    return f"canary-of-model-{model}-".encode()


SHARED = {
    model: SharedLayers(
        FLEET,
        Layer((Setting("admin_mode_password", model_canary(model).decode()),)),
        (1, 1),
    )
    for model in MODELS
}
NO_MODEL = SharedLayers(FLEET, Layer(), (1, 0))


def token_of(mac: str) -> str:
    return f"token-for-{mac}-0123456789"


def credential_of(mac: str) -> DigestCredential:
    return _CREDENTIALS[mac]


_CREDENTIALS = {m: DigestCredential.create(f"u{m}", REALM, f"p{m}") for m in MACS}
_HASHES = {m: hash_token(token_of(m)) for m in MACS}
_LAYERS = {
    m: Layer(
        (Setting("user_name", m, 1), Setting("user_pass", canary(m).decode(), 1)),
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
            rng.choice(["snom"] * 6 + ["", "", "gigaset", "lab-snom", "cisco"]),
            model=rng.choice([None, None, *MODELS]),
            firmware=rng.choice(_FIRMWARES),
            state="revoked" if rng.random() < 0.1 else "active",
            generations=generations,
            token_sha256=_HASHES[mac] if rng.random() < 0.6 else None,
            token_used_at=NOW if rng.random() < 0.2 else None,
            digest=credential_of(mac) if rng.random() < 0.6 else None,
            layer=_LAYERS[mac],
            version=next(_versions),
        )
    return registry


FOLDER = b"/prov"
"""Where some phones' URLs have the files; it means nothing."""
PLAIN = [
    "/snom{model}-{mac}.htm", "/snom{model}-{mac}.htm", "/snom{model}-{mac}.xml",
    "/{mac}", "/{mac}.xml", "/{mac}.htm", "/{mac}/snom{model}.htm",
    "/{mac}/snom{model}-{mac}.htm", "/settings.xml?mac={mac}", "/?mac={mac}",
    "/snom{model}-{mac}.htm?mac={mac}", "/snom{model}.htm", "/snom.xml",
    "/snom{model}.htm?mac={mac}", "/a/b/{mac}.xml", "/index.php?mac={mac}",
    "/settings-{mac}.xml", "/{mac}.cfg", "/SEP{mac}.cnf.xml", "/cfg{mac}.xml",
    "/certificates/" + "ab" * 32 + ".der", "/certificates/{certificate}.der", "/000000000000.cfg", "/gigaset{model}.htm",
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
    paused: bool = False
    """Seconds since the server made the nonce that the phone answers."""


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
        case.method, case.target, identity, case.connection, authorization(case)
    )
    device = case.registry.get(str(request.record_of))
    if case.wrong_record is not None:
        device = case.registry.get(case.wrong_record)
    shared = SHARED.get(request.model_of(device) or "", NO_MODEL)
    site = site_of(case.rules, rendered)
    answer = decide(request, device, shared, site, case.now)
    if answer.guess is not None:
        braked = judged(case, answer.right)
        answer = decide(request, device, shared, site, case.now, braked)
    return answer


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
    models = [model for model in MODELS if model_canary(model) in body]
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
    if made.kind == "own" and made.mac == owner and valid:
        return None
    cannot_prove = made.kind == "shared" and valid
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
        for _ in range({"own": 6, "shared": 8, "none": 16}.get(made.kind, 1))
        for _ in range(
            3 if made.kind in {"own", "shared"} and made.vendor == "snom" else 1
        )
    ]


class CaseRegistry:
    """A case's registry and log, for the application."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.lines: list[LogEntry] = []
        self.used: list[Mac] = []

    async def revision(self) -> Revision:
        return Revision(0, 0, 0)

    async def find(self, mac: Mac, at: Revision) -> Device | None:
        return self.case.registry.get(self.case.wrong_record or str(mac))

    async def layers(self, model: str | None, at: Revision) -> SharedLayers:
        return SHARED.get(model or "", NO_MODEL)

    async def authorities(self, at: Revision) -> Authorities:
        return Authorities((), (), 0)

    async def judge(
        self, mac: Mac, source: str, leaf: str | None, *, right: bool, now: datetime
    ) -> Verdict:
        return judged(self.case, right)

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
    app = ProvisioningApp(
        registry=registry, log=registry, gate=Gate(lambda: case.now), rules=case.rules,
        brake=registry, nonce_keys=lambda: (KEY,), public_url=PUBLIC_URL, clock=lambda: case.now,
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
    for number in range(CASES):
        case = make_case(rng, lab.made[rng.choice(names)], registries)
        found = serve(case, identities[case.certificate], rendered)
        wrong = verdict(case, lab.made[case.certificate], found.body)
        assert wrong is None, f"case {number}: {wrong}: {case}"
        if found.otherwise is not None:
            late = verdict(case, lab.made["self-signed"], found.otherwise.body)
            assert late is None, f"case {number}: the token was used: {late}: {case}"
        reasons[found.decision.reason] += 1
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
    assert reasons[Reason.TOKEN_ACCEPTED] > share
    assert reasons[Reason.DIGEST_ACCEPTED] > share
    assert reasons[Reason.SECRETS_LEFT_OUT] > share
    assert reasons[Reason.COMMON_FILE] > 5 * share
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
        assert verdict(case, lab.made[case.certificate], body) is None, case
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
    assert verdict(case, lab.made[case.certificate], found.body) is None


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
