"""Phones in the browser: found, added, and many changed only after a preview."""

import pytest
from tests.unit.console.web.conftest import World, text_of

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.group import Group
from linekey.store.devices import Devices
from linekey.store.groups import Groups

EVIL = "<script>alert(1)</script>"


def fill(world: World) -> None:
    Groups(world.database).add(Group("acme"), world.now)
    devices = Devices(world.database)
    for number in range(3):
        layer = Layer((Setting("user_name", f"20{number}", idx=1),))
        devices.add(
            Device(
                Mac(f"000413AABB0{number}"), "snom", "D785", label=f"Room {number}",
                group="acme" if number == 2 else None, layer=layer,
            ),
            world.now,
        )  # fmt: skip
    world.user("anna", "admin")
    world.user("ben", "helpdesk")
    world.user("acme", "admin", ["acme"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3), ("q=room 1", 1), ("q=AABB01", 1), ("q=00:04:13:aa:bb:01", 1),
        ("q=201", 1), ("q=20", 3), ("q=%25", 0), ("group=acme", 1), ("state=revoked", 0),
        ("seen=ever", 0), ("seen=never", 3), ("refused=1", 0), ("model=D7*", 3),
        ("firmware=10*", 0), ("ends_before=2026-12-31", 0), ("sort=-label", 3),
        ("q=192.0.2.7", 0),
    ],
)  # fmt: skip
async def test_phones_are_found(world: World, query: str, found: int) -> None:
    fill(world)
    async with world.console("anna") as browser:
        page = await browser.get(f"phones?{query}")
        assert page.status_code == 200
        phones = "1 phone" if found == 1 else f"{found} phones"
        assert phones in text_of(page)
        assert page.text.count('name="mac" value="0004') == found


async def test_a_filter_that_is_none_is_told(world: World) -> None:
    fill(world)
    async with world.console("anna") as browser:
        for query in ("sort=nothing", "seen=maybe", "cursor=x", "ends_before=soon"):
            page = await browser.get(f"phones?{query}")
            assert page.status_code in (400, 422)
            assert 'role="alert"' in page.text


async def test_a_phone_is_added_once(world: World) -> None:
    fill(world)
    form = {
        "mac": "00:04:13:aa:bb:cc", "label": EVIL, "model": "D785", "user_name": "7",
        "user_pass": "secret-pass",
    }  # fmt: skip
    async with world.console("anna") as browser:
        added = await browser.post("phones/new", form)
        assert added.headers["location"] == "/console/phones/000413AABBCC?done=added"
        page = await browser.http.get(added.headers["location"])
        assert "Added." in text_of(page)
        assert EVIL not in page.text
        assert "secret-pass" not in page.text
        again = await browser.post("phones/new", form)
        assert again.status_code == 412
        bad = await browser.post("phones/new", {"mac": "nonsense"})
        assert bad.status_code == 400


async def test_many_change_only_after_a_preview(world: World) -> None:
    fill(world)
    form = {
        "which": "ticked", "mac": ["000413AABB00", "000413AABB01"], "action": "set",
        "setting": "language", "value": "Deutsch",
    }  # fmt: skip
    async with world.console("anna") as browser:
        shown = await browser.post("phones/bulk", form, "phones")
        assert "2 phones are meant, 2 of them change." in text_of(shown)
        assert "setting language : Deutsch" in text_of(shown)
        devices = Devices(world.database)
        assert devices.get(Mac("000413AABB00")).layer.settings[-1].name == "user_name"
        sure = form | {"sure": "1", "expected": "2"}
        done = await browser.post("phones/bulk", sure, "phones")
        assert "2 of 2 phones were changed." in text_of(done)
        for digits in ("000413AABB00", "000413AABB01"):
            assert devices.get(Mac(digits)).layer.settings[-1].value == "Deutsch"
        wrong = await browser.post("phones/bulk", sure | {"expected": "3"}, "phones")
        assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("form", "matched"),
    [
        ({"which": "found", "action": "revoke", "value": "lost"}, 3),
        ({"which": "found", "q": "room 1", "action": "restore"}, 1),
        ({"which": "found", "group": "acme", "action": "group", "to_group": ""}, 1),
        ({"which": "found", "seen": "never", "action": "firmware", "value": "10.1.9"}, 3),
        ({"list": "000413AABB00, 00:04:13:AA:BB:01", "action": "unset",
          "value": "user_name[1]"}, 2),
    ],
)  # fmt: skip
async def test_what_is_meant(world: World, form: dict[str, str], matched: int) -> None:
    fill(world)
    async with world.console("anna") as browser:
        shown = await browser.post("phones/bulk", form, "phones")
        assert shown.status_code == 200, text_of(shown)
        assert f"{matched} phone" in text_of(shown)


@pytest.mark.parametrize(
    "form",
    [
        {}, {"action": "revoke"}, {"mac": "000413AABB00"},
        {"mac": "000413AABB00", "action": "set", "setting": "lanugage", "value": "x"},
        {"mac": "000413AABB00", "action": "set", "setting": "x[y]", "value": "x"},
        {"mac": "nonsense", "action": "restore"},
    ],
    ids=str,
)  # fmt: skip
async def test_what_cannot_be_meant(world: World, form: dict[str, str]) -> None:
    fill(world)
    async with world.console("anna") as browser:
        assert (await browser.post("phones/bulk", form, "phones")).status_code == 422


async def test_the_help_desk_changes_not_many(world: World) -> None:
    fill(world)
    form = {"which": "found", "action": "revoke"}
    async with world.console("ben") as browser:
        assert "Change many phones" not in (await browser.get("phones")).text
        assert (await browser.post("phones/bulk", form, "phones")).status_code == 403
        assert (await browser.get("phones/new")).status_code == 403


async def test_who_is_limited_sees_nothing_else(world: World) -> None:
    fill(world)
    async with world.console("acme") as browser:
        page = await browser.get("phones")
        assert "1 phone" in text_of(page)
        assert (await browser.get("phones/000413AABB00")).status_code == 404
        assert (await browser.get("phones/000413AABB02")).status_code == 200
        form = {"which": "found", "action": "revoke"}
        shown = await browser.post("phones/bulk", form, "phones")
        assert "1 phone is meant" in text_of(shown)
        for path in ("users", "phones/new"):
            assert (await browser.get(path)).status_code == 403
        for path in ("", "decisions", "changes", "layers", "authorities", "forecast"):
            assert (await browser.get(path)).status_code == 200
