"""A PostgreSQL of a test's own: a cluster on a Unix socket, thrown away afterwards."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from linekey.store.database import Database
from linekey.store.schema import metadata

PLACES = os.pathsep.join(
    [os.environ.get("PATH", "")]
    + [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
)


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL, in ``root``; started and stopped as an unprivileged user."""

    root: Path

    def run(self, program: str, *arguments: str) -> None:
        found = shutil.which(program, path=PLACES)
        assert found is not None
        command = [str(Path(found).resolve()), *arguments]
        if os.geteuid() == 0:  # initdb refuses root
            command = ["runuser", "-u", "nobody", "--", *command]
        with (self.root / "commands.log").open("a") as log:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        assert done.returncode == 0, (self.root / "commands.log").read_text()

    def make(self) -> None:
        self.run(
            "initdb", "-D", f"{self.root}/data", "-U", "linekey", "-A", "trust",
            "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        self.run(
            "pg_ctl", "-D", f"{self.root}/data", "-w", "-l", f"{self.root}/server.log",
            "-o", f"-c listen_addresses='' -c unix_socket_directories='{self.root}'"
            # Thrown away before the machine could fail.
            " -c fsync=off",
            "start",
        )  # fmt: skip

    def stop(self) -> None:
        self.run("pg_ctl", "-D", f"{self.root}/data", "-w", "-m", "immediate", "stop")

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Every process of it stopped, as if the machine hung: accepted, unanswered."""
        parent = int((self.root / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        pids = [parent, *map(int, children)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def execute(self, statement: str) -> None:
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def new(self, name: str = "") -> str:
        """Make an empty database, of a name of its own where none is given; its URL."""
        name = name or f"new_{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://linekey@/{name}?host={self.root}"


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    # Short, since a socket's path has 107 characters at most; and not below pytest's
    # own folder, which is for root alone if root runs the tests.
    with tempfile.TemporaryDirectory(prefix="lk-pg-") as name:
        root = Path(name)
        if os.geteuid() == 0:
            shutil.chown(root, "nobody")
        cluster = Cluster(root)
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            with contextlib.suppress(AssertionError):
                cluster.stop()


def remembered(database: Database) -> Callable[[], None]:
    """Remember what a database holds; what is returned makes it hold that again."""
    with database.read() as connection:
        first = {
            table: list(map(dict, connection.execute(sa.select(table)).mappings()))
            for table in metadata.sorted_tables
        }
    names = ", ".join(f'"{table.name}"' for table in first)

    def again() -> None:
        with database.write() as connection:
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")
            for table, rows in first.items():
                if rows:
                    connection.execute(sa.insert(table), rows)

    return again
