"""The whole answer: what a refusal tells, what a token does, what is kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests import certificates

from linekey.catalog.models import Generation
from linekey.digest import answer as respond
from linekey.digest import best_challenge
from linekey.mac import Mac
from linekey.provisioning import files as files_kept
from linekey.provisioning.authorize import ConnectionFacts, Rules
from linekey.provisioning.decision import Outcome, Reason
from linekey.provisioning.device import REALM, Device, DigestCredential, hash_token
from linekey.provisioning.digest import challenges
from linekey.provisioning.document import (
    CertificateEntry,
    FunctionKey,
    Layer,
    Mark,
    Setting,
)
from linekey.provisioning.expired import Expired
from linekey.provisioning.files import RenderedFiles, SharedLayers
from linekey.provisioning.group import Group
from linekey.provisioning.identity import NO_IDENTITY, Identity
from linekey.provisioning.render import Rendered
from linekey.provisioning.service import (
    Answer,
    Request,
    Site,
    decide,
    public_refusal,
)
from linekey.trust.anchors import NO_ANCHORS, Anchors

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
A, B = Mac("000413AABBC0"), Mac("000413AABBC1")
TOKEN = "q3Zt-8uYb_20CharsLong"
KEY = b"a key for nonces, 32 bytes long.."
OWN = Identity(
    vendor="snom",
    mac=A,
    generation=Generation.SHA256,
    leaf_sha256="ab" * 32,
    not_before=NOW - timedelta(days=1),
    not_after=NOW + timedelta(days=1),
)
COMMON = replace(OWN, mac=None, shared=True, generation=Generation.SHA1)
LAYER = Layer((Setting("user_pass", "geheim", 1),))
DEVICE = Device(A, "snom", model="D785", layer=LAYER)
OLD_DEVICE = replace(DEVICE, model="320")
SHARED = SharedLayers(Layer(), Layer(), (0, 0))
EXPIRED = replace(OWN, mac=None, shared=True, not_after=NOW - timedelta(hours=1))


def ask(
    target: str = f"/snomD785-{A}.htm",
    identity: Identity = OWN,
    device: Device | None = DEVICE,
    *,
    method: str = "GET",
    rules: Rules = Rules(),  # noqa: B008 - frozen
    site: Site | None = None,
    expired: Expired = Expired.REFUSE,
    authorization: str | None = None,
) -> Answer:
    request = Request(
        method, target.encode(), identity, ConnectionFacts(0x0303), authorization,
        expired=expired,
    )  # fmt: skip
    site = site or Site(rules, (KEY,), "https://prov.example.com")
    return decide(request, device, SHARED, site, NOW)


def test_a_grant_is_the_file_and_needs_nothing_more() -> None:
    answer = ask()
    assert (answer.status, answer.otherwise, answer.headers) == (200, None, ())
    assert b"geheim" in answer.body
    assert "geheim" not in repr(answer)


@pytest.mark.parametrize(
    "device",
    [
        None,
        OLD_DEVICE,
        replace(OLD_DEVICE, state="revoked", revoked_reason="stolen"),
        replace(OLD_DEVICE, vendor="yealink"),
        DEVICE,
        replace(OLD_DEVICE, token_sha256=hash_token(TOKEN)),
        replace(OLD_DEVICE, token_sha256=hash_token("x" * 20), token_used_at=NOW),
        replace(OLD_DEVICE, digest=DigestCredential.create("u", REALM, "p")),
        replace(OLD_DEVICE, generations=frozenset()),
    ],
)
@pytest.mark.parametrize("identity", [COMMON, NO_IDENTITY])
@pytest.mark.parametrize("path", [f"/snom320-{A}.htm", f"/t/{'y' * 20}/{A}.htm"])
def test_a_stranger_hears_the_same_whatever_is_registered(
    device: Device | None, identity: Identity, path: str
) -> None:
    rules = Rules(second_factor_without_certificate=True)
    answer = ask(path, identity, device, rules=rules)
    nobody = ask(path, identity, None, rules=rules)
    assert answer.status == 401
    assert (answer.body, answer.headers) == (nobody.body, nobody.headers)
    assert [name for name, _ in answer.headers] == [b"www-authenticate"] * 2


def test_who_proves_a_phone_is_told_its_reason() -> None:
    assert Reason.UNKNOWN_PHONE.sentence.encode() in ask(device=None).body
    revoked = ask(device=replace(DEVICE, state="revoked"))
    assert Reason.REVOKED.sentence.encode() in revoked.body
    assert revoked.status == 403


def test_what_the_certificate_alone_says_is_told_to_anybody() -> None:
    answer = ask(f"/snom320-{A}.htm", EXPIRED, OLD_DEVICE)
    assert answer.decision.reason is Reason.EXPIRED
    assert answer.body.endswith(b"reason: expired\n")


@pytest.mark.parametrize("reason", [r for r in Reason if r.outcome is Outcome.REFUSED])
def test_every_refusal_has_words_for_the_phone(reason: Reason) -> None:
    decision = replace(ask(device=None).decision, reason=reason)
    request = Request("GET", f"/{A}".encode(), OWN, ConnectionFacts(None))
    status, text = public_refusal(decision, request.resource, weak=False)
    assert (status, text) == (
        reason.status, f"{reason.sentence}\nreason: {reason.value}\n"
    )  # fmt: skip


ENDED = replace(OWN, not_after=NOW - timedelta(hours=1))
IN_TIME = replace(DEVICE, registered_at=NOW - timedelta(days=1))
USER = DigestCredential.create("u", REALM, "p")


@pytest.mark.parametrize("expired", [Expired.NAMED, Expired.REGISTERED, Expired.ACCEPT])
@pytest.mark.parametrize(
    "device",
    [
        None,
        replace(IN_TIME, expired=Expired.REFUSE),
        replace(IN_TIME, expired=Expired.REGISTERED),
        replace(IN_TIME, expired=Expired.REGISTERED, digest=USER),
        replace(IN_TIME, state="revoked"),
        replace(IN_TIME, registered_at=NOW, expired=Expired.REGISTERED),
    ],
)
def test_with_an_ended_certificate_one_hears_the_same_whatever_is_registered(
    device: Device | None, expired: Expired
) -> None:
    answer = ask(identity=ENDED, device=device, expired=expired)
    nobody = ask(identity=ENDED, device=None, expired=expired)
    assert answer.status == 401
    assert (answer.body, answer.headers) == (nobody.body, nobody.headers)


def test_an_ended_certificate_and_the_phones_password_open_its_file() -> None:
    device = replace(IN_TIME, digest=USER)
    target = f"/snomD785-{A}.htm"
    (challenge,) = {best_challenge(challenges(REALM, KEY, NOW))}
    assert challenge is not None
    for password, reason in (
        ("p", Reason.DIGEST_ACCEPTED), ("q", Reason.DIGEST_WRONG)
    ):  # fmt: skip
        header = respond(
            challenge, username="u", password=password, method="GET", uri=target, nc=1,
            cnonce="x",
        )  # fmt: skip
        answer = ask(
            target, ENDED, device, expired=Expired.REGISTERED, authorization=header
        )
        assert answer.decision.reason is reason
        assert (answer.guess, answer.right) == (A, password == "p")
        assert (b"geheim" in answer.body) is (password == "p")
    # Not another phone's, whose password it may know.
    other = ask(
        f"/snomD785-{B}.htm", ENDED, replace(device, mac=B),
        expired=Expired.REGISTERED, authorization=header,
    )  # fmt: skip
    assert (other.decision.reason, other.guess) == (Reason.OTHER_PHONES_FILE, None)


def test_a_method_that_is_not_for_reading_is_told_which_are() -> None:
    assert ask(method="POST").headers == ((b"allow", b"GET, HEAD"),)


def test_a_used_up_token_brings_the_answer_for_who_comes_too_late() -> None:
    device = replace(OLD_DEVICE, token_sha256=hash_token(TOKEN))
    answer = ask(f"/t/{TOKEN}/snom320-{A}.htm", COMMON, device)
    assert answer.decision.consumes_token
    late = answer.otherwise
    assert late is not None
    assert (late.decision.reason, late.status) == (Reason.TOKEN_USED, 401)
    assert not late.decision.consumes_token
    assert b"geheim" in answer.body
    assert b"geheim" not in late.body
    head = ask(f"/t/{TOKEN}/snom320-{A}.htm", COMMON, device, method="HEAD")
    assert head.otherwise is None


@pytest.mark.parametrize(
    ("target", "identity"),
    [
        (f"/snomD785-{A}.htm", OWN),
        ("/snomD785.htm", OWN),
        (f"/snom320-{A}.htm", COMMON),
        (f"/t/{TOKEN}/snom320.htm", NO_IDENTITY),
        (f"/certificates/{'ab' * 32}.der", OWN),
    ],
)
def test_a_record_of_somebody_else_counts_as_none(
    target: str, identity: Identity
) -> None:
    rules = Rules(blanked_for_shared=True, second_factor_without_certificate=True)
    other = replace(OLD_DEVICE, mac=B, token_sha256=hash_token(TOKEN))
    mistaken = ask(target, identity, other, rules=rules)
    assert mistaken == ask(target, identity, None, rules=rules)


def entry(name: str) -> CertificateEntry:
    return CertificateEntry(certificates.certificate(name, certificates.ec(name)).der)


OWNS, FLEETS, GROUPS = (entry(f"{name}.test") for name in ("own", "fleet", "group"))


def fetch(
    held: CertificateEntry,
    identity: Identity,
    device: Device | None,
    *,
    of: Mac | None = A,
    anchors: Anchors = NO_ANCHORS,
) -> Answer:
    """Ask for a certificate: with the phone's MAC in the path, or without."""
    folder = "" if of is None else f"/{of.digits.lower()}"
    target = f"{folder}/certificates/{held.certificate.sha256}.der"
    request = Request("GET", target.encode(), identity, ConnectionFacts(0x0303))
    shared = SharedLayers(
        Layer(certificates=(FLEETS,)),
        Layer(),
        (0, 0),
        Group("acme"),
        Layer(certificates=(GROUPS,)),
    )
    site = Site(Rules(), (KEY,), "https://prov.example.com", anchors=anchors)
    if device is not None and request.record_of != device.mac:
        device = None  # as whoever looks it up finds nobody
    return decide(request, device, shared, site, NOW)


