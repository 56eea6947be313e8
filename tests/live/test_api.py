"""The API of a running ``linekey serve``, called by curl, and by Schemathesis."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import NOW
from tests.live.test_serve_command import PROGRAM, clean_environment, fetch, serve
from tests.live.test_serve_command import put_server_files as put_files

from linekey.store.changes import ChangeSearch, read_changes
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


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_change_by_the_api_holds_at_the_phones_next_request(
    place: Any, workers: str
) -> None:
    put_files(place)
    made = await linekey(place, "token", "add", "pbx", "--scope", "admin")
    assert made["name"] == "pbx"
    token = made["token"]
    async with serve(place, "--workers", workers) as serving:
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
        assert (await call(place, token, "POST", f"{url}/restore"))[0] == 200
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


async def test_beyond_loopback_the_api_speaks_tls_and_stands_alone(place: Any) -> None:
    put_files(place)
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write('host = "0.0.0.0"\ncertificate = "server.pem"\nkey = "server.key"\n')
    made = ApiTokens(place.database).add("a", Scope.READ, None, NOW)
    async with serve(place) as serving:
        port = serving.status_url.rstrip("/").rpartition(":")[2]
        url = f"https://localhost:{port}"
        assert (await call(place, made, "GET", f"{url}/api/v1/health"))[0] == 200
        for path in ("", "phones.json", "metrics", "readyz"):
            assert (await call(place, made, "GET", f"{url}/{path}"))[0] == 403
        plain = await place.curl(f"http://localhost:{port}/api/v1/health")
        assert "This port speaks HTTPS" in plain.out
        old = await place.curl("--tls-max", "1.1", f"{url}/api/v1/health", old=True)
        assert old.code == 35
        assert await serving.end() == 0


async def test_schemathesis_finds_nothing(place: Any, tmp_path: Path) -> None:
    """What the OpenAPI document says is what the running server does."""
    put_files(place)
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write("[api]\nrequests_each_minute = 1000000\n")
    token = ApiTokens(place.database).add("a", Scope.ADMIN, None, NOW)
    async with serve(place) as serving:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")), "run",
            f"{serving.status_url}api/v1/openapi.json",
            "--url", f"{serving.status_url}api/v1",
            "--header", f"Authorization: Bearer {token}",
            # What a schema cannot say (a MAC, a present ETag, a known setting) is refused.
            "--exclude-checks", "positive_data_acceptance",
            # The phase whose cases are the same each time; by hand also fuzzing.
            "--phases", "coverage", "--continue-on-failure", "--seed", "4711",
            "--no-color",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path, env=clean_environment(),
        )  # fmt: skip
        async with asyncio.timeout(300):
            out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()[-6000:]
        assert await serving.end() == 0
