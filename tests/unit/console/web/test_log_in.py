"""Log-in, log-out, proof: by password, by link, and how often one may guess."""

from datetime import timedelta

import pytest
from tests.unit.console.web.conftest import COOKIE, PASSWORD, World, text_of

from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.users import Users


def add(world: World, name: str = "anna", role: str = "admin") -> None:
    Users(world.database).add(name, role, world.now, password=PASSWORD)


async def test_a_user_logs_in_and_out(world: World) -> None:
    add(world)
    async with world.console() as browser:
        answer = await browser.log_in()
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
        page = await browser.get("")
        assert "anna" in page.text
        assert "administrator" in page.text
        out = await browser.post("log-out", {}, "")
        assert out.headers["location"] == "/console/log-in?out=1"
        assert (await browser.get("")).status_code == 303
    with world.database.read() as connection:
        lines = read_changes(connection, ChangeSearch(who="anna"))
    assert [(one.action, one.place) for one in lines] == [
        ("log-out", "console 192.0.2.7"), ("log-in", "console 192.0.2.7"),
    ]  # fmt: skip


async def test_a_log_in_makes_a_new_session(world: World) -> None:
    add(world)
    async with world.console("anna") as browser:
        before = browser.http.cookies[COOKIE]
        await browser.post("proof", {"password": PASSWORD, "next": "/console/"})
        after = browser.http.cookies[COOKIE]
        assert after != before
    async with world.console() as browser:
        browser.http.cookies.set(COOKIE, before, "127.0.0.1", "/console/")
        assert (await browser.get("")).status_code == 303


async def test_wrong_ones_are_all_told_the_same_and_then_to_wait(world: World) -> None:
    add(world)
    said = set()
    async with world.console() as browser:
        for name, password in (
            ("anna", "wrong"), ("nobody", "wrong"), ("x" * 5000, "x" * 5000), ("", ""),
            ("anna", ""), ("anna", "wrong"),
        ):  # fmt: skip
            answer = await browser.log_in(name, password)
            assert answer.status_code == 401
            said.add(text_of(answer).replace(name, "") if name else text_of(answer))
        assert len(said) == 1
        await browser.log_in("anna", "wrong")
        answer = await browser.log_in("anna", "wrong")
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert "wait 1 second." in text_of(answer)
        assert (await browser.log_in()).status_code == 429
        world.now += timedelta(seconds=2)
        assert (await browser.log_in()).status_code == 303
    with world.database.read() as connection:
        lines = read_changes(connection, ChangeSearch(who="anna"))
    assert [one.action for one in lines].count("refused") == 5


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/", "//evil.example/console/", "/console/../x",
        "/console//evil.example", "/\\evil.example", "javascript:alert(1)",
        "/console/\r\nSet-Cookie: a=b", "/consoleevil", "/", "http:/console/",
    ],
)  # fmt: skip
async def test_no_log_in_leads_elsewhere(world: World, path: str) -> None:
    world.user("anna", "viewer")
    async with world.console() as browser:
        shown = await browser.http.get("/console/log-in", params={"next": path})
        assert 'name="next" value="/console/"' in shown.text
    async with world.console("anna") as browser:
        answer = await browser.http.get("/console/log-in", params={"next": path})
        assert answer.headers["location"] == "/console/"
        form = {"language": "de", "next": path}
        answer = await browser.post("language", form, "")
        assert answer.headers["location"] == "/console/"


async def test_a_link_works_once_and_looking_at_it_uses_nothing_up(
    world: World,
) -> None:
    world.user("anna", "admin")
    link = Users(world.database).new_link("anna", world.now)
    async with world.console() as browser:
        for _ in range(2):
            assert (await browser.get(f"link?token={link}")).status_code == 200
        answer = await browser.post("link", {"token": link})
        assert answer.status_code == 303
        assert (await browser.get("")).status_code == 200
    async with world.console() as browser:
        answer = await browser.post("link", {"token": link})
        assert answer.status_code == 401
        assert "logs nobody in" in text_of(answer)


async def test_a_revoked_user_is_out_at_once(world: World) -> None:
    add(world)
    async with world.console("anna") as browser:
        assert (await browser.get("")).status_code == 200
        Users(world.database).revoke("anna", world.now)
        assert (await browser.get("")).status_code == 303
        assert (await browser.log_in()).status_code == 401


async def test_who_came_by_a_link_is_told_how_to_prove_it_again(world: World) -> None:
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        page = await browser.get("proof?next=/console/users")
        assert "linekey user link anna" in text_of(page)


async def test_a_language_is_remembered(world: World) -> None:
    world.user("anna", "viewer")
    async with world.console() as browser:
        page = await browser.get("log-in", **{"accept-language": "de-DE,de;q=0.9"})
        assert '<html lang="de">' in page.text
        await browser.post(
            "language", {"language": "de", "next": "/console/"}, "log-in"
        )
        assert '<html lang="de">' in (await browser.get("log-in")).text
    async with world.console("anna") as browser:
        await browser.post("language", {"language": "de", "next": "/console/"}, "")
        wrong = await browser.post("language", {"language": "xx"}, "")
        assert wrong.status_code == 400
    async with world.console("anna") as browser:
        assert '<html lang="de">' in (await browser.get("")).text
