"""The API of a running ``linekey serve``, called by curl, and by Schemathesis."""

import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import NOW
from tests.live.test_serve_command import PROGRAM, clean_environment, fetch, serve
from tests.live.test_serve_command import put_server_files as put_files
from tests.postgres import running_cluster

from linekey.certs.pem import parse_certificates, private_key_to_pem, to_pem
from linekey.lab import server_ca
from linekey.server.preflight.finding import RULES
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.database import open_database
from linekey.store.tokens import ApiTokens, Scope

pytestmark = pytest.mark.peer("curl")


async def linekey(place: Any, *words: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *words, "--state", str(place.state.root), "--json",
        stdout=asyncio.subprocess.PIPE, env=clean_environment(),
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)


async def call(place: Any, token: str, method: str, url: str, *more: str) -> Any:
    """Status and document of a call by curl."""
    told = ["-H", f"Authorization: Bearer {token}"] if token else []
    words = ["-w", "\n%{http_code}", "-X", method, *told, *more, url]
    ran = await place.curl(*words)
    body, _, status = ran.out.rpartition("\n")
    return int(status), json.loads(body) if body else None


def leaf_at(port: str) -> str:
    """The certificate that is sent at a port, as PEM."""
    return to_pem(
        parse_certificates(
            ssl.get_server_certificate(("127.0.0.1", int(port))).encode()
        )[0]
    )


@contextlib.asynccontextmanager
async def on(kind: str, place: Any) -> AsyncIterator[None]:
    """The place's database, or PostgreSQL that it was copied to."""
    if kind == "sqlite":
        yield
        return
    with running_cluster() as cluster:
        url = cluster.new()
        place.database.close()
        await linekey(place, "database", "copy", "--to", url)
        settings = place.state.root / "linekey.toml"
        settings.write_text(f'database_url = "{url}"\n{settings.read_text()}')
        with open_database(place.state, url) as place.database:
            yield


@pytest.mark.parametrize(
    ("kind", "workers"),
    [
        ("sqlite", "1"),
        pytest.param("postgres", "2", marks=pytest.mark.peer("postgres")),
    ],
)
async def test_a_change_by_the_api_holds_at_the_phones_next_request(
    place: Any, kind: str, workers: str
) -> None:
    put_files(place)
    async with on(kind, place):
        await walk(place, workers)


async def walk(place: Any, workers: str) -> None:
    made = await linekey(place, "token", "add", "pbx", "--scope", "admin")
    assert made["name"] == "pbx"
    token = made["token"]
    async with serve(place, "--workers", workers, own_process=True) as serving:
        api = f"{serving.status_url}api/v1"
        assert (await call(place, "", "GET", f"{api}/openapi.json"))[0] == 401
        status, page = await call(place, token, "GET", f"{api}/devices?limit=1")
        assert (status, page["total"], len(page["items"])) == (200, 2, 1)
        status, rest = await call(place, token, "GET", page["next"])
        assert (status, rest["next"]) == (200, None)
        assert place.password in (await fetch(place, serving)).out
        url = f"{api}/devices/{place.phone}"
        status, revoked = await call(place, token, "POST", f"{url}/revoke")
        assert (status, revoked["state"]) == (200, "revoked")
        assert place.password not in (await fetch(place, serving)).out
        body = {"select": {"all": True}, "action": "restore", "expected": 2}
        sent = ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        status, done = await call(place, token, "POST", f"{api}/devices/bulk", *sent)
        assert (status, done["matched"], done["changed"]) == (200, 2, 1)
        assert place.password in (await fetch(place, serving)).out
        status, found = await call(
            place, token, "GET", f"{api}/decisions?mac={place.phone}&outcome=refused"
        )
        assert status == 200
        assert [one["reason"] for one in found["items"]] == ["revoked"]
        await linekey(place, "token", "revoke", "pbx")
        assert (await call(place, token, "GET", f"{api}/devices"))[0] == 401
        assert await serving.end() == 0
    with place.database.read() as connection:
        lines = read_changes(connection, ChangeSearch(who="pbx"))
    assert {line.place for line in lines} == {"127.0.0.1"}
    assert len(lines) == 2


async def health_once_ready(place: Any, token: str, url: str) -> Any:
    """Ask as a balancer does: a busy machine's worker takes its time to say a word."""
    health: Any = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(60):
            while health is None or health["status"] != "ready":
                status, health = await call(place, token, "GET", url)
                assert status == 200
    assert health["status"] == "ready", health
    return health


async def test_beyond_loopback_the_api_speaks_tls_and_stands_alone(place: Any) -> None:
    put_files(place)
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write('host = "0.0.0.0"\ncertificate = "server.pem"\nkey = "server.key"\n')
    made = ApiTokens(place.database).add("a", Scope.READ, None, NOW)
    async with serve(place) as serving:
        port = serving.status_url.rstrip("/").rpartition(":")[2]
        url = f"https://localhost:{port}"
        health = await health_once_ready(place, made, f"{url}/api/v1/health")
        (found,) = health["findings"]
        assert found["rule"] == "chain.no_intermediate"
        assert found["severity"] == RULES["chain.no_intermediate"].severity
        for path in ("phones.json", "metrics", "readyz"):
            assert (await call(place, made, "GET", f"{url}/{path}"))[0] == 403
        there, _ = await call(place, made, "GET", url)
        assert there == 303, "to the console's log-in"
        plain = await place.curl(f"http://localhost:{port}/api/v1/health")
        assert "This port speaks HTTPS" in plain.out
        old = await place.curl("--tls-max", "1.1", f"{url}/api/v1/health", old=True)
        assert old.code == 35
        # Renewed while it runs, with another key; half of it, or junk, changes nothing.
        before = leaf_at(port)
        key = server_ca.new_server_key()
        renewed = server_ca.issue_server((), key, place.lab.server, now=NOW)
        files = [place.state.root / name for name in ("server.pem", "server.key")]
        for path, text in (
            (files[0], b"junk"), (files[0], to_pem(renewed).encode()),
            (files[1], private_key_to_pem(key)),
        ):  # fmt: skip
            assert leaf_at(port) == before
            assert (await call(place, made, "GET", f"{url}/api/v1/health"))[0] == 200
            path.write_bytes(text)
        assert leaf_at(port) == to_pem(renewed)
        assert (await call(place, made, "GET", f"{url}/api/v1/health"))[0] == 200
        assert await serving.end() == 0


async def test_schemathesis_finds_nothing(place: Any, tmp_path: Path) -> None:
    """What the OpenAPI document says is what the running server does.

    By examples, by every bound of every member, at random (five cases for each path, the
    same each time), and by calls that follow from others' answers.
    """
    put_files(place)
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write(
            "[api]\nrequests_each_minute = 1000000\nrefused_each_minute = 1000000\n"
        )
    token = ApiTokens(place.database).add("a", Scope.ADMIN, None, NOW)
    async with serve(place) as serving:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")), "run",
            f"{serving.status_url}api/v1/openapi.json",
            "--url", f"{serving.status_url}api/v1",
            "--header", f"Authorization: Bearer {token}",
            # What a schema cannot say (a MAC, a present ETag, a known setting) is refused.
            "--exclude-checks", "positive_data_acceptance",
            "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "5",
            "--continue-on-failure", "--seed", "4711", "--no-color",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path, env=clean_environment(),
        )  # fmt: skip
        async with asyncio.timeout(300):
            out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()[-6000:]
        assert await serving.end() == 0
