"""The authorities, reports: the small pieces of the phone."""

import json
from dataclasses import replace

import pytest
from tests.phone_pki import MAC, NOW, authority, device, server

from linekey.catalog.firmware import Firmware
from linekey.catalog.known_settings import known_settings
from linekey.catalog.models import MODELS
from linekey.catalog.profile import all_profiles
from linekey.catalog.root_lists import lists_for
from linekey.phone.defaults import default_of
from linekey.phone.document import LIMITS
from linekey.phone.events import FirmwareChanged, SettingEntered
from linekey.phone.machine import Machine
from linekey.phone.report import (
    describe_certificates,
    describe_phone,
    describe_settings,
)
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.user_agent import user_agent
from linekey.trust.judge import judge


def test_the_authorities_are_the_makers_and_mozillas_list_of_the_firmware() -> None:
    maker = authority("A maker").certificate
    lists = lists_for(Firmware.parse("8.7.5.35"))
    phone = new_phone(MAC, "D715", "8.7.5.35").with_roots(lists, (maker, maker))
    assert phone.trust.authorities == (maker, *lists.newest)
    kept = PhoneState.from_dict(json.loads(json.dumps(phone.as_dict())))
    assert kept.maker_authorities == (maker,)
    assert kept.trust.authorities == ()  # the firmware brings them


def test_a_verdict_that_hangs_on_the_firmwares_date_says_so_first() -> None:
    chain, root = server().chain, authority().certificate
    lists = lists_for(Firmware.parse("10.1.999.9"))
    newest = replace(lists, newest=(*lists.newest, root))
    phone = new_phone(MAC, "D785", "10.1.999.9").with_roots(newest)
    verdict = phone.verdict_on(chain, "127.0.0.1", NOW)
    assert verdict.accepted
    assert verdict.findings[0].rule == "phone.firmware-date"
    both = replace(newest, oldest=(root,))
    verdict = phone.with_roots(both).verdict_on(chain, "127.0.0.1", NOW)
    assert verdict.accepted
    assert verdict.findings[0].rule != "phone.firmware-date"
    # The maker's CAs are in every list.
    verdict = phone.with_roots(lists, (root,)).verdict_on(chain, "127.0.0.1", NOW)
    assert verdict.accepted
    assert verdict.findings[0].rule != "phone.firmware-date"


def test_new_firmware_brings_its_own_list_and_keeps_the_makers_authorities() -> None:
    maker = authority("A maker").certificate
    old = Firmware.parse("10.1.20.0")
    machine = Machine(new_phone(MAC, "D785", old).with_roots(lists_for(old), (maker,)))
    new = Firmware.parse("10.1.226.16")
    machine.handle(FirmwareChanged(new), NOW)
    state = machine.state
    assert state.trust.authorities == (maker, *lists_for(new).newest)
    assert "2026-07-24" in state.log[-1].text or "2026-07-24" in state.log[-2].text


def test_no_revocation_list_is_ever_looked_at() -> None:
    state = new_phone(MAC, "D785", "10.1.33.33", authorities=(authority().certificate,))
    verdict = judge(
        server().chain, "127.0.0.1", state.trust, state.profile, state.tls_settings, NOW
    )
    assert verdict.accepted
    (finding,) = [f for f in verdict.findings if f.rule == "chain.revocation"]
    assert not finding.refuses


@pytest.mark.parametrize("row", all_profiles(), ids=lambda r: r.name)
def test_every_phone_of_the_catalogue_can_be_made_and_told_of(row) -> None:
    state = new_phone(
        MAC,
        row.model.name,
        row.firmware,
        builtin=device(MAC, row.builtin_generation.value),
    )
    json.dumps(describe_phone(state), default=str)
    json.dumps(describe_certificates(state), default=str)
    assert describe_settings(state) == []
    assert state.authenticates_servers is (row.firmware.branch >= (10, 0))
    said = user_agent(row.model, row.firmware, MAC)
    named = (
        f"Snom {row.model.name} "
        if row.model.is_dect_base
        else f"{row.model.user_agent_name}-SIP "
    )
    assert f"compatible; {named}{row.firmware}" in said
    for name in known_settings():
        assert isinstance(default_of(name, row), str)


DEFAULTS = {
    # Settings dumps: what is off, what is "best", what is gone in 10.1.
    "8.2.29": {"tls_server_authentication": ""},
    "8.7.3.17": {
        "tls_server_authentication": "off", "check_fqdn_against_server_cert": "",
        "host_name_validation_flags": "", "phone_cert_type": "",
        "empty_tls_client_cert": "off",
    },
    "8.7.5.70": {
        "tls_server_authentication": "off", "check_fqdn_against_server_cert": "off",
        "host_name_validation_flags": "2", "phone_cert_type": "",
    },
    "8.7.5.75": {
        "tls_server_authentication": "off", "check_fqdn_against_server_cert": "off",
        "host_name_validation_flags": "0", "empty_tls_client_cert": "off",
        "skip_provisioning_urls_on_tls_error": "off", "phone_cert_type": "",
    },
    "10.1.25.0": {
        "tls_server_authentication": "", "check_fqdn_against_server_cert": "on",
        "host_name_validation_flags": "0", "empty_tls_client_cert": "off",
        "skip_provisioning_urls_on_tls_error": "off", "phone_cert_type": "best",
    },
}  # fmt: skip


@pytest.mark.parametrize("firmware", DEFAULTS)
def test_settings_have_the_defaults_of_their_firmware(firmware: str) -> None:
    state = new_phone(MAC, "D715", firmware)
    wanted = DEFAULTS[firmware]
    assert {name: state.setting(name) for name in wanted} == wanted


def test_the_switch_of_8_x_is_read_as_it_stands() -> None:
    machine = Machine(new_phone(MAC, "D715", "8.9.3.60"))
    machine.handle(SettingEntered("tls_server_authentication", "on"), NOW)
    assert machine.state.setting("tls_server_authentication") == "on"


@pytest.mark.parametrize(
    ("firmware", "password"),
    [("10.1.184.9", "0000"), ("10.1.185.0", ""), ("8.9.3.60", "0000")],
)
def test_the_administrators_password_has_its_firmwares_default(
    firmware: str, password: str
) -> None:
    assert new_phone(MAC, "D785", firmware).setting("admin_mode_password") == password


def test_the_catalogue_is_not_empty() -> None:
    assert len(MODELS) >= 21
    assert LIMITS.depth <= 32
