"""Phones that are alike for a question are one kind, whatever else they differ by."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.fleet_kinds import fleet_kinds
from linekey.store.layers import Layers, Scope
from linekey.store.paths import StateDir
from linekey.store.selection import Selection

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CHECK = "check_fqdn_against_server_cert"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(StateDir.open(tmp_path / "state")) as database:
        yield database


def phone(number: int, *settings: Setting, model: str = "D785") -> Device:
    own = Setting("user_pass", f"secret {number}", idx=1)
    mac = Mac(f"0004130000{number:02X}")
    layer = Layer(settings=(own, *settings))
    return Device(mac, "snom", model=model, layer=layer, version=0)


def macs_of(database: Database) -> list[list[int]]:
    kinds = fleet_kinds(database, (CHECK,), Selection(state="active"))
    return sorted([int(mac[-2:], 16) for mac in kind.macs] for kind in kinds)


def test_passwords_make_no_kinds_but_what_is_asked_for_does(database: Database) -> None:
    on = Setting(CHECK, "on")
    phones = [phone(1), phone(2), phone(3, on), phone(4, on), phone(5, model="D735")]
    Devices(database).add_all(phones, NOW)
    assert macs_of(database) == [[1, 2], [3, 4], [5]]


def test_a_sealed_value_is_a_kind_of_its_own(database: Database) -> None:
    hidden = [Setting(CHECK, value, mark=Mark.SECRET) for value in ("on", "off")]
    Devices(database).add_all([phone(n, s) for n, s in enumerate(hidden, 1)], NOW)
    kinds = fleet_kinds(database, (CHECK,), Selection())
    assert sorted(k.layer.settings[0].value for k in kinds) == ["off", "on"]


def test_the_layer_is_merged_and_holds_only_what_was_asked_for(
    database: Database,
) -> None:
    Devices(database).add_all([phone(1)], NOW)
    Layers(database).change(
        Scope.fleet(), lambda layer: layer.with_settings(Setting(CHECK, "on")), NOW
    )
    (kind,) = fleet_kinds(database, (CHECK,), Selection())
    assert [(s.name, s.value) for s in kind.layer.settings] == [(CHECK, "on")]


def test_who_is_not_wanted_is_in_no_kind(database: Database) -> None:
    Devices(database).add_all([phone(1)], NOW)
    assert fleet_kinds(database, (CHECK,), Selection(state="revoked")) == []
