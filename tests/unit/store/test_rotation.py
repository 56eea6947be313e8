"""The steps of a key rotation, each in and out of its turn, and cut short anywhere."""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError, StorageError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.store import rotation as module
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.rotation import (
    cancel,
    finish,
    forget_key,
    prepare,
    rotate_key,
    rotation,
)
from linekey.store.schema import devices, meta, metadata, servers, to_us
from linekey.store.secrets import KEY_FILE, format_keys, parse_keys, sealed_with
from linekey.store.servers import LIVE, KnownServer, Presence, place_of

SECRET = Layer((Setting("user_pass", "geheim", 1),))


def fill(database: Database, now: datetime, count: int = 3) -> None:
    Devices(database).add_all(
        [Device(Mac(f"00041300{n:04X}"), "snom", layer=SECRET) for n in range(count)],
        now,
    )
    Layers(database).change(Scope.fleet(), lambda _: SECRET, now)


def all_open(database: Database, count: int = 3) -> bool:
    found = list(Devices(database).all())
    return [device.layer for device in found] == [SECRET] * count and Layers(
        database
    ).get(Scope.fleet()) == SECRET


def list_server(
    database: Database,
    name: str,
    keys: tuple[str, ...],
    seen_at: datetime,
    place: str = "",
) -> None:
    with database.write() as connection:
        connection.execute(
            sa.insert(servers).values(
                name=name, place=place or f"{name}:/elsewhere", run="1", key_ids=",".join(keys),
                started_at=to_us(seen_at), seen_at=to_us(seen_at),
            )
        )  # fmt: skip


class Shared(Database):
    """The same database as several machines have it: no longer SQLite's one file."""

    is_sqlite = False


def shared(database: Database) -> Shared:
    return Shared(database.engine, database.keys, database.state)


def test_a_plain_rotation_seals_everything_and_keeps_the_old_key(
    database: Database, now: datetime
) -> None:
    fill(database, now)
    before = rotation(database)
    assert rotate_key(database) == 4
    after = rotation(database)
    assert after.done
    assert after.in_use not in before.file_ids
    assert after.sealed == {after.in_use: 4}
    assert after.file_ids == (after.in_use, before.in_use)
    assert all_open(database)


def test_nothing_is_sealed_with_a_key_that_is_only_prepared(
    database: Database, now: datetime
) -> None:
    old = rotation(database).in_use
    new = prepare(database)
    assert prepare(database) == new, "a second time changes nothing"
    fill(database, now)
    state = rotation(database)
    assert (state.in_use, state.prepared, state.file_ids) == (old, new, (old, new))
    assert set(state.sealed) == {old}
    assert not state.done


@pytest.mark.parametrize("step", [finish, cancel])
def test_no_step_goes_before_prepare(
    database: Database, step: Callable[[Database], object]
) -> None:
    with pytest.raises(InputError, match="no new key is prepared") as raised:
        step(database)
    assert "--prepare" in raised.value.hint
    rotate_key(database)
    with pytest.raises(InputError, match="no new key is prepared"):
        step(database)


def test_finish_is_refused_while_a_server_lacks_the_key_and_names_it(
    database: Database, now: datetime
) -> None:
    fill(database, now)
    place = shared(database)
    new = prepare(place)
    old = rotation(place).in_use
    list_server(place, "phones1", (old, new), now)
    list_server(place, "phones2", (old,), now)
    list_server(place, "phones3", (old,), now - timedelta(days=2))
    with pytest.raises(StorageError, match="2 servers lack the new key") as raised:
        finish(place, now)
    assert "phones2" in raised.value.message
    assert "phones3 (seen 2026-01-29" in raised.value.message
    assert "phones1" not in raised.value.message
    assert "copy keys/database.key there" in raised.value.hint
    assert "--without" in raised.value.hint
    state = rotation(place)
    assert (state.in_use, state.prepared) == (old, new)
    assert [server.name for server in state.lacking] == ["phones2", "phones3"]


def test_a_dead_server_may_be_left_out_and_a_living_one_may_not(
    database: Database, now: datetime
) -> None:
    fill(database, now)
    place = shared(database)
    new = prepare(place)
    old = rotation(place).in_use
    list_server(place, "alive", (old,), now - LIVE)
    list_server(place, "dead", (old,), now - LIVE - timedelta(seconds=1))
    with pytest.raises(InputError, match="'alive' is running"):
        finish(place, now, without=["alive", "dead"])
    with pytest.raises(InputError, match="no server 'daed'") as raised:
        finish(place, now, without=["daed"])
    assert "'dead'" in raised.value.hint
    with pytest.raises(StorageError, match="1 server lacks"):
        finish(place, now, without=["dead"])
    with place.write() as connection:
        connection.execute(
            sa.update(servers).where(servers.c.name == "alive").values(key_ids=new)
        )
    assert finish(place, now, without=["dead"]) == 4
    state = rotation(place)
    assert state.done
    assert [server.name for server in state.servers] == ["alive"]


