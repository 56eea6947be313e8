"""Layers, authorities, decisions, changes and health by the API."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import to_pem
from linekey.console.api.problems import PROBLEMS
from linekey.console.api.records import MAX_FOLLOWERS
from linekey.errors import Cause, InputError, StorageError
from linekey.mac import Mac
from linekey.provisioning.group import Group
from linekey.server.preflight.finding import found as failing
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.groups import Groups
from linekey.store.tokens import ApiTokens, Scope

CANARY = "canary-5e21"


async def test_a_layer_is_put_patched_and_held_by_its_etag(world) -> None:
    body = {
        "settings": [
            {"name": "language", "value": "Deutsch"},
            {"name": "http_pass", "value": CANARY},
        ]
    }
    async with world.client() as http:
        empty = await http.get("layers/fleet")
        assert (empty.json()["version"], empty.json()["settings"]) == (0, [])
        told = {"If-Match": empty.headers["etag"]}
        first = await http.put("layers/fleet", json=body, headers=told)
        assert first.status_code == 200, first.text
        assert CANARY not in first.text
        stale = await http.put("layers/fleet", json=body, headers=told)
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
        back = await http.put("layers/fleet", json=first.json())
        assert back.json() == first.json()
        patched = await http.patch("layers/fleet", json={"unset": ["http_pass"]})
        assert [s["name"] for s in patched.json()["settings"]] == ["language"]
        await http.put("layers/model:D785", json=body)
        listed = (await http.get("layers")).json()
        assert [layer["scope"] for layer in listed["items"]] == ["fleet", "model:D785"]
        changes = await http.get("changes?subject=layer fleet")
        assert changes.json()["total"] == 2
        assert CANARY not in changes.text


@pytest.mark.parametrize("scope", ["nothing", "model:D999", "device:000413AABBCC"])
async def test_a_layer_that_there_is_not_is_404(world, scope: str) -> None:
    async with world.client() as http:
        answer = await http.get(f"layers/{scope}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_authority_is_added_told_of_and_removed(world) -> None:
    ca = issue(
        Name.build([("CN", "Ours")]), new_key("rsa", 2048), None, serial=1,
        not_before=world.now, not_after=world.now + timedelta(days=9), ca=True,
    )  # fmt: skip
    async with world.client() as http:
        made = await http.post("vendor-cas", json={"pem": to_pem(ca), "rule": "cn-mac"})
        assert made.status_code == 201, made.text
        assert made.json()["items"][0]["rule_by"] == "operator"
        url = f"vendor-cas/{ca.sha256[:16]}"
        seen = (await http.get(url)).headers["etag"]
        told = {"If-Match": seen}
        assert (
            await http.patch(url, json={"rule": "st-mac"}, headers=told)
        ).status_code == 200
        for stale in (
            http.patch(url, json={}, headers=told),
            http.delete(url, headers=told),
        ):
            assert (await stale).json()["code"] == "stale"
        assert (await http.get(url)).json()["rule"] == "st-mac"
        assert (await http.get(url)).json()["subject"] == "CN=Ours"
        assert (await http.patch(url, json={})).json()["rule_by"] is None
        assert (await http.get("vendor-cas")).json()["total"] == 1
        assert (await http.delete(url)).status_code == 204
        assert (await http.get(url)).status_code == 404
        for bad in ({"pem": "x"}, {"pem": ""}, {"pem": to_pem(ca), "rule": "x"}, {}):
            answer = await http.post("vendor-cas", json=bad)
            assert answer.status_code == 422
            assert answer.json()["cure"]
        assert (await http.get("changes?subject=vendor-ca " + ca.sha256)).json()[
            "total"
        ] == 4


async def test_decisions_are_searched_to_their_end(world) -> None:
    async with DecisionLog(world.database) as log:
        for number in range(7):
            await log.record(
                LogEntry(
                    at=world.now + timedelta(minutes=number),
                    kind="decision",
                    outcome="refused" if number % 2 else "granted",
                    reason="revoked" if number % 2 else "own_file",
                    mac=Mac("000413AABBCC" if number < 5 else "000413AABBCD"),
                    peer="192.0.2.1",
                )
            )
    async with world.client(Scope.READ) as http:
        found, url = [], "decisions?limit=2&mac=00:04:13:aa:bb:cc"
        while url:
            page = (await http.get(url)).json()
            assert page["total"] == 5
            found += page["items"]
            url = page["next"]
        assert [one["at"] for one in found] == sorted(
            (one["at"] for one in found), reverse=True
        )
        assert len({one["id"] for one in found}) == 5
        since = (world.now + timedelta(minutes=2)).isoformat().replace("+", "%2B")
        page = (await http.get(f"decisions?since={since}&reason=revoked")).json()
        assert page["total"] == 2
        assert page["items"][0]["sentence"]
        assert page["items"][0]["cure"]
        for bad in (
            "cursor=x",
            "since=soon",
            "until=0.5",
            "outcome=lost",
            "mac=1",
            "reason=%00",
        ):
            answer = await http.get(f"decisions?{bad}")
            assert answer.status_code == 400, bad


def line(number: int, world, **more: object) -> LogEntry:
    return LogEntry(
        at=world.now + timedelta(seconds=number), kind="decision", outcome="granted",
        reason="own_file", peer=f"192.0.2.{number % 2}", resource=f"/{number}%.xml",
        **more,
    )  # fmt: skip


async def put(log: DecisionLog, entry: LogEntry) -> None:
    """Record it, again where a busy machine took too long: then it was not written."""
    while True:
        try:
            await log.record(entry)
        except StorageError as error:
            if error.cause is not Cause.SLOW:
                raise
        else:
            return


async def test_decisions_are_followed_each_once_and_in_their_order(world) -> None:
    async with DecisionLog(world.database) as log, world.client(Scope.READ) as http:
        await log.record(line(0, world))
        begun = (await http.get("decisions/follow?limit=7")).json()
        assert begun["items"] == []  # from now on, at once
        waiting = asyncio.create_task(http.get(begun["next"]))
        await log.record(line(1, world))
        first = (await waiting).json()
        found, url = first["items"], first["next"]

        async def write() -> None:
            await asyncio.gather(*(put(log, line(n, world)) for n in range(2, 60)))

        writing = asyncio.create_task(write())
        while len(found) < 59:
            if writing.done():
                writing.result()  # else it would wait for what nobody writes
            answer = (await http.get(url)).json()
            assert len(answer["items"]) <= 7, answer
            found, url = found + answer["items"], answer["next"]
        await writing
        ids = [one["id"] for one in found]
        assert ids == sorted(set(ids))
        assert sorted(int(one["resource"][1:-5]) for one in found) == [*range(1, 60)]
        none = (await http.get("decisions/follow?after=9999999&limit=3")).json()
        assert len(none["items"]) == 3  # a log that was emptied since begins again
        assert (await http.get(f"{url}&wait=0")).json()["items"] == []


async def test_a_follower_gets_what_it_searches_for_alone(world) -> None:
    async with DecisionLog(world.database) as log, world.client(Scope.READ) as http:
        for number in range(4):
            await log.record(line(number, world, status=200 + number))
        for query, wanted in (
            ("peer=192.0.2.1", [1, 3]),
            ("status=202", [2]),
            ("q=/3%25.X", [3]),
            ("q=_", []),
            ("kind=handshake", []),
            ("reason=own_file&peer=192.0.2.0", [0, 2]),
        ):
            followed = (
                await http.get(f"decisions/follow?after=0&wait=0&{query}")
            ).json()
            listed = (await http.get(f"decisions?{query}")).json()
            numbers = [one["status"] - 200 for one in followed["items"]]
            assert numbers == wanted, query
            assert listed["total"] == len(wanted)
            # What was looked through is not looked through again.
            assert "after=4" in followed["next"]


async def test_followers_are_bounded_and_told_of_trouble(world) -> None:
    async with world.client(Scope.READ) as http:
        place = (await http.get("decisions/follow?wait=60")).json()["next"]
        tasks = [
            asyncio.create_task(http.get(place, timeout=60))
            for _ in range(MAX_FOLLOWERS + 1)
        ]
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        (more,) = (task.result() for task in done)
        assert (more.status_code, more.json()["code"]) == (429, "rate")
        assert more.headers["retry-after"]
        world.database.check_file = _gone  # as if it went away while they wait
        for one in await asyncio.gather(*waiting):
            assert (one.status_code, one.json()["code"]) == (503, "storage.gone")
        del world.database.check_file
        assert (await http.get(f"{place}&wait=0")).status_code == 400  # given twice
        assert (await http.get("decisions/follow")).status_code == 200


def _gone() -> None:
    raise StorageError("it is gone", hint="put it back", cause=Cause.GONE)


async def test_health_says_whether_phones_can_be_served(world) -> None:
    async with world.client(Scope.READ) as http:
        found = (await http.get("health")).json()
        assert (found["status"], found["findings"]) == ("ready", [])


async def test_health_says_what_a_start_would_find(world) -> None:
    soon = failing("certificate.expires_soon", "it ends in 9 days", "renew it")

    def unreadable() -> None:
        raise InputError("server.pem cannot be read", hint="look whose it is")

    async with world.client(Scope.READ) as http:
        world.findings = lambda: [soon, replace(soon, ok=True)]
        (told,) = (await http.get("health")).json()["findings"]
        assert told == {
            "rule": "certificate.expires_soon", "severity": "warning",
            "message": "it ends in 9 days", "cure": "renew it",
        }  # fmt: skip
        world.findings = unreadable
        (told,) = (await http.get("health")).json()["findings"]
        assert (told["severity"], told["cure"]) == ("refused", "look whose it is")
        world.findings = _gone
        answer = await http.get("health")
        assert (answer.status_code, answer.json()["findings"]) == (200, None)
    Groups(world.database).add(Group("acme"), world.now)
    tokens = ApiTokens(world.database)
    limited = tokens.add("a", Scope.READ, None, world.now, groups=frozenset({"acme"}))
    world.findings = lambda: [soon]
    async with world.client(token=limited) as http:
        assert (await http.get("health")).json()["findings"] is None


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "nothing", 404, "not_found"),
        ("GET", "devices/", 404, "not_found"),
        ("DELETE", "devices", 405, "method"),
    ],
)
async def test_what_there_is_not_is_told_as_a_problem(
    world, method: str, path: str, status: int, code: str
) -> None:
    async with world.client() as http:
        answer = await http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_there_is_not_is_told_those_there_are(world) -> None:
    async with world.client() as http:
        answer = await http.options("devices/000413AABBCC")
    assert answer.headers["allow"] == "DELETE, GET, PATCH, PUT"


async def test_the_document_names_every_status_with_a_problem(world) -> None:
    async with world.client() as http:
        document = (await http.get("openapi.json")).json()
    for calls in document["paths"].values():
        for call in calls.values():
            for status in {str(row.status) for row in PROBLEMS.values()} - {
                "405",
                "415",
            }:
                content = call["responses"][status]["content"]
                assert "application/problem+json" in content


async def test_a_word_on_ended_certificates_by_the_api(world) -> None:
    ca = issue(
        Name.build([("CN", "Ours")]), new_key("rsa", 2048), None, serial=1,
        not_before=world.now, not_after=world.now + timedelta(days=9), ca=True,
    )  # fmt: skip
    async with world.client() as http:
        body = {"pem": to_pem(ca), "rule": "cn-mac", "expired": "named"}
        made = await http.post("vendor-cas", json=body)
        assert made.json()["items"][0]["expired"] == "named"
        url = f"vendor-cas/{ca.sha256[:16]}"
        seen = (await http.get(url)).headers["etag"]
        said = await http.patch(
            url, json={"expired": "accept"}, headers={"If-Match": seen}
        )
        # The rule stays where this alone is given.
        assert (said.json()["expired"], said.json()["rule"]) == ("accept", "cn-mac")
        late = await http.patch(
            url, json={"expired": "refuse"}, headers={"If-Match": seen}
        )
        assert late.status_code == 412
        assert (await http.patch(url, json={"expired": "x"})).status_code == 422
        device = {"vendor": "snom", "model": "D785", "expired": "registered"}
        put = await http.put("devices/000413AABBCC", json=device)
        assert put.json()["expired"] == "registered", put.text
        assert put.json()["registered_at"]
        back = await http.put("devices/000413AABBCC", json=put.json())
        assert back.status_code == 200, back.text
        changed = await http.patch("devices/000413AABBCC", json={"expired": None})
        assert changed.json()["expired"] is None
        groups = {"name": "acme", "policies": {"expired_certificates": "registered"}}
        grouped = await http.put("groups/acme", json=groups)
        assert grouped.json()["policies"] == groups["policies"], grouped.text
