"""Action URLs, function keys and minibrowser against nginx, exported, mutual TLS."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import authority, server
from tests.live.conftest import Place
from tests.live.peers import NAME, Peer, exported_peer, free_port, open_folder, running

from linekey.catalog.models import Generation
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.export.render import Export
from linekey.phone.display import Display
from linekey.phone.document import FunctionKey
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import Answer, Event, ExceptionAdded
from linekey.phone.identity import DeviceIdentity
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.phone.uses.actions.events import ActionHappened, KeyPressed, SoftKeyPressed
from linekey.phone.uses.browser.browsing import Browsing, describe_page
from linekey.phone.uses.browser.events import BackPressed, EntryChosen, FormSubmitted
from linekey.phone.uses.browser.minibrowser import Page

pytestmark = pytest.mark.peer("nginx")

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
PAGES = {
    "menu.xml": """<SNOMIPPhoneMenu track="yes"><Title>Canteen</Title>
        <MenuItem><Name>Today</Name><URL>today.xml</URL></MenuItem>
        <MenuItem><Name>Order</Name><URL>order.xml</URL></MenuItem>
        <MenuItem><Name>Picture</Name><URL>picture.xml</URL></MenuItem>
        <SoftKeyItem><Name>F1</Name><Label>Leave</Label><URL>snom://mb_exit</URL></SoftKeyItem>
        </SNOMIPPhoneMenu>""",
    "today.xml": "<SnomIPPhoneText><Title>Today</Title><Text>Soup<br/>Bread</Text></SnomIPPhoneText>",
    "order.xml": """<SnomIPPhoneInput><Title>Order</Title><URL>ordered.xml</URL>
        <InputItem><DisplayName>Dish</DisplayName><QueryStringParam>dish</QueryStringParam>
        <DefaultValue/><InputFlags>a</InputFlags></InputItem></SnomIPPhoneInput>""",
    "ordered.xml": """<SnomIPPhoneText><Title>Ordered</Title><Text>Thank you</Text>
        <fetch mil="500">today.xml</fetch></SnomIPPhoneText>""",
    "picture.xml": "<SnomIPPhoneImageFile><Title>Dish</Title><URL>dish.png</URL></SnomIPPhoneImageFile>",
    "evil.xml": '<!DOCTYPE x [<!ENTITY a "b">]><SnomIPPhoneText><Text>&a;</Text></SnomIPPhoneText>',
    "incoming.xml": "<SnomIPPhoneText><Title>Caller</Title><Text>Ada calls</Text></SnomIPPhoneText>",
}  # fmt: skip


def phone(
    place: Place, url: str, *, trusts: bool = True, **settings: str
) -> PhoneState:
    chain, key = place.lab.device_identity(place.phone, Generation.SHA256)
    state = new_phone(
        place.phone, "D785", "10.1.33.33",
        builtin=DeviceIdentity(chain, private_key_to_pem(key)),
        authorities=(place.lab.server_root(), authority().certificate) if trusts else (),
    )  # fmt: skip
    given = {
        "action_incoming_url": f"{url}/incoming.xml?who=$remote&name=$display_remote&line=$local&pass=$user_pass1",
        "user_pass": "hunter2", **settings,
    }  # fmt: skip
    kept = state.settings
    for name, value in given.items():
        idx = 1 if name.startswith("user_") else None
        kept = kept.provision(name, value, idx=idx).settings
    keys = (
        FunctionKey(0, "line", "1", label="Line 1"),
        FunctionKey(3, "url", f"{url}/menu.xml?mac=$mac&key=$active_key", label="Canteen"),
        FunctionKey(4, "url", f"{url}/evil.xml"),
        FunctionKey(5, "url", f"{url}/nowhere.xml"),
        FunctionKey(6, "speed", "402"),
    )  # fmt: skip
    return replace(state, settings=kept, function_keys=keys)


async def press(running: VirtualPhone, event: Event) -> Answer:
    async with asyncio.timeout(30):
        return await running.do(event)


def shown(running: VirtualPhone) -> Page:
    page = running.state.part(Browsing).browser.page
    assert page is not None
    return page


@pytest.fixture
def files() -> Iterator[Path]:
    with open_folder() as folder:
        for name, text in PAGES.items():
            (folder / name).write_text(text)
        (folder / "dish.png").write_bytes(PIXEL)
        yield folder


async def test_function_keys_and_the_minibrowser_work_with_mutual_tls(
    place: Place, files: Path, record_interop: Any
) -> None:
    async with (
        exported_peer(place, "nginx", files=files) as peer,
        VirtualPhone(phone(place, peer.url)) as running,
    ):
        answer = await press(running, KeyPressed(3))
        assert answer == Answer(True, "on the screen: Canteen"), (
            answer,
            peer.log(),
        )
        assert [e.label for e in shown(running).entries] == [
            "Today",
            "Order",
            "Picture",
        ]
        await press(running, EntryChosen(0))
        assert shown(running).lines == ("Soup", "Bread")
        await press(running, BackPressed())
        await press(running, EntryChosen(2))
        async with asyncio.timeout(10):
            await running.wait_for(lambda s: s.part(Browsing).image == PIXEL)
        view = describe_page(running.state)
        assert view is not None
        assert view["image"] == "image/png"
        await press(running, BackPressed())
        await press(running, SoftKeyPressed("F1"))
        assert running.state.part(Browsing).browser.page is None
        line = await press(running, KeyPressed(6))
        assert "a real phone would call 402" in line.text
        evil = await press(running, KeyPressed(4))
        assert not evil.ok
        assert "document type declaration is refused" in evil.text
        assert running.state.part(Browsing).browser.page is None
        missing = await press(running, KeyPressed(5))
        assert "the server answered 404" in missing.text
        ended = running.state
    log = peer.log()
    assert "verify=SUCCESS" in log
    assert str(place.phone) in log
    purposes = {e.purpose for e in ended.log}
    assert {"function-key", "minibrowser"} <= purposes
    record_interop("nginx", "virtual phone: function key and minibrowser, mutual TLS")
    record_interop("nginx", "virtual phone: hostile minibrowser XML", "refused, told")


async def test_an_input_page_is_sent_and_a_page_fetches_its_next_by_itself(
    place: Place, files: Path
) -> None:
    async with (
        exported_peer(place, "nginx", files=files) as peer,
        VirtualPhone(phone(place, peer.url)) as running,
    ):
        await press(running, KeyPressed(3))
        await press(running, EntryChosen(1))
        answer = await press(running, FormSubmitted(("Soup & bread",)))
        assert answer.text == "on the screen: Ordered"
        assert shown(running).url.endswith("/ordered.xml?dish=Soup%20%26%20bread")
        async with asyncio.timeout(10):
            await running.wait_for(
                lambda s: s.part(Browsing).browser.page is not None and s.part(Browsing).browser.page.title == "Today"
            )  # fmt: skip


async def test_an_action_url_is_fetched_expanded_and_its_page_shown(
    place: Place, record_interop: Any
) -> None:
    """The query is nginx's to log here, so the configuration is the test's own."""
    async with plain_nginx(place, "location / { root html; }") as peer:
        (peer.folder / "html" / "incoming.xml").write_text(PAGES["incoming.xml"])
        async with VirtualPhone(phone(place, peer.url)) as running:
            answer = await press(
                running,
                ActionHappened(
                    "incoming",
                    {"remote": "sip:402@lab", "display_remote": "Ada & <Co>", "local": "401@lab"},
                    asked=True,
                ),
            )  # fmt: skip
            assert answer == Answer(True, "on the screen: Caller")
            unset = await press(running, ActionHappened("dnd_on", asked=True))
            nothing = await press(running, ActionHappened("no_such_event", asked=True))
            ended = running.state
    assert (
        "/incoming.xml?who=sip%3A402%40lab&name=Ada%20%26%20%3CCo%3E&line=401%40lab&pass= "
        in peer.log()
    )
    assert "hunter2" not in peer.log() + "".join(map(str, ended.log))
    assert "action_dnd_on_url is not set" in unset.text
    assert "incoming" in nothing.hint
    record_interop(
        "nginx", "virtual phone: action URL with variables, answered with a page"
    )


async def test_an_unknown_server_of_a_function_key_is_shelved_and_excepted(
    place: Place, files: Path, record_interop: Any
) -> None:
    async with exported_peer(place, "nginx", files=files) as peer:
        state = phone(place, peer.url, trusts=False)
        async with VirtualPhone(state) as running:
            refused = await press(running, KeyPressed(3))
            (unknown,) = running.state.trust.unknown
            assert not refused.ok
            assert (unknown.purpose, unknown.peer) == (
                "function-key",
                f"{NAME}:{peer.port}",
            )
            action = await press(running, ActionHappened("incoming", asked=True))
            assert not action.ok
            assert running.state.trust.unknown[0].purpose == "action-url"
            await running.do(ExceptionAdded(unknown.certificate.sha256))
            assert (await press(running, KeyPressed(3))).ok
    record_interop(
        "nginx",
        "virtual phone: unknown CA at a function key, then an exception",
        "refused, then works",
    )


CONFIGURATION = """
worker_processes 1;
pid {folder}/run/nginx.pid;
error_log {folder}/run/error.log warn;
events {{ worker_connections 64; }}
http {{
  log_format all '"$request" $status user=$remote_user';
  access_log {folder}/run/access.log all;
  client_body_temp_path {folder}/run/body; proxy_temp_path {folder}/run/proxy;
  fastcgi_temp_path {folder}/run/f; uwsgi_temp_path {folder}/run/u; scgi_temp_path {folder}/run/s;
  types {{ application/xml xml htm; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.crt;
    ssl_certificate_key {folder}/server.key;
    {locations}
  }}
}}
"""


@asynccontextmanager
async def plain_nginx(place: Place, locations: str) -> AsyncIterator[Peer]:
    """nginx without client certificates, with locations of the test."""
    with open_folder() as folder:
        identity = server(NAME)
        (folder / "html").mkdir()
        (folder / "server.crt").write_text("".join(map(to_pem, identity.chain)))
        (folder / "server.key").write_bytes(identity.key_pem)
        port = free_port()
        locations = locations.replace("root html", f"root {folder}/html").replace(
            "FOLDER", str(folder)
        )
        (folder / "nginx.conf").write_text(
            CONFIGURATION.format(folder=folder, port=port, locations=locations)
        )  # fmt: skip
        made = Export("nginx", (), (), (), ())
        async with running(Peer("nginx", port, folder, made)) as peer:
            yield peer


DOCUMENT = (
    "<settings><phone-settings><language>English</language></phone-settings></settings>"
)


async def test_provisioning_follows_redirects_and_answers_basic_authentication(
    place: Place, record_interop: Any
) -> None:
    locations = """
      location /start/ { return 302 /real$request_uri; }
      location /real/ { auth_basic "phones, and more"; auth_basic_user_file FOLDER/users; root html; }
      location /loop/ { return 302 /loop$request_uri; }
    """
    async with plain_nginx(place, locations) as peer:
        (peer.folder / "users").write_text("desk:{PLAIN}geheim\n")
        real = peer.folder / "html" / "real" / "start"
        real.mkdir(parents=True)
        for name in ("snomD785.htm", f"snomD785-{place.phone}.htm"):
            (real / name).write_text(DOCUMENT)
        known = {"http_client_user": "desk", "http_client_pass": "geheim"}
        state = replace(
            phone(place, peer.url, **known), bootstrap_server=f"{peer.url}/start/"
        )
        async with asyncio.timeout(30), VirtualPhone(state) as running_phone:
            ended = await running_phone.round_ended()
        assert ended.status is Status.PROVISIONED, ended.log[-5:]
        wrong = replace(phone(place, peer.url), bootstrap_server=f"{peer.url}/start/")
        async with asyncio.timeout(30), VirtualPhone(wrong) as running_phone:
            refused = await running_phone.round_ended()
        loop = replace(phone(place, peer.url), bootstrap_server=f"{peer.url}/loop/")
        async with asyncio.timeout(30), VirtualPhone(loop) as running_phone:
            looped = await running_phone.round_ended()
    assert "user=desk" in peer.log()
    assert refused.status is Status.REFUSED
    assert {f.status for f in refused.fetched} == {401}
    assert looped.status is Status.FAILED
    assert "redirect" in str(looped.fetched)
    assert "geheim" not in "".join(map(str, ended.log))
    record_interop("nginx", "virtual phone: provisioning with redirect and HTTP basic")
    record_interop("nginx", "virtual phone: a redirect loop", "given up, told")


async def test_a_hundred_megabytes_are_not_taken(
    place: Place, record_interop: Any
) -> None:
    async with plain_nginx(place, "location / { root html; }") as peer:
        with (peer.folder / "html" / "menu.xml").open("wb") as file:
            file.truncate(100 * 1024 * 1024)
        (peer.folder / "html" / "incoming.xml").write_text(PAGES["incoming.xml"])
        async with VirtualPhone(phone(place, peer.url)) as running:
            answer = await press(running, KeyPressed(3))
            assert not answer.ok
            assert "larger than" in answer.text
            other = await press(running, ActionHappened("incoming", asked=True))
            assert other.ok
            assert running.state.part(Display).message is None
    record_interop("nginx", "virtual phone: an answer of 100 MB", "cut off, told")
