"""A virtual phone and a server, both ours: it boots, proves itself, gets its settings."""

import asyncio

import pytest
from tests.certificates import MAC, NOW, authority, device, server
from tests.pair.test_phone_bad_input import babbler
from tests.phone_clock import Timers
from tests.phone_server import Route, accept, serve

from linekey.catalog.models import find_model
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import FactoryResetDone
from linekey.phone.state import PhoneState, Status, new_phone

DOCUMENT = b'<settings><phone-settings><language perm="RW">English</language></phone-settings></settings>'
OWN = b"<settings><phone-settings><user_name idx='1'>401</user_name><user_pass idx='1'>hunter2</user_pass></phone-settings></settings>"


def phone(
    url: str,
    model: str = "D785",
    firmware: str = "10.1.33.33",
    generation: str = "sha256",
    **more,
) -> PhoneState:
    return new_phone(
        MAC, model, firmware, setting_server=url, builtin=device(MAC, generation),
        authorities=(authority().certificate,), **more,
    )  # fmt: skip


def routes(model: str = "D785") -> dict[str, Route]:
    name = find_model(model).user_agent_name
    return {f"/{name}.htm": Route(DOCUMENT), f"/{name}-{MAC}.htm": Route(OWN)}


@pytest.mark.parametrize(
    ("model", "firmware", "generation", "version"),
    [
        ("D785", "10.1.33.33", "sha256", "TLSv1.2"),
        ("D715", "8.9.3.60", "sha1", "TLSv1.2"),
        ("710", "8.7.5.35", "sha1", "TLSv1"),
    ],
)
async def test_a_phone_boots_proves_itself_and_gets_its_settings(
    model: str, firmware: str, generation: str, version: str
) -> None:
    name = find_model(model).user_agent_name
    async with serve(server(), verify=accept, require=True) as site:
        site.routes = routes(model)
        lines: list[str] = []
        state = phone(site.url, model, firmware, generation)
        async with (
            asyncio.timeout(20),
            VirtualPhone(
                state, clock=NOW, tell=lambda e: lines.append(e.text)
            ) as running,
        ):
            ended = await running.round_ended()
            report = running.report()
    assert ended.status is Status.PROVISIONED, ended.log
    assert site.paths == [f"/{name}.htm", f"/{name}-{MAC}.htm"]
    assert report["tls"]["version"] == version
    assert report["certificate"]["generation"] == generation
    assert report["fetched"] == [
        {"url": f"{site.url}{path}", "status": 200, "applied": True, "reason": ""}
        for path in site.paths
    ]
    assert report["settings"] == 3
    assert all(asked.leaf == device(MAC, generation).leaf for asked in site.asked)
    assert f"{name}-SIP {firmware}" in site.asked[0].headers["user-agent"]
    assert any("handshake completed" in line for line in lines)
    assert not any("hunter2" in line for line in lines)
    assert any(
        "asked for a certificate; the phone sent" in d
        for e in ended.log
        for d in e.details
    )


async def test_a_factory_reset_during_a_round_ends_the_wait_for_it() -> None:
    async with babbler(None) as silent, asyncio.timeout(20):
        state = phone(f"https://localhost:{silent}/")
        async with VirtualPhone(state, clock=NOW) as running:
            await running.wait_for(lambda s: s.status is Status.PROVISIONING)
            waiting = asyncio.ensure_future(running.round_ended())
            assert (await running.do(FactoryResetDone())).ok
            assert (await waiting).status is Status.OFF


async def test_the_refresh_timer_makes_a_phone_fetch_its_settings_again() -> None:
    timers = Timers()
    every = b"<settings><phone-settings><settings_refresh_timer>%d</settings_refresh_timer></phone-settings></settings>"
    async with serve(server(), verify=accept) as site, asyncio.timeout(20):
        site.routes = {"/snomD785.htm": Route(every % 3600)}
        async with VirtualPhone(
            phone(site.url), clock=NOW, later=timers.later
        ) as running:
            assert (await running.round_ended()).status is Status.PROVISIONED
            assert [t.after_s for t in timers.waiting] == [3600.0]
            site.routes = {"/snomD785.htm": Route(every % 7200)}
            timers.fire()
            await running.wait_for(
                lambda s: s.settings.get("settings_refresh_timer") == "7200"
            )
            await running.round_ended()
            assert [t.after_s for t in timers.waiting] == [7200.0]
            assert "provisioning started: settings_refresh_timer" in [
                e.text for e in running.state.log
            ]
    assert timers.waiting == [], "a phone that is off has no timer"
    assert len(site.asked) == 4