HELD = replace(DEVICE, group="acme", layer=Layer(certificates=(OWNS,)))


@pytest.mark.parametrize("held", [OWNS, FLEETS, GROUPS])
def test_a_phone_with_a_shared_certificate_gets_the_cas_of_its_own_layers(
    held: CertificateEntry,
) -> None:
    answer = fetch(held, COMMON, HELD)
    assert (answer.status, answer.body) == (200, held.der)
    assert answer.decision.target_mac == A
    for identity in (COMMON, OWN):
        assert fetch(FLEETS, identity, HELD, of=None).status == 200
    assert fetch(held, OWN, HELD).status == 200


@pytest.mark.parametrize("held", [OWNS, GROUPS])
def test_a_fingerprint_opens_nothing_where_the_phone_is_not_named(
    held: CertificateEntry,
) -> None:
    nobody = fetch(held, COMMON, None)
    assert nobody.status == 404
    for device in (None, replace(HELD, mac=B), replace(HELD, state="revoked")):
        answer = fetch(held, COMMON, device)
        # whoever asks hears the same, whether the phone is registered or not
        assert (answer.status, answer.body) == (404, nobody.body)
    assert fetch(held, COMMON, HELD, of=None).status == 404


def test_another_phones_certificates_are_refused_to_who_proves_to_be_one() -> None:
    answer = fetch(OWNS, OWN, HELD, of=B)
    assert answer.decision.reason is Reason.OTHER_PHONES_FILE
    assert fetch(OWNS, NO_IDENTITY, HELD).decision.reason is Reason.NO_CERTIFICATE


