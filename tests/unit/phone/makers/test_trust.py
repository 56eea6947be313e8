"""What a maker's file says of trust is what the phone does."""

from dataclasses import replace

import pytest
from tests.certificates import MAC, NOW, ca, leaf

from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware
from linekey.certs.pem import to_pem
from linekey.makers.all import MAKERS
from linekey.makers.grammar import Line
from linekey.makers.maker import Ca, TrustSettings
from linekey.phone.apply import apply_document
from linekey.phone.makers.files import read_file
from linekey.phone.makers.trust import ROWS, read_trust
from linekey.phone.state import PhoneState, new_phone

NAME = "prov.example.com"
ROOT, PUBLIC = ca("own root"), ca("public root")
OWN, OTHER = (leaf(ROOT, NAME),), (leaf(PUBLIC, NAME),)
MODELS = {"yealink": "T46U", "poly": "VVX450", "grandstream": "GRP2614"}


def phone(maker: str) -> PhoneState:
    model = find_model(MODELS[maker])
    return new_phone(
        MAC, model.name, newest_firmware(model), authorities=[PUBLIC.certificate]
    )


def fed(maker_id: str, lines: list[Line]) -> PhoneState:
    maker = MAKERS[maker_id]
    url = f"/cfg{MAC.digits.lower()}.xml"
    document = read_file(maker, url, maker.grammar.write(lines), MAC)
    state = apply_document(phone(maker_id), document, url, NOW).state
    # a CA by URL is fetched later; here it has come
    if any(line.url for line in document.certificates):
        intake = state.trust.provision(ROOT.certificate, at=NOW, signed_by_rule=False)
        state = replace(state, trust=intake.store)
    return state


def accepts(state: PhoneState, chain=OWN, name: str = NAME) -> bool:
    return state.verdict_on(chain, name, NOW).accepted


@pytest.mark.parametrize("maker", MODELS)
def test_what_linekey_writes_has_the_phone_verify_chain_and_name(maker: str) -> None:
    cas = (Ca(to_pem(ROOT.certificate), "https://x.example/ca.der", "00"),)
    lines, notes = MAKERS[maker].trust_lines(TrustSettings(cas))
    assert notes == []
    state = fed(maker, lines)
    assert state.authenticates_servers
    assert state.tls_settings.check_fqdn
    assert accepts(state)
    assert accepts(state, OTHER)
    assert not accepts(state, name="other.example.com")
    assert not accepts(state, (leaf(ca("stranger"), NAME),))


@pytest.mark.parametrize(
    ("maker", "line"),
    [
        ("yealink", Line("static.security.trust_certificates", "0")),
        ("grandstream", Line("P8463", "0")),
    ],
)
def test_verification_can_be_switched_off_where_the_maker_can(maker, line) -> None:
    state = fed(maker, [line])
    assert not state.authenticates_servers
    assert accepts(state, (leaf(ca("stranger"), NAME),))


def test_poly_has_no_switch_for_it() -> None:
    assert phone("poly").authenticates_servers
    assert not any(row.says.name == "VERIFY" for row in ROWS["poly"])


@pytest.mark.parametrize(
    ("maker", "line"),
    [
        ("yealink", Line("static.security.cn_validation", "0")),
        ("poly", Line("device.sec.TLS.prov.strictCertCommonNameValidation", "0")),
        ("grandstream", Line("P22030", "0")),
    ],
)
def test_the_name_check_can_be_switched_off(maker, line) -> None:
    assert not fed(maker, [line]).tls_settings.check_fqdn


@pytest.mark.parametrize(
    ("value", "own", "built_in"),
    [("0", False, True), ("1", True, False), ("2", True, True)],
)
def test_yealink_says_which_cas_count(value: str, own: bool, built_in: bool) -> None:
    state = fed("yealink", [
        Line("static.security.trust_certificates", "1"),
        Line("static.security.ca_cert", value),
        Line("static.trusted_certificates.url", "https://x.example/ca.der"),
    ])  # fmt: skip
    assert accepts(state) is own
    assert accepts(state, OTHER) is built_in


def test_a_ca_that_is_given_does_not_count_by_yealinks_default() -> None:
    lines = [Line("static.trusted_certificates.url", "https://x.example/ca.der")]
    state = fed("yealink", lines)
    assert not accepts(state)
    assert accepts(state.counting_all_cas())


@pytest.mark.parametrize(
    ("maker", "line", "left"),
    [
        ("yealink", Line("static.security.default_ssl_method", "5"), (0x0303,)),
        ("grandstream", Line("P22293", "11"), (0x0302, 0x0303)),
        ("poly", Line("device.sec.TLS.protocol.prov", "TLSv1_2"), (0x0303,)),
    ],
)
def test_the_lowest_tls_version_is_followed(maker, line, left) -> None:
    state = fed(maker, [line])
    assert state.speaks.versions == left
    assert state.profile.versions == (0x0301, 0x0302, 0x0303)


def test_a_value_that_means_nothing_changes_nothing() -> None:
    trust = read_trust("yealink", [
        Line("static.security.trust_certificates", "maybe"),
        Line("static.security.cn_validation", ""),
        Line("security.trust_certificates.x", "0"),
    ])  # fmt: skip
    assert trust.settings == ()
    assert read_trust("nobody", [Line("P8463", "0")]).settings == ()


def test_names_of_grandstreams_second_form_are_read_too() -> None:
    body = (
        b'<gs_provision version="1"><config version="2">'
        b'<item name="security.validate.serverCertificate">Yes</item>'
        b'<item name="provisioning.validateHostnameInCertificate">Yes</item>'
        b'<item name="trustedCACertificates.load">All Certificates</item>'
        b"</config></gs_provision>"
    )
    document = read_file(MAKERS["grandstream"], "/cfg.xml", body, MAC)
    state = apply_document(phone("grandstream"), document, "/cfg.xml", NOW).state
    assert state.authenticates_servers
    assert state.tls_settings.check_fqdn
    assert state.trusted == state.trust
