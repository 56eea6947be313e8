"""What each maker's phone calls itself."""

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.mac import Mac
from linekey.phone.user_agent import sip_user_agent, user_agent

MAC = Mac("805EC0AABBCC")


@pytest.mark.parametrize(
    ("model", "firmware", "http", "sip"),
    [
        (
            "D785", "10.1.33.33",
            "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 805EC0AABBCC"
            " SXM:0 UXM:0)",
            "snomD785/10.1.33.33",
        ),
        (
            "T46U", "108.86.0.45",
            "Yealink SIP-T46U 108.86.0.45 80:5e:c0:aa:bb:cc",
            "Yealink SIP-T46U 108.86.0.45",
        ),
        (
            "W60B", "77.85.0.25",
            "Yealink W60B 77.85.0.25 80:5e:c0:aa:bb:cc",
            "Yealink W60B 77.85.0.25",
        ),
        (
            "VVX450", "5.9.1.0615",
            "FileTransport PolycomVVX-VVX_450-UA/5.9.1.0615 Type/Application",
            "PolycomVVX-VVX_450-UA/5.9.1.0615",
        ),
        (
            "GRP2614", "1.0.5.15",
            "Grandstream Model HW GRP2614 SW 1.0.5.15 DevId 805ec0aabbcc",
            "Grandstream GRP2614 1.0.5.15",
        ),
    ],
)  # fmt: skip
def test_an_agent_is_its_makers(model: str, firmware: str, http: str, sip: str) -> None:
    row, version = find_model(model), Firmware.parse(firmware)
    assert user_agent(row, version, MAC) == http
    assert sip_user_agent(row, version, MAC, with_mac=False) == sip
    assert sip_user_agent(row, version, MAC, with_mac=True) == f"{sip} {MAC}"


def test_the_operators_word_replaces_it() -> None:
    row, version = find_model("T46U"), Firmware.parse("108.86.0.45")
    assert user_agent(row, version, MAC, "  mine\n ") == "mine"
