"""linekey and nginx side by side: CPU per request, memory per connection, growth.

Rounds alternate between the servers, so that whatever else the machine does falls on
both. CPU seconds come from ``/proc``, as user and system time of all processes and
threads of a server. nginx checks the certificate, compares its MAC with the file name,
and sends a static file; linekey decides by its registry, puts the decision on record
on disk, and renders the file.
"""

import contextlib
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import nginx
from bench.fleet import Fleet
from bench.process import Load, cpu_seconds, memory_kib, pin, running, settle
from linekey.catalog.firmware import Firmware
from linekey.catalog.vendors import LAB_VENDOR
from linekey.certs.pem import parse_certificates
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.paths import StateDir
from linekey.store.vendor_cas import VendorCas, describe_ca

CLIENTS = 16


@dataclass
class Measured:
    """One server's numbers, milliseconds of CPU per request by kind of handshake."""

    full_ms: list[float] = field(default_factory=list)
    full_ecdsa_ms: list[float] = field(default_factory=list)
    """With two certificates, and clients that can use both."""
    resumed_ms: list[float] = field(default_factory=list)
    idle_kib: float = 0.0
    rate: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Server:
    name: str
    pid: int
    port: int


def prepare(folder: Path, fleet: Fleet, devices: int) -> None:
    """A state folder with ``devices`` phones, among them those of the fleet."""
    state = StateDir.open(folder)
    now = datetime.now(UTC)
    with open_database(state) as database:
        cas = parse_certificates(fleet.authorities.read_bytes())
        VendorCas(database).add([describe_ca(ca, now) for ca in cas])
        common = Layer().with_settings(
            Setting("language", "Deutsch"),
            Setting("timezone", "GER+1"),
            Setting("ntp_server", "ntp.example.com"),
            *(Setting(f"setting_{n}", f"value {n}") for n in range(20)),
        )
        Layers(database).change(Scope.fleet(), lambda _: common, now)
        firmware = Firmware.parse("10.1.33.33")

        def all_devices() -> Iterator[Device]:
            fillers = (f"0004F2{n:06X}" for n in range(devices - len(fleet.macs)))
            for number, digits in enumerate((*fleet.macs, *fillers)):
                layer = Layer().with_settings(
                    Setting("user_name", str(1000 + number), 1),
                    Setting("user_pass", f"secret-{digits}", 1),
                    Setting("user_host", "pbx.example.com", 1),
                )
                layer = layer.with_function_keys(
                    *(FunctionKey(n, "speed", str(100 + n)) for n in range(4))
                )
                yield Device(Mac(digits), LAB_VENDOR, "D785", firmware, layer=layer)

        Devices(database).add_all(all_devices(), now)


@contextlib.contextmanager
def linekey_serving(
    folder: Path,
    fleet: Fleet,
    devices: int,
    *,
    both: bool = False,
    workers: int = 1,
    kept_on: int | None = 0,
) -> Iterator[Server]:
    """Run ``linekey serve``; ``both``: with an EC certificate beside the RSA one.

    ``kept_on`` is the core that it stays on; None: where the system puts it.
    """
    prepare(folder, fleet, devices)
    port = nginx.free_port()
    command = [
        *([] if kept_on is None else pin(kept_on)), sys.executable, "-c",
        "from linekey.cli.main import main; main()",
        "serve", "--state", str(folder), "--workers", str(workers),
        "--host", "127.0.0.1", "--port", str(port), "--status-port", "0",
    ]  # fmt: skip
    for certificate, key in fleet.pairs if both else fleet.pairs[:1]:
        command += ["--certificate", str(certificate), "--key", str(key)]
    environment = {**os.environ, "LINEKEY_LIMITS__KEEP_ALIVE_S": "600"}
    with (
        (folder / "serve.log").open("w") as log,
        running(command, env=environment, stderr=log, stdout=log) as process,
    ):
        nginx.wait_for(port)
        yield Server("linekey", process.pid, port)


def measure_round(server: Server, fleet: Fleet, mode: str, requests: int) -> float:
    """CPU milliseconds of the server for each of ``requests`` requests."""
    load = Load(
        fleet.folder, server.port, clients=CLIENTS, requests=requests, mode=mode
    )
    settle(server.pid)
    before = cpu_seconds(server.pid)
    result = load.go()
    settle(server.pid)
    used = cpu_seconds(server.pid) - before
    load.end()
    if result["errors"]:
        raise RuntimeError(f"{server.name}: {result['errors'][:3]}")
    if mode == "resumed" and result["reused"] < requests * 0.95:
        raise RuntimeError(f"{server.name}: {result['reused']} of {requests} resumed")
    if mode == "full-ecdsa" and any("ECDSA" not in suite for suite in result["suites"]):
        raise RuntimeError(f"{server.name}: negotiated {result['suites']}")
    return 1000 * used / requests


