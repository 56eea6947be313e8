"""The phone's pages in a real browser, the phone's server a foreign one (OpenSSL)."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page

from linekey.catalog.models import Generation
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.identity import DeviceIdentity
from linekey.phone.pages.server import PhoneServer, serve_pages
from linekey.phone.state import new_phone

pytestmark = [pytest.mark.peer("chromium", "openssl")]

MAC = Mac("000413AABBCC")
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)
CA_KEY, KEY = new_key("rsa", 2048), new_key("rsa", 2048)
CA = Issuer(
    issue(Name.build([("CN", "A CA nobody knows")]), CA_KEY, None, serial=1,
          not_before=FROM, not_after=UNTIL, ca=True),
    CA_KEY,
)  # fmt: skip
SETTINGS = """<?xml version="1.0" encoding="utf-8"?>
<settings><phone-settings><user_realname idx="1" perm="RW">Ann Example</user_realname>
</phone-settings></settings>"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """`openssl s_server` with a certificate that no phone knows; its URL."""
    leaf = issue(
        Name.build([("CN", "localhost")]), KEY, CA, serial=2, not_before=FROM,
        not_after=UNTIL, ca=False, dns_names=["localhost"],
    )  # fmt: skip
    (tmp_path / "server.pem").write_text(to_pem(leaf))
    (tmp_path / "server.key").write_bytes(private_key_to_pem(KEY))
    for name in (
        "snomD785.htm",
        f"snomD785-{MAC}.htm",
        "snom715.htm",
        f"snom715-{MAC}.htm",
    ):
        (tmp_path / name).write_text(SETTINGS)
    process = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "server.pem", "-key", "server.key", "-WWW"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        for line in process.stdout:  # ACCEPT 127.0.0.1:41234
            if line.startswith("ACCEPT"):
                break
        yield f"https://localhost:{line.strip().rpartition(':')[2]}/"
    finally:
        process.terminate()
        process.communicate(timeout=10)


def phone(
    tmp_path: Path, url: str, model: str, firmware: str
) -> tuple[VirtualPhone, PhoneServer]:
    lab = LabAuthority.open(tmp_path / "lab")
    generation = Generation.SHA256 if model == "D785" else Generation.SHA1
    chain, key = lab.device_identity(MAC, generation)
    state = new_phone(
        MAC, model, firmware, setting_server=url,
        builtin=DeviceIdentity(chain, private_key_to_pem(key)),
    )  # fmt: skip
    pages = serve_pages(0)
    return VirtualPhone(state, services=(pages,)), pages


async def log_in(page: Page, url: str) -> None:
    await page.goto(f"{url}login")
    await page.fill("input[name=password]", "0000")
    await page.keyboard.press("Enter")
    await page.get_by_text("Administrator", exact=True).wait_for()


async def test_an_unknown_certificate_is_seen_excepted_and_then_accepted(
    tmp_path: Path, server: str, page: Page
) -> None:
    running, pages = phone(tmp_path, server, "D785", "10.1.33.33")
    async with running:
        await running.round_ended()
        await page.goto(f"{pages.url}screen")
        assert "Certificates" in await page.inner_text("[role=alert]")
        await page.goto(f"{pages.url}certificates")
        card = page.locator("details.certificate")
        assert "CN=localhost" in await card.inner_text()
        assert "provisioning" in await card.inner_text()
        assert await page.get_by_role("button", name="Add Exception").count() == 0
        await log_in(page, pages.url)
        await page.goto(f"{pages.url}certificates")
        await page.get_by_role("button", name="Add Exception").click()
        await page.get_by_text("was added as an exception").wait_for()
        assert "CN=localhost" in await page.locator("details.certificate").inner_text()
        await page.goto(f"{pages.url}maintenance")
        await page.get_by_role("button", name="Provision now").click()
        await running.round_ended()
        await page.goto(f"{pages.url}status")
        assert "Provisioned" in await page.inner_text("main")
        await page.goto(f"{pages.url}screen")
        assert "Ann Example" in await page.inner_text("main")


async def test_log_in_is_refused_and_a_stranger_changes_nothing(
    tmp_path: Path, server: str, page: Page
) -> None:
    running, pages = phone(tmp_path, server, "D785", "10.1.33.33")
    async with running:
        await running.round_ended()
        await page.goto(f"{pages.url}login")
        await page.fill("input[name=password]", "1234")
        await page.get_by_role("button", name="Log in").click()
        await page.get_by_text("is wrong").wait_for()
        await page.goto(f"{pages.url}maintenance")
        assert await page.get_by_role("button", name="Reset the phone").count() == 0


async def test_uploads_activation_and_factory_reset(
    tmp_path: Path, server: str, page: Page
) -> None:
    running, pages = phone(tmp_path, server, "D715", "8.9.3.60")
    (tmp_path / "strange.der").write_bytes(CA.certificate.der)
    (tmp_path / "strange.pem").write_text(to_pem(CA.certificate))
    async with running:
        state = await running.round_ended()
        assert state.status.value == "provisioned", "8.x does not ask who the server is"
        await log_in(page, pages.url)
        for name, reason in (
            ("strange.pem", "PEM, not DER"),
            ("strange.der", "signed by none"),
        ):
            await page.goto(f"{pages.url}certificates?tab=server")
            await page.set_input_files("input[type=file]", tmp_path / name)
            await page.get_by_role("button", name="Upload", exact=True).click()
            await page.get_by_text(reason).first.wait_for()
        await page.goto(f"{pages.url}server-authentication")
        await page.get_by_role("button", name="Activate").click()
        await page.get_by_text("Only a factory reset turns this off").wait_for()
        await page.goto(f"{pages.url}maintenance")
        await page.get_by_role("button", name="Provision now").click()
        await running.round_ended()
        await page.goto(f"{pages.url}status")
        assert "Refused" in await page.inner_text("main")
        await page.goto(f"{pages.url}maintenance")
        await page.fill("input[name=sure]", "reset")
        await page.get_by_role("button", name="Reset the phone").click()
        await page.get_by_text("factory defaults").first.wait_for()
        await page.goto(f"{pages.url}server-authentication")
        assert await page.locator(".big").inner_text() == "Off"
        await page.goto(f"{pages.url}certificates")
        assert "No server was refused" in await page.inner_text("main")


async def test_the_pages_work_by_keyboard_and_on_a_small_screen(
    tmp_path: Path, server: str, page: Page
) -> None:
    running, pages = phone(tmp_path, server, "D785", "10.1.33.33")
    async with running:
        await running.round_ended()
        await page.set_viewport_size({"width": 360, "height": 740})
        for path in (
            "status",
            "settings",
            "certificates",
            "log",
            "screen",
            "maintenance",
            "login",
        ):
            await page.goto(f"{pages.url}{path}")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 360, f"{path} scrolls sideways: {wide} px"
        await page.goto(f"{pages.url}status")
        await page.keyboard.press("Tab")
        assert (
            await page.evaluate("document.activeElement.textContent")
            == "Skip to the page"
        )
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
