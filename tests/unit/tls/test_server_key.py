"""What a server's key adds to the choice of a policy: signature, curve and group.

``tests/live/test_tls_openssl.py`` holds the same rules against OpenSSL itself; here
each stands alone, so that a change of one is seen at once.
"""

import pytest

from linekey.tls.alerts import Alert
from linekey.tls.hello import ClientHello, new_client_hello
from linekey.tls.parameters import GROUPS, SIGNATURE_SCHEMES
from linekey.tls.policy import INTERIM, LEGACY, MODERN, PolicyChoice, choose
from linekey.tls.server_key import ServerKey
from linekey.tls.suites import by_name
from linekey.tls.versions import Version

SCHEME = {name: number for number, name in SIGNATURE_SCHEMES.items()}
GROUP = {name: number for number, name in GROUPS.items()}
RSA = ServerKey("RSA")
P256 = ServerKey("EC", curve=GROUP["secp256r1"])
SHA256 = ("rsa_pkcs1_sha256",)


def hello(
    *suites: str,
    groups: tuple[str, ...] = (),
    schemes: tuple[str, ...] = SHA256,
    version: Version = Version.TLS1_2,
) -> ClientHello:
    return new_client_hello(
        random=bytes(32),
        max_version=version,
        suites=[by_name(name).number for name in suites],
        groups=tuple(GROUP[name] for name in groups),
        signature_algorithms=tuple(SCHEME[name] for name in schemes),
    )


def vector(*numbers: int) -> bytes:
    body = b"".join(number.to_bytes(2, "big") for number in numbers)
    return len(body).to_bytes(2, "big") + body


def hello13(
    group: str = "x25519",
    scheme: str | None = "rsa_pss_rsae_sha256",
    *,
    share: bool = True,
    session: bool = False,
) -> ClientHello:
    extensions = [(43, b"\x02\x03\x04"), (10, vector(GROUP[group]))]
    if scheme:
        extensions.append((13, vector(SCHEME[scheme])))
    if share:
        extensions.append((51, b"\0\0"))
    if session:
        extensions.append((41, b""))
    return ClientHello(
        legacy_version=0x0303,
        random=bytes(32),
        suites=(0x1301,),
        extensions=tuple(extensions),
    )


def refused(choice: PolicyChoice, words: str) -> bool:
    return choice.policy is None and words in choice.reason


ECDHE = "ECDHE-RSA-AES128-GCM-SHA256"
DHE = "DHE-RSA-AES128-GCM-SHA256"


def test_a_suite_with_ecdhe_needs_a_group_in_common() -> None:
    assert choose(hello(ECDHE, groups=("secp256r1",)), RSA).policy is MODERN
    for groups in ((), ("sect233k1",), ("X25519MLKEM768",)):  # TLS 1.3's alone
        choice = choose(hello(ECDHE, groups=groups), RSA)
        assert refused(choice, "no key exchange group in common")
        assert choice.alert is Alert.HANDSHAKE_FAILURE


def test_without_a_group_in_common_what_needs_none_is_taken() -> None:
    assert choose(hello(ECDHE, "AES128-SHA"), RSA).policy is INTERIM


def test_a_client_that_names_groups_for_dhe_is_given_one_of_them_or_nothing() -> None:
    """RFC 7919 §4."""
    assert choose(hello(DHE), RSA).policy is MODERN, "it named none: any will do"
    assert choose(hello(DHE, groups=("ffdhe3072",)), RSA).policy is MODERN
    assert choose(hello(DHE, groups=("secp256r1",)), RSA).policy is MODERN
    choice = choose(hello(DHE, groups=("ffdhe8192",)), RSA)
    assert refused(choice, "no key exchange group in common")


@pytest.mark.parametrize("kind", ["RSA", "EC"])
def test_a_suite_is_served_by_a_key_of_its_kind_alone(kind: str) -> None:
    key = {"RSA": RSA, "EC": P256}[kind]
    mine = {"RSA": "ECDHE-RSA-", "EC": "ECDHE-ECDSA-"}[kind] + "AES128-GCM-SHA256"
    other = {"EC": "ECDHE-RSA-", "RSA": "ECDHE-ECDSA-"}[kind] + "AES128-GCM-SHA256"
    schemes = ("ecdsa_secp256r1_sha256", "rsa_pkcs1_sha256")
    asks = {"groups": ("secp256r1",), "schemes": schemes}
    assert choose(hello(mine, **asks), key).policy is MODERN
    assert refused(choose(hello(other, **asks), key), "none of these fits")


