"""A state folder with its SQLite database, for the store's tests."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from linekey.store.database import Database, open_database
from linekey.store.paths import StateDir

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir.open(tmp_path / "state")


@pytest.fixture
def database(state: StateDir) -> Iterator[Database]:
    with open_database(state) as database:
        yield database


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine take its time; a test of the limit itself sets its own."""
    monkeypatch.setattr("linekey.store.decision_log.RECORD_WITHIN_S", 60.0)
