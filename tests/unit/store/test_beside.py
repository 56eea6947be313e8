"""A database that a newer linekey has brought up to its schema, and who may use it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import linekey.store
from linekey.errors import StorageError
from linekey.store.beside import ROW, is_older, newer_schema, tell_older
from linekey.store.copying import copy_database
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.store.schema import HEAD, meta

MIGRATIONS = Path(linekey.store.__file__).parent / "migrations"
FIRST = "v0018"
"""The newest schema before there was this rule."""
NEWER = "v9999"


def make_newer(database: Database, beside: str | None, stage: str = NEWER) -> None:
    """Leave what a newer linekey's migration would leave."""
    with database.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE alembic_version SET version_num = '{stage}'"
        )
        connection.exec_driver_sql("ALTER TABLE devices ADD COLUMN colour TEXT")
        connection.execute(sa.delete(meta).where(meta.c.name == ROW))
        if beside is not None:
            connection.execute(sa.insert(meta).values(name=ROW, sealed=beside.encode()))


@pytest.mark.parametrize("oldest", [FIRST, HEAD])
def test_this_linekey_goes_on_where_the_newer_one_says_so(
    database: Database, state: StateDir, oldest: str
) -> None:
    make_newer(database, oldest)
    with open_database(state) as opened:
        assert opened.newer_schema == NEWER
        assert Devices(opened).count() == 0
        with opened.read() as connection:  # and nothing was migrated back or on
            stage = connection.exec_driver_sql(
                "SELECT version_num FROM alembic_version"
            )
            assert stage.scalar() == NEWER


@pytest.mark.parametrize("oldest", ["v9998", NEWER, None, "", "v1", "v99999", "\0\xff"])
def test_and_nowhere_else(
    database: Database, state: StateDir, oldest: str | None
) -> None:
    make_newer(database, oldest)
    with pytest.raises(StorageError, match="newer linekey"):
        open_database(state)


@pytest.mark.parametrize("stage", ["v999", "main", "v99990", "abcd1234"])
def test_a_stage_that_is_no_schemas_name_is_refused(
    database: Database, state: StateDir, stage: str
) -> None:
    make_newer(database, FIRST, stage)
    with pytest.raises(StorageError, match="newer linekey"):
        open_database(state)


def test_an_ordinary_database_is_nobody_elses(database: Database) -> None:
    assert database.newer_schema == ""
    with database.read() as connection:
        assert newer_schema(connection, None) == ""
        assert newer_schema(connection, HEAD) == ""
        assert newer_schema(connection, "v0001") == ""


def test_a_newer_schema_is_not_copied_by_who_does_not_know_all_of_it(
    database: Database, state: StateDir
) -> None:
    make_newer(database, HEAD)
    database.close()
    with pytest.raises(StorageError, match="cannot copy all of it") as raised:
        copy_database(
            state, None, "postgresql+psycopg://nobody@127.0.0.1:1/none", _never
        )
    assert "newer linekey" in raised.value.hint


def _never(_: int) -> Any:
    raise AssertionError("nothing is copied")


def test_the_newest_migrations_word_is_written_down(database: Database) -> None:
    newest = SimpleNamespace(revision="v9000", module=SimpleNamespace(beside="v8000"))
    scripts: Any = SimpleNamespace(get_revision=lambda name: newest)
    with database.write() as connection:
        for expected in ("v8000", "v9000"):
            tell_older(connection, scripts)
            said = sa.select(meta.c.sealed).where(meta.c.name == ROW)
            assert bytes(connection.execute(said).scalar_one()).decode() == expected
            del newest.module  # one that says nothing stands for itself
            newest.module = SimpleNamespace()


# What each migration says of itself


def after_the_rule() -> list[Any]:
    steps = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return [step for step in steps if is_older(FIRST, str(step.revision))]


def test_every_migration_says_beside_which_linekey_it_goes() -> None:
    before = FIRST
    for step in reversed(after_the_rule()):
        beside = getattr(step.module, "beside", None)
        assert beside is not None, (
            f"{step.revision}: write beside = … (CONTRIBUTING.md)"
        )
        assert not is_older(beside, before), (
            f"{step.revision}: goes back behind {before}"
        )
        assert not is_older(step.revision, beside), (
            f"{step.revision}: {beside} is newer"
        )
        before = beside


def tables_at(folder: Path, stage: str) -> sa.MetaData:
    engine = sa.create_engine(f"sqlite:///{folder / stage}.db")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    found = sa.MetaData()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, stage)
        found.reflect(connection)
    engine.dispose()
    return found


def in_the_way(old: sa.MetaData, new: sa.MetaData) -> list[str]:
    """What an older linekey's statements would stumble over in the newer tables."""
    faults = []
    for table in old.sorted_tables:
        now = new.tables.get(table.name)
        if now is None:
            faults.append(f"table {table.name} is gone")
            continue
        for column in table.columns:
            there = now.columns.get(column.name)
            if there is None:
                faults.append(f"column {table.name}.{column.name} is gone")
            elif column.nullable and not there.nullable:
                faults.append(f"column {table.name}.{column.name} may not be empty now")
        for column in now.columns:
            needed = not column.nullable and column.server_default is None
            if column.name not in table.columns and needed:
                faults.append(f"new column {table.name}.{column.name} has no default")
        unique = {i.name for i in table.indexes if i.unique}
        faults += [
            f"new unique index {i.name}"
            for i in now.indexes
            if i.unique and i.name not in unique
        ]
    return faults


@pytest.mark.parametrize("step", after_the_rule(), ids=lambda s: str(s.revision))
def test_a_migration_leaves_older_ones_what_it_says(step: Any, tmp_path: Path) -> None:
    old = tables_at(tmp_path, step.module.beside)
    (tmp_path / "new").mkdir()
    new = tables_at(tmp_path / "new", str(step.revision))
    assert in_the_way(old, new) == []


def test_what_is_in_the_way_is_found() -> None:
    old, new = sa.MetaData(), sa.MetaData()
    sa.Table("gone", old, sa.Column("a", sa.Integer))
    sa.Table("kept", old, sa.Column("a", sa.Integer), sa.Column("b", sa.Integer))
    sa.Table(
        "kept", new, sa.Column("a", sa.Integer, nullable=False),
        sa.Column("c", sa.Integer, nullable=False),
        sa.Column("d", sa.Integer, nullable=False, server_default="0"),
        sa.Column("e", sa.Integer), sa.Index("ux", "e", unique=True),
    )  # fmt: skip
    assert sorted(in_the_way(old, new)) == [
        "column kept.a may not be empty now",
        "column kept.b is gone",
        "new column kept.c has no default",
        "new unique index ux",
        "table gone is gone",
    ]
