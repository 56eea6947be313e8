"""Without a good token everything is 401; a scope is enough or 403; rates are bounded."""

import asyncio
from datetime import timedelta

import pytest

from linekey.console.api.app import api_app
from linekey.console.api.guard import MAX_KNOWN, Rates, wanted
from linekey.settings import ApiSettings
from linekey.store.tokens import ApiTokens, Scope

PATHS = ["openapi.json", "devices", "devices/000413AABBCC", "health", "nothing", ""]


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_token_everything_is_401(world, path: str) -> None:
    async with world.client(None) as http:
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            answer = await http.request(method, path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "token.missing"


@pytest.mark.parametrize(
    "given",
    ["Bearer", "Bearer x", "Basic eDp5", "Bearer linekey_" + "a" * 32, "bearer  ä"],
)
async def test_a_token_that_is_none_is_401(world, given: str) -> None:
    async with world.client(None) as http:
        answer = await http.get("devices", headers={"Authorization": given.encode()})
    assert (answer.status_code, answer.json()["code"]) == (401, "token.wrong")
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_expired_and_revoked_tokens_say_so(world) -> None:
    tokens = ApiTokens(world.database)
    ends = tokens.add("a", Scope.READ, world.now + timedelta(hours=1), world.now)
    gone = tokens.add("b", Scope.READ, None, world.now)
    tokens.revoke("b", world.now)
    world.now += timedelta(hours=1)
    for token, code in ((ends, "token.expired"), (gone, "token.revoked")):
        async with world.client(None, token) as http:
            answer = await http.get("devices")
        assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_a_revoked_token_opens_nothing_from_the_next_call_on(world) -> None:
    async with world.client(Scope.READ) as http:
        assert (await http.get("devices")).status_code == 200
        ApiTokens(world.database).revoke("read", world.now)
        assert (await http.get("devices")).status_code == 401


async def test_a_call_waits_for_nobodys_change_to_note_its_token(world) -> None:
    """As a change of all phones takes long, and a full disk takes no note at all."""
    tokens = ApiTokens(world.database)
    async with world.client(Scope.READ) as http:
        with world.database.write():
            async with asyncio.timeout(8):
                assert (await http.get("devices")).status_code == 200
            assert tokens.all()[0].used_at is None
            pending = [task for task in asyncio.all_tasks() if _is_note(task)]
        await asyncio.gather(*pending)
    assert tokens.all()[0].used_at == world.now


def _is_note(task: "asyncio.Task[object]") -> bool:
    return "Desk.note" in getattr(task.get_coro(), "__qualname__", "")


def test_every_route_has_its_scope() -> None:
    """Walks the route table: what is new is admin's until it is said otherwise here."""
    app = api_app(desk=None)  # type: ignore[arg-type]
    found: dict[str, set[str]] = {scope.value: set() for scope in Scope}
    for template, calls in app.openapi()["paths"].items():
        path = template.replace("{mac}", "000413AABBCC")
        for method in map(str.upper, calls):
            found[wanted(method, path)].add(f"{method} {template}")
    assert found["helpdesk"] == {
        f"POST /devices/{{mac}}/{verb}" for verb in ("revoke", "restore", "token")
    }
    assert {call.split()[0] for call in found["read"]} == {"GET"}
    assert len(found["admin"]) >= 9
    assert not [call for call in found["admin"] if call.startswith("GET")]


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [
        (Scope.READ, [404, 403, 403, 403]),
        (Scope.HELPDESK, [404, 404, 403, 403]),
        (Scope.ADMIN, [404, 404, 404, 422]),
    ],
)
async def test_a_scope_is_enough_or_403(world, scope: Scope, statuses) -> None:
    async with world.client(scope) as http:
        found = [
            await http.get("devices/000413AABBCC"),
            await http.post("devices/000413AABBCC/revoke"),
            await http.delete("devices/000413AABBCC"),
            await http.post("devices/bulk", json={}),
        ]
    assert [answer.status_code for answer in found] == statuses
    for answer in found:
        if answer.status_code == 403:
            assert answer.json()["code"] == "token.scope"
            assert "needs" in answer.json()["detail"]


async def test_the_schema_is_open_only_if_the_setting_says_so(world) -> None:
    world.settings = ApiSettings(public_schema=True)
    async with world.client(None) as http:
        schema = await http.get("openapi.json")
        assert schema.json()["openapi"].startswith("3.1")
        assert (await http.get("devices")).status_code == 401


async def test_bad_tokens_are_slowed_down_and_good_ones_are_not(world) -> None:
    world.settings = ApiSettings(requests_each_minute=30, refused_each_minute=5)
    good = world.token(Scope.READ)
    async with world.client(None) as http:
        statuses = [(await http.get("devices")).status_code for _ in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        told = {"Authorization": f"Bearer {good}"}
        answers = [await http.get("health", headers=told) for _ in range(32)]
    assert [a.status_code for a in answers].count(200) >= 30
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0


def test_a_rate_refills_with_time_and_remembers_few() -> None:
    now = [0.0]
    rates = Rates(60, lambda: now[0])
    assert [rates.take("a") for _ in range(61)] == [0] * 60 + [1]
    now[0] = 1.0
    assert [rates.take("a"), rates.take("a")] == [0, 1]
    for number in range(3 * MAX_KNOWN):
        rates.take(str(number))
    assert len(rates._left) == MAX_KNOWN


async def test_a_body_has_a_bound_with_and_without_its_length(world) -> None:
    async def pieces():
        for _ in range(10):
            yield b"[" * 1024 * 1024

    async with world.client() as http:
        for content in (b"[" * (9 * 1024 * 1024), pieces()):
            answer = await http.post(
                "devices/bulk",
                content=content,
                headers={"Content-Type": "application/json"},
            )
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
