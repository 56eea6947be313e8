"""Groups in the database: what is in them, and what goes with them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from tests.certificates import certificate, ec

from linekey.errors import InputError, StorageError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.group import Group
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.groups import Groups, allowed_cas
from linekey.store.layers import Layers, Scope
from linekey.store.schema import groups as table
from linekey.store.selection import Selection
from linekey.store.vendor_cas import VendorCas, describe_ca

A, B = Mac("000413AABBC0"), Mac("000413AABBC1")
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def audit(database: Database) -> list[tuple[str, str, list[object]]]:
    with database.read() as connection:
        lines = read_changes(connection, ChangeSearch())
    return [
        (line.action, line.subject, [d.as_json() for d in line.details])
        for line in lines
    ]


def test_a_group_comes_back_and_is_changed_and_audited(database: Database) -> None:
    groups = Groups(database)
    made = Group("acme", "ACME", {"c" * 64: "k"}, {"blanked_for_shared": "on"})
    added = groups.add(made, NOW)
    assert groups.get("acme") == added
    assert groups.all() == [added]
    with pytest.raises(InputError, match="already"):
        groups.add(Group("acme"), NOW)
    changed = groups.change("acme", lambda g: replace(g, authorities=None), NOW)
    assert groups.get("acme") == changed
    assert changed.version > added.version
    assert groups.change("acme", lambda g: g, NOW) == changed
    with pytest.raises(InputError, match="no group 'acne'") as told:
        groups.change("acne", lambda g: g, NOW)
    assert told.value.hint == "did you mean acme?"
    assert [line[:2] for line in audit(database)] == [
        ("change", "group acme"), ("add", "group acme"),
    ]  # fmt: skip
    assert audit(database)[0][2] == [{"what": "CAs", "from": "c" * 64, "to": None}]


def test_a_phone_can_be_in_no_group_that_is_not_there(database: Database) -> None:
    devices = Devices(database)
    with pytest.raises(InputError, match="no group 'acme'"):
        devices.add(Device(A, "snom", group="acme"), NOW)
    devices.add(Device(A, "snom"), NOW)
    with pytest.raises(InputError, match="no group 'acme'"):
        devices.change(A, lambda d: replace(d, group="acme"), NOW)
    with pytest.raises(InputError, match="no group 'acme'"):
        Layers(database).change(Scope.group("acme"), lambda old: old, NOW)
    assert devices.get(A).group is None


def test_a_group_with_phones_is_removed_by_a_word_only(database: Database) -> None:
    groups, devices, layers = Groups(database), Devices(database), Layers(database)
    groups.add(Group("acme"), NOW)
    devices.add_all([Device(A, "snom", group="acme"), Device(B, "snom")], NOW)
    secret = Layer((Setting("user_pass", "geheim", 1),))
    layers.change(Scope.group("acme"), lambda _: secret, NOW)
    assert groups.phones() == {"acme": 1}
    with pytest.raises(InputError, match="1 phone is in the group") as told:
        groups.remove("acme", NOW)
    assert "--ungroup" in told.value.hint
    before = devices.get(A)
    assert groups.remove("acme", NOW, ungroup=True) == 1
    after = devices.get(A)
    assert (after.group, after.version > before.version) == (None, True)
    assert layers.scopes() == []
    assert groups.all() == []
    assert [line[:2] for line in audit(database)][:3] == [
        ("remove", "group acme"), ("remove", "layer group:acme"),
        ("change", f"device {A}"),
    ]  # fmt: skip
    assert "geheim" not in str(audit(database))
    groups.add(Group("acme"), NOW)
    assert layers.get(Scope.group("acme")) == Layer()


def test_phones_are_found_listed_and_shown_by_their_group(database: Database) -> None:
    Groups(database).add(Group("acme"), NOW)
    devices = Devices(database)
    devices.add_all([Device(A, "snom", "D785", group="acme"), Device(B, "snom")], NOW)

    def found(pattern: str) -> list[Mac]:
        return [d.mac for d in devices.all(Selection(group=pattern))]

    assert (found("ac*"), found(""), found("b*")) == ([A], [B], [])
    for scope, value in (("group:acme", "g"), ("model:D785", "m"), ("fleet", "f")):
        layer = Layer((Setting("language", value), Setting(f"only_{value}", value)))
        Layers(database).change(Scope.parse(scope), lambda _, new=layer: new, NOW)
    of = Layers(database).of(devices.get(A))
    assert [name for name, _ in of] == ["fleet", "group:acme", "model:D785", "device"]
    assert Layers(database).shared(devices.get(A)).all == tuple(
        layer for _, layer in of[:3]
    )


def test_a_ca_is_named_by_a_fingerprint_of_the_trust_list(database: Database) -> None:
    ca = certificate("Some CA", ec("ca"), ca=True)
    VendorCas(database).add([describe_ca(ca, NOW)])
    found = allowed_cas(database, [ca.sha256[:8]])
    assert found == {ca.sha256: ca.public_key_sha256}
    with pytest.raises(InputError, match="no CA"):
        allowed_cas(database, ["00" * 8])


def test_a_damaged_row_is_told(database: Database) -> None:
    Groups(database).add(Group("acme"), NOW)
    with database.write() as connection:
        connection.execute(sa.update(table).values(authorities="[1"))
    with pytest.raises(StorageError, match="group acme was changed outside"):
        Groups(database).get("acme")
