"""The phone's screen in a real browser: fresh, with what was asked for last in front."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.browser.conftest import SIZE
from tests.certificates import MAC, NOW, authority, device, server
from tests.phone_server import Route, serve

from linekey.phone.document import FunctionKey
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.pages.server import serve_pages
from linekey.phone.state import Notification, new_phone
from linekey.phone.uses.browser.events import BackPressed
from linekey.phone.uses.directory.events import LookupEnded
from linekey.phone.uses.directory.look_up import Entry, LookupResult
from linekey.phone.uses.sip.events import LineMoved, LinesRead
from linekey.phone.uses.sip.lines import LineStatus
from linekey.phone.uses.sip.states import LineState

pytestmark = pytest.mark.peer("chromium")

MENU = b"""<SnomIPPhoneMenu><Title>Canteen</Title>
<MenuItem><Name>Today</Name><URL>today.xml</URL></MenuItem>
<MenuItem><Name>Order</Name><URL>order.xml</URL></MenuItem></SnomIPPhoneMenu>"""
ORDER = b"""<SnomIPPhoneInput><Title>Order</Title><URL>done.xml</URL><InputItem>
<DisplayName>Dish</DisplayName><QueryStringParam>dish</QueryStringParam></InputItem>
</SnomIPPhoneInput>"""
TEXT = b"<SnomIPPhoneText><Title>Today</Title><Text>Soup</Text></SnomIPPhoneText>"
PAGES = {"/menu.xml": MENU, "/order.xml": ORDER, "/today.xml": TEXT}
NOTICE = Notification(
    NOW, "802.1X login refused", "the network's server is not known",
    "Upload its authority to the 802.1X tab.", "802.1x", "192.0.2.5:1812",
)  # fmt: skip
LINE = LineStatus(1, "sip:401@pbx.test", "Ada", "pbx.test:5061", True)
UP = LineMoved(1, LineState.REGISTERED, "registered as sip:401@pbx.test for 3600 s")
DOWN = LineMoved(1, LineState.WAITING, "pbx.test hung up; again in 5 s", failed=True)
HITS = LookupResult(
    tuple(Entry(name, (), f"cn={name},dc=test") for name in ("Ada", "Alan"))
)


@asynccontextmanager
async def phone(notices: tuple[Notification, ...] = ()) -> AsyncIterator[
    tuple[VirtualPhone, str]
]:  # fmt: skip
    """A running phone with a line and a key for a menu; the URL of its pages."""
    async with serve(server()) as site:
        site.answer = lambda asked: Route(PAGES[asked.path])
        state = new_phone(
            MAC, "D785", "10.1.33.33", builtin=device(),
            authorities=(authority().certificate,),
        )  # fmt: skip
        settings = state.settings
        for name, value in {
            "ldap_server": "ldap.test",
            "ieee8021x_eap_auth_method": "EAP-TLS",
            "admin_mode_password": "0000",
        }.items():
            settings = settings.provision(name, value).settings
        keys = (FunctionKey(3, "url", f"{site.url}/menu.xml", label="Canteen"),)
        state = replace(
            state, settings=settings, function_keys=keys, notifications=notices
        )
        pages = serve_pages(0)
        async with VirtualPhone(state, services=(pages,)) as running:
            await running.round_ended()
            await running.do(LinesRead((LINE,)))
            await running.do(UP)
            yield running, pages.url


def display(page: Page):
    return page.get_by_role("region", name="Display")


async def open_menu(page: Page, url: str) -> None:
    await page.goto(f"{url}screen")
    await page.get_by_role("button", name="Canteen").click()
    await expect(display(page)).to_contain_text("Order")


async def test_the_lines_stay_fresh_while_a_menu_has_the_focus(page: Page) -> None:
    async with phone() as (running, url):
        await open_menu(page, url)
        order = page.get_by_role("button", name="Order")
        await page.keyboard.press("ArrowDown")
        await expect(order).to_be_focused()
        await order.evaluate("button => { button.mark = 'the same element'; }")
        await expect(display(page)).to_contain_text("registered, TLS")
        await running.do(DOWN)
        await expect(display(page)).to_contain_text("waiting, TLS")
        cards = page.locator(".beside")
        await expect(cards).to_contain_text("pbx.test hung up; again in 5 s")
        await expect(cards).not_to_contain_text("registered")
        await expect(order).to_be_focused()
        assert await order.evaluate("button => button.mark") == "the same element"


async def test_the_focus_follows_a_page_that_turns(page: Page) -> None:
    async with phone() as (running, url):
        await open_menu(page, url)
        await page.get_by_role("button", name="Order").click()
        await expect(page.get_by_label("Dish")).to_be_focused()
        await running.do(BackPressed())  # at the command line, say
        await expect(page.get_by_role("button", name="Today")).to_be_focused()


async def test_what_somebody_types_survives_while_the_rest_stays_fresh(
    page: Page,
) -> None:
    async with phone() as (running, url):
        await page.goto(f"{url}login")
        await page.fill("input[name=password]", "0000")
        await page.keyboard.press("Enter")
        await page.get_by_text("Administrator", exact=True).wait_for()
        await open_menu(page, url)
        await page.get_by_role("button", name="Order").click()
        secret = page.get_by_label("Secret shared with the switch")
        await secret.fill("not sent yet")
        dish = page.get_by_label("Dish")
        await dish.fill("Sou")
        await running.do(DOWN)
        await expect(display(page)).to_contain_text("waiting, TLS")
        await page.keyboard.type("p")
        await expect(dish).to_have_value("Soup")
        await expect(dish).to_be_focused()
        await expect(secret).to_have_value("not sent yet")
        await running.do(BackPressed())  # somebody else; what is typed stays here
        await running.do(UP)
        await expect(display(page)).to_contain_text("registered, TLS")
        await expect(dish).to_have_value("Soup")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("the page has changed meanwhile")).to_be_visible()
        await expect(display(page)).to_contain_text("Canteen")


async def test_what_was_asked_for_last_is_in_front_and_the_rest_behind_it(
    page: Page,
) -> None:
    async with phone() as (running, url):
        await open_menu(page, url)
        await running.do(LookupEnded("a", HITS))
        await expect(display(page)).to_contain_text("Directory: a")
        await expect(display(page)).to_contain_text("2 hits in the directory")
        await expect(display(page)).not_to_contain_text("Canteen")
        await page.keyboard.press("Escape")
        await expect(display(page)).to_contain_text("Canteen")
        await expect(display(page)).not_to_contain_text("Directory")
        await running.do(LookupEnded("a", HITS))
        await expect(display(page)).to_contain_text("Directory: a")
        await page.get_by_role("button", name="Canteen").click()
        await expect(display(page)).to_contain_text("Order")
        await expect(display(page)).not_to_contain_text("Directory")


async def test_a_notice_hides_nothing_and_goes_when_it_is_dismissed(page: Page) -> None:
    async with phone((NOTICE,)) as (running, url):
        await open_menu(page, url)
        notice = page.get_by_role("alert")
        await expect(notice).to_contain_text("802.1X login refused")
        above = await notice.bounding_box()
        menu = await page.locator("ol.entries").bounding_box()
        assert above is not None
        assert menu is not None
        assert above["y"] + above["height"] <= menu["y"]
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await notice.get_by_role("button", name="Dismiss").click()
        await expect(notice).to_have_count(0)
        await expect(display(page)).to_contain_text("Canteen")
        assert running.state.notifications == ()


async def test_keys_and_menus_work_without_any_script() -> None:
    async with phone((NOTICE,)) as (_, url), async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        context = await browser.new_context(
            ignore_https_errors=True, viewport=SIZE, java_script_enabled=False
        )
        page = await context.new_page()
        await open_menu(page, url)
        await page.get_by_role("button", name="Today").click()
        await expect(display(page)).to_contain_text("Soup")
        await page.get_by_role("button", name="Back").click()
        await expect(display(page)).to_contain_text("Order")
        await page.get_by_role("button", name="Dismiss").click()
        await expect(page.get_by_role("alert")).to_have_count(0)
        await browser.close()


async def test_what_was_said_leaves_with_its_page_and_can_be_dismissed(
    page: Page,
) -> None:
    async with phone() as (running, url):
        await open_menu(page, url)
        await expect(display(page)).to_contain_text("Canteen")
        # The form of a page that is no longer shown: the phone says so.
        await page.evaluate(
            "document.querySelectorAll('[name=serial]').forEach((e) => e.value = 'x')"
        )
        await page.locator("button.entry").first.click()
        said = page.get_by_text("the page has changed meanwhile")
        await expect(said).to_be_visible()
        await page.get_by_role("link", name="Dismiss").click()
        await expect(said).to_have_count(0)
        await page.evaluate(
            "document.querySelectorAll('[name=serial]').forEach((e) => e.value = 'x')"
        )
        await page.locator("button.entry").first.click()
        await expect(said).to_be_visible()
        await running.do(BackPressed())
        await expect(said).to_have_count(0)
