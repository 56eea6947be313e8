"""Foreign programs, each started on loopback from the very files that linekey exports.

A peer gets a free port, a folder of its own that its worker processes can read (they
drop root), and is stopped by its process id.
"""

import asyncio
import contextlib
import grp
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import LINES, PEERS, peer_path
from tests.live.conftest import Place

from linekey.certs.build import new_key
from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_bundle, private_key_to_pem, to_pem
from linekey.export.account import DEBIAN, Account
from linekey.export.active import active_phones
from linekey.export.admission import admitted
from linekey.export.needs import fleet_needs
from linekey.export.peers import find_peer
from linekey.export.render import Export, export
from linekey.export.request import Backend, ClientCertificates, Endpoint, Request
from linekey.lab.server_ca import issue_server
from linekey.provisioning.ca_rules import rules_of
from linekey.server.server import utc_now
from linekey.store.devices import Devices
from linekey.store.vendor_cas import VendorCas
from linekey.tls.versions import Version

NAME = "localhost"

COMMANDS = {
    "nginx": ["nginx", "-e", "stderr", "-c", "{folder}/nginx.conf", "-g", "daemon off;"],
    "apache": ["apache2", "-f", "{folder}/apache.conf", "-DFOREGROUND"],
}  # fmt: skip
"""How a peer is run whose configuration is a test's own, and not exported."""
STAY = ("nginx", "haproxy", "apache")
"""Peers that leave the terminal if run by hand, and stay in it under systemd."""
VERSIONS = {
    "nginx": ["nginx", "-v"],
    "haproxy": ["haproxy", "-v"],
    "apache": ["apache2", "-v"],
    "kamailio": ["kamailio", "-v"],
    "slapd": ["slapd", "-VV"],
    "freeradius": ["freeradius", "-v"],
    "openssl": ["openssl", "version"],
    "curl": ["curl", "--version"],
    "eapol_test": ["eapol_test", "-v"],
}
VERSIONS |= {
    f"OpenSSL {line}": [*PEERS[f"OpenSSL {line}"], "-p", "process.versions.openssl"]
    for line in LINES
}


