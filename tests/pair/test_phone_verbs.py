"""``linekey phone press|event|choose|submit|lookup|dot1x`` against a running phone."""

import asyncio
import contextlib
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from tests.certificates import MAC, authority, device, server
from tests.pair.test_phone_bad_input import half_a_directory
from tests.phone_server import Route, serve
from typer.testing import CliRunner

from linekey.cli.phone import app
from linekey.errors import InputError, StorageError
from linekey.phone.document import FunctionKey
from linekey.phone.edge.control import ask, control
from linekey.phone.edge.disk import PhoneFolder, PhoneStore
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.state import new_phone
from linekey.phone.uses.actions.events import (
    KeyPressed,
    NamedKeyPressed,
    SoftKeyPressed,
)
from linekey.phone.uses.actions.handle import key_event
from linekey.phone.uses.browser.events import BackPressed, BrowserLeft
from linekey.phone.uses.directory.events import LookupEnded
from linekey.phone.uses.directory.look_up import Entry, LookupResult
from linekey.phone.uses.sip.events import LineMoved, LinesRead
from linekey.phone.uses.sip.lines import LineStatus
from linekey.phone.uses.sip.states import LineState

MENU = b"""<SnomIPPhoneMenu><Title>Menu</Title><MenuItem><Name>Order</Name><URL>order.xml</URL>
</MenuItem></SnomIPPhoneMenu>"""
ORDER = b"""<SnomIPPhoneInput><Title>Order</Title><URL>done.xml</URL><InputItem>
<DisplayName>Dish</DisplayName><QueryStringParam>dish</QueryStringParam></InputItem>
</SnomIPPhoneInput>"""
TEXT = b"<SnomIPPhoneText><Title>Thanks</Title><Text>Done</Text></SnomIPPhoneText>"


def saved(state_dir: Path, url: str, **settings: str) -> PhoneFolder:
    state = new_phone(
        MAC, "D785", "10.1.33.33", builtin=device(), authorities=(authority().certificate,)
    )  # fmt: skip
    kept = state.settings
    for name, value in {
        "action_incoming_url": f"{url}/call.xml?$remote",
        **settings,
    }.items():
        kept = kept.provision(name, value).settings
    state = replace(
        state, settings=kept, function_keys=(FunctionKey(3, "url", f"{url}/menu.xml"),)
    )
    folder = PhoneStore(state_dir / "phones").folder(MAC)
    folder.save(state)
    return folder


