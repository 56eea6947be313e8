"""Every change is on record with its author, or did not happen; and tells no secret."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device, DigestCredential
from linekey.provisioning.document import FunctionKey, Layer, Mark, Setting
from linekey.store.changes import (
    Actor,
    ChangeLine,
    ChangeSearch,
    count_changes,
    read_changes,
)
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.retention import Retention, keep_within
from linekey.store.schema import changes
from linekey.store.selection import EVERYTHING
from linekey.store.vendor_cas import VendorCas, describe_ca

MAC = Mac("000413AABBCC")
CANARY = "canary-81c2"
ANNA = Actor("anna", "192.0.2.9")


def lines(database: Database, **wanted: object) -> list[ChangeLine]:
    with database.read() as connection:
        return read_changes(connection, ChangeSearch(**wanted))  # type: ignore[arg-type]


def told(line: ChangeLine) -> dict[str, tuple[str | None, str | None]]:
    return {one.what: (one.before, one.after) for one in line.details}


def test_each_change_of_a_device_names_who_where_what_from_and_to(
    database: Database, now: datetime
) -> None:
    devices = Devices(database.acting(ANNA))
    devices.add(Device(MAC, "snom", "D785", label="Hall"), now)
    devices.change(MAC, lambda d: replace(d, label="Door"), now)
    devices.revoke(MAC, "stolen", now)
    devices.remove(MAC, now)
    removed, revoked, changed, added = lines(database, subject=f"device {MAC}")
    assert {(line.who, line.place) for line in (removed, revoked, changed, added)} == {
        ("anna", "192.0.2.9")
    }
    assert (added.action, told(added)["label"]) == ("add", (None, "Hall"))
    assert told(changed) == {"label": ("Hall", "Door")}
    assert told(revoked) == {
        "state": ("active", "revoked"),
        "revoked_reason": (None, "stolen"),
    }
    assert (removed.action, told(removed)["label"]) == ("remove", ("Door", None))
    assert changed.at == now


def test_commands_are_by_the_account_that_runs_them(
    database: Database, now: datetime
) -> None:
    Devices(database).add(Device(MAC, "snom"), now)
    (line,) = lines(database)
    assert (line.who, line.place) == (Actor.here().who, "command line")


def test_a_change_that_fails_or_changes_nothing_leaves_no_line(
    database: Database, now: datetime
) -> None:
    devices = Devices(database)
    devices.add_all([Device(MAC, "snom"), Device(Mac("000413AABBCD"), "snom")], now)
    before = len(lines(database))

    def second_fails(device: Device) -> Device:
        if device.mac != MAC:
            raise InputError("no")
        return replace(device, label="x")

    with pytest.raises(InputError):
        devices.change_all(EVERYTHING, second_fails, now)
    devices.change(MAC, lambda d: d, now)
    devices.change_all(EVERYTHING, lambda d: replace(d, label="x"), now, dry_run=True)
    assert devices.get(MAC).label == ""
    assert len(lines(database)) == before


@pytest.mark.parametrize(
    "layer",
    [
        Layer((Setting("user_pass", CANARY, 1),)),
        Layer((Setting("language", CANARY, mark=Mark.SECRET),)),
        Layer((Setting("nobody_knows_it", CANARY),)),
        Layer((), (FunctionKey(0, "url", f"http://a:{CANARY}@b/"),)),
        Layer((), (FunctionKey(0, "speed", CANARY, mark=Mark.SECRET),)),
    ],
)
def test_no_secret_is_on_record(
    database: Database, now: datetime, layer: Layer
) -> None:
    devices = Devices(database)
    devices.add(Device(MAC, "snom", layer=layer), now)
    devices.change(MAC, lambda d: replace(d, layer=Layer()), now)
    Layers(database).change(Scope.fleet(), lambda _: layer, now)
    found = lines(database)
    assert len(found) == 3
    assert CANARY not in repr(found)
    assert any("changed" in map(str, pair) for pair in told(found[0]).values())


def test_a_password_and_a_token_are_told_as_changed(
    database: Database, now: datetime
) -> None:
    devices = Devices(database)
    devices.add(Device(MAC, "snom"), now)
    credential = DigestCredential.create("desk", "linekey", CANARY)
    devices.change(MAC, lambda d: replace(d, digest=credential), now)
    assert told(lines(database)[0]) == {
        "digest_user": (None, "desk"),
        "digest password": (None, "changed"),
    }
    devices.new_token(MAC, now)
    assert told(lines(database)[0]) == {"one-time token": (None, "changed")}
    devices.new_token(MAC, now)
    assert told(lines(database)[0]) == {"one-time token": ("secret", "changed")}


def test_what_is_marked_later_goes_out_of_the_record(
    database: Database, now: datetime
) -> None:
    layers = Layers(database)
    layers.change(
        Scope.fleet(),
        lambda old: old.with_settings(
            Setting("language", CANARY), Setting("ntp_server", "192.0.2.1")
        ),
        now,
    )
    assert CANARY in repr(lines(database))
    Devices(database).add(
        Device(MAC, "snom", layer=Layer((Setting("language", "x", mark=Mark.SECRET),))),
        now,
    )
    assert CANARY not in repr(lines(database))
    assert "192.0.2.1" in repr(lines(database))


def test_authorities_are_on_record(database: Database, now: datetime) -> None:
    ca = issue(
        Name.build([("CN", "Ours")]), new_key("rsa", 2048), None, serial=1,
        not_before=now, not_after=now + timedelta(days=9), ca=True,
    )  # fmt: skip
    cas = VendorCas(database)
    cas.add([describe_ca(ca, now)])
    cas.add([describe_ca(ca, now)])  # nothing new
    cas.remove(ca.sha256)
    removed, added = lines(database, subject=f"vendor-ca {ca.sha256}")
    assert (added.action, removed.action) == ("add", "remove")
    assert told(added)["subject"] == (None, "CN=Ours")


def test_a_search_finds_by_each_and_counts(database: Database, now: datetime) -> None:
    devices = Devices(database.acting(ANNA))
    for number in range(5):
        at = now + timedelta(hours=number)
        devices.add(Device(Mac(f"00041300000{number}"), "snom"), at)
    search = ChangeSearch(
        who="anna", since=now + timedelta(hours=1), until=now + timedelta(hours=4)
    )
    with database.read() as connection:
        assert count_changes(connection, search) == 3
        newest = read_changes(connection, search, limit=2)
        rest = read_changes(connection, search, before=newest[-1].row_id)
    assert [line.subject[-1] for line in (*newest, *rest)] == ["3", "2", "1"]
    assert lines(database, who="berta") == []


def test_old_lines_go_after_their_days(database: Database, now: datetime) -> None:
    Devices(database).add(Device(MAC, "snom"), now)
    rules = Retention(0, 0, 1, change_days=730)
    keep_within(database, rules, now + timedelta(days=729))
    assert len(lines(database)) == 1
    keep_within(database, rules, now + timedelta(days=731))
    assert lines(database) == []


def test_a_long_value_is_told_by_its_length_and_hash(
    database: Database, now: datetime
) -> None:
    Layers(database).change(
        Scope.fleet(),
        lambda old: old.with_settings(Setting("language", "x" * 60_000)),
        now,
    )
    with database.read() as connection:
        text = connection.execute(sa.select(changes.c.details)).scalar_one()
    assert "60000 characters, SHA-256" in text
    assert len(text) < 300
