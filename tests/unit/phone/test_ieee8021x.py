"""What the phone writes for its supplicant."""

import pytest
from tests.phone_pki import MAC, authority, device

from linekey.catalog.profile import profile
from linekey.errors import InputError
from linekey.phone.ieee8021x import EapMethod, read_method, supplicant
from linekey.tls.versions import Version

D785 = profile("D785", "10.1.33.33")
LEAF = device()


def tls(**more: object) -> tuple[str, tuple[str, ...]]:
    given = {"chain": LEAF.chain, "key_pem": LEAF.key_pem, **more}
    made = supplicant(EapMethod.TLS, MAC, "/run/x", **given)  # type: ignore[arg-type]
    return made.files["eap.conf"].decode(), made.notes


def test_eap_tls_offers_the_phones_versions_and_suites_and_no_others() -> None:
    text, notes = tls(
        versions=(Version.TLS1_1, Version.TLS1_2),
        suites=D785.suites,
        authorities=(authority().certificate,),
    )
    ciphers = text.splitlines()[0].removeprefix("openssl_ciphers=").split(":")
    assert ciphers[-1] == "@SECLEVEL=0"
    assert "ECDHE-RSA-AES256-GCM-SHA384" in ciphers
    assert "DEFAULT" not in ciphers
    assert not [c for c in ciphers if "CHACHA" in c]
    assert "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=0 tls_disable_tlsv1_2=0" in text
    assert "tls_disable_tlsv1_3=1" in text
    assert '\tca_cert="/run/x/authorities.pem"' in text
    assert f'\tidentity="{MAC}"' in text
    assert notes == ()


def test_suites_that_the_supplicant_lacks_are_left_out_and_named() -> None:
    text, notes = tls(suites=(0x000A, 0x002F), authorities=(authority().certificate,))
    assert text.startswith("openssl_ciphers=AES128-SHA:@SECLEVEL=0\n")
    assert notes == ("suites not offered: TLS_RSA_WITH_3DES_EDE_CBC_SHA",)
    with pytest.raises(InputError, match="none of this phone's cipher suites"):
        tls(suites=(0x000A, 0x0005))


def test_an_empty_shelf_checks_nobody_and_an_exception_pins_one() -> None:
    text, notes = tls()
    assert "ca_cert" not in text
    assert "shelf is empty" in notes[0]
    server = authority().certificate
    text, notes = tls(pinned=server)
    assert f'ca_cert="hash://server/sha256/{server.sha256}"' in text
    assert notes == ()


def test_md5_takes_a_name_and_a_password_that_no_quote_can_break_out_of() -> None:
    made = supplicant(
        EapMethod.MD5, MAC, "/run/x", md5_username='a"b', md5_password="c\n}x"
    )
    text = made.files["eap.conf"].decode()
    assert "\tidentity=612262\n" in text
    assert "\tpassword=630a7d78\n" in text
    assert "openssl_ciphers" not in text
    assert "EAP-MD5 proves the phone" in made.notes[0]


def test_methods_are_read_as_the_vendor_and_people_write_them() -> None:
    assert read_method("EAP-TLS") is read_method("eap_tls") is EapMethod.TLS
    assert read_method(" md5 ") is EapMethod.MD5
    assert read_method("") is read_method("Off") is EapMethod.OFF
    with pytest.raises(InputError, match="PEAP"):
        read_method("PEAP")


def test_what_lacks_is_told() -> None:
    with pytest.raises(InputError, match=r"802\.1X is off"):
        supplicant(EapMethod.OFF, MAC, "/run/x")
    with pytest.raises(InputError, match="this phone has none"):
        supplicant(EapMethod.TLS, MAC, "/run/x")
    with pytest.raises(InputError, match="a user name and a password"):
        supplicant(EapMethod.MD5, MAC, "/run/x", md5_username="a")
