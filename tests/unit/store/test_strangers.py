import asyncio
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.old_schema import step_back

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.errors import StorageError
from linekey.mac import Mac
from linekey.provisioning.decision import Reason
from linekey.provisioning.device import Device
from linekey.settings import LogSettings
from linekey.store.database import Database, open_database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import PIECE, LogEntry, read_log
from linekey.store.devices import Devices
from linekey.store.reserve import MIB, Reserve, lend_if_short
from linekey.store.retention import Retention, give_back, keep_within
from linekey.store.schema import decision_log, refusal_lines
from linekey.store.strangers import ELSEWHERE, NETWORKS_A_MINUTE, network_of
from linekey.wire.door.refusal import REFUSALS, Refusal, cure_of

MAC, OTHER = Mac("000413AABBCC"), Mac("000413AABBCD")


def refused(now: datetime, **changes: object) -> LogEntry:
    plain = LogEntry(
        at=now,
        kind="handshake",
        outcome="refused",
        reason="hello.not_tls",
        detail="the first bytes are no TLS",
        peer="192.0.2.7",
        peer_port=4711,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def granted(now: datetime, **changes: object) -> LogEntry:
    return refused(
        now, kind="decision", outcome="granted", reason="own_file", mac=MAC,
        target_mac=MAC, **changes,
    )  # fmt: skip


async def record(
    database: Database, *entries: LogEntry, rules: LogSettings | None = None
) -> list[LogEntry]:
    async with DecisionLog(database, rules=rules, max_waiting=len(entries) + 1) as log:
        for start in range(0, len(entries), 250):
            part = entries[start : start + 250]
            await asyncio.gather(*(log.record(entry) for entry in part))
    return read_log(database)


def size(database: Database) -> int:
    return sum(p.stat().st_size for p in database.state.root.glob("linekey.db*"))


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"),
        ("fe80::1%eth0", "fe80::/56"),
        ("", "unknown"),
        ("no address", "unknown"),
    ],
)
def test_a_network_is_what_one_site_has(peer: str, network: str) -> None:
    assert network_of(peer) == network


async def test_refusals_of_a_network_for_a_reason_in_a_minute_are_one_line(
    database: Database, now: datetime
) -> None:
    minute = now.replace(second=0)
    first = refused(minute, detail="the first", server_name="a.example")
    (line,) = await record(
        database,
        first,
        *(
            refused(minute + timedelta(seconds=n), peer=f"192.0.2.{n}", detail="more")
            for n in range(1, 60)
        ),
    )
    assert line.times == 60
    assert line.network == "192.0.2.0/24"
    assert line.at == first.at
    assert line.last_at == minute + timedelta(seconds=59)
    assert (line.detail, line.server_name, line.peer_port) == (
        "the first", "a.example", 4711,
    )  # fmt: skip
    assert line.as_json()["times"] == 60
    assert line.as_json()["last_at"] == line.last_at.isoformat()
    assert read_log(database, since=minute + timedelta(seconds=30)) == [line]
    assert read_log(database, since=minute + timedelta(seconds=60)) == []


async def test_other_reasons_minutes_and_networks_have_lines_of_their_own(
    database: Database, now: datetime
) -> None:
    lines = await record(
        database,
        refused(now),
        refused(now, reason="hello.broken"),
        refused(now, kind="request"),
        refused(now + timedelta(minutes=1)),
        refused(now, peer="192.0.3.7"),
        refused(now, peer="2001:db8::1"),
    )
    assert [line.times for line in lines] == [1] * 6


