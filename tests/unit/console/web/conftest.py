"""The console over a real SQLite database, called through ASGI."""

import contextlib
import html
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from tools.console_words import catalogue

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.check.forecast import Served
from linekey.console.api.app import api_app
from linekey.console.api.desk import Desk
from linekey.console.source import StoreSource
from linekey.console.watch import Watch
from linekey.console.web.app import make_console
from linekey.console.web.parts import Parts
from linekey.settings import ConsoleSettings
from linekey.store.changes import Actor
from linekey.store.database import Database, open_database
from linekey.store.log_counts import HourCounts
from linekey.store.paths import StateDir
from linekey.store.sessions import Ends, Sessions
from linekey.store.users import Users
from linekey.wire.readiness import Readiness

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"
COOKIE = "linekey-session"
BASE = "http://127.0.0.1:8480"


@lru_cache(1)
def _served() -> Served:
    leaf = issue(
        Name.build([("CN", "prov.example.com")]), new_key(), None, serial=1,
        not_before=NOW - timedelta(days=30), not_after=NOW + timedelta(days=90),
        dns_names=["prov.example.com"],
    )  # fmt: skip
    return Served("prov.example.com", "prov.example.com", (leaf,))


@lru_cache(1)
def _desk_and_api() -> tuple[Desk, FastAPI]:
    """The API, made once: its models cost more than any test here."""

    async def ready() -> Readiness:
        return Readiness(True, "", "", 1)

    async def metrics() -> bytes:
        return b""

    with open_database(StateDir.open(Path(tempfile.mkdtemp()) / "state")) as database:
        desk = Desk(
            database, clock=lambda: NOW, public_url="https://prov.example.com",
            ready=ready, metrics=metrics,
        )  # fmt: skip
    return desk, api_app(desk)


class Browser:
    """What a browser does: keeps cookies, sends forms back with their word."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.http.get(f"/console/{path}", headers=headers)

    async def post(
        self, path: str, form: dict[str, Any], page: str | None = None, **headers: str
    ) -> httpx2.Response:
        shown = await self.get(path if page is None else page)
        word = word_in(shown.text)
        return await self.http.post(
            f"/console/{path}", data={"form_word": word} | form, headers=headers
        )

    async def log_in(self, name: str = "anna", password: str = PASSWORD) -> Any:
        return await self.post("log-in", {"name": name, "password": password})


def word_in(text: str) -> str:
    found = re.search(r'name="form_word" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]


def text_of(answer: httpx2.Response) -> str:
    """What people read of a page."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", main)).split())


def english_in(pages: list[str]) -> set[str]:
    """Texts of the catalogue that stand in pages: by their longest piece, if it has
    three words."""
    shown = "\n".join(pages).lower()
    found = set()
    for message in catalogue():
        for text in [message.id] if isinstance(message.id, str) else message.id:
            piece = max(re.split(r"%\(\w+\)s", text), key=len).strip().lower()
            if message.string != text and len(piece.split()) > 2 and piece in shown:
                found.add(text)
    return found


@dataclass
class World:
    database: Database
    now: datetime = NOW
    settings: ConsoleSettings = field(default_factory=ConsoleSettings)
    served: tuple[Served, ...] = field(default_factory=lambda: (_served(),))
    base: str = BASE

    def user(self, name: str, role: str, groups: list[str] | None = None) -> None:
        """A user with a session, without the cost of a password."""
        Users(self.database).add(name, role, self.now, groups=groups)

    @asynccontextmanager
    async def console(self, user: str | None = None) -> AsyncIterator[Browser]:
        async with contextlib.AsyncExitStack() as stack:
            desk, api = _desk_and_api()
            desk._database = self.database
            desk.hours = HourCounts()
            desk.watch = Watch(self.database, lambda: self.served, lambda: self.now)
            stack.callback(desk.watch.close)
            desk.clock, desk.served = lambda: self.now, lambda: self.served
            source = StoreSource(
                self.database, url="https://prov.example.com",
                certificate=lambda: self.served[0].chain[0], started_at=self.now,
            )  # fmt: skip
            stack.callback(source.close)
            parts = Parts(
                self.database, desk, api, self.settings, self.base,
                self.database.state.root, source.standing,
            )  # fmt: skip
            app = make_console(parts, stack)
            transport = httpx2.ASGITransport(app=app, client=("192.0.2.7", 4711))
            async with httpx2.AsyncClient(
                transport=transport, base_url=self.base
            ) as http:
                if user is not None:
                    token = self.session(user)
                    http.cookies.set(COOKIE, token, "127.0.0.1", "/console/")
                yield Browser(http)

    def session(self, name: str) -> str:
        actor = Actor(name, "console 192.0.2.7")
        return Sessions(self.database, Ends()).begin(
            Users(self.database).get(name), "password", actor, "192.0.2.7", self.now
        )


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, made once: its migrations cost more than any test here."""
    folder = tmp_path_factory.mktemp("console") / "state"
    open_database(StateDir.open(folder)).close()
    return folder


@pytest.fixture
def world(tmp_path: Path, empty: Path) -> Iterator[World]:
    shutil.copytree(empty, tmp_path / "state")
    with open_database(StateDir.open(tmp_path / "state")) as database:
        yield World(database)
