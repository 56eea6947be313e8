from dataclasses import replace
from datetime import UTC, datetime

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import REALM, Device, DigestCredential, hash_token
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.provisioning.group import Group
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.replace import replace_phone

OLD, NEW = Mac("000413AABBC0"), Mac("000413AABBC1")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
LAYER = Layer(
    (Setting("user_name", "4711", 1), Setting("user_pass", "geheim", 1)),
    (FunctionKey(0, "speed", "4712"),),
)


@pytest.fixture
def old(database: Database) -> Device:
    Groups(database).add(Group("acme"), NOW)
    return Devices(database).add(
        Device(
            OLD, "snom", "D785", Firmware.parse("10.1.33.33"), label="Hall",
            group="acme", generations=frozenset({Generation.SHA256}),
            token_sha256=hash_token("t" * 20), layer=LAYER,
            digest=DigestCredential.create("desk", REALM, "long enough 1"),
        ),
        NOW,
    )  # fmt: skip


def test_what_is_the_desks_moves_and_what_is_the_phones_ends(
    database: Database, old: Device
) -> None:
    devices = Devices(database)
    new = replace_phone(devices, OLD, NEW, NOW, model="d735")
    assert new == Device(
        NEW, "snom", "D735", label="Hall", group="acme", layer=LAYER,
        version=new.version,
    )  # fmt: skip
    gone = devices.get(OLD)
    assert (gone.state, gone.revoked_reason) == ("revoked", f"replaced by {NEW}")
    assert (gone.layer, gone.digest, gone.token_sha256) == (Layer(), None, None)
    assert (gone.label, gone.group, gone.model) == ("Hall", "acme", "D785")
    with database.read() as connection:
        lines = read_changes(connection, ChangeSearch())
    assert [(line.action, line.subject) for line in lines[:2]] == [
        ("add", f"device {NEW}"), ("change", f"device {OLD}"),
    ]  # fmt: skip
    assert "geheim" not in str(lines)


def test_a_revoked_phone_is_replaced_and_keeps_its_reason(
    database: Database, old: Device
) -> None:
    devices = Devices(database)
    devices.revoke(OLD, "stolen", NOW)
    assert replace_phone(devices, OLD, NEW, NOW).state == "active"
    assert devices.get(OLD).revoked_reason == f"stolen; replaced by {NEW}"


def test_nothing_changes_where_it_cannot_be(database: Database, old: Device) -> None:
    devices = Devices(database)
    devices.add(Device(NEW, "snom"), NOW)

    def stale(device: Device) -> None:
        raise InputError("stale", hint="")

    other = Mac("000413AABBC9")
    for from_, to, more, why in (
        (OLD, OLD, {}, "itself"), (OLD, NEW, {}, "registered already"),
        (other, NEW, {}, "no device"), (OLD, other, {"model": "D999"}, "model"),
        (OLD, other, {"unless": stale}, "stale"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=why):
            replace_phone(devices, from_, to, NOW, **more)  # type: ignore[arg-type]
        assert devices.get(OLD) == old
        assert devices.find(other) is None
    assert replace(devices.get(NEW), version=1) == Device(NEW, "snom")
