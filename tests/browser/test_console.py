"""The console in Chromium: each page for each role, by keyboard, on any screen, with axe."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.browser.console_world import EVIL, MAC, NEW, PASSWORD, Console, running

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name as DistinguishedName
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.settings import parse_settings
from linekey.store.users import Users, link_url

pytestmark = pytest.mark.peer("chromium")

ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--disable-background-networking",
    "--no-first-run",
]  # fmt: skip
PAGES = (
    "", "phones", f"phones/{MAC.digits}", f"phones/{MAC.digits}/file", "pending",
    f"pending/{NEW}", "decisions", "forecast", "layers", "layers/fleet", "authorities", "changes",
)  # fmt: skip
OF_ALL = ("pending/rules",)
ADMINS = ("users", "phones/new")
ROLES = {
    "anna": PAGES + OF_ALL + ADMINS, "ben": PAGES + OF_ALL, "clara": PAGES + OF_ALL,
    "acme-admin": PAGES,
}  # fmt: skip
CLOSED = {"acme-admin": {"layers/fleet"}}
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with running(tmp_path_factory.mktemp("console") / "state") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running_one = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=ARGUMENTS
        )
        yield running_one
        running_one.close()


def page_of(browser: Any, console: Console, user: str | None, **options: Any) -> Any:
    """A page of somebody who is logged in; what it says on its console is kept."""
    page = browser.new_context(
        viewport={"width": 1100, "height": 800}, locale="en-US", **options
    ).new_page()
    page.set_default_timeout(30_000)
    page.said = []
    page.on("console", lambda m: page.said.append(m.text))
    page.on("pageerror", lambda e: page.said.append(str(e)))
    page.on("dialog", lambda d: page.said.append(f"dialog {d.message}"))
    page.on(
        "request",
        lambda r: None if r.url.startswith(console.url) else page.said.append(r.url),
    )
    if user is not None:
        # By a link: a password costs a tenth of a second of each role's test.
        token = Users(console.database).new_link(user, _now())
        page.goto(link_url(console.url, token))
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(console.url)
    return page


def _now() -> Any:
    from linekey.server.server import utc_now

    return utc_now()


def broken_rules(page: Any) -> list[str]:
    found = Axe().run(page, options=AXE)
    return [
        f"{one['id']}: {one['help']}: {[n['html'][:120] for n in one['nodes'][:3]]}"
        for one in found.response["violations"]
    ]


def cut_off(page: Any) -> list[str]:
    """What is wider than its place: the page itself, and tables."""
    found: list[str] = page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll(
             '.scroll, nav, .card, .cards li, .facts div, button, .button')]
           .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
           .map(e => `${e.tagName}.${e.className} ${e.scrollWidth}>${e.clientWidth} `
                + e.textContent.trim().slice(0, 40))"""
    )
    return found


