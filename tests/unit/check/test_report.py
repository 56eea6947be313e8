"""Reports: exit codes, sentences, JSON, the page, the calendar, the cures."""

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import DAY, NOW, ca, ec, key, leaf

from linekey.catalog import authorities
from linekey.catalog.authorities import KnownCa
from linekey.catalog.models import Generation
from linekey.catalog.profile import all_profiles, profile
from linekey.catalog.root_lists import known_roots, lists_for
from linekey.catalog.roots import find_roots
from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_certificates
from linekey.check.answer import Answer, KeyExchange, Reach
from linekey.check.assess import Question
from linekey.check.classes import classes_of, hellos_of
from linekey.check.cures import certificates_xml, protocol_cures
from linekey.check.page import render_page
from linekey.check.phones import Setup, gather
from linekey.check.report import ClassResult, Outcome, Report, grouped
from linekey.check.run import check_answers, check_chain
from linekey.check.target import parse_target
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.phone.document import PhoneDocument, parse_document
from linekey.phone.state import PhoneState
from linekey.tls.suites import SUITES
from linekey.tls.versions import Version
from linekey.trust.client_refusal import CertificateWish

NAME = "prov.example.com"
ROOT = ca("root")
MIDDLE = ca("middle", ROOT)
CHAIN = (leaf(MIDDLE, NAME), MIDDLE.certificate)
ALL = all_profiles()


def run(
    chain: tuple[Certificate, ...] = CHAIN,
    profiles=ALL,  # type: ignore[no-untyped-def]
    *,
    trust: tuple[Certificate, ...] = (),
    known: tuple[Certificate, ...] = (),
    calendar: bool = False,
    **setup: object,
) -> Report:
    gathered = gather(profiles, NAME, Setup(trust, **setup), now=NOW)  # type: ignore[arg-type]
    return check_chain(
        chain,
        classes_of(gathered.phones),
        Question(NAME, NOW, known),
        label="x.pem",
        checked_at=NOW,
        notes=gathered.notes,
        calendar=calendar,
    )


def test_a_fleets_phones_are_counted_and_listed() -> None:
    row = ClassResult(
        "class-1", tuple((f"D785 0004130000{n:02X}", "10.1.33.33") for n in range(3)),
        {}, Outcome.PHONE_REFUSES, (),
    )  # fmt: skip
    other = replace(row, id="class-2", phones=row.phones[:1], outcome=Outcome.ACCEPTED)
    report = Report(
        {"label": "x", "kind": "chain"}, NOW, NOW, None, (row, other), of_fleet=True
    )
    assert report.sentence == "of 4 phones 1 accepts, 3 refuse the server"
    assert report.as_dict()["phones"]["phone_refuses"] == 3
    page = render_page(report)
    assert "<b>3</b>" in page
    assert "000413000002" in page
    assert 'id="matrix"' not in page
    alone = replace(report, classes=(other,))
    assert alone.sentence == "the phone accepts"
    assert replace(report, of_fleet=False).as_dict()["phones"] is None


def test_every_phone_of_the_catalogue_stands_in_exactly_one_class() -> None:
    report = run()
    pairs = [pair for result in report.classes for pair in result.phones]
    assert len(pairs) == len(ALL)
    assert set(pairs) == {(p.model.name, str(p.firmware)) for p in ALL}
    gathered = gather(ALL, NAME, Setup(), now=NOW)
    classes = classes_of(gathered.phones)
    assert len(hellos_of(classes)) <= len(classes) < len(ALL)


def test_8_x_accepts_by_default_and_10_x_does_not() -> None:
    report = run()
    by_phone = {p: r for r in report.classes for p in r.phones}
    assert by_phone["D715", "8.7.5.35"].outcome is Outcome.ACCEPTED
    assert by_phone["D785", "10.1.33.33"].outcome is Outcome.PHONE_REFUSES
    assert report.exit_code() == 1
    assert "refuse the server" in report.sentence


def test_a_provisioned_root_makes_all_accept() -> None:
    report = run(trust=(ROOT.certificate,))
    assert report.exit_code("refused") == 0
    assert report.sentence.startswith(f"all {len(report.classes)} classes of phones")
    assert report.exit_code("warning") == 1  # 8.x does not look at all


def test_old_firmware_does_not_take_a_root_it_does_not_know() -> None:
    report = run(profiles=[profile("D715", "8.7.5.35")], trust=(ROOT.certificate,))
    assert any("8.7.5.52 and 8.9.3.41" in n for n in report.notes)


