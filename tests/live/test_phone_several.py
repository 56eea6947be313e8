"""``linekey phone run`` with several phones: the real server, and a real Kamailio."""

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import NAME
from tests.live.sip_line import SECRET, kamcmd, registrar
from tests.live.test_serve_command import (
    PROGRAM,
    clean_environment,
    put_server_files,
    serve,
)

from linekey.catalog.vendors import LAB_VENDOR
from linekey.mac import Mac
from linekey.phone.edge.disk import PhoneStore
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.server.server import utc_now
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope

FIRST, TAKEN, THIRD = MACS = tuple(Mac(f"000413AABB6{n}") for n in range(3))


def user(mac: Mac) -> str:
    return f"u{mac.digits[-2:].lower()}"


def register(place: Place) -> None:
    """The three phones, each with its own line."""
    for mac in MACS:
        layer = Layer().with_settings(
            Setting("user_name", user(mac), 1),
            Setting("user_host", NAME, 1),
            Setting("user_pass", SECRET, 1),
        )
        Devices(place.database).add(
            Device(mac, LAB_VENDOR, "D785", layer=layer), utc_now()
        )


def lead_to(place: Place, port: int) -> None:
    """Have every phone's line register at this port."""
    outbound = Setting("user_outbound", f"{NAME}:{port};transport=tls", 1)
    layers = Layers(place.database)
    layers.change(Scope.fleet(), lambda had: had.with_settings(outbound), utc_now())


def folder_for_phones(place: Place) -> Path:
    """A state folder of the phones' own, with the lab that made their certificates."""
    root = place.folder / "phones"
    root.mkdir(mode=0o700)
    (root / "lab").symlink_to(place.lab.folder)
    return root


@dataclass
class Running:
    process: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list)

    async def until(self, *patterns: str) -> None:
        """Read what it says until every pattern was in a line."""
        assert self.process.stderr is not None
        wanted = [re.compile(p) for p in patterns]
        async with asyncio.timeout(60):
            while wanted:
                line = (await self.process.stderr.readline()).decode()
                assert line, "".join(self.said)
                self.said.append(line)
                wanted = [p for p in wanted if not p.search(line)]

    async def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            self.said.append((await self.process.stderr.read()).decode())
            return await self.process.wait()


@asynccontextmanager
async def phones(*words: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "phone", "run", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )  # fmt: skip
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def linekey(*words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.peer("kamailio")
@pytest.mark.peer("openssl")
async def test_several_register_each_for_itself_and_one_word_stops_all(
    place: Place, record_interop: Any
) -> None:
    put_server_files(place)
    root = folder_for_phones(place)
    state = ("--state", str(root))
    register(place)
    async with registrar(place, *((user(mac), str(mac)) for mac in MACS)) as peer:
        lead_to(place, peer.port)
        with contextlib.ExitStack() as held:
            # Another process has the second phone: it fails, and the others run.
            held.enter_context(PhoneStore(root / "phones").folder(TAKEN).lock())
            async with (
                serve(place) as server,
                phones(
                    "--mac", str(FIRST), "--count", "3", "--model", "D785",
                    "--setting-server", f"{server.url}/", "--web-port", "0",
                    "--trust", str(place.lab.server_root_path), *state,
                ) as running,
            ):  # fmt: skip
                await running.until(
                    f"error: {TAKEN}: the virtual phone {TAKEN} runs in another process",
                    f"{FIRST} .* sip: .*registered as ", f"{THIRD} .* sip: .*registered as ",
                )  # fmt: skip
                for mac in (FIRST, THIRD):
                    told = await kamcmd(peer, "ul.lookup", "location", f"s:{user(mac)}")
                    assert "Contact" in told, told
                # The other commands address one of them, and change no other.
                _, out, _ = await linekey("phone", "list", "--json", *state)
                assert {p["mac"]: p["running"] for p in json.loads(out)} == {
                    str(FIRST): True, str(THIRD): True,
                }  # fmt: skip
                code, _, err = await linekey("phone", "show", *state)
                assert (code, f"{FIRST}, {THIRD}" in err) == (2, True)
                for mac, language in ((FIRST, "English"), (THIRD, "Deutsch")):
                    done = await linekey(
                        "phone", "set", "--mac", str(mac), "language", language, *state
                    )
                    assert done[0] == 0, done
                shown = {}
                for mac in (FIRST, THIRD):
                    _, out, _ = await linekey(
                        "phone", "settings", str(mac), "--json", *state
                    )
                    shown[mac] = {row["name"]: row["value"] for row in json.loads(out)}[
                        "language"
                    ]
                assert shown == {FIRST: "English", THIRD: "Deutsch"}
                _, out, _ = await linekey(
                    "phone", "screen", str(THIRD), "--json", *state
                )
                assert json.loads(out)
                urls = re.findall(
                    r"the pages of \w+: (https://\S+)", "".join(running.said)
                )
                assert len(set(urls)) == 2
                assert await running.end() == 3  # one of them could not run
        assert "Traceback" not in "".join(running.said)
        for mac in (FIRST, THIRD):
            told = await kamcmd(peer, "ul.lookup", "location", f"s:{user(mac)}")
            assert "Contact" not in told, f"{mac} is still registered: {told}"
    record_interop(
        "kamailio",
        "virtual phone: several in one process register, and unregister at one signal",
    )


async def test_the_phones_of_a_file_are_told_as_one_list(place: Place) -> None:
    put_server_files(place)
    root = folder_for_phones(place)
    register(place)
    stranger = "000413AABB6F"
    file = place.folder / "phones.csv"
    file.write_text(
        "mac,model,label\n"
        + "".join(f"{mac},D785,x\n" for mac in (FIRST, THIRD, stranger))
    )
    async with serve(place) as server:
        code, out, err = await linekey(
            "phone", "run", "--phones", str(file), "--setting-server", f"{server.url}/",
            "--trust", str(place.lab.server_root_path), "--state", str(root), "--once", "--json",
        )  # fmt: skip
    assert code == 1, err  # the stranger got no file
    rows = {row["mac"]: row for row in json.loads(out)}
    assert {mac: row["state"] for mac, row in rows.items()} == {
        str(FIRST): "provisioned", str(THIRD): "provisioned", stranger: "refused",
    }  # fmt: skip
    certificates = {
        row["certificate"]["subject"].split("CN=")[1][:12] for row in rows.values()
    }
    assert certificates == {str(FIRST), str(THIRD), stranger}
