"""Tokens: shown once, found by their hash, and good for nothing once revoked or ended."""

from datetime import datetime, timedelta

import pytest

from linekey.errors import InputError
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.tokens import ApiTokens, Scope


def test_a_token_is_found_and_is_not_in_the_database(
    database: Database, now: datetime
) -> None:
    tokens = ApiTokens(database)
    made = tokens.add("pbx", Scope.ADMIN, now + timedelta(days=1), now)
    found = tokens.find(made)
    assert found is not None
    assert (found.name, found.scope, found.problem(now)) == ("pbx", Scope.ADMIN, "")
    assert made not in repr(tokens.all())
    for path in database.state.root.glob("linekey.db*"):
        assert made.encode() not in path.read_bytes()


@pytest.mark.parametrize("given", ["", "linekey_", "linekey_" + "x" * 32, "ä", "a\0b"])
def test_what_is_no_token_is_not_found(
    database: Database, now: datetime, given: str
) -> None:
    ApiTokens(database).add("pbx", Scope.READ, None, now)
    assert ApiTokens(database).find(given) is None


def test_a_token_ends_by_time_and_by_word(database: Database, now: datetime) -> None:
    tokens = ApiTokens(database)
    made = tokens.add("a", Scope.READ, now + timedelta(hours=1), now)
    found = tokens.find(made)
    assert found is not None
    assert found.problem(now + timedelta(minutes=59)) == ""
    assert found.problem(now + timedelta(hours=1)) == "this token has expired"
    assert tokens.revoke("a", now).problem(now) == "this token was revoked"
    again = tokens.find(made)
    assert again is not None
    assert again.problem(now) == "this token was revoked"


def test_a_living_tokens_name_is_taken_and_a_dead_ones_is_free(
    database: Database, now: datetime
) -> None:
    tokens = ApiTokens(database)
    old = tokens.add("a", Scope.READ, None, now)
    with pytest.raises(InputError, match="already"):
        tokens.add("a", Scope.ADMIN, None, now)
    tokens.revoke("a", now)
    new = tokens.add("a", Scope.ADMIN, None, now)
    assert tokens.find(old) is None
    assert tokens.find(new) is not None


@pytest.mark.parametrize("name", ["", "a b", "-a", "ä", "x" * 65, "a\nb"])
def test_a_name_is_one_word(database: Database, now: datetime, name: str) -> None:
    with pytest.raises(InputError, match="not a token's name"):
        ApiTokens(database).add(name, Scope.READ, None, now)


def test_an_end_is_to_come_and_a_name_is_known(
    database: Database, now: datetime
) -> None:
    tokens = ApiTokens(database)
    with pytest.raises(InputError, match="opens nothing"):
        tokens.add("a", Scope.READ, now, now)
    tokens.add("pbx-1", Scope.READ, None, now)
    with pytest.raises(InputError, match="no token") as caught:
        tokens.revoke("pbx1", now)
    assert caught.value.hint == "did you mean pbx-1?"


def test_when_it_was_used_is_noted_once_a_minute(
    database: Database, now: datetime
) -> None:
    tokens = ApiTokens(database)
    made = tokens.add("a", Scope.READ, None, now)

    def use(at: datetime) -> datetime | None:
        token = tokens.find(made)
        assert token is not None
        tokens.used(token, at)
        return tokens.all()[0].used_at

    assert use(now) == now
    assert use(now + timedelta(seconds=59)) == now
    assert use(now + timedelta(seconds=60)) == now + timedelta(seconds=60)


def test_scopes_cover_each_other_in_their_order() -> None:
    assert [[a.covers(b) for b in Scope] for a in Scope] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_making_and_revoking_is_on_record(database: Database, now: datetime) -> None:
    ApiTokens(database).add("a", Scope.READ, None, now)
    ApiTokens(database).revoke("a", now)
    with database.read() as connection:
        lines = read_changes(connection, ChangeSearch(subject="token a"))
    assert [line.action for line in lines] == ["remove", "add"]
