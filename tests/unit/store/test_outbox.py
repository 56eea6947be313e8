"""Messages wait until they are delivered, are tried again, given up, and never many."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from linekey.alerts.retries import ATTEMPTS
from linekey.alerts.targets import Outcome
from linekey.errors import InputError
from linekey.store import outbox
from linekey.store.database import Database, open_database

FAILED = Outcome(False, "it answers 500")
GOOD = Outcome(True)
HOOK = ("webhook-1", "https://x/…")
MAIL = ("mail-1", "mail to a@b")


def put(database: Database, now: datetime, number: int = 1, *to: Any) -> None:
    body = {"type": "test", "timestamp": "", "data": {"summary": f"number {number}"}}
    with database.write() as connection:
        outbox.put(connection, f"msg_{number}", "test", body, to or (HOOK,), now)


def test_a_message_waits_for_each_target_until_it_is_delivered(
    database: Database, now: datetime
) -> None:
    put(database, now, 1, HOOK, MAIL)
    hook, mail = outbox.due(database, now)
    assert (hook.target, mail.target) == (HOOK[0], MAIL[0])
    assert hook.message == mail.message == "msg_1"
    assert outbox.note(database, hook, GOOD, now, 0.0) is None
    assert [one.target for one in outbox.due(database, now)] == [MAIL[0]]
    assert [one.state for one in outbox.listed(database)] == ["waiting"]
    sent = outbox.listed(database, ("sent",))
    assert [(one.state, one.attempts, one.tried_at) for one in sent] == [
        ("sent", 1, now)
    ]


def test_what_fails_is_tried_again_with_pauses_then_undelivered(
    database: Database, now: datetime
) -> None:
    put(database, now)
    at: datetime | None = now
    for attempt in range(1, ATTEMPTS + 1):
        assert at is not None
        assert outbox.due(database, at - timedelta(seconds=1)) == [] or attempt == 1
        (one,) = outbox.due(database, at)
        assert one.attempts == attempt - 1
        at = outbox.note(database, one, FAILED, at, 0.5)
    assert at is None
    (one,) = outbox.listed(database)
    assert (one.state, one.problem, one.attempts) == (
        "undelivered", "it answers 500", ATTEMPTS,
    )  # fmt: skip
    assert outbox.due(database, now + timedelta(days=99)) == []


def test_what_is_final_is_not_tried_again(database: Database, now: datetime) -> None:
    put(database, now)
    (one,) = outbox.due(database, now)
    gone = Outcome(False, "it answers 410", final=True)
    assert outbox.note(database, one, gone, now, 0.0) is None
    assert outbox.counts(database) == {"waiting": 0, "sent": 0, "undelivered": 1}


def test_what_waits_is_there_after_a_restart(database: Database, now: datetime) -> None:
    put(database, now)
    with open_database(database.state) as again:
        (one,) = outbox.due(again, now)
    assert one.message == "msg_1"


def test_all_or_one_can_be_put_back(database: Database, now: datetime) -> None:
    for number in (1, 2, 3):
        put(database, now, number)
    first, second, third = outbox.due(database, now)
    gone = Outcome(False, "it answers 410", final=True)
    for one in (first, second):
        outbox.note(database, one, gone, now, 0.0)
    outbox.note(database, third, GOOD, now, 0.0)
    later = now + timedelta(hours=1)
    assert outbox.retry(database, first.row_id, later) == 1
    (one,) = outbox.due(database, later)
    assert (one.row_id, one.attempts) == (first.row_id, 0)
    assert outbox.retry(database, None, later) == 2
    for number in (third.row_id, 999):
        with pytest.raises(InputError, match=f"no message {number}"):
            outbox.retry(database, number, later)


def test_it_stays_small(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 5)
    monkeypatch.setattr(outbox, "KEPT", 3)
    for number in range(20):
        put(database, now, number)
    outbox.tidy(database, [HOOK[0]], now)
    waiting = outbox.due(database, now)
    assert [one.message for one in waiting] == [f"msg_{n}" for n in range(15, 20)]
    kept = outbox.listed(database, ("undelivered",))
    assert [one.message for one in kept] == ["msg_14", "msg_13", "msg_12"]
    assert kept[0].problem == "more than 5 waited for it"
    outbox.tidy(database, [HOOK[0]], now + outbox.KEEP + timedelta(seconds=1))
    assert outbox.counts(database) == {"waiting": 5, "sent": 0, "undelivered": 0}


def test_a_target_that_is_no_longer_one_is_told(
    database: Database, now: datetime
) -> None:
    put(database, now, 1, HOOK, MAIL)
    outbox.tidy(database, [MAIL[0]], now)
    assert [one.target for one in outbox.due(database, now)] == [MAIL[0]]
    (one,) = outbox.listed(database, ("undelivered",))
    assert one.problem.startswith("it is no longer a target")
    outbox.tidy(database, [], now)
    assert outbox.due(database, now) == []