def measure_idle(server: Server, fleet: Fleet, connections: int) -> float:
    """KiB of private memory for each idle connection that was used once."""
    load = Load(
        fleet.folder, server.port, clients=CLIENTS, requests=connections, mode="idle"
    )
    settle(server.pid)
    before = memory_kib(server.pid)
    load.go()
    settle(server.pid)
    used = memory_kib(server.pid) - before
    load.end()
    return used / connections


def compare(
    fleet: Fleet, *, rounds: int, requests: int, connections: int
) -> dict[str, Measured]:
    """Both servers, round by round."""
    found = {"linekey": Measured(), "nginx": Measured()}
    with tempfile.TemporaryDirectory(prefix="linekey-bench-") as place:
        folder = Path(place)
        with contextlib.ExitStack() as stack:
            ours = stack.enter_context(
                linekey_serving(folder / "state", fleet, len(fleet.macs))
            )
            files = folder / "files"
            files.mkdir()
            write_static(folder / "state", fleet, files)
            theirs = stack.enter_context(nginx.serving(folder / "nginx", fleet, files))
            servers = [ours, Server("nginx", theirs.pid, theirs.port)]
            our_both = stack.enter_context(
                linekey_serving(folder / "both", fleet, len(fleet.macs), both=True)
            )
            their_both = stack.enter_context(
                nginx.serving(folder / "nginx-both", fleet, files, both=True)
            )
            both = [our_both, Server("nginx", their_both.pid, their_both.port)]
            asked = {"full": servers, "full-ecdsa": both, "resumed": servers}
            for server in servers:  # warm up, not counted
                measure_round(server, fleet, "full", 2 * len(fleet.macs))
            for server in both:
                measure_round(server, fleet, "full-ecdsa", 2 * len(fleet.macs))
            for number in range(rounds):
                for mode, some in asked.items():
                    for server in some if number % 2 == 0 else some[::-1]:
                        cost = measure_round(server, fleet, mode, requests)
                        costs = getattr(
                            found[server.name], f"{mode.replace('-', '_')}_ms"
                        )
                        costs.append(cost)
                        say(f"round {number + 1}: {server.name} {mode} {cost:.3f} ms")
            for server in servers:
                idle = measure_idle(server, fleet, connections)
                found[server.name].idle_kib = idle
                say(f"{server.name}: {idle:.1f} KiB for an idle connection")
    return found


def write_static(state: Path, fleet: Fleet, files: Path) -> None:
    """The very files that linekey renders, for nginx to send."""
    from linekey.provisioning.document import merge
    from linekey.provisioning.render import render

    with open_database(StateDir.open(state)) as database:
        shared = Layers(database).get(Scope.fleet())
        for digits in fleet.macs:
            device = Devices(database).get(Mac(digits))
            body = render(
                merge(shared, device.layer),
                firmware=device.firmware,
                mac=device.mac,
                model=device.model,
                blank_secrets=False,
                certificate_url=lambda _: "",
            )
            (files / f"snomD785-{digits}.htm").write_bytes(body)


def grow(
    fleet: Fleet, sizes: list[int], *, requests: int, connections: int
) -> dict[int, tuple[float, float, float]]:
    """For each size: CPU ms per request, KiB per idle connection, MiB in all."""
    found = {}
    for size in sizes:
        with (
            tempfile.TemporaryDirectory(prefix="linekey-bench-") as place,
            linekey_serving(Path(place) / "state", fleet, size) as server,
        ):
            measure_round(server, fleet, "full", 2 * len(fleet.macs))
            costs = [measure_round(server, fleet, "full", requests) for _ in range(3)]
            base = memory_kib(server.pid) / 1024
            idle = measure_idle(server, fleet, connections)
        cost = statistics.median(costs)
        found[size] = (cost, idle, base)
        say(f"{size} devices: {cost:.3f} ms, {idle:.1f} KiB, {base:.0f} MiB")
    return found


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def cpu_model() -> str:
    text = Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return f"{found.group(1) if found else 'unknown'}, {os.cpu_count()} cores"


def has_nginx() -> bool:
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin") is not None
