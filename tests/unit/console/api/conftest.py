"""The API over a real database, SQLite and PostgreSQL, called through ASGI."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import pytest
from tests.postgres import remembered, running_cluster

from linekey.check.forecast import Served
from linekey.console.api.app import PREFIX, api_app, make_api
from linekey.console.api.desk import Desk
from linekey.console.watch import Watch
from linekey.settings import ApiSettings
from linekey.store.changes import Actor
from linekey.store.database import Database, open_database
from linekey.store.paths import StateDir
from linekey.store.tokens import ApiTokens, Scope
from linekey.trust.findings import Finding
from linekey.wire.readiness import Readiness

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MAC = "000413AABBCC"


class _Turn:
    """The desk of the test that called last."""

    desk: Desk

    def __getattr__(self, name: str) -> Any:
        return getattr(self.desk, name)


_TURN = _Turn()


@cache
def shared_app() -> Any:
    """One application for all tests: making one takes longer than most of them."""
    return api_app(_TURN)  # type: ignore[arg-type]


@dataclass
class World:
    database: Database
    now: datetime = NOW
    settings: ApiSettings = field(default_factory=ApiSettings)
    served: tuple[Served, ...] = ()
    findings: Callable[[], list[Finding]] = list

    def token(self, scope: Scope, name: str = "") -> str:
        tokens = ApiTokens(self.database.acting(Actor("root", "command line")))
        return tokens.add(name or scope.value, scope, None, self.now)

    @asynccontextmanager
    async def client(
        self, scope: Scope | None = Scope.ADMIN, token: str = ""
    ) -> AsyncIterator[httpx2.AsyncClient]:
        async def ready() -> Readiness:
            return Readiness(True, "", "", 1)

        async def metrics() -> bytes:
            return b"linekey_things_total 1.0"

        watch = Watch(self.database, lambda: self.served, lambda: self.now)
        desk = Desk(
            self.database,
            clock=lambda: self.now,
            public_url="https://prov.example.com",
            ready=ready,
            metrics=metrics,
            served=lambda: self.served,
            findings=lambda: self.findings(),
            watch=watch,
        )
        with patch("linekey.console.api.app.api_app", lambda _: shared_app()):
            guard = make_api(desk, self.settings)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            _TURN.desk = desk
            await guard({**scope, "root_path": PREFIX}, receive, send)

        if scope is not None and not token:
            token = self.token(scope)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app, client=("192.0.2.7", 4711)),
            base_url=f"http://127.0.0.1:8480{PREFIX}/",
            headers=headers,
        ) as http:
            yield http
        # None is left with a connection when the database is closed.
        await asyncio.gather(*desk._notes.values())
        desk.close()
        watch.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database's state folder: copied for each test."""
    state = StateDir.open(tmp_path_factory.mktemp("template") / "state")
    open_database(state).close()
    return state.root


@pytest.fixture(scope="session")
def postgres(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Path], str]]:
    """A function that empties the one database there is, and tells its URL."""
    with running_cluster() as cluster:
        url = cluster.new()
        root = tmp_path_factory.mktemp("postgres") / "state"
        with open_database(StateDir.open(root), url) as database:
            again = remembered(database)

            def emptied(state: Path) -> str:
                shutil.copytree(root, state)
                again()
                return url

            yield emptied


@pytest.fixture(
    params=["sqlite", pytest.param("postgres", marks=pytest.mark.peer("postgres"))]
)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    root, url = tmp_path / "state", None
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("template"), root)
    else:
        url = request.getfixturevalue("postgres")(root)
    with open_database(StateDir.open(root), url) as database:
        yield World(database)
