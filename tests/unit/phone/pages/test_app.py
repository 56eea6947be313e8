"""The phone's own pages over a desk that is a machine without a network."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from linekey.certs.build import issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem
from linekey.mac import Mac
from linekey.phone.events import Answer, SettingEntered
from linekey.phone.identity import DeviceIdentity
from linekey.phone.machine import Machine
from linekey.phone.pages.app import PhonePages
from linekey.phone.state import Notification, new_phone
from linekey.phone.uses.firmware.events import FetchFirmware, FirmwareFailed

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = new_key("rsa", 1024)


def certificate(cn: str, serial: int = 1) -> Certificate:
    return issue(
        Name.build([("CN", cn)]), KEY, None, serial=serial, not_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_after=datetime(2030, 1, 1, tzinfo=UTC), ca=False,
    )  # fmt: skip


OWN = certificate("000413AABBCC")
STRANGE = certificate("<script>alert(1)</script> pbx.example", 2)


class Desk:
    """A machine whose commands are dropped, but for its answers."""

    def __init__(self, firmware: str = "8.9.3.60", model: str = "D715") -> None:
        state = new_phone(
            Mac("000413AABBCC"), model, firmware,
            builtin=DeviceIdentity((OWN,), private_key_to_pem(KEY)),
        )  # fmt: skip
        self.machine = Machine(state)
        self.monotonic = 1000.0
        self.pages: PhonePages | None = None

    @property
    def state(self):
        return self.machine.state

    def now(self) -> datetime:
        return NOW

    async def tell(self, event):
        commands = self.machine.handle(event, NOW)
        return next((c for c in commands if isinstance(c, Answer)), None)

    def press(self, event) -> None:
        asyncio.run(self.tell(event))

    def refuse(self, strange: Certificate = STRANGE) -> None:
        from dataclasses import replace

        trust = self.state.trust.with_refused(
            strange,
            at=NOW,
            purpose="sip",
            peer="pbx.example:5061",
            reason="nobody vouches for it",
        )
        self.machine.state = replace(self.state, trust=trust)


@pytest.fixture
def desk() -> Desk:
    return Desk()


class Browser:
    """A client without a network: requests go straight into the app."""

    def __init__(self, pages: PhonePages) -> None:
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(pages), base_url="https://phone.example",
            follow_redirects=True,
        )  # fmt: skip

    def get(self, path: str) -> httpx2.Response:
        return asyncio.run(self.client.get(path))

    def post(self, path: str, **how: Any) -> httpx2.Response:
        return asyncio.run(self.client.post(path, **how))


def browser(desk: Desk) -> Browser:
    return Browser(pages_of(desk))


def pages_of(desk: Desk) -> PhonePages:
    if desk.pages is None:
        desk.pages = PhonePages(desk, monotonic=lambda: desk.monotonic)
    return desk.pages


def token(page: str) -> str:
    return page.split('name="token" value="')[1].split('"')[0]


def press(client: Browser, path: str, on: str = "/login", **fields):
    files = fields.pop("files", None)
    return client.post(
        path, data={"token": token(client.get(on).text), **fields}, files=files
    )


@pytest.fixture
def admin(desk: Desk) -> Browser:
    client = browser(desk)
    page = press(client, "/login", password="0000")
    assert "Administrator" in page.text
    return client


PAGES = ["/status", "/settings", "/certificates", "/certificates?tab=server", "/certificates?tab=8021x",
         "/certificates?tab=authorities", "/server-authentication", "/log", "/screen", "/maintenance"]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_and_is_locked_down(desk: Desk, path: str) -> None:
    answer = browser(desk).get(path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "<h1" in answer.text
    assert 'lang="en"' in answer.text


@pytest.mark.parametrize(
    "path", ["/status", "/settings", "/certificates", "/log", "/screen"]
)
def test_every_page_has_a_json_twin(desk: Desk, path: str) -> None:
    assert browser(desk).get(f"{path}.json").json() is not None


def test_hostile_names_are_shown_as_text(desk: Desk) -> None:
    desk.refuse()
    page = browser(desk).get("/certificates").text
    assert "<script>alert" not in page
    assert "&lt;script" in page
    assert "nobody vouches for it" in page


def test_a_certificate_is_laid_out_as_in_the_seed(desk: Desk) -> None:
    desk.refuse()
    page = browser(desk).get("/certificates").text
    labels = ["Version", "Serial Number", "Signature Algorithm", "Signature", "Issuer", "Validity",
              "SHA1-Fingerprint", "MD5-Fingerprint", "PK Algorithm", "RSA modulus", "RSA exponent"]  # fmt: skip
    places = [page.index(f"<dt>{label}:</dt>") for label in labels]
    assert places == sorted(places)
    assert "65537 (0x10001)" in page
    assert "01.01.2020 00:00:00 - 01.01.2030 00:00:00" in page


def test_an_exception_is_the_administrators(desk: Desk, admin: Browser) -> None:
    desk.refuse()
    guest = browser(desk)
    assert "Add Exception</button>" not in guest.get("/certificates").text
    refused = press(guest, "/certificates/exception", sha256=STRANGE.sha256)
    assert "needs the administrator" in refused.text
    assert len(desk.state.trust.unknown) == 1
    done = press(
        admin, "/certificates/exception", "/certificates", sha256=STRANGE.sha256
    )
    assert "added as an exception" in done.text
    assert desk.state.trust.is_exception(STRANGE)
    press(
        admin,
        "/certificates/remove",
        "/certificates",
        sha256=STRANGE.sha256,
        tab="server",
    )
    assert not desk.state.trust.server_certificates


@pytest.mark.parametrize("wrong", [{}, {"token": "x"}, {"token": ""}])
def test_a_form_without_its_token_does_nothing(
    desk: Desk, admin: Browser, wrong
) -> None:
    answer = admin.post("/server-authentication/activate", data=wrong)
    assert answer.status_code == 403
    assert not desk.state.authenticates_servers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://phone.example:8"]
)
def test_a_form_of_another_site_does_nothing(
    desk: Desk, admin: Browser, origin: str
) -> None:
    right = token(admin.get("/server-authentication").text)
    answer = admin.post(
        "/server-authentication/activate",
        data={"token": right},
        headers={"origin": origin},
    )
    assert answer.status_code == 403
    assert not desk.state.authenticates_servers


def test_nothing_is_changed_by_get(desk: Desk, admin: Browser) -> None:
    for path in (
        "/server-authentication/activate",
        "/maintenance/factory-reset",
        "/logout",
    ):
        assert admin.get(path).status_code == 404
    assert not desk.state.authenticates_servers


def test_activate_is_sticky_until_the_factory_reset(desk: Desk, admin: Browser) -> None:
    page = press(admin, "/server-authentication/activate", "/server-authentication")
    assert "only a factory reset" in page.text.lower()
    assert desk.state.authenticates_servers
    press(
        admin, "/settings", "/settings", name="tls_server_authentication", value="off"
    )
    assert desk.state.authenticates_servers
    assert (
        "type the word reset"
        in press(admin, "/maintenance/factory-reset", "/maintenance", sure="no").text
    )
    page = press(admin, "/maintenance/factory-reset", "/maintenance", sure="reset")
    assert "factory defaults" in page.text
    assert not desk.state.authenticates_servers
    assert "User mode" in page.text


def test_a_firmware_that_always_verifies_says_so(desk: Desk) -> None:
    page = browser(Desk("10.1.33.33", "D785")).get("/server-authentication").text
    assert "Always active" in page
    assert "Activate</button>" not in page


def test_wrong_passwords_cost_growing_pauses(desk: Desk) -> None:
    client = browser(desk)
    for _ in range(3):
        assert "is wrong" in press(client, "/login", password="1111").text
    assert "wait" in press(client, "/login", password="0000").text
    desk.monotonic += 301
    assert "Administrator" in press(client, "/login", password="0000").text


def test_sessions_end_when_idle_and_by_logging_out(desk: Desk, admin: Browser) -> None:
    assert "User mode" in press(admin, "/logout").text
    press(admin, "/login", password="0000")
    desk.monotonic += 1801
    assert "User mode" in admin.get("/status").text


def test_a_screen_that_keeps_itself_fresh_prolongs_no_session(
    desk: Desk, admin: Browser
) -> None:
    for _ in range(4):
        desk.monotonic += 600
        page = admin.get("/screen?fresh=1").text
    assert "User mode" in page


def test_what_was_said_waits_for_a_page_that_somebody_looks_at(
    desk: Desk, admin: Browser
) -> None:
    admin.client.follow_redirects = False
    press(admin, "/screen/key", "/screen", idx="77")
    assert "function key 77 is not set" not in admin.get("/screen?fresh=1").text
    assert "function key 77 is not set" in admin.get("/screen").text


def test_the_cookie_of_before_opens_nothing_after(desk: Desk) -> None:
    client = browser(desk)
    client.get("/login")
    before = dict(client.client.cookies)
    press(client, "/login", password="0000")
    assert dict(client.client.cookies) != before
    thief = browser(desk)
    thief.client.cookies.update(before)
    assert "Administrator" not in thief.get("/status").text


def test_without_a_password_there_is_no_administrator_before_one_is_set() -> None:
    desk = Desk("10.1.185.0", "D785")
    client = browser(desk)
    assert "is wrong" in press(client, "/login", password="").text
    assert (
        "was not set"
        in press(client, "/login/first", password="short", again="short").text
    )
    page = press(client, "/login/first", password="long enough", again="long enough")
    assert "Administrator" in page.text
    other = browser(desk)
    assert (
        "set already"
        in press(other, "/login/first", password="mine now", again="mine now").text
    )
    assert "Administrator" in press(other, "/login", password="long enough").text


def test_with_http_user_set_nothing_is_shown_to_nobody(desk: Desk) -> None:
    desk.press(SettingEntered("http_user", "ann"))
    desk.press(SettingEntered("http_pass", "s3cret"))
    client = browser(desk)
    assert "<h1>Log in" in client.get("/certificates").text
    assert client.get("/log.json").status_code == 401
    page = press(client, "/login", user="ann", password="s3cret").text
    assert "User mode" in page
    assert "<h1>Status" in page


def test_no_secret_is_on_any_page(desk: Desk, admin: Browser) -> None:
    for name in (
        "user_pass",
        "admin_mode_password",
        "http_client_pass",
        "ldap_password",
    ):
        desk.press(
            SettingEntered(name, "hunter2-canary", 1 if name == "user_pass" else None)
        )
    desk.press(
        SettingEntered("setting_server", "https://u:hunter2-canary@h/t/" + "x" * 20)
    )
    for path in [
        *PAGES,
        *(f"{p}.json" for p in ("/status", "/settings", "/log", "/screen")),
    ]:
        text = admin.get(path).text
        assert "hunter2-canary" not in text, path
        assert "x" * 20 not in text, path


def test_uploads_are_judged_as_the_seed_says(desk: Desk, admin: Browser) -> None:
    def upload(client: Browser, data: bytes) -> str:
        page = press(
            client,
            "/certificates/upload",
            "/certificates",
            files={"file": ("c.der", data)},
        )
        return page.text

    assert "signed by none" in upload(admin, STRANGE.der)
    assert "PEM, not DER" in upload(
        admin, b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----"
    )
    assert "private key" in upload(admin, private_key_to_pem(KEY))
    assert "at most" in upload(admin, bytes(2 * 1024 * 1024))
    assert "Not done" in upload(admin, b"garbage")
    assert "only in admin mode" in upload(browser(desk), STRANGE.der)
    assert not desk.state.trust.server_certificates
    assert any("upload refused" in entry.text for entry in desk.state.log)


def test_the_logs_details_are_folded_unless_something_went_wrong(desk: Desk) -> None:
    state = desk.state.with_log(NOW, "sip", "it went well", "how")
    state = state.with_log(NOW, "sip", "it went wrong", "why", level="error")
    desk.machine.state = state
    page = browser(desk).get("/log").text
    more = "<summary>1 more</summary><ul><li>"
    assert f"it went wrong<details open>{more}why</li>" in page
    assert f"it went well<details>{more}how</li>" in page


def test_a_form_that_is_too_large_is_not_read(admin: Browser) -> None:
    answer = admin.post(
        "/certificates/upload",
        headers={"content-length": str(4 * 1024 * 1024)},
        content=b"",
    )
    assert answer.status_code == 403
    assert "at most" in answer.text


def test_a_notification_is_shown_until_dismissed(desk: Desk) -> None:
    note = Notification(
        NOW,
        "Connection refused",
        "pbx.example showed …",
        "Add an exception.",
        "sip",
        "p",
        "ab",
    )
    desk.machine.state = desk.state.with_notification(note)
    client = browser(desk)
    page = client.get("/screen").text
    assert "Connection refused" in page
    assert "Add an exception." in page
    press(client, "/screen/dismiss", "/screen", index="0")
    assert "Connection refused" not in client.get("/screen").text


def test_the_phones_certificate_can_be_downloaded(desk: Desk) -> None:
    answer = browser(desk).get("/certificate.pem")
    assert answer.text.startswith("-----BEGIN CERTIFICATE-----")
    assert "000413AABBCC.pem" in answer.headers["content-disposition"]


@pytest.mark.parametrize("path", ["/screen/lookup", "/settings", "/screen/submit"])
def test_a_form_brings_in_no_character_that_nobody_can_type(
    desk: Desk, admin: Browser, path: str
) -> None:
    before = desk.state
    answer = press(admin, path, on="/settings", text="a\x00b", value="a\x00b")
    assert "U+0000, which nobody can type" in answer.text
    assert desk.state == before


AUTHORITIES = tuple(certificate(cn, 10 + n) for n, cn in enumerate(
    ("Zulu Root", "alpha Root", "Mike Root", "alpha Root")
))  # fmt: skip


def with_authorities(desk: Desk) -> None:
    from dataclasses import replace

    trust = desk.state.trust.with_authorities((*AUTHORITIES, AUTHORITIES[0]))
    desk.machine.state = replace(desk.state, trust=trust)


def test_authorities_are_sorted_by_name_once_each_and_can_be_searched(
    desk: Desk,
) -> None:
    with_authorities(desk)
    client = browser(desk)
    rows = client.get("/certificates.json").json()["authorities"]
    assert [r["subject"] for r in rows] == [
        "CN=alpha Root", "CN=alpha Root", "CN=Mike Root", "CN=Zulu Root",
    ]  # fmt: skip
    page = client.get("/certificates?tab=authorities&find=ALPHA").text
    assert page.count("CN=alpha Root") >= 2
    assert "Zulu" not in page
    assert "2 of 4" in page
    mike = AUTHORITIES[2].sha256.upper()
    pairs = ":".join(mike[i : i + 2] for i in range(0, 64, 2))
    page = client.get(f"/certificates?tab=authorities&find={pairs}").text
    assert "1 of 4" in page
    assert "Mike Root" in page
    page = client.get("/certificates?tab=authorities&find=%3Cb%3Enobody").text
    assert "No certificate matches all these words." in page
    assert "<b>nobody" not in page


def test_one_certificate_that_came_twice_is_one_row(desk: Desk) -> None:
    from dataclasses import replace

    trust = desk.state.trust.provision(OWN, at=NOW, signed_by_rule=False).store
    again = trust.provision(OWN, at=NOW, signed_by_rule=False)
    assert "already" in again.reason
    trust = again.store.with_authorities((OWN,)).upload(OWN, at=NOW).store
    assert len(trust.server_certificates) == 1
    refused = trust.with_refused(OWN, at=NOW, purpose="sip", peer="p:1", reason="x")
    excepted = refused.add_exception(OWN, at=NOW).store
    desk.machine.state = replace(desk.state, trust=excepted)
    rows = browser(desk).get("/certificates.json").json()["server_certificates"]
    assert [r["origin"] for r in rows] == ["provisioned, excepted"]
    page = browser(desk).get("/certificates?tab=server").text
    assert 'Server Certificates <span class="count">1</span>' in page


def test_what_a_page_said_is_gone_on_the_next_and_can_be_dismissed(
    admin: Browser,
) -> None:
    said = press(
        admin, "/settings", on="/settings", name="user_name", value="x", idx="13"
    )
    assert "has no idx 13: it is 1 to 12" in said.text
    assert '<a class="button quiet" href="/settings">Dismiss</a>' in said.text
    assert "has no idx" not in admin.get("/settings").text
    assert "has no idx" not in admin.get("/status").text


def test_a_broken_document_is_told_on_the_page_of_a_provisioned_phone(
    desk: Desk,
) -> None:
    from dataclasses import replace

    from linekey.phone.state import FetchedDocument
    from linekey.phone.uses.provisioning.round import Round

    own, other = "https://p.example/own.xml", "https://p.example/common.xml"
    round_ = Round(1, own_url=own).with_result(FetchedDocument(own, 200, True, ""))
    round_ = round_.with_result(FetchedDocument(other, 200, False, "line 3 is no XML"))
    status, reason = round_.outcome()
    desk.machine.state = replace(desk.state, status=status, status_reason=reason)
    page = browser(desk).get("/status").text
    assert "Provisioned" in page
    assert "common.xml was not: line 3 is no XML" in page


def test_a_use_has_its_button_and_its_card_without_a_template_of_its_own(
    desk: Desk, admin: Browser
) -> None:
    assert "<h2>Firmware</h2>" not in admin.get("/status").text
    page = press(admin, "/screen/firmware", on="/maintenance").text
    assert "<h2>Fetch the firmware</h2>" in page
    assert "the settings name no firmware" in page
    request = FetchFirmware("https://prov.test/snomD715-8.9.3.80.bin", True, True)
    desk.press(FirmwareFailed(request, "<b>cannot</b> connect", "look"))
    page = admin.get("/status").text
    assert "<h2>Firmware</h2>" in page
    assert "&lt;b&gt;cannot" in page
    assert "<b>cannot" not in page
    visitor = browser(desk)
    assert "/login" in str(press(visitor, "/screen/firmware").url)
