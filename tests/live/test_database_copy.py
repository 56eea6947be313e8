"""A real PostgreSQL's database copied, backed up and put back, whole or not at all."""

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer
from click.testing import Result
from tests.postgres import Cluster
from tests.sightings import fleet_that_came, line
from typer.testing import CliRunner

from linekey.cli.backup import app as backup
from linekey.cli.restore import app as restore
from linekey.errors import InputError, StorageError
from linekey.mac import Mac
from linekey.provisioning.device import Device, DigestCredential
from linekey.provisioning.document import Layer, Setting
from linekey.store.backup import write_backup
from linekey.store.changes import ChangeSearch, count_changes
from linekey.store.copying import Copied, copy_database
from linekey.store.database import Database, open_database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import read_log
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.look import look
from linekey.store.paths import StateDir
from linekey.store.schema import metadata

pytestmark = pytest.mark.peer("postgres")

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MAC = Mac("000413AA0001")
DEVICE = Device(
    MAC, "snom", "D785", label="Zürich 'a\"b", layer=Layer((Setting("user_pass", "geheim", 1),)),
    digest=DigestCredential.create("desk", "linekey", "4711"), version=7,
)  # fmt: skip


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.new()


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A state folder whose registry and log have something of everything."""
    state = StateDir.open(tmp_path / "state")
    with open_database(state) as database:
        asyncio.run(fleet_that_came(database))
        Devices(database).add(DEVICE, NOW)
        fleet = Layer((Setting("language", "Deutsch"),))
        Layers(database).change(Scope.fleet(), lambda old: fleet, NOW)
    return state


def run(state: StateDir, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(state, *words), capture_output=True, text=True, timeout=120, **more
    )


def command(state: StateDir, *words: str) -> list[str]:
    program = "from linekey.cli.main import main; main()"
    return [sys.executable, "-c", program, *words, "--state", str(state.root)]


@contextmanager
def silent(total: int) -> Iterator[Callable[[int], None]]:
    yield lambda count: None


def copy(state: StateDir, source: str | None, target: str | None) -> Copied:
    return copy_database(state, source, target, silent)


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.read() as connection:
        return {
            table.name: [
                tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
                for row in connection.execute(
                    sa.select(table).order_by(*table.primary_key)
                )
            ]
            for table in metadata.sorted_tables
        }


def test_all_rows_go_there_and_back_and_numbers_continue(
    state: StateDir, url: str
) -> None:
    with open_database(state) as database:
        before = content(database)
        newest = max(row.row_id or 0 for row in read_log(database))
    assert {name for name, rows in before.items() if rows} >= {
        "devices", "layers", "decision_log", "changes", "sightings", "meta", "revision",
    }  # fmt: skip
    ran = run(state, "database", "copy", "--to", url, "--json")
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["rows"] == {name: len(rows) for name, rows in before.items()}
    with open_database(state, url) as database:
        assert content(database) == before
        assert Devices(database).get(MAC).layer == DEVICE.layer
        asyncio.run(one_more_line(database))
        assert max(row.row_id or 0 for row in read_log(database)) == newest + 1
        changes = changes_in(database)
        Devices(database).revoke(MAC, "lost", NOW)
        assert changes_in(database) == changes + 1
        later = content(database)
    # and back, by the settings' database as the source
    state.settings_file.write_text(f'database_url = "{url}"\n')
    state.database_file.rename(state.root / "linekey.db.old")
    ran = run(state, "database", "copy", "--to", "sqlite")
    assert ran.returncode == 0, ran.stderr
    assert "take database_url out of linekey.toml" in ran.stderr
    state.settings_file.unlink()
    assert oct(state.database_file.stat().st_mode)[-3:] == "600"
    assert not list(state.root.glob(".linekey.db.draft*"))
    with open_database(state) as database:
        assert content(database) == later
        with database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def changes_in(database: Database) -> int:
    with database.read() as connection:
        return count_changes(connection, ChangeSearch())


async def one_more_line(database: Database) -> None:
    async with DecisionLog(database) as log:
        await log.record(line(MAC, NOW + timedelta(days=1)))


HELD = """
import sys, time
from contextlib import contextmanager
from linekey.store.copying import copy_database
from linekey.store.look import look
from linekey.store.paths import StateDir

