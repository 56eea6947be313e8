"""Firmware over HTTPS: fetched as this phone, judged, bounded, told; also from the CLI."""

import asyncio
import hashlib
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.certificates import MAC, NOW, authority, device, server
from tests.pair.test_phone_verbs import linekey, saved
from tests.phone_server import Asked, Route, Site, accept, serve

from linekey.phone.edge.control import control
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import Answer, ExceptionAdded
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.firmware import edge
from linekey.phone.uses.firmware.events import FirmwareWanted
from linekey.phone.uses.firmware.handle import FirmwareFile

NAME = "snomD785-10.1.140.15-SIP-r.bin"
IMAGE = b"\x27\x05\x19\x56" + bytes(range(256)) * 800


def phone(url: str, name: str = f"/fw/{NAME}", **more: str) -> PhoneState:
    state = new_phone(
        MAC, "D785", "10.1.33.33", builtin=device(), authorities=(authority().certificate,)
    )  # fmt: skip
    kept = state.settings
    for setting, value in {"firmware": f"{url}{name}", **more}.items():
        kept = kept.provision(setting, value).settings
    return replace(state, settings=kept)


async def fetched(state: PhoneState) -> tuple[Answer, PhoneState]:
    async with VirtualPhone(state, clock=NOW) as running:
        await running.round_ended()
        async with asyncio.timeout(20):
            answer = await running.do(FirmwareWanted())
            # What its connection left behind came before it.
            return answer, running.state


async def test_a_phone_fetches_its_firmware_by_itself_with_its_certificate() -> None:
    named = f"<firmware-settings><firmware>{NAME}</firmware></firmware-settings>"

    def answers(asked: Asked) -> Route:
        if asked.path.startswith("/fw/D785.xml"):
            return Route(named.encode())
        if asked.path == f"/fw/{NAME}":
            return Route(IMAGE)
        return Route(
            b"<settings><phone-settings><firmware_status>/fw/D785.xml</firmware_status>"
            b"<update_policy>auto_update</update_policy></phone-settings></settings>"
        )

    async with serve(server(), verify=accept) as site:
        site.answer = answers
        state = replace(phone(site.url), bootstrap_server=f"{site.url}/p")
        state = replace(state, settings=new_phone(MAC, "D785", "10.1.33.33").settings)
        async with VirtualPhone(state, clock=NOW) as running:
            async with asyncio.timeout(20):
                done = await running.wait_for(
                    lambda s: (
                        (last := s.part(FirmwareFile).last) is not None and last.ok
                    )
                )
    last = done.part(FirmwareFile).last
    assert last is not None
    assert (last.version, last.size) == ("10.1.140.15", len(IMAGE))
    assert last.sha256 == hashlib.sha256(IMAGE).hexdigest()
    assert site.paths[-2:] == ["/fw/D785.xml", f"/fw/{NAME}"]
    assert all(a.leaf == device().leaf for a in site.asked[-2:])
    told = [e for e in done.log if e.purpose == "firmware"]
    assert any("handshake completed, server accepted" in e.text for e in told)
    assert "a real phone would install 10.1.140.15" in told[-1].text


async def test_a_server_that_is_not_trusted_is_refused_on_the_tab_and_can_be_excepted() -> (
    None
):
    async with serve(server(root=authority("TEST stranger root"))) as site:
        site.answer = lambda _: Route(IMAGE)
        async with VirtualPhone(phone(site.url), clock=NOW) as running:
            await running.round_ended()
            answer = await running.do(FirmwareWanted())
            assert not answer.ok
            (unknown,) = running.state.trust.unknown
            assert unknown.purpose == "firmware"
            notice = running.state.notifications[0]
            assert notice.text.startswith("Firmware: the certificate of")
            assert not site.asked
            await running.do(ExceptionAdded(unknown.certificate.sha256))
            assert (await running.do(FirmwareWanted())).ok


def raw(head: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {head}\r\nconnection: close\r\n\r\n".encode() + body


BAD = [
    (None, Route(b"gone", 404), "answered 404"),
    (None, Route(b"<html>Log in</html>"), "no firmware"),
    (None, Route(b""), "empty"),
    (None, Route(IMAGE * 2), "larger than"),
    (None, Route(IMAGE, headers=(("content-encoding", "gzip"),)), "compressed"),
    (None, Route(b"", 302, (("location", "http://127.0.0.1:1/x"),)), "cannot connect"),
    (raw("200 OK\r\ncontent-length: 100000", IMAGE[:500]), Route(), "received 500 bytes, expected 100000"),
    (b"\x00\x01\x02", Route(), "no HTTP"),
]  # fmt: skip


@pytest.mark.parametrize(("bytes_", "route", "says"), BAD)
async def test_a_bad_answer_is_told_with_its_reason_and_the_phone_goes_on(
    bytes_: bytes | None, route: Route, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "MAX_FILE", len(IMAGE))
    async with serve(server()) as site:
        site.answer, site.raw = (lambda _: route), bytes_
        answer, state = await fetched(phone(site.url))
    assert not answer.ok
    assert answer.hint
    last = state.part(FirmwareFile).last
    assert last is not None
    assert last.text == answer.text
    assert state.log[-1].level == "error"
    assert says in answer.text, answer.text


async def test_a_redirect_from_https_to_plain_http_is_no_firmware() -> None:
    async with serve(None) as plain, serve(server()) as site:
        plain.answer = lambda _: Route(IMAGE)
        away = (("location", f"{plain.url}/fw/{NAME}"),)
        site.answer = lambda _: Route(b"", 302, away)
        answer, _ = await fetched(phone(site.url))
        assert plain.paths, "it was followed, as a phone follows it"
    assert not answer.ok
    assert "plain HTTP" in answer.text
    assert "https" in answer.hint


async def test_a_document_that_drips_is_given_up_in_time_for_whoever_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edge, "DOCUMENT_LIMIT_S", 0.05)
    async with serve(server()) as site:
        site.raw = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n"
        state = phone(site.url, firmware="", firmware_status=f"{site.url}/f.xml")
        answer, _ = await fetched(state)
    assert not answer.ok


async def test_the_verb_says_what_it_is_and_show_and_json_tell_of_it(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        site: Site = await stack.enter_async_context(serve(server()))
        site.answer = lambda _: Route(IMAGE)
        folder = saved(tmp_path, site.url, firmware=f"{site.url}/fw/{NAME}")
        stack.enter_context(folder.lock())
        state = folder.load(authorities=(authority().certificate,))
        services = (control(folder.control_path),)
        running = await stack.enter_async_context(
            VirtualPhone(state, keeper=folder, services=services)
        )
        await running.round_ended()

        async def say(*words: str) -> tuple[int, str]:
            done = await asyncio.to_thread(linekey, tmp_path, *words)
            return done.exit_code, done.stdout

        code, text = await say("firmware", str(MAC))
        assert code == 0, text
        assert "a real phone would install 10.1.140.15" in " ".join(text.split())
        code, text = await say("firmware", "--json")
        found = json.loads(text)["firmware"]
        assert found["sha256"] == hashlib.sha256(IMAGE).hexdigest()
        _, text = await say("show", "--json")
        assert json.loads(text)["apps"]["firmware_file"]["bytes"] == len(IMAGE)
        _, text = await say("show")
        assert "firmware file" in text
        site.answer = lambda _: Route(b"", 404)
        done = await asyncio.to_thread(linekey, tmp_path, "firmware")
        assert done.exit_code == 3
        assert "answered 404" in done.stderr
        assert "hint: put the file there" in done.stderr
