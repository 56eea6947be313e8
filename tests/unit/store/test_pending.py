"""The list of pending phones over SQLite; ``tests.pending`` has what both keep."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from tests.pending import EVIL, NOW, SCENARIOS, A, B, C, D, came, macs, note, only

from linekey.errors import InputError, StorageError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.pending import Approval, Pending, PendingSearch
from linekey.store.retention import Retention, keep_within


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
async def test_both_databases(
    database: Database, scenario: Callable[[Database], Awaitable[None]]
) -> None:
    await scenario(database)


async def test_a_selection_is_all_or_nothing(database: Database) -> None:
    await note(database, came(A), came(B, user_agent="snom715-SIP"), came(C))
    pending = Pending(database)
    for wanted, how, problem in (
        (only(A, D), {}, "not pending"),
        (PendingSearch(), {"expected": 2}, "no longer 2"),
    ):
        with pytest.raises(InputError, match=problem):
            pending.approve(wanted, Approval(), NOW, **how)
    with pytest.raises(InputError, match="no group"):
        pending.approve(PendingSearch(), Approval(group="acme"), NOW)
    with pytest.raises(InputError, match="D999"):
        pending.approve(PendingSearch(), Approval(model="D999"), NOW)
    assert Devices(database).count() == 0
    told = pending.approve(PendingSearch(), Approval(), NOW, dry_run=True)
    assert [t.device and t.device.model for t in told] == ["D785", "D715", "D785"]
    assert (Devices(database).count(), pending.count()) == (0, 3)
    pending.approve(PendingSearch(model="d7*"), Approval(), NOW, expected=3)
    assert (Devices(database).count(), pending.count()) == (3, 0)


async def test_what_is_refused_stays_so_until_it_is_forgotten(
    database: Database,
) -> None:
    await note(database, came(A))
    pending = Pending(database)
    pending.refuse(only(A), "not ours", NOW)
    await note(database, came(A, NOW + timedelta(hours=1), waits=True))
    phone = pending.get(A)
    assert (phone.state, phone.refused_reason, phone.count) == (
        "refused", "not ours", 2,
    )  # fmt: skip
    assert pending.states() == {"open": 0, "refused": 1}
    pending.forget(only(A), NOW)
    with pytest.raises(InputError, match="not pending"):
        pending.get(A)


async def test_a_list_goes_on_where_it_was_while_phones_come(
    database: Database,
) -> None:
    many = [Mac(f"0004130{n:05d}") for n in range(7)]
    await note(
        database, *(came(m, NOW + timedelta(minutes=n)) for n, m in enumerate(many))
    )
    pending = Pending(database)
    first, cursor = pending.page(PendingSearch(), None, 3)
    await note(database, came(A, NOW + timedelta(hours=1)))
    rest, end = pending.page(PendingSearch(), cursor, 10)
    assert [p.mac for p in (*first, *rest)] == many[::-1]
    assert end is None
    for bad in ("", "x", "W10", "WzEsICJ4Il0", "WyIxIiwiMDAwNDEzQUFCQjAwIl0"):
        with pytest.raises(InputError, match="cursor"):
            pending.page(PendingSearch(), bad, 3)


async def test_they_are_found_by_what_is_known_of_them(database: Database) -> None:
    await note(
        database,
        came(A, user_agent=EVIL, file_model="D715"),
        came(B, vendor="yealink", peer="192.0.2.9", generation="sha1"),
        came(C, vendor="cisco", certificate_model="CP-8841-3PCC"),
    )
    pending = Pending(database)
    for wanted, found in (
        (PendingSearch(search="script"), {A}),
        (PendingSearch(search="00:04:13:aa:bb:01"), {B}),
        (PendingSearch(vendor="yealink"), {B}),
        (PendingSearch(model="cp-*"), {C}),
        (PendingSearch(generation="sha1"), {B}),
        (PendingSearch(peer="192.0.2.9"), {B}),
        (PendingSearch(code=pending.get(C).code), {C}),
        (PendingSearch(state="refused"), set()),
    ):
        assert {phone.mac for phone in pending.all(wanted)} == found, wanted
        assert pending.count(wanted) == len(found)
    agent = pending.get(A).user_agent
    assert agent is not None
    assert len(agent) == 200
    assert "\0" not in agent
    assert (pending.get(A).model, pending.get(A).model_by) == ("D715", "file")
    assert pending.get(C).model_by == "certificate"
    with pytest.raises(InputError, match="control character"):
        pending.count(PendingSearch(model="\x1b"))


async def test_they_age_out_and_a_clock_set_back_does_no_harm(
    database: Database,
) -> None:
    old = NOW - timedelta(days=40)
    await note(database, came(A, old), came(B), came(B, old), came(C, old))
    Devices(database)
    rules = Retention(0, 0, 1000, pending=1, pending_days=30)
    keep_within(database, rules, old)
    assert len(macs(database)) == 1, "the number that is kept"
    await note(database, came(A, old), came(B, NOW))
    keep_within(database, rules, NOW)
    assert macs(database) == [B]
    keep_within(database, Retention(0, 0, 1000), NOW + timedelta(days=4000))
    assert macs(database) == [B], "for ever, and all of them"


async def test_a_database_that_is_gone_is_told(database: Database) -> None:
    await note(database, came(A))
    database.state.database_file.unlink()
    pending = Pending(database)
    for call in (
        lambda: pending.page(PendingSearch(), None, 1),
        lambda: pending.approve(only(A), Approval(), NOW),
        lambda: pending.forget(only(A), NOW),
    ):
        with pytest.raises(StorageError):
            call()


async def test_removing_a_record_makes_the_phone_pending_anew(
    database: Database,
) -> None:
    Devices(database).add(Device(A, "snom"), NOW)
    await note(database, came(A))
    assert macs(database) == []
    Devices(database).remove(A, NOW)
    await note(database, came(A))
    assert macs(database) == [A]
