"""The store on a real PostgreSQL: its own cluster, on a Unix socket, thrown away.

Everything that the two databases could do differently is asked of both elsewhere in
the same words; here it is migrations, counters, group commit, tokens and a server that
goes away.
"""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.certificates import certificate, ec
from tests.old_schema import step_back
from tests.pending import SCENARIOS
from tests.postgres import Cluster
from tests.selections import CASES, FLEET, HALL
from tests.sightings import CASES as SEEN_CASES
from tests.sightings import LATER, fleet_that_came, line, visit

from linekey.errors import Cause, StorageError
from linekey.mac import Mac
from linekey.provisioning.device import Device, hash_token
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.provisioning.group import Group
from linekey.settings import LogSettings
from linekey.store import postgres
from linekey.store.changes import (
    Actor,
    ChangeSearch,
    Moment,
    count_changes,
    read_changes,
)
from linekey.store.database import Database, open_database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry, prune_log, read_log
from linekey.store.device_csv import parse_device_table
from linekey.store.device_export import table_rows
from linekey.store.device_import import How, import_table
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.layers import Layers
from linekey.store.layers import Scope as LayerScope
from linekey.store.log_search import LogSearch, count_lines, find_lines, lines_and_total
from linekey.store.paths import StateDir
from linekey.store.postgres import BoundedConnection
from linekey.store.registry import Registry
from linekey.store.replace import replace_phone
from linekey.store.retention import Retention, keep_within
from linekey.store.schema import devices, layers, meta, metadata, to_us
from linekey.store.selection import EVERYTHING, Order, Selection, SortBy
from linekey.store.sightings import sightings_of
from linekey.store.strangers import NETWORKS_A_MINUTE
from linekey.store.tokens import ApiTokens, Scope
from linekey.store.vendor_cas import VendorCas, describe_ca

pytestmark = pytest.mark.peer("postgres")

MAC = Mac("000413AABBCC")
NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir.open(tmp_path)


@pytest.fixture
def database(url: str, state: StateDir) -> Iterator[Database]:
    with open_database(state, url) as database:
        yield database


def entry(**changes: object) -> LogEntry:
    plain = LogEntry(
        at=NOW, kind="decision", outcome="granted", reason="own_file", peer="192.0.2.7"
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_migrations_lead_to_the_same_schema(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                # SQLite's alone: ``schema.LIST_COLUMNS``.
                "include_object": lambda _, name, *__: name != "ix_devices_list",
            },
        )
        assert compare_metadata(context, metadata) == []


def test_an_empty_database_is_not_begun_in_while_a_key_is_there(
    cluster: Cluster, url: str, state: StateDir
) -> None:
    open_database(state, url).close()
    with pytest.raises(StorageError, match="is empty, but its key") as raised:
        open_database(state, cluster.new())
    assert "set database_url to the one in use" in raised.value.hint
    with pytest.raises(StorageError, match="is gone, but its key") as raised:
        open_database(state)  # database_url was left out
    assert "set database_url" in raised.value.hint
    assert not state.database_file.exists()
    open_database(state, url).close()