async def listens(path: Path) -> None:
    """Wait until the phone's control socket takes connections."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(StorageError):  # it starts in this very loop
                await asyncio.to_thread(ask, path, {"do": "read-message"})
                return


def linekey(state_dir: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--state", str(state_dir)])


async def test_the_verbs_press_the_running_phones_keys(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(serve(server()))
        site.answer = lambda asked: Route(
            {"/menu.xml": MENU, "/order.xml": ORDER}.get(asked.path, TEXT)
        )
        folder = saved(tmp_path, site.url)
        stack.enter_context(folder.lock())
        state = folder.load(authorities=(authority().certificate,))
        services = (control(folder.control_path),)
        phone = await stack.enter_async_context(
            VirtualPhone(state, keeper=folder, services=services)
        )
        await phone.round_ended()

        async def say(*words: str) -> Result:
            return await asyncio.to_thread(linekey, tmp_path, *words)

        pressed = await say("press", str(MAC), "3")
        assert pressed.exit_code == 0, pressed.output
        assert "on the screen: Menu" in pressed.stdout
        assert "on the screen: Order" in (await say("choose", str(MAC), "1")).stdout
        sent = await say("submit", str(MAC), "Soup & bread", "--json")
        assert json.loads(sent.stdout)["text"] == "on the screen: Thanks"
        assert site.paths[-1] == "/done.xml?dish=Soup%20%26%20bread"
        await say("press", str(MAC), "EXIT")
        fired = await say("event", str(MAC), "incoming", "--remote", "sip:402@lab")
        assert "on the screen: Thanks" in fired.stdout
        assert site.paths[-1] == "/call.xml?sip%3A402%40lab"
        for words, says in {
            ("event", str(MAC), "dnd_on"): "action_dnd_on_url is not set",
            ("event", str(MAC), "nothing"): "no such phone event",
            ("event", str(MAC), "incoming", "--variable", "evil=1"): "no such action URL variable",
            ("lookup", str(MAC), "ada"): "ldap_server is not set",
            ("press", str(MAC), "9"): "function key 9 is not set",
            ("press", str(MAC), "F9"): "no meaning",
        }.items():  # fmt: skip
            refused = await say(*words)
            assert refused.exit_code != 0, words
            assert says in refused.stderr.replace("\n", " "), (words, refused.stderr)


async def test_a_look_up_that_broke_off_prints_what_it_found(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        port, _ = await stack.enter_async_context(half_a_directory(closes=True))
        folder = saved(
            tmp_path, "https://127.0.0.1:1", ldap_server="localhost",
            ldap_port=str(port), ldap_max_hits="0",
        )  # fmt: skip
        stack.enter_context(folder.lock())
        services = (control(folder.control_path),)
        await stack.enter_async_context(VirtualPhone(folder.load(), services=services))
        await listens(folder.control_path)
        done = await asyncio.to_thread(linekey, tmp_path, "lookup", str(MAC), "ada")
        told = await asyncio.to_thread(
            linekey, tmp_path, "lookup", str(MAC), "ada", "--json"
        )
    assert (done.exit_code, told.exit_code) == (3, 3)
    assert done.stdout.strip() == "Ada", done.stderr
    assert "closed the connection before" in done.stderr.replace("\n", " ")
    assert "ldap_max_hits cannot be '0'" in done.stderr
    assert json.loads(told.stdout)["lookup"]["entries"][0]["name"] == "Ada"


async def test_the_running_phone_tells_its_lines_and_its_screen(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(serve(server()))
        site.answer = lambda asked: Route({"/menu.xml": MENU}.get(asked.path, ORDER))
        folder = saved(tmp_path, site.url, user_pass="hunter2")
        before = json.loads(linekey(tmp_path, "show", "--json").stdout)
        assert (before["running"], before["lines"]) == (False, [])
        assert "the phone is not running" in linekey(tmp_path, "show").stdout
        assert linekey(tmp_path, "screen").exit_code == 3
        stack.enter_context(folder.lock())
        phone = await stack.enter_async_context(
            VirtualPhone(
                folder.load(authorities=(authority().certificate,)),
                keeper=folder,
                services=(control(folder.control_path),),
            )
        )
        await phone.round_ended()
        line = LineStatus(1, "sip:401@pbx.test", "Ada", "pbx.test:5061", True)
        await phone.do(LinesRead((line,)))

        async def say(*words: str) -> str:
            done = await asyncio.to_thread(linekey, tmp_path, *words)
            assert done.exit_code == 0, done.stderr
            return done.stdout

        assert "idle" in await say("show")
        why = "registered as sip:401@pbx.test for 3600 s"
        await phone.do(LineMoved(1, LineState.REGISTERED, why))
        await say("press", "3")
        shown = json.loads(await say("show", "--json"))
        assert shown["running"]
        assert [x["state"] for x in shown["lines"]] == ["registered"]
        assert shown["apps"]["minibrowser"]["title"] == "Menu"
        assert f"{why} over TLS" in await say("show")
        screen = await say("screen")
        assert screen.splitlines()[:2] == ["Menu", "  1  Order"]
        assert f"line 1: {why} over TLS" in screen
        assert "function keys: 3 url" in screen
        await say("choose", "1")
        assert "  [Dish]" in await say("screen")
        await phone.do(LookupEnded("ada", LookupResult((Entry("Ada", (), "cn=a"),))))
        assert (await say("screen")).startswith("directory: ada\n  Ada")
        twin = json.loads(await say("screen", "--json"))
        assert (twin["in_front"], twin["message"]["text"]) == (
            "directory",
            "1 hit in the directory",
        )
        assert "running" in await say("list")
        assert json.loads(await say("list", "--json"))[0]["running"]
        for words in (("show",), ("screen",)):
            assert "hunter2" not in await say(*words) + await say(*words, "--json")
    assert "stopped" in linekey(tmp_path, "list").stdout


def test_a_phone_that_does_not_run_presses_nothing(tmp_path: Path) -> None:
    saved(tmp_path, "https://127.0.0.1:1")
    done = linekey(tmp_path, "press", str(MAC), "3")
    assert done.exit_code == 3
    assert "is not running" in done.stderr
    words = " ".join(done.stderr.split())
    assert f"linekey phone run --mac {MAC} --state {tmp_path}" in words


def test_where_there_is_no_phone_the_command_that_makes_one_can_be_copied(
    tmp_path: Path,
) -> None:
    (tmp_path / "phones").mkdir()
    done = linekey(tmp_path, "show")
    assert done.exit_code == 2
    made = "linekey phone run --mac 000413AABBCC --model D785"
    assert f"hint: {made} --state {tmp_path} makes one" in " ".join(done.stderr.split())
    gone = linekey(tmp_path, "show", str(MAC))
    assert f"linekey phone list --state {tmp_path}" in " ".join(gone.stderr.split())


def test_8021x_goes_without_a_running_phone_and_tells_what_is_missing(
    tmp_path: Path,
) -> None:
    folder = saved(tmp_path, "https://127.0.0.1:1")
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    words = (
        "dot1x",
        str(MAC),
        "--radius",
        "127.0.0.1:1812",
        "--secret-file",
        str(secret),
    )
    off = linekey(tmp_path, *words)
    assert off.exit_code == 3
    assert "802.1X is off" in off.stderr
    ca = tmp_path / "ca.der"
    ca.write_bytes(authority().certificate.der)
    put = linekey(tmp_path, "upload", str(ca), "--tab", "802.1x")
    assert put.exit_code == 0, put.output
    assert folder.load().trust.ieee8021x == (authority().certificate,)
    for bad in ("nowhere", ":1", "host:0", "host:x", "host:²", "host:" + "9" * 5000):
        assert (
            linekey(
                tmp_path,
                "dot1x",
                str(MAC),
                "--radius",
                bad,
                "--secret-file",
                str(secret),
            ).exit_code
            != 0
        )


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("3", KeyPressed(3)), ("f1", SoftKeyPressed("F1")), ("*", SoftKeyPressed("*")),
        ("cancel", BackPressed()), ("Exit", BrowserLeft()),
    ],
)  # fmt: skip
def test_a_keys_name_is_read(text: str, event: object) -> None:
    assert key_event(text) == event


def test_a_key_that_is_none_is_refused() -> None:
    assert key_event("HOME") == NamedKeyPressed("home")  # which dkey_home may set
    with pytest.raises(InputError, match="no such key"):
        key_event("4711")