@contextmanager
def progress(total):
    def done(count):
        print("copied", count, flush=True)
        if count:
            time.sleep(600)  # until it is killed
    yield done

copy_database(StateDir.open(sys.argv[1]), None, sys.argv[2], progress)
"""


def test_a_killed_copy_leaves_the_target_empty(state: StateDir, url: str) -> None:
    copying = subprocess.Popen(
        [sys.executable, "-c", HELD, str(state.root), url],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert copying.stdout is not None
    assert "copied" in copying.stdout.readline()
    with pytest.raises(StorageError, match="is locked"):
        copy(state, None, url)
    copying.kill()
    copying.wait()
    copying.stdout.close()
    with pytest.raises(StorageError, match="is empty"):
        look(state, url)
    copied = copy(state, None, url)
    assert look(state, url).rows == copied.rows == look(state, None).rows


def test_what_is_there_is_never_written_over(
    state: StateDir, url: str, cluster: Cluster
) -> None:
    copy(state, None, url)
    with pytest.raises(StorageError, match="has a database of linekey") as raised:
        copy(state, None, url)
    assert "createdb" in raised.value.hint
    with pytest.raises(StorageError, match="is there already") as raised:
        copy(state, url, None)
    assert "mv " in raised.value.hint
    with pytest.raises(InputError, match="the same database"):
        copy(state, url, url)
    other = cluster.new()
    engine = sa.create_engine(other, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE calls (x int)")
    engine.dispose()
    with pytest.raises(StorageError, match="it has other tables"):
        copy(state, None, other)


def test_a_database_in_use_is_not_copied(
    state: StateDir, url: str, cluster: Cluster
) -> None:
    with (
        open_database(state) as database,
        database.read(),
        pytest.raises(StorageError, match="another process has") as raised,
    ):
        copy(state, None, url)
    assert "systemctl stop linekey" in raised.value.hint
    copy(state, None, url)
    state.database_file.rename(state.root / "old")
    with (
        open_database(state, url) as database,
        database.read(),
        pytest.raises(StorageError, match="1 other connection"),
    ):
        copy(state, url, None)
    assert not state.database_file.exists()
    # Nor one that somebody begins to use meanwhile.
    engine = sa.create_engine(url)

    @contextmanager
    def come(total: int) -> Iterator[Callable[[int], None]]:
        yield lambda count: engine.connect().close()

    with pytest.raises(StorageError, match="1 other connection"):
        copy_database(state, url, None, come)
    engine.dispose()
    assert not state.database_file.exists()
    assert not list(state.root.glob(".linekey.db.draft*"))
    copy(state, url, None)


def test_what_postgresql_cannot_hold_is_told_and_nothing_is_copied(
    state: StateDir, url: str
) -> None:
    with open_database(state) as database, database.write() as connection:
        devices = metadata.tables["devices"]
        connection.execute(sa.update(devices).values(label="a\0b"))
    with pytest.raises(StorageError, match="table devices") as raised:
        copy(state, None, url)
    assert "geheim" not in str(raised.value)
    with pytest.raises(StorageError, match="is empty"):
        look(state, url)


def test_an_empty_source_and_an_unreachable_target_are_told(
    state: StateDir, url: str
) -> None:
    ran = run(
        state, "database", "copy", "--to",
        "postgresql://linekey:geheim@127.0.0.1:1/linekey",
    )  # fmt: skip
    assert ran.returncode == 3
    assert "hint: " in ran.stderr
    assert "geheim" not in ran.stdout + ran.stderr
    state.database_file.rename(state.root / "old")
    with pytest.raises(StorageError, match="is empty"):
        copy(state, url, None)
    with pytest.raises(StorageError, match="is gone, but its key"):
        copy(state, None, url)
    with pytest.raises(StorageError, match="is gone, but its key"):
        look(state, None)
    assert not state.database_file.exists()


PAGES = Path(__file__).parents[2] / "docs" / "howto"


def typed(app: typer.Typer, state: StateDir, *words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [*words, "--state", str(state.root)])


def served_by_postgresql(state: StateDir, url: str) -> None:
    """Bring what a state folder has into PostgreSQL, which serves it from now on."""
    copy(state, None, url)
    state.database_file.unlink()
    state.settings_file.write_text(f'database_url = "{url}"\n')


def emptied_as_the_page_says(cluster: Cluster, page: str) -> str:
    """Do what a page says of the database ``linekey``; return the other name."""
    text = (PAGES / f"{page}.md").read_text()
    [(statement, name)] = re.findall(
        r"`(ALTER DATABASE linekey RENAME TO (\w+))`", text
    )
    cluster.execute(statement)
    assert "createdb" in text
    cluster.execute("CREATE DATABASE linekey OWNER linekey")
    return str(name)


@pytest.fixture
def named_linekey(cluster: Cluster) -> Iterator[str]:
    """The URL of a database that has the name which the pages give it."""
    yield cluster.new("linekey")
    cluster.execute("DROP DATABASE linekey")


@contextmanager
def written_to(state: StateDir, url: str) -> Iterator[None]:
    """Two layers change one after the other, as often as can be."""
    stop, begun = threading.Event(), threading.Event()

    def write() -> None:
        count = 0
        with open_database(state, url) as database:
            while not stop.is_set():
                count += 1
                value = Setting("language", f"{count}")
                for scope in (Scope.fleet(), Scope.model("D785")):
                    Layers(database).change(scope, lambda _, v=value: Layer((v,)), NOW)
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        stop.set()
        writer.join()


def test_a_backup_of_postgresql_is_put_back_as_the_page_says(
    state: StateDir, named_linekey: str, cluster: Cluster, tmp_path: Path
) -> None:
    url = named_linekey
    served_by_postgresql(state, url)
    path = tmp_path / "while-written.tar"
    with written_to(state, url):
        held = write_backup(state, url, path, NOW)
    with open_database(state, url) as database:
        later = content(database)
    assert len(later["changes"]) > held.rows["changes"]
    whole = tmp_path / "whole.tar"
    ran = typed(backup, state, str(whole))
    assert ran.exit_code == 0, ran.stderr

    # What was written meanwhile is in it as of one instant, also in its log of changes.
    new = StateDir.open(tmp_path / "new")
    ran = typed(restore, new, str(path))
    assert ran.exit_code == 3
    assert "is not empty: it has a database of linekey" in ran.stderr
    assert "ALTER DATABASE" in ran.stderr
    assert "createdb" in ran.stderr
    assert "--to" not in ran.stderr
    assert not list(new.root.glob("*.toml"))
    before = emptied_as_the_page_says(cluster, "restore")
    ran = typed(restore, new, str(path))
    assert ran.exit_code == 0, ran.stderr
    assert not new.database_file.exists()
    assert sorted(p.name for p in new.root.iterdir()) == [
        ".linekey.db.lock", "keys", "linekey.toml",
    ]  # fmt: skip
    with open_database(new, url) as database:
        found = content(database)
        assert {name: len(rows) for name, rows in found.items()} == held.rows
        with database.read() as connection:
            layers, changes = metadata.tables["layers"], metadata.tables["changes"]
            raised = connection.scalar(sa.select(sa.func.sum(layers.c.version)))
            logged = connection.scalar(
                sa.select(sa.func.count()).where(changes.c.subject.like("layer %"))
            )
        assert raised == logged > 1
        newest = max(row.row_id or 0 for row in read_log(database))
        asyncio.run(one_more_line(database))
        assert max(row.row_id or 0 for row in read_log(database)) == newest + 1
    cluster.execute("DROP DATABASE linekey")
    cluster.execute("CREATE DATABASE linekey")

    # And of what nobody writes to, every row of every table is there again.
    other = StateDir.open(tmp_path / "other")
    assert typed(restore, other, str(whole)).exit_code == 0
    with open_database(other, url) as database:
        assert content(database) == later
        assert Devices(database).get(MAC).layer == DEVICE.layer  # its key is there
    with open_database(state, cluster.url(before)) as database:
        assert content(database) == later


def test_back_to_the_older_linekey_as_the_page_says(
    state: StateDir, named_linekey: str, cluster: Cluster, tmp_path: Path
) -> None:
    url = named_linekey
    served_by_postgresql(state, url)
    path = tmp_path / "before-upgrade.tar"
    assert typed(backup, state, str(path)).exit_code == 0
    with open_database(state, url) as database:
        before = content(database)
        Devices(database).revoke(MAC, "lost", NOW)
        with database.write() as connection:
            connection.exec_driver_sql(
                "UPDATE alembic_version SET version_num = 'v9999'"
            )
    refused = typed(restore, state, str(path), "--replace")
    assert refused.exit_code == 3
    assert "is not empty" in refused.stderr
    newer = emptied_as_the_page_says(cluster, "roll-back")
    ran = typed(restore, state, str(path), "--replace", "--json")
    assert ran.exit_code == 0, ran.stderr
    replaced = Path(json.loads(ran.stdout)["replaced"])
    assert sorted(p.name for p in replaced.iterdir()) == ["keys", "linekey.toml"]
    with open_database(state, url) as database:
        assert content(database) == before
    assert look(state, cluster.url(newer)).schema == "v9999"


HELD_BACKUP = """
import sys
import linekey.store.backup as backup
from linekey.cli.main import main

