"""The console lets nobody in without log-in, and believes no form but its own."""

import re
from datetime import timedelta

import pytest
from tests.sightings import line, visit
from tests.unit.console.web.conftest import PASSWORD, World, text_of, word_in

from linekey.console.web.app import ROUTES
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.group import Group
from linekey.settings import ConsoleSettings
from linekey.store.changes import ChangeSearch, count_changes
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.layers import Layers, Scope
from linekey.store.tokens import ApiTokens
from linekey.store.tokens import Scope as TokenScope
from linekey.store.users import Users

OPEN = {"log-in", "link", "language", "provider", "provider/back"}


def example(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "000413AABBCC", path)


def test_nothing_but_log_in_is_open() -> None:
    assert {route.path for route in ROUTES if route.is_open} <= OPEN


@pytest.mark.parametrize("cookie", ["", "A" * 43, "stale", "ä" * 43])
async def test_who_is_not_in_sees_no_page(world: World, cookie: str) -> None:
    async with world.console() as browser:
        headers: dict[str, bytes] = {}
        if cookie:
            headers["cookie"] = f"linekey-session={cookie}".encode()
        for route in ROUTES:
            if route.is_open:
                continue
            path = f"/console/{example(route.path)}"
            for method in ("GET", "POST"):
                answer = await browser.http.request(method, path, headers=headers)
                assert answer.status_code == 303, (method, path)
                assert answer.headers["location"].startswith("/console/log-in")
        missing = await browser.get("no-such-page")
        assert missing.headers["location"] == "/console/log-in"


@pytest.mark.parametrize("text", ["a" * 10_000, "*b" * 5_000, "%00", "%ED%A0%80"])
async def test_what_no_search_can_be_is_said_on_a_page(world: World, text: str) -> None:
    world.user("clara", "viewer")
    async with world.console("clara") as browser:
        for path in (
            "phones?q=", "phones?where=", "phones?after=", "phones?sort=", "phones/",
            "pending?q=", "decisions?q=", "decisions?mac=", "changes?who=",
            "forecast?group=", "layers/", "authorities/",
        ):  # fmt: skip
            page = await browser.get(f"{path}{text}")
            assert page.status_code in (200, 303, 400, 404, 422), (path, page.text)
            assert page.status_code == 303 or "<main" in page.text, path
            assert len(page.content) < 100_000, path


MARK, OF_CORP = "of-corp", "000413AABBCD"
"""What is corp's has the mark in it, or is this phone's."""


async def fill_of_corp(world: World) -> list[object]:
    """Put something of corp's everywhere; return what nobody of acme may change."""
    database = world.database
    devices, groups = Devices(database), Groups(database)
    groups.add(Group("acme"), world.now)
    groups.add(Group("corp", note=MARK), world.now)
    own = Layer((Setting("user_name", MARK, 1), Setting("user_pass", f"{MARK}!", 1)))
    corp = Device(Mac(OF_CORP), "snom", "D785", label=MARK, group="corp", layer=own)
    devices.add(corp, world.now)
    devices.add(Device(Mac("000413AABBCC"), "snom", group="acme"), world.now)
    Layers(database).change(Scope.parse("group:corp"), lambda _: own, world.now)
    world.user(f"{MARK}-user", "viewer", ["corp"])
    ApiTokens(database).add(f"{MARK}-token", TokenScope.READ, None, world.now, ["corp"])
    came = line(
        Mac(OF_CORP), world.now, group="corp", user_agent=MARK, resource=f"/{MARK}"
    )
    await visit(database, came)
    return untouched(world)


def untouched(world: World) -> list[object]:
    with world.database.read() as connection:
        lines = count_changes(connection, ChangeSearch(group="corp"))
    return [
        Devices(world.database).get(Mac(OF_CORP)), Groups(world.database).get("corp"),
        Layers(world.database).get(Scope.parse("group:corp")), lines,
    ]  # fmt: skip


async def test_no_page_tells_or_changes_what_is_another_groups(world: World) -> None:
    before = await fill_of_corp(world)
    world.user("mallory", "admin", ["acme"])
    async with world.console("mallory") as browser:
        word = word_in((await browser.get("")).text)
        for route in ROUTES:
            if route.path in OPEN or route.path == "log-out":
                continue
            for name in (OF_CORP, "group:corp", "corp", "revoke", "000413AABBCC"):
                path = re.sub(r"\{[^}]*\}", name, route.path, count=1)
                path = re.sub(r"\{[^}]*\}", "revoke", path)
                for query in ("", "?group=corp&sort=-label", f"?mac={OF_CORP}&q=Room"):
                    page = await browser.get(path + query)
                    assert MARK not in page.text, path
                    asked = OF_CORP in path + query
                    assert asked or OF_CORP not in page.text, path + query
                if route.post is None:
                    continue
                for form in (
                    {"label": "x", "group": "acme", "name": "language", "value": "x"},
                    {
                        "which": "marked",
                        "mac": OF_CORP,
                        "action": "revoke",
                        "done": "1",
                    },
                    {"which": "found", "action": "label", "group": "corp"},
                ):
                    said = await browser.http.post(
                        f"/console/{path}", data={"form_word": word} | form
                    )
                    assert said.status_code < 500, (path, said.text)
                    assert MARK not in said.text, path
                if not route.path.startswith("phones/{mac}"):
                    break
    assert untouched(world) == before


