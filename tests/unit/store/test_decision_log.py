import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from linekey.errors import StorageError
from linekey.mac import Mac
from linekey.provisioning.device import Device, hash_token
from linekey.store import decision_log
from linekey.store.database import Database, open_database
from linekey.store.decision_log import GROUP_EVERY_S, DecisionLog
from linekey.store.decisions import MAX_ROWS, LogEntry, read_log
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.store.registry import Registry

MAC = Mac("000413AABBCC")


def entry(now: datetime, **changes: object) -> LogEntry:
    plain = LogEntry(
        at=now, kind="decision", outcome="granted", reason="own_file", peer="192.0.2.7"
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


async def test_a_line_is_in_the_database_when_record_returns(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        await log.record(entry(now, mac=MAC))
        other = sqlite3.connect(database.state.database_file)
        assert other.execute("SELECT mac FROM decision_log").fetchall() == [(str(MAC),)]
        other.close()


async def test_what_waits_together_is_written_together(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        await asyncio.gather(
            *(log.record(entry(now, peer_port=port)) for port in range(1000))
        )
        assert log.written == 1000
        assert log.groups < 100
        assert log.waiting == 0
    ports = [line.peer_port for line in read_log(database)]
    assert ports == list(range(1000)), "in the order they came"


async def test_transactions_begin_some_milliseconds_apart(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        await log.record(entry(now))
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for port in range(300):  # one in each turn of the loop, as phones come
                group.create_task(log.record(entry(now, peer_port=port)))
                await asyncio.sleep(0)
        took = loop.time() - began
        assert log.written == 301
        assert log.groups <= 2 + took / GROUP_EVERY_S


async def test_a_line_alone_does_not_wait_for_others_and_closing_ends_the_wait(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "GROUP_EVERY_S", 3600.0)
    async with DecisionLog(database) as log:
        await log.record(entry(now))  # or RECORD_WITHIN_S would be over
        late = asyncio.ensure_future(log.record(entry(now, peer_port=2)))
        await asyncio.sleep(0)
        assert log.waiting == 1
        assert log.groups == 1
    await late
    assert [line.peer_port for line in read_log(database)] == [0, 2]


async def test_a_group_does_not_wait_where_nobody_else_is_on_the_way(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "GROUP_EVERY_S", 3600.0)
    monkeypatch.setattr(decision_log, "GROUP_SOON_S", 0.0)
    on_the_way = 2
    async with DecisionLog(database) as log:
        log.more_come = lambda: on_the_way > 0
        await log.record(entry(now))
        first = asyncio.ensure_future(log.record(entry(now, peer_port=1)))
        await asyncio.sleep(0.1)
        assert not first.done(), "others are on the way"
        on_the_way = 0
        await log.record(entry(now, peer_port=2))  # who was the last of them
        await first
        assert (log.groups, log.written) == (2, 3)


async def test_who_comes_while_a_group_is_about_to_begin_is_waited_for(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "GROUP_EVERY_S", 3600.0)
    monkeypatch.setattr(decision_log, "GROUP_SOON_S", 0.05)
    on_the_way = 0
    async with DecisionLog(database) as log:
        log.more_come = lambda: on_the_way > 0
        await log.record(entry(now))
        first = asyncio.ensure_future(log.record(entry(now, peer_port=1)))
        await asyncio.sleep(0)
        on_the_way = 1
        await asyncio.sleep(0.2)
        assert not first.done()
        on_the_way = 0
        await log.record(entry(now, peer_port=2))
        await first
        assert (log.groups, log.written) == (2, 3)


async def test_a_line_for_counters_that_are_no_more_is_not_written(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        assert log.counters is None
        await log.record(entry(now, peer_port=1))
        seen = log.counters
        with Registry(database) as registry:
            assert seen == await registry.revision()
        assert await log.record_if(entry(now, peer_port=2), seen)
        Devices(database).add(Device(MAC, "snom"), now)
        late, sure = await asyncio.gather(
            log.record_if(entry(now, peer_port=3), seen),
            log.record(entry(now, peer_port=4)),
        )
        assert (late, sure) == (False, None)
        assert log.counters is not None
        assert log.counters.registry > seen.registry
        assert await log.record_if(entry(now, peer_port=5), log.counters)
    assert [line.peer_port for line in read_log(database)] == [1, 2, 4, 5]


async def test_closing_writes_what_waits(database: Database, now: datetime) -> None:
    async with DecisionLog(database) as log, asyncio.TaskGroup() as group:
        for port in range(200):
            group.create_task(log.record(entry(now, peer_port=port)))
        await asyncio.sleep(0)  # let them all ask, and then close
        await log.aclose()
    assert len(read_log(database)) == 200


async def test_after_closing_nothing_is_taken(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        pass
    with pytest.raises(StorageError, match="closed"):
        await log.record(entry(now))


async def test_a_cancelled_caller_does_not_stop_the_others(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        tasks = [
            asyncio.ensure_future(log.record(entry(now, peer_port=port)))
            for port in range(10)
        ]
        await asyncio.sleep(0)
        tasks[3].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in done].count(asyncio.CancelledError) == 1
    assert len(read_log(database)) == 10, "it is on record all the same"


async def test_an_error_reaches_everyone_who_waits_and_the_log_goes_on(
    database: Database, now: datetime
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER trouble BEFORE INSERT ON decision_log "
            "WHEN new.reason = 'trouble' BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
        )
    async with DecisionLog(database) as log:
        done = await asyncio.gather(
            log.record(entry(now, reason="trouble")), return_exceptions=True
        )
        assert isinstance(done[0], StorageError)
        assert done[0].hint
        for use in (MAX_ROWS + 6, 5):  # several statements, and one
            done = await asyncio.gather(
                *(
                    log.record(entry(now, reason="trouble" if n == use - 1 else "x"))
                    for n in range(use)
                ),
                return_exceptions=True,
            )
            assert isinstance(done[-1], StorageError)
        await log.record(entry(now, reason="fine"))
    reasons = [line.reason for line in read_log(database)]
    assert reasons[-1] == "fine"
    assert "trouble" not in reasons


async def test_more_than_may_wait_is_refused_and_the_rest_written(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database, max_waiting=5) as log:
        done = await asyncio.gather(
            *(log.record(entry(now)) for _ in range(20)), return_exceptions=True
        )
        refused = [error for error in done if isinstance(error, StorageError)]
        assert len(refused) == 15
        await log.record(entry(now))
    assert len(read_log(database)) == 6


async def test_what_a_database_refuses_does_not_harm_the_group(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        await asyncio.gather(
            log.record(entry(now, user_agent="a\0b\ud800")),
            log.record(entry(now, resource="x" * 100_000)),
            log.record(entry(now, server_name="ü.example", detail="\0")),
        )
    lines = read_log(database)
    assert lines[0].user_agent == "a\\x00b\\ud800"
    assert len(lines[1].resource) == 1024
    assert lines[2].server_name == "ü.example"


async def test_a_token_is_good_once(database: Database, now: datetime) -> None:
    devices = Devices(database)
    devices.add(Device(MAC, "snom"), now)
    token = hash_token(devices.new_token(MAC, now))
    with Registry(database) as registry:
        before = await registry.find(MAC, await registry.revision())
        async with DecisionLog(database) as log:
            good = await asyncio.gather(
                *(
                    log.record_using_token(
                        entry(now, reason="token_accepted"),
                        mac=MAC,
                        token_sha256=token,
                        otherwise=entry(now, outcome="refused", reason="token_used"),
                    )
                    for _ in range(30)
                )
            )
        after = await registry.find(MAC, await registry.revision())
    assert good.count(True) == 1
    reasons = [line.reason for line in read_log(database)]
    assert reasons.count("token_accepted") == 1
    assert reasons.count("token_used") == 29
    assert before is not None
    assert after is not None
    assert before.token_used_at is None
    assert after.token_used_at == now
    assert after.version > before.version


async def test_anothers_token_is_not_good(database: Database, now: datetime) -> None:
    devices, other = Devices(database), Mac("000413000001")
    devices.add_all([Device(MAC, "snom"), Device(other, "snom")], now)
    token = hash_token(devices.new_token(other, now))
    async with DecisionLog(database) as log:
        good = await log.record_using_token(
            entry(now),
            mac=MAC,
            token_sha256=token,
            otherwise=entry(now, reason="token_wrong"),
        )
    assert not good
    assert devices.get(other).token_used_at is None


TOKEN_USER = """
import asyncio, sys
from datetime import UTC, datetime
from linekey.mac import Mac
from linekey.store import decision_log
from linekey.store.decision_log import GROUP_EVERY_S, DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.opening import open_store

async def main():
    now = datetime.now(UTC)
    def line(reason):
        return LogEntry(
            at=now, kind="decision", outcome="granted", reason=reason, peer="::1")
    with open_store(sys.argv[1]) as database:
        async with DecisionLog(database) as log:
            print("ready", flush=True)
            sys.stdin.readline()
            good = await asyncio.gather(*(
                log.record_using_token(
                    line("token_accepted"), mac=Mac(sys.argv[2]), token_sha256=token,
                    otherwise=line("token_used"))
                for token in sys.argv[3:]))
    print(sum(good))

asyncio.run(main())
"""


def test_a_token_is_good_once_for_several_processes(
    database: Database, now: datetime
) -> None:
    devices = Devices(database)
    devices.add(Device(MAC, "snom"), now)
    token = hash_token(devices.new_token(MAC, now))
    users = [
        subprocess.Popen(
            [sys.executable, "-c", TOKEN_USER, str(database.state.root), str(MAC)]
            + [token] * 20,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for user in users:
        assert user.stdout is not None
        assert user.stdout.readline() == "ready\n"
    for user in users:
        assert user.stdin is not None
        user.stdin.write("go\n")
        user.stdin.flush()
    good = sum(int(user.communicate(timeout=60)[0]) for user in users)
    assert good == 1
    reasons = [line.reason for line in read_log(database)]
    assert reasons.count("token_accepted") == 1
    assert reasons.count("token_used") == 59


WRITER = """
import asyncio, os, sys
from datetime import UTC, datetime
from linekey.store import decision_log
from linekey.store.decision_log import GROUP_EVERY_S, DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.opening import open_store

async def one(log, port):
    await log.record(LogEntry(at=datetime.now(UTC), kind="decision", outcome="granted",
                              reason="own_file", peer="::1", peer_port=port))
    os.write(1, b"%d\\n" % port)

async def main():
    async with DecisionLog(open_store(sys.argv[1])) as log:
        start = 0
        while True:
            await asyncio.gather(*(one(log, start + n) for n in range(16)))
            start += 16

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(300)]
    os.kill(writer.pid, signal.SIGKILL)
    rest, _ = writer.communicate()
    acknowledged += [int(line) for line in rest.split(b"\n")[:-1]]
    with open_database(StateDir.open(tmp_path)) as database:
        there = {line.peer_port for line in read_log(database)}
    assert set(acknowledged) <= there
    assert len(acknowledged) >= 300


async def test_a_locked_database_is_waited_for(
    database: Database, now: datetime
) -> None:
    blocker = sqlite3.connect(database.state.database_file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    async with DecisionLog(database) as log:
        waiting = asyncio.ensure_future(log.record(entry(now)))
        await asyncio.sleep(0)
        assert log.waiting == 1
        # A reader is not kept waiting meanwhile.
        assert read_log(database, since=now - timedelta(1)) == []
        blocker.execute("COMMIT")
        await waiting
    blocker.close()
    assert len(read_log(database)) == 1
