"""Contexts: what they refuse to be made of, and what they leave out and say so."""

import pytest
from tests.certificates import certificate, key
from tests.pair.tls_world import accept, device, server_identity

from linekey.certs.certificate import Certificate
from linekey.errors import CertificateError, InputError
from linekey.tls.engine import (
    Accept,
    ClientEngine,
    Identity,
    ServerContexts,
    client_context,
    server_context,
)
from linekey.tls.hello import parse_client_hello
from linekey.tls.parameters import (
    GROUPS,
    SIGNATURE_SCHEMES,
    extension_name,
    group_name,
    is_address,
    signature_name,
)
from linekey.tls.policy import INTERIM, LEGACY, MODERN
from linekey.tls.versions import Version


def hello_of(context, name="x.example"):
    return parse_client_hello(ClientEngine(context, server_name=name).take_output())


def test_a_key_that_does_not_belong_to_its_certificate_is_refused():
    wrong = Identity(server_identity().chain, key("world 20"))
    with pytest.raises(CertificateError, match="cannot be used") as caught:
        server_context(wrong, MODERN, verify=None)
    assert "key belongs to the first certificate" in caught.value.hint


def test_a_client_is_refused_a_key_that_does_not_belong_to_its_certificate():
    phone = device()
    wrong = Identity(phone.identity.chain, key("world 20"))
    context = client_context(verify=accept, issuers=[phone.intermediate])
    with pytest.raises(CertificateError, match="cannot be used") as caught:
        context.showing(wrong)
    assert "key belongs to the first certificate" in caught.value.hint
    with pytest.raises(CertificateError, match="cannot be used"):
        client_context(verify=accept, identity=wrong)


def test_a_context_is_shared_by_identities_of_the_same_issuers_alone():
    phone = device()
    context = client_context(verify=accept, issuers=[phone.intermediate])
    shown = context.showing(phone.identity)
    assert shown.ssl is context.ssl
    assert shown.own is not None
    assert shown.own.identity == phone.identity
    assert "RSAPrivateKey" not in repr(shown)
    assert shown.showing(None).own is None
    with pytest.raises(ValueError, match="other issuers"):
        context.showing(phone.leaf_only)


def test_an_identity_needs_a_certificate_and_hides_its_key():
    with pytest.raises(CertificateError):
        Identity((), key("world"))
    assert "RSAPrivateKey" not in repr(server_identity())


def test_a_self_issued_intermediate_is_refused_since_it_would_be_an_anchor():
    with pytest.raises(CertificateError, match="self-issued"):
        server_context(
            server_identity(), MODERN, verify=accept, intermediates=[device().root]
        )


def test_a_requirement_that_nobody_verifies_is_refused():
    with pytest.raises(InputError):
        server_context(server_identity(), MODERN, verify=None, require_certificate=True)


def test_the_same_authority_may_be_given_twice():
    root = device().root
    server_context(server_identity(), MODERN, verify=accept, roots=[root, root])


def test_a_certificate_with_a_negative_serial_number_still_serves():
    own = key("world 21", "rsa", 1024)
    odd = certificate("odd", own, serial=7)
    der = odd.der.replace(
        b"\x02\x01" + odd.serial.to_bytes(1, "big"), b"\x02\x01\xff", 1
    )
    negative = Certificate.from_der(der)
    assert negative.serial < 0
    server_context(Identity((negative, negative), own), LEGACY, verify=None)


def test_contexts_are_made_once_for_each_policy():
    made = ServerContexts(server_identity(), verify=None)
    assert made.context(MODERN) is made.context(MODERN)
    assert made.context(MODERN) is not made.context(INTERIM)
    assert made.context(INTERIM).policy_name == "interim"


def test_wrong_options_show_when_the_contexts_are_made():
    with pytest.raises(InputError):
        ServerContexts(server_identity(), verify=None, require_certificate=True)


def test_a_client_speaks_exactly_its_suites_in_its_order():
    order = [0x35, 0xC02F, 0x2F, 0xC013]
    context = client_context(
        verify=accept, min_version=Version.TLS1_0, max_version=Version.TLS1_2,
        suites=order, groups=[23, 29], signature_algorithms=[0x0401, 0x0201],
    )  # fmt: skip
    hello = hello_of(context)
    assert [n for n in hello.suites if n != 0xFF] == order
    assert hello.groups == (23, 29)
    assert hello.signature_algorithms == (0x0401, 0x0201)
    assert hello.max_version == Version.TLS1_2
    assert context.left_out == ()


def test_what_the_engine_cannot_speak_is_left_out_and_named():
    context = client_context(
        verify=accept, min_version=Version.TLS1_0, max_version=Version.TLS1_2,
        suites=[0x05, 0x2F, 0x7777, 0xFF], groups=[19, 23, 9999],
        signature_algorithms=[0x0101, 0x0401],
    )  # fmt: skip
    assert context.left_out == (
        "TLS_RSA_WITH_RC4_128_SHA",
        "unknown (0x7777)",
        "secp192r1",
        "unknown (0x270f)",
        "rsa_pkcs1_md5",
    )
    hello = hello_of(context)
    assert hello.groups in ((23,), ())  # OpenSSL sends none without an EC suite
    assert hello.signature_algorithms == (0x0401,)


def test_a_client_with_nothing_left_to_say_is_refused():
    with pytest.raises(InputError, match="none of the cipher suites TLS_RSA_WITH_3DES"):
        client_context(verify=accept, suites=[0x0A])
    with pytest.raises(InputError, match="secp192r1"):
        client_context(verify=accept, groups=[19])


def test_ssl_3_and_crossed_versions_are_refused():
    with pytest.raises(InputError, match="SSLv3"):
        client_context(verify=accept, min_version=Version.SSL3)
    with pytest.raises(InputError, match="above"):
        client_context(
            verify=accept, min_version=Version.TLS1_3, max_version=Version.TLS1_2
        )


def test_suites_of_one_era_keep_the_versions_to_it():
    assert (
        hello_of(client_context(verify=accept, suites=[0xC02F])).max_version == 0x0303
    )
    assert hello_of(client_context(verify=accept, suites=[0x1301])).versions == (
        0x0304,
    )
    both = client_context(verify=accept, suites=[0x1302, 0xC02F])
    assert hello_of(both).versions == (0x0304, 0x0303)


def test_addresses_send_no_name_and_names_lose_their_final_dot():
    context = client_context(verify=lambda _: Accept())
    assert hello_of(context, "192.0.2.1").server_name is None
    assert hello_of(context, "[2001:db8::1]").server_name is None
    assert hello_of(context, "prov.example.").server_name == "prov.example"
    assert hello_of(context, "büro.example").server_name == "xn--bro-hoa.example"


def test_hosts_are_told_from_addresses():
    for text in ("192.0.2.1", "::1", "[::1]", "fe80::1%eth0"):
        assert is_address(text)
    for text in ("example.com", "1.2.3", "192.0.2.1.example", "", "localhost"):
        assert not is_address(text)


def test_every_number_has_a_name():
    assert group_name(23) == "secp256r1"
    assert group_name(29) == "x25519"
    assert group_name(30) == "x448"
    assert group_name(26) == "brainpoolP256r1"
    assert group_name(0x2A2A) == "GREASE (0x2a2a)"
    assert signature_name(0x0807) == "ed25519"
    assert signature_name(0x1234) == "unknown (0x1234)"
    assert extension_name(43) == "supported_versions"
    assert len(set(GROUPS.values())) == len(GROUPS)
    assert len(set(SIGNATURE_SCHEMES.values())) == len(SIGNATURE_SCHEMES)