def test_nothing_reached_is_3_and_something_reached_is_1() -> None:
    gathered = gather(ALL, NAME, Setup(), now=NOW)
    classes = classes_of(gathered.phones)
    dead = Answer(Reach.NO_CONNECTION, "connection refused", "192.0.2.1:443")
    answers = {h.wire_key: dead for h in hellos_of(classes)}
    arguments = {
        "label": "x", "host": "x", "port": 443, "checked_at": NOW,
    }  # fmt: skip
    question = Question(NAME, NOW)
    report = check_answers(answers, classes, question, **arguments)  # type: ignore[arg-type]
    assert report.exit_code() == 3
    first = next(iter(answers))
    mixed = {**answers, first: Answer(Reach.ANSWERED, chain=CHAIN)}
    mixed_report = check_answers(mixed, classes, question, **arguments)  # type: ignore[arg-type]
    assert mixed_report.exit_code() == 1


def test_a_server_with_two_certificates_is_told_of_by_who_gets_which() -> None:
    every = [profile("D785", "10.1.33.33"), profile("320", "8.7.5.57")]
    classes = classes_of(gather(every, NAME, Setup(), now=NOW).phones)
    mine = ec("server")
    other = (leaf(MIDDLE, NAME, leaf_key=mine), MIDDLE.certificate)
    answers = {
        c.first.hello.wire_key: Answer(
            Reach.ANSWERED, chain=CHAIN if ("320", "8.7.5.57") in c.pairs else other
        )
        for c in classes
    }
    report = check_answers(
        answers, classes, Question(NAME, NOW), label="x", host="x", port=443,
        checked_at=NOW,
    )  # fmt: skip
    (note,) = [n for n in report.notes if "different chains" in n]
    by_ec, by_rsa = note.partition(": ")[2].split(" | ")
    assert f"EC secp256r1 key (SHA-256 {other[0].sha256[:16]}) to 1: D785" in by_ec
    assert (
        f"RSA-2048 key (SHA-256 {CHAIN[0].sha256[:16]}) to 1: 320 · 8.7.5.57" in by_rsa
    )
    # Each class says it, too, whether it accepts the chain or not.
    shown = {r.phones[0][0]: r.path[0]["sha256"] for r in report.classes}
    assert shown == {"D785": other[0].sha256, "320": CHAIN[0].sha256}


def test_classes_that_say_the_same_are_one_line() -> None:
    report = run(profiles=[p for p in ALL if p.server_auth_forced])
    assert len(grouped(report.classes)) < len(report.classes) + 1
    assert sum(len(g) for g in grouped(report.classes)) == len(report.classes)


def test_the_json_form_is_plain_and_complete() -> None:
    document = json.loads(json.dumps(run(calendar=True).as_dict()))
    assert document["format"] == 1
    assert set(document["counts"]) == {str(o) for o in Outcome}
    for row in document["classes"]:
        assert row["hello"]["origin"].startswith("derived")
        for finding in row["findings"]:
            assert finding["source"]


# --- the page


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name == "href" and value:
                self.targets.append(value.removeprefix("#"))
            if name in ("src", "href", "action") and value and ":" in value:
                self.outside.append(value)


def test_the_page_is_self_contained_and_every_cell_opens_its_findings() -> None:
    report = run(calendar=True)
    page = _Page()
    page.feed(render_page(report))
    assert page.outside == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)
    assert {r.id for r in report.classes} <= set(page.targets)


def test_the_page_is_readable_without_colour() -> None:
    text = render_page(run())
    for outcome in Outcome:
        assert f"{outcome.mark} {outcome.words}" in text


def test_a_hostile_certificate_cannot_write_into_the_page() -> None:
    evil = "<script>alert(1)</script>"
    bad = leaf(ca(evil), NAME, cn=(f'"><img src=x onerror=1>{evil}',))
    report = run((bad, ca(evil).certificate), calendar=True)
    text = render_page(report)
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


# --- roots, dates, calendar


def test_a_young_root_is_named_with_the_day_it_came() -> None:
    (isrg,) = find_roots("ISRG Root X1")
    chain = (isrg.certificate,)  # as if it were the leaf: its path ends at itself
    undated = profile("D785", "10.1.999.9")
    (result,) = run(chain, [undated]).classes
    assert "list of" in result.differs
    (found,) = (f for f in result.warnings if f.rule == "chain.root-date")
    assert "ISRG Root X1" in found.message
    settled = run(chain, [undated], firmware_date=date(2025, 1, 1))
    assert settled.classes[0].differs == ""


