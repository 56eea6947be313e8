"""The check's phones are the phone: the same documents, the same verdict."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import NOW, ca, leaf

from linekey.catalog.profile import Profile, all_profiles, profile
from linekey.catalog.root_lists import lists_for
from linekey.certs.pem import to_base64
from linekey.check.assess import Question, assess_chain
from linekey.check.classes import classes_of
from linekey.check.hellos import Hello, derive
from linekey.check.phones import Setup, gather
from linekey.mac import Mac
from linekey.phone.apply import take_document
from linekey.phone.document import PhoneDocument, parse_document
from linekey.phone.events import PoweredOn
from linekey.phone.machine import Machine
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.provisioning.events import DocumentFetched, Fetch

NAME = "prov.example.com"
KNOWN, STRANGE = ca("known"), ca("strange")
MIDDLE = ca("middle", KNOWN)
CHAINS = (
    (leaf(KNOWN, NAME),),
    (leaf(KNOWN, "*.example.com"),),
    (leaf(KNOWN, "p*.example.com"),),
    (leaf(KNOWN, "other.example.net"),),
    (leaf(STRANGE, NAME),),
    (leaf(MIDDLE, NAME),),
    (leaf(KNOWN, NAME, not_after=NOW - timedelta(days=1)),),
)
LISTS = {
    p.firmware: replace(
        lists_for(p.firmware),
        newest=(KNOWN.certificate,), oldest=None, oldest_date=None,
    )
    for p in all_profiles()
}  # fmt: skip

NAMES = st.sampled_from([
    "tls_server_authentication", "check_fqdn_against_server_cert",
    "host_name_validation_flags", "TLS_Server_Authentication",
    "Check_FQDN_against_server_cert", "host_name_validation_FLAGS",
    "host_name_validation_flags1", "empty_tls_client_cert", "phone_cert_type",
])  # fmt: skip
VALUES = st.one_of(
    st.sampled_from([
        "on", "On", " ON ", "true", "yes", "1", "off", "Off", "0", "no", "false", "",
        "maybe", "2", "8", "40", "31", "32", "031", "0000000001", "-1", "+8", "3 1",
        "8.0", "0x8", "\u0662", "99999", "sha256",
    ]),
    st.integers(-1, 70).map(str),
    st.text("0123456789onfXx \t\u00e9", max_size=5),
)  # fmt: skip
LINES = st.lists(
    st.tuples(
        NAMES,
        VALUES,
        st.sampled_from(["", ' perm="RW"', ' perm="!"', ' perm="V"', ' perm="?"']),
        st.sampled_from(["", "", "", ' idx="1"', ' idx="x"']),
    ),
    max_size=5,
)
CERTIFICATES = st.lists(
    st.sampled_from([STRANGE.certificate, MIDDLE.certificate, CHAINS[4][0]]), max_size=2
)


def to_bytes(lines, certificates) -> bytes:  # type: ignore[no-untyped-def]
    settings = "".join(f"<{n}{p}{i}>{v}</{n}>" for n, v, p, i in lines)
    pems = "".join(
        f'<certificate type="base64">{to_base64(c)}</certificate>' for c in certificates
    )
    return (
        f"<settings><phone-settings>{settings}</phone-settings>"
        f"<certificates>{pems}</certificates></settings>"
    ).encode()


def provisioned(row: Profile, bodies: list[bytes]) -> PhoneState:
    """A virtual phone that booted and was given these documents."""
    machine = Machine(
        new_phone(
            Mac("000413AABBCC"), row.model.name, row.firmware,
            setting_server="http://prov.test/p",
        ).with_roots(LISTS[row.firmware])
    )  # fmt: skip
    commands = machine.handle(PoweredOn(), NOW)
    left = list(bodies)
    while commands and isinstance(fetch := commands[-1], Fetch):
        body = left.pop(0)
        commands = machine.handle(DocumentFetched(fetch, 200, body, fetch.url), NOW)
    assert not left
    return machine.state


@given(st.sampled_from(all_profiles()), LINES, LINES, CERTIFICATES)
def test_whatever_is_provisioned_check_and_phone_have_one_verdict(
    row, general, own, certificates
) -> None:  # type: ignore[no-untyped-def]
    bodies = [to_bytes(general, ()), to_bytes(own, certificates)]
    phone = provisioned(row, bodies)
    setup = Setup(
        documents=tuple(parse_document(body) for body in bodies),
        authorities=(KNOWN.certificate,),
    )
    (phones,) = classes_of(gather([row], NAME, setup, now=NOW).phones)
    assert phones.first.state.tls_settings == phone.tls_settings
    assert phones.first.state.trust == phone.trust
    for chain in CHAINS:
        verdict = phone.verdict_on(chain, NAME, NOW)
        result = assess_chain(phones, chain, Question(NAME, NOW))
        refusals = [f for f in result.findings if f.refuses]
        assert refusals == [f for f in verdict.findings if f.refuses]
        assert set(verdict.findings) <= set(result.findings)


def gathered(
    row: Profile, certificates=(), **settings: str
) -> tuple[PhoneState, tuple[str, ...]]:  # type: ignore[no-untyped-def]
    setup = Setup(certificates, (PhoneDocument.of_settings(settings),), authorities=())
    found = gather([row], NAME, setup, now=NOW)
    return found.phones[0].state, found.notes


NEW, OLD = profile("D785", "10.1.33.33"), profile("D715", "8.7.5.35")


def test_a_sum_of_flags_beyond_31_is_no_sum_of_flags() -> None:
    state, notes = gathered(NEW, host_name_validation_flags="40")
    assert state.tls_settings.host_flags == NEW.host_flags_default
    assert notes == (
        "host_name_validation_flags is not a number from 0 to 31; the default "
        f"{NEW.host_flags_default} holds",
    )


def test_server_authentication_cannot_be_switched_off_where_it_is_forced() -> None:
    state, notes = gathered(NEW, tls_server_authentication="Off")
    assert state.tls_settings.server_authentication
    assert "off is ignored: firmware 10.1.33.33 always authenticates" in notes[0]


def test_a_setting_that_the_firmware_does_not_know_is_told() -> None:
    before = profile("720", "8.7.3.25.9")
    _, notes = gathered(before, check_fqdn_against_server_cert="on")
    assert "firmware 8.7.3.25.9 does not know it" in notes[0]


def test_the_order_of_settings_does_not_make_one_of_them_idle() -> None:
    row = profile("D785", "8.9.3.80")
    state, notes = gathered(
        row, check_fqdn_against_server_cert="on", tls_server_authentication="on"
    )
    assert state.tls_settings.check_fqdn
    assert notes == ()


def test_a_certificate_that_the_firmware_refuses_is_told_with_its_reason() -> None:
    state, notes = gathered(OLD, (STRANGE.certificate,))
    assert state.trust.server_certificates == ()
    (note,) = notes
    assert "signed by none of the phone's authorities" in note


def test_phones_of_one_list_of_roots_and_one_setup_share_one_class() -> None:
    setup = Setup(firmware_date=date(2020, 1, 1))
    rows = [profile(m, "10.1.33.33") for m in ("D785", "D385")]
    assert len(classes_of(gather(rows, NAME, setup, now=NOW).phones)) == 1


@pytest.mark.parametrize("idx", [0, 13])
def test_an_idx_that_no_account_has_is_left_out_and_told(idx: int) -> None:
    text = f'<settings><phone-settings><user_name idx="{idx}" perm="">x</user_name>'
    text += '<user_name idx="12" perm="">y</user_name></phone-settings></settings>'
    state = new_phone(Mac("000413000001"), "D785", "10.1.33.33")
    taken = take_document(state, parse_document(text.encode()), "x.xml", NOW).state
    assert taken.settings.entry("user_name", idx) is None
    assert taken.settings.get("user_name", 12) == "y"
    said = [line for entry in taken.log for line in (entry.text, *entry.details)]
    assert any(f"has no idx {idx}: it is 1 to 12" in line for line in said)


def test_the_hello_of_a_kind_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def counted(*given: Any) -> Hello:
        built.append(given)
        return derive(*given)

    monkeypatch.setattr("linekey.check.phones.derive", counted)
    rows = [profile(m, "10.1.33.33") for m in ("D785", "D715", "D785", "D785")]
    phones = gather(rows, NAME, Setup(), now=NOW).phones
    assert len(built) == 2
    assert [phone.hello for phone in phones] == [derive(row, NAME) for row in rows]