def test_the_root_of_the_servers_chain_is_fetched_by_any_proved_phone() -> None:
    root = entry("root.test")
    anchors = Anchors(private=(root.certificate,))
    for identity in (OWN, COMMON):
        answer = fetch(root, identity, HELD, of=None, anchors=anchors)
        assert (answer.status, answer.body) == (200, root.der)
        assert fetch(root, identity, HELD, of=None).status == 404


def test_a_renewed_root_makes_the_file_anew() -> None:
    device = replace(DEVICE, vendor="yealink", model="T46U")
    identity = replace(OWN, vendor="yealink")
    site = Site(Rules(), (KEY,), "https://prov.example.com")
    bodies = []
    for name in ("first root", "second root"):
        root = entry(name).certificate
        now = replace(site, anchors=Anchors(private=(root,)))
        for _ in range(2):
            body = ask(f"/{A.digits.lower()}.cfg", identity, device, site=now).body
            assert root.sha256.encode() in body
        bodies.append(body)
    assert bodies[0] != bodies[1]


def test_a_strangers_model_names_are_not_looked_up() -> None:
    def wanted(target: str, identity: Identity, device: Device | None) -> str | None:
        request = Request("GET", target.encode(), identity, ConnectionFacts(None))
        return request.model_of(device)

    assert wanted("/snomD785.htm", OWN, DEVICE) == "D785"
    assert wanted("/snomD785.htm", NO_IDENTITY, None) is None
    assert wanted(f"/snom320-{A}.htm", OWN, DEVICE) == "D785"
    assert wanted(f"/snom320-{A}.htm", COMMON, None) is None