def test_another_programs_tables_are_told(cluster: Cluster, state: StateDir) -> None:
    other = cluster.new()
    engine = sa.create_engine(other, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE devices (x int)")
    engine.dispose()
    with pytest.raises(StorageError, match="'devices' that is not linekey's"):
        open_database(state, other)
    assert not list(state.keys.iterdir())


OPENER = """
import sys
from linekey.store.paths import StateDir
from linekey.store.database import open_database
sys.stdin.readline()
with open_database(StateDir.open(sys.argv[1]), sys.argv[2]) as database:
    print("open")
"""


def test_several_processes_may_make_the_tables_at_once(
    url: str, state: StateDir
) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(state.root), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        out, err = worker.communicate(timeout=60)
        assert out == "open\n", err


async def test_devices_and_layers_are_read_as_they_are_now(database: Database) -> None:
    devices, layers = Devices(database), Layers(database)
    device = Device(
        MAC, "snom", "D785", label="Zürich",
        layer=Layer((Setting("user_pass", "canary-password", 1),)),
    )  # fmt: skip
    with Registry(database) as registry:
        assert await registry.find(MAC, await registry.revision()) is None
        devices.add(device, NOW)
        found = await registry.find(MAC, await registry.revision())
        assert found is not None
        assert found.layer == device.layer
        devices.revoke(MAC, "stolen", NOW)
        found = await registry.find(MAC, await registry.revision())
        assert found is not None
        assert found.state == "revoked"
        layers.change(LayerScope.fleet(), lambda _: device.layer, NOW)
        assert (
            await registry.layers("D785", await registry.revision())
        ).fleet == device.layer
        ca = certificate("Some CA", ec("ca"), ca=True)
        VendorCas(database).add([describe_ca(ca, NOW)])
        assert (await registry.authorities(await registry.revision())).roots == (ca,)
    with database.read() as connection:
        row = connection.exec_driver_sql("SELECT * FROM devices").one()
    assert "canary-password" not in str(row)
    assert b"canary-password" not in row.sealed


async def test_decisions_are_written_in_groups(database: Database) -> None:
    async with DecisionLog(database) as log:
        await asyncio.gather(
            *(log.record(entry(peer_port=n, user_agent="a\0b")) for n in range(500))
        )
        assert log.groups < 100
    lines = read_log(database, limit=3)
    assert [line.peer_port for line in lines] == [497, 498, 499]
    assert lines[0].at == NOW
    assert lines[0].user_agent == "a\\x00b"
    assert prune_log(database, NOW + timedelta(seconds=1)) == 500


async def test_a_token_is_good_once_whoever_asks(database: Database) -> None:
    devices = Devices(database)
    devices.add(Device(MAC, "snom"), NOW)
    token = hash_token(devices.new_token(MAC, NOW))
    async with DecisionLog(database) as first, DecisionLog(database) as second:
        good = await asyncio.gather(
            *(
                log.record_using_token(
                    entry(reason="token_accepted"),
                    mac=MAC,
                    token_sha256=token,
                    otherwise=entry(reason="token_used"),
                )
                for log in (first, second) * 10
            )
        )
    assert good.count(True) == 1
    assert devices.get(MAC).token_used_at == NOW
    reasons = [line.reason for line in read_log(database)]
    assert sorted(set(reasons)) == ["token_accepted", "token_used"]
    assert reasons.count("token_accepted") == 1


async def test_a_server_that_went_away_is_told_and_found_again(
    cluster: Cluster, database: Database
) -> None:
    async with DecisionLog(database) as log:
        await log.record(entry(reason="before"))
        cluster.stop()
        try:
            with pytest.raises(StorageError) as raised:
                await log.record(entry(reason="lost"))
            assert raised.value.hint
            with pytest.raises(StorageError):
                read_log(database)
        finally:
            cluster.start()
        await log.record(entry(reason="after"))
    assert [line.reason for line in read_log(database)] == ["before", "after"]


GUARD_S = 12
"""Only so that a failure does not hang: each answer is due within some 3."""


async def asked(question: Awaitable[object]) -> Cause | None:
    """The trouble that an answer tells of, or None."""
    try:
        async with asyncio.timeout(GUARD_S):
            await question
    except StorageError as error:
        return error.cause
    return None


async def test_a_server_that_hangs_is_told_in_time_and_keeps_no_thread(
    cluster: Cluster, database: Database
) -> None:
    with Registry(database) as registry:
        async with DecisionLog(database) as log:
            await log.record(entry(reason="before"))
            await registry.revision()
            with cluster.hanging():
                told = await asyncio.gather(
                    *(asked(registry.revision()) for _ in range(50)),
                    *(asked(log.record(entry(reason="lost"))) for _ in range(50)),
                    asked(log.probe()),
                )
                # Again: the threads are free, and now nothing can be connected to.
                told += await asyncio.gather(
                    asked(registry.revision()), asked(log.record(entry(reason="lost")))
                )
            assert set(told) == {Cause.SLOW}
            assert await asked(registry.revision()) is None
            assert await asked(log.record(entry(reason="after"))) is None
    assert [line.reason for line in read_log(database)] == ["before", "after"]


async def test_after_a_restart_the_first_question_has_its_answer(
    cluster: Cluster, database: Database
) -> None:
    with Registry(database) as registry:
        async with DecisionLog(database) as log:
            await log.record(entry(reason="before"))
            await asyncio.gather(*(registry.revision() for _ in range(20)))
            cluster.stop()
            cluster.start()
            assert await asked(log.record(entry(reason="after"))) is None
            told = await asyncio.gather(
                *(asked(registry.revision()) for _ in range(20))
            )
            assert set(told) == {None}
    assert [line.reason for line in read_log(database)] == ["before", "after"]


async def test_a_table_that_is_locked_fills_no_server_with_waiting(
    cluster: Cluster, database: Database
) -> None:
    blocker = sa.create_engine(database.engine.url)
    with blocker.connect() as connection, Registry(database) as registry:
        async with DecisionLog(database) as log:
            await log.record(entry(reason="before"))
            connection.exec_driver_sql("LOCK TABLE decision_log, revision")
            for _ in range(2):
                told = await asyncio.gather(
                    asked(log.record(entry(reason="lost"))), asked(registry.revision())
                )
                assert set(told) == {Cause.SLOW}
            connection.rollback()
            assert await asked(log.record(entry(reason="after"))) is None
    blocker.dispose()
    with database.read() as connection:
        waiting = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).scalar()
    assert waiting == 0, "what was given up was cancelled"
    assert [line.reason for line in read_log(database)] == ["before", "after"]


