"""Pending phones in the browser: found by code, approved by MAC, many after a preview."""

from typing import Any

import pytest
from tests.pending import EVIL, A, B, C, D, came, note
from tests.unit.console.web.conftest import World, text_of

from linekey.provisioning.group import Group
from linekey.provisioning.pending import AdoptionRule, parse_range, pending_code
from linekey.store.adoption import AdoptionRules
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.pending import Pending

LEAF = "ab" * 32
MANY = {"which": "found", "action": "approve", "label": "Hall", "to_group": "acme"}


@pytest.fixture
async def filled(world: World) -> World:
    Groups(world.database).add(Group("acme"), world.now)
    rule = AdoptionRule("b", (parse_range(str(B)),), group="acme")
    AdoptionRules(world.database).put(rule.name, lambda _: rule, world.now)
    await note(
        world.database, came(A, certificate_model="D785"), came(B, group="acme"),
        came(C, user_agent=EVIL, peer="192.0.2.99"),
    )  # fmt: skip
    for name, role, groups in (
        ("anna", "admin", None), ("ben", "helpdesk", None), ("clara", "viewer", None),
        ("acme", "helpdesk", ["acme"]),
    ):  # fmt: skip
        world.user(name, role, groups)
    return world


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3), ("q=aa:bb:01", 1), (f"q={pending_code(B, LEAF)}", 1), ("group=acme", 1),
        ("peer=192.0.2.9*", 1), ("generation=sha1", 0), ("state=refused", 0),
        ("model=D785&vendor=snom", 2),
    ],
)  # fmt: skip
async def test_the_list_is_searched(filled: World, query: str, found: int) -> None:
    async with filled.console("clara") as browser:
        page = await browser.get(f"pending?{query}")
        assert f" {found} phone" in text_of(page)
        assert "<script>alert" not in page.text
        assert 'name="action"' not in page.text
        assert (await browser.get("pending?state=open&cursor=x")).status_code == 400


async def test_the_help_desk_approves_one_by_its_mac(filled: World) -> None:
    async with filled.console("ben") as browser:
        shown = text_of(await browser.get(f"pending/{A}"))
        assert pending_code(A, LEAF) in shown
        assert "D785 by its certificate" in shown
        form = {"label": "Hall 2", "to_group": "acme"}
        done = await browser.post(f"pending/{A}/do/approve", form, f"pending/{A}")
        assert done.headers["location"] == f"/console/phones/{A}?done=approved"
        device = Devices(filled.database).get(A)
        assert (device.label, device.group, device.model) == ("Hall 2", "acme", "D785")
        page = await browser.http.get(done.headers["location"])
        assert "Approved: the phone is registered now." in text_of(page)
        assert (await browser.get(f"pending/{A}")).status_code == 404
    async with filled.console("clara") as browser:
        told = text_of(await browser.get(f"changes?mac={A}"))
        assert "ben console 192.0.2.7 added" in told


async def test_one_is_refused_and_forgotten(filled: World) -> None:
    async with filled.console("ben") as browser:
        one = f"pending/{C}"
        await browser.post(f"{one}/do/refuse", {"reason": "<b>not ours"}, one)
        shown = await browser.get(f"{one}?done=refused")
        assert "Refused because <b>not ours" in text_of(shown)
        assert 'do/refuse"' not in shown.text
        assert "1 phone" in text_of(await browser.get("pending?state=refused"))
        done = await browser.post(f"{one}/do/forget", {}, one)
        assert "Forgotten." in text_of(await browser.http.get(done.headers["location"]))
        odd = await browser.post(f"pending/{A}/do/nothing", {}, f"pending/{A}")
        assert odd.status_code == 404
    assert {phone.mac for phone in Pending(filled.database).all()} == {A, B}


