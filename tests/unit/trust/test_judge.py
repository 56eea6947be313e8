"""One verdict, all reasons, in the order in which the phone meets them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.certificates import DAY, NOW, ca, key, leaf
from tests.live.line_cases import TODAY
from tests.live.odd_certificates import odd_leaves
from tests.live.odd_certificates import root as odd_root

from linekey.catalog.profile import profile
from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert
from linekey.trust.findings import Verdict
from linekey.trust.judge import TlsSettings, judge
from linekey.trust.rules import PLACE, RULES
from linekey.trust.store import TrustStore

ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
NAME = "prov.example.com"
GOOD = leaf(MIDDLE, NAME)
STORE = TrustStore(authorities=(ROOT.certificate,))

D785 = profile("D785", "10.1.33.33")
D715_8 = profile("D715", "8.7.5.35")
SNOM_370 = profile("370", "8.7.5.35")
ON = TlsSettings(server_authentication=True, check_fqdn=True, host_flags=0)


def look(
    *chain: Certificate,
    name: str | None = NAME,
    store: TrustStore = STORE,
    phone=D785,  # type: ignore[no-untyped-def]
    settings: TlsSettings = ON,
    now: datetime = NOW,
    known: tuple[Certificate, ...] = (),
) -> Verdict:
    return judge(chain, name, store, phone, settings, now, known=known)


def failures(verdict: Verdict) -> list[str]:
    return [f.rule for f in verdict.findings if f.refuses]


def warnings(verdict: Verdict) -> list[str]:
    return [f.rule for f in verdict.warnings]


def of(verdict: Verdict, rule: str):  # type: ignore[no-untyped-def]
    return next(f for f in verdict.findings if f.rule == rule and not f.ok)


def test_a_good_chain_is_accepted_without_a_warning() -> None:
    verdict = look(GOOD, MIDDLE.certificate)
    assert verdict.accepted
    assert verdict.alert is None
    assert verdict.x509_error == 0
    assert warnings(verdict) == []
    assert verdict.path == (GOOD, MIDDLE.certificate, ROOT.certificate)


def test_every_finding_names_its_source_and_every_failure_its_cure() -> None:
    verdict = look(
        leaf(None, "x", not_after=NOW - DAY, leaf_key=key("w", "rsa", 1024), hash="md5")
    )
    for finding in verdict.findings:
        assert finding.source
        assert finding.confidence in "HML"
        assert finding.ok or finding.cure, finding


def test_findings_come_in_the_order_of_the_rules() -> None:
    verdict = look(leaf(None, "x", not_after=NOW - DAY, hash="sha1"), GOOD, GOOD)
    places = [PLACE[f.rule] for f in verdict.findings]
    assert places == sorted(places)


def test_all_failures_are_reported_not_the_first() -> None:
    bad = leaf(
        None,
        "else.example.com",
        not_before=NOW - 9 * DAY,
        not_after=NOW - DAY,
        extended_key_usage=["clientAuth"],
    )
    assert failures(look(bad)) == [
        "chain.self-signed",
        "chain.purpose",
        "chain.expired",
        "name.mismatch",
    ]


@pytest.mark.parametrize(
    ("chain", "rules", "alert", "error"),
    [
        pytest.param(
            (GOOD,), ["chain.incomplete"], Alert.UNKNOWN_CA, 20, id="no middle"
        ),
        pytest.param(
            (leaf(None, NAME),), ["chain.self-signed"], Alert.UNKNOWN_CA, 18, id="self"
        ),
        pytest.param(
            (leaf(ca("own"), NAME), ca("own").certificate),
            ["chain.untrusted"],
            Alert.UNKNOWN_CA,
            19,
            id="own root",
        ),
        pytest.param(
            (leaf(MIDDLE, NAME, not_after=NOW - DAY), MIDDLE.certificate),
            ["chain.expired"],
            Alert.CERTIFICATE_EXPIRED,
            10,
            id="expired",
        ),
        pytest.param(
            (leaf(MIDDLE, NAME, not_before=NOW + DAY), MIDDLE.certificate),
            ["chain.not-yet-valid"],
            Alert.BAD_CERTIFICATE,
            9,
            id="early",
        ),
        pytest.param(
            (leaf(MIDDLE, "other.example.com"), MIDDLE.certificate),
            ["name.mismatch"],
            Alert.BAD_CERTIFICATE,
            62,
            id="name",
        ),
        pytest.param(
            (
                leaf(MIDDLE, NAME, extended_key_usage=["clientAuth"]),
                MIDDLE.certificate,
            ),
            ["chain.purpose"],
            Alert.UNSUPPORTED_CERTIFICATE,
            26,
            id="purpose",
        ),
        pytest.param(
            (
                leaf(Issuer(GOOD, key("leaf")), NAME, cn=("lower",)),
                GOOD,
                MIDDLE.certificate,
            ),
            ["chain.issuer-not-ca"],
            Alert.UNKNOWN_CA,
            79,
            id="leaf signed by a leaf",
        ),
    ],
)
def test_each_fault_has_its_rule_its_alert_and_openssls_number(
    chain: tuple[Certificate, ...], rules: list[str], alert: Alert, error: int
) -> None:
    verdict = look(*chain)
    assert failures(verdict) == rules
    assert not verdict.accepted
    assert verdict.alert is alert
    assert verdict.x509_error == error


def test_a_forged_signature_is_told() -> None:
    impostor = Issuer(MIDDLE.certificate, key("impostor"))
    verdict = look(leaf(impostor, NAME), MIDDLE.certificate)
    assert "chain.signature" in failures(verdict)
    assert verdict.x509_error == 7
    assert verdict.alert is Alert.DECRYPT_ERROR


def test_no_certificate_at_all_is_a_finding() -> None:
    assert failures(look()) == ["chain.empty"]


def test_the_path_length_of_a_ca_counts() -> None:
    tight = ca("tight", ROOT, path_length=0)
    below = ca("below", tight)
    verdict = look(leaf(below, NAME), below.certificate, tight.certificate)
    assert failures(verdict) == ["chain.path-length"]


# --- the tabs


def test_a_ca_on_the_server_tab_is_an_anchor() -> None:
    own = ca("own")
    store = STORE.provision(own.certificate, at=NOW, signed_by_rule=False).store
    assert look(leaf(own, NAME), store=store).accepted


def test_an_intermediate_on_the_server_tab_ends_the_path() -> None:
    store = TrustStore().provision(
        MIDDLE.certificate, at=NOW, signed_by_rule=False
    ).store  # fmt: skip
    verdict = look(GOOD, store=store)
    assert verdict.accepted
    assert verdict.path == (GOOD, MIDDLE.certificate)


def test_a_provisioned_leaf_vouches_for_itself_and_its_dates_still_count() -> None:
    mine = leaf(None, NAME)
    store = STORE.provision(mine, at=NOW, signed_by_rule=False).store
    assert look(mine, store=store).accepted
    assert failures(look(mine, store=store, now=NOW + 100 * DAY)) == ["chain.expired"]
    assert not look(leaf(None, NAME, serial=7), store=store).accepted


def test_an_exception_is_accepted_for_as_long_as_it_is_the_same() -> None:
    mine = leaf(None, "wrong.example.com")
    store = STORE.with_refused(mine, at=NOW, purpose="sip", peer="p", reason="r")
    store = store.add_exception(mine, at=NOW).store
    verdict = look(mine, store=store, now=NOW + 1000 * DAY)
    assert verdict.accepted
    said = {f.rule: f for f in verdict.findings}
    assert said["exception.added"].ok
    for rule in ("chain.self-signed", "chain.expired", "name.mismatch"):
        assert said[rule].severity == "note"
        assert "exception" in said[rule].message
    assert not look(leaf(None, "wrong.example.com", serial=2), store=store).accepted


def test_an_excepted_ca_vouches_for_nothing_it_signed() -> None:
    own = ca("own")
    store = STORE.with_refused(
        own.certificate, at=NOW, purpose="sip", peer="p", reason="r"
    )
    store = store.add_exception(own.certificate, at=NOW).store
    assert not look(leaf(own, NAME), own.certificate, store=store).accepted


# --- server authentication and names


def test_with_authentication_off_everything_is_accepted_with_what_would_fail() -> None:
    off = TlsSettings.defaults(D715_8)
    assert off == TlsSettings(False, False, 2)
    verdict = look(
        leaf(None, "x.example.com", not_after=NOW - DAY), phone=D715_8, settings=off
    )
    assert verdict.accepted
    assert verdict.alert is None
    assert {"chain.self-signed", "chain.expired", "name.mismatch", "auth.off"} <= set(
        warnings(verdict)
    )
    said = of(verdict, "chain.expired").message
    assert "would be refused if server authentication were on" in said


def test_authentication_cannot_be_switched_off_in_10() -> None:
    off = TlsSettings(False, True, 0)
    assert not look(leaf(None, NAME), settings=off).accepted


def test_check_fqdn_is_idle_in_8_without_authentication() -> None:
    phone = profile("D715", "8.9.3.60")
    chain = (leaf(MIDDLE, "other.example.com"), MIDDLE.certificate)
    idle = look(*chain, phone=phone, settings=TlsSettings(False, True, 0))
    assert idle.accepted
    assert {"name.idle", "name.mismatch"} <= set(warnings(idle))
    active = look(*chain, phone=phone, settings=TlsSettings(True, True, 0))
    assert failures(active) == ["name.mismatch"]


def test_a_name_that_is_not_checked_is_a_warning() -> None:
    settings = TlsSettings(True, False, 0)
    verdict = look(
        leaf(MIDDLE, "other.example.com"), MIDDLE.certificate, settings=settings
    )
    assert verdict.accepted
    assert warnings(verdict) == ["name.mismatch"]


@pytest.mark.parametrize(
    ("names", "flags", "rule"),
    [
        (("*.example.com",), 0, None),
        (("*.example.com",), 2, "name.wildcard"),
        (("p*.example.com",), 0, None),
        (("p*.example.com",), 4, "name.wildcard"),
        (("*.com",), 0, "name.mismatch"),
        (("else.example.com",), 0, "name.mismatch"),
    ],
)
def test_wildcards_follow_the_flags(
    names: tuple[str, ...], flags: int, rule: str | None
) -> None:
    settings = replace(ON, host_flags=flags)
    verdict = look(leaf(MIDDLE, *names), MIDDLE.certificate, settings=settings)
    assert failures(verdict) == ([] if rule is None else [rule])
    if rule == "name.wildcard":
        assert "host_name_validation_flags" in of(verdict, rule).cure


def test_a_sip_server_is_named_as_a_web_server_is_not_as_rfc_5922_has_it() -> None:
    name = "sip.example.com"  # SIP asks this judge, too: fidelity.md says on whose word
    wildcard = leaf(MIDDLE, "*.example.com")
    assert look(wildcard, MIDDLE.certificate, name=name).accepted  # not by §7.2
    by_uri = leaf(MIDDLE, uris=(f"sip:{name}",))
    refused = look(by_uri, MIDDLE.certificate, name=name)  # §7.1 would take it
    assert failures(refused) == ["name.mismatch"]
    assert refused.x509_error == 62
    both = leaf(MIDDLE, name, uris=("sip:else.example.com",))
    assert look(both, MIDDLE.certificate, name=name).accepted


def test_an_address_needs_a_san_of_type_ip() -> None:
    by_name = leaf(MIDDLE, "192.0.2.7", cn=("192.0.2.7",))
    by_ip = leaf(MIDDLE, ips=("192.0.2.7",))
    refused = look(by_name, MIDDLE.certificate, name="192.0.2.7")
    assert failures(refused) == ["name.ip"]
    assert refused.x509_error == 64
    assert look(by_ip, MIDDLE.certificate, name="192.0.2.7").accepted


def test_a_common_name_alone_is_accepted_with_a_note() -> None:
    verdict = look(leaf(MIDDLE, cn=(NAME,)), MIDDLE.certificate)
    assert verdict.accepted
    assert of(verdict, "name.cn-only").severity == "note"


def test_a_common_name_beside_a_san_needs_flag_1() -> None:
    cert = leaf(MIDDLE, "else.example.com", cn=(NAME,))
    refused = look(cert, MIDDLE.certificate)
    assert failures(refused) == ["name.mismatch"]
    assert "with the value 1" in of(refused, "name.mismatch").cure
    flagged = replace(ON, host_flags=1)
    assert look(cert, MIDDLE.certificate, settings=flagged).accepted


# --- hashes and keys


@pytest.mark.parametrize("phone", [SNOM_370, D715_8, profile("D745", "8.9.3.52")])
def test_that_old_firmware_refuses_a_sha2_chain_is_a_doubt_and_no_refusal(
    phone,
) -> None:  # type: ignore[no-untyped-def]
    verdict = look(
        GOOD, MIDDLE.certificate, phone=phone, settings=replace(ON, check_fqdn=False)
    )
    assert verdict.accepted
    doubts = [f for f in verdict.findings if f.rule == "hash.table"]
    assert len(doubts) == 2  # leaf and intermediate; the anchor's is not verified
    assert {(f.severity, f.confidence) for f in doubts} == {("warning", "L")}
    assert not any("SHA-1 chain" in f.cure for f in verdict.findings)


def test_a_sha1_chain_suits_a_sha1_only_phone_and_is_warned_of() -> None:
    root = ca("old root", hash="sha1")
    cert = leaf(root, NAME, hash="sha1")
    verdict = look(
        cert,
        phone=SNOM_370,
        settings=replace(ON, check_fqdn=False),
        store=TrustStore(authorities=(root.certificate,)),
    )
    assert verdict.accepted
    assert "hash.sha1" in warnings(verdict)


def test_from_the_maker_s_sha2_firmware_on_there_is_no_doubt() -> None:
    chain = (GOOD, MIDDLE.certificate)
    before, after = (profile("D715", v) for v in ("8.9.3.59", "8.9.3.60"))
    settings = replace(ON, check_fqdn=False)
    old = look(*chain, phone=before, settings=settings)
    assert "8.9.3.60" in of(old, "hash.table").cure
    new = look(*chain, phone=after, settings=settings)
    assert not [f for f in new.findings if f.rule.startswith("hash.") and not f.ok]


def test_md5_is_told_apart() -> None:
    verdict = look(leaf(MIDDLE, NAME, hash="md5"), MIDDLE.certificate)
    assert verdict.accepted
    assert "hash.md5" in warnings(verdict)


def test_an_ec_leaf_is_no_use_to_a_phone_without_ecdsa_whatever_the_settings() -> None:
    cert = leaf(MIDDLE, NAME, leaf_key=key("ec", "ec", "secp256r1"))
    verdict = look(
        cert, MIDDLE.certificate, phone=SNOM_370, settings=TlsSettings(False, False, 0)
    )
    assert failures(verdict) == ["key.kind"]
    assert look(cert, MIDDLE.certificate).accepted


def test_an_ec_authority_is_no_use_either_where_signatures_are_verified() -> None:
    root = ca("ec root", own=key("ec root", "ec", "secp384r1"), hash="sha1")
    cert = leaf(root, NAME, hash="sha1")
    store = TrustStore(authorities=(root.certificate,))
    settings = TlsSettings(True, False, 0)
    verdict = look(cert, phone=SNOM_370, settings=settings, store=store)
    assert "key.issuer-kind" in failures(verdict)


def test_an_ed25519_key_is_for_no_phone() -> None:
    cert = leaf(MIDDLE, NAME, leaf_key=key("ed", "ed25519", 0))
    assert failures(look(cert, MIDDLE.certificate)) == ["key.kind"]


def test_a_small_key_is_warned_of_and_a_limit_refuses() -> None:
    cert = leaf(MIDDLE, NAME, leaf_key=key("small", "rsa", 1024))
    assert warnings(look(cert, MIDDLE.certificate)) == ["key.weak"]
    strict = replace(D785, min_key_bits=2048)
    refused = look(cert, MIDDLE.certificate, phone=strict)
    assert failures(refused) == ["key.small"]
    assert refused.x509_error == 66
    narrow = replace(D785, max_key_bits=1024)
    assert failures(look(cert, MIDDLE.certificate, phone=narrow)) == [
        "key.large",
        "key.large",
    ]


# --- time


def test_a_phone_in_1970_is_told_that_it_is_the_clock() -> None:
    verdict = look(GOOD, MIDDLE.certificate, now=datetime(1970, 1, 1, tzinfo=UTC))
    assert verdict.x509_error == 9
    assert "clock.wrong" in warnings(verdict)
    assert "1970-01-01" in of(verdict, "clock.wrong").message
    assert "ntp_server" in of(verdict, "clock.wrong").cure


def test_a_clock_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="time zone"):
        look(GOOD, now=datetime(2026, 1, 1))


def test_the_second_of_the_end_is_over_for_phones() -> None:
    chain = (GOOD, MIDDLE.certificate)
    assert look(*chain, now=GOOD.not_after - timedelta(seconds=1)).accepted
    assert not look(*chain, now=GOOD.not_after).accepted


def test_an_expiring_leaf_and_an_expiring_root_are_warned_of() -> None:
    soon = leaf(MIDDLE, NAME, not_before=NOW - 85 * DAY, not_after=NOW + 5 * DAY)
    assert "chain.expires-soon" in warnings(look(soon, MIDDLE.certificate))
    short = ca("short", not_after=NOW + 40 * DAY)
    cert = leaf(short, NAME)
    verdict = look(cert, store=TrustStore(authorities=(short.certificate,)))
    assert verdict.accepted
    said = of(verdict, "chain.anchor-expires-soon").message
    assert "before the leaf below it" in said


# --- the chain as it was sent


def test_a_wrong_order_is_accepted_and_told() -> None:
    lower = ca("lower", MIDDLE)
    verdict = look(leaf(lower, NAME), MIDDLE.certificate, lower.certificate)
    assert verdict.accepted
    assert warnings(verdict) == ["chain.order"]


def test_strangers_roots_and_repetitions_are_noted() -> None:
    verdict = look(
        GOOD,
        MIDDLE.certificate,
        MIDDLE.certificate,
        ca("elsewhere", ca("far")).certificate,
        ROOT.certificate,
    )
    assert verdict.accepted
    noted = {f.rule for f in verdict.findings if not f.ok and f.severity == "note"}
    assert {"chain.duplicate", "chain.extra", "chain.root-sent"} <= noted


def test_a_strangers_root_is_outside_the_path_and_nobodys_own() -> None:
    verdict = look(GOOD, MIDDLE.certificate, ca("elsewhere").certificate)
    noted = {f.rule for f in verdict.findings if not f.ok and f.severity == "note"}
    assert "chain.extra" in noted
    assert "chain.root-sent" not in noted


def test_a_known_intermediate_that_is_missing_is_named() -> None:
    verdict = look(GOOD, known=(MIDDLE.certificate,))
    assert failures(verdict) == ["chain.incomplete"]
    assert "CN=middle" in of(verdict, "chain.incomplete").message


def test_where_the_leaf_says_its_issuer_is_goes_into_the_cure() -> None:
    url = b"http://ca.example.com/middle.der"
    value = bytes.fromhex("06082b06010505073002") + bytes([0x86, len(url)]) + url
    access = bytes([0x30, len(value) + 2, 0x30, len(value)]) + value
    cert = leaf(MIDDLE, NAME, extensions=[("1.3.6.1.5.5.7.1.1", False, access)])
    assert url.decode() in of(look(cert), "chain.incomplete").cure
    broken = leaf(MIDDLE, NAME, extensions=[("1.3.6.1.5.5.7.1.1", False, b"\x30")])
    assert failures(look(broken)) == ["chain.incomplete"]


def test_a_root_that_this_firmware_lacks_is_named() -> None:
    late = ca("late")
    between = ca("between", late)
    verdict = look(leaf(between, NAME), between.certificate, known=(late.certificate,))
    assert failures(verdict) == ["chain.untrusted"]
    assert "newer firmware" in of(verdict, "chain.untrusted").cure


def test_a_path_only_through_a_cross_sign_is_warned_of() -> None:
    young_key = key("young")
    young = ca("young", own=young_key)
    crossed = ca("young", ROOT, own=young_key, serial=77)
    cert = leaf(young, NAME)
    verdict = look(cert, crossed.certificate, known=(young.certificate,))
    assert verdict.accepted
    assert "chain.cross-sign" in warnings(verdict)
    own = TrustStore(authorities=(young.certificate,))
    direct = look(cert, store=own, known=(young.certificate,))
    assert direct.accepted
    assert "chain.cross-sign" not in warnings(direct)


def test_a_sent_cross_sign_of_an_ended_root_refuses_as_openssl_up_to_1_0_2() -> None:
    """The outage of 2021-09-30: the phone has both roots, and follows the old one."""
    young_key = key("young")
    young = ca("young", own=young_key)
    old = ca("old x3", not_after=NOW - DAY)
    crossed = ca("young", old, own=young_key, serial=77)
    store = TrustStore(authorities=(old.certificate, young.certificate))
    cert = leaf(young, NAME)
    verdict = look(cert, crossed.certificate, store=store)
    assert failures(verdict) == ["chain.expired"]
    finding = of(verdict, "chain.cross-sign")
    assert finding.confidence == "L"
    assert "OpenSSL" in finding.message
    assert f"broke on {old.certificate.not_after:%Y-%m-%d}" in finding.message
    assert "from the server's chain file" in finding.cure
    assert look(cert, store=store).accepted
    before = look(cert, crossed.certificate, store=store, now=NOW - 2 * DAY)
    assert before.accepted
    told = of(before, "chain.cross-sign").message
    assert f"breaks on {old.certificate.not_after:%Y-%m-%d}" in told


D745_8 = profile("D745", "8.9.3.52")
ODD = dict(odd_leaves())


def look_at_odd(what: str, phone, *, on: bool) -> Verdict:  # type: ignore[no-untyped-def]
    return look(
        Certificate.from_der(ODD[what]), name=None, now=TODAY, phone=phone,
        store=TrustStore(authorities=(odd_root(),)),
        settings=replace(ON, server_authentication=on),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("phone", "what", "accepted"),
    [
        (D715_8, "UTCTime without seconds", True),
        (SNOM_370, "GeneralizedTime without seconds", True),
        (D745_8, "UTCTime without seconds", False),
        (D745_8, "UTCTime +0100", False),
        (D785, "UTCTime without seconds", False),
        (D715_8, "UTCTime without Z", False),
        (D785, "UTCTime of month 13", False),
    ],
)
def test_dates_that_are_written_otherwise_count_by_the_phones_line(  # type: ignore[no-untyped-def]
    phone, what: str, accepted: bool
) -> None:
    verdict = look_at_odd(what, phone, on=True)
    assert verdict.accepted is accepted
    found = of(verdict, "chain.date-form")
    assert found.refuses is not accepted
    assert found.cure
    if not phone.server_auth_forced:
        assert look_at_odd(what, phone, on=False).accepted


def test_a_shelved_certificate_with_such_dates_vouches_for_itself() -> None:
    odd = Certificate.from_der(ODD["UTCTime without seconds"])
    store = TrustStore().provision(odd, at=TODAY, signed_by_rule=False).store
    verdict = look(odd, name=None, now=TODAY, phone=D715_8, store=store)
    assert verdict.accepted
    assert verdict.path == (odd,)


@pytest.mark.parametrize("what", ["BMPString of odd length", "name as INTEGER"])
def test_what_no_openssl_takes_apart_is_refused_whatever_the_settings(
    what: str,
) -> None:
    for on in (True, False):
        verdict = look_at_odd(what, D715_8, on=on)
        assert "chain.unreadable" in failures(verdict)


def test_a_version_1_leaf_is_told() -> None:
    cert = leaf(MIDDLE, cn=(NAME,), version=1, key_ids=False)
    verdict = look(cert, MIDDLE.certificate)
    assert verdict.accepted
    assert "chain.version1" in warnings(verdict)


def test_a_version_1_intermediate_is_no_ca() -> None:
    old = ca("v1 middle", ROOT, version=1, key_ids=False, ca=None)
    verdict = look(leaf(old, NAME), old.certificate)
    assert "chain.issuer-not-ca" in failures(verdict)


def test_revocation_is_never_looked_at_and_that_is_said() -> None:
    assert of(look(GOOD, MIDDLE.certificate), "chain.revocation").severity == "note"


def test_every_rule_has_an_id_a_title_and_a_source() -> None:
    for rule_id, rule in RULES.items():
        assert rule_id == rule.id
        assert rule.title
        assert rule.source
        assert "." in rule_id


def test_a_verdict_is_plain_json() -> None:
    document = look(GOOD).as_dict()
    assert document["accepted"] is False
    assert document["alert"] == "unknown_ca"
    assert document["findings"][0]["rule"] in RULES


def test_a_ca_before_the_leaf_is_told_by_place_with_the_order_as_the_cure() -> None:
    for chain, where in (
        ((ROOT.certificate, GOOD), 2),
        ((MIDDLE.certificate, ROOT.certificate, GOOD), 3),
    ):
        verdict = look(*chain)
        (told,) = [f for f in verdict.findings if f.rule == "chain.leaf-first"]
        assert verdict.refusals[0] is told
        assert f"{GOOD.label}, is sent as number {where}:" in told.message
        assert told.cure.startswith("order the chain file")
        assert verdict.alert is Verdict.of(verdict.refusals[1:]).alert
    lenient = look(
        MIDDLE.certificate,
        GOOD,
        phone=D715_8,
        settings=replace(ON, server_authentication=False),
    )
    assert lenient.accepted
    assert "chain.leaf-first" in warnings(lenient)
    fine = ((GOOD, MIDDLE.certificate), (GOOD,), (ROOT.certificate,) * 2)
    for chain in (*fine, (ROOT.certificate,)):
        assert "chain.leaf-first" not in [f.rule for f in look(*chain).findings]


def test_a_chain_file_of_cas_alone_lacks_the_servers_own_certificate() -> None:
    for chain in (
        (MIDDLE.certificate, ROOT.certificate),
        (ROOT.certificate, MIDDLE.certificate),
    ):
        told = look(*chain).refusals[0]
        assert told.rule == "chain.leaf-first"
        assert (
            f"is missing: phones use the first, which is {chain[0].label}"
            in told.message
        )
        assert told.cure.startswith("put the server's own certificate first")