def test_a_plain_rotation_is_refused_where_other_servers_are_on_the_list(
    database: Database, now: datetime
) -> None:
    place = shared(database)
    list_server(place, "phones2", (rotation(place).in_use,), now)
    with pytest.raises(InputError, match="phones2") as raised:
        rotate_key(place)
    assert "--prepare" in raised.value.hint
    assert rotation(place).prepared is None


def test_a_server_of_this_very_machine_needs_no_copy(
    database: Database, now: datetime
) -> None:
    fill(database, now)
    place = shared(database)
    Presence(place, now).tell(now)
    assert rotate_key(place) == 4
    assert rotation(place).done


def test_machines_that_were_copied_from_one_prove_nothing_by_their_name(
    database: Database, now: datetime
) -> None:
    """Containers with one host name and one folder each, with files of their own."""
    fill(database, now)
    place = shared(database)
    here = place_of(place.state)
    old = rotation(place).in_use
    list_server(place, "phones1", (old,), now, here)
    list_server(place, "phones2", (old,), now, here)
    with pytest.raises(InputError, match=r"phones1 .*phones2"):
        rotate_key(place)
    new = prepare(place)
    assert [server.name for server in rotation(place).lacking] == ["phones1", "phones2"]
    with pytest.raises(StorageError, match="2 servers lack the new key"):
        finish(place, now)
    for name, keys in (("phones1", f"{old},{new}"), ("phones2", f"{new},{old}")):
        with pytest.raises(StorageError, match="lack"):
            finish(place, now)
        with place.write() as connection:
            connection.execute(
                sa.update(servers).where(servers.c.name == name).values(key_ids=keys)
            )
    assert finish(place, now) == 4
    assert rotation(place).done


def test_a_machine_without_the_prepared_key_is_told_where_it_is(
    database: Database, now: datetime
) -> None:
    place = shared(database)
    state = place.state
    before = state.read_key(KEY_FILE) or b""
    new = prepare(place)
    list_server(place, "phones1", (new,), now)
    state.replace_key(KEY_FILE, before)
    with open_database(state) as fresh:
        for step in (finish, prepare):
            with pytest.raises(
                StorageError, match=f"lacks the prepared key {new}"
            ) as e:
                step(shared(fresh))
            assert "phones1" in e.value.hint
            assert "--cancel" in e.value.hint
        assert cancel(fresh) == new
        assert prepare(fresh) != new


def test_a_cancelled_key_is_gone_and_nothing_else_is(
    database: Database, now: datetime
) -> None:
    fill(database, now)
    before = rotation(database)
    assert cancel_prepared(database) not in rotation(database).file_ids
    assert rotation(database) == before
    assert all_open(database)


