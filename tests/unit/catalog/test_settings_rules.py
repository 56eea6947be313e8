"""Every rule that begins with a firmware, its beginning typed from its source."""

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.profile import profile
from linekey.catalog.settings_rules import SINCE_RULES, STANDING_RULES

# Attribute of the profile, firmware just before and at each beginning, value at it.
CASES = [
    # SNOM-TLS, Version 8.x: a setting to require verification, starting with FW 8.2.30
    ("server_auth_available", "8.2.29", False),
    ("server_auth_available", "8.2.30", True),
    # SNOM-TLS: 8.x does not verify by default; "as of version 10.x … forced"
    ("server_auth_default", "8.9.3.80", False),
    ("server_auth_default", "10.0.0.1", True),
    ("server_auth_forced", "8.9.3.80", False),
    ("server_auth_forced", "10.1.20.0", True),
    # SNOM-SETTING: check_fqdn_against_server_cert, 8.8.3.26; on in 10.x, off in 8.x
    # (SNOM-DUMP: a late 8.7.5 has it, too)
    ("check_fqdn_available", "8.7.4.99", False),
    ("check_fqdn_available", "8.7.5.0", True),
    ("check_fqdn_available", "8.7.5.75", True),
    ("check_fqdn_available", "8.8.3.25", False),
    ("check_fqdn_available", "8.8.3.26", True),
    ("check_fqdn_default", "8.7.5.75", False),
    ("check_fqdn_default", "8.9.3.60", False),
    ("check_fqdn_default", "10.1.20.0", True),
    # SNOM-SETTING: host_name_validation_flags, 8.7.5; default 2 before 8.7.5.71, then 0
    ("host_flags_available", "8.7.4.99", False),
    ("host_flags_available", "8.7.5", True),
    ("host_flags_default", "8.7.5.70", 2),
    ("host_flags_default", "8.7.5.71", 0),
    ("host_flags_default", "10.1.33.33", 0),
    # SNOM-TLS: base64 and the end of the signed-by rule, 8.7.5.52/8.9.3.41, per branch
    ("base64_certificates", "8.7.5.51", False),
    ("base64_certificates", "8.7.5.52", True),
    ("base64_certificates", "8.9.3.40", False),
    ("base64_certificates", "8.9.3.41", True),
    ("base64_certificates", "10.1.20.0", True),
    ("signed_by_rule", "8.7.5.51", True),
    ("signed_by_rule", "8.7.5.52", False),
    ("signed_by_rule", "8.9.3.40", True),
    ("signed_by_rule", "8.9.3.41", False),
    # SNOM-TLS: phone_cert_type from 8.9.3.40
    ("ldap_substrings", "10.1.26.1", False),
    ("ldap_substrings", "10.1.27.0", True),
    ("ldap_substrings", "8.9.3.96", False),
    ("phone_cert_type", "8.9.3.39", False),
    ("phone_cert_type", "8.9.3.40", True),
    ("phone_cert_type", "8.7.5.80", False),
    # SNOM-SETTING: SIP with SRV, from 10.1.63.0
    ("sip_srv_checks_proxy", "10.1.62.9", False),
    ("sip_srv_checks_proxy", "10.1.63.0", True),
    # SNOM-TLS: SHA-2 starting with 8.9.3.60 and 10.1.x (a D765, SHA-1 by birth)
    ("supports_sha2", "8.7.5.80", False),
    ("supports_sha2", "8.9.3.59", False),
    ("supports_sha2", "8.9.3.60", True),
    ("supports_sha2", "10.1.0.0", True),
]


@pytest.mark.parametrize(("attribute", "firmware", "value"), CASES)
def test_a_rule_begins_where_its_source_says(
    attribute: str, firmware: str, value: object
) -> None:
    assert getattr(profile("D765", firmware), attribute) == value


@pytest.mark.parametrize("rule", SINCE_RULES, ids=lambda rule: rule.name)
def test_a_rule_has_source_and_confidence_and_says_which_side_holds(rule) -> None:  # type: ignore[no-untyped-def]
    assert rule.source.startswith(("SNOM-TLS, ", "SNOM-SETTING", "SNOM-LDAP"))
    assert rule.confidence in ("H", "M", "L")
    old, new = Firmware.parse("1.0"), Firmware.parse("99.0")
    assert rule.rule(old).statement.startswith(rule.before)
    assert rule.rule(new).statement.startswith(rule.now)
    assert str(rule.since) in rule.rule(new).statement


def test_limitations_of_the_seed_are_standing_rules() -> None:
    assert {"revocation.crl", "lifecycle"} <= {rule.name for rule in STANDING_RULES}
    assert all(rule.source and rule.confidence for rule in STANDING_RULES)