@pytest.mark.parametrize("user", ROLES)
def test_each_page_of_each_role_is_whole_and_accessible(
    browser: Any, console: Console, user: str
) -> None:
    page = page_of(browser, console, user)
    problems = []
    for path in ROLES[user]:
        answer = page.goto(console.url + path)
        wanted = 403 if path in CLOSED.get(user, set()) else 200
        if path == "layers/fleet" and user == "acme-admin":
            wanted = answer.status if answer.status in (403, 404, 422) else 403
        if answer.status != wanted:
            problems.append(f"{path}: {answer.status}")
        problems += [f"{path}: {one}" for one in broken_rules(page)]
        for width in (360, 1100, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            problems += [f"{path} at {width}: {one}" for one in cut_off(page)]
        page.set_viewport_size({"width": 1100, "height": 800})
    closed = [text for text in page.said if "status of 4" in text]
    assert problems == []
    assert [text for text in page.said if text not in closed] == []
    assert page.title() != "owned"
    page.context.close()


def test_it_is_accessible_in_the_dark_and_in_german(
    browser: Any, console: Console
) -> None:
    page = page_of(browser, console, "anna", color_scheme="dark")
    page.get_by_role("button", name="Deutsch").click()
    problems = []
    for path in ROLES["anna"]:
        page.goto(console.url + path)
        assert page.locator("html").get_attribute("lang") == "de"
        problems += [f"{path}: {one}" for one in broken_rules(page)]
        for width in (360, 1100, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            problems += [f"{path} at {width}: {one}" for one in cut_off(page)]
        page.set_viewport_size({"width": 1100, "height": 800})
    assert problems == []
    page.get_by_role("button", name="English").click()
    page.context.close()


def test_log_in_by_password_and_by_keyboard(browser: Any, console: Console) -> None:
    page = page_of(browser, console, None)
    page.goto(console.url + "phones?q=room")
    assert broken_rules(page) == []
    page.get_by_label("Name").fill("clara")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/phones?q=room")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"
    page.get_by_role("button", name="Log out").press("Enter")
    page.wait_for_url("**/log-in?out=1")
    page.go_back()
    page.goto(console.url)
    assert "log-in" in page.url
    page.context.close()


def test_search_as_one_types_and_change_many_after_a_preview(
    browser: Any, console: Console
) -> None:
    page = page_of(browser, console, "anna")
    page.goto(console.url + "phones")
    page.get_by_label("Search").press_sequentially("Room 101")
    page.get_by_text("1 phone", exact=True).wait_for()
    assert "q=Room+101" in page.url
    page.get_by_label("Search").fill("253")
    page.get_by_text("000413A00173").wait_for()
    page.get_by_label("Search").fill("Room 10")
    page.get_by_text("9 phones", exact=True).wait_for()
    page.get_by_label("Select all on this page").check()
    page.get_by_role("combobox", name="Change", exact=True).select_option("set")
    page.get_by_label("Setting", exact=True).fill("language")
    page.get_by_label("Value, reason or name").fill("Deutsch")
    page.get_by_role("button", name="Show what will change").click()
    assert "9 phones are meant" in page.inner_text("main")
    assert broken_rules(page) == []
    page.get_by_role("button", name="Change 9 phones").click()
    assert "9 of 9 phones were changed." in page.inner_text("main")
    page.context.close()


def test_nothing_that_others_wrote_is_executed(browser: Any, console: Console) -> None:
    page = page_of(browser, console, "anna")
    for path in ("phones?q=script", "phones/000413BADBAD", "decisions", "changes",
                 "pending/000413C0FFE2"):  # fmt: skip
        page.goto(console.url + path)
        assert EVIL in page.inner_text("main")
        assert page.locator("main script, main img").count() == 0
        assert page.title() != "owned"
    assert page.said == []
    page.context.close()


def test_by_https_its_cookies_are_of_this_host_and_of_https_alone(
    browser: Any, tmp_path: Path
) -> None:
    own, now = new_key(), _now()
    served = issue(
        DistinguishedName.build([("CN", "127.0.0.1")]), own, None, serial=1,
        not_before=now - timedelta(days=1), not_after=now + timedelta(days=9),
        ip_addresses=[ip_address("127.0.0.1")],
    )  # fmt: skip
    (tmp_path / "c.pem").write_text(to_pem(served))
    (tmp_path / "k.pem").write_bytes(private_key_to_pem(own))
    (tmp_path / "k.pem").chmod(0o600)
    settings = parse_settings(
        f'[status]\ncertificate = "{tmp_path / "c.pem"}"\nkey = "{tmp_path / "k.pem"}"\n'
    )
    with running(tmp_path / "state", settings) as console:
        assert console.url.startswith("https://127.0.0.1:")
        page = page_of(browser, console, "ben", ignore_https_errors=True)
        for path in ("phones", f"phones/{MAC.digits}", "pending"):
            assert page.goto(console.url + path).status == 200
        page.get_by_role("link", name=NEW.digits).click()
        page.get_by_label("Label").fill("Hall 9")
        page.get_by_role("button", name="Register the phone").click()
        assert "Approved: the phone is registered now." in page.inner_text("main")
        cookies = {one["name"]: one for one in page.context.cookies()}
        session = cookies["__Host-linekey-session"]
        assert (session["secure"], session["httpOnly"], session["path"]) == (
            True, True, "/",
        )  # fmt: skip
        assert page.said == []
        answer = page.context.new_page().goto(console.url.replace("https:", "http:"))
        assert (answer.status, "https" in answer.text()) == (400, True)
        page.context.close()
