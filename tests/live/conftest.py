"""A whole server on loopback, and foreign clients for it."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from pwd import getpwnam
from typing import Any

import pytest
from tests.live.interop import CALL_REPORT, Recorder
from tests.postgres import Cluster, running_cluster

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.server.preflight.checks import ServerFiles
from linekey.server.server import ProvisioningServer
from linekey.settings import parse_settings
from linekey.store.database import Database, open_database
from linekey.store.decisions import LogEntry, read_log
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.paths import StateDir
from linekey.store.vendor_cas import VendorCas, describe_ca
from linekey.trust.anchors import NO_ANCHORS, Anchors

NOW = datetime.now(UTC)
PHONE = Mac("000413AABBCC")
OLD_PHONE = Mac("000413AABBCD")
STRANGER = Mac("000413AABBCE")
PASSWORD = "geheim-4711"

LEGACY_OPENSSL = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = old
[old]
MinProtocol = TLSv1
CipherString = DEFAULT@SECLEVEL=0
"""


@dataclass(frozen=True)
class Ran:
    """What a foreign program said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass
class Place:
    """A state folder with a lab, three phones and their registry."""

    state: StateDir
    database: Database
    lab: LabAuthority
    folder: Path
    events: list[LogEntry] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    anchors: Anchors = NO_ANCHORS
    """The roots that the server adds to other makers' phones' files."""

    def identity(
        self, mac: Mac, generation: Generation = Generation.SHA256
    ) -> tuple[str, str]:
        """Certificate and key file of a phone."""
        self.lab.device_identity(mac, generation)
        path = self.lab.device_path(mac, generation)
        return str(path.with_suffix(".pem")), str(path.with_suffix(".key"))

    phone = PHONE
    """A D785 with the lab's SHA-256 identity; its file holds ``password``."""
    old_phone = OLD_PHONE
    """A 710 with firmware 8.7.5.35, which speaks TLS 1.0 only, and the lab's SHA-1 identity."""
    stranger = STRANGER
    """Not registered."""
    password = PASSWORD

    def log(self) -> list[LogEntry]:
        return read_log(self.database)

    def reasons(self) -> list[str]:
        return [entry.reason for entry in self.log()]

    async def logged(self, count: int) -> list[LogEntry]:
        """The log, as soon as it has ``count`` lines."""
        async with asyncio.timeout(10):
            while len(self.events) < count:
                self.news.clear()
                await self.news.wait()
        return self.log()

    def _told(self, entry: LogEntry) -> None:
        self.events.append(entry)
        self.news.set()

    @asynccontextmanager
    async def serving(self, **options: Any) -> AsyncIterator[ProvisioningServer]:
        chain, key = self.lab.server_identity()
        given = {"host": "127.0.0.1", "port": 0, "status.port": 0}
        dotted = {name.replace("__", "."): value for name, value in options.items()}
        settings = parse_settings(options={**given, **dotted})
        files = ServerFiles(chain, key, anchors=self.anchors)
        async with ProvisioningServer(settings, self.database, files) as server:
            server.subscribe(self._told)
            yield server

    async def curl(self, *words: str, old: bool = False) -> Ran:
        """curl that trusts the lab server CA; ``old``: like a phone of 2010."""
        trust = ["--cacert", str(self.lab.server_root_path)]
        return await self.run(
            "curl", "-sS", "--max-time", "15", "--noproxy", "*", *trust, *words, old=old
        )

    async def run(
        self,
        *words: str,
        old: bool = False,
        given: bytes | None = None,
        user: str | None = None,
    ) -> Ran:
        """Run a program; as ``user``, in that user's own group alone, if one is named."""
        who: dict[str, Any] = {}
        if user is not None:
            who = {"user": user, "group": getpwnam(user).pw_gid, "extra_groups": []}
        environment = dict(os.environ)
        if old:
            configuration = self.folder / "legacy.cnf"
            configuration.write_text(LEGACY_OPENSSL)
            environment["OPENSSL_CONF"] = str(configuration)
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE if given is not None else None,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            **who,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate(given)
        assert process.returncode is not None
        return Ran(process.returncode, out.decode("latin-1"), err.decode("latin-1"))


def make_place(folder: Path, lab: LabAuthority | None = None) -> Place:
    state = StateDir.open(folder / "state")
    return fill_place(state, open_database(state), folder, lab)


def fill_place(
    state: StateDir, database: Database, folder: Path, lab: LabAuthority | None = None
) -> Place:
    """Trust the lab's CAs and register the three phones."""
    lab = lab or LabAuthority.open(state.lab)
    cas = [*lab.vendor_roots(), *lab.vendor_intermediates()]
    VendorCas(database).add([describe_ca(c, NOW) for c in cas])
    secret = Layer().with_settings(Setting("user_pass", PASSWORD, 1))
    devices = Devices(database)
    devices.add(Device(PHONE, LAB_VENDOR, "D785", layer=secret), NOW)
    old = Firmware.parse("8.7.5.35")
    devices.add(Device(OLD_PHONE, LAB_VENDOR, "710", old, layer=secret), NOW)
    language = Layer().with_settings(Setting("language", "Deutsch"))
    Layers(database).change(Scope.fleet(), lambda _: language, NOW)
    return Place(state, database, lab, folder)


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> LabAuthority:
    return LabAuthority.open(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def place(tmp_path: Path, shared_lab: LabAuthority) -> Iterator[Place]:
    made = make_place(tmp_path, shared_lab)
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL for one module."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def url(cluster: Cluster) -> str:
    """A database of the cluster, for one test."""
    return cluster.new()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "call":
        item.stash[CALL_REPORT] = report
    return report


@pytest.fixture
def record_interop(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """``record_interop(peer, case)``: a row of ``docs/reference/interop.md``.

    Call it where the case is shown; the row is kept only if the test passes. The peer's
    version is asked of the peer.
    """
    recorder = Recorder()
    yield recorder
    report = request.node.stash.get(CALL_REPORT, None)
    if report is not None and report.passed:
        recorder.write(Path(str(request.config.rootpath)) / ".cache" / "interop.jsonl")
