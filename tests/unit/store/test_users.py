"""Users: their passwords are hashes, their links work once, and revoking shuts out."""

from datetime import datetime, timedelta

import pytest

from linekey.errors import InputError
from linekey.provisioning.group import Group
from linekey.store.changes import Actor, ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.groups import Groups
from linekey.store.sessions import Ends, Sessions
from linekey.store.users import Users, link_url

PASSWORD = "correct horse battery"


def test_a_password_is_checked_and_is_not_in_the_database(
    database: Database, now: datetime
) -> None:
    users = Users(database)
    users.add("anna", "admin", now, password=PASSWORD)
    found = users.check_password("Anna", PASSWORD)
    assert found is not None
    assert (found.name, found.role, found.groups) == ("anna", "admin", None)
    for name, wrong in (("anna", PASSWORD + "x"), ("nobody", PASSWORD), ("anna", "")):
        assert users.check_password(name, wrong) is None
    users.set_password("anna", None, now)
    assert users.check_password("anna", PASSWORD) is None
    for path in database.state.root.glob("linekey.db*"):
        assert PASSWORD.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "role", "password", "said"),
    [
        ("a b", "admin", PASSWORD, "not a user's name"),
        ("", "admin", PASSWORD, "not a user's name"),
        ("anna", "root", PASSWORD, "not a role"),
        ("anna", "admin", "short", "12 to 1,024"),
        ("anna", "admin", "x" * 1025, "12 to 1,024"),
        ("anna-of-the-desk", "admin", "Anna-of-the-Desk", "the user's name"),
        ("BEN", "admin", PASSWORD, "already"),
    ],
)
def test_who_cannot_be_a_user(
    database: Database, now: datetime, name: str, role: str, password: str, said: str
) -> None:
    users = Users(database)
    users.add("ben", "viewer", now)
    with pytest.raises(InputError, match=said):
        users.add(name, role, now, password=password)
    assert [user.name for user in users.all()] == ["ben"]


def test_a_link_logs_in_once_and_only_the_newest(
    database: Database, now: datetime
) -> None:
    users = Users(database)
    users.add("anna", "viewer", now)
    old, new = users.new_link("anna", now), users.new_link("anna", now)
    assert users.take_link(old, now) is None
    found = users.take_link(new, now)
    assert found is not None
    assert found.name == "anna"
    assert users.take_link(new, now) is None
    late = users.new_link("anna", now, timedelta(minutes=5))
    assert users.take_link(late, now + timedelta(minutes=5)) is None
    assert link_url("https://h/console/", "t") == "https://h/console/link?token=t"


def test_what_takes_rights_away_ends_sessions(
    database: Database, now: datetime
) -> None:
    Groups(database).add(Group("acme"), now)
    users, sessions = Users(database), Sessions(database, Ends())
    here = Actor("anna", "console 192.0.2.7")

    def token() -> str:
        return sessions.begin(users.get("anna"), "link", here, "192.0.2.7", now)

    users.add("anna", "admin", now)
    for change in (
        lambda: users.set_role("anna", "viewer", now),
        lambda: users.set_groups("anna", ["acme"], now),
        lambda: users.set_password("anna", PASSWORD, now),
        lambda: users.set_subject("anna", "https://id", "u1", now),
        lambda: users.revoke("anna", now),
    ):
        made = token()
        assert sessions.find(made, now) is not None
        change()
        assert sessions.find(made, now) is None
    with pytest.raises(InputError, match="revoked"):
        users.new_link("anna", now)
    assert users.add("anna", "viewer", now).revoked_at is None


def test_a_subject_is_one_user(database: Database, now: datetime) -> None:
    users = Users(database)
    users.add("anna", "viewer", now, issuer="https://id", subject="u1")
    users.add("ben", "viewer", now)
    found = users.find_subject("https://id", "u1")
    assert found is not None
    assert found.name == "anna"
    assert users.find_subject("https://other", "u1") is None
    with pytest.raises(InputError, match="is the user 'anna' already"):
        users.set_subject("ben", "https://id", "u1", now)


def test_a_group_that_goes_leaves_its_users_with_less(
    database: Database, now: datetime
) -> None:
    groups, users = Groups(database), Users(database)
    groups.add(Group("acme"), now)
    users.add("anna", "admin", now, groups=["acme"])
    with pytest.raises(InputError, match="no group"):
        users.add("ben", "admin", now, groups=["acne"])
    groups.remove("acme", now, ungroup=False)
    assert users.get("anna").groups == frozenset()


def test_each_change_is_on_record_without_secrets(
    database: Database, now: datetime
) -> None:
    users = Users(database)
    users.add("anna", "viewer", now, password=PASSWORD)
    users.set_role("anna", "admin", now)
    users.set_role("anna", "admin", now)
    token = users.new_link("anna", now)
    users.revoke("anna", now)
    with database.read() as connection:
        lines = read_changes(connection, ChangeSearch(subject="user anna"))
    assert [line.action for line in lines] == ["remove", "change", "change", "add"]
    assert PASSWORD not in repr(lines)
    assert token not in repr(lines)
