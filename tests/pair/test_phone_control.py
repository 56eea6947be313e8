"""The command line on a phone: run, look, press; with the phone running and without."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.certificates import (
    MAC,
    NOW,
    OTHER,
    authority,
    device,
    intermediate,
    self_signed,
    server,
)
from tests.phone_server import Route, Site, accept, serve
from typer.testing import CliRunner

from linekey.cli.phone import app
from linekey.errors import LinekeyError, StorageError
from linekey.phone.edge import http
from linekey.phone.edge.control import ANSWER_LIMIT_S, ask, control
from linekey.phone.edge.disk import PhoneFolder, PhoneStore
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import ServerAuthenticationActivated
from linekey.phone.patch import make_patch
from linekey.phone.requests import to_request
from linekey.phone.state import Status, new_phone
from linekey.phone.uses.directory import edge as ldap
from linekey.phone.uses.network import edge as supplicant

FINE = b"<settings><phone-settings><user_pass idx='1'>hunter2</user_pass><language>English</language></phone-settings></settings>"


def call(*words: object, code: int = 0) -> str:
    """Run a verb in this process; its standard output."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(done.exception, LinekeyError):
        done.exit_code = done.exception.exit_code
    elif done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, (done.exit_code, done.output, done.stderr)
    return done.stdout


@contextmanager
def site_in_thread() -> Iterator[Site]:
    """The server in a thread of its own, as the verbs run an event loop themselves."""
    ready, stop = threading.Event(), None
    box: list[Site] = []

    async def main() -> None:
        nonlocal stop
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        box.append(None)  # type: ignore[arg-type]
        async with serve(server(), verify=accept) as site:
            box[0] = site
            box.append(loop)  # type: ignore[arg-type]
            site.answer = lambda asked: Route(FINE)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield box[0]
    finally:
        box[1].call_soon_threadsafe(stop.set)  # type: ignore[attr-defined]
        thread.join(20)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "identity.pem").write_bytes(device(MAC).to_pem())
    (folder / "sha1.pem").write_bytes(device(MAC, "sha1").to_pem())
    (folder / "root.der").write_bytes(authority().certificate.der)
    (folder / "stranger.der").write_bytes(self_signed().der)
    (folder / "signed.der").write_bytes(
        intermediate(authority(), "TEST sub").certificate.der
    )
    (folder / "patch").write_bytes(make_patch(MAC, device(MAC)))
    (folder / "other.patch").write_bytes(make_patch(OTHER, device(OTHER)))
    return folder


def run_once(state: Path, files: Path, url: str, *more: object, code: int = 0) -> dict:
    out = call(
        "run", "--mac", "00:04:13:aa:bb:cc", "--setting-server", url, "--state", state, "--clock", NOW.isoformat(),
        "--once", "--json", *more, code=code,
    )  # fmt: skip
    return json.loads(out)


def test_a_phone_is_run_looked_at_and_reset(state: Path, files: Path) -> None:
    with site_in_thread() as site:
        new = (
            "--model",
            "D785",
            "--firmware",
            "10.1.33.33",
            "--identity",
            files / "identity.pem",
        )
        refused = run_once(state, files, site.url, *new, code=1)
        assert refused["state"] == "refused"
        unknown = json.loads(call("certificates", "--state", state, "--json"))[
            "unknown"
        ]
        assert [u["purpose"] for u in unknown] == ["provisioning"]
        call("exception", unknown[0]["sha256"][:10], "--state", state)
        document = run_once(state, files, site.url)
    assert document["state"] == "provisioned"
    assert document["tls"]["version"] == "TLSv1.2"
    assert document["certificate"]["key_bits"] == 2048
    assert [f["status"] for f in document["fetched"]] == [200, 200]
    shown = json.loads(call("show", "--state", state, "--json"))
    assert shown["state"] == "provisioned"
    assert shown["server_authentication"]["forced"]
    rows = json.loads(call("settings", "--state", state, "--json"))
    assert {r["name"]: r["value"] for r in rows} == {
        "user_pass": "********",
        "language": "English",
    }
    for verb in ("show", "settings", "certificates", "log", "list"):
        text = call(verb, "--state", state)
        assert text.strip()
        assert "hunter2" not in text + call(verb, "--state", state, "--json")
    lines = json.loads(call("log", "--state", state, "--json"))
    assert any("server refused" in line["text"] for line in lines)
    call("factory-reset", "--state", state, "--yes")
    assert json.loads(call("settings", "--state", state, "--json")) == []


