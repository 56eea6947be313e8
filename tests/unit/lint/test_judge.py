"""Each rule by itself, on look-alike files; and that no secret is in a report."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import certificate, ec
from tests.unit.lint import files

from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem
from linekey.errors import InputError
from linekey.lint.judge import Counts, Report, lint
from linekey.lint.rules import RULES
from linekey.lint.source import read_source
from linekey.makers.all import MAKERS
from linekey.makers.grammar import Line
from linekey.makers.maker import Ca, TrustSettings

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def judged(
    data: bytes, name: str = "805ec0a1b2c3.cfg", chain: Iterable[Certificate] = ()
) -> Report:
    (report,) = lint([read_source(name, data)], NOW, tuple(chain))
    return report


def broken(report: Report) -> list[tuple[str, int]]:
    return [(one.rule, one.line) for one in report.findings]


def test_a_good_file_breaks_no_rule() -> None:
    assert judged(files.YEALINK_GOOD).findings == ()


def test_a_bad_yealink_file() -> None:
    found = broken(judged(files.YEALINK_BAD))
    for expected in (
        ("verify.chain", 17), ("verify.name", 18), ("ca.unused", 19), ("ca.plain", 20),
        ("tls.old", 21), ("password.trivial", 5), ("password.trivial", 22),
        ("sip.plain", 8), ("srtp.off", 13), ("provisioning.plain", 14),
        ("onboarding.on", 15), ("onboarding.on", 16), ("directory.plain", 25),
        ("url.plain", 26), ("url.password", 27),
    ):  # fmt: skip
        assert expected in found, expected
    assert len(found) == len(set(found))


def test_a_bad_poly_file() -> None:
    found = {rule for rule, _ in broken(judged(files.POLY_BAD))}
    assert found >= {
        "verify.name", "password.trivial", "sip.plain", "provisioning.plain",
        "onboarding.on", "tls.suites", "tls.old",
    }  # fmt: skip
    assert "srtp.off" not in found


@pytest.mark.parametrize(
    ("data", "rules"),
    [
        (
            files.GRANDSTREAM_BAD,
            {"verify.chain", "verify.name", "tls.old", "sip.plain",
             "provisioning.plain", "directory.plain"},
        ),
        (files.GRANDSTREAM_NAMES, {"verify.chain", "tls.old", "sip.clear"}),
        (
            files.SNOM_BAD,
            {"verify.name", "client.empty", "provisioning.plain", "directory.plain",
             "url.plain", "ca.plain", "sip.plain", "password.trivial"},
        ),
    ],
)  # fmt: skip
def test_bad_files_of_others(data: bytes, rules: set[str]) -> None:
    found = {rule for rule, _ in broken(judged(data))}
    assert found >= rules, rules - found


def test_what_a_template_puts_in_is_named_and_not_judged() -> None:
    report = judged(files.YEALINK_TEMPLATE)
    found = {rule for rule, _ in broken(report)}
    # What stands there as it is counts; what is put in, or chosen, does not.
    assert found == {"verify.name", "provisioning.plain"}
    texts = [one.text for one in report.source.placeholders]
    assert "{{ line.password }}" in texts
    assert "{% if tls %}" in texts
    (plain,) = [f for f in report.findings if f.rule == "provisioning.plain"]
    assert plain.evidence == "http://{{ host }}/y/"


def test_a_php_template() -> None:
    report = judged(files.GRANDSTREAM_PHP)
    assert [rule for rule, _ in broken(report)] == ["provisioning.plain"]


def test_a_default_that_is_off_is_a_note_and_counts_for_nothing() -> None:
    data = b"#!version:1.0.0.1\naccount.1.user_name = 1\n"
    report = judged(data)
    found = {f.rule: f for f in report.findings}
    assert set(found) == {"verify.default_off", "onboarding.default_on"}
    assert {f.weight for f in report.findings} == {"note"}
    assert found["verify.default_off"].line == 0
    assert "static.security.cn_validation = 1" in found["verify.default_off"].cure
    assert Counts.of([report]).exit_code == 0


def test_sip_in_clear_is_a_note_unless_something_says_that_tls_is_meant() -> None:
    head = b"#!version:1.0.0.1\naccount.1.sip_server.1.transport_type = 0\n"
    for more, rule in (
        (b"", "sip.clear"),
        (b"account.1.srtp_encryption = 1\n", "sip.plain"),
        (b"account.1.sip_server.1.port = 5061\n", "sip.plain"),
        (b"account.2.sip_server.1.transport_type = 2\n", "sip.plain"),
        (b"account.2.srtp_encryption = 1\n", "sip.clear"),
    ):
        assert (rule, 2) in broken(judged(head + more)), more


def test_what_a_template_chooses_between_is_no_choice_of_the_lints() -> None:
    head = b"#!version:1.0.0.1\n"
    line = b"account.1.sip_server.1.transport_type = "
    chosen = head + b"{if $tls}\n" + line + b"2\n{else}\n" + line + b"0\n{/if}\n"
    assert broken(judged(chosen)) == []
    fixed = head + b"{if $x}\n" + line + b"0\n{/if}\n"
    assert broken(judged(fixed)) == [("sip.clear", 3)]


def test_passwords_that_files_of_several_phones_share() -> None:
    one = b"#!version:1.0.0.1\naccount.1.password = w7Rt.90-kPq2\n"
    names = ("805ec0a1b2c3.cfg", "cfg/805EC0A1B2C4.cfg", "cfg/805ec0a1b2c4-local.cfg")
    reports = lint([read_source(name, one) for name in names], NOW)
    for report in reports:
        (found,) = [f for f in report.findings if f.rule == "password.shared"]
        assert found.detail == "with 1 other of these files"
        assert (found.line, found.evidence) == (2, "(not shown)")
    # Two files of one phone are no two phones.
    for report in lint([read_source(name, one) for name in names[1:]], NOW):
        assert not [f for f in report.findings if f.rule == "password.shared"]


def test_a_password_in_a_file_that_every_phone_fetches() -> None:
    data = b"#!version:1.0.0.1\naccount.1.password = w7Rt.90-kPq2\n"
    for name, is_common in (
        ("y000000000108.cfg", True), ("p/y000000000000.cfg", True),
        ("805ec0a1b2c3.cfg", False), ("cfg805ec0a1b2c3.xml", False),
    ):  # fmt: skip
        rules = {rule for rule, _ in broken(judged(data, name))}
        assert ("password.common" in rules) is is_common, name


END = datetime(2027, 6, 11, tzinfo=UTC)


def authority(**how: object) -> Certificate:
    more = {"not_after": datetime(2040, 1, 1, tzinfo=UTC), **how}
    return certificate("Office CA", ec("office"), ca=True, **more)  # type: ignore[arg-type]


def poly(value: str) -> bytes:
    text = value.replace("\n", "&#10;")
    return (
        '<PHONE_CONFIG><a device.sec.TLS.customCaCert1="'
        f'{text}" device.sec.TLS.customCaCert1.set="1"/></PHONE_CONFIG>'
    ).encode()


def test_a_ca_inside_that_ends_soon_or_cannot_be_read() -> None:
    assert broken(judged(poly(to_pem(authority())))) == []
    soon = judged(poly(to_pem(authority(not_after=END))))
    (found,) = soon.findings
    assert (found.rule, found.weight) == ("ca.ends", "warning")
    assert "ends on 2027-06-11" in found.detail
    over = authority(not_after=datetime(2025, 1, 1, tzinfo=UTC))
    assert "ended on 2025-01-01" in judged(poly(to_pem(over))).findings[0].detail
    spoilt = judged(poly(to_pem(authority())).replace(b"&#10;", b" "))
    assert [f.rule for f in spoilt.findings] == ["ca.unreadable"]
    leaf = certificate("prov.example.com", ec("leaf"), ca=False)
    assert [f.rule for f in judged(poly(to_pem(leaf))).findings] == ["ca.none"]


def test_a_private_key_inside_is_told_and_not_shown() -> None:
    data = (
        b'<PHONE_CONFIG><a device.sec.TLS.customDeviceCert1.privateKey="'
        b'-----BEGIN PRIVATE KEY-----&#10;c2VjcmV0a2V5&#10;-----END PRIVATE KEY-----"/>'
        b"</PHONE_CONFIG>"
    )
    report = judged(data)
    assert [f.rule for f in report.findings] == ["key.inside"]
    assert "c2VjcmV0a2V5" not in json.dumps(report.as_dict(), default=str)


def test_names_that_a_certificate_will_not_have() -> None:
    leaf = certificate("sip.example.com", ec("leaf"), dns_names=("sip.example.com",))
    report = judged(files.YEALINK_GOOD, chain=[leaf])
    (found,) = report.findings
    assert (found.rule, found.setting) == (
        "name.absent", "static.auto_provision.server.url",
    )  # fmt: skip
    both = certificate(
        "x", ec("leaf"), dns_names=("sip.example.com", "prov.example.com")
    )
    assert judged(files.YEALINK_GOOD, chain=[both]).findings == ()
    # What does not go over TLS needs no certificate, and what is put in is not known.
    plain = judged(files.GRANDSTREAM_BAD, chain=[leaf])
    assert "name.absent" not in {f.rule for f in plain.findings}
    late = judged(files.YEALINK_TEMPLATE, chain=[leaf])
    assert "name.absent" not in {f.rule for f in late.findings}


TERMS = [
    Line("any.account.user", "4711", 1),
    Line("any.account.password", "vK3-mQ9.tRw8", 1),
    Line("any.account.registrar", "sip.example.com:5061", 1),
    Line("any.account.transport", "tls", 1),
    Line("any.account.srtp", "required", 1),
    Line("any.directory.server", "ldap.example.com:636"),
    Line("any.directory.transport", "ldaps"),
    Line("any.provisioning.url", "https://prov.example.com/x"),
    Line("any.admin.password", "q8Zt-uYb.20xL"),
]


@pytest.mark.parametrize("maker", ["yealink", "poly", "grandstream"])
def test_what_linekey_writes_for_a_maker_breaks_no_rule(maker: str) -> None:
    its, own = MAKERS[maker], authority()
    lines, _ = its.lines_of(TERMS)
    given_ca = Ca(to_pem(own), "https://prov.example.com/ca.der", own.sha256)
    trust, _ = its.trust_lines(TrustSettings((given_ca,), "1.2", (1,)))
    both = ("prov.example.com", "sip.example.com", "ldap.example.com")
    leaf = certificate("x", ec("leaf"), dns_names=both)
    report = judged(its.grammar.write([*lines, *trust]), chain=[leaf])
    assert [f.rule for f in report.findings if f.weight == "warning"] == []
    # And each of them is looked at: in clear, or with checks off, it is told.
    weak = [replace(t, value=t.value.replace("tls", "udp")) for t in TERMS]
    lines, _ = its.lines_of(weak)
    rules = {rule for rule, _ in broken(judged(its.grammar.write(lines)))}
    assert "sip.plain" in rules


@pytest.mark.parametrize("data", files.EVERY.values(), ids=files.EVERY)
def test_no_secret_is_in_a_report(data: bytes) -> None:
    text = json.dumps(judged(data).as_dict(), default=str)
    for secret in files.SECRETS:
        if secret.encode() in data:
            assert secret not in text, secret


def test_every_finding_is_whole_and_every_rule_is_used_by_something() -> None:
    seen = set()
    for data in files.EVERY.values():
        for one in judged(data).findings:
            seen.add(one.rule)
            assert all((one.title, one.why, one.cure, one.source)), one
            assert "{" not in one.cure.replace("{{", ""), one.cure
    assert seen <= set(RULES)
    assert len(seen) >= 17


def assert_read_or_refused(data: bytes) -> None:
    """Whatever it is: a report, or the one documented error with a cure."""
    hint = "none needed"
    try:
        judged(data)
    except InputError as error:
        hint = error.hint
    assert hint


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_with_the_one_error(data: bytes) -> None:
    assert_read_or_refused(data)


@given(
    st.sampled_from([*files.EVERY.values()]),
    st.integers(0, 2000),
    st.binary(max_size=12),
)
def test_a_damaged_file_is_read_or_refused_with_the_one_error(
    data: bytes, at: int, what: bytes
) -> None:
    assert_read_or_refused(data[:at] + what + data[at + len(what) :])


_PASSWORD = st.from_regex(r"[A-Za-z0-9.+-]{12,24}", fullmatch=True)


@given(_PASSWORD, st.sampled_from(["yealink", "poly", "grandstream", "snom"]))
def test_whatever_the_password_no_report_holds_it(password: str, maker: str) -> None:
    data = {
        "yealink": f"#!version:1.0.0.1\naccount.1.user_name = 1\naccount.1.password = "
        f"{password}\n",
        "poly": f'<PHONE_CONFIG><a reg.1.auth.password="{password}"/></PHONE_CONFIG>',
        "grandstream": '<gs_provision version="1"><config version="1"><P34>'
        f"{password}</P34></config></gs_provision>",
        "snom": f'<settings><phone-settings><user_pass idx="1">{password}</user_pass>'
        "</phone-settings></settings>",
    }[maker].encode()
    reports = lint(
        [read_source(name, data) for name in ("a1b2c3d4e5f6.cfg", "b.cfg")], NOW
    )
    assert all("password.shared" in {f.rule for f in r.findings} for r in reports)
    text = json.dumps([report.as_dict() for report in reports], default=str)
    assert password not in text


def test_a_key_that_is_set_back_has_no_password() -> None:
    """As public templates write it for the lines that a phone has not."""
    text = (
        "#!version:1.0.0.1\naccount.2.user_name = %NULL%\naccount.2.password = %NULL%\n"
    )
    names = ("805ec0a1b2c3.cfg", "805ec0a1b2c4.cfg")
    reports = lint([read_source(name, text.encode()) for name in names], NOW)
    assert not [f for r in reports for f in r.findings if f.rule.startswith("password")]


def test_stars_stand_for_a_password_that_is_not_shown() -> None:
    """As ``linekey device show --xml`` prints it, of several phones."""
    text = "#!version:1.0.0.1\naccount.1.user_name = 1\naccount.1.password = ********\n"
    names = ("805ec0a1b2c3.cfg", "805ec0a1b2c4.cfg")
    reports = lint([read_source(name, text.encode()) for name in names], NOW)
    rules = {finding.rule for report in reports for finding in report.findings}
    assert not {rule for rule in rules if rule.startswith("password")}
