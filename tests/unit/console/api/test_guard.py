"""Without a good token everything is 401; a scope is enough or 403; rates are bounded."""

import asyncio
from datetime import timedelta
from itertools import product

import pytest
import sqlalchemy as sa
from tests.unit.console.api.conftest import shared_app

from linekey.console.api.guard import MAX_KNOWN, Rates, is_for_groups, wanted
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.group import Group
from linekey.settings import ApiSettings
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.schema import api_tokens
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
        with world.database.write() as connection:
            # PostgreSQL has a lock only on what was written.
            connection.execute(sa.update(api_tokens).values(used_at=None))
            async with asyncio.timeout(8):
                assert (await http.get("devices")).status_code == 200
            assert tokens.all()[0].used_at is None
            pending = [task for task in asyncio.all_tasks() if _is_note(task)]
        await asyncio.gather(*pending)
    assert tokens.all()[0].used_at == world.now


def _is_note(task: "asyncio.Task[object]") -> bool:
    return "Desk.note" in getattr(task.get_coro(), "__qualname__", "")


THERE, OF_CORP, NOWHERE = "000413AABBCC", "000413AABBCD", "000413AABBCE"
NAMES = {"mac": THERE, "name": "acme", "scope": "group:acme", "fingerprint": "ab" * 32,
         "number": "1"}  # fmt: skip


def calls(**names: str) -> list[tuple[str, str]]:
    """Every method and path of the OpenAPI document, with names put in."""
    document = shared_app().openapi()
    return [
        (method.upper(), path.format(**NAMES | names)[1:])
        for path, methods in document["paths"].items()
        for method in methods
    ]


ONE = pytest.mark.parametrize("world", ["sqlite"], indirect=True)
"""For what is decided before a database is asked for more than the token."""


@ONE
async def test_no_path_opens_without_a_good_token(world) -> None:
    world.settings = ApiSettings(refused_each_minute=1_000_000)
    tokens = ApiTokens(world.database)
    ends = tokens.add("ends", Scope.ADMIN, world.now + timedelta(hours=1), world.now)
    gone = tokens.add("gone", Scope.ADMIN, None, world.now)
    tokens.revoke("gone", world.now)
    world.now += timedelta(hours=1)
    async with world.client(None) as http:
        for method, path in calls():
            for given, code in (
                (None, "missing"), ("linekey_" + "a" * 32, "wrong"),
                (ends, "expired"), (gone, "revoked"),
            ):  # fmt: skip
                told = {"Authorization": f"Bearer {given}"} if given else {}
                answer = await http.request(method, path, headers=told, json={})
                assert answer.status_code == 401, (method, path, code)
                assert answer.json()["code"] == f"token.{code}", (method, path)


@ONE
@pytest.mark.parametrize("groups", [None, ["acme"]])
async def test_no_path_opens_to_less_than_its_scope_or_to_groups_unless_listed(
    world, groups: list[str] | None
) -> None:
    world.settings = ApiSettings(requests_each_minute=1_000_000)
    Groups(world.database).add(Group("acme"), world.now)
    for scope in (Scope.READ, Scope.HELPDESK):
        token = ApiTokens(world.database).add(
            scope.value, scope, None, world.now, groups
        )
        async with world.client(token=token) as http:
            for method, path in calls():
                need = wanted(method, f"/{path}")
                closed = groups is not None and not is_for_groups(method, f"/{path}")
                if scope.covers(need) and not closed:
                    continue
                answer = await http.request(method, path, json={})
                assert answer.status_code == 403, (method, path, scope)
                code = "token.groups" if scope.covers(need) else "token.scope"
                assert answer.json()["code"] == code, (method, path, scope)


BODIES = {
    "replace": {"mac": NOWHERE}, "digest": {"username": "a", "password": "b" * 20},
    "approve": {}, "refuse": {}, "revoke": {},
}  # fmt: skip


@ONE
async def test_on_every_path_what_is_anothers_is_as_if_it_were_not_there(world) -> None:
    """Status, words and all, also with an If-Match that would fit, and with a wrong
    body."""
    world.settings = ApiSettings(requests_each_minute=1_000_000)
    groups, devices = Groups(world.database), Devices(world.database)
    for name in ("acme", "corp"):
        groups.add(Group(name, note=name), world.now)
    for mac, name in ((THERE, "acme"), (OF_CORP, "corp")):
        devices.add(Device(Mac(mac), "snom", "D785", group=name), world.now)
    made = devices.get(Mac(OF_CORP))
    token = ApiTokens(world.database).add("a", Scope.ADMIN, None, world.now, ["acme"])
    anothers = calls(mac=OF_CORP, name="corp", scope="group:corp")
    nobodys = calls(mac=NOWHERE, name="none", scope="group:none")
    headers = ({}, {"If-Match": "*"}, {"If-None-Match": "*"})
    async with world.client(token=token) as http:
        for (method, path), (_, nowhere) in zip(anothers, nobodys, strict=True):
            if path == nowhere:
                continue
            body = BODIES.get(path.rpartition("/")[2], {})
            for more, sent in product(headers, (body, {"no": "member"}, [])):
                one, other = [
                    await http.request(method, each, json=sent, headers=more)
                    for each in (path, nowhere)
                ]
                words = other.text.replace(NOWHERE, OF_CORP).replace("none", "corp")
                assert one.status_code == other.status_code >= 400, (method, path)
                assert one.status_code in (403, 404, 422), (method, path, one.text)
                assert one.text.replace("none", "corp") == words, (method, path)
    assert devices.get(Mac(OF_CORP)) == made


def test_every_route_has_its_scope() -> None:
    """Walks the route table: what is new is admin's until it is said otherwise here."""
    app = shared_app()
    found: dict[str, set[str]] = {scope.value: set() for scope in Scope}
    for template, calls in app.openapi()["paths"].items():
        path = template.replace("{mac}", "000413AABBCC")
        for method in map(str.upper, calls):
            found[wanted(method, path)].add(f"{method} {template}")
    assert found["helpdesk"] == {
        *(f"POST /devices/{{mac}}/{verb}" for verb in ("revoke", "restore", "token")),
        *(f"POST /pending/{{mac}}/{verb}" for verb in ("approve", "refuse")),
        "POST /pending/bulk", "DELETE /pending/{mac}",
    }  # fmt: skip
    asks = {"POST /forecast"}  # which changes nothing
    assert {call.split()[0] for call in found["read"] - asks} == {"GET"}
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