def version_of(peer: str) -> str:
    """The peer's version as it tells it, such as ``1.22.1``."""
    program, *words = VERSIONS[peer]
    path = peer_path(program)
    assert path is not None
    ran = subprocess.run([path, *words], capture_output=True, text=True, timeout=20)
    found = re.search(r"\d+\.\d+(?:\.\d+)?[a-z]?", ran.stdout + ran.stderr)
    return found.group(0) if found else "unknown"


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that is free now. The peers cannot be given a socket, only a number."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users can look into: workers that dropped root need it."""
    path = Path(tempfile.mkdtemp(prefix="linekey-peer-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass
class Peer:
    """A foreign server that runs."""

    name: str
    port: int
    folder: Path
    exported: Export
    host: str = "127.0.0.1"
    pid: int = 0
    """Of the program that was started."""
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def log(self) -> str:
        """What it printed, and what it wrote into its log files."""
        texts = [p.read_text("utf-8", "replace") for p in (self.folder / "run").glob("*.log")]  # fmt: skip
        return "\n".join([*self.said, *texts])


def write_export(
    place: Place,
    peer: str,
    folder: Path,
    *,
    port: int,
    backend: Backend | None = None,
    files: Path | None = None,
    authorities: tuple[Certificate, ...] | None = None,
    host: str = "127.0.0.1",
    account: Account | None = None,
    client_certificates: ClientCertificates = "required",
    oldest: Version | None = None,
    both: bool = False,
) -> Export:
    """Export for the registry of ``place``, and write it as ``--out`` does.

    ``both``: with a certificate of an EC key beside that of an RSA one.

    Without ``account`` root's peers run as the export would have it, and another
    user's as that user, who cannot change who he is.
    """
    from linekey.cli.exporting import write_files

    chain, key = place.lab.server_identity()
    certificate, key_file = folder / "server.crt", folder / "server.key"
    if not key_file.exists():  # a further export leaves them as they are
        certificate.write_text("".join(map(to_pem, chain)))
        key_file.write_bytes(private_key_to_pem(key))
    if peer in DEBIAN and account is None and os.geteuid() != 0:
        account = Account(pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name)  # fmt: skip
    keys, also = [key_file], None
    if both:
        keys.append(folder / "server-ec.key")
        also = str(folder / "server-ec.crt"), str(keys[1])
        if not keys[1].exists():
            ec = new_key("ec", "secp256r1")
            leaf = issue_server([NAME], ec, place.lab.server, now=utc_now())
            Path(also[0]).write_text(to_pem(leaf))
            keys[1].write_bytes(private_key_to_pem(ec))
    runs_as = account or DEBIAN.get(peer)
    if runs_as is not None:  # as the how-to has it; linekey touches no key
        for each in keys:
            shutil.chown(each, group=runs_as.group)
            each.chmod(0o640)
    trusted = VendorCas(place.database).all()
    if authorities is None:
        authorities = tuple(ca.certificate for ca in trusted)
    devices = tuple(Devices(place.database).all())
    made = export(
        find_peer(peer),
        Request(
            needs=fleet_needs(devices, oldest=oldest, also_ecdsa=both),
            groups=admitted(devices),
            phones=active_phones(devices),
            account=account,
            client_certificates=client_certificates,
            authorities=authorities,
            rules=rules_of((ca.certificate, ca.said) for ca in trusted),
            name=NAME,
            listen=Endpoint(host, port),
            folder=str(folder),
            certificate=str(certificate),
            key=str(key_file),
            also=also,
            backend=backend,
            files=None if files is None else str(files),
        ),
    )
    write_files(made, folder)
    return made


def unit_command(unit: Path) -> list[str]:
    """The command of an exported unit's ExecStart, as systemd would read it."""
    found = re.search(r"^ExecStart=(.*)$", unit.read_text(), re.M)
    assert found is not None
    return shlex.split(found[1])


@asynccontextmanager
async def running(
    peer: Peer,
    *,
    udp: bool = False,
    started_by: Account | None = None,
    command: Callable[[str], str] = str,
) -> AsyncIterator[Peer]:
    """Run what was exported into ``peer.folder`` until the block is left.

    ``started_by``: not by the user of this test; ``command`` changes the command line
    of the export.
    """
    program, *given = _command(peer, command)
    path = peer_path(Path(program).name)
    assert path is not None
    (peer.folder / "run").mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        path,
        *given,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        **_started_by(started_by),
        env={**os.environ, **({} if os.geteuid() == 0 else {"LINEKEY_AS_MYSELF": "1"})},
    )
    peer.pid = process.pid

    async def listen() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            peer.said.append(line.decode("utf-8", "replace").rstrip())

    reader = asyncio.create_task(listen())
    try:
        await _wait_until_it_listens(peer, process, udp=udp)
        yield peer
    finally:
        # Its own session, so its workers go with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await reader
        peer.said[:] = [peer.log()]  # whole now, and kept when the folder goes


def _command(peer: Peer, command: Callable[[str], str]) -> list[str]:
    if not peer.exported.run:
        return [w.replace("{folder}", str(peer.folder)) for w in COMMANDS[peer.name]]
    if peer.name in STAY:
        return unit_command(peer.folder / f"linekey-{peer.name}.service")
    return shlex.split(command(peer.exported.run[-1]))


def _started_by(account: Account | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.user, "group": account.group, "extra_groups": []}


async def prepare(place: Place, made: Export) -> None:
    """Run what the export says to run first: all but its last command."""
    for line in (*made.prepare, *made.run[:-1]):
        program, *words = shlex.split(line)
        path = shutil.which(program) or peer_path(program)
        assert path is not None, line
        ran = await place.run(path, *words)
        assert ran.code == 0, f"{line}\n{ran.said}"


def accounts_of(pid: int) -> tuple[set[str], set[str]]:
    """Names of the users and groups that a process is, in every role (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    told = {name: value.split() for name, _, value in (x.partition(":") for x in lines)}
    users = {pwd.getpwuid(int(n)).pw_name for n in told["Uid"]}
    return users, {grp.getgrgid(int(n)).gr_name for n in told["Gid"]}


async def _wait_until_it_listens(
    peer: Peer, process: asyncio.subprocess.Process, *, udp: bool
) -> None:
    """Until its port is taken: a try to connect, or for UDP to bind, says so."""
    async with asyncio.timeout(20):
        while True:
            if process.returncode is not None:
                raise AssertionError(f"{peer.name} ended:\n{peer.log()}")
            if udp and _is_taken(peer.host, peer.port):
                return
            if not udp:
                try:
                    _, writer = await asyncio.open_connection(peer.host, peer.port)
                except OSError:
                    pass
                else:
                    writer.close()
                    return
            with contextlib.suppress(TimeoutError):
                # Not a guess how long it takes: a pause between two looks.
                await asyncio.wait_for(process.wait(), 0.05)


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


@asynccontextmanager
async def exported_peer(
    place: Place,
    name: str,
    *,
    backend: Backend | None = None,
    files: Path | None = None,
    authorities: tuple[Certificate, ...] | None = None,
    host: str = "127.0.0.1",
    append: Mapping[str, str] | None = None,
    edit: Callable[[str], str] | None = None,
    started_by: Account | None = None,
    command: Callable[[str], str] = str,
    oldest: Version | None = None,
    both: bool = False,
) -> AsyncIterator[Peer]:
    """Export for ``place`` and run exactly that.

    ``append`` adds to the operator's files; ``edit`` changes the configuration, ``command``
    its command line; ``started_by`` is who starts it, and as whom it is exported then.
    """
    udp = name == "freeradius"
    with open_folder() as folder:
        port = free_port(socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        made = write_export(
            place, name, folder, port=port, backend=backend, files=files,
            authorities=authorities, host=host, account=started_by, oldest=oldest,
            both=both,
        )  # fmt: skip
        for own, text in (append or {}).items():
            with (folder / own).open("a") as file:
                file.write(text)
        if edit is not None:
            main = folder / made.files[0].name
            before = main.read_text()
            main.write_text(edit(before))
            assert main.read_text() != before
        if made.account is not None:
            await prepare(place, made)
        peer = Peer(name, port, folder, made, host)
        async with running(peer, udp=udp, started_by=started_by, command=command):
            yield peer


def workers_of(pid: int) -> list[int]:
    """Process ids of a program's workers: its children; of one without any, itself."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and re.search(rf"^PPid:\t{pid}$", (entry / "status").read_text(), re.M):  # fmt: skip
                found.append(int(entry.name))
    return found or [pid]


def ids_of(pid: int) -> tuple[set[int], set[int]]:
    """All user ids, and all group ids, supplementary ones too, of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return (
        {int(n) for n in lines["Uid"].split()},
        {int(n) for n in (lines["Gid"] + lines["Groups"]).split()},
    )


def certificates_in(path: str) -> list[Certificate]:
    """The certificates in a PEM file."""
    return list(parse_bundle(bytes_of(path)).certificates)


def bytes_of(path: str) -> bytes:
    """What is in a file."""
    return Path(path).read_bytes()