async def test_a_form_needs_the_word_of_a_page_of_this_session(world: World) -> None:
    world.user("anna", "admin")
    world.user("ben", "admin")
    async with world.console("ben") as other:
        bens = word_in((await other.get("")).text)
    async with world.console("anna") as browser:
        for word in ("", "x", "ä", "0" * 64, bens):
            answer = await browser.http.post(
                "/console/log-out", data={"form_word": word}
            )
            assert answer.status_code == 403
            assert "too old" in text_of(answer)
        assert (await browser.get("")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"}, {"origin": "null"},
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_form_from_another_site_is_refused(
    world: World, headers: dict[str, str]
) -> None:
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        answer = await browser.post("log-out", {}, "", **headers)
        assert answer.status_code == 403
        same = {"origin": "http://127.0.0.1:8480", "sec-fetch-site": "same-origin"}
        assert (await browser.post("log-out", {}, "", **same)).status_code == 303


async def test_bad_forms_are_told(world: World) -> None:
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        form = {"content-type": "application/x-www-form-urlencoded"}
        many = "&".join(f"a{n}=1" for n in range(20_001))
        for body, headers, status in (
            (b"x=" + b"a" * 10_000_000, form, 413),
            (b"\xff\xfe", form, 400),
            (b"a=%ff", form, 400),
            (b"a=%00", form, 400),
            (many.encode(), form, 400),
            (b"{}", {"content-type": "application/json"}, 415),
        ):
            answer = await browser.http.post(
                "/console/log-out", content=body, headers=headers
            )
            assert answer.status_code == status
            assert "<h1>" in answer.text
        assert (await browser.get("")).status_code == 200


async def test_a_form_without_end_is_cut_off(world: World) -> None:
    world.user("anna", "admin")
    sent = 0

    async def body():  # type: ignore[no-untyped-def]
        nonlocal sent
        while sent < 100_000_000:
            sent += 1_000_000
            yield b"a" * 1_000_000

    async with world.console("anna") as browser:
        answer = await browser.http.post("/console/log-out", content=body())
        assert answer.status_code == 413


async def test_every_answer_has_its_policy(world: World) -> None:
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        for path in ("", "style.css", "console.js", "icon.svg", "nothing", "log-in"):
            headers = (await browser.get(path)).headers
            assert (
                "default-src 'none'; script-src 'self'"
                in headers["content-security-policy"]
            )
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
        page = await browser.get("")
        assert not re.search(r"<script(?! src=)|\son\w+=|style=", page.text)
        assert (await browser.get("nothing")).status_code == 404


async def test_by_https_cookies_are_of_this_host_alone(world: World) -> None:
    world.base = "https://pbx.example.com"
    world.user("anna", "admin")
    link = Users(world.database).new_link("anna", world.now)
    async with world.console() as browser:
        answer = await browser.post("link", {"token": link}, f"link?token={link}")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-linekey-session=")
        for part in ("HttpOnly", "Path=/;", "SameSite=lax", "Secure"):
            assert part in f"{cookie};"
        assert "Domain" not in cookie


async def test_a_session_ends_by_time(world: World) -> None:
    world.user("anna", "viewer")
    world.settings = ConsoleSettings(idle_minutes=10)
    async with world.console("anna") as browser:
        assert (await browser.get("")).status_code == 200
        world.now += timedelta(minutes=10)
        answer = await browser.get("?x=1")
        assert "next=%2Fconsole%2F%3Fx%3D1&ended=1" in answer.headers["location"]
        login = await browser.http.get(answer.headers["location"])
        assert "Your session has ended." in text_of(login)


async def test_a_lost_database_is_503_with_a_page(world: World) -> None:
    world.user("anna", "viewer")
    async with world.console("anna") as browser:
        world.database.state.database_file.unlink()
        answer = await browser.get("")
        assert answer.status_code == 503
        assert "in trouble" in text_of(answer)
        assert PASSWORD not in answer.text
