"""A phone that verifies nobody until its file says so: the file brings the root, too."""

import asyncio
from pathlib import Path

import pytest

from linekey.lab import stage as lab
from linekey.lab.stage import Stage, cast
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.states import LineState
from linekey.store.paths import StateDir
from linekey.trust.anchors import NO_ANCHORS


def grandstream(folder: Path) -> Stage:
    return Stage(
        StateDir.open(folder / "s"),
        cast("GRP2614", None, None, port=0, status_port=0),
        tell_server=lambda entry: None,
        tell_phone=lambda entry: None,
        tell_registrar=lambda at, said: None,
        passing=True,
    )


async def test_what_the_file_brings_proves_the_registrar(tmp_path: Path) -> None:
    stage = grandstream(tmp_path)
    async with stage:
        root = stage.lab.server_root()
        assert root not in stage.phone.state.trusted.anchors
        await stage.power_on()
        await stage.phone.round_ended()
        assert await stage.registered()
        state = stage.phone.state
        assert root in state.trusted.anchors
        assert state.settings.get("tls_server_authentication") == "on"
        assert state.settings.get("check_fqdn_against_server_cert") == "on"


async def test_without_it_the_phone_refuses_the_registrar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "anchors_of", lambda *_: NO_ANCHORS)
    stage = grandstream(tmp_path)
    async with stage:
        await stage.power_on()
        await stage.phone.round_ended()
        async with asyncio.timeout(20):
            await stage.phone.wait_for(
                lambda state: state.part(Lines).lines[0].state is LineState.WAITING
            )
        assert stage.lab.server_root() not in stage.phone.state.trusted.anchors
