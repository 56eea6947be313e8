"""slapd's phone book from the registry: exported, run, and followed by ``--watch``."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import peer_path
from tests.live.conftest import NOW, Place
from tests.live.peers import NAME, free_port, open_folder
from tests.live.test_export_follows import GUARD_S, linekey, watching
from tests.live.test_export_https import modernize
from tests.live.test_phone_directory import ask, names, phone

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.export.account import DEBIAN
from linekey.phone.edge.runner import VirtualPhone
from linekey.provisioning.document import Setting
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("slapd"), pytest.mark.peer("openssl")]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")


def name_phone(place: Place, label: str, number: str = "4711") -> None:
    line = Setting("user_name", number, idx=1)
    Devices(place.database).change(
        place.phone,
        lambda d: replace(d, label=label, layer=d.layer.with_settings(line)),
        NOW,
    )


def start_script(folder: Path) -> Path:
    """What systemd does with the unit: end slapd, then ExecStartPre and ExecStart."""
    unit = (folder / "linekey-slapd.service").read_text()
    before = re.findall(r"^ExecStartPre=(.*)$", unit, re.M)
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.M)
    user = re.findall(r"^User=(.*)$", unit, re.M)[0]
    pid = f"{folder}/run/slapd.pid"
    lines = [
        "#!/bin/sh", "set -e",
        f"if [ -s {pid} ]; then", f"  old=$(cat {pid}); kill $old",
        "  while kill -0 $old 2>/dev/null; do sleep 0.1; done", "fi",
        *(f"runuser -u {user} -- {command}" for command in before),
        f"runuser -u {user} -- {start} >{folder}/run/slapd.log 2>&1 </dev/null &",
        f"while [ ! -s {pid} ]; do sleep 0.1; done",
    ]  # fmt: skip
    script = folder / "restart.sh"
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o700)
    return script


@asynccontextmanager
async def exported(place: Place) -> AsyncIterator[tuple[Path, int]]:
    """slapd as ``linekey export --out`` wrote it, prepared as it says."""
    with open_folder() as folder:
        chain, key = place.lab.server_identity()
        (folder / "server.crt").write_text("".join(map(to_pem, chain)))
        (folder / "server.key").write_bytes(private_key_to_pem(key))
        await place.run("chgrp", DEBIAN["slapd"].group, str(folder / "server.key"))
        (folder / "server.key").chmod(0o640)
        port = free_port()
        told = await linekey(
            place, "export", "slapd", "--out", str(folder), "--name", NAME,
            "--listen", f"127.0.0.1:{port}", "--reload", f"{folder}/restart.sh",
            "--certificate", str(folder / "server.crt"),
            "--key", str(folder / "server.key"),
        )  # fmt: skip
        steps = re.findall(r"next: (.*)", told)
        assert any("registry.ldif" in step for step in steps), told
        for step in steps:
            program, *words = step.split()
            if program != "slapd":
                path = peer_path(program)
                assert path is not None, step
                ran = await place.run(path, *words)
                assert ran.code == 0, f"{step}\n{ran.said}"
        started = await place.run(str(start_script(folder)))
        assert started.code == 0, started.said
        try:
            yield folder, port
        finally:
            with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
                os.kill(int((folder / "run/slapd.pid").read_text()), signal.SIGTERM)


async def found(place: Place, port: int, text: str) -> list[str]:
    async with VirtualPhone(phone(place, port)) as running:
        answer = await ask(running, text)
        assert answer.ok, answer
        return names(answer)


@AS_ROOT
async def test_the_phone_book_follows_the_registry(
    place: Place, record_interop: Any
) -> None:
    modernize(place)
    name_phone(place, "Zürich: Hall <1>")
    async with exported(place) as (folder, port):
        book = folder / "registry.ldif"
        assert book.stat().st_mode & 0o777 == 0o640
        assert str(place.phone) not in book.read_text()
        assert await found(place, port, "Zürich") == ["Zürich: Hall <1>"]
        assert await found(place, port, "4711") == ["Zürich: Hall <1>"]
        async with watching(place) as said:
            name_phone(place, "Reception", "4712")
            await read_by_slapd(said, 1)
            assert await found(place, port, "Zürich") == []
            assert await found(place, port, "4712") == ["Reception"]
            assert book.stat().st_mode & 0o777 == 0o640, "as it was given"
            told = await linekey(place, "device", "revoke", str(place.phone))
            assert f"slapd with {folder} lets every phone of its CAs in" in told
            await read_by_slapd(said, 2)
            assert await found(place, port, "4712") == [], "its entry is gone"
            await linekey(place, "device", "restore", str(place.phone))
            await read_by_slapd(said, 3)
            assert await found(place, port, "4712") == ["Reception"]
    record_interop("slapd", "phone book from the registry, followed: name, revocation")


async def read_by_slapd(said: list[str], times: int) -> None:
    async with asyncio.timeout(GUARD_S):
        while sum("written and read by slapd" in line for line in said) < times:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
