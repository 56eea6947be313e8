"""The phone's uses of TLS in a real browser, each server a foreign one."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from tests.live.conftest import Place, make_place
from tests.live.peers import exported_peer, open_folder
from tests.live.sip_line import SECRET, USER, registrar
from tests.live.test_phone_directory import directory
from tests.live.test_phone_nginx import PAGES, PIXEL
from tests.live.test_phone_nginx import phone as with_keys
from tests.live.test_phone_sip import stands
from tests.live.test_phone_sip import until as wait_until

from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.pages.server import PhoneServer, serve_pages
from linekey.phone.state import PhoneState
from linekey.phone.uses.browser.browsing import Browsing
from linekey.phone.uses.directory.handle import Directory, Found
from linekey.phone.uses.directory.look_up import Entry, LookupResult
from linekey.phone.uses.sip.edge import SipLines
from linekey.phone.uses.sip.states import LineState

pytestmark = pytest.mark.peer("chromium", "nginx", "slapd", "kamailio")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = make_place(tmp_path)
    yield made
    made.database.close()


@asynccontextmanager
async def switched_on(
    state: PhoneState,
) -> AsyncIterator[tuple[VirtualPhone, PhoneServer]]:
    pages = serve_pages(0)
    async with VirtualPhone(state, services=(pages, SipLines())) as running:
        yield running, pages


def with_settings(
    state: PhoneState, idx: int | None = None, **settings: str
) -> PhoneState:
    kept = state.settings
    for name, value in settings.items():
        kept = kept.provision(name, value, idx=idx).settings
    return replace(state, settings=kept)


@pytest.fixture
def files() -> Iterator[Path]:
    with open_folder() as folder:
        for name, text in PAGES.items():
            (folder / name).write_text(text)
        (folder / "dish.png").write_bytes(PIXEL)
        yield folder


async def log_in(page: Page, url: str) -> None:
    await page.goto(f"{url}login")
    await page.fill("input[name=password]", "0000")
    await page.keyboard.press("Enter")
    await page.get_by_text("Administrator", exact=True).wait_for()


async def test_a_key_is_pressed_and_a_menu_walked_by_mouse_and_keyboard(
    place: Place, files: Path, page: Page
) -> None:
    async with (
        exported_peer(place, "nginx", files=files) as peer,
        switched_on(with_keys(place, peer.url)) as (running, pages),
    ):
        await page.goto(f"{pages.url}screen")
        display = page.get_by_role("region", name="Display")
        await page.get_by_role("button", name="Canteen").click()
        await expect(display).to_contain_text("Picture")
        await page.get_by_role("button", name="Today").click()
        await expect(display).to_contain_text("Soup")
        await page.get_by_role("button", name="Back").click()
        await expect(page.locator("button.entry").first).to_be_focused()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Dish")).to_be_focused()
        await page.keyboard.type("Soup")
        await page.keyboard.press("Escape")
        await expect(display).to_contain_text("Picture")
        await page.keyboard.press("3")
        image = display.get_by_role("img")
        await expect(image).to_be_visible()
        assert await image.evaluate("i => i.complete && i.naturalWidth") == 1
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Order").click()
        await page.get_by_label("Dish").fill("Bread & butter")
        await page.keyboard.press("Enter")
        # The page fetches its next one by itself, and the screen follows.
        await expect(display).to_contain_text("Today", timeout=10_000)
        await page.get_by_role("button", name="Exit").click()
        await expect(display).to_contain_text("Snom D785")
        assert running.state.part(Browsing).browser.page is None
        assert "Bread%20%26%20butter" not in peer.log()  # nginx logs no query


async def test_a_form_of_a_page_that_changed_presses_nothing(
    place: Place, files: Path, page: Page
) -> None:
    async with (
        exported_peer(place, "nginx", files=files) as peer,
        switched_on(with_keys(place, peer.url)) as (running, pages),
    ):
        await page.goto(f"{pages.url}screen")
        await page.get_by_role("button", name="Canteen").click()
        await page.locator("button.entry").first.wait_for()
        await page.evaluate(  # in one step, or the page would be freshened between
            "document.querySelectorAll('[name=serial]').forEach(i => i.value = 0);"
            "document.querySelector('button.entry').click()"
        )
        await expect(page.get_by_text("the page has changed meanwhile")).to_be_visible()
        assert running.state.part(Browsing).browser.page is not None
        assert running.state.part(Browsing).browser.page.title == "Canteen"


async def test_a_name_is_looked_up(place: Place, page: Page) -> None:
    from tests.live.test_phone_directory import phone as with_directory

    async with directory(place) as peer:
        state = with_directory(
            place, peer.port, ldap_username="cn=reader,dc=phonebook", ldap_password="geheim"
        )  # fmt: skip
        async with switched_on(state) as (_, pages):
            await page.goto(f"{pages.url}screen")
            await page.get_by_label("Name or number").fill("ada")
            await page.keyboard.press("Enter")
            display = page.get_by_role("region", name="Display")
            await expect(display).to_contain_text("Ada Lovelace")
            await expect(display).to_contain_text("+49 170 401")
            twin = await page.request.get(f"{pages.url}screen.json")
            found = (await twin.json())["directory"]["entries"]
    assert [e["name"] for e in found] == ["Ada (Lab*)", "Ada Lovelace"]
    assert "geheim" not in await twin.text()


async def test_a_thousand_hits_stay_in_the_display_and_scroll_by_key(
    place: Place, page: Page
) -> None:
    hits = tuple(
        Entry(f"Ada {n:04}", (("mobile", f"+49 170 {n}"),), f"cn={n}")
        for n in range(1000)
    )
    state = with_keys(place, "https://localhost:1")
    found = Found("ada", LookupResult(hits), datetime.now(UTC))
    state = state.with_part(Directory(found))
    async with switched_on(state) as (_, pages):
        await page.goto(f"{pages.url}screen")
        shown = page.get_by_role("list", name="Entries")
        await expect(shown.get_by_role("listitem")).to_have_count(1000)
        box = await shown.bounding_box()
        assert box is not None
        assert box["height"] < 400
        await shown.focus()
        await page.keyboard.press("End")
        await expect(page.get_by_text("Ada 0999")).to_be_in_viewport()
        async with page.expect_response("**/screen?fresh=*"):
            pass  # the next look at the phone takes nothing away
        await expect(page.get_by_text("Ada 0999")).to_be_in_viewport()


async def test_the_line_is_seen_registered_and_a_call_fires_its_action(
    place: Place, files: Path, page: Page
) -> None:
    async with (
        exported_peer(place, "nginx", files=files) as web,
        registrar(place, (USER, str(place.phone))) as sip,
    ):
        state = with_settings(
            with_keys(place, web.url), 1, user_name=USER, user_host="localhost", user_pass=SECRET,
            user_realname="Ada Lovelace", user_outbound=f"localhost:{sip.port};transport=tls",
        )  # fmt: skip
        state = with_settings(state, admin_mode_password="0000")
        async with switched_on(state) as (running, pages):
            await wait_until(running, stands(LineState.REGISTERED))
            await page.goto(f"{pages.url}screen")
            lines = page.get_by_role("list", name="Lines")
            await expect(lines).to_contain_text("registered, TLS")
            assert await page.get_by_role("button", name="Trigger").count() == 0
            await page.goto(f"{pages.url}status")
            await expect(
                page.get_by_text("registered as sip:4711@localhost")
            ).to_be_visible()
            await log_in(page, pages.url)
            await page.goto(f"{pages.url}screen")
            await page.get_by_label("Caller", exact=True).fill("sip:402@localhost")
            await page.get_by_role("button", name="Trigger").click()
            display = page.get_by_role("region", name="Display")
            await expect(display).to_contain_text("Ada calls")


async def test_a_registrar_that_goes_away_is_seen_beside_an_open_menu(
    place: Place, files: Path, page: Page
) -> None:
    async with (
        exported_peer(place, "nginx", files=files) as web,
        AsyncExitStack() as up,
    ):
        sip = await up.enter_async_context(registrar(place, (USER, str(place.phone))))
        state = with_settings(
            with_keys(place, web.url), 1, user_name=USER, user_host="localhost", user_pass=SECRET,
            user_outbound=f"localhost:{sip.port};transport=tls",
        )  # fmt: skip
        async with switched_on(state) as (running, pages):
            await wait_until(running, stands(LineState.REGISTERED))
            await page.goto(f"{pages.url}screen")
            await page.get_by_role("button", name="Canteen").click()
            await expect(page.locator("button.entry").first).to_be_focused()
            lines = page.get_by_role("list", name="Lines")
            await expect(lines).to_contain_text("registered, TLS")
            await up.aclose()  # Kamailio stops
            await wait_until(running, stands(LineState.WAITING))
            await expect(lines).to_contain_text("waiting, TLS")
            await expect(page.locator("button.entry").first).to_be_focused()
