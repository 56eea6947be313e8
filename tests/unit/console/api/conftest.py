"""The API over a real SQLite database, called through ASGI."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from linekey.console.api.app import PREFIX, make_api
from linekey.console.api.desk import Desk
from linekey.settings import ApiSettings
from linekey.store.changes import Actor
from linekey.store.database import Database, open_database
from linekey.store.paths import StateDir
from linekey.store.tokens import ApiTokens, Scope
from linekey.wire.readiness import Readiness

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MAC = "000413AABBCC"


@dataclass
class World:
    database: Database
    now: datetime = NOW
    settings: ApiSettings = field(default_factory=ApiSettings)

    def token(self, scope: Scope, name: str = "") -> str:
        tokens = ApiTokens(self.database.acting(Actor("root", "command line")))
        return tokens.add(name or scope.value, scope, None, self.now)

    @asynccontextmanager
    async def client(
        self, scope: Scope | None = Scope.ADMIN, token: str = ""
    ) -> AsyncIterator[httpx2.AsyncClient]:
        async def ready() -> Readiness:
            return Readiness(True, "", "", 1)

        desk = Desk(
            self.database,
            clock=lambda: self.now,
            public_url="https://prov.example.com",
            ready=ready,
        )
        guard = make_api(desk, self.settings)

        async def app(scope: Any, receive: Any, send: Any) -> None:
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
        desk.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_database(StateDir.open(tmp_path / "state")) as database:
        yield World(database)
