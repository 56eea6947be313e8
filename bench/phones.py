"""How long a virtual phone takes to boot, and what it weighs.

    python -m bench.phones [--phones 1000] [--at-once 16] [--no-write]

Each phone has its own certificate (of its own MAC; one key for all, since making keys
is not what is measured), does two full mutual handshakes in TLS 1.2, fetches two
documents and stays. The server is a minimal one of the tests, in a process of its own.
"""

import argparse
import asyncio
import gc
import multiprocessing
import multiprocessing.synchronize
import platform
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.phone_server import Route, accept, serve

from linekey.catalog.firmware import Firmware
from linekey.catalog.root_lists import lists_for
from linekey.certs.pem import private_key_to_pem
from linekey.lab import vendor_ca
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.identity import DeviceIdentity
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.tls.events import PeerChain, Refuse

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-phones.md"
SETTINGS = "".join(f"<s{n} perm='R'>value {n}</s{n}>" for n in range(40))
DOCUMENT = f"<settings><phone-settings>{SETTINGS}</phone-settings></settings>".encode()
CASES = (("D785", "10.1.33.33"), ("D715", "8.9.3.60"))


def _server(
    lab_folder: Path, ready: Any, stop: multiprocessing.synchronize.Event
) -> None:
    async def main() -> None:
        lab = LabAuthority.open(lab_folder)
        chain, key = lab.server_identity(["127.0.0.1"])
        known = {c.sha256 for c in lab.vendor_intermediates()}

        def verify(peer: PeerChain) -> Any:
            if any(c.sha256 in known for c in peer.path):
                return accept(peer)
            from linekey.tls.alerts import Alert

            return Refuse(Alert.UNKNOWN_CA, "not of the lab")

        identity = DeviceIdentity(chain, private_key_to_pem(key))
        roots = lab.vendor_roots() + lab.vendor_intermediates()
        async with serve(identity, verify=verify, require=True, roots=roots) as site:
            site.answer = lambda asked: Route(DOCUMENT)
            ready.put(site.url)
            await asyncio.to_thread(stop.wait)

    asyncio.run(main())


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds to provisioned for each phone, wall and CPU seconds and kB for all."""

    model: str
    phones: int
    boots_s: list[float]
    wall_s: float
    cpu_s: float
    memory_kb: float


def resident_kb() -> float:
    """This process's memory now (Linux), else its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return pages * resource.getpagesize() / 1024


def make_phones(
    lab: LabAuthority, url: str, model: str, firmware: str, count: int
) -> list[PhoneState]:
    roots = lists_for(Firmware.parse(firmware)).newest
    authorities = (*roots, lab.server_root())
    first = new_phone(Mac("000413000000"), model, firmware)
    generation = first.profile.builtin_generation
    assert generation is not None, "bench is of Snom's phones"
    key = vendor_ca.new_vendor_key(generation)
    pem = private_key_to_pem(key)
    phones = []
    for number in range(count):
        mac = Mac(f"000413{number:06X}")
        chain = lab.issue_device(mac, generation, key)
        phones.append(
            new_phone(
                mac,
                model,
                firmware,
                setting_server=url,
                builtin=DeviceIdentity(chain, pem),
                authorities=authorities,
            )
        )
    return phones


async def boot(states: list[PhoneState], at_once: int, model: str) -> Result:
    gate = asyncio.Semaphore(at_once)
    boots: list[float] = []
    gc.collect()
    before = resident_kb()
    begin, cpu = time.perf_counter(), time.process_time()

    async def one(phone: VirtualPhone, stack: AsyncExitStack) -> None:
        async with gate:
            start = time.perf_counter()
            await stack.enter_async_context(phone)
            state = await phone.round_ended()
            boots.append(time.perf_counter() - start)
        assert state.status is Status.PROVISIONED, state.status_reason

    async with AsyncExitStack() as stack:
        phones = [VirtualPhone(state) for state in states]
        async with asyncio.TaskGroup() as group:
            for phone in phones:
                group.create_task(one(phone, stack))
        wall, used = time.perf_counter() - begin, time.process_time() - cpu
        gc.collect()
        memory = resident_kb() - before
    return Result(model, len(states), boots, wall, used, memory)


def measure(
    folder: Path, url: str, case: tuple[str, str], count: int, at_once: int
) -> Result:
    """One row: a phone to warm up, then ``count`` phones."""
    lab = LabAuthority.open(folder)
    model, firmware = case
    warm, *states = make_phones(lab, url, model, firmware, count + 1)
    asyncio.run(boot([warm], 1, model))
    return asyncio.run(boot(states, at_once, f"{model} {firmware}"))


def row(result: Result) -> str:
    ordered = sorted(result.boots_s)
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    per_phone = "—" if result.phones == 1 else f"{result.memory_kb / result.phones:.0f}"
    return (
        f"| {result.model} | {result.phones} | {statistics.median(ordered) * 1000:.0f} "
        f"| {late * 1000:.0f} | {result.wall_s:.2f} "
        f"| {result.cpu_s * 1000 / result.phones:.1f} | {per_phone} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.phones")
    parser.add_argument("--phones", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--no-write", action="store_true")
    given = parser.parse_args()
    folder = ROOT / ".cache" / "bench" / "phones-lab"
    folder.parent.mkdir(parents=True, exist_ok=True)
    LabAuthority.open(folder)
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Queue(), context.Event()
    server = context.Process(target=_server, args=(folder, ready, stop), daemon=True)
    server.start()
    try:
        url = ready.get(timeout=30)
        # A process for each row, so that none inherits another's memory.
        with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
            rows = [
                row(pool.submit(measure, folder, url, case, n, given.at_once).result())
                for case in CASES
                for n in (1, given.phones)
            ]
    finally:
        stop.set()
        server.join(10)
    lines = [
        "# What a virtual phone costs",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `python -m bench.phones`, Python "
        f"{platform.python_version()}, {multiprocessing.cpu_count()} cores (phones and "
        "server share them). Boot means: from power-on, through two full mutual",
        f"handshakes, to provisioned. {given.at_once} phones boot at once; all of them "
        "stay, in one process, each with its own certificate.",
        "",
        "| phone | phones | boot, median ms | boot, 99 % ms | all, s | CPU ms a phone "
        "| kB a phone |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if not given.no_write:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