def cancel_prepared(database: Database) -> str:
    new = prepare(database)
    assert cancel(database) == new
    return new


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize("cut_at", range(5))
def test_a_rotation_that_is_cut_short_goes_on_and_all_opens_meanwhile(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    fill(database, now, count=9)
    monkeypatch.setattr(module, "_PIECE", 2)
    old, new = rotation(database).in_use, prepare(database)
    real, done = module._write, 0

    def write(*arguments: object) -> None:
        nonlocal done
        if done == cut_at:
            raise PowerCutError
        done += 1
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_write", write)
    with pytest.raises(PowerCutError):
        finish(database, now)
    monkeypatch.setattr(module, "_write", real)
    with open_database(database.state) as fresh:
        assert all_open(fresh, 9)
        state = rotation(fresh)
        assert state.in_use == new
        assert state.sealed == Counter({new: 2 * cut_at, old: 10 - 2 * cut_at})
        assert not state.done
        for wrong in (prepare, lambda d: forget_key(d, old)):
            with pytest.raises(InputError) as raised:
                wrong(fresh)
            assert "--finish" in raised.value.hint
        assert finish(fresh, now) == 10
        assert rotation(fresh).done
        assert all_open(fresh, 9)
    assert all_open(database, 9), "opened before it all"


def test_what_is_changed_meanwhile_is_not_written_back(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, now)
    prepare(database)
    newer = Layer((Setting("user_pass", "neuer", 1),))
    real = module._write

    def write(*arguments: object) -> None:
        Layers(database).change(Scope.fleet(), lambda _: newer, now)
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_write", write)
    finish(database, now)
    assert Layers(database).get(Scope.fleet()) == newer
    assert rotation(database).done


def test_a_process_that_opened_before_seals_with_the_new_key_afterwards(
    database: Database, now: datetime
) -> None:
    with open_database(database.state) as other:
        rotate_key(other)
    fill(database, now)
    assert rotation(database).done


def test_a_row_that_does_not_open_is_named_and_keeps_none_of_the_others(
    database: Database, now: datetime
) -> None:
    fill(database, now)
    with database.write() as connection:
        sealed = connection.execute(sa.select(devices.c.sealed)).scalars().first()
        assert sealed is not None
        connection.execute(
            sa.update(devices)
            .where(devices.c.mac == "000413000001")
            .values(sealed=bytes(sealed[:-1]) + b"?")
        )
    with pytest.raises(
        StorageError, match="of device 000413000001 cannot be decrypted"
    ):
        rotate_key(database)
    assert rotation(database).left == 1


def test_an_old_key_goes_when_it_is_told_to_and_nothing_needs_it(
    database: Database, now: datetime
) -> None:
    fill(database, now)
    old = rotation(database).in_use
    new = prepare(database)
    for key in (old, new):
        with pytest.raises(InputError, match=r"in use|prepared"):
            forget_key(database, key)
    finish(database, now)
    with pytest.raises(InputError, match="has no key"):
        forget_key(database, "00000000")
    forget_key(database, old)
    with open_database(database.state) as fresh:
        assert rotation(fresh).file_ids == (new,)
        assert all_open(fresh)


def test_a_key_file_without_the_key_in_use_is_refused_with_the_cure(
    database: Database, now: datetime
) -> None:
    before = database.state.read_key(KEY_FILE) or b""
    rotate_key(database)
    database.state.replace_key(KEY_FILE, before)
    with pytest.raises(StorageError, match="is not the key of") as raised:
        open_database(database.state)
    assert rotation(database).in_use in raised.value.message
    assert "copy keys/database.key here from a server" in raised.value.hint


def test_the_order_of_the_file_decides_nothing(
    database: Database, now: datetime
) -> None:
    rotate_key(database)
    keys = parse_keys(database.state.read_key(KEY_FILE) or b"")
    database.state.replace_key(KEY_FILE, format_keys(keys[::-1]))
    with open_database(database.state) as fresh:
        fill(fresh, now)
        assert rotation(fresh).done
        with fresh.read() as connection:
            sealed = connection.execute(sa.select(devices.c.sealed)).scalars().first()
        assert sealed_with(bytes(sealed or b"")) == rotation(database).in_use


KEYS = st.lists(st.sampled_from(["0a", "0b", "0c"]), max_size=3, unique=True)


@given(st.dictionaries(st.sampled_from("ABCD"), KEYS), st.sets(st.sampled_from("ABCD")))
def test_finish_passes_only_servers_that_have_the_key_or_were_named(
    have: dict[str, list[str]], without: set[str]
) -> None:
    at = datetime(2026, 1, 31)
    known = [KnownServer(n, n, tuple(keys), at, at) for n, keys in have.items()]
    bad = {n for n, keys in have.items() if "0a" not in keys} - without
    if not bad:
        module._refuse_lacking(known, "0a", without)
        return
    with pytest.raises(StorageError) as raised:
        module._refuse_lacking(known, "0a", without)
    assert set(re.findall(r"(\w) \(seen", raised.value.message)) == bad


def test_every_sealed_column_is_sealed_anew() -> None:
    sealed = {table for table in metadata.sorted_tables if "sealed" in table.columns}
    assert sealed == {kind.table for kind in module._KINDS} | {meta}


def test_a_database_restored_from_before_a_rotation_opens_and_rotates_again(
    database: Database, now: datetime
) -> None:
    fill(database, now)
    before = rotation(database).in_use
    copy = sqlite3.connect(database.state.root / "copy.db")
    database.raw_connection().backup(copy)
    copy.close()
    rotate_key(database)
    database.close()
    for end in ("-wal", "-shm"):
        database.state.database_file.with_name(f"linekey.db{end}").unlink(
            missing_ok=True
        )
    (database.state.root / "copy.db").replace(database.state.database_file)
    with open_database(database.state) as restored:
        assert rotation(restored).in_use == before
        assert all_open(restored)
        rotate_key(restored)
        assert rotation(restored).done
        assert all_open(restored)
