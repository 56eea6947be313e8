"""The database goes in the middle of a command: SQLite's file, and PostgreSQL itself.

What is printed until then never looks complete, and a change is made whole or not at
all.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.postgres import Cluster, running_cluster

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.server.server import utc_now
from linekey.store.changes import ChangeSearch, count_changes
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.exported import registry_revision
from linekey.store.paths import StateDir

PHONES = 1_010
"""More than two of the parts in which they are read and changed, and more than a pipe
holds of the first one."""
PROGRAM = "from linekey.cli.main import main; main()"
KILLED_IN_THE_SECOND_PART = f"""
import os, signal
from linekey.store.devices import Devices
write, parts = Devices._write, []
def until_killed(*given):
    parts.append(given)
    if len(parts) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(*given)
Devices._write = until_killed
{PROGRAM}
"""


@dataclass(frozen=True)
class Place:
    state: StateDir
    url: str | None
    cluster: Cluster | None

    def start(self, words: str, program: str = PROGRAM) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", program, *words.split()],
            env={**os.environ, "LINEKEY_STATE": str(self.state.root), "NO_COLOR": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def open(self) -> Database:
        return open_database(self.state, self.url)

    def lose(self) -> None:
        if self.cluster is None:
            self.state.database_file.rename(self.state.root / "aside")
            return
        self.cluster.execute("ALTER DATABASE gone WITH ALLOW_CONNECTIONS false")
        self.cluster.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'gone'"
        )

    def put_back(self) -> None:
        if self.cluster is None:
            (self.state.root / "aside").rename(self.state.database_file)
        else:
            self.cluster.execute("ALTER DATABASE gone WITH ALLOW_CONNECTIONS true")


def fill(database: Database) -> None:
    phones = [
        Device(
            Mac(f"0004131{n:05X}"), "snom", "D785", label="Room " + "x" * 200,
            layer=Layer((Setting("language", "English"), Setting("user_pass", "x", 1))),
        )
        for n in range(PHONES)
    ]  # fmt: skip
    Devices(database).add_all(phones, utc_now())


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgres", marks=pytest.mark.peer("postgres"))],
)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    state = StateDir.open(tmp_path_factory.mktemp("gone") / "state")
    if request.param == "sqlite":
        made = Place(state, None, None)
        with made.open() as database:
            fill(database)
        yield made
        return
    with running_cluster() as cluster:
        made = Place(state, cluster.new("gone"), cluster)
        (state.root / "linekey.toml").write_text(f'database_url = "{made.url}"\n')
        with made.open() as database:
            fill(database)
        yield made


@pytest.mark.parametrize("words", ["device list --json", "device export"])
def test_a_list_that_breaks_off_is_no_complete_one(place: Place, words: str) -> None:
    process = place.start(words)
    assert process.stdout is not None
    begun = process.stdout.read(1)
    place.lose()
    try:
        rest, said = process.communicate(timeout=120)
    finally:
        place.put_back()
    assert begun
    assert process.returncode == 3, said
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    if "--json" in words:
        assert json.loads(last)["error"]["exit"] == 3
        with pytest.raises(json.JSONDecodeError):
            json.loads(begun + rest)
    else:
        assert "error: " in said
        assert last.startswith("hint: ")
        assert "phones" not in said, "no sum that says it was all"


@pytest.mark.parametrize(
    "words", ["device rotate-passwords --all --yes", "device import {table} --sync"]
)
def test_a_change_that_is_killed_half_way_is_none(
    place: Place, words: str, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    with place.open() as database:
        devices = Devices(database)
        before = list(devices.all())
        revision = registry_revision(database)
        with database.read() as connection:
            lines = count_changes(connection, ChangeSearch())
    rows = [f"{d.mac},other" for d in before]
    table.write_text("\n".join(["mac,label", *rows]))
    process = place.start(words.format(table=table), KILLED_IN_THE_SECOND_PART)
    _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    with place.open() as database:
        assert list(Devices(database).all()) == before
        assert registry_revision(database) == revision
        with database.read() as connection:
            assert count_changes(connection, ChangeSearch()) == lines
        # Nothing of it is left that would keep the next one waiting.
        Devices(database).revoke(before[0].mac, "x", utc_now())
        Devices(database).restore(before[0].mac, utc_now())
