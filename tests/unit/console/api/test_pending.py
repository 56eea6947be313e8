"""Pending phones by the API: listed, decided on, and by whom."""

from typing import Any

import pytest
from tests.pending import EVIL, A, B, C, came, note
from tests.unit.console.api.conftest import NOW, World

from linekey.provisioning.group import Group
from linekey.provisioning.pending import AdoptionRule, parse_range
from linekey.store.adoption import AdoptionRules
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.pending import Pending
from linekey.store.tokens import ApiTokens, Scope

RULE = {"macs": [f"{A}-{B}"], "label": "new", "model": "D785", "group": "acme"}


@pytest.fixture
async def filled(world: World) -> World:
    Groups(world.database).add(Group("acme"), NOW)
    lines = [came(A), came(B, user_agent=EVIL), came(C, vendor="yealink")]
    await note(world.database, *lines)
    return world


async def all_of(http: Any, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    url: str | None = path
    while url is not None:
        answer = await http.get(url)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        url = answer.json()["next"]
    return found


async def test_the_list_has_a_total_pages_and_filters(filled: World) -> None:
    async with filled.client(Scope.READ) as http:
        page = (await http.get("pending?limit=2")).json()
        assert (page["total"], len(page["items"])) == (3, 2)
        found = await all_of(http, "pending?limit=1")
        assert {one["mac"] for one in found} == {str(A), str(B), str(C)}
        assert [x["mac"] for x in await all_of(http, "pending?vendor=yealink")] == [
            str(C)
        ]
        assert [x["mac"] for x in await all_of(http, "pending?q=script")] == [str(B)]
        one = (await http.get(f"pending/{A}")).json()
        found = await all_of(http, f"pending?code={one['code']}")
        assert str(A) in [x["mac"] for x in found]
        for bad in ("limit=0", "colour=red", "cursor=x", "state=maybe", "q=%1b"):
            assert (await http.get(f"pending?{bad}")).status_code == 400, bad
        assert (await http.get("pending/000413FFFFFF")).status_code == 404


async def test_the_help_desk_approves_and_refuses_and_it_is_on_record(
    filled: World,
) -> None:
    async with filled.client(Scope.HELPDESK) as http:
        shown = await http.get(f"pending/{A}")
        stale = await http.post(
            f"pending/{A}/approve", headers={"If-Match": '"stale"'}, json={}
        )
        assert stale.status_code == 412
        made = await http.post(
            f"pending/{A}/approve", json={"label": "Hall 2", "group": "acme"},
            headers={"If-Match": shown.headers["etag"]},
        )  # fmt: skip
        assert made.status_code == 201, made.text
        assert (made.json()["label"], made.json()["model"]) == ("Hall 2", "D785")
        assert made.json()["version"] == Devices(filled.database).get(A).version
        assert (await http.post(f"pending/{A}/approve")).status_code == 404
        refused = await http.post(f"pending/{B}/refuse", json={"reason": "not ours"})
        assert (refused.json()["state"], refused.json()["refused_reason"]) == (
            "refused", "not ours",
        )  # fmt: skip
        assert (await http.delete(f"pending/{B}")).status_code == 204
        assert [x["mac"] for x in await all_of(http, "pending")] == [str(C)]
        lines = await all_of(http, f"changes?mac={A}")
        assert [(line["who"], line["action"]) for line in lines] == [
            ("helpdesk", "add")
        ]
        lines = await all_of(http, f"changes?subject=pending {B}")
        assert [line["action"] for line in lines] == ["remove", "change"]
        assert (await http.put("adoption-rules/van", json=RULE)).status_code == 403


async def test_who_may_only_read_decides_nothing(filled: World) -> None:
    async with filled.client(Scope.READ) as http:
        for method, path in (
            ("POST", f"pending/{A}/approve"), ("POST", f"pending/{A}/refuse"),
            ("POST", "pending/bulk"), ("DELETE", f"pending/{A}"),
            ("PUT", "adoption-rules/x"), ("DELETE", "adoption-rules/x"),
        ):  # fmt: skip
            assert (await http.request(method, path)).status_code == 403, path
    assert Pending(filled.database).count() == 3


async def test_many_are_decided_on_at_once_or_none(filled: World) -> None:
    everything: dict[str, Any] = {"select": {"all": True}, "action": "approve"}
    async with filled.client(Scope.HELPDESK) as http:

        async def bulk(status: int, **changes: Any) -> dict[str, Any]:
            answer = await http.post("pending/bulk", json=everything | changes)
            assert answer.status_code == status, answer.text
            found: dict[str, Any] = answer.json()
            return found

        await bulk(422, expected=2)
        await bulk(422, group="nobody")
        await bulk(422, select={})
        await bulk(422, select={"all": True, "q": "x"})
        await bulk(422, select={"macs": [str(A), "000413FFFFFF"]})
        await bulk(422, action="forget", label="x")
        await bulk(422, reason="x")
        await bulk(422, code="4711")
        tried = await bulk(200, dry_run=True, label="x")
        assert [one["device"]["label"] for one in tried["items"]] == ["x"] * 3
        assert Devices(filled.database).count() == 0
        done = await bulk(200, select={"macs": [str(A)]}, action="refuse", reason="no")
        assert done == {
            "matched": 1, "dry_run": False,
            "items": [{"mac": str(A), "code": done["items"][0]["code"], "device": None}],
        }  # fmt: skip
        done = await bulk(200, expected=2, group="acme")
        assert {one["mac"] for one in done["items"]} == {str(B), str(C)}
        versions = {Devices(filled.database).get(mac).version for mac in (B, C)}
        assert {one["device"]["version"] for one in done["items"]} == versions
        await bulk(200, select={"macs": [str(A)]}, action="forget")
    assert Pending(filled.database).count() == 0


async def test_rules_are_kept_whole_by_who_may_change_everything(
    filled: World,
) -> None:
    async with filled.client() as http:
        made = await http.put("adoption-rules/van", json=RULE)
        assert (made.status_code, made.json()["count"]) == (201, 2)
        again = await http.put("adoption-rules/van", json=made.json())
        assert (again.status_code, again.json()) == (200, made.json())
        shown = await http.get(f"pending/{A}")
        assert shown.json()["group"] == "acme"
        for bad in ({"macs": []}, {"macs": ["x"]}, {"macs": [f"{B}-{A}"]},
                    RULE | {"group": "nobody"}, RULE | {"model": "D999"},
                    RULE | {"serials": []}):  # fmt: skip
            answer = await http.put("adoption-rules/other", json=bad)
            assert answer.status_code == 422, answer.text
        assert (await http.put("adoption-rules/two", json=RULE)).status_code == 422
        stale = await http.delete("adoption-rules/van", headers={"If-Match": '"x"'})
        assert stale.status_code == 412
        assert [r["name"] for r in await all_of(http, "adoption-rules")] == ["van"]
        assert (await http.delete("adoption-rules/van")).status_code == 204
        assert (await http.get("adoption-rules/van")).status_code == 404


async def test_a_token_of_a_group_sees_what_a_rule_means_for_it(
    filled: World,
) -> None:
    token = ApiTokens(filled.database).add("t", Scope.HELPDESK, None, NOW, ["acme"])
    async with filled.client(token=token) as http:
        assert await all_of(http, "pending") == []
        assert (await http.post(f"pending/{A}/approve")).status_code == 404
        rule = AdoptionRule("van", (parse_range(str(A)),), group="acme", adopts=False)
        AdoptionRules(filled.database).put("van", lambda _: rule, NOW)
        assert [x["mac"] for x in await all_of(http, "pending")] == [str(A)]
        assert (await http.get(f"pending/{B}")).status_code == 404
        assert (await http.get("adoption-rules")).status_code == 403
        elsewhere = await http.post(f"pending/{A}/approve", json={"group": ""})
        assert elsewhere.status_code == 422
        made = await http.post(f"pending/{A}/approve", json={"label": "mine"})
        assert (made.status_code, made.json()["group"]) == (201, "acme")
        assert made.json()["version"] is None
    assert Devices(filled.database).get(A).label == "mine"