def test_a_root_that_left_the_list_is_told_just_as_well() -> None:
    (gone,) = find_roots("GeoTrust Primary Certification Authority - G3")
    assert gone.spans[-1].removed_by is not None
    (result,) = run((gone.certificate,), [profile("D785", "10.1.999.9")]).classes
    (found,) = (f for f in result.warnings if f.rule == "chain.root-date")
    assert "before 2014-05-14 to 2020-12-05" in found.message


@pytest.mark.parametrize("oldest_knows", [True, False])
def test_a_verdict_that_hangs_on_the_firmwares_date_is_no_plain_outcome(
    oldest_knows: bool,
) -> None:
    gathered = gather([profile("D785", "10.1.999.9")], NAME, Setup(), now=NOW)
    (phone,) = gathered.phones
    assert phone.state.roots is not None
    newest, oldest = ((), (ROOT.certificate,))[:: 1 if oldest_knows else -1]
    lists = replace(phone.state.roots, newest=newest, oldest=oldest)
    phone = replace(phone, state=phone.state.with_roots(lists))
    report = check_chain(
        CHAIN, classes_of([phone]), Question(NAME, NOW), label="x", checked_at=NOW
    )
    (result,) = report.classes
    assert result.doubt == "depends on the firmware's date"
    (told,) = (f for f in result.findings if f.rule == "phone.firmware-date")
    assert result.reason == told.message
    assert result.words == result.doubt
    assert (result.outcome is Outcome.ACCEPTED) is not oldest_knows
    assert result.as_dict()["doubt"] == result.doubt
    assert "± depends on the firmware" in render_page(report).replace("&#39;", "'")


@pytest.mark.parametrize(
    ("model", "firmware", "near"),
    [
        ("D785", "1.2.3", "10.1.20.0"),
        ("D785", "11.0.1.2", "10.1.226.16"),
        ("D785", "8.7.5.35", "10.1.20.0"),
        ("D715", "8.7.5.350", "8.7.5.35"),
        ("D785", "10.1.999.1", "10.1.226.16"),
        ("D715", "8.7.5.41", "8.7.5.35"),
        ("D715", "8.9.3.999", "8.9.3.96"),
    ],
)
def test_a_firmware_that_never_existed_is_a_warning_with_the_near_ones(
    model: str, firmware: str, near: str
) -> None:
    report = run(profiles=[profile(model, firmware)], trust=(ROOT.certificate,))
    (result,) = report.classes
    first = result.findings[0]
    assert (first.rule, first.severity) == ("phone.firmware", "warning")
    assert near in first.message.partition("near it: ")[2].split(", ")
    assert "accepts" not in result.words
    assert report.sentence != "the phone accepts"
    assert report.exit_code("warning") == 1


@pytest.mark.parametrize(
    ("model", "firmware"),
    [
        ("D785", "10.1.33.33"),
        ("D785", "10.1.226.16"),
        ("D715", "8.7.5.44"),
        ("D735", "10.1.175.10"),
    ],
)
def test_a_firmware_that_a_source_names_is_no_warning(
    model: str, firmware: str
) -> None:
    assert profile(model, firmware).warnings == ()


def test_bounds_that_leave_no_doubt_leave_no_finding() -> None:
    (isrg,) = find_roots("ISRG Root X1")
    (result,) = run((isrg.certificate,), [profile("D785", "10.1.33.33")]).classes
    assert not [
        f
        for f in result.findings
        if f.rule in ("chain.root-date", "phone.firmware-date")
    ]
    assert result.differs == ""


def test_the_calendar_names_day_and_phones() -> None:
    forced = [p for p in ALL if p.server_auth_forced]
    report = run(profiles=forced, trust=(ROOT.certificate,), calendar=True)
    assert report.calendar is not None
    by_kind = {e.kind: e for e in report.calendar if e.kind != "vendor_ca"}
    assert set(by_kind) == {"leaf", "intermediate", "anchor"}
    assert by_kind["leaf"].day == CHAIN[0].not_after
    ids = tuple(r.id for r in report.classes)
    assert by_kind["leaf"].breaks == ids
    days = [e.day for e in report.calendar]
    assert days == sorted(days)
    assert any(e.kind == "vendor_ca" and e.day.year == 2037 for e in report.calendar)


