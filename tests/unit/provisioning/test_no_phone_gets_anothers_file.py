"""The promise, tried at least 100,000 times: no phone ever gets another's file.

A case is a certificate chain (real ones, good and hostile), a request target (plain,
odd or hostile), a registry, a second factor, a connection, the operator's rules, a
moment and a method. ``serve`` does what a server does with them: look the record up,
decide, render. The judge (``verdict``) believes nothing the code under test says: each
device's file holds a canary, and the bytes that came out are searched for canaries.
Who may see which follows from how the case was made.
"""

import os
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.digest import answer, best_challenge
from linekey.mac import Mac
from linekey.provisioning.authorize import (
    ConnectionFacts,
    Rules,
    SecondFactor,
    authorize,
    record_key,
)
from linekey.provisioning.decision import Decision, Outcome, Reason
from linekey.provisioning.device import Device, DigestCredential, hash_token
from linekey.provisioning.digest import DigestResult, challenges, verify
from linekey.provisioning.document import FunctionKey, Layer, Setting, merge
from linekey.provisioning.identity import Identity, identify
from linekey.provisioning.render import render
from linekey.provisioning.resource import PhoneFile, parse_target

CASES = int(os.environ.get("LINEKEY_PROPERTY_CASES", "120000"))
"""At least 100,000 (issue: shown by)."""

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
MACS = [f"000413AABBC{n}" for n in "01234567"]
KEY = b"a key for nonces, 32 bytes long.."
FLEET_CANARY, MODEL_CANARY = b"fleet-canary-secret", b"model-canary-secret"
FLEET = Layer(
    (Setting("language", "English"), Setting("ldap_password", "fleet-canary-secret"))
)
MODEL = Layer((Setting("admin_mode_password", "model-canary-secret"),))
PERIODS = (
    *[NOW] * 20,
    datetime(2019, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC),
    datetime(2015, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC),
)  # fmt: skip


def canary(mac: str) -> bytes:
    return f"canary-of-{mac}".encode()


def token_of(mac: str) -> str:
    return f"token-for-{mac}-0123456789"


def credential_of(mac: str) -> DigestCredential:
    return _CREDENTIALS[mac]


_CREDENTIALS = {m: DigestCredential.create(f"u{m}", "linekey", f"p{m}") for m in MACS}
_HASHES = {m: hash_token(token_of(m)) for m in MACS}
_LAYERS = {
    m: Layer(
        (Setting("user_name", m, 1), Setting("user_pass", canary(m).decode(), 1)),
        (FunctionKey(0, "url", f"https://u:{canary(m).decode()}@pbx.example/"),),
    )
    for m in MACS
}
_FIRMWARES = [None, *map(Firmware.parse, ("8.7.5.35", "8.9.3.60", "10.1.33.33"))]
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
            model=rng.choice([None, None, "D785", "D715", "320", "PA1", "unheard-of"]),
            firmware=rng.choice(_FIRMWARES),
            state="revoked" if rng.random() < 0.1 else "active",
            generations=generations,
            token_sha256=_HASHES[mac] if rng.random() < 0.6 else None,
            token_used_at=NOW if rng.random() < 0.2 else None,
            digest=credential_of(mac) if rng.random() < 0.6 else None,
            layer=_LAYERS[mac],
        )
    return registry


PLAIN = [
    "/snom{model}-{mac}.htm", "/snom{model}-{mac}.htm", "/snom{model}-{mac}.xml",
    "/{mac}", "/{mac}.xml", "/{mac}.htm", "/{mac}/snom{model}.htm",
    "/{mac}/snom{model}-{mac}.htm", "/settings.xml?mac={mac}", "/?mac={mac}",
    "/snom{model}-{mac}.htm?mac={mac}", "/snom{model}.htm", "/snom.xml",
    "/settings-{mac}.xml", "/{mac}.cfg", "/SEP{mac}.cnf.xml", "/cfg{mac}.xml",
    "/certificates/" + "ab" * 32 + ".der", "/000000000000.cfg", "/gigaset{model}.htm",
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
        .encode()
    )
    if rng.random() < 0.35:
        whose = mac if rng.random() < 0.7 else third
        target = b"/t/" + token_of(whose).encode() + target
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
    )


