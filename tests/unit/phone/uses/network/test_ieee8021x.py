"""What the phone writes for its supplicant."""

import ssl

import pytest
from tests.certificates import MAC, authority, device

from linekey.catalog.matrix import firmwares_of
from linekey.catalog.models import MODELS
from linekey.catalog.profile import profile
from linekey.errors import InputError
from linekey.phone.uses.network.ieee8021x import EapMethod, read_method, supplicant
from linekey.tls.policy import missing_suites
from linekey.tls.suites import SUITES
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
    assert ciphers[0] == "@SECLEVEL=0"
    assert "ECDHE-RSA-AES256-GCM-SHA384" in ciphers
    assert "DEFAULT" not in ciphers
    assert not [c for c in ciphers if "CHACHA" in c]
    assert "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=0 tls_disable_tlsv1_2=0" in text
    assert "tls_disable_tlsv1_3=1" in text
    assert '\tca_cert="/run/x/authorities.pem"' in text
    assert f'\tidentity="{MAC}"' in text
    assert notes == ()


def expanded(ciphers: str) -> list[str]:
    """What OpenSSL makes of a cipher list, TLS 1.3 left out."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(ciphers)
    names = [str(row["name"]) for row in context.get_ciphers()]
    return [name for name in names if not name.startswith("TLS_")]


EVERY_ROW = sorted(
    {(model, str(fw)) for model in MODELS for fw in firmwares_of(MODELS[model])}
)


def lines_of(model: str, firmware: str) -> list[bytes]:
    row = profile(model, firmware)
    made = supplicant(
        EapMethod.TLS, MAC, "/run/user/1000/linekey-8021x-abcdefgh",
        chain=LEAF.chain, key_pem=LEAF.key_pem,
        authorities=(authority().certificate,),
        versions=(Version.TLS1_2,), suites=row.suites,
    )  # fmt: skip
    return made.files["eap.conf"].splitlines()


def test_every_line_of_every_row_fits_into_what_the_supplicant_reads() -> None:
    spoken = 0
    for model, firmware in EVERY_ROW:
        try:
            lines = lines_of(model, firmware)
        except InputError as error:
            assert "none of this phone's cipher suites" in error.message  # noqa: PT017
            continue
        assert max(map(len, lines)) < 510, (model, firmware)
        assert lines[0].startswith(b"openssl_ciphers=@SECLEVEL=0:"), (model, firmware)
        spoken += 1
    assert spoken > 50


def test_the_shorter_spelling_of_a_suite_list_means_the_same_to_openssl() -> None:
    for suites in {profile(*row).suites for row in EVERY_ROW}:
        usable = [n for n in suites if n not in missing_suites(suites)]
        names = [
            SUITES[n].openssl_name or ""
            for n in usable
            if SUITES[n].key_exchange != "SRP" and SUITES[n].authentication != "DSS"
        ]
        plain = ":".join(["@SECLEVEL=0", *filter(None, names)])
        if not names or len(plain) < 490:
            continue
        text, notes = tls(suites=suites, authorities=(authority().certificate,))
        short = text.splitlines()[0].removeprefix("openssl_ciphers=")
        assert len(short) < len(plain)
        assert expanded(short) == expanded(plain)
        for number in usable:
            suite = SUITES[number]
            if suite.key_exchange == "SRP" or suite.authentication == "DSS":
                assert notes[0].startswith("suites not offered:")


def test_a_list_longer_than_any_row_loses_its_end_and_says_so() -> None:
    every = [n for n in SUITES if n not in missing_suites([n])]
    text, notes = tls(suites=every, authorities=(authority().certificate,))
    first = text.splitlines()[0]
    assert 400 < len(first) < 510
    assert expanded(first.removeprefix("openssl_ciphers="))
    assert notes[0].startswith("suites not offered:")


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("the user name", {"md5_username": "ä" * 130, "md5_password": "x"}),
        ("the password", {"md5_username": "x", "md5_password": "y" * 520}),
    ],
)
def test_a_line_that_the_supplicant_would_cut_is_refused(
    what: str, given: dict[str, str]
) -> None:
    with pytest.raises(InputError, match=f"cannot read {what}") as caught:
        supplicant(EapMethod.MD5, MAC, "/run/x", **given)  # type: ignore[arg-type]
    assert "shorter" in caught.value.hint
    assert "yyy" not in str(caught.value)


def test_a_folder_whose_path_is_too_long_is_refused() -> None:
    with pytest.raises(InputError, match="path of its folder"):
        supplicant(
            EapMethod.TLS, MAC, "/run/" + "x" * 600,
            chain=LEAF.chain, key_pem=LEAF.key_pem,
        )  # fmt: skip


def test_suites_that_the_supplicant_lacks_are_left_out_and_named() -> None:
    text, notes = tls(suites=(0x000A, 0x002F), authorities=(authority().certificate,))
    assert text.startswith("openssl_ciphers=@SECLEVEL=0:AES128-SHA\n")
    assert notes == ("suites not offered: TLS_RSA_WITH_3DES_EDE_CBC_SHA",)
    with pytest.raises(InputError, match="none of this phone's cipher suites"):
        tls(suites=(0x000A, 0x0005))


def test_an_empty_tab_checks_nobody_and_an_exception_pins_one() -> None:
    text, notes = tls()
    assert "ca_cert" not in text
    assert "tab is empty" in notes[0]
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
