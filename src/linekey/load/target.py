"""Something to load on an empty machine: server, registrar and menu in one process.

``lab_target`` makes, in a folder that is thrown away, a lab CA, so many phones with a
certificate each (over a few keys, since making keys is slow), their records with an
account and a function key, and runs ``python -m linekey.load.target`` beside the load:
the provisioning server as ``linekey up`` runs it, the lab's registrar with room for all
phones, and the lab's menu. It is for trying, and for tests: what the numbers mean for a
server of your own, only that server says.
"""

import asyncio
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.errors import LinekeyError
from linekey.lab import menu, vendor_ca
from linekey.lab.authority import LabAuthority
from linekey.lab.contexts import lab_contexts
from linekey.lab.line import REALM
from linekey.lab.registrar import Registrar
from linekey.load.table import MODEL
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.server.preflight.checks import ServerFiles
from linekey.server.server import ProvisioningServer
from linekey.settings import Settings
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.store.vendor_cas import VendorCas, describe_ca
from linekey.wire.door.listener import bind
from linekey.wire.process import new_loop, settle_garbage

_KEYS: Final = 8
_START_S: Final = 60
EXPIRY_S: Final = 60
"""After half of it phones renew their registration."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where it is, and the files with its phones and its CA."""

    server: str
    registrar: str
    """``host:port``."""
    domain: str
    table: Path
    trust: Path
    pid: int


@contextmanager
def lab_target(phones: int) -> Iterator[Target]:
    """Make it, run it, throw it away. Raises LinekeyError if it does not start."""
    with tempfile.TemporaryDirectory(prefix="linekey-load-") as name:
        folder = Path(name)
        lab = LabAuthority.open(StateDir.open(folder).lab)
        table = _make_phones(folder, lab, phones)
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "linekey.load.target", name, str(phones)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        guard = threading.Timer(_START_S + phones / 100, process.kill)
        guard.start()
        try:
            line = process.stdout.readline()
            guard.cancel()
            if not line:
                raise LinekeyError(
                    "the lab's server did not start",
                    hint="see whether linekey up --once works here",
                )
            yield Target(
                table=table, trust=lab.server_root_path, pid=process.pid,
                **json.loads(line),
            )  # fmt: skip
        finally:
            guard.cancel()
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _make_phones(folder: Path, lab: LabAuthority, phones: int) -> Path:
    keys = [
        vendor_ca.new_vendor_key(Generation.SHA256) for _ in range(min(_KEYS, phones))
    ]
    pems = [private_key_to_pem(key) for key in keys]
    where = folder / "phones"
    where.mkdir(mode=0o700)
    table = where / "phones.csv"
    table.touch(mode=0o600)
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("mac", "model", "identity", "user", "password"))
        for number in range(phones):
            mac = _mac(number)
            chain = lab.issue_device(mac, Generation.SHA256, keys[number % len(keys)])
            pem = where / f"{mac}.pem"
            pem.touch(mode=0o600)
            text = "".join(map(to_pem, chain)).encode()
            pem.write_bytes(text + pems[number % len(pems)])
            rows.writerow((mac, MODEL, pem.name, _user(number), _password(number)))
    return table


def _mac(number: int) -> Mac:
    return Mac(f"000413{number:06X}")


def _user(number: int) -> str:
    return str(1000 + number)


def _password(number: int) -> str:
    return f"lab-{number:06}"  # of a registrar on loopback, gone with its folder


# --- the process


async def _serve(folder: Path, phones: int) -> None:
    now = datetime.now(UTC)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    threading.Thread(target=_until_the_load_ends, daemon=True).start()
    room = phones + 64
    passwords = {_user(n): _password(n) for n in range(phones)}
    async with AsyncExitStack() as stack:
        state = StateDir.open(folder)
        lab = LabAuthority.open(state.lab)
        database = stack.enter_context(open_database(state))
        sip = bind("127.0.0.1", 0)
        stack.callback(sip.close)
        pages = bind("127.0.0.1", 0)
        stack.callback(pages.close)
        await stack.enter_async_context(
            Registrar(
                lab_contexts(lab, b"linekey load sip"), passwords.get, sip,
                realm=REALM, connections=room,
            )
        )  # fmt: skip
        await stack.enter_async_context(menu.menu_door(lab, pages, room))
        cas = [*lab.vendor_roots(), *lab.vendor_intermediates()]
        VendorCas(database).add([describe_ca(ca, now) for ca in cas])
        url, port = menu.menu_url(pages), int(sip.getsockname()[1])
        devices = (_device(n, port, url) for n in range(phones))
        Devices(database).add_all(devices, now)
        settings = Settings.model_validate(
            {"host": "127.0.0.1", "port": 0, "names": ("localhost",),
             "status": {"enabled": False}}
        )  # fmt: skip
        chain, key = lab.server_identity()
        server = await stack.enter_async_context(
            ProvisioningServer(settings, database, ServerFiles(chain, key))
        )
        settle_garbage()
        said = {"server": server.url, "registrar": f"localhost:{port}", "domain": REALM}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _until_the_load_ends() -> None:
    sys.stdin.read()  # ends with the process that holds the other end
    os.kill(os.getpid(), signal.SIGTERM)


def _device(number: int, sip_port: int, menu_url: str) -> Device:
    layer = Layer(
        settings=(
            Setting("user_name", _user(number), idx=1),
            Setting("user_pass", _password(number), idx=1),
            Setting("user_host", REALM, idx=1),
            Setting("user_outbound", f"localhost:{sip_port};transport=tls", idx=1),
            Setting("user_expiry", str(EXPIRY_S), idx=1),
            Setting("user_active", "on", idx=1, perm="RW"),
            Setting("action_log_on_url", menu_url),
        ),
        function_keys=(menu.menu_key(menu_url),),
    )
    return Device(_mac(number), LAB_VENDOR, MODEL, layer=layer)


def _main(folder: Path, phones: int) -> None:
    parent = os.getppid()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve(folder, phones))
    if os.getppid() != parent:  # it was killed, and cannot throw the folder away
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
