"""SIP registrations a second, a certificate each, from one process against Kamailio.

    python -m bench.registrations [--phones 1000] [--at-once 64] [--no-write]

Each is a whole virtual phone with its line: TCP, a full mutual TLS 1.2 handshake with
the phone's own certificate, the server judged by the phone's judge, REGISTER,
challenge, REGISTER with digest, 200. Kamailio runs beside it from the very files of
``linekey export kamailio``, and checks certificate, MAC and password. All keys are
made before (one for all phones, loaded by each: making keys is not what is measured).

In the same run, in turn with it, ``bench.bare_register`` does the least that a Python
program must do to register: the ratio is what a whole phone costs.
"""

import argparse
import asyncio
import contextlib
import grp
import hashlib
import os
import platform
import pwd
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from bench import bare_register
from bench.bare_register import Account
from bench.nginx import free_port, wait_for
from bench.process import cpu_seconds, running
from bench.server_vs_nginx import cpu_model
from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.cli.exporting import write_files
from linekey.export.account import Account as System
from linekey.export.active import active_phones
from linekey.export.needs import fleet_needs
from linekey.export.peers import find_peer
from linekey.export.render import export
from linekey.export.request import Endpoint, Request
from linekey.lab import vendor_ca
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.identity import DeviceIdentity
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.sip.edge import SipLines
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.states import LineState
from linekey.provisioning.device import Device
from linekey.wire.process import new_loop, settle_garbage

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-registrations.md"
NOTES = ROOT / "bench" / "registrations_notes.md"
T = TypeVar("T")
NAME, PASSWORD = "localhost", "bench-geheim"
AIM = 300
"""Registrations a second that were aimed at."""


def macs(count: int) -> list[Mac]:
    return [Mac(f"000413{number:06X}") for number in range(count)]


def me() -> System:
    """Whoever measures."""
    user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(os.getegid())
    return System(user.pw_name, group.gr_name)


@contextmanager
def kamailio(lab: LabAuthority, phones: list[Mac]) -> Iterator[tuple[int, int]]:
    """Run it from exported files; its port and process."""
    program = shutil.which("kamailio", path=os.environ["PATH"] + ":/usr/sbin")
    if program is None:
        sys.exit("error: kamailio is not installed\nhint: make peers")
    with tempfile.TemporaryDirectory(prefix="linekey-bench-") as name:
        folder = Path(name)
        chain, key = lab.server_identity()
        (folder / "server.crt").write_text("".join(map(to_pem, chain)))
        (folder / "server.key").write_bytes(private_key_to_pem(key))
        port = free_port()
        fleet = [Device(mac, LAB_VENDOR, "D785") for mac in phones]
        made = export(
            find_peer("kamailio"),
            Request(
                needs=fleet_needs(fleet),
                phones=active_phones(fleet),
                authorities=(*lab.vendor_roots(), *lab.vendor_intermediates()),
                name=NAME,
                listen=Endpoint("127.0.0.1", port),
                folder=name,
                certificate=f"{name}/server.crt",
                key=f"{name}/server.key",
                account=me(),  # the folder is this user's alone
            ),
        )
        write_files(made, folder)
        (folder / "run").mkdir(exist_ok=True)
        with (folder / "dbtext" / "subscriber").open("a") as table:
            for number, mac in enumerate(phones):
                text = f"{number}:{NAME}:{PASSWORD}"
                ha1 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
                table.write(f"{number}:{NAME}:{ha1}:{mac}\n")
        log = (folder / "kamailio.log").open("w")
        command = [program, *made.run[-1].split()[1:]]
        with log, running(command, stderr=log, stdout=log) as process:
            wait_for(port)
            yield port, process.pid


def make_accounts(states: list[PhoneState], folder: Path) -> list[Account]:
    """The same phones' certificates and passwords, for the bare client."""
    accounts = []
    for number, state in enumerate(states):
        path = folder / f"{state.mac}.pem"
        assert state.builtin is not None
        path.write_bytes(state.builtin.to_pem())
        accounts.append(Account(str(number), path, NAME, PASSWORD))
    return accounts


def make_phones(lab: LabAuthority, port: int, phones: list[Mac]) -> list[PhoneState]:
    key = vendor_ca.new_vendor_key(Generation.SHA256)
    pem = private_key_to_pem(key)
    states = []
    for number, mac in enumerate(phones):
        chain = lab.issue_device(mac, Generation.SHA256, key)
        state = new_phone(
            mac,
            "D785",
            "10.1.33.33",
            builtin=DeviceIdentity(chain, pem),
            authorities=(lab.server_root(),),
        )
        settings = state.settings
        for name, value in {
            "user_name": str(number),
            "user_host": NAME,
            "user_pass": PASSWORD,
            "user_outbound": f"{NAME}:{port};transport=tls",
        }.items():
            settings = settings.provision(name, value, idx=1).settings
        states.append(replace(state, settings=settings))
    return states


@dataclass(frozen=True)
class Result:
    each_s: list[float]
    wall_s: float
    own_cpu_s: float
    their_cpu_s: float


def is_registered(state: PhoneState) -> bool:
    return any(line.state is LineState.REGISTERED for line in state.part(Lines).lines)


