"""What ``linekey phone run`` does, once its words are read.

Rules: what the state folder already knows of a phone is kept, and what is given anew
wins; a phone is locked for as long as it runs; a phone that cannot run, or stops by
itself, stops no other.
"""

import asyncio
import signal
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware
from linekey.certs.certificate import Certificate
from linekey.certs.pem import private_key_to_pem
from linekey.cli.certificate_files import in_file, read_certificates
from linekey.cli.opening import (
    printable,
    read_file,
)
from linekey.cli.output import emit_json, err_console, note, say, tell_error
from linekey.cli.phone_orders import (
    Order,
    count_on,
    read_date,
    read_orders,
    read_time,
)
from linekey.cli.progress import progress
from linekey.errors import InputError, LinekeyError, StorageError
from linekey.mac import parse_mac
from linekey.phone.edge.control import control
from linekey.phone.edge.disk import PhoneFolder, PhoneStore
from linekey.phone.edge.runner import Service
from linekey.phone.edge.several import (
    DESCRIPTORS,
    Ended,
    Start,
    run_several,
)
from linekey.phone.identity import DeviceIdentity, parse_identity
from linekey.phone.report import describe_run
from linekey.phone.resume import resume
from linekey.phone.state import LogEntry, PhoneState, Status, new_phone
from linekey.phone.uses.sip.edge import SipLines
from linekey.store.paths import StateDir
from linekey.wire.descriptors import RESERVE, raise_soft_limit
from linekey.wire.standard_streams import queued_streams


def carry_out(
    *,
    mac: str,
    count: int,
    phones: Path | None,
    model: str,
    firmware: str,
    setting_server: str,
    identity: Path | None,
    key: Path | None,
    trust: list[Path] | None,
    clock: str,
    firmware_date: str,
    web_port: int | None,
    once: bool,
    state: Path | None,
    as_json: bool,
) -> None:
    """Do what ``run`` was asked for."""
    base = Order(
        parse_mac(mac) if mac else _NOBODY,
        model=find_model(model).name if model else "",
        firmware=firmware,
        setting_server=setting_server,
        identity=identity,
        key=key,
        trust=tuple(trust or ()),
        clock=read_time(clock) if clock else None,
        firmware_date=read_date(firmware_date) if firmware_date else None,
        web_port=web_port,
    )
    several = phones is not None or count > 1
    orders = _orders(base, mac, count, phones)
    where = StateDir.open(state)
    if several:
        _make_room(len(orders))
    with ExitStack() as locks:
        starts, failed = _make_ready(orders, where, locks)
        with queued_streams():
            ended = asyncio.run(_run(starts, once=once, quiet=as_json, several=several))
    _tell_end(ended, failed, once=once, as_json=as_json, several=several)


_NOBODY = parse_mac("020000000000")
"""Stands where a file names the phones."""
Failed = list[tuple[Order, LinekeyError]]


def _orders(base: Order, mac: str, count: int, file: Path | None) -> list[Order]:
    if file is None:
        if not mac:
            raise InputError(
                "which phone?",
                hint="write --mac 000413AABBCC, or --phones FILE.csv for several",
            )
        return count_on(base, count)
    if mac or count > 1 or base.identity or base.key or base.web_port:
        raise InputError(
            "--phones names the phones, so --mac, --count, --identity, --key and "
            "--web-port have no place beside it",
            hint="leave them out; the file has the columns mac, identity, key and "
            "web_port",
        )
    data = read_file(file)
    try:
        orders, notes = read_orders(data, base)
    except InputError as error:
        raise InputError(f"{file}: {error.message}", hint=error.hint) from None
    for text in notes:
        note(f"note: {text}")
    return orders


def _make_room(count: int) -> None:
    wanted = count * DESCRIPTORS + RESERVE
    if (have := raise_soft_limit(wanted)) < wanted:
        raise StorageError(
            f"{count} phones need {wanted} file descriptors, and this process may have "
            f"{have}",
            hint=f"raise the limit (ulimit -Hn {wanted}), or run fewer phones",
        )


def _make_ready(
    orders: list[Order], where: StateDir, locks: ExitStack
) -> tuple[list[Start], Failed]:
    """The phones as they stand, each locked; and those that cannot run, said so."""
    store = PhoneStore(where.root / "phones")
    starts: list[Start] = []
    failed: Failed = []
    with progress("preparing", len(orders)) as seen:
        for order in orders:
            with ExitStack() as lock:
                try:
                    starts.append(_start(order, where, store.folder(order.mac), lock))
                    locks.push(lock.pop_all())
                except LinekeyError as error:
                    failed.append((order, error))
            seen(1)
    if failed and not starts:
        raise failed[0][1]
    if len(orders) > 1:
        for order, why in failed:
            tell_error(_of(order.mac, why))
    return starts, failed


def _start(
    order: Order, where: StateDir, folder: PhoneFolder, lock: ExitStack
) -> Start:
    lock.enter_context(folder.lock())
    phone = _stage(_prepare(folder, where, order), order)
    services: list[Service] = [control(folder.control_path), SipLines()]
    if order.web_port is not None:
        services.append(_pages(order))
    folder.save(phone)
    return Start(phone, folder, order.clock, tuple(services))


