"""Codes, waiting files and rules, without any store."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.phone.document import parse_document
from linekey.provisioning.decision import Newcomer
from linekey.provisioning.pending import (
    TAKEN_BACK,
    Adoption,
    AdoptionRule,
    MacRange,
    Policy,
    Welcome,
    joined,
    likely_model,
    overlap,
    parse_policy_of_ca,
    parse_range,
    parse_ranges,
    parse_rule_name,
    pending_code,
    policy_of,
    record_vendor,
    waiting_layer,
)
from linekey.provisioning.render import render_document

A, Z = Mac("000413AABB00"), Mac("000413AABBFF")
NEW = Newcomer(A, "4711", "snom", "CN=Snom")

macs = st.integers(0, 255).map(lambda n: Mac(f"000413AABB{n:02X}"))
ranges = st.tuples(macs, macs).map(lambda pair: MacRange(min(pair), max(pair)))


def test_a_code_is_of_phone_and_certificate_and_spread() -> None:
    assert pending_code(A, "ab") == pending_code(A, "ab")
    assert pending_code(A, "ab") != pending_code(A, "ac")
    codes = [pending_code(Mac(f"000413{n:06X}"), "ab") for n in range(5000)]
    assert all(len(code) == 4 and code.isdigit() for code in codes)
    assert Counter(codes).most_common(1)[0][1] < 10


def test_a_waiting_file_is_one_that_a_phone_reads_and_is_taken_back() -> None:
    layer = waiting_layer("4711", 300)
    file = render_document(
        layer, firmware=None, mac=A, model=None, blank_secrets=True,
        certificate_url=lambda _: "",
    )  # fmt: skip
    assert (file.skipped, file.secrets_left_out) == ((), 0)
    read = {s.name: s.value for s in parse_document(file.body).settings}
    assert read == {
        "user_idle_text": "Waiting for approval, code 4711",
        "settings_refresh_timer": "300",
    }
    assert [s.slot for s in layer.settings] == [s.slot for s in TAKEN_BACK.settings]
    assert {s.value for s in TAKEN_BACK.settings} == {""}


def test_the_policy_of_the_nearest_ca_counts() -> None:
    of = {"root": Policy.ADOPT, "issuing": Policy.REFUSE}
    assert policy_of(("issuing", "root"), of, Policy.WAITING) is Policy.REFUSE
    assert policy_of(("other", "root"), of, Policy.WAITING) is Policy.ADOPT
    assert policy_of(("other",), of, Policy.WAITING) is Policy.WAITING


def test_who_was_refused_neither_waits_nor_is_adopted() -> None:
    rule = AdoptionRule("van", (MacRange(A, Z),))
    for policy, waits, adopts in (
        (Policy.REFUSE, False, False),
        (Policy.WAITING, True, False),
        (Policy.ADOPT, True, True),
    ):
        welcome = Welcome(policy, rule=rule)
        assert (welcome.waits, welcome.adopts) == (waits, adopts)
        assert not replace(welcome, refused=True).waits
        assert not replace(welcome, refused=True).adopts
        assert not replace(welcome, rule=replace(rule, adopts=False)).adopts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("000413AABB00", "000413AABB00"),
        ("00:04:13:aa:bb:00", "000413AABB00"),
        ("000413AABB00-000413AABBFF", "000413AABB00-000413AABBFF"),
        ("00:04:13:aa:bb:00-00:04:13:aa:bb:ff", "000413AABB00-000413AABBFF"),
        ("0004.13aa.bb00..0004.13aa.bbff", "000413AABB00-000413AABBFF"),
        (" 00-04-13-AA-BB-00 - 00-04-13-AA-BB-FF ", "000413AABB00-000413AABBFF"),
        ("00-04-13-AA-BB-00", "000413AABB00"),
    ],
)
def test_ranges_as_people_write_them(text: str, found: str) -> None:
    assert str(parse_range(text)) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("000413AABBFF-000413AABB00", "ends before it begins"),
        ("000413AABB00-", "not a MAC"),
        ("a..b..c", "not a range"),
        ("FFFFFFFFFFFF", "broadcast"),
        ("<script>", "not a MAC"),
        ("", "not a MAC"),
        ("000413AABB00-01005E000000", "group"),
    ],
)
def test_what_is_no_range_is_told(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as told:
        parse_range(text)
    assert told.value.hint


def test_a_file_of_ranges_is_read_with_its_lines() -> None:
    text = (
        "mac;room\n\n000413AABB01;Hall # c\n000413AABB02\n000413AABB10-000413AABB20\n"
    )
    found = parse_ranges(text, "x.txt")
    assert list(map(str, found)) == [
        "000413AABB01-000413AABB02", "000413AABB10-000413AABB20",
    ]  # fmt: skip
    for bad, why in (
        ("000413AABB01\nhello\n", "x.txt:2: not a MAC"),
        ("\x7fELF\x02\x01\x01\0\0", "x.txt:1: not a MAC"),
        ("# nothing\n", "names no MAC"),
        ("", "names no MAC"),
    ):
        with pytest.raises(InputError, match=why):
            parse_ranges(bad, "x.txt")


@given(st.lists(ranges, min_size=1, max_size=8), macs)
def test_joined_ranges_have_the_same_macs_in_order(
    given_ranges: list[MacRange], mac: Mac
) -> None:
    found = joined(given_ranges)
    inside = any(r.first <= mac <= r.last for r in given_ranges)
    rule = AdoptionRule("x", found)
    assert rule.fits(mac, "snom") is inside
    assert (Adoption((rule,)).find(mac, "snom") is rule) is inside
    for before, after in pairwise(found):
        assert int(after.first.digits, 16) > int(before.last.digits, 16) + 1


@given(
    st.lists(ranges, min_size=1, max_size=4), st.lists(ranges, min_size=1, max_size=4)
)
def test_an_overlap_is_found_whenever_two_rules_share_a_mac(
    one: list[MacRange], other: list[MacRange]
) -> None:
    a, b = AdoptionRule("a", joined(one)), AdoptionRule("b", joined(other))
    every = [Mac(f"000413AABB{n:02X}") for n in range(256)]
    shared = any(a.fits(m, None) and b.fits(m, None) for m in every)
    assert bool(overlap(a, [a, b])[0]) is shared


def test_a_rule_is_for_the_maker_that_it_names() -> None:
    rule = AdoptionRule("van", (MacRange(A, Z),), vendor="snom")
    assert rule.fits(A, "snom")
    assert not rule.fits(A, "yealink")
    assert not rule.fits(Mac("000413AABC00"), "snom")
    assert Adoption((rule,)).find(A, "yealink") is None


def test_the_record_is_the_rules_and_the_certificates_word() -> None:
    rule = AdoptionRule("van", (MacRange(A, Z),), label="Hall", group="acme")
    cisco = replace(NEW, vendor="cisco", certificate_model="CP-8841-3PCC")
    assert rule.device(cisco).model == "CP-8841-3PCC"
    assert rule.device(replace(NEW, file_model="D785")).model is None, "no proof"
    assert rule.device(replace(NEW, certificate_model="D999")).model is None
    made = replace(rule, model="D785").device(replace(NEW, vendor="acme-own"))
    assert (made.vendor, made.model, made.label, made.group) == (
        "", "D785", "Hall", "acme",
    )  # fmt: skip
    assert record_vendor("snom") == "snom"


@pytest.mark.parametrize(
    ("agent", "file", "found"),
    [
        ("Mozilla/4.0 (compatible; snomD785-SIP 10.1)", None, ("D785", "user_agent")),
        ("Mozilla/4.0 (compatible; Snom M900 1)", "D785", ("M900", "user_agent")),
        ("Mozilla/4.0 (compatible; snom715-SIP 8.7)", None, ("D715", "user_agent")),
        ("<b>snomD999</b>", "D785", ("D785", "file")),
        ("=cmd|'snom'", "D999", (None, None)),
        (None, None, (None, None)),
    ],
)
def test_the_likely_model(
    agent: str | None, file: str | None, found: tuple[str | None, str | None]
) -> None:
    model, by = likely_model(replace(NEW, file_model=file), agent)
    assert (model, by) == found


def test_names_and_policies() -> None:
    assert parse_rule_name(" Van-1 ") == "van-1"
    assert parse_policy_of_ca("Waiting") is Policy.WAITING
    assert parse_policy_of_ca("default") is None
    for bad in ("a b", "", "x" * 49, "../x"):
        with pytest.raises(InputError):
            parse_rule_name(bad)
    with pytest.raises(InputError):
        parse_policy_of_ca("maybe")
