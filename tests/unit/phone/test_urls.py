"""Which documents a phone asks for."""

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.phone.urls import nested_url, parse_url, redact_url, settings_urls
from linekey.phone.user_agent import sip_user_agent, user_agent

MAC = Mac("000413AABBCC")


@pytest.mark.parametrize(
    ("setting_server", "urls"),
    [
        ("https://p.test", ["https://p.test/snomD785.htm", "https://p.test/snomD785-000413AABBCC.htm"]),
        ("https://p.test/", ["https://p.test/snomD785.htm", "https://p.test/snomD785-000413AABBCC.htm"]),
        ("https://p.test:8443/a/b/", ["https://p.test:8443/a/b/snomD785.htm", "https://p.test:8443/a/b/snomD785-000413AABBCC.htm"]),
        ("https://p.test/a/b", ["https://p.test/a/b/snomD785.htm", "https://p.test/a/b/snomD785-000413AABBCC.htm"]),
        ("https://p.test/{mac}/", ["https://p.test/000413AABBCC/snomD785.htm", "https://p.test/000413AABBCC/snomD785-000413AABBCC.htm"]),
        ("https://p.test/{mac}.xml", ["https://p.test/000413AABBCC.xml"]),
        ("https://p.test/{mac}", ["https://p.test/000413AABBCC"]),
        ("https://p.test/prov.php?mac={mac}", ["https://p.test/prov.php?mac=000413AABBCC"]),
        ("https://p.test/all.xml", ["https://p.test/all.xml", "https://p.test/all-000413AABBCC.xml"]),
        ("p.test/all.xml", ["http://p.test/all.xml", "http://p.test/all-000413AABBCC.xml"]),
        ("https://[::1]:8/x/", ["https://[::1]:8/x/snomD785.htm", "https://[::1]:8/x/snomD785-000413AABBCC.htm"]),
    ],
)  # fmt: skip
def test_setting_server_names_the_documents(
    setting_server: str, urls: list[str]
) -> None:
    assert settings_urls(setting_server, "snomD785", MAC) == urls


@pytest.mark.parametrize(
    "text",
    ["ftp://x/y", "https://", "https:///x", "http://h:99999/", "http://h:x/", "h ttp://x",
     "https://a\nb/", "tftp://x", "file:///etc/passwd", "https://[::1", "x" * 3000, "http://h:0/"],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_url(text)
    with pytest.raises(InputError):
        nested_url(text if "://" in text else f"//{text}", "ftp://base/", MAC)


def test_a_nested_url_is_relative_to_its_document_and_knows_the_mac() -> None:
    base = "https://p.test/a/main.xml"
    assert (
        nested_url("more/{mac}.xml", base, MAC)
        == "https://p.test/a/more/000413AABBCC.xml"
    )
    assert nested_url("http://q.test/x#f", base, MAC) == "http://q.test/x"
    with pytest.raises(InputError):
        nested_url("file:///etc/passwd", base, MAC)


def test_user_and_password_in_a_url_are_never_shown() -> None:
    assert redact_url("https://joe:secret@h:8/x") == "https://…@h:8/x"
    with pytest.raises(InputError) as caught:
        parse_url("ftp://joe:secret@h/x")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("model", "firmware", "expected"),
    [
        ("320", "8.4.18", "Mozilla/4.0 (compatible; snom320-SIP 8.4.18)"),
        ("M900", "05.20.0001", f"Mozilla/4.0 (compatible; Snom M900 05.20.0001 {MAC.digits.lower()})"),
        ("PA1+", "10.1.33.33", f"Mozilla/4.0 (compatible; snomPA1P-SIP 10.1.33.33 {MAC} SXM:0 UXM:0)"),
        ("710", "8.7.5.35", "Mozilla/4.0 (compatible; snom710-SIP 8.7.5.35 000413AABBCC)"),
        ("D785", "10.1.33.33", "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 000413AABBCC SXM:0 UXM:0)"),
    ],
)  # fmt: skip
def test_the_user_agent_has_the_shape_of_its_firmware(
    model: str, firmware: str, expected: str
) -> None:
    assert user_agent(find_model(model), Firmware.parse(firmware), MAC) == expected


@pytest.mark.parametrize(
    ("model", "firmware", "with_mac", "expected"),
    [
        ("D862", "10.1.226.13", False, "snomD862/10.1.226.13"),
        ("D785", "10.1.198.12", True, f"snomD785/10.1.198.12 {MAC}"),
        ("725", "8.9.3.60", False, "snom725/8.9.3.60"),
    ],
)
def test_the_user_agent_in_sip_is_model_and_firmware(
    model: str, firmware: str, with_mac: bool, expected: str
) -> None:
    version = Firmware.parse(firmware)
    said = sip_user_agent(find_model(model), version, MAC, with_mac=with_mac)
    assert said == expected


def test_the_operators_user_agent_wins_and_cannot_break_the_header() -> None:
    text = user_agent(
        find_model("D785"), Firmware.parse("10.1"), MAC, " my\r\nphone\x7f ü "
    )
    assert text == "myphone "