async def test_a_standby_cannot_be_written(
    cluster: Cluster, database: Database
) -> None:
    name = database.engine.url.database
    async with DecisionLog(database) as log:
        cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        database.engine.dispose()
        assert await asked(log.record(entry())) is Cause.READ_ONLY
        cluster.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        assert await asked(log.record(entry())) is None


@pytest.mark.parametrize("committing", [False, True])
async def test_a_line_is_written_again_only_if_it_was_not_committed(
    cluster: Cluster,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    committing: bool,
) -> None:
    class Broken(BoundedConnection):
        left = 0

        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            kind = getattr(gen, "__name__", "")
            if type(self).left and (kind == "_commit_gen") == committing:
                type(self).left -= 1
                if committing:
                    super().wait(gen, *arguments, **options)
                self.close()
                raise psycopg.OperationalError("the connection broke")
            return super().wait(gen, *arguments, **options)

    monkeypatch.setattr(postgres, "BoundedConnection", Broken)
    database.engine.dispose()
    async with DecisionLog(database) as log:
        await log.record(entry(reason="before"))
        Broken.left = 1
        told = await asked(log.record(entry(reason="once")))
        assert told is (Cause.UNREACHABLE if committing else None)
    assert [line.reason for line in read_log(database)] == ["before", "once"]


def refused(**changes: object) -> LogEntry:
    return entry(kind="handshake", outcome="refused", reason="hello.not_tls", **changes)


async def test_refusals_of_strangers_are_counted_by_two_servers_in_one_line(
    database: Database,
) -> None:
    """Both go through the same networks and phones, in opposite orders."""
    macs = [Mac(f"0004130000{n:02X}") for n in range(20)]
    Devices(database).add_all([Device(mac, "snom") for mac in macs], NOW)
    entries = [refused(peer=f"192.0.{n}.7") for n in range(40)]
    entries += [
        refused(target_mac=mac, peer="198.51.100.7") for mac in macs for _ in range(4)
    ]
    rules = LogSettings(refused_lines_each=3, refused_lines=5)
    async with (
        DecisionLog(database, rules=rules) as one,
        DecisionLog(database, rules=rules) as two,
    ):
        for _ in range(3):
            await asyncio.gather(
                *(one.record(line) for line in entries),
                *(two.record(line) for line in reversed(entries)),
            )
    lines = read_log(database)
    assert sum(line.times for line in lines) == 3 * 2 * len(entries)
    own = [line for line in lines if line.network is None]
    assert {line.target_mac for line in own} == set(macs)
    assert len(own) == 20 + 5
    scans = [line for line in lines if line.target_mac is None]
    assert len(scans) == 40
    assert read_log(database, since=NOW + timedelta(minutes=2)) == []


