"""An export that follows the registry: a real Kamailio, told by ``--watch``."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import NOW, Place
from tests.live.peers import NAME, Peer, free_port, open_folder, prepare, running
from tests.live.sip_line import SECRET, USER, line, register
from tests.live.test_monitoring import run
from tests.live.test_serve_command import PROGRAM, clean_environment

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.export.account import DEBIAN
from linekey.export.render import Export
from linekey.provisioning.document import Setting
from linekey.store.devices import Devices
from linekey.store.exported import read_exports

pytestmark = [pytest.mark.peer("kamailio"), pytest.mark.peer("openssl")]
GUARD_S = 60
"""Only so that a failure does not hang."""


def set_account(place: Place, password: str = SECRET, label: str = "") -> None:
    lines = (
        Setting("user_name", USER, idx=1),
        Setting("user_host", f"{NAME}:5061;transport=tls", idx=1),
        Setting("user_pass", password, idx=1),
    )
    Devices(place.database).change(
        place.phone,
        lambda d: replace(d, label=label, layer=d.layer.with_settings(*lines)),
        NOW,
    )


async def linekey(place: Place, *words: str) -> str:
    state = ("--state", str(place.state.root))
    return await run(*PROGRAM, *words, *state, cwd=place.folder)


@asynccontextmanager
async def exported(place: Place) -> AsyncIterator[Peer]:
    """Kamailio as ``linekey export --out`` wrote it."""
    with open_folder() as folder:
        chain, key = place.lab.server_identity()
        (folder / "server.crt").write_text("".join(map(to_pem, chain)))
        (folder / "server.key").write_bytes(private_key_to_pem(key))
        if os.geteuid() == 0:
            await place.run(
                "chgrp", DEBIAN["kamailio"].group, str(folder / "server.key")
            )
        (folder / "server.key").chmod(0o640)
        port = free_port()
        await linekey(
            place, "export", "kamailio", "--out", str(folder), "--name", NAME,
            "--listen", f"127.0.0.1:{port}",
            "--certificate", str(folder / "server.crt"),
            "--key", str(folder / "server.key"),
        )  # fmt: skip
        made = as_exported(folder, port)
        await prepare(place, made)
        async with running(Peer("kamailio", port, folder, made)) as peer:
            yield peer


def as_exported(folder: Path, port: int) -> Export:
    from linekey.export.account import DEBIAN
    from linekey.export.peers import find_peer

    peer, account = find_peer("kamailio"), DEBIAN["kamailio"]
    words = {"folder": folder, "user": account.user, "group": account.group}
    return Export(
        "kamailio", (), (), tuple(run.format_map(words) for run in peer.run), (),
        prepare=peer.rights.preparation(account, str(folder)),
    )  # fmt: skip


@asynccontextmanager
async def watching(place: Place) -> AsyncIterator[list[str]]:
    """``linekey export --watch``; what it says."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "export", "--watch", "--state", str(place.state.root),
        env=clean_environment(), stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said: list[str] = []

    async def listen() -> None:
        assert process.stderr is not None
        async for text in process.stderr:
            said.append(text.decode())  # noqa: PERF401 - read while it runs

    reader = asyncio.create_task(listen())
    try:
        yield said
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0, said
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reader


async def up_to_date(place: Place, said: list[str], times: int) -> None:
    async with asyncio.timeout(GUARD_S):
        while sum("written and read by kamailio" in line for line in said) < times:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    assert read_exports(place.state.root)


async def answer_to(place: Place, peer: Peer, secret: str) -> str:
    async with line(place, peer, place.identity(place.phone)) as phone:
        challenge = await phone.ask(register())
        if not challenge.startswith("SIP/2.0 401"):
            return challenge
        return await phone.ask(register(challenge=challenge, secret=secret, cseq=2))


async def test_accounts_follow_the_registry(place: Place, record_interop: Any) -> None:
    set_account(place)
    async with exported(place) as peer:
        accounts = peer.folder / "dbtext" / "accounts"
        assert accounts.stat().st_mode & 0o777 == 0o640
        assert SECRET not in accounts.read_text()
        assert (await answer_to(place, peer, SECRET)).startswith("SIP/2.0 200")
        async with watching(place) as said:
            set_account(place, "new-geheim")
            await up_to_date(place, said, 1)
            assert accounts.stat().st_mode & 0o777 == 0o640, "as it was given"
            assert (await answer_to(place, peer, SECRET)).startswith("SIP/2.0 401")
            assert (await answer_to(place, peer, "new-geheim")).startswith(
                "SIP/2.0 200"
            )
            told = await linekey(place, "device", "revoke", str(place.phone))
            assert f"{peer.folder}" in told
            assert "still lets it in" in told
            await up_to_date(place, said, 2)
            refused = await answer_to(place, peer, "new-geheim")
            assert refused.startswith("SIP/2.0 403"), refused
        assert not any("geheim" in line for line in said)
    record_interop("kamailio", "accounts follow the registry: password, revocation")


async def test_a_server_that_cannot_be_told_is_told_again(place: Place) -> None:
    set_account(place)
    with open_folder() as folder:
        flag = folder / "flag"
        script = folder / "reload.sh"
        script.write_text(f"#!/bin/sh\n[ -e {flag} ] || {{ touch {flag}; echo away >&2; exit 1; }}\n")  # fmt: skip
        script.chmod(0o700)
        await linekey(
            place, "export", "kamailio", "--out", str(folder / "k"), "--name", NAME,
            "--listen", "127.0.0.1:5061", "--reload", str(script),
        )  # fmt: skip
        async with watching(place) as said:
            set_account(place, "other")
            await up_to_date(place, said, 1)
        assert any("was not told" in line and "away" in line for line in said), said