async def register(states: list[PhoneState], at_once: int, server: int) -> Result:
    gate = asyncio.Semaphore(at_once)
    took: list[float] = []
    async with AsyncExitStack() as stack:
        phones = [VirtualPhone(state, services=(SipLines(),)) for state in states]
        begin, own = time.perf_counter(), time.process_time()
        theirs = cpu_seconds(server)

        async def one(phone: VirtualPhone) -> None:
            async with gate:
                start = time.perf_counter()
                await stack.enter_async_context(phone)
                try:
                    async with asyncio.timeout(20):
                        await phone.wait_for(is_registered)
                except TimeoutError:
                    said = [entry.text for entry in phone.state.log[-6:]]
                    raise RuntimeError(f"a phone did not register: {said}") from None
                took.append(time.perf_counter() - start)

        async with asyncio.TaskGroup() as group:
            for phone in phones:
                group.create_task(one(phone))
        return Result(
            took,
            time.perf_counter() - begin,
            time.process_time() - own,
            cpu_seconds(server) - theirs,
        )


@dataclass(frozen=True)
class Fleet:
    """Phones with their certificates, and a registrar for each measure."""

    lab: LabAuthority
    macs: list[Mac]
    folder: Path
    """Where ``ca`` is, and each account's file."""
    ca: Path
    accounts: list[Account]

    def registrar(self) -> contextlib.AbstractContextManager[tuple[int, int]]:
        """A Kamailio of its own; its port and process."""
        return kamailio(self.lab, self.macs)

    def by_phones(self, at_once: int) -> Result:
        """Whole phones register, in this process."""
        with self.registrar() as (port, pid):
            states = make_phones(self.lab, port, self.macs)
            return _run(register(states, at_once, pid))

    def by_the_least(self, at_once: int) -> Result:
        """The least that a Python program must do registers them."""
        with self.registrar() as (port, pid):
            least = bare_register.register(self.accounts, self.ca, port, at_once, pid)
            return Result([], *_run(least))


@contextmanager
def made_fleet(count: int) -> Iterator[Fleet]:
    """So many phones of the lab that is kept, in a folder that is thrown away."""
    kept = ROOT / ".cache" / "bench" / "registrations-lab"
    kept.parent.mkdir(parents=True, exist_ok=True)
    lab = LabAuthority.open(kept)
    phones = macs(count)
    settle_garbage()
    with tempfile.TemporaryDirectory(prefix="linekey-bench-") as name:
        ca = Path(name) / "ca.pem"
        ca.write_text(to_pem(lab.server_root()))
        accounts = make_accounts(make_phones(lab, 1, phones), Path(name))
        yield Fleet(lab, phones, Path(name), ca, accounts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.registrations")
    parser.add_argument("--phones", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-write", action="store_true")
    given = parser.parse_args()
    results, bare = [], []
    with made_fleet(given.phones) as fleet:
        for _ in range(given.rounds):
            results.append(fleet.by_phones(given.at_once))
            bare.append(fleet.by_the_least(given.at_once))
    text = page(results, bare, given.phones, given.at_once)
    print(text)
    if not given.no_write:
        PAGE.write_text(text, encoding="utf-8")


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


def page(results: list[Result], bare: list[Result], phones: int, at_once: int) -> str:
    rates = sorted(phones / r.wall_s for r in results)
    rows = [
        f"| {n} | {phones / r.wall_s:.0f} | {statistics.median(r.each_s) * 1000:.0f} "
        f"| {sorted(r.each_s)[int(len(r.each_s) * 0.99)] * 1000:.0f} "
        f"| {r.own_cpu_s * 1000 / phones:.2f} | {r.their_cpu_s * 1000 / phones:.2f} "
        f"| {phones / b.wall_s:.0f} | {b.own_cpu_s * 1000 / phones:.2f} "
        f"| **{r.own_cpu_s / b.own_cpu_s:.2f}** |"
        for n, (r, b) in enumerate(zip(results, bare, strict=True), 1)
    ]
    return "\n".join(
        [
            "# Registrations a second",
            "",
            "<!-- Made by `python -m bench.registrations`. -->",
            "",
            f"Measured {datetime.now(UTC):%Y-%m-%d}, {cpu_model()}, Python "
            f"{platform.python_version()}; the phones (one process) and Kamailio share "
            "the cores. A registration is a whole virtual phone "
            "with a certificate of its own: TCP, a full mutual TLS 1.2 handshake, the "
            "server judged, REGISTER, challenge, REGISTER with digest. Kamailio runs "
            "from the files of `linekey export kamailio`, with one TCP worker (with "
            "several, 5.6 on OpenSSL 3 loses one under this load) and `-x fm -X fm`, "
            "and checks certificate, MAC, the list of active phones and password. "
            f"{phones} phones, {at_once} at once; all stay registered. "
            "In turn with them, on a Kamailio of its own, the least that a Python "
            "program must do to register (the standard library's ssl, canned messages, "
            "no phone).",
            "",
            "| round | registrations a second | one, median ms | one, 99 % ms "
            "| CPU ms a phone | Kamailio's CPU ms a phone | the least: a second "
            "| the least: CPU ms | phone ÷ least, CPU |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"The aim was {AIM} a second; the rounds' median is "
            f"{statistics.median(rates):.0f}, the least {rates[0]:.0f}. For "
            "comparison: SIPp loads one certificate for all its calls, and opens at "
            "most five new TLS connections a second.",
            "",
            NOTES.read_text(encoding="utf-8"),
        ]
    )


if __name__ == "__main__":
    main()