def test_the_day_a_sent_cross_sign_ends_breaks_phones_that_follow_it() -> None:
    """Though they have the root itself: their OpenSSL follows what is sent."""
    young_key = key("young")
    young = ca("young", own=young_key)
    crossed = ca("young", ROOT, own=young_key, not_after=NOW + 30 * DAY)
    chain = (leaf(young, NAME), crossed.certificate)
    report = run(
        chain,
        [profile("D785", "10.1.33.33")],
        trust=(ROOT.certificate, young.certificate),
        calendar=True,
    )
    assert report.calendar is not None
    ids = tuple(r.id for r in report.classes)
    (entry,) = [e for e in report.calendar if e.day == crossed.certificate.not_after]
    assert entry.breaks == ids
    direct = run(
        chain[:1],
        [profile("D785", "10.1.33.33")],
        trust=(ROOT.certificate, young.certificate),
        calendar=True,
    )
    assert direct.calendar is not None
    assert entry.day not in {e.day for e in direct.calendar}


def test_phones_that_authenticate_nobody_are_not_in_the_calendar() -> None:
    report = run(profiles=[profile("D715", "8.7.5.35")], calendar=True)
    assert report.calendar is not None
    assert {e.kind for e in report.calendar} == {"vendor_ca"}


# --- cures


def test_the_xml_to_provision_is_what_a_phone_reads() -> None:
    text = certificates_xml([ROOT.certificate], profile("D785", "10.1.33.33"))
    (line,) = parse_document(text.encode()).certificates
    assert parse_certificates(line.text.encode()) == [ROOT.certificate]
    old = certificates_xml([ROOT.certificate], profile("D715", "8.7.5.35"))
    (by_url,) = parse_document(old.encode()).certificates
    assert by_url.url.endswith(".der")


def test_a_subject_cannot_break_out_of_the_xml_comment() -> None:
    evil = ca("--><settings/><!--")
    text = certificates_xml([evil.certificate], profile("D785", "10.1.33.33"))
    assert len(parse_document(text.encode()).certificates) == 1
    assert "--><settings" not in text


def test_the_missing_intermediate_is_there_to_append() -> None:
    report = run(
        CHAIN[:1],
        [profile("D785", "10.1.33.33")],
        trust=(ROOT.certificate,),
        known=(MIDDLE.certificate,),
    )
    (cure,) = [c for c in report.classes[0].cures if c.kind == "pem"]
    assert parse_certificates(cure.text.encode()) == [MIDDLE.certificate]


def test_server_lines_name_the_old_version_only_where_it_is_needed() -> None:
    new = {c.kind: c.text for c in protocol_cures([profile("D785", "10.1.33.33")], "r")}
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in new["nginx"]
    assert "SECLEVEL" not in new["nginx"]
    old = {c.kind: c.text for c in protocol_cures([profile("370", "8.7.5.57")], "r")}
    assert "TLSv1 TLSv1.1" in old["nginx"]
    assert "ssl-min-ver TLSv1.0" in old["haproxy"]
    assert "SSLProtocol -all +TLSv1 " in old["apache"]
    assert "@SECLEVEL=0" in old["nginx"]


def test_a_wildcard_before_8_7_5_71_comes_with_its_setting() -> None:
    report = run(
        (leaf(MIDDLE, "*.example.com"), MIDDLE.certificate),
        [profile("D785", "10.1.33.33")],
        trust=(ROOT.certificate,),
        documents=(PhoneDocument.of_settings({"host_name_validation_flags": "2"}),),
    )
    (result,) = report.classes
    assert result.outcome is Outcome.PHONE_REFUSES
    (cure,) = [c for c in result.cures if c.kind == "setting"]
    assert re.search(r"<host_name_validation_flags [^>]*>0<", cure.text)


# --- what operators type


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("prov.example.com", "prov.example.com", 443),
        ("prov.example.com:8443", "prov.example.com", 8443),
        ("https://prov.example.com/cfg/{mac}.xml", "prov.example.com", 443),
        ("sips:sip.example.com", "sip.example.com", 5061),
        ("192.0.2.7:5061", "192.0.2.7", 5061),
        ("2001:db8::7", "2001:db8::7", 443),
        ("[2001:db8::7]:8443", "2001:db8::7", 8443),
        ("bücher.example", "xn--bcher-kva.example", 443),
        ("localhost.", "localhost", 443),
    ],
)
def test_a_target_is_read(text: str, host: str, port: int) -> None:
    target = parse_target(text)
    assert (target.host, target.port) == (host, port)


@pytest.mark.parametrize(
    "text", ["", "http://x", "x:0x", "x:99999", "a b", "-x", "ftp://x", "x:1:2"]
)
def test_what_is_no_target_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError):
        parse_target(text)


