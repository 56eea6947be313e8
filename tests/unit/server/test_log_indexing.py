"""The index of the log's texts is filled beside the server, and trouble is told once."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.store.test_log_texts import reach, write

from linekey.errors import StorageError
from linekey.server.log_indexing import LogIndexing
from linekey.store import log_filling
from linekey.store.database import Database, open_database
from linekey.store.paths import StateDir


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(StateDir.open(tmp_path / "state")) as database:
        yield database


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - another thread does it
            await asyncio.sleep(0.01)


async def test_lines_are_indexed_as_they_come(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_filling, "WAITS", 100)
    write(database, 300)
    async with LogIndexing(database, 0.01):
        await until(lambda: reach(database) == 300)
        write(database, 120)
        await until(lambda: reach(database) == 420)


async def test_what_room_is_left_on_the_disk_is_for_phones(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_filling, "WAITS", 100)
    write(database, 300)
    asked: list[int] = []

    def is_short() -> bool:
        asked.append(reach(database))
        return len(asked) < 4

    async with LogIndexing(database, 0.001, is_short_of_room=is_short):
        await until(lambda: reach(database) == 300)
    assert asked[:4] == [0, 0, 0, 0]


async def test_trouble_is_told_once_and_all_is_tried_again(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[int] = []

    def fill(database: Database, stop: Callable[[], bool]) -> int:
        calls.append(1)
        if len(calls) < 4:
            raise StorageError("the disk is full", hint="free some space")
        if len(calls) == 5:
            raise ValueError("unforeseen")
        return 0

    monkeypatch.setattr(log_filling, "fill", fill)
    with caplog.at_level(logging.WARNING):
        async with LogIndexing(database, 0.001):
            await until(lambda: len(calls) > 6)
    told = [r.getMessage() for r in caplog.records if "indexed" in r.getMessage()]
    assert len(told) == 2
    assert "the disk is full" in told[0]


async def test_the_end_does_not_wait_for_all_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    ended: list[bool] = []

    def fill(database: Database, stop: Callable[[], bool]) -> int:
        loop.call_soon_threadsafe(began.set)
        while not stop():
            pass
        ended.append(True)
        return 0

    monkeypatch.setattr(log_filling, "fill", fill)
    async with asyncio.timeout(30), LogIndexing(database):
        await began.wait()
    await until(lambda: bool(ended))
