import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import permutations
from pathlib import Path

import pytest
import sqlalchemy as sa

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.errors import InputError, StorageError
from linekey.mac import Mac
from linekey.provisioning.device import REALM, Device, DigestCredential, hash_token
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.rotation import rotate_key
from linekey.store.schema import devices as table
from linekey.store.schema import layers as layers_table
from linekey.store.secrets import format_keys, parse_keys
from linekey.store.selection import EVERYTHING, Selection

MAC = Mac("000413AABBCC")
OTHER = Mac("000413AABBCD")
CANARIES = ("canary-sip-password", "canary-url-password", "canary-digest-password")


def full_device() -> Device:
    return Device(
        mac=MAC,
        vendor="snom",
        model="D785",
        firmware=Firmware.parse("10.1.33.33"),
        generations=frozenset({Generation.SHA1, Generation.SHA256}),
        digest=DigestCredential.create("phone", REALM, CANARIES[2]),
        label="Zürich, 2. OG",
        layer=Layer(
            (
                Setting("user_name", "4711", 1, "R"),
                Setting("user_pass", CANARIES[0], 1),
                Setting("setting_server", f"https://u:{CANARIES[1]}@h/"),
            ),
            (FunctionKey(0, "speed", "4711", label="Reception"),),
        ),
    )


def raw_bytes(root: Path) -> bytes:
    return b"".join(p.read_bytes() for p in root.glob("linekey.db*"))


def test_a_device_comes_back_as_it_was_added(database: Database, now: datetime) -> None:
    devices = Devices(database)
    added = devices.add(full_device(), now)
    assert replace(added, version=1) == full_device()
    assert devices.get(MAC) == added
    assert list(devices.all()) == [added]
    assert devices.count() == 1


def test_no_secret_is_in_the_files_of_the_database(
    database: Database, now: datetime
) -> None:
    device = Devices(database).add(full_device(), now)
    Layers(database).change(
        Scope.fleet(), lambda old: old.with_settings(Setting("admin_mode_password",
        "canary-fleet-password")), now,
    )  # fmt: skip
    token = Devices(database).new_token(MAC, now)
    data = raw_bytes(database.state.root)
    assert b"Reception" in data, "the scan finds what is not secret"
    assert device.digest is not None
    for canary in (*CANARIES, "canary-fleet-password", token,
                   device.digest.ha1_md5, device.digest.ha1_sha256):  # fmt: skip
        assert canary.encode() not in data
        assert canary.encode("utf-16-le") not in data


def test_no_error_and_no_repr_shows_a_secret(database: Database, now: datetime) -> None:
    devices = Devices(database)
    device = devices.add(full_device(), now)
    with pytest.raises(InputError) as raised:
        devices.add(full_device(), now)
    shown = f"{raised.value!r} {raised.value.hint} {device!r} {database!r}"
    assert not any(canary in shown for canary in CANARIES)


def test_sealed_values_of_two_rows_cannot_be_swapped(
    database: Database, now: datetime
) -> None:
    devices = Devices(database)
    devices.add_all([full_device(), replace(full_device(), mac=OTHER)], now)
    with database.write() as connection:
        rows = dict(connection.execute(sa.select(table.c.mac, table.c.sealed)).all())
        for here, there in permutations(rows):
            connection.execute(
                sa.update(table).where(table.c.mac == here).values(sealed=rows[there])
            )
    with pytest.raises(StorageError, match="device 000413AABBCC"):
        devices.get(MAC)


def test_a_sealed_layer_does_not_open_as_a_devices(
    database: Database, now: datetime
) -> None:
    Devices(database).add(full_device(), now)
    Layers(database).change(
        Scope.fleet(), lambda old: old.with_settings(Setting("x_password", "p")), now
    )
    with database.write() as connection:
        sealed = connection.execute(sa.select(layers_table.c.sealed)).scalar_one()
        connection.execute(sa.update(table).values(sealed=sealed))
    with pytest.raises(StorageError):
        Devices(database).get(MAC)


@pytest.mark.parametrize(
    "values",
    [{"layer": "no JSON"}, {"layer": "[]"}, {"firmware": "x"}, {"state": "odd"},
     {"generations": "sha3"}],
)  # fmt: skip
def test_a_row_damaged_from_outside_is_told(
    database: Database, now: datetime, values: dict[str, str]
) -> None:
    Devices(database).add(full_device(), now)
    with database.write() as connection:
        connection.execute(sa.update(table).values(values))
    with pytest.raises(StorageError, match="device 000413AABBCC"):
        Devices(database).get(MAC)


def test_every_change_raises_the_version(database: Database, now: datetime) -> None:
    devices = Devices(database)
    versions = [
        devices.add(full_device(), now).version,
        devices.revoke(MAC, "stolen", now).version,
        devices.restore(MAC, now).version,
    ]
    devices.remove(MAC, now)
    versions.append(devices.add(full_device(), now).version)
    assert versions == sorted(set(versions)), "also removed and added again"


def test_revoking_keeps_the_reason_and_restoring_forgets_it(
    database: Database, now: datetime
) -> None:
    devices = Devices(database)
    devices.add(full_device(), now)
    revoked = devices.revoke(MAC, "stolen", now)
    assert (revoked.state, revoked.revoked_reason) == ("revoked", "stolen")
    assert devices.get(MAC) == revoked
    restored = devices.restore(MAC, now)
    assert (restored.state, restored.revoked_reason) == ("active", "")