def test_the_client_takes_a_signature_that_the_key_makes() -> None:
    asks = {"groups": ("secp256r1",)}
    for schemes in (("ecdsa_secp256r1_sha256",), ("ed25519",), ("dsa_sha256",)):
        choice = choose(hello(ECDHE, schemes=schemes, **asks), RSA)
        assert refused(choice, "takes no signature"), schemes
    small = ServerKey("RSA", bits=512)  # too short for SHA-512 with its padding
    only = ("rsa_pkcs1_sha512",)
    assert choose(hello(ECDHE, schemes=only, **asks), RSA).policy is MODERN
    assert choose(hello(ECDHE, schemes=only, **asks), small).policy is None


def test_a_client_that_sends_no_list_takes_sha_1() -> None:
    """RFC 5246 §7.4.1.4.1."""
    assert choose(hello("AES128-SHA", schemes=()), RSA).policy is INTERIM


@pytest.mark.parametrize("version", [Version.TLS1_0, Version.TLS1_1])
def test_below_tls_1_2_no_signature_is_negotiated(version: Version) -> None:
    asked = hello("AES128-SHA", schemes=(), version=version)
    assert choose(asked, RSA).policy is LEGACY
    assert choose(asked, ServerKey("Ed25519")).policy is None


def test_what_signs_the_certificate_is_on_the_list_for_certificates() -> None:
    asked = hello("AES128-SHA")
    listed = ClientHello(
        legacy_version=0x0303,
        random=bytes(32),
        suites=asked.suites,
        extensions=(*asked.extensions, (50, vector(SCHEME["ecdsa_secp256r1_sha256"]))),
    )
    assert choose(asked, RSA).policy is INTERIM
    assert refused(choose(listed, RSA), "of the kind that is on its certificate")


def test_the_curve_of_an_ec_key_is_one_that_the_client_knows() -> None:
    suite, schemes = "ECDHE-ECDSA-AES128-GCM-SHA256", ("ecdsa_secp256r1_sha256",)
    known = hello(suite, groups=("x25519", "secp256r1"), schemes=schemes)
    assert choose(known, P256).policy is MODERN
    unknown = hello(suite, groups=("x25519", "secp384r1"), schemes=schemes)
    assert refused(choose(unknown, P256), "does not know the curve")


def test_a_key_that_may_only_decrypt_gets_key_transport() -> None:
    key = ServerKey("RSA", may_sign=False)
    both = hello(ECDHE, "AES128-SHA", groups=("secp256r1",))
    chosen = choose(both, key).policy
    assert chosen is not None
    assert {by_name(name).key_exchange for name in chosen.suites} == {"RSA"}
    ec = ServerKey("EC", curve=GROUP["secp256r1"], may_sign=False)
    suite, schemes = "ECDHE-ECDSA-AES128-GCM-SHA256", ("ecdsa_secp256r1_sha256",)
    asked = hello(suite, groups=("secp256r1",), schemes=schemes)
    assert refused(choose(asked, ec), "lacks digitalSignature")


def test_tls_1_3_needs_a_group_a_signature_and_a_share() -> None:
    assert choose(hello13(), RSA).policy is MODERN
    assert refused(choose(hello13("sect233k1"), RSA), "no key exchange group in common")
    assert refused(choose(hello13(scheme="rsa_pkcs1_sha256"), RSA), "no signature")
    for wrong, missing in (
        (hello13(share=False), "without key_share"),
        (hello13(scheme=None), "without signature_algorithms"),
    ):
        choice = choose(wrong, RSA)
        assert refused(choice, missing)
        assert choice.alert is Alert.MISSING_EXTENSION


def test_a_session_of_tls_1_3_needs_no_signature() -> None:
    assert choose(hello13(scheme=None, session=True), RSA).policy is MODERN


def test_a_curve_without_a_scheme_in_tls_1_3_is_served_in_tls_1_2() -> None:
    old = ServerKey("EC", curve=GROUP["secp256k1"])
    suite, schemes = "ECDHE-ECDSA-AES128-GCM-SHA256", ("ecdsa_secp256r1_sha256",)
    asked = hello(suite, groups=("x25519", "secp256k1"), schemes=schemes)
    both = ClientHello(
        legacy_version=0x0303,
        random=bytes(32),
        suites=(0x1301, *asked.suites),
        extensions=(*asked.extensions, (43, b"\x04\x03\x04\x03\x03"), (51, b"\0\0")),
    )
    assert choose(both, old).policy is MODERN, "in TLS 1.2"
    alone = ClientHello(
        legacy_version=0x0303,
        random=bytes(32),
        suites=(0x1301,),
        extensions=((43, b"\x02\x03\x04"), (51, b"\0\0")),
    )
    assert choose(alone, old).policy is None
    assert choose(alone, None).policy is MODERN, "whatever its key"


def test_a_key_of_another_kind_serves_nobody() -> None:
    choice = choose(hello("AES128-SHA", ECDHE, groups=("x25519",)), ServerKey("other"))
    assert refused(choice, "no cipher suite can be used with the key")