fill = backup.fill

def held(connection, draft, rows, done):
    def stop(count):
        print("copied", flush=True)
        sys.stdin.readline()
    fill(connection, draft, rows, stop)

backup.fill = held
sys.argv[0] = "linekey"
main()
"""


@contextmanager
def held_backup(
    state: StateDir, url: str, path: Path
) -> Iterator[subprocess.Popen[str]]:
    """A backup that has begun to copy rows and goes on when a line is written to it."""
    state.settings_file.write_text(f'database_url = "{url}"\n')
    words = ["backup", str(path), "--state", str(state.root)]
    with subprocess.Popen(
        [sys.executable, "-c", HELD_BACKUP, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as writing:  # fmt: skip
        assert writing.stdout is not None
        assert "copied" in writing.stdout.readline()
        yield writing


def test_a_backup_that_ends_too_early_leaves_no_file(
    state: StateDir, url: str, cluster: Cluster, tmp_path: Path
) -> None:
    copy(state, None, url)
    folder = tmp_path / "backups"
    folder.mkdir()
    path = folder / "b.tar"
    with held_backup(state, url, path) as writing:  # the server goes away
        cluster.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <>"
            " pg_backend_pid() AND backend_type = 'client backend'"
        )
        _, said = writing.communicate("\n" * 100, timeout=60)
    assert writing.returncode == 3
    assert "terminating connection" in said
    assert "hint: " in said
    assert not list(folder.iterdir())
    with held_backup(state, url, path) as writing:  # the command does
        writing.kill()
    assert not path.exists()
    assert [oct(p.stat().st_mode)[-3:] for p in folder.iterdir()] == ["600"]
    # One that goes on meanwhile is not disturbed by the next, which tidies up.
    with held_backup(state, url, path) as writing:
        assert len(list(folder.iterdir())) == 1
        ran = run(state, "backup", str(folder / "next.tar"))
        assert ran.returncode == 0, ran.stderr
        _, said = writing.communicate("\n" * 100, timeout=60)
        assert writing.returncode == 0, said
    assert sorted(p.name for p in folder.iterdir()) == ["b.tar", "next.tar"]
    gone = "postgresql://linekey:geheim@127.0.0.1:1/linekey"
    state.settings_file.write_text(f'database_url = "{gone}"\n')
    ran = run(state, "backup", str(folder / "c.tar"))
    assert ran.returncode == 3
    assert "hint: " in ran.stderr
    assert "geheim" not in ran.stdout + ran.stderr
    assert len(list(folder.iterdir())) == 2
