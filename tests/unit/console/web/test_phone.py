"""A phone's own page: all of it, its actions by role, and its secrets after proof."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.console.web.conftest import World, text_of, word_in

from linekey.console.web.calls import Api
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.group import Group
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.layers import Layers, Scope

MAC = Mac("000413AABBCC")
EVIL = "<img src=x onerror=alert(1)>"
SECRET = "hidden-4711"


async def fill(world: World) -> None:
    layer = Layer((Setting("user_name", "201", 1), Setting("user_pass", SECRET, 1)))
    Devices(world.database).add(
        Device(MAC, "snom", "D785", label=EVIL, layer=layer), world.now
    )
    fleet = Layer((Setting("language", "Deutsch"),))
    Layers(world.database).change(Scope.fleet(), lambda _: fleet, now=world.now)
    async with DecisionLog(world.database) as log:
        await log.record(
            LogEntry(
                at=world.now, kind="decision", outcome="refused", reason="revoked",
                mac=MAC, target_mac=MAC, peer="192.0.2.9", user_agent=EVIL,
                resource=f"/{EVIL}", status=403,
            )
        )  # fmt: skip
    for name, role in (("anna", "admin"), ("ben", "helpdesk"), ("clara", "viewer")):
        world.user(name, role)


async def test_the_page_shows_all_of_a_phone(world: World) -> None:
    await fill(world)
    async with world.console("clara") as browser:
        page = await browser.get(f"phones/{MAC.digits}")
        text = text_of(page)
    assert page.status_code == 200
    for part in ("192.0.2.9", "language", "fleet", "user_name[1]", "this phone", EVIL):
        assert part in text
    assert "Does it accept this server?" in text
    assert EVIL not in page.text
    assert SECRET not in page.text
    for action in ("Revoke", "Save", "Show secrets", "Delete"):
        assert f">{action}</button>" not in page.text


@pytest.mark.parametrize(
    ("user", "may"),
    [("clara", set()), ("ben", {"revoke", "restore", "token"}), ("anna", None)],
)
async def test_actions_are_by_role(
    world: World, user: str, may: set[str] | None
) -> None:
    await fill(world)
    here = f"phones/{MAC.digits}"
    async with world.console(user) as browser:
        for action, form in (
            ("revoke", {"reason": "lost"}), ("restore", {}), ("token", {}),
            ("replace", {"new_mac": "000413AABBCD"}), ("delete", {"sure": "1"}),
        ):  # fmt: skip
            answer = await browser.post(f"{here}/do/{action}", form, "")
            refused = may is not None and action not in may
            assert (answer.status_code == 403) is refused, action
        if user == "anna":
            assert Devices(world.database).find(MAC) is None
        for path in (f"{here}/setting", here, f"{here}/secrets"):
            answer = await browser.post(path, {"setting": "language"}, "")
            assert (answer.status_code == 403) is (user != "anna")


async def test_a_change_does_not_undo_anothers(world: World) -> None:
    await fill(world)
    here = f"phones/{MAC.digits}"
    async with world.console("anna") as browser:
        page = (await browser.get(here)).text
        tag = page.partition('name="tag" value="')[2].partition('" ')[0]
        tag = tag.partition('">')[0].replace("&#34;", '"')
        form = {"form_word": word_in(page), "tag": tag, "vendor": "snom"}
        saved = await browser.http.post(f"/console/{here}", data=form | {"label": "A"})
        assert saved.headers["location"].endswith("done=saved")
        late = await browser.http.post(f"/console/{here}", data=form | {"label": "B"})
        assert late.status_code == 412
        assert "changed meanwhile" in text_of(late)
    assert Devices(world.database).get(MAC).label == "A"


async def test_settings_are_checked(world: World) -> None:
    await fill(world)
    here = f"phones/{MAC.digits}"
    async with world.console("anna") as browser:
        odd = {"setting": "lanugage", "value": "x"}
        refused = await browser.post(f"{here}/setting", odd, here)
        assert refused.status_code == 422
        assert "language" in text_of(refused)
        taken = await browser.post(
            f"{here}/setting", odd | {"allow_unknown": "1"}, here
        )
        assert taken.status_code == 303
        gone = await browser.post(f"{here}/setting", {"unset": "lanugage"}, here)
        assert gone.status_code == 303


async def test_secrets_are_shown_after_proof_and_it_is_on_record(world: World) -> None:
    await fill(world)
    here = f"phones/{MAC.digits}"
    async with world.console("anna") as browser:
        shown = await browser.post(f"{here}/secrets", {}, here)
        assert SECRET in text_of(shown)
        world.now += timedelta(minutes=11)
        late = await browser.post(f"{here}/secrets", {}, here)
        assert late.headers["location"].startswith("/console/proof?next=")
    with world.database.read() as connection:
        lines = read_changes(connection, ChangeSearch(who="anna"))
    shown_lines = [line for line in lines if "secrets" in repr(line.details)]
    assert [line.subject for line in shown_lines] == ["device 000413AABBCC"]
    assert SECRET not in repr(lines)


async def test_no_secret_is_shown_of_a_phone_that_left_the_users_group_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(world)
    for name in ("acme", "corp"):
        Groups(world.database).add(Group(name), world.now)

    def move(group: str) -> None:
        Devices(world.database).change(
            MAC, lambda d: replace(d, group=group), world.now
        )

    world.user("mallory", "admin", ["acme"])
    move("acme")
    get = Api.get

    async def then_it_moves(api: Api, path: str, **query: Any) -> Any:
        found = await get(api, path, **query)
        move("corp")
        return found

    async with world.console("mallory") as browser:
        here = f"phones/{MAC.digits}"
        word = {"form_word": word_in((await browser.get(here)).text)}
        assert (
            SECRET
            in (await browser.http.post(f"/console/{here}/secrets", data=word)).text
        )
        monkeypatch.setattr(Api, "get", then_it_moves)
        said = await browser.http.post(f"/console/{here}/secrets", data=word)
    assert said.status_code in (404, 422)
    assert SECRET not in said.text
    with world.database.read() as connection:
        lines = read_changes(connection, ChangeSearch(who="mallory"))
    looks = [line for line in lines if "secrets" in repr(line.details)]
    assert len(looks) == 1, "nothing of corp's was looked at"


async def test_who_is_not_there_is_404(world: World) -> None:
    await fill(world)
    async with world.console("anna") as browser:
        assert (await browser.get("phones/000413000000")).status_code == 404
        assert (await browser.get("phones/nonsense")).status_code == 422
        page = await browser.get(f"phones/{MAC.digits}/file")
        assert SECRET not in page.text
        assert "&lt;setting&gt;" in page.text or "&lt;settings" in page.text
