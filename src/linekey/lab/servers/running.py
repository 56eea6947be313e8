"""Test servers started on loopback, each on a port of its own.

    async with Launcher(folder, now).started(case) as running:
        running.port

A test server is a process of its own (or, where linekey plays it, a task); it is
stopped by its process id when the block is left, and its folder removed.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from linekey.certs.certificate import Certificate
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.errors import LinekeyError
from linekey.lab.authority import LabAuthority
from linekey.lab.files import make_folder, write_file
from linekey.lab.servers.certificates import Pki, Shown
from linekey.lab.servers.kinds import Case
from linekey.lab.servers.own import TALKS
from linekey.lab.servers.programs import LEGACY_OPENSSL, Files, command_for

_START_LIMIT_S: Final = 20.0
_STOP_LIMIT_S: Final = 5.0
HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Running:
    """One server that can be reached, at ``127.0.0.1`` and ``port``."""

    case: Case
    port: int
    shown: Shown


class Launcher:
    """Keeps the servers' certificates under ``folder`` and starts servers.

    ``now`` is the moment for which certificates are made (aware). The lab vendor, whose
    phones some of them ask for, lives in ``lab``. Raises StorageError.
    """

    def __init__(self, folder: Path, now: datetime, lab: LabAuthority) -> None:
        make_folder(folder)
        self._folder = folder
        self._pki = Pki(folder / "keys", now)
        self._lab = lab
        self.root_path = folder / "root.pem"
        """The root that phones must know, PEM."""
        write_file(
            self.root_path, to_pem(self.root).encode(), private=False, force=True
        )

    @property
    def root(self) -> Certificate:
        """The root that phones must know."""
        return self._pki.root.certificate

    @property
    def known(self) -> tuple[Certificate, ...]:
        """Certificates that are known of, beside what each server shows."""
        return (self._pki.middle.certificate,)

    @asynccontextmanager
    async def started(self, case: Case) -> AsyncIterator[Running]:
        """Run one server for the length of the block.

        Raises LinekeyError if its program is not installed or does not start.
        """
        shown = self._pki.make(case.certificate)
        if case.talk:
            async with _talking(case, shown) as running:
                yield running
            return
        folder = self._folder / f"run-{os.getpid()}-{case.name}"
        make_folder(folder)
        try:
            port = _free_port()
            files = self._write(folder, case, shown)
            command = command_for(case.program, files, port, case.speech)
            async with _process(command, folder, port):
                yield Running(case, port, shown)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _write(self, folder: Path, case: Case, shown: Shown) -> Files:
        key_pem = private_key_to_pem(shown.key)
        chain_pem = "".join(map(to_pem, shown.chain))
        above = "".join(map(to_pem, shown.chain[1:]))
        if case.speech.clients == "wrong":
            clients: tuple[Certificate, ...] = (self._pki.stranger.certificate,)
        else:
            clients = (*self._lab.vendor_roots(), *self._lab.vendor_intermediates())
        public = {
            "leaf.pem": to_pem(shown.chain[0]),
            "chain.pem": chain_pem,
            "above.pem": above,
            "clients.pem": "".join(map(to_pem, clients)),
            "openssl.cnf": LEGACY_OPENSSL,
        }
        for name, text in public.items():
            write_file(folder / name, text.encode(), private=False)
        write_file(folder / "key.pem", key_pem, private=True)
        write_file(folder / "all.pem", chain_pem.encode() + key_pem, private=True)
        return Files(
            folder=folder,
            leaf=folder / "leaf.pem",
            above=folder / "above.pem" if above else None,
            chain=folder / "chain.pem",
            key=folder / "key.pem",
            combined=folder / "all.pem",
            clients=folder / "clients.pem",
        )


def _free_port() -> int:
    """A port that is free now: these programs can only be given a number."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def _talking(case: Case, shown: Shown) -> AsyncIterator[Running]:
    talk = TALKS[case.talk]

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await talk(reader, writer, shown.chain)
        except ConnectionError:
            pass  # whoever came has left
        finally:
            writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with server:
        yield Running(case, server.sockets[0].getsockname()[1], shown)


@asynccontextmanager
async def _process(command: list[str], folder: Path, port: int) -> AsyncIterator[None]:
    log = folder / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,  # Ctrl-C is ours to pass on
            env={**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")},
        )
    try:
        await _until_listening(process, port, command[0], log)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until_listening(
    process: asyncio.subprocess.Process, port: int, program: str, log: Path
) -> None:
    name = Path(program).name
    try:
        async with asyncio.timeout(_START_LIMIT_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    # not a guess how long it takes: a pause between two looks
                    with suppress(TimeoutError):
                        await asyncio.wait_for(process.wait(), 0.02)
                else:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
                    return
    except TimeoutError:
        raise LinekeyError(
            f"{name} does not listen after {_START_LIMIT_S:g} seconds"
        ) from None
    said = await asyncio.to_thread(_last_line, log)
    raise LinekeyError(
        f"{name} ended at once: {said}",
        hint="look whether its version is one that linekey is tested with",
    )


def _last_line(log: Path) -> str:
    said = log.read_text("utf-8", "replace").strip().splitlines()
    return said[-1] if said else "without a word"
