"""Layers, authorities, decisions, changes and health by the API."""

from datetime import timedelta

import pytest

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import to_pem
from linekey.console.api.problems import PROBLEMS
from linekey.mac import Mac
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.tokens import Scope

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
        ] == 3


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


async def test_health_says_whether_phones_can_be_served(world) -> None:
    async with world.client(Scope.READ) as http:
        assert (await http.get("health")).json()["status"] == "ready"


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
            for status in {str(kind.status) for kind in PROBLEMS.values()} - {
                "405",
                "415",
            }:
                content = call["responses"][status]["content"]
                assert "application/problem+json" in content