async def test_what_one_process_began_another_adds_to(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as one, DecisionLog(database) as two:
        for _ in range(3):
            await asyncio.gather(one.record(refused(now)), two.record(refused(now)))
    assert [line.times for line in read_log(database)] == [6]


async def test_it_is_on_disk_before_the_answer_leaves(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        for times in (1, 2, 3):
            await log.record(refused(now, kind="decision", reason="nothing_there"))
            other = sqlite3.connect(database.state.database_file)
            found = other.execute("SELECT times FROM decision_log").fetchall()
            other.close()
            assert found == [(times,)]


async def test_files_that_phones_do_without_are_counted_and_nobodys(
    database: Database, now: datetime
) -> None:
    """A hundred Yealinks of one office start: 600 requests, and one line."""
    macs = [Mac(f"0015650000{n:02X}") for n in range(100)]
    for mac in macs:
        Devices(database).add(Device(mac, "yealink", "T46U"), now)
    minute = now.replace(second=0)

    def asked(mac: Mac, name: str, **changes: object) -> LogEntry:
        plain = refused(
            minute, kind="decision", outcome="absent", reason="optional_file",
            mac=mac, target_mac=mac, resource=name, status=404,
        )  # fmt: skip
        return replace(plain, **changes)  # type: ignore[arg-type]

    names = [f"/{mac.digits.lower()}.boot" for mac in macs]
    rounds = [
        asked(mac, name)
        for mac, own in zip(macs, names, strict=True)
        for name in (own, "/y000000000000.boot")
        for _ in range(3)
    ]
    own = asked(macs[0], "/x.cfg", outcome="granted", reason="own_file", status=200)
    lines = await record(database, *rounds, own)
    by_reason = {line.reason: line for line in lines}
    assert len(lines) == 2
    line = by_reason["optional_file"]
    assert (line.times, line.mac, line.target_mac) == (600, None, None)
    assert [e.reason for e in read_log(database, mac=macs[0])] == ["own_file"]
    assert read_log(database, refused=True) == []


@pytest.mark.parametrize("proved", [True, False])
async def test_a_phones_refusals_have_lines_of_their_own_up_to_a_number_a_day(
    database: Database, now: datetime, proved: bool
) -> None:
    Devices(database).add(Device(MAC, "snom"), now)
    about = {"mac": MAC} if proved else {"target_mac": MAC}
    lines = await record(
        database,
        *(refused(now, **about) for _ in range(50)),
        refused(now + timedelta(days=1), **about),
        rules=LogSettings(refused_lines_each=5),
    )
    assert [line.times for line in lines if line.network is None] == [1] * 6
    assert [line.times for line in lines if line.network] == [45]


async def test_the_number_a_day_holds_across_processes_and_restarts(
    database: Database, now: datetime
) -> None:
    Devices(database).add(Device(MAC, "snom"), now)
    for _ in range(4):
        lines = await record(
            database,
            *(refused(now, target_mac=MAC) for _ in range(3)),
            rules=LogSettings(refused_lines_each=5),
        )
    assert [line.times for line in lines if line.network is None] == [1] * 5
    assert sum(line.times for line in lines) == 12


async def test_the_first_refusal_of_each_phone_is_kept_whatever_others_did(
    database: Database, now: datetime
) -> None:
    macs = [Mac(f"0004130000{n:02X}") for n in range(30)]
    Devices(database).add_all([Device(mac, "snom") for mac in macs], now)
    lines = await record(
        database,
        *(refused(now, target_mac=mac) for mac in macs for _ in range(10)),
        rules=LogSettings(refused_lines=7),
    )
    own = [line for line in lines if line.network is None]
    assert {line.target_mac for line in own} == set(macs)
    assert len(own) == 30 + 7
    assert sum(line.times for line in lines) == 300


async def test_who_claims_a_mac_does_not_use_up_what_the_phone_itself_has(
    database: Database, now: datetime
) -> None:
    Devices(database).add(Device(MAC, "snom"), now)
    rules = LogSettings(refused_lines_each=5, refused_lines=5)
    await record(
        database, *(refused(now, target_mac=MAC) for _ in range(99)), rules=rules
    )
    lines = await record(database, refused(now, mac=MAC, reason="revoked"), rules=rules)
    assert lines[-1].reason == "revoked"
    assert lines[-1].network is None


async def test_a_claim_of_a_mac_that_has_no_record_is_counted(
    database: Database, now: datetime
) -> None:
    lines = await record(
        database,
        *(refused(now, target_mac=Mac(f"0004130000{n:02X}")) for n in range(9)),
    )
    assert [line.times for line in lines] == [9]


async def test_files_handed_out_are_never_counted_together(
    database: Database, now: datetime
) -> None:
    lines = await record(database, *(granted(now) for _ in range(70)))
    assert len(lines) == 70


async def test_a_file_for_anybody_is_counted_but_for_registered_phones(
    database: Database, now: datetime
) -> None:
    Devices(database).add(Device(MAC, "snom"), now)
    common = replace(granted(now), reason=Reason.COMMON_FILE.value, target_mac=None)
    lines = await record(
        database,
        *(replace(common, mac=None) for _ in range(30)),
        *(common for _ in range(30)),
    )
    assert sorted(line.times for line in lines) == [1] * 30 + [30]


@given(st.text(max_size=3_000), st.text(max_size=3_000))
def test_what_a_stranger_sends_is_cut_in_bytes(name: str, agent: str) -> None:
    at = datetime.fromisoformat("2026-01-31T12:00:00Z")
    entry = refused(at, server_name=name, user_agent=agent, resource=name, detail=agent)
    for value in entry.values():
        if isinstance(value, str):
            assert len(value.encode()) <= 200


def certificates() -> list[object]:
    at = datetime.fromisoformat("2026-01-31T12:00:00Z")
    return [
        issue(
            Name.build([("CN", f"{number}" + "ü" * 60)]), new_key("ec", "secp256r1"),
            None, serial=number, not_before=at, not_after=at + timedelta(days=1),
        )
        for number in range(1, 9)
    ]  # fmt: skip


async def test_a_hundred_thousand_refusals_add_less_than_ten_megabytes(
    database: Database, now: datetime
) -> None:
    """Whatever they make up: networks, names, certificates, MACs, over a whole day."""
    Devices(database).add(Device(MAC, "snom"), now)
    before = size(database)
    codes, shown = sorted(REFUSALS), certificates()

    class Claims:
        mac = MAC

    def made(number: int) -> LogEntry:
        wide = number % 2 == 0
        return LogEntry.of_refusal(
            Refusal(
                kind="handshake",
                at=now + timedelta(seconds=number * 0.86),
                peer=(
                    f"2001:db8:{number >> 8 & 0xFFFF:x}:{number & 0xFF}00::1"
                    if wide
                    else f"{number % 223 + 1}.{number >> 8 & 255}.{number & 255}.1",
                    number & 0xFFFF,
                ),
                code=codes[number % len(codes)],
                reason=f"{number}" + "😀" * 60,
                cure=cure_of(codes[number % len(codes)]),
                server_name=f"{number}." + "ü" * 120,
                fingerprint=f"t13d{number:032d}",
                policy="modern",
                certificate=shown[number % len(shown)],  # type: ignore[arg-type]
                verdict=Claims() if number % 97 == 0 else None,
            )
        )

    total = 100_000
    async with DecisionLog(database) as log:
        for start in range(0, total, 250):
            part = [made(n) for n in range(start, start + 250)]
            await asyncio.gather(*(log.record(entry) for entry in part))
    assert size(database) - before < 10_000_000
    with database.read() as connection:
        counted = connection.scalar(
            sa.select(sa.func.count()).where(decision_log.c.network.is_not(None))
        )
    assert counted is not None
    assert counted <= LogSettings().stranger_lines + 2 * NETWORKS_A_MINUTE


async def test_too_many_networks_in_a_minute_are_counted_together(
    database: Database, now: datetime
) -> None:
    lines = await record(
        database,
        *(refused(now, peer=f"2001:db8:{n:x}::1") for n in range(2_000)),
    )
    assert len(lines) == NETWORKS_A_MINUTE + 1
    assert lines[-1].network == ELSEWHERE
    assert sum(line.times for line in lines) == 2_000


async def test_of_counted_lines_the_oldest_go_first_and_phones_lines_stay(
    database: Database, now: datetime
) -> None:
    rules = LogSettings(stranger_lines=10)
    lines = await record(
        database,
        granted(now),
        *(refused(now + timedelta(minutes=n)) for n in range(600)),
        rules=rules,
    )
    counted = [line for line in lines if line.network]
    assert len(counted) < 10 + 2 * NETWORKS_A_MINUTE
    assert counted[-1].at == now + timedelta(minutes=599)
    keep_within(database, Retention(0, 0, 10), now)
    lines = read_log(database)
    assert [line.reason for line in lines if not line.network] == ["own_file"]
    assert [line.at for line in lines if line.network] == [
        now + timedelta(minutes=n) for n in range(590, 600)
    ]


async def test_each_kind_of_line_is_kept_as_long_as_its_setting_says(
    database: Database, now: datetime
) -> None:
    ages = (1, 10, 40, 100)
    await record(
        database,
        *(granted(now - timedelta(days=age)) for age in ages),
        *(refused(now - timedelta(days=age)) for age in ages),
        *(refused(now - timedelta(days=age), mac=MAC) for age in ages),
    )
    assert keep_within(database, Retention(90, 30, 1_000), now) == 4
    lines = read_log(database)
    assert sum(1 for line in lines if line.network) == 2
    assert sum(1 for line in lines if line.outcome == "granted") == 3
    with database.read() as connection:
        days = connection.scalar(sa.select(sa.func.count()).select_from(refusal_lines))
    assert days == 1, "the days before yesterday are not counted any more"
    assert keep_within(database, Retention(0, 0, 1_000), now) == 0


async def test_retention_ends_between_two_pieces_when_it_is_told_to(
    database: Database, now: datetime
) -> None:
    await record(database, *(granted(now) for _ in range(1_100)))
    later = now + timedelta(days=91)
    asked = iter([False, True])
    assert (
        keep_within(database, Retention(90, 0, 9), later, lambda: next(asked, True))
        == PIECE
    )
    assert 0 < len(read_log(database)) < 1_100


async def test_the_file_shrinks_when_lines_are_deleted(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr("linekey.store.retention.time.sleep", rests.append)
    await record(database, *(granted(now, detail="x" * 900) for _ in range(4_000)))
    give_back(database)
    before = database.state.database_file.stat().st_size
    keep_within(database, Retention(1, 1, 1), now + timedelta(days=9))
    assert database.state.database_file.stat().st_size < before / 2
    assert len(rests) < 20, "a piece at a time, and not a page"


class Full:
    """A disk that is full for the driver, until there is room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
        self.full = True
        plain: Callable[[], sqlite3.Connection] = database.raw_connection
        disk = self

        class Connection:
            def __init__(self, **_: float) -> None:
                self._made = plain()

            def execute(self, statement: str, *values: object) -> object:
                if disk.full and statement.startswith("INSERT"):
                    error = sqlite3.OperationalError("database or disk is full")
                    error.sqlite_errorname = "SQLITE_FULL"
                    raise error
                return self._made.execute(statement, *values)

            def close(self) -> None:
                self._made.close()

        monkeypatch.setattr(database, "raw_connection", Connection)


async def test_on_a_full_disk_the_reserve_is_for_phones(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = Reserve(database.state.root, MIB)
    assert reserve.fill()
    disk = Full(monkeypatch, database)
    told = []

    def lent() -> None:
        assert reserve.is_lent
        disk.full = False  # as the room that was given back
        told.append(1)

    async with DecisionLog(
        database, rules=LogSettings(reserve_mb=1), on_short=lent
    ) as log:
        done = await asyncio.gather(
            log.record(granted(now)),
            log.record(refused(now)),
            log.record(refused(now, mac=MAC, reason="revoked")),
            log.record(refused(now, target_mac=MAC)),
            return_exceptions=True,
        )
        assert [type(result) for result in done] == [
            type(None), StorageError, type(None), StorageError,
        ]  # fmt: skip
        assert told == [1]
        assert log.is_short_of_room
    assert [line.reason for line in read_log(database)] == ["own_file", "revoked"]
    assert not reserve.is_whole
    assert reserve.fill()
    async with DecisionLog(database, rules=LogSettings(reserve_mb=1)) as log:
        assert not log.is_short_of_room
        await log.record(refused(now))


async def test_a_disk_that_stays_full_is_an_error_for_everybody(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    Full(monkeypatch, database)
    async with DecisionLog(database) as log:
        with pytest.raises(StorageError, match="full"):
            await log.record(granted(now))


def test_a_reserve_is_filled_only_where_as_much_is_left(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    too_much = Reserve(tmp_path, found.f_bavail * found.f_frsize)
    assert not too_much.fill()
    assert not too_much.is_whole
    assert not too_much.is_lent, "what was never there is not held back for"
    assert not lend_if_short(tmp_path, least=1)
    small = Reserve(tmp_path, MIB)
    assert small.fill()
    assert small.path.stat().st_blocks * 512 >= MIB, "not a hole"
    assert small.path.stat().st_mode & 0o777 == 0o600
    assert lend_if_short(tmp_path, least=1 << 60)
    assert small.is_lent
    assert not small.lend()


def test_a_database_of_the_schema_before_keeps_its_lines(
    database: Database, now: datetime
) -> None:
    state = database.state
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO decision_log (at, kind, outcome, reason, detail, resource, "
            "peer, peer_port) VALUES (5, 'decision', 'granted', 'own_file', '', '/x', "
            "'192.0.2.1', 1)"
        )
    step_back(database, "v0007")
    with open_database(state) as again:
        (line,) = read_log(again)
    assert (line.resource, line.times, line.network) == ("/x", 1, None)
