"""Which hello gets which policy, and in what words it is refused."""

import pytest

from linekey.tls.alerts import Alert
from linekey.tls.hello import ClientHello, new_client_hello
from linekey.tls.policy import (
    INTERIM,
    LEGACY,
    MODERN,
    POLICIES,
    Policy,
    choose,
    list_suites,
    missing_suites,
)
from linekey.tls.suites import FALLBACK_SCSV, SUITES, by_name
from linekey.tls.versions import Version

R = bytes(32)


def hello(version: Version, *suites: int | str) -> ClientHello:
    numbers = [s if isinstance(s, int) else by_name(s).number for s in suites]
    return new_client_hello(random=R, max_version=version, suites=numbers)


def hello13(*suites: int, versions: tuple[int, ...] = (0x0304, 0x0303)) -> ClientHello:
    body = bytes([2 * len(versions)]) + b"".join(v.to_bytes(2, "big") for v in versions)
    return ClientHello(
        legacy_version=0x0303, random=R, suites=suites, extensions=((43, body),)
    )


@pytest.mark.parametrize(
    "modern", [s.number for s in MODERN.suite_values if not s.tls13]
)
def test_tls_1_2_with_any_modern_suite_gets_modern_and_nothing_else(modern):
    old = [s.number for s in (*INTERIM.suite_values, *LEGACY.suite_values)]
    assert choose(hello(Version.TLS1_2, *old, modern)).policy is MODERN
    assert choose(hello(Version.TLS1_2, 0x0A, modern)).policy is MODERN


def test_no_policy_holds_a_suite_of_a_weaker_one():
    modern = {s.number for s in MODERN.suite_values}
    assert modern.isdisjoint(s.number for s in INTERIM.suite_values)
    assert modern.isdisjoint(s.number for s in LEGACY.suite_values)
    assert LEGACY.max_version < INTERIM.min_version
    assert all(s.aead for s in MODERN.suite_values)
    assert {s.key_exchange for s in MODERN.suite_values} == {"ANY", "ECDHE", "DHE"}


def test_no_policy_allows_what_is_broken():
    for policy in POLICIES.values():
        for suite in policy.suite_values:
            assert suite.cipher in {"AES", "CHACHA20"}
            assert suite.authentication in {"RSA", "ECDSA", "ANY"}
            assert suite.mac != "MD5"
            assert not suite.export


def test_tls_1_3_gets_modern():
    assert choose(hello13(0x1301)).policy is MODERN
    assert choose(hello13(0x1302, versions=(0x0304,))).policy is MODERN


def test_a_hello_that_offers_tls_1_3_gets_it_or_nothing():
    # OpenSSL settles the version first, as RFC 8446 §4.2.1 has it; falling to TLS 1.2
    # would go without the mark of a downgrade (§4.1.3), or be refused for it.
    for suite in (0x2F, 0xC02F, 0x1304):
        choice = choose(hello13(suite))
        assert (choice.policy, choice.alert) == (None, Alert.HANDSHAKE_FAILURE)
        assert choice.reason.endswith("since both ends speak TLSv1.3")
    alone = choose(hello13(0x1304, versions=(0x0304,)))
    assert "offers only TLS_AES_128_CCM_SHA256; " in alone.reason


@pytest.mark.parametrize(
    "suite", ["AES128-SHA", "AES256-GCM-SHA384", "DHE-RSA-AES256-SHA"]
)
def test_tls_1_2_without_modern_suites_gets_interim(suite):
    assert choose(hello(Version.TLS1_2, "RC4-SHA", suite)).policy is INTERIM


@pytest.mark.parametrize("version", [Version.TLS1_0, Version.TLS1_1])
def test_old_phones_get_legacy(version):
    assert choose(hello(version, "DES-CBC3-SHA", "AES128-SHA")).policy is LEGACY
    # a modern suite in an old hello can not be used there
    assert choose(hello(version, "ECDHE-RSA-AES128-GCM-SHA256")).policy is None


@pytest.mark.parametrize("version", [Version.TLS1_0, Version.TLS1_1, Version.TLS1_2])
def test_a_hello_that_says_it_is_a_fallback_is_refused(version):
    choice = choose(
        hello(version, "AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256", FALLBACK_SCSV)
    )
    assert (choice.policy, choice.alert) == (None, Alert.INAPPROPRIATE_FALLBACK)
    assert version.label in choice.reason


def test_a_fallback_signal_in_our_best_version_is_none():
    assert choose(hello13(0x1301, FALLBACK_SCSV)).policy is MODERN
    refused = choose(hello13(0x2F, FALLBACK_SCSV))
    assert refused.alert is Alert.HANDSHAKE_FAILURE  # and not inappropriate_fallback


def test_ssl_3_is_refused_in_words():
    choice = choose(hello(Version.SSL3, "DES-CBC3-SHA"))
    assert (choice.policy, choice.alert) == (None, Alert.PROTOCOL_VERSION)
    assert (
        choice.reason
        == "the client speaks only SSLv3; this server needs TLSv1 or newer"
    )


def test_a_3des_only_phone_is_refused_with_both_lists():
    choice = choose(hello(Version.TLS1_0, "DES-CBC3-SHA", 0xFF))
    assert choice.policy is None
    assert choice.alert is Alert.HANDSHAKE_FAILURE
    assert choice.reason.startswith(
        "the client offers only TLS_RSA_WITH_3DES_EDE_CBC_SHA; this server's LEGACY"
        " policy needs one of TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "
    )


@pytest.mark.parametrize(
    "name",
    ["NULL-SHA", "ADH-AES128-SHA", "EXP-RC4-MD5", "DES-CBC-SHA", "RC4-SHA", "RC4-MD5"],
)
def test_weak_suites_alone_get_nothing_in_any_version(name):
    for version in (Version.TLS1_0, Version.TLS1_1, Version.TLS1_2):
        assert choose(hello(version, name)).policy is None


def test_a_version_from_the_future_alone_is_refused():
    choice = choose(hello13(0x1301, versions=(0x0305,)))
    assert choice.policy is None
    assert choice.alert is Alert.PROTOCOL_VERSION


def test_lists_in_sentences_are_short_and_without_signals():
    assert list_suites([]) == "no cipher suite"
    assert list_suites([0xFF, 0x5600, 0x2A2A]) == "no cipher suite"
    assert list_suites(list(SUITES)[:8]).endswith(" and 2 more")


def test_what_the_engine_cannot_speak_is_picked_out():
    assert missing_suites([0x2F, 0x0A, 0xFF, 0x3A3A, 0x7777]) == (0x0A, 0x7777)


def test_a_policy_with_a_suite_openssl_does_not_know_is_refused():
    for name in ("DES-CBC3-SHA", "NO-SUCH-SUITE"):
        with pytest.raises(ValueError, match=name):
            Policy("x", Version.TLS1_0, Version.TLS1_2, (name,), (), (), ())