async def test_many_are_decided_on_after_a_preview(filled: World) -> None:
    async with filled.console("anna") as browser:
        shown = text_of(await browser.post("pending/bulk", MANY, "pending"))
        assert "3 phones are meant." in shown
        assert f"{A} {pending_code(A, LEAF)} Hall snom D785 acme" in shown
        assert Devices(filled.database).count() == 0
        sure = MANY | {"sure": "1", "expected": "2"}
        late = await browser.post("pending/bulk", sure, "pending")
        assert late.status_code == 422
        sure["expected"] = "3"
        done = await browser.post("pending/bulk", sure, "pending")
        assert done.headers["location"] == "/console/pending?done=approved"
    assert Devices(filled.database).count() == 3


@pytest.mark.parametrize(
    ("form", "matched"),
    [
        ({"which": "found", "found_model": "D785", "action": "refuse"}, 2),
        ({"which": "found", "peer": "192.0.2.99", "action": "forget"}, 1),
        ({"mac": [str(A), str(B)], "action": "refuse", "reason": "no"}, 2),
    ],
    ids=str,
)  # fmt: skip
async def test_which_are_meant(
    filled: World, form: dict[str, Any], matched: int
) -> None:
    async with filled.console("ben") as browser:
        shown = await browser.post("pending/bulk", form, "pending")
        assert f"{matched} phone" in text_of(shown)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 422), ({"action": "approve"}, 422), ({"mac": "x", "action": "forget"}, 422),
        ({"mac": str(D), "action": "approve"}, 422),
        (MANY | {"to_group": "no group"}, 422), (MANY | {"model": "D999"}, 422),
        (MANY | {"sure": "1", "expected": "ä"}, 400),
        (MANY | {"sure": "1", "expected": "9" * 10}, 400),
    ],
    ids=str,
)  # fmt: skip
async def test_what_cannot_be_meant(
    filled: World, form: dict[str, Any], status: int
) -> None:
    async with filled.console("anna") as browser:
        assert (
            await browser.post("pending/bulk", form, "pending")
        ).status_code == status
    assert Pending(filled.database).count() == 3


async def test_who_is_limited_sees_and_approves_what_is_meant_for_it(
    filled: World,
) -> None:
    async with filled.console("acme") as browser:
        page = await browser.get("pending")
        assert "1 phone" in text_of(page)
        assert "to_group" not in page.text
        assert "Expected phones" not in page.text
        assert (await browser.get("pending/rules")).status_code == 403
        assert (await browser.get(f"pending/{A}")).status_code == 404
        await browser.post(f"pending/{B}/do/approve", {}, f"pending/{B}")
    assert Devices(filled.database).get(B).group == "acme"


async def test_who_looks_only_decides_nothing(filled: World) -> None:
    async with filled.console("clara") as browser:
        for action in ("approve", "refuse", "forget"):
            said = await browser.post(f"pending/{A}/do/{action}", {}, f"pending/{A}")
            assert said.status_code == 403
        said = await browser.post("pending/bulk", MANY, "pending")
        assert said.status_code == 403
        said = await browser.post("pending/rules", {"macs": str(D), "name": "x"})
        assert said.status_code == 403
    assert Pending(filled.database).count() == 3


async def test_rules_of_expected_phones(filled: World) -> None:
    rules = AdoptionRules(filled.database)
    form = {"name": "van-1", "macs": f"{D}, 000413AA0000-000413AA00FF", "group": "acme"}
    async with filled.console("anna") as browser:
        done = await browser.post("pending/rules", form)
        assert done.headers["location"] == "/console/pending/rules?done=added"
        rule = rules.get("van-1")
        assert (rule.count, rule.group, rule.adopts) == (257, "acme", True)
        assert "van-1" in text_of(await browser.get("pending/rules"))
        for bad in (
            form, form | {"name": "van-2"}, form | {"name": "a/../b"},
            form | {"name": "van-2", "macs": ""}, form | {"name": "x", "macs": "nope"},
        ):  # fmt: skip
            assert (await browser.post("pending/rules", bad)).status_code in (404, 422)
        await browser.post("pending/rules/van-1/remove", {}, "pending/rules")
    assert [rule.name for rule in rules.all()] == ["b"]


async def test_the_first_page_says_how_many_wait(filled: World) -> None:
    async with filled.console("clara") as browser:
        assert "3 phones wait for a decision" in text_of(await browser.get(""))