def test_a_change_that_fails_changes_nothing(database: Database, now: datetime) -> None:
    devices = Devices(database)
    before = devices.add(full_device(), now)

    def how(device: Device) -> Device:
        raise InputError("no")

    with pytest.raises(InputError):
        devices.change(MAC, how, now)
    assert devices.get(MAC) == before


def test_adding_many_is_all_or_nothing_and_names_those_there(
    database: Database, now: datetime
) -> None:
    devices = Devices(database)
    devices.add(full_device(), now)
    many = [Device(Mac(f"000413{n:06X}"), "snom") for n in range(1200)]
    with pytest.raises(InputError, match=MAC.digits):
        devices.add_all([*many, full_device()], now)
    assert devices.count() == 1
    assert devices.add_all(many, now) == 1200
    macs = [device.mac for device in devices.all()]
    assert len(macs) == 1201
    assert macs == sorted(macs)
    assert devices.registered([MAC, OTHER, many[7].mac]) == {MAC, many[7].mac}


@pytest.mark.parametrize(
    "act",
    [
        lambda devices, now: devices.get(MAC),
        lambda devices, now: devices.revoke(MAC, "", now),
        lambda devices, now: devices.remove(MAC, now),
        lambda devices, now: devices.new_token(MAC, now),
    ],
    ids=["get", "revoke", "remove", "token"],
)
def test_an_unknown_device_is_told_with_the_cure(
    database: Database, now: datetime, act: Callable[[Devices, datetime], object]
) -> None:
    with pytest.raises(InputError, match="no device") as raised:
        act(Devices(database), now)
    assert raised.value.hint == "linekey device add 000413AABBCC"


def test_a_new_token_takes_the_place_of_the_old(
    database: Database, now: datetime
) -> None:
    devices = Devices(database)
    devices.add(full_device(), now)
    first, second = devices.new_token(MAC, now), devices.new_token(MAC, now)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", second)
    assert first != second
    assert devices.get(MAC).token_sha256 == hash_token(second)


def test_a_rotated_key_seals_everything_and_a_running_reader_finds_it(
    database: Database, now: datetime
) -> None:
    devices = Devices(database)
    before = devices.add(full_device(), now)
    Layers(database).change(
        Scope.model("D785"), lambda old: old.with_settings(Setting("a_pass", "p")), now
    )
    with open_database(database.state) as other:
        assert rotate_key(other) == 2
        data = (database.state.keys / "database.key").read_bytes()
        newest = parse_keys(data)[0]
        (database.state.keys / "database.key").write_bytes(data)
    assert devices.get(MAC) == before, "opened before the rotation, reads after it"
    assert Layers(database).get(Scope.model("D785")).settings[0].value == "p"
    # The newest key alone opens all there is.
    database.state.replace_key("database.key", format_keys([newest]))
    with open_database(database.state) as alone:
        assert Devices(alone).get(MAC) == before


def labelled(label: str) -> Callable[[Device], Device]:
    return lambda device: replace(device, label=label)


@pytest.fixture
def hundreds(database: Database, now: datetime) -> Devices:
    devices = Devices(database)
    devices.add_all(
        (Device(Mac(f"{n:012X}"), "snom", "D785") for n in range(1, 1201)), now
    )
    return devices


def test_a_selection_is_changed_whole(hundreds: Devices, now: datetime) -> None:
    counts: list[int] = []
    done = hundreds.change_all(
        Selection(model="D785"), labelled("x"), now, expected=1200, seen=counts.append
    )
    assert sum(counts) == len(done) == 1200
    assert {d.label for d in hundreds.all()} == {"x"}
    assert done[0].details[0].as_json() == {"what": "label", "from": None, "to": "x"}


def test_a_selection_is_changed_whole_or_not_at_all(
    hundreds: Devices, now: datetime
) -> None:
    def fails_late(device: Device) -> Device:
        if device.mac.digits == f"{1100:012X}":
            raise InputError("no")
        return replace(device, label="x")

    gone = Selection(macs=frozenset({Mac(f"{1:012X}"), MAC}))
    for wanted, how, expected, reason in (
        (Selection(), fails_late, None, "no"),
        (Selection(), labelled("x"), 1199, "no longer 1,199"),
        (gone, labelled("x"), None, "not registered: 000413AABBCC"),
    ):
        with pytest.raises(InputError, match=reason):
            hundreds.change_all(wanted, how, now, expected=expected)
        assert {d.label for d in hundreds.all()} == {""}


def test_a_trial_changes_nothing(hundreds: Devices, now: datetime) -> None:
    done = hundreds.change_all(EVERYTHING, labelled("x"), now, dry_run=True)
    assert len(done) == 1200
    assert {d.label for d in hundreds.all()} == {""}


def test_what_a_change_leaves_as_it_is_keeps_its_version(
    hundreds: Devices, now: datetime
) -> None:
    before = {d.mac: d.version for d in hundreds.all()}
    first = Mac(f"{1:012X}")
    hundreds.change(first, labelled("x"), now)
    done = hundreds.change_all(EVERYTHING, labelled("x"), now)
    assert len(done) == 1199
    assert hundreds.get(first).version < hundreds.get(Mac(f"{2:012X}")).version
    assert all(hundreds.get(mac).version > version for mac, version in before.items())