async def test_what_is_too_old_or_too_much_is_deleted(database: Database) -> None:
    rules = LogSettings(stranger_lines=10)
    async with DecisionLog(database, rules=rules) as log:
        await log.record(entry())
        for n in range(600):
            await log.record(refused(at=NOW + timedelta(minutes=n)))
    counted = [line for line in read_log(database) if line.network]
    assert len(counted) < 10 + 2 * NETWORKS_A_MINUTE
    later = NOW + timedelta(days=40)
    assert keep_within(database, Retention(90, 0, 10), later) == len(counted) - 10
    assert keep_within(database, Retention(90, 30, 10), later) == 10
    assert [line.reason for line in read_log(database)] == ["own_file"]


def test_a_database_of_the_schema_before_is_brought_up_to_date(
    url: str, state: StateDir
) -> None:
    database = open_database(state, url)
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO decision_log (at, kind, outcome, reason, detail, resource, "
            "peer, peer_port) VALUES (5, 'decision', 'granted', 'own_file', '', '/x', "
            "'192.0.2.1', 1)"
        )
    step_back(database, "v0007")
    with open_database(state, url) as database:
        (line,) = read_log(database)
    assert (line.resource, line.times, line.network) == ("/x", 1, None)


def plain_columns(database: Database) -> str:
    with database.read() as connection:
        rows = [
            *connection.execute(sa.select(devices.c.layer)).scalars(),
            *connection.execute(sa.select(layers.c.layer)).scalars(),
        ]
    return "\n".join(rows)


def test_marks_and_the_older_databases_sealing_are_the_same_there(
    database: Database, state: StateDir
) -> None:
    plain = Layer((Setting("site_code", "canary-1"), Setting("user_pasword", "x", 1)))
    Devices(database).add(Device(MAC, "snom", layer=plain), NOW)
    fleet = Layers(database)
    fleet.change(
        LayerScope.fleet(),
        lambda old: old.with_settings(Setting("site_code", "c-2", mark=Mark.SECRET)),
        NOW,
    )
    assert "canary-1" not in plain_columns(database)
    assert Devices(database).get(MAC).layer.settings[0].value == "canary-1"
    with database.write() as connection:
        connection.execute(sa.delete(meta).where(meta.c.name == "secret_marks"))
        connection.execute(
            sa.update(layers).values(
                layer='{"settings":[{"name":"user_pasword","value":"canary-3"}]}'
            )
        )
    url = database.engine.url.render_as_string(hide_password=False)
    with open_database(state, url) as newer:
        assert "canary-3" not in plain_columns(newer)
        (setting,) = Layers(newer).get(LayerScope.fleet()).settings
        assert (setting.value, setting.secret) == ("canary-3", True)


def test_phones_are_selected_and_ordered_as_in_sqlite(
    database: Database, tmp_path: Path
) -> None:
    with open_database(StateDir.open(tmp_path / "sqlite")) as sqlite:
        both = Devices(database), Devices(sqlite)
        for devices in both:
            devices.add_all(FLEET, NOW)
            for wanted, macs in CASES:
                assert {device.mac for device in devices.all(wanted)} == macs, wanted
                assert devices.count(wanted) == len(macs)
                found, _, total = devices.page_and_total(wanted, Order(), None, 1)
                assert (total, len(found)) == (len(macs), min(len(macs), 1))
        for by in SortBy:
            for order in (Order(by), Order(by, True)):
                walks = []
                for devices in both:
                    page, cursor = devices.page(EVERYTHING, order, None, 1)
                    while cursor is not None:
                        found, cursor = devices.page(EVERYTHING, order, cursor, 1)
                        page += found
                    ours = Selection(vendor="snom")
                    first, cursor, total = devices.page_and_total(ours, order, None, 1)
                    rest, _, again = devices.page_and_total(ours, order, cursor, 99)
                    assert total == again == len(first + rest)
                    assert first + rest == list(devices.all(ours, order))
                    walks.append([device.mac for device in page])
                assert walks[0] == walks[1], order
                assert len(walks[0]) == len(FLEET)


