"""What a running server tells of its keys, and who is on the list."""

from datetime import datetime, timedelta

from tests.unit.store.test_rotation import all_open, fill, list_server, shared

from linekey.store.database import Database, open_database
from linekey.store.rotation import prepare, rotate_key, rotation
from linekey.store.secrets import KEY_FILE
from linekey.store.servers import FORGOTTEN, LIVE, Presence


def test_a_server_tells_what_its_file_has_and_when_it_changes(
    database: Database, now: datetime
) -> None:
    presence = Presence(database, now, name="phones1")
    presence.tell(now)
    soon = now + timedelta(seconds=2)
    presence.tell_if_due(soon)
    (server,) = rotation(database).servers
    assert (server.name, server.seen_at) == ("phones1", now), "nothing to tell yet"
    with open_database(database.state) as other:
        new = prepare(other)
    presence.tell_if_due(soon)
    (server,) = rotation(database).servers
    assert server.seen_at == soon
    assert new in server.keys
    later = soon + timedelta(seconds=10)
    presence.tell_if_due(later)
    assert rotation(database).servers[0].seen_at == later


def test_two_servers_of_one_name_do_not_hide_each_other(
    database: Database, now: datetime
) -> None:
    told: list[str] = []
    first = Presence(
        database, now, name="copy", on_trouble=lambda said, cure: told.append(said)
    )
    first.tell(now)
    second = Presence(database, now, name="copy")
    second.tell(now)
    first.tell(now)
    second.tell(now)
    names = [server.name for server in rotation(database).servers]
    assert names[0] == "copy"
    assert names[1].startswith("copy #")
    assert told == ["another server calls itself 'copy', too"]
    first.end()
    second.end()
    assert [server.name for server in rotation(database).servers] == ["copy"]


def test_a_server_that_starts_again_takes_its_row_back(
    database: Database, now: datetime
) -> None:
    Presence(database, now, name="phones1").tell(now)
    again = Presence(database, now + LIVE, name="phones1")
    again.tell(now + LIVE)
    again.tell(now + LIVE)
    assert [server.name for server in rotation(database).servers] == ["phones1"]


def test_who_was_not_seen_for_a_month_is_taken_off_the_list(
    database: Database, now: datetime
) -> None:
    list_server(database, "gone", (), now - FORGOTTEN - timedelta(seconds=1))
    list_server(database, "down", (), now - FORGOTTEN + timedelta(seconds=1))
    Presence(database, now, name="here").tell(now)
    assert [s.name for s in rotation(database).servers] == ["down", "here"]


def test_a_file_that_loses_the_key_in_use_is_told_and_does_no_harm_yet(
    database: Database, now: datetime
) -> None:
    told: list[str] = []
    before = database.state.read_key(KEY_FILE) or b""
    presence = Presence(
        database, now, name="x", on_trouble=lambda said, cure: told.append(said + cure)
    )
    rotate_key(database)
    fill(database, now)
    database.state.replace_key(KEY_FILE, before)
    presence.tell_if_due(now)
    assert "no longer has the key in use" in told[0]
    assert "copy keys/database.key here" in told[0]
    assert rotation(database).in_use not in rotation(shared(database)).servers[0].keys
    assert all_open(database)