def test_known_roots_vouch_for_nothing() -> None:
    roots = known_roots()
    assert len(roots) > 150
    mine = (leaf(ROOT, NAME), ROOT.certificate)
    report = run(mine, [profile("D785", "10.1.33.33")], known=(ROOT.certificate,))
    assert report.classes[0].outcome is Outcome.PHONE_REFUSES


def test_the_judged_day_is_the_questions() -> None:
    gathered = gather(
        [profile("D785", "10.1.33.33")],
        NAME,
        Setup((ROOT.certificate,)),
        now=NOW,
    )
    classes = classes_of(gathered.phones)
    late = replace(Question(NAME, NOW), at=CHAIN[0].not_after + timedelta(days=1))
    report = check_chain(CHAIN, classes, late, label="x", checked_at=NOW)
    assert report.classes[0].outcome is Outcome.PHONE_REFUSES
    assert report.classes[0].alert == "certificate_expired"


def test_no_suite_is_proposed_that_needs_a_user_name_at_both_ends() -> None:
    row = profile("D715", "8.7.5.35")
    only_srp = replace(
        row, suites=tuple(n for n in row.suites if 0xC01A <= n <= 0xC022)
    )
    assert only_srp.suites
    assert protocol_cures([only_srp], "r") == []


FORCED = (profile("D785", "10.1.33.33"),)
MAKER_CA = KnownCa(
    name="root", organization="", vendor="snom", generation=Generation.SHA256,
    role="root", serial=None, not_before=None, not_after=None, key_bits=None,
    signature_hash="sha256", sha1=None, sha256=ROOT.certificate.sha256, md5=None,
    source="this test", confidence="L",
)  # fmt: skip


def test_a_ca_of_the_maker_that_the_server_sends_counts_by_its_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = (*CHAIN, ROOT.certificate)
    assert run(whole, FORCED).exit_code() == 1
    monkeypatch.setitem(authorities.KNOWN_CAS, ROOT.certificate.sha256, MAKER_CA)
    report = run(whole, FORCED)
    assert (report.exit_code(), report.notes) == (0, ())
    alike = ca("root again")
    other = (leaf(alike, NAME), alike.certificate)
    assert run(other, FORCED).exit_code() == 1
    export = run(whole, FORCED, authorities=())
    assert export.exit_code() == 1, "a phone's own list says all"


def test_a_ca_of_the_maker_of_which_only_the_name_is_seen_is_a_note(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(CHAIN, FORCED).notes == ()
    monkeypatch.setattr("linekey.check.run.ALL_CAS", (MAKER_CA,))
    (said,) = run(CHAIN, FORCED).notes
    assert "by its name a CA of the phones' maker" in said
    there = run(CHAIN, FORCED, maker_authorities=(ROOT.certificate,))
    assert (there.exit_code(), there.notes) == (0, ())


def test_phone_and_check_have_the_same_authorities_of_the_maker() -> None:
    own = (ROOT.certificate,)
    gathered = gather(FORCED, NAME, Setup(maker_authorities=own), now=NOW)
    phone = PhoneState(Mac("000413000001"), FORCED[0]).with_roots(
        lists_for(FORCED[0].firmware, today=NOW.date()), own
    )
    assert gathered.phones[0].state.trust == phone.trust
    assert phone.verdict_on(CHAIN, NAME, NOW).accepted
    assert run(CHAIN, FORCED, maker_authorities=own).exit_code() == 0


PAGE = Path(__file__).parents[3] / "docs" / "reference" / "check-json.md"


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {k for v in value.values() for k in keys(v)}
    if isinstance(value, list | tuple):
        return {k for v in value for k in keys(v)}
    return set()


def test_every_field_is_documented() -> None:
    gathered = gather(
        [profile("D785", "10.1.33.33")], NAME, Setup((ROOT.certificate,)), now=NOW
    )
    classes = classes_of(gathered.phones)
    answer = Answer(
        Reach.ANSWERED, "", "", 1.0, None, Version.TLS1_2, SUITES[0xC02F], 0xC02F,
        CHAIN, KeyExchange("ECDHE", "secp256r1", 23), CertificateWish(),
    )  # fmt: skip
    live = check_answers(
        {h.wire_key: answer for h in hellos_of(classes)}, classes,
        Question(NAME, NOW), label="x", host="x", port=443, checked_at=NOW,
        calendar=True,
    )  # fmt: skip
    found = keys(live.as_dict()) | keys(run(calendar=True).as_dict())
    named = set(re.findall(r"`([a-z0-9_]+)`", PAGE.read_text(encoding="utf-8")))
    assert found <= named
