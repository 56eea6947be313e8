"""A page in Chromium that may speak to the phone alone."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright

SIZE = {"width": 1280, "height": 860}


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking", "--no-first-run"],
        )  # fmt: skip
        context = await browser.new_context(ignore_https_errors=True, viewport=SIZE)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        said: list[str] = []
        page.on(
            "console", lambda m: None if _is_switched_off(m) else said.append(m.text)
        )
        page.on(
            "request",
            lambda r: said.append(r.url) if "127.0.0.1" not in r.url else None,
        )
        yield page
        await browser.close()
        assert said == [], "the pages are quiet and ask nobody else"


def _is_switched_off(message: ConsoleMessage) -> bool:
    """The page asked a phone for something that the test had switched off already."""
    return message.text.startswith("Failed to load resource: net::ERR_CONNECTION_")
