"""Each reason by itself, and the order in which they are asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.digest import answer, best_challenge
from linekey.mac import Mac
from linekey.provisioning.authorize import (
    ConnectionFacts,
    Rules,
    authorize,
    record_key,
)
from linekey.provisioning.decision import Decision, Outcome, Reason
from linekey.provisioning.device import Device, DigestCredential, hash_token
from linekey.provisioning.digest import (
    DigestOutcome,
    DigestResult,
    challenges,
    verify,
)
from linekey.provisioning.expired import Expired
from linekey.provisioning.group import Group
from linekey.provisioning.identity import NO_IDENTITY, Identity
from linekey.provisioning.pending import Policy, Welcome
from linekey.provisioning.resource import parse_target
from linekey.provisioning.second_factor import SecondFactor

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
A, B = Mac("000413AABBC0"), Mac("000413AABBC1")
TOKEN = "q3Zt-8uYb_20CharsLong"
CREDENTIAL = DigestCredential.create("phone", "linekey", "s3cret")

OWN = Identity(
    vendor="snom",
    mac=A,
    generation=Generation.SHA256,
    key_bits=2048,
    leaf_sha256="ab" * 32,
    not_before=NOW - timedelta(days=1),
    not_after=NOW + timedelta(days=1),
)
OLD = replace(OWN, generation=Generation.SHA1)
SHARED = replace(OLD, mac=None, shared=True)
DEVICE = Device(A, "snom", model="D785", firmware=Firmware.parse("10.1.33.33"))
OLD_DEVICE = Device(A, "snom", model="320", firmware=Firmware.parse("8.7.5.35"))
MODERN, TLS10, TLS11 = (ConnectionFacts(v) for v in (0x0303, 0x0301, 0x0302))
FILE = f"/snomD785-{A}.htm"
BOTH = Rules(blanked_for_shared=True, second_factor_without_certificate=True)


def decide(
    target: str = FILE, *, identity: Identity = OWN, device: Device | None = DEVICE,
    connection: ConnectionFacts = MODERN, digest: DigestResult | None = None,
    rules: Rules | None = None, now: datetime = NOW, method: str = "GET",
    group: Group | None = None, expired: Expired = Expired.REFUSE,
) -> Decision:  # fmt: skip
    return authorize(
        identity, parse_target(target.encode()), device, connection,
        SecondFactor(digest) if digest else None, rules or Rules(), now, method=method,
        group=group, expired=expired,
    )  # fmt: skip


def test_a_phone_gets_its_own_file() -> None:
    decision = decide()
    assert decision.reason is Reason.OWN_FILE
    assert decision.outcome is Outcome.GRANTED
    assert not decision.blank_secrets
    assert (decision.mac, decision.target_mac, decision.resource) == (A, A, FILE)
    assert (decision.vendor, decision.generation) == ("snom", "sha256")
    assert decision.leaf_sha256 == OWN.leaf_sha256


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"target": f"/snomD785-{B}.htm"}, Reason.OTHER_PHONES_FILE),
        ({"target": f"/{B}"}, Reason.OTHER_PHONES_FILE),
        ({"device": None}, Reason.UNKNOWN_PHONE),
        ({"device": replace(DEVICE, mac=B)}, Reason.UNKNOWN_PHONE),
        ({"device": replace(DEVICE, state="revoked")}, Reason.REVOKED),
        ({"device": replace(DEVICE, vendor="yealink")}, Reason.VENDOR_MISMATCH),
        ({"identity": replace(OWN, vendor="yealink")}, Reason.VENDOR_MISMATCH),
        ({"identity": replace(OWN, vendor="lab-snom")}, Reason.VENDOR_MISMATCH),
        ({"identity": OLD}, Reason.GENERATION_NOT_ALLOWED),
        ({"identity": replace(OWN, generation=None)}, Reason.GENERATION_NOT_ALLOWED),
        ({"now": NOW - timedelta(days=2)}, Reason.NOT_YET_VALID),
        ({"now": NOW + timedelta(days=2)}, Reason.EXPIRED),
        ({"identity": NO_IDENTITY}, Reason.NO_CERTIFICATE),
        ({"identity": SHARED}, Reason.GENERATION_NOT_ALLOWED),
        (
            {"identity": replace(SHARED, generation=Generation.SHA256)},
            Reason.SHARED_NOT_EXPECTED,
        ),
        ({"target": "/"}, Reason.NOTHING_THERE),
        ({"target": f"//{A}"}, Reason.AMBIGUOUS_REQUEST),
        ({"target": f"/{A}.cfg"}, Reason.NOTHING_THERE),
        ({"target": f"/{A}-boot.log", "method": "PUT"}, Reason.UPLOAD_REFUSED),
        ({"target": f"/{A}-boot.log", "method": "HEAD"}, Reason.OPTIONAL_FILE),
        ({"target": f"/{A}-phone.cfg"}, Reason.OPTIONAL_FILE),
        ({"target": f"/{A}.boot"}, Reason.OPTIONAL_FILE),
        ({"target": f"/{A}.boot", "method": "PUT"}, Reason.METHOD_NOT_ALLOWED),
        ({"target": f"/cfg{A}"}, Reason.OPTIONAL_FILE),
        ({"method": "PUT"}, Reason.METHOD_NOT_ALLOWED),
        ({"method": "POST"}, Reason.METHOD_NOT_ALLOWED),
        ({"connection": TLS11}, Reason.TLS_TOO_OLD),
        (
            {"connection": TLS10, "device": replace(DEVICE, model=None)},
            Reason.MODEL_NEEDED,
        ),
        (
            {"connection": TLS10, "device": replace(DEVICE, model="X1")},
            Reason.MODEL_NEEDED,
        ),
    ],
)
def test_each_refusal_has_its_reason(case: dict, reason: Reason) -> None:
    decision = decide(**case)
    assert decision.reason is reason, decision
    absent = reason is Reason.OPTIONAL_FILE
    assert decision.outcome is (Outcome.ABSENT if absent else Outcome.REFUSED)
    assert decision.blank_secrets
    assert not decision.consumes_token
    assert decision.status >= 400


def test_a_problem_of_the_identity_is_the_reason() -> None:
    for problem in (Reason.SELF_SIGNED, Reason.ISSUER_NOT_TRUSTED, Reason.NO_MAC):
        identity = replace(OWN, problem=problem, detail="what is wrong")
        decision = decide(identity=identity, rules=BOTH)
        assert (decision.reason, decision.detail) == (problem, "what is wrong")


def test_validity_holds_to_the_second() -> None:
    for now in (OWN.not_before, OWN.not_after):
        assert decide(now=now).reason is Reason.OWN_FILE


def test_an_incomplete_identity_is_refused() -> None:
    for missing in ("not_before", "not_after", "vendor"):
        identity = replace(OWN, **{missing: None})
        assert decide(identity=identity).reason is Reason.CHAIN_NOT_PROVED


@pytest.mark.parametrize(
    ("model", "pinned", "identity", "reason"),
    [
        ("D715", None, OLD, Reason.OWN_FILE),
        ("D715", None, OWN, Reason.OWN_FILE),
        ("D785", None, OLD, Reason.GENERATION_NOT_ALLOWED),
        (None, None, OLD, Reason.OWN_FILE),
        ("D715", frozenset({Generation.SHA256}), OLD, Reason.GENERATION_NOT_ALLOWED),
        ("D715", frozenset({Generation.SHA256}), OWN, Reason.OWN_FILE),
        ("D785", frozenset({Generation.SHA1}), OLD, Reason.OWN_FILE),
        ("D785", frozenset(), OWN, Reason.GENERATION_NOT_ALLOWED),
    ],
)
def test_generations_are_the_records_else_the_catalogues(
    model: str | None, pinned: frozenset | None, identity: Identity, reason: Reason
) -> None:
    device = replace(DEVICE, model=model, generations=pinned)
    assert decide(f"/{A}", identity=identity, device=device).reason is reason


@pytest.mark.parametrize(
    ("model", "firmware", "connection", "reason"),
    [
        ("D715", "8.9.3.60", MODERN, Reason.OWN_FILE),
        ("D715", "8.9.3.60", TLS11, Reason.TLS_TOO_OLD),
        ("D715", None, TLS10, Reason.TLS_TOO_OLD),
        ("D710", "8.7.5.35", TLS10, Reason.OWN_FILE),
        ("D710", "8.7.5.57", TLS10, Reason.TLS_TOO_OLD),
        ("D785", "8.7.5.35", TLS10, Reason.TLS_TOO_OLD),  # it never had an 8.7
        ("D785", "10.1.33.33", ConnectionFacts(None), Reason.OWN_FILE),
        ("D785", "10.1.33.33", ConnectionFacts(0x0304), Reason.OWN_FILE),
    ],
)
def test_old_tls_is_for_phones_that_know_no_better(
    model: str, firmware: str | None, connection: ConnectionFacts, reason: Reason
) -> None:
    version = Firmware.parse(firmware) if firmware else None
    device = replace(
        DEVICE, model=model, firmware=version,
        generations=frozenset({Generation.SHA1}),
    )  # fmt: skip
    decision = decide(identity=OLD, device=device, connection=connection)
    assert decision.reason is reason, decision


def test_a_gigaset_phone_carries_snoms_certificate() -> None:
    device = replace(DEVICE, vendor="gigaset", model="P850")
    assert decide(f"/{A}.xml", device=device).reason is Reason.OWN_FILE


def test_a_record_without_vendor_takes_any_trusted_one() -> None:
    device = replace(DEVICE, vendor="", model=None)
    for vendor in ("snom", "lab-snom"):
        identity = replace(OWN, vendor=vendor)
        assert decide(identity=identity, device=device).reason is Reason.OWN_FILE


@pytest.mark.parametrize(
    ("vendor", "name", "reason"),
    [
        ("yealink", f"/{A}.cfg".lower(), Reason.OWN_FILE),
        ("poly", f"/{A}.cfg".lower(), Reason.OWN_FILE),
        ("poly", f"/{A}-user.cfg".lower(), Reason.OWN_FILE),
        ("grandstream", f"/cfg{A}.xml".lower(), Reason.OWN_FILE),
        ("gigaset", f"/{A}.xml", Reason.OWN_FILE),
        ("cisco", f"/SEP{A}.cnf.xml", Reason.NO_RENDERER),
        ("cisco", f"/{A}.xml", Reason.NO_RENDERER),
    ],
)
def test_other_vendors_files_are_authorised_and_those_of_some_are_not_written(
    vendor: str, name: str, reason: Reason
) -> None:
    device = Device(A, vendor)
    identity = replace(OWN, vendor=vendor)
    assert decide(name, identity=identity, device=device).reason is reason
    other = name.replace(str(A), str(B)).replace(str(A).lower(), str(B).lower())
    refused = decide(other, identity=identity, device=device)
    assert refused.reason is Reason.OTHER_PHONES_FILE


# -- shared certificates and second factors


def digest_result(password: str = "s3cret", now: datetime = NOW) -> DigestResult:
    challenge = best_challenge(challenges("linekey", b"k" * 32, now))
    assert challenge is not None
    header = answer(
        challenge, username="phone", password=password, method="GET", uri=FILE, nc=1,
        cnonce="abc",
    )  # fmt: skip
    return verify(
        header,
        method="GET",
        target=FILE,
        credential=CREDENTIAL,
        keys=[b"k" * 32],
        now=NOW,
    )


WITH_TOKEN = replace(OLD_DEVICE, token_sha256=hash_token(TOKEN))
USED = replace(WITH_TOKEN, token_used_at=NOW)
WITH_DIGEST = replace(OLD_DEVICE, digest=CREDENTIAL)
TOKEN_FILE = f"/t/{TOKEN}{FILE}"
OTHER_TOKEN_FILE = f"/t/{TOKEN[::-1]}{FILE}"


@pytest.mark.parametrize(
    ("target", "device", "digest", "reason"),
    [
        (FILE, OLD_DEVICE, None, Reason.SHARED_CERTIFICATE),
        (FILE, WITH_TOKEN, None, Reason.SHARED_CERTIFICATE),
        (TOKEN_FILE, WITH_TOKEN, None, Reason.TOKEN_ACCEPTED),
        (TOKEN_FILE, USED, None, Reason.TOKEN_USED),
        (TOKEN_FILE, OLD_DEVICE, None, Reason.TOKEN_WRONG),
        (OTHER_TOKEN_FILE, WITH_TOKEN, None, Reason.TOKEN_WRONG),
        (OTHER_TOKEN_FILE, USED, None, Reason.TOKEN_WRONG),
        (TOKEN_FILE, None, None, Reason.UNKNOWN_PHONE),
        (TOKEN_FILE, replace(WITH_TOKEN, state="revoked"), None, Reason.REVOKED),
        (FILE, WITH_DIGEST, None, Reason.DIGEST_REQUIRED),
        (FILE, WITH_DIGEST, digest_result(), Reason.DIGEST_ACCEPTED),
        (FILE, WITH_DIGEST, digest_result("wrong"), Reason.DIGEST_WRONG),
        (
            FILE, WITH_DIGEST, digest_result(now=NOW - timedelta(hours=1)),
            Reason.DIGEST_STALE,
        ),
        (
            FILE, WITH_DIGEST, DigestResult(DigestOutcome.VERIFIED, credential=None),
            Reason.DIGEST_WRONG,
        ),
        (
            FILE, replace(OLD_DEVICE, digest=DigestCredential.create("b", "r", "x")),
            digest_result(), Reason.DIGEST_WRONG,
        ),
        (FILE, OLD_DEVICE, digest_result(), Reason.SHARED_CERTIFICATE),
        (
            TOKEN_FILE, replace(USED, digest=CREDENTIAL), digest_result(),
            Reason.DIGEST_ACCEPTED,
        ),
        (TOKEN_FILE, replace(USED, digest=CREDENTIAL), None, Reason.DIGEST_REQUIRED),
    ],
)  # fmt: skip
@pytest.mark.parametrize("identity", [SHARED, NO_IDENTITY], ids=["shared", "none"])
def test_a_second_factor_decides_for_a_phone_that_cannot_prove_itself(
    identity: Identity,
    target: str,
    device: Device,
    digest: DigestResult,
    reason: Reason,
) -> None:
    rules = Rules(second_factor_without_certificate=identity is NO_IDENTITY)
    decision = decide(
        target, identity=identity, device=device, digest=digest, rules=rules
    )
    if identity is NO_IDENTITY and reason is Reason.SHARED_CERTIFICATE:
        reason = Reason.NO_CERTIFICATE
    assert decision.reason is reason, decision
    assert decision.consumes_token is (reason is Reason.TOKEN_ACCEPTED)
    assert decision.challenge is (decision.status == 401)
    assert decision.mac is None
    assert TOKEN not in repr(decision)


def test_without_the_rule_no_second_factor_replaces_a_certificate() -> None:
    for target, device, digest in (
        (TOKEN_FILE, WITH_TOKEN, None),
        (FILE, WITH_DIGEST, digest_result()),
    ):
        decision = decide(target, identity=NO_IDENTITY, device=device, digest=digest)
        assert decision.reason is Reason.NO_CERTIFICATE
        assert not decision.consumes_token


def test_a_head_request_uses_up_no_token() -> None:
    decision = decide(TOKEN_FILE, identity=SHARED, device=WITH_TOKEN, method="HEAD")
    assert decision.reason is Reason.TOKEN_ACCEPTED
    assert not decision.consumes_token


def test_secrets_are_left_out_only_where_the_operator_allows_it() -> None:
    rules = Rules(blanked_for_shared=True)
    for target, device, reason in (
        (FILE, OLD_DEVICE, Reason.SECRETS_LEFT_OUT),
        (TOKEN_FILE, USED, Reason.SECRETS_LEFT_OUT),
        (OTHER_TOKEN_FILE, WITH_TOKEN, Reason.TOKEN_WRONG),
        (FILE, WITH_DIGEST, Reason.DIGEST_REQUIRED),
        (TOKEN_FILE, WITH_TOKEN, Reason.TOKEN_ACCEPTED),
    ):
        decision = decide(target, identity=SHARED, device=device, rules=rules)
        assert decision.reason is reason
        assert decision.blank_secrets is (reason is not Reason.TOKEN_ACCEPTED)
    assert decide(identity=SHARED, device=OLD_DEVICE, rules=rules).outcome == "blanked"
    # It is for shared certificates, not for none.
    none = decide(identity=NO_IDENTITY, device=OLD_DEVICE, rules=BOTH)
    assert none.reason is Reason.NO_CERTIFICATE


def test_an_own_certificate_needs_no_second_factor_and_uses_none_up() -> None:
    device = replace(DEVICE, token_sha256=hash_token(TOKEN), digest=CREDENTIAL)
    for target in (FILE, TOKEN_FILE, OTHER_TOKEN_FILE):
        decision = decide(target, device=device)
        assert decision.reason is Reason.OWN_FILE
        assert not decision.consumes_token


# -- common files and certificates

CERTIFICATE = "/certificates/" + "ab" * 32 + ".der"


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({}, Reason.COMMON_FILE),
        ({"device": None}, Reason.UNKNOWN_PHONE),
        ({"device": replace(DEVICE, mac=B)}, Reason.UNKNOWN_PHONE),
        ({"device": replace(DEVICE, state="revoked")}, Reason.REVOKED),
        ({"identity": OLD}, Reason.GENERATION_NOT_ALLOWED),
        ({"identity": SHARED, "device": None}, Reason.COMMON_FILE),
        ({"identity": NO_IDENTITY, "device": None}, Reason.NO_CERTIFICATE),
        (
            {"identity": NO_IDENTITY, "device": None, "rules": BOTH},
            Reason.NO_CERTIFICATE,
        ),
        (
            {"identity": NO_IDENTITY, "device": WITH_TOKEN, "rules": BOTH},
            Reason.NO_CERTIFICATE,
        ),
        ({"now": NOW + timedelta(days=2)}, Reason.EXPIRED),
        ({"connection": TLS10}, Reason.TLS_TOO_OLD),
        ({"identity": replace(SHARED, vendor="yealink")}, Reason.NOTHING_THERE),
    ],
)
@pytest.mark.parametrize("target", ["/snomD785.htm", CERTIFICATE])
def test_common_files_are_for_registered_phones_and_proved_vendors(
    case: dict, reason: Reason, target: str
) -> None:
    decision = decide(target, **case)
    if target == CERTIFICATE and reason in {Reason.COMMON_FILE, Reason.NOTHING_THERE}:
        reason = Reason.CERTIFICATE_FILE
    assert decision.reason is reason, decision
    assert decision.blank_secrets


def test_no_token_opens_common_files_to_a_phone_without_certificate() -> None:
    """A common file names no phone, so there is no record to hold the token against."""
    for target in (f"/t/{TOKEN}/snom320.htm", f"/t/{TOKEN}{CERTIFICATE}"):
        decision = decide(target, identity=NO_IDENTITY, device=WITH_TOKEN, rules=BOTH)
        assert decision.reason is Reason.NO_CERTIFICATE


def test_an_old_phone_with_a_shared_certificate_gets_its_models_file() -> None:
    def over_tls10(target: str) -> Reason:
        return decide(target, identity=SHARED, device=None, connection=TLS10).reason

    assert over_tls10("/snom320.htm") is Reason.COMMON_FILE
    assert over_tls10("/snomD785.htm") is Reason.MODEL_NEEDED
    assert over_tls10("/snom.htm") is Reason.MODEL_NEEDED
    assert over_tls10(CERTIFICATE) is Reason.CERTIFICATE_FILE


@pytest.mark.parametrize(
    ("vendor", "name", "reason"),
    [
        ("yealink", "/y000000000000.cfg", Reason.COMMON_FILE),
        ("poly", "/000000000000.cfg", Reason.COMMON_FILE),
        ("grandstream", "/cfg.xml", Reason.COMMON_FILE),
        ("grandstream", "/y000000000000.cfg", Reason.NOTHING_THERE),
        ("snom", "/cfg.xml", Reason.NOTHING_THERE),
    ],
)
def test_other_vendors_common_files_are_theirs(
    vendor: str, name: str, reason: Reason
) -> None:
    who = replace(SHARED, vendor=vendor)
    assert decide(name, identity=who, device=None).reason is reason


def test_a_master_leaves_the_token_for_the_file_that_it_names() -> None:
    shared = replace(SHARED, vendor="poly", generation=Generation.SHA256)
    device = replace(WITH_TOKEN, vendor="poly", model="VVX450")
    for name, used in ((f"{A}.cfg", False), (f"{A}-user.cfg", True)):
        decision = decide(f"/t/{TOKEN}/{name}", identity=shared, device=device)
        assert decision.reason is Reason.TOKEN_ACCEPTED, decision
        assert decision.consumes_token is used


# -- around it


def test_the_record_asked_for_is_the_certificates_else_the_files() -> None:
    file_b = parse_target(f"/{B}".encode())
    assert record_key(OWN, file_b) == A
    assert record_key(SHARED, file_b) == B
    assert record_key(NO_IDENTITY, file_b) == B
    assert record_key(OWN, parse_target(b"/snomD785.htm")) == A
    assert record_key(SHARED, parse_target(b"/snomD785.htm")) is None


def test_an_odd_model_in_the_url_is_told_and_no_reason_to_refuse() -> None:
    decision = decide(f"/snomD735-{A}.htm")
    assert decision.reason is Reason.OWN_FILE
    assert "D735" in decision.sentence


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_what_and_what_to_do(reason: Reason) -> None:
    assert reason.sentence
    assert not reason.sentence.endswith(".")
    fine = reason.outcome in (Outcome.GRANTED, Outcome.ABSENT)
    assert bool(reason.cure) is not fine
    given = reason.outcome in (Outcome.GRANTED, Outcome.BLANKED)
    assert (reason.status == 200) is given


def test_a_group_says_whose_certificates_its_phones_have() -> None:
    device = replace(DEVICE, group="acme")
    of_ca = replace(OWN, authorities=("key of the issuer", "key of the root"))
    for group, reason in (
        (Group("acme"), Reason.OWN_FILE),
        (Group("acme", authorities={"x": "key of the root"}), Reason.OWN_FILE),
        (Group("acme", authorities={"x": "key of another"}), Reason.CA_NOT_ALLOWED),
        (Group("acme", authorities={}), Reason.CA_NOT_ALLOWED),
        (Group("beta"), Reason.CA_NOT_ALLOWED),
        (None, Reason.CA_NOT_ALLOWED),
    ):
        for target in (FILE, "/snomD785.htm"):
            found = decide(target, identity=of_ca, device=device, group=group)
            wanted = Reason.COMMON_FILE if "-" not in target else Reason.OWN_FILE
            expected = wanted if reason is Reason.OWN_FILE else reason
            assert (found.reason, found.group) == (expected, "acme")


def test_a_group_may_decide_on_blanked_files_itself() -> None:
    device = replace(OLD_DEVICE, group="acme")
    for configured in (True, False):
        for said, given in (("on", True), ("off", False), (None, configured)):
            policies = {"blanked_for_shared": said} if said else {}
            found = decide(
                f"/snom320-{A}.htm", identity=SHARED, device=device,
                connection=TLS10, rules=Rules(blanked_for_shared=configured),
                group=Group("acme", policies=policies),
            )  # fmt: skip
            assert (found.reason is Reason.SECRETS_LEFT_OUT) is given


ENDED = replace(OWN, not_after=NOW - timedelta(hours=1))
EARLY_DEVICE = replace(DEVICE, registered_at=NOW - timedelta(days=1))
LATE_DEVICE = replace(DEVICE, registered_at=NOW)
BY_TOKEN = replace(EARLY_DEVICE, token_sha256=hash_token(TOKEN))
TOKEN_URL = f"/t/{TOKEN}/snomD785-{A}.htm"
GENEROUS = Group("acme", policies={"expired_certificates": "accept"})


@pytest.mark.parametrize(
    ("expired", "case", "reason"),
    [
        (Expired.REFUSE, {}, Reason.EXPIRED),
        # What a CA refuses no record brings back: the handshake asks nobody.
        (
            Expired.REFUSE,
            {"device": replace(EARLY_DEVICE, expired=Expired.ACCEPT)},
            Reason.EXPIRED,
        ),
        (Expired.ACCEPT, {"device": EARLY_DEVICE}, Reason.EXPIRED_ACCEPTED),
        (Expired.ACCEPT, {"device": LATE_DEVICE}, Reason.EXPIRED_ACCEPTED),
        (
            Expired.ACCEPT,
            {"device": replace(EARLY_DEVICE, expired=Expired.REFUSE)},
            Reason.EXPIRED_NOT_ACCEPTED,
        ),
        (
            Expired.ACCEPT,
            {"device": replace(EARLY_DEVICE, expired=Expired.REGISTERED)},
            Reason.EXPIRED_ALONE,
        ),
        (Expired.NAMED, {"device": EARLY_DEVICE}, Reason.EXPIRED_NOT_ACCEPTED),
        (
            Expired.NAMED,
            {"device": replace(EARLY_DEVICE, expired=Expired.ACCEPT)},
            Reason.EXPIRED_ACCEPTED,
        ),
        (
            Expired.NAMED,
            {"device": replace(EARLY_DEVICE, group="acme"), "group": GENEROUS},
            Reason.EXPIRED_ACCEPTED,
        ),
        (Expired.REGISTERED, {"device": EARLY_DEVICE}, Reason.EXPIRED_ALONE),
        (
            Expired.REGISTERED,
            {"device": BY_TOKEN, "target": TOKEN_URL},
            Reason.TOKEN_ACCEPTED,
        ),
        (
            Expired.REGISTERED,
            {"device": replace(BY_TOKEN, registered_at=NOW), "target": TOKEN_URL},
            Reason.EXPIRED_NOT_ACCEPTED,
        ),
        (
            Expired.REGISTERED,
            {"device": replace(BY_TOKEN, registered_at=None), "target": TOKEN_URL},
            Reason.EXPIRED_NOT_ACCEPTED,
        ),
        (
            Expired.REGISTERED,
            {"device": replace(EARLY_DEVICE, digest=CREDENTIAL)},
            Reason.DIGEST_REQUIRED,
        ),
        # Nothing else is forgiven with the end.
        (Expired.ACCEPT, {"device": None}, Reason.UNKNOWN_PHONE),
        (
            Expired.ACCEPT,
            {"device": replace(EARLY_DEVICE, state="revoked")},
            Reason.REVOKED,
        ),
        (
            Expired.ACCEPT,
            {"device": EARLY_DEVICE, "target": f"/snomD785-{B}.htm"},
            Reason.OTHER_PHONES_FILE,
        ),
        (
            Expired.ACCEPT,
            {"identity": replace(ENDED, not_before=NOW + timedelta(days=1))},
            Reason.NOT_YET_VALID,
        ),
        (
            Expired.ACCEPT,
            {"identity": replace(ENDED, problem=Reason.CHAIN_NOT_PROVED)},
            Reason.CHAIN_NOT_PROVED,
        ),
        (Expired.ACCEPT, {"identity": OWN}, Reason.OWN_FILE),
        # Files without secrets.
        (
            Expired.REGISTERED,
            {"device": EARLY_DEVICE, "target": "/snomD785.htm"},
            Reason.COMMON_FILE,
        ),
        (
            Expired.REGISTERED,
            {"device": LATE_DEVICE, "target": "/snomD785.htm"},
            Reason.EXPIRED_NOT_ACCEPTED,
        ),
    ],
)
def test_an_ended_certificate_is_worth_what_the_operator_says(
    expired: Expired, case: dict, reason: Reason
) -> None:
    decision = decide(expired=expired, **{"identity": ENDED, **case})
    assert decision.reason is reason, decision
    if case.get("identity", ENDED) is ENDED and reason is not Reason.OTHER_PHONES_FILE:
        assert "valid until 2024-05-01 11:00" in decision.detail


def test_a_shared_certificate_that_has_ended_needs_a_second_factor_always() -> None:
    ended = replace(SHARED, not_after=NOW - timedelta(hours=1))
    device = replace(OLD_DEVICE, registered_at=NOW - timedelta(days=1))
    known = replace(device, token_sha256=hash_token(TOKEN))
    for expired in (Expired.REGISTERED, Expired.ACCEPT):
        target = f"/snom320-{A}.htm"
        alone = decide(
            target, identity=ended, device=device, rules=BOTH, expired=expired
        )
        assert alone.reason is Reason.EXPIRED_ALONE
        given = decide(
            f"/t/{TOKEN}{target}", identity=ended, device=known, expired=expired
        )
        assert given.reason is Reason.TOKEN_ACCEPTED


def test_nobody_is_a_newcomer_with_an_ended_certificate() -> None:
    decision = authorize(
        ENDED, parse_target(FILE.encode()), None, MODERN, None, Rules(), NOW,
        welcome=Welcome(Policy.WAITING), expired=Expired.ACCEPT,
    )  # fmt: skip
    assert decision.reason is Reason.UNKNOWN_PHONE
    assert decision.newcomer is None
