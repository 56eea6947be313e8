"""``linekey phone run``: one virtual phone, until Ctrl-C.

Rules: what the state folder already knows of the phone is kept, and what is given anew
wins; the phone is locked for as long as it runs.
"""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware
from linekey.catalog.root_lists import lists_for
from linekey.certs.certificate import Certificate
from linekey.certs.pem import private_key_to_pem
from linekey.cli.certificate_files import in_file, read_certificates
from linekey.cli.opening import (
    PORTS,
    JsonOption,
    StateOption,
    printable,
    read_file,
)
from linekey.cli.output import console, emit_json, err_console, note
from linekey.errors import InputError
from linekey.mac import Mac, parse_mac
from linekey.phone.edge.control import control
from linekey.phone.edge.disk import PhoneFolder, PhoneStore
from linekey.phone.edge.runner import Service, VirtualPhone
from linekey.phone.identity import DeviceIdentity, parse_identity
from linekey.phone.report import describe_run
from linekey.phone.resume import resume
from linekey.phone.state import LogEntry, PhoneState, Status, new_phone
from linekey.phone.uses.sip.edge import SipLines
from linekey.store.paths import StateDir
from linekey.wire.standard_streams import queued_streams

_T = TypeVar("_T")


def run(
    mac: Annotated[str, typer.Option("--mac", metavar="MAC", help="Its MAC address.")],
    model: Annotated[
        str,
        typer.Option("--model", help="Model, such as D785; required the first time."),
    ] = "",
    firmware: Annotated[
        str,
        typer.Option(
            "--firmware",
            help="Firmware version. Default: as before, else the newest known.",
        ),
    ] = "",
    setting_server: Annotated[
        str,
        typer.Option(
            "--setting-server", metavar="URL", help="Setting server URL, as from DHCP."
        ),
    ] = "",
    identity: Annotated[
        Path | None,
        typer.Option(
            "--identity",
            metavar="FILE",
            help="Built-in certificate with chain and key, PEM. Default: the lab's.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="Its private key, if it is not in --identity."
        ),
    ] = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust",
            metavar="FILE",
            help="Put these certificates on the Server Certificates tab first. May be "
            "repeated.",
        ),
    ] = None,
    clock: Annotated[
        str,
        typer.Option(
            "--clock", metavar="TIME", help="Time on its clock, such as 1970-01-01."
        ),
    ] = "",
    firmware_date: Annotated[
        str,
        typer.Option(
            "--firmware-date",
            metavar="DATE",
            help="Build date, which determines its root CAs.",
        ),
    ] = "",
    web_port: Annotated[
        int | None,
        typer.Option(
            "--web-port",
            metavar="N",
            **PORTS,
            help="Serve its web pages over HTTPS here.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Stop after it was provisioned once.")
    ] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a virtual phone until Ctrl-C. It boots and fetches its configuration.

    What the state folder has of this phone is kept. For example:

        linekey phone run --mac 000413AABBCC --model D785 --once
    """
    where = StateDir.open(state)
    address = parse_mac(mac)
    folder = PhoneStore(where.root / "phones").folder(address)
    told = _date(firmware_date) if firmware_date else None
    start = _time(clock) if clock else None
    with folder.lock():
        phone = _prepare(
            folder, where, address, model, firmware, setting_server, identity, key, told
        )
        phone = _stage(phone, trust or [], start)
        folder.save(phone)
        services: list[Service] = [control(folder.control_path), SipLines()]
        if web_port is not None:
            services.append(_pages(web_port))
        with queued_streams():
            ended = asyncio.run(
                _run(phone, folder, start, tuple(services), once=once, quiet=as_json)
            )
    if once:
        if as_json:
            emit_json(describe_run(ended))
        else:
            console.print(
                f"{ended.mac} {ended.status}: {ended.status_reason}", markup=False
            )
        if ended.status is not Status.PROVISIONED:
            raise typer.Exit(1)


async def _run(
    phone: PhoneState,
    folder: PhoneFolder,
    clock: datetime | None,
    services: tuple[Service, ...],
    *,
    once: bool,
    quiet: bool,
) -> PhoneState:
    tell = None if quiet else _say
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    runner = VirtualPhone(
        phone, keeper=folder, clock=clock, tell=tell, services=services
    )
    async with runner:
        stop = asyncio.ensure_future(stopped.wait())
        done = asyncio.ensure_future(
            runner.round_ended() if once else runner.wait_closed()
        )
        await asyncio.wait({stop, done}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if done.done():
            done.result()
        done.cancel()
        return runner.state


def _prepare(
    folder: PhoneFolder,
    where: StateDir,
    mac: Mac,
    model: str,
    firmware: str,
    setting_server: str,
    identity_file: Path | None,
    key_file: Path | None,
    told: date | None,
) -> PhoneState:
    """The phone as it stands, or a new one."""
    identity = None
    if identity_file is not None:
        key = None if key_file is None else read_file(key_file)
        data = read_file(identity_file)
        with in_file(identity_file):
            identity = parse_identity(data, key)
    now = datetime.now(UTC)
    if folder.exists:
        wanted = Firmware.parse(firmware) if firmware else None
        phone = resume(folder.load(), model, wanted, now)
    else:
        if not model:
            raise InputError(
                f"there is no virtual phone {mac} yet",
                hint="give its model: --model D785 --firmware 10.1.33.33",
            )
        found = find_model(model)
        phone = new_phone(mac, found.name, firmware or newest_firmware(found))
    changes: dict[str, Any] = {}
    if setting_server:
        changes["bootstrap_server"] = setting_server
    if identity is not None:
        changes["builtin"] = identity
    elif phone.builtin is None:
        changes["builtin"] = lab_identity(where, phone)
    phone = replace(phone, **changes)
    lists = lists_for(phone.profile.firmware, told=told)
    phone = phone.with_roots(lists, _maker_authorities(where, phone))
    own = len(phone.maker_authorities)
    return phone.with_log(
        now,
        "certificates",
        f"{len(phone.trust.authorities)} authorities: {own} of the phone's maker, and "
        f"{len(lists.newest)} of Mozilla's; {lists.sentence}",
        level="info" if lists.certain else "warning",
    )


def _maker_authorities(where: StateDir, phone: PhoneState) -> tuple[Certificate, ...]:
    """The CAs of the phone's maker: the lab's, or those of the identity it was given.

    A real maker's certificates are not linekey's to ship; what an operator's own
    identity file brings beside the leaf is what there is of them.
    """
    from linekey.lab.authority import LabAuthority

    builtin = phone.builtin
    if builtin is None:
        return ()
    given = tuple(c for c in builtin.chain[1:] if c.is_ca)
    if where.lab.exists():
        lab = LabAuthority.open(where.lab)
        cas = (*lab.vendor_roots(), *lab.vendor_intermediates())
        if any(ca.subject.matches(builtin.leaf.issuer) for ca in cas):
            return cas
    return given


def lab_identity(where: StateDir, phone: PhoneState) -> DeviceIdentity:
    """The lab's certificate for this phone, of its model's generation; made if new."""
    from linekey.lab.authority import LabAuthority

    lab = LabAuthority.open(where.lab)
    chain, key = lab.phone_identity(phone.profile, phone.mac)
    return DeviceIdentity(chain, private_key_to_pem(key))


def _stage(phone: PhoneState, files: list[Path], clock: datetime | None) -> PhoneState:
    now = clock or datetime.now(UTC)
    for path in files:
        for certificate in read_certificates(path):
            intake = phone.trust.provision(certificate, at=now, signed_by_rule=False)
            phone = replace(phone, trust=intake.store).with_log(
                now, "certificates", f"staging: {intake.reason}"
            )
    return phone


def _pages(port: int) -> Service:
    """The phone's own pages, on loopback."""
    from linekey.phone.pages.server import serve_pages

    server = serve_pages(port)
    note(f"the phone's pages: {server.url}")
    return server


def _say(entry: LogEntry) -> None:
    mark = {"info": " ", "warning": "!", "error": "✗"}[entry.level]
    err_console.print(
        f"{entry.at:%H:%M:%S} {mark} {entry.purpose}: {printable(entry.text)}",
        markup=False,
        soft_wrap=True,
    )
    for detail in entry.details:
        err_console.print(
            f"           {printable(detail)}", markup=False, style="dim", soft_wrap=True
        )


def _date(text: str) -> date:
    return _read(text, date.fromisoformat, "a date", "2019-02-25")


def _time(text: str) -> datetime:
    moment = _read(text, datetime.fromisoformat, "a time", "1970-01-01T00:00")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read(text: str, reader: Callable[[str], _T], what: str, example: str) -> _T:
    try:
        return reader(text)
    except ValueError:
        raise InputError(
            f"not {what}: {text!r}", hint=f"write it as {example}"
        ) from None
