"""The status page in a browser: read, filter, walk by keyboard, on a small screen."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.server.counters import Counters
from linekey.server.management import ManagementServer
from linekey.server.server import utc_now
from linekey.settings import parse_settings
from linekey.store.database import open_database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.wire.door.listener import bind

pytestmark = pytest.mark.peer("chromium")

ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--disable-background-networking",
    "--no-first-run",
]  # fmt: skip
MAC = Mac("000413AABBCC")


def entries() -> list[LogEntry]:
    now = utc_now()
    common: dict[str, Any] = {"at": now, "peer": "192.0.2.7", "mac": MAC}
    return [
        LogEntry(
            kind="decision", outcome="granted", reason="own_file",
            resource="/snomD785-000413AABBCC.htm", status=200, tls_version="TLSv1.2",
            suite="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", **common,
        ),
        LogEntry(
            kind="decision", outcome="refused", reason="other_phones_file",
            resource="/<b>snomD785-000413AABBCD.htm", status=403, **common,
        ),
        LogEntry(
            kind="handshake", outcome="refused", reason="no_certificate", at=now,
            detail="the client sent no certificate", cure="turn it on",
            fingerprint="t12i110700_9ce30416ceed_2ae30f8c7a5b", peer="192.0.2.9",
        ),
    ]  # fmt: skip


@pytest.fixture
def status_url(tmp_path: Path) -> Iterator[str]:
    """A status page with three lines on record, in a thread with its own loop."""
    ready, stop = threading.Event(), threading.Event()
    urls: list[str] = []

    async def run() -> None:
        database = open_database(StateDir.open(tmp_path / "state"))
        Devices(database).add(Device(MAC, "snom", "D785", label="Reception"), utc_now())
        async with DecisionLog(database) as log:
            for entry in entries():
                await log.record(entry)
        now = datetime.now(UTC)
        leaf = issue(
            Name.build([("CN", "prov.example.com")]), new_key(), None, serial=1,
            not_before=now - timedelta(days=70), not_after=now + timedelta(days=20),
            dns_names=["prov.example.com"],
        )  # fmt: skip
        with bind("127.0.0.1", 0) as listener:
            page = ManagementServer(
                parse_settings(),
                database,
                listener,
                url="https://prov.example.com",
                chain=lambda: (leaf,),
                counters=Counters(),
                clock=utc_now,
            )
            async with page:
                urls.append(page.url)
                ready.set()
                await asyncio.to_thread(stop.wait)
        database.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(20)
    yield urls[0]
    stop.set()
    thread.join(20)


@pytest.fixture
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=ARGUMENTS
        )
        yield running
        running.close()


def test_the_page_tells_who_was_here_and_why_not(browser: Any, status_url: str) -> None:
    page = browser.new_page()
    trouble: list[str] = []
    page.on("console", lambda m: trouble.append(m.text))
    page.on("requestfailed", lambda r: trouble.append(r.url))
    page.goto(status_url)
    assert page.title() == "Overview · linekey"
    text = page.inner_text("main")
    assert (
        "The certificate is one phone's, and the URL asks for another phone's file."
        in text
    )
    assert "Turn it on." in text
    assert "the server's certificate expires in" in text
    assert "no vendor CA is trusted" in text
    assert page.locator("b").count() == 0
    assert trouble == []


def test_a_phones_decisions_are_found_by_its_mac(browser: Any, status_url: str) -> None:
    page = browser.new_page()
    page.goto(status_url)
    page.get_by_role("link", name="Phones", exact=True).click()
    assert "Reception" in page.inner_text("main")
    page.get_by_role("link", name="000413AABBCC").click()
    assert page.locator("tbody tr").count() == 2
    page.get_by_label("refused only").check()
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**refused=1**", wait_until="load")
    assert page.locator("tbody tr").count() == 1
    page.get_by_label("Phone’s MAC").fill("nonsense")
    page.get_by_role("button", name="Show").click()
    assert "Not a MAC address" in page.inner_text("[role=alert]")


def test_it_can_be_walked_by_keyboard(browser: Any, status_url: str) -> None:
    page = browser.new_page()
    page.goto(status_url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(status_url)
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/phones", timeout=10_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_small_screen_needs_no_sideways_scrolling(
    browser: Any, status_url: str, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=scheme
    )
    page = context.new_page()
    for path in ("", "phones", "decisions", "authorities"):
        page.goto(status_url + path)
        wide = page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        assert not wide, path


def test_a_desk_screen_shows_every_column_whole(browser: Any, status_url: str) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 740})
    for path in ("", "phones", "decisions"):
        page.goto(status_url + path)
        cut = page.locator(".scroll").evaluate_all(
            "all => all.some(e => e.scrollWidth > e.clientWidth)"
        )
        assert not cut, path


def test_a_name_that_was_pointed_at_loopback_sees_nothing(
    browser: Any, status_url: str
) -> None:
    context = browser.new_context(extra_http_headers={})
    page = context.new_page()
    port = status_url.rstrip("/").rpartition(":")[2]
    answer = page.request.get(
        f"http://127.0.0.1:{port}/decisions.json", headers={"host": "evil.example"}
    )
    assert answer.status == 421
    assert "000413" not in answer.text()
