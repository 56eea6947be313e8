"""Settings that nobody set: the defaults of their firmware."""

import pytest
from tests.certificates import MAC, NOW

from linekey.phone.events import SettingEntered
from linekey.phone.machine import Machine
from linekey.phone.state import new_phone

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
