from datetime import datetime

import pytest

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope

MAC = Mac("000413AABBCC")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("fleet", "fleet"),
        (" Fleet", "fleet"),
        ("model:D785", "model:D785"),
        ("MODEL:snomd785", "model:D785"),
        ("D785", "model:D785"),
        ("device:00:04:13:aa:bb:cc", "device:000413AABBCC"),
        ("00:04:13:AA:BB:CC", "device:000413AABBCC"),
        ("000413aabbcc", "device:000413AABBCC"),
    ],
)
def test_a_layer_is_named_as_one_would(typed: str, meant: str) -> None:
    assert Scope.parse(typed).text == meant


@pytest.mark.parametrize("typed", ["", "fleets", "model:", "model:X1", "device:1", ":"])
def test_what_names_no_layer_is_told(typed: str) -> None:
    with pytest.raises(InputError) as raised:
        Scope.parse(typed)
    assert raised.value.hint


@pytest.mark.parametrize("name", ["fleet", "model:D785", "device:000413AABBCC"])
def test_each_kind_of_layer_keeps_what_is_set(
    database: Database, now: datetime, name: str
) -> None:
    Devices(database).add(Device(MAC, "snom"), now)
    layers, scope = Layers(database), Scope.parse(name)
    assert layers.get(scope) == Layer()
    changed = layers.change(
        scope,
        lambda old: old.with_settings(
            Setting("user_pass", "s3cr3t", 1)
        ).with_function_keys(FunctionKey(0, "line")),
        now,
    )
    assert layers.get(scope) == changed
    assert changed.settings[0].value == "s3cr3t"
    emptied = layers.change(scope, lambda old: old.without_setting("user_pass", 1), now)
    assert layers.get(scope) == emptied
    assert not emptied.settings


def test_the_layer_of_an_unknown_device_is_told(
    database: Database, now: datetime
) -> None:
    with pytest.raises(InputError, match="no device"):
        Layers(database).change(Scope.device(MAC), lambda old: old, now)


def test_only_layers_that_were_set_are_listed(
    database: Database, now: datetime
) -> None:
    layers = Layers(database)
    for scope in (Scope.model("D785"), Scope.fleet()):
        layers.change(scope, lambda old: old.with_settings(Setting("a", "b")), now)
    layers.change(Scope.model("D715"), lambda old: old, now)
    assert layers.scopes() == ["fleet", "model:D785"]