def test_no_question_is_compiled_first(database: Database) -> None:
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW jit").scalar() == "off"
    with database.write() as connection:
        assert connection.exec_driver_sql("SHOW jit").scalar() == "off"


async def test_visits_are_kept_and_found_as_in_sqlite(database: Database) -> None:
    devices = await fleet_that_came(database)
    for wanted, macs in SEEN_CASES:
        assert {device.mac for device in devices.all(wanted)} == macs, wanted
        assert devices.count(wanted) == len(macs)
        for limit in (1, 99):
            found, _, total = devices.page_and_total(wanted, Order(), None, limit)
            assert (total, len(found)) == (len(macs), min(len(macs), limit))
    hall = sightings_of(database, [HALL])[HALL]
    assert (hall.reason, hall.peer, hall.last_at) == ("own_file", "192.0.2.8", LATER)
    assert [e.reason for e in read_log(database, mac=HALL)] == [
        "own_file", "common_file",
    ]  # fmt: skip
    # In another group it is begun anew, and no clock that is set back moves it.
    acme = database.acting(database.actor, frozenset({"acme"}))
    assert sightings_of(acme, [HALL]) == {}
    moved = LATER + timedelta(minutes=9)
    for at in (moved, moved - timedelta(minutes=5)):
        came = line(HALL, at, group="acme", outcome="refused", reason="revoked")
        await visit(database, came)
    theirs = sightings_of(acme, [HALL])[HALL]
    assert (theirs.first_at, theirs.last_at, theirs.refused_at) == (moved,) * 3
    assert sightings_of(database, [HALL])[HALL].first_at == hall.first_at
    # Two servers, many phones in each other's order: neither waits for the other.
    many = [Device(Mac(f"0004131{n:05X}"), "snom", "D785") for n in range(100)]
    devices.add_all(many, NOW)
    async with DecisionLog(database) as one, DecisionLog(database) as other:
        lines = [line(device.mac, LATER, certificate_ends_at=None) for device in many]
        await asyncio.gather(
            *map(one.record, lines), *map(other.record, reversed(lines))
        )
    assert len(sightings_of(database, [device.mac for device in many])) == 100
    devices.remove(HALL, NOW)
    assert sightings_of(database, [HALL]) == {}


def test_many_phones_are_changed_at_once(database: Database) -> None:
    devices = Devices(database)
    devices.add_all(FLEET, NOW)
    done = devices.change_all(
        EVERYTHING, lambda device: replace(device, label="new"), NOW
    )
    assert {device.label for device in devices.all()} == {"new"}
    assert len(done) == len(FLEET)
    text = "".join(table_rows(devices.all(), devices.slots())).encode()
    table = parse_device_table(text, vendors=devices.vendors(), in_use=devices.slots)
    assert import_table(devices, table, How.SYNC, NOW) == []
    table = parse_device_table(b"mac\n" + FLEET[0].mac.digits.encode())
    done = import_table(devices, table, How.SYNC, NOW, removals=3)
    assert [one.action for one in done] == ["remove"] * 3
    assert devices.count() == 1


def test_tokens_and_the_record_of_changes_are_the_same_there(
    database: Database,
) -> None:
    tokens = ApiTokens(database.acting(Actor("anna", "192.0.2.9")))
    made = tokens.add("pbx", Scope.ADMIN, NOW + timedelta(days=1), NOW)
    found = tokens.find(made)
    assert found is not None
    tokens.used(found, NOW)
    assert tokens.revoke("pbx", NOW).used_at == NOW
    layers_ = Layers(database)
    layers_.change(
        LayerScope.fleet(),
        lambda old: old.with_settings(Setting("language", "x-1")),
        NOW,
    )
    layer = Layer((Setting("language", "y", mark=Mark.SECRET),))
    Devices(database).add(Device(MAC, "snom", layer=layer), NOW)
    search = ChangeSearch(who="anna", since=NOW, until=NOW + timedelta(seconds=1))
    with database.read() as connection:
        assert count_changes(connection, search) == 2
        assert "x-1" not in repr(read_changes(connection, ChangeSearch()))
        newest = read_changes(connection, search, limit=1)
        rest = read_changes(connection, search, before=newest[0].row_id)
    assert [line.action for line in (*newest, *rest)] == ["remove", "add"]
    keep_within(database, Retention(0, 0, 9, change_days=1), NOW + timedelta(days=2))
    with database.read() as connection:
        assert count_changes(connection, ChangeSearch()) == 0