def digest_result(case: Case, device: Device | None) -> DigestResult | None:
    """What the web layer does with the Authorization header that the phone sends."""
    if case.password_of is None or device is None or device.digest is None:
        return None
    uri = case.target.decode("latin-1")
    challenge = best_challenge(challenges("linekey", KEY, case.now))
    assert challenge is not None
    if not uri.isascii() or '"' in uri:
        return None
    header = answer(
        challenge, username=f"u{case.password_of}", password=f"p{case.password_of}",
        method=case.method, uri=uri, nc=1, cnonce="x",
    )  # fmt: skip
    return verify(
        header, method=case.method, target=uri, credential=device.digest, key=KEY,
        now=case.now + timedelta(seconds=1),
    )  # fmt: skip


def serve(case: Case, identity: Identity) -> tuple[Decision, bytes]:
    """What a server does: find the record, decide, render. Empty bytes: refused."""
    resource = parse_target(case.target)
    wanted = record_key(identity, resource)
    device = case.registry.get(str(wanted)) if wanted else None
    result = digest_result(case, device)
    if case.wrong_record is not None:
        device = case.registry.get(case.wrong_record)
    decision = authorize(
        identity, resource, device, case.connection,
        SecondFactor(result) if result else None, case.rules, case.now,
        method=case.method,
    )  # fmt: skip
    if decision.outcome is Outcome.REFUSED:
        return decision, b""
    own = device.layer if isinstance(resource, PhoneFile) and device else Layer()
    body = render(
        merge(FLEET, MODEL, own),
        firmware=device.firmware if device else None,
        mac=decision.target_mac,
        model=device.model if device else None,
        blank_secrets=decision.blank_secrets,
        certificate_url=lambda c: c.sha256,
    )
    return decision, body


def verdict(case: Case, made, body: bytes) -> str | None:
    """What is wrong with these bytes for this peer; None: nothing."""
    owners = [mac for mac in MACS if canary(mac) in body]
    secrets = owners or FLEET_CANARY in body or MODEL_CANARY in body
    if not secrets:
        return None
    if len(owners) != 1:
        return f"secrets of {owners or 'the fleet'} in one answer"
    owner = owners[0]
    if case.registry[owner].state != "active":
        return f"secrets of the revoked {owner}"
    valid = made.since <= case.now <= made.until
    if made.kind == "own" and made.mac == owner and valid:
        return None
    cannot_prove = made.kind == "shared" and valid
    if made.kind == "none" and case.rules.second_factor_without_certificate:
        cannot_prove = True
    if not cannot_prove:
        return f"{made.name!r} got secrets of {owner}"
    if case.password_of == owner and case.registry[owner].digest is not None:
        return None
    fresh = case.registry[owner].token_used_at is None
    prefix = f"/t/{token_of(owner)}/".encode()
    if fresh and case.registry[owner].token_sha256 and case.target.startswith(prefix):
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


def test_no_phone_ever_gets_anothers_file(
    lab, identities, names, record_property
) -> None:
    rng = random.Random(20240501)
    registries = [make_registry(rng) for _ in range(400)]
    reasons: Counter[Reason] = Counter()
    for number in range(CASES):
        case = make_case(rng, lab.made[rng.choice(names)], registries)
        decision, body = serve(case, identities[case.certificate])
        wrong = verdict(case, lab.made[case.certificate], body)
        assert wrong is None, f"case {number}: {wrong}: {case}"
        reasons[decision.reason] += 1
    granted = sum(n for r, n in reasons.items() if r.outcome is not Outcome.REFUSED)
    record_property(
        "counted",
        f"{CASES:,} generated (certificate, URL, registry) cases: no phone got "
        f"another's file ({granted:,} answered, {CASES - granted:,} refused for "
        f"{sum(r.outcome is Outcome.REFUSED for r in reasons)} different reasons)",
    )
    assert CASES >= 100_000
    # A server that refuses everybody would pass the above: all kinds of grants happen,
    # and every reason there is (a stale nonce is not made here).
    share = CASES / 1000
    assert reasons[Reason.OWN_FILE] > 10 * share
    assert reasons[Reason.TOKEN_ACCEPTED] > share
    assert reasons[Reason.DIGEST_ACCEPTED] > share
    assert reasons[Reason.SECRETS_LEFT_OUT] > share
    assert reasons[Reason.COMMON_FILE] > 5 * share
    assert set(Reason) - reasons.keys() <= {Reason.DIGEST_STALE}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rng=st.randoms(use_true_random=False))
def test_the_same_with_cases_that_shrink(
    lab, identities, names, rng: random.Random
) -> None:
    case = make_case(rng, lab.made[rng.choice(names)], [make_registry(rng)])
    _, body = serve(case, identities[case.certificate])
    assert verdict(case, lab.made[case.certificate], body) is None


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
            _, body = serve(case, identities[name])
            assert verdict(case, lab.made[name], body) is None


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
