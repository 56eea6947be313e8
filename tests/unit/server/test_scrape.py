"""The numbers' own listener: with the token or not at all, by TLS beyond loopback."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.certificates import END, ca, ec, leaf
from tests.receivers import identity

from linekey.console.watch import Watch
from linekey.errors import InputError, LinekeyError
from linekey.server.counters import Counters
from linekey.server.scrape import ScrapeServer, ensure_token
from linekey.settings import parse_settings
from linekey.store.database import Database, open_database
from linekey.store.paths import StateDir
from linekey.wire.public_tls import public_context

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CHAIN = [leaf(ca("any", own=ec("any")), "a.b", leaf_key=ec("l"), not_after=END)]


@pytest.fixture
def database(tmp_path: Path) -> Any:
    with open_database(StateDir.open(tmp_path / "state")) as database:
        yield database


@asynccontextmanager
async def serving(
    database: Database, listen: str = "127.0.0.1:0", **more: Any
) -> AsyncIterator[ScrapeServer]:
    given = {f"metrics.{name}": value for name, value in more.items()}
    watch = Watch(database, lambda: (), lambda: NOW)
    try:
        server = ScrapeServer(
            parse_settings(options={"metrics.listen": listen, **given}), database,
            chain=lambda: CHAIN, counters=Counters(), watch=watch, clock=lambda: NOW,
        )  # fmt: skip
        async with server:
            yield server
            while (task := watch._of(None).task) is not None:
                await asyncio.wait([task])
    finally:
        watch.close()


def token_of(database: Database) -> str:
    return (database.state.root / "metrics.token").read_text().strip()


async def test_with_the_token_there_are_numbers_and_nothing_without(
    database: Database,
) -> None:
    async with serving(database) as server, httpx2.AsyncClient() as http:
        assert server.url is not None
        path = database.state.root / "metrics.token"
        assert path.stat().st_mode & 0o777 == 0o600
        good = {"Authorization": f"Bearer {token_of(database)}"}
        found = await http.get(server.url, headers=good)
        assert found.status_code == 200
        assert "linekey_build_info{" in found.text
        assert re.search(r"linekey_database_up 1", found.text)
        for headers in (
            {}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"},
            {"Authorization": f"Basic {token_of(database)}"},
            {"Authorization": "Bearer ä".encode("latin-1")},
        ):  # fmt: skip
            refused = await http.get(server.url, headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Bearer")
            assert "linekey_build_info" not in refused.text
        base = server.url.removesuffix("metrics")
        assert (await http.get(f"{base}readyz", headers=good)).status_code == 404
        assert (await http.post(server.url, headers=good)).status_code == 405


async def test_a_changed_token_counts_at_once_and_a_lost_one_opens_nothing(
    database: Database,
) -> None:
    path = database.state.root / "metrics.token"
    async with serving(database) as server, httpx2.AsyncClient() as http:
        assert server.url is not None
        old = {"Authorization": f"Bearer {token_of(database)}"}
        path.write_text("another-token-of-my-own\n")
        assert (await http.get(server.url, headers=old)).status_code == 401
        new = {"Authorization": "Bearer another-token-of-my-own"}
        assert (await http.get(server.url, headers=new)).status_code == 200
        for text in ("", "short", "two words of a token", "x" * 5000):
            path.write_text(text)
            given = {"Authorization": f"Bearer {text}".strip()}
            assert (await http.get(server.url, headers=given)).status_code == 503
        path.unlink()
        assert (await http.get(server.url, headers=new)).status_code == 503


async def test_numbers_come_while_the_database_is_gone(database: Database) -> None:
    async with serving(database) as server, httpx2.AsyncClient() as http:
        assert server.url is not None
        database.state.database_file.unlink()
        good = {"Authorization": f"Bearer {token_of(database)}"}
        found = await http.get(server.url, headers=good)
        assert found.status_code == 200
        assert re.search(r"linekey_database_up 0", found.text)


async def test_beyond_loopback_it_needs_tls(database: Database, tmp_path: Path) -> None:
    with pytest.raises(LinekeyError, match="without TLS"):
        async with serving(database, "0.0.0.0:0"):
            pass
    file, _ = identity(tmp_path, "127.0.0.1")
    files = {"certificate": tmp_path / "leaf.pem", "key": tmp_path / "leaf.key"}
    async with serving(database, "0.0.0.0:0", **files) as server:
        assert server.url is not None
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        good = {"Authorization": f"Bearer {token_of(database)}"}
        async with httpx2.AsyncClient(verify=public_context(file)) as http:
            assert (await http.get(url, headers=good)).status_code == 200
            assert (await http.get(url)).status_code == 401


async def test_without_an_address_there_is_nothing(database: Database) -> None:
    async with serving(database, "") as server:
        assert server.url is None
    assert not (database.state.root / "metrics.token").exists()


def test_a_file_that_holds_no_token_is_told(tmp_path: Path) -> None:
    path = tmp_path / "token"
    made = ensure_token(path)
    assert ensure_token(path) == made
    path.write_text("a b")
    with pytest.raises(InputError, match="holds no token"):
        ensure_token(path)
    with pytest.raises(InputError, match="cannot read"):
        ensure_token(tmp_path / "no" / "folder")