def test_the_buttons_work_on_a_phone_that_does_not_run(
    state: Path, files: Path
) -> None:
    folder = PhoneStore(state / "phones").folder(MAC)
    phone = new_phone(MAC, "D715", "8.9.3.60", builtin=device(MAC, "sha1"))
    folder.save(phone)
    at = ("--state", state)
    call("set", "language", "Deutsch", *at)
    call("set", "user_name", "401", "--idx", "1", *at)
    assert "only a factory reset" in call("activate", *at)
    call("patch", files / "other.patch", *at, code=3)
    call("patch", files / "patch", *at)
    call("upload", files / "stranger.der", *at, code=3)
    call("upload", files / "root.der", *at, code=3)
    call("provision", *at, code=3)
    call("exception", "00000000", *at, code=3)
    call("set", str(OTHER), "x", "y", *at, code=2)
    answer = json.loads(call("upload", files / "stranger.der", "--json", *at, code=3))
    assert answer["ok"] is False
    assert "signed by none" in answer["text"]
    after = PhoneFolder(folder.path).load()
    assert after.settings.get("language") == "Deutsch"
    assert after.server_authentication
    assert after.identity.kind == "patched"


def test_the_buttons_work_on_a_phone_that_runs_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / "state"
    folder = PhoneStore(deep / "phones").folder(MAC)
    phone = new_phone(MAC, "D715", "8.9.3.60", builtin=device(MAC, "sha1"))

    async def more(running: VirtualPhone, request: object) -> dict[str, str]:
        return {"text": f"pressed on {running.state.mac}"}

    async def main() -> None:
        with folder.lock():
            folder.save(phone)
            service = control(folder.control_path, {"press": more})
            async with VirtualPhone(
                phone, keeper=folder, clock=NOW, services=(service,)
            ) as running:
                await running.round_ended()
                answer = await asyncio.to_thread(
                    ask,
                    folder.control_path,
                    to_request(ServerAuthenticationActivated()),
                )
                assert answer["ok"]
                assert running.state.server_authentication
                text = await asyncio.to_thread(
                    call, "set", "language", "Deutsch", "--state", deep
                )
                assert "language was set" in text
                assert running.state.settings.get("language") == "Deutsch"
                assert (
                    await asyncio.to_thread(ask, folder.control_path, {"do": "press"})
                )["text"].startswith("pressed")
                for nonsense in (
                    {},
                    {"do": "x"},
                    {"do": "upload", "data": "!"},
                    {"do": "set"},
                    {"do": ["a"]},
                ):
                    answer = await asyncio.to_thread(ask, folder.control_path, nonsense)
                    assert not answer["ok"]
                assert running.state.status is Status.IDLE

    asyncio.run(main())
    assert PhoneFolder(folder.path).load().server_authentication
    with pytest.raises(StorageError, match="does not answer"):
        ask(folder.control_path, {"do": "activate"})


def test_a_lab_phone_needs_no_identity_file_and_keeps_the_one_it_got(
    state: Path,
) -> None:
    cases = (("D785", "sha256", 2048), ("D715", "sha1", 1024), ("320", "sha1", 1024))
    for number, (model, generation, kind) in enumerate(cases):
        mac = f"00041300000{number}"
        report = [
            json.loads(call("run", "--mac", mac, "--model", model, "--state", state, "--once", "--json", code=1))
            for _ in range(2)
        ]  # fmt: skip
        assert report[0]["certificate"] == report[1]["certificate"]
        assert report[0]["certificate"]["generation"] == generation
        assert report[0]["certificate"]["key_bits"] == kind
        assert report[0]["state"] == "idle"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "--mac", "x"), 2),
        (("run", "--mac", MAC), 2),
        (("run", "--mac", MAC, "--model", "D999"), 2),
        (("run", "--mac", MAC, "--model", "D785", "--firmware", "x"), 2),
        (("run", "--mac", MAC, "--model", "D785", "--clock", "yesterday"), 2),
        (("run", "--mac", MAC, "--model", "D785", "--firmware-date", "2001-01-01"), 2),
        (("run", "--mac", MAC, "--model", "D785", "--identity", "/no/such/file"), 2),
        (("show",), 3),
        (("log", "x"), 3),
    ],
)
def test_bad_input_is_an_error_with_its_exit_code(
    words: tuple[object, ...], code: int, state: Path
) -> None:
    call(*words, "--state", state, code=code)


def test_a_request_may_take_longer_than_whatever_it_waits_for() -> None:
    longest = max(http.TIME_LIMIT_S, ldap.TIME_LIMIT_S, 2 * supplicant.TIME_LIMIT_S)
    assert longest + 10 < ANSWER_LIMIT_S


def test_a_request_that_takes_too_long_is_answered_in_words(tmp_path: Path) -> None:
    async def never(phone: VirtualPhone, request: object) -> dict[str, object]:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nothing ends this wait")

    async def main() -> None:
        path = tmp_path / "control"
        service = control(path, {"wait": never}, answer_limit_s=0.05)
        phone = new_phone(MAC, "D785", "10.1.33.33", builtin=device())
        async with VirtualPhone(phone, clock=NOW, services=(service,)) as running:
            await running.round_ended()
            answer = await asyncio.to_thread(ask, path, {"do": "wait"})
            assert not answer["ok"]
            assert answer["text"] == "the phone has not answered within 0.05 s"
            assert "linekey phone log" in answer["hint"]
            later = await asyncio.to_thread(ask, path, {"do": "activate"})
            assert later["ok"], "the phone goes on"

    asyncio.run(main())