async def test_the_lists_of_the_api_go_on_there_as_in_sqlite(
    database: Database,
) -> None:
    async with DecisionLog(database) as log:
        for number in range(5):
            await log.record(entry(at=NOW + timedelta(minutes=number), mac=MAC))
    search = LogSearch(mac=MAC, since=NOW + timedelta(minutes=1), reason="own_file")
    with database.read() as connection:
        assert count_lines(connection, search) == 4
        newest = find_lines(connection, search, before=None, limit=3)
        rest = find_lines(connection, search, before=newest[-1].row_id, limit=3)
        for asked in (search, replace(search, peer="192.0.2.7")):
            both = lines_and_total(connection, asked, before=None, limit=3)
            newest_three = find_lines(connection, asked, before=None, limit=3)
            assert both == (newest_three, 4, True, None)
            before = newest[-1].row_id
            assert lines_and_total(connection, asked, before=before, limit=3)[1] == 4
    assert [one.at.minute for one in (*newest, *rest)] == [4, 3, 2, 1]


async def test_groups_are_the_same_there(database: Database) -> None:
    groups, all_ = Groups(database), Devices(database)
    for name in ("acme", "beta"):
        groups.add(Group(name), NOW)
        layer = Layer((Setting("language", name),))
        Layers(database).change(LayerScope.group(name), lambda _, new=layer: new, NOW)
    other = Mac("000413000001")
    all_.add_all(
        [
            Device(MAC, "snom", "D785", group="acme"),
            Device(other, "snom", group="beta"),
        ],
        NOW,
    )
    with Registry(database) as registry:
        shared = await registry.layers("D785", await registry.revision(), "acme")
        nobody = await registry.layers("D785", await registry.revision(), "none")
    assert (shared.group and shared.group.name, nobody.group) == ("acme", None)
    assert shared.of_group == Layer((Setting("language", "acme"),))
    async with DecisionLog(database) as log:
        for second in range(3):
            at = NOW + timedelta(seconds=second // 2)
            await log.record(replace(entry(), at=at, group="acme", peer=f"p{second}"))
        await log.record(replace(entry(), at=NOW, group="beta"))
    limited = database.acting(Actor("a", "here"), frozenset({"acme"}))
    devices_ = Devices(limited)
    assert (devices_.count(), devices_.find(other)) == (1, None)
    assert [d.mac for d in devices_.all(EVERYTHING, Order(SortBy.GROUP))] == [MAC]
    assert Layers(limited).scopes() == ["group:acme"]
    with limited.read() as connection:
        search = LogSearch(groups=frozenset({"acme"}))
        assert count_lines(connection, search) == 3
        pages = [
            [line.peer for line in find_lines(connection, search, before=at, limit=2)]
            for at in (None, Moment(to_us(NOW), 0), Moment(to_us(NOW), 1))
        ]
        assert pages == [["p2", "p1"], ["p1", "p0"], ["p0"]]
        changes = ChangeSearch(groups=frozenset({"acme"}))
        assert count_changes(connection, changes) == 3
    assert groups.remove("acme", NOW, ungroup=True) == 1
    assert all_.get(MAC).group is None
    new = replace_phone(all_, MAC, Mac("000413000002"), NOW)
    assert (new.model, all_.get(MAC).state) == ("D785", "revoked")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
async def test_pending_phones_are_the_same_there(
    database: Database, scenario: Callable[[Database], Awaitable[None]]
) -> None:
    await scenario(database)
