"""Sessions: found by the cookie alone, over in time, one in the place of another."""

from datetime import datetime, timedelta

from linekey.store.changes import Actor, ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.sessions import MAX_EACH, Ends, Sessions
from linekey.store.users import Users

ACTOR = Actor("anna", "console 192.0.2.7")
ENDS = Ends(timedelta(minutes=30), timedelta(hours=8))


def begin(database: Database, now: datetime, instead_of: str = "") -> str:
    users = Users(database)
    user = users.find("anna") or users.add("anna", "viewer", now)
    return Sessions(database, ENDS).begin(
        user, "password", ACTOR, "192.0.2.7", now, instead_of=instead_of
    )


def test_a_cookie_is_found_and_is_not_in_the_database(
    database: Database, now: datetime
) -> None:
    token, sessions = begin(database, now), Sessions(database, ENDS)
    found = sessions.find(token, now)
    assert found is not None
    assert (found.user.name, found.way, found.proved_at) == ("anna", "password", now)
    assert found.user.source == "192.0.2.7"
    for wrong in ("", "x", token[:-1], "A" * 43, "ä" * 43, token + "A"):
        assert sessions.find(wrong, now) is None
    for path in database.state.root.glob("linekey.db*"):
        assert token.encode() not in path.read_bytes()


def test_it_ends_without_use_and_in_the_end_whatever_the_use(
    database: Database, now: datetime
) -> None:
    token, sessions = begin(database, now), Sessions(database, ENDS)
    assert sessions.find(token, now + timedelta(minutes=29)) is not None
    assert sessions.find(token, now + timedelta(minutes=58)) is not None
    assert sessions.find(token, now + timedelta(minutes=88)) is None
    token, at = begin(database, now), now
    while sessions.find(token, at) is not None:
        at += timedelta(minutes=20)
    assert at == now + timedelta(hours=8)


def test_a_log_in_ends_the_session_before_it(database: Database, now: datetime) -> None:
    old, sessions = begin(database, now), Sessions(database, ENDS)
    new = begin(database, now, instead_of=old)
    assert new != old
    assert sessions.find(old, now) is None
    found = sessions.find(new, now)
    assert found is not None
    sessions.end(found, ACTOR, now)
    assert sessions.find(new, now) is None
    with database.read() as connection:
        lines = read_changes(connection, ChangeSearch(who="anna"))
    assert [line.action for line in lines] == ["log-out", "log-in", "log-in"]


def test_a_user_has_so_many_sessions_and_no_more(
    database: Database, now: datetime
) -> None:
    tokens = [begin(database, now + timedelta(seconds=n)) for n in range(MAX_EACH + 3)]
    sessions, later = Sessions(database, ENDS), now + timedelta(minutes=1)
    there = [token for token in tokens if sessions.find(token, later)]
    assert there == tokens[3:]
