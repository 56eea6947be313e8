"""The lab's menu: only the lab's own key follows it."""

from dataclasses import replace

import pytest

from linekey.catalog.vendors import LAB_VENDOR
from linekey.lab.menu import KEY, follow_url, menu_key
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer

OLD, NEW = "https://localhost:1234/menu.xml", "https://localhost:4321/menu.xml"


def device(*keys: FunctionKey) -> Device:
    return Device(
        mac=Mac("000413AABBCC"),
        vendor=LAB_VENDOR,
        model="D785",
        firmware=None,
        layer=Layer(function_keys=keys),
    )


def test_the_labs_key_follows_the_port_wherever_it_was_put() -> None:
    moved = replace(menu_key(OLD), idx=7, label="Mine")
    before = device(FunctionKey(0, "line"), menu_key(OLD), moved)
    after = follow_url(before, NEW)
    assert {k.idx: k.value for k in after.layer.function_keys} == {
        0: "",
        KEY: NEW,
        7: NEW,
    }
    assert follow_url(after, NEW) == after


@pytest.mark.parametrize(
    "key",
    [
        FunctionKey(KEY, "url", "https://pbx.example/menu.xml"),
        FunctionKey(KEY, "speed", OLD),
        FunctionKey(KEY, "url", f"{OLD}?mine"),
    ],
)
def test_a_key_that_an_operator_changed_is_left_alone(key: FunctionKey) -> None:
    assert follow_url(device(key), NEW) == device(key)
    assert follow_url(device(), NEW) == device(), "none is put back"