def test_a_file_is_rendered_once_and_again_when_its_device_changed() -> None:
    site = Site(Rules(), (KEY,), "https://prov.example.com")
    bad = replace(LAYER, unreadable=("setting 3: not text",))
    device = replace(DEVICE, layer=bad)
    assert ask(device=device, site=site).left_out == bad.unreadable
    assert ask(device=device, site=site).left_out == ()
    assert ask(device=replace(device, version=9), site=site).left_out == bad.unreadable


def test_kept_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_kept, "MAX_RENDERED", 3)
    monkeypatch.setattr(files_kept, "MAX_RENDERED_BYTES", 25)
    files, made = RenderedFiles(), []

    def get(key: int) -> None:
        def make() -> Rendered:
            made.append(key)
            return Rendered(b"x" * 10)

        files.get((key,), make)

    for key in (1, 2, 1, 3, 1, 2):
        get(key)
    assert made == [1, 2, 3, 2]


def test_a_file_for_more_than_one_phone_holds_no_secret_and_nothing_unknown() -> None:
    layer = Layer(
        (
            Setting("language", "English"),
            Setting("phone_name", "canary-1", mark=Mark.SECRET),
            Setting("snmp_community", "canary-2"),
            Setting("site_code", "canary-3"),
            Setting("site_note", "let-in", mark=Mark.PUBLIC),
            Setting("setting_server", "https://h/#token=canary-4"),
        ),
        (FunctionKey(0, "url", "https://u:canary-5@h/"), FunctionKey(1, "line")),
    )
    shared = SharedLayers(layer, layer, (1, 1))
    rules = Rules(blanked_for_shared=True)
    site = Site(rules, KEY, "https://prov.example.com")
    old = replace(OLD_DEVICE, layer=layer)
    for target, identity, device in (
        ("/snom.htm", OWN, DEVICE),
        ("/snomD785.htm", OWN, DEVICE),
        ("/snom320.htm", COMMON, None),
        (f"/snom320-{A}.htm", COMMON, old),
    ):
        request = Request("GET", target.encode(), identity, ConnectionFacts(0x0303))
        answer = decide(request, device, shared, site, NOW)
        assert answer.status == 200, target
        assert b"canary" not in answer.body, target
        assert b"English" in answer.body
        assert b"let-in" in answer.body
    own = decide(
        Request("GET", f"/{A}".encode(), OWN, ConnectionFacts(0x0303)),
        replace(DEVICE, layer=layer), shared, site, NOW,
    )  # fmt: skip
    assert all(b"canary-%d" % n in own.body for n in range(1, 6))