def _of(mac: object, error: LinekeyError) -> LinekeyError:
    """The error with the phone's MAC before it, where there are several phones."""
    return type(error)(f"{mac}: {error.message}", hint=error.hint)


async def _run(
    starts: list[Start], *, once: bool, quiet: bool, several: bool
) -> list[Ended]:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    def tell(phone: PhoneState, entry: LogEntry) -> None:
        _say(entry, f"{phone.mac} " if several else "")

    def failed(phone: PhoneState, error: LinekeyError) -> None:
        if several:
            tell_error(_of(phone.mac, error))

    if several:
        note(f"{len(starts)} phones run in this process; Ctrl-C stops them")
    return await run_several(
        starts, stop=stopped, once=once, tell=None if quiet else tell, failed=failed
    )


def _tell_end(
    ended: list[Ended], failed: Failed, *, once: bool, as_json: bool, several: bool
) -> None:
    """Print how the phones ended; leave with 3 if one could not run, with 1 if not all
    were provisioned by ``--once``."""
    if not several and ended[0].failure is not None:
        raise ended[0].failure
    if as_json:
        rows = [
            describe_run(one.state) | ({} if one.failure is None else _why(one.failure))
            for one in ended
        ] + [{"mac": str(order.mac), **_why(error)} for order, error in failed]
        emit_json(rows if several else rows[0])
    elif once:
        for one in ended:
            say(f"{one.state.mac} {one.state.status}: {one.state.status_reason}")
    if failed or any(one.failure is not None for one in ended):
        raise typer.Exit(StorageError.exit_code)
    if once and any(one.state.status is not Status.PROVISIONED for one in ended):
        raise typer.Exit(1)


def _why(error: LinekeyError) -> dict[str, Any]:
    return {"failed": {"message": error.message, "hint": error.hint}}


def _prepare(folder: PhoneFolder, where: StateDir, order: Order) -> PhoneState:
    """The phone as it stands, or a new one."""
    identity = None
    if order.identity is not None:
        key = None if order.key is None else read_file(order.key)
        data = read_file(order.identity)
        with in_file(order.identity):
            identity = parse_identity(data, key)
    now = datetime.now(UTC)
    if folder.exists:
        wanted = Firmware.parse(order.firmware) if order.firmware else None
        phone = resume(folder.load(), order.model, wanted, now)
    else:
        if not order.model:
            raise InputError(
                f"there is no virtual phone {order.mac} yet",
                hint="give its model: --model D785 --firmware 10.1.33.33",
            )
        found = find_model(order.model)
        firmware = order.firmware or newest_firmware(found)
        phone = new_phone(order.mac, found.name, firmware)
    changes: dict[str, Any] = {}
    if order.setting_server:
        changes["bootstrap_server"] = order.setting_server
    if identity is not None:
        changes["builtin"] = identity
    elif phone.builtin is None:
        changes["builtin"] = lab_identity(where, phone)
    phone = replace(phone, **changes)
    phone = phone.with_usual_roots(
        _maker_authorities(where, phone), told=order.firmware_date
    )
    lists = phone.roots
    assert lists is not None, "with_usual_roots has just set them"
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
        cas = lab.makers_authorities(phone.profile)
        if any(ca.subject.matches(builtin.leaf.issuer) for ca in cas):
            return cas
    return given


def lab_identity(where: StateDir, phone: PhoneState) -> DeviceIdentity:
    """The lab's certificate for this phone, of its model's generation; made if new."""
    from linekey.lab.authority import LabAuthority

    lab = LabAuthority.open(where.lab)
    chain, key = lab.phone_identity(phone.profile, phone.mac)
    return DeviceIdentity(chain, private_key_to_pem(key))


def _stage(phone: PhoneState, order: Order) -> PhoneState:
    now = order.clock or datetime.now(UTC)
    if order.trust:
        phone = phone.counting_all_cas()
    for path in order.trust:
        for certificate in read_certificates(path):
            intake = phone.trust.provision(certificate, at=now, signed_by_rule=False)
            phone = replace(phone, trust=intake.store).with_log(
                now, "certificates", f"staging: {intake.reason}"
            )
    return phone


def _pages(order: Order) -> Service:
    """The phone's own pages, on loopback."""
    from linekey.phone.pages.server import serve_pages

    assert order.web_port is not None
    server = serve_pages(order.web_port)
    note(f"the pages of {order.mac}: {server.url}")
    return server


def _say(entry: LogEntry, whose: str) -> None:
    mark = {"info": " ", "warning": "!", "error": "✗"}[entry.level]
    err_console.print(
        f"{entry.at:%H:%M:%S} {whose}{mark} {entry.purpose}: {printable(entry.text)}",
        markup=False,
        soft_wrap=True,
    )
    for detail in entry.details:
        err_console.print(
            f"           {printable(detail)}", markup=False, style="dim", soft_wrap=True
        )
