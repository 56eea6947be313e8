"""What ``linekey load`` does, once its words are read.

Rule: what cannot be is said before anything is started; workers of this machine end
with their master, however that ends.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

import typer

from linekey.certs.pem import to_pem
from linekey.cli.certificate_files import read_certificates
from linekey.cli.output import emit_json, note, say
from linekey.cli.when import parse_span
from linekey.endpoint import host_port, is_loopback, parse_host_port
from linekey.errors import InputError
from linekey.load.mix import Mix
from linekey.load.order import LoadOrder, host_of, parse_rate, parse_registrar
from linekey.load.table import read_table
from linekey.load.token import Token, read_token
from linekey.words import counted

_PARENT: Final = "LINEKEY_LOAD_PARENT"
"""Tells a worker the process that it ends with."""
_PROGRAM: Final = ("-c", "from linekey.cli.main import main; main()")


@dataclass(frozen=True, slots=True)
class Given:
    """The words of the command line."""

    server: str
    lab: bool
    phones: int
    rate: str
    lasting: str
    mix: str
    think: str
    registrar: str
    domain: str
    phones_from: Path | None
    trust: tuple[Path, ...]
    owned: tuple[str, ...]
    workers: int | None
    at_once: int
    limit: str
    master: str
    expect: int
    token: Path | None
    html: Path | None
    csv: Path | None
    json: bool


def engine() -> ModuleType:
    """The bridge to Locust. Raises InputError, with the cure, where it is missing."""
    try:
        from linekey.load import locust_engine
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("locust", "gevent", "zmq"):
            raise
        raise InputError(
            "linekey load needs Locust, which is not installed",
            hint="pip install 'linekey[load]', into the environment that linekey is in",
        ) from None
    return locust_engine


def join(
    where: str, token: Path | None, phones: Path | None, owned: tuple[str, ...]
) -> None:
    """Be a worker."""
    host, port = _address(where, "--join")
    if token is None or phones is None:
        raise InputError(
            "a worker needs the run's token and phones of its own",
            hint="copy the master's file: --token FILE, and --phones-from FILE.csv",
        )
    bridge = engine()
    bridge.run_worker(
        read_token(token), host, port, read_table(phones), owned=owned,
        parent=int(os.environ.get(_PARENT, "0")), tell=note,
    )  # fmt: skip


def run(given: Given) -> None:
    """Be the master, with workers on this machine."""
    _refuse_contradictions(given)
    order = LoadOrder(
        mix=Mix.parse(given.mix),
        phones=given.phones,
        rate=parse_rate(given.rate) if given.rate else 0.0,
        for_s=_seconds(given.lasting, "--for"),
        server=given.server.rstrip("/"),
        registrar=parse_registrar(given.registrar) if given.registrar else "",
        domain=given.domain,
        think_s=_seconds(given.think, "--think"),
        at_once=given.at_once,
        limit_s=_seconds(given.limit, "--limit"),
        trust_pem="".join(
            to_pem(c) for path in given.trust for c in read_certificates(path)
        ),
        owned=given.owned,
    )
    host_of(order.server)  # what is no web address
    if given.master:
        _address(given.master, "--master")
    bridge = engine()
    if not given.lab:
        order.check()
        assert given.phones_from is not None or not _workers(given)
        if given.phones_from is not None:
            _refuse_too_few(given)
        _carry_out(given, order, given.phones_from, bridge)
        return
    with _lab(given, order) as (target, table):
        _carry_out(given, target, table, bridge)


@contextmanager
def _lab(given: Given, order: LoadOrder) -> Iterator[tuple[LoadOrder, Path]]:
    from dataclasses import replace

    from linekey.load.target import lab_target

    # Its own mistakes first: a lab takes a while.
    boots = "boot" in order.mix
    replace(
        order, server="https://localhost", registrar="" if boots else "localhost:5061"
    ).check()
    note(f"making a lab with {counted(given.phones, 'phone')}")
    with lab_target(given.phones) as lab:
        (ca,) = read_certificates(lab.trust)
        made = replace(
            order, server=lab.server, registrar="" if boots else lab.registrar,
            domain=lab.domain, trust_pem=to_pem(ca),
        )  # fmt: skip
        yield made, lab.table


def _carry_out(
    given: Given, order: LoadOrder, table: Path | None, bridge: ModuleType
) -> None:
    host, port = _address(given.master, "--master") if given.master else (_HERE, 0)
    token: Token = bridge.curve.new_token()
    if given.token is not None:
        token.write(given.token)

    def local(port: int) -> list["subprocess.Popen[bytes]"]:
        if given.expect:
            _tell_others(given, host, port)
        return [
            _worker(host, port, token, table, order.owned)
            for _ in range(_workers(given))
        ]

    measured = bridge.run_master(
        bridge.Run(
            order, token, host, port, given.expect, local, note, given.html, given.csv
        )
    )
    if given.json:
        emit_json(measured.as_dict(order))
    else:
        for line in measured.lines(order):
            say(line)
    if given.html is not None:
        note(f"written: {given.html}")
    if measured.failed or measured.lost:
        raise typer.Exit(1)


_HERE: Final = "127.0.0.1"


def _worker(
    host: str, port: int, token: Token, table: Path | None, owned: tuple[str, ...]
) -> "subprocess.Popen[bytes]":
    assert table is not None
    near = _HERE if host in ("0.0.0.0", "*") else host  # noqa: S104 - where it listens
    words = ["load", "--join", host_port(near, port),
             "--token", "/dev/stdin", "--phones-from", str(table),
             *(word for name in owned for word in ("--i-own", name))]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, *_PROGRAM, *words],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        env=os.environ | {_PARENT: str(os.getpid())},
        start_new_session=True,  # Ctrl-C is the master's, which ends them in order
    )  # fmt: skip
    assert process.stdin is not None
    with process.stdin as pipe:  # a file would outlive a master that is killed
        pipe.write(token.text.encode())
    return process


def _tell_others(given: Given, host: str, port: int) -> None:
    note(f"waiting for {counted(given.expect, 'worker')} of other machines; on each:")
    note(
        f"  linekey load --join {host_port(host, port)} --token {given.token} "
        "--phones-from FILE.csv"
    )
    if is_loopback(host):
        note(f"  through a tunnel: ssh -N -L {port}:127.0.0.1:{port} THIS-MACHINE")


def _workers(given: Given) -> int:
    if given.workers is not None:
        return given.workers
    return 0 if given.expect else max(1, (os.cpu_count() or 2) - 1)


def _refuse_contradictions(given: Given) -> None:
    if given.lab and (given.server or given.registrar or given.phones_from):
        raise InputError(
            "--lab brings its own server, registrar and phones",
            hint="leave --server, --registrar and --phones-from out",
        )
    if given.lab and given.expect:
        raise InputError(
            "--lab is on this machine's loopback, where no other machine's phone gets",
            hint="leave --expect out; for more processes here: --workers N",
        )
    if not _workers(given) and not given.expect:
        raise InputError(
            "nobody runs the phones",
            hint="give --workers 1 or more, or --expect for other machines",
        )
    if given.expect and given.token is None:
        raise InputError(
            "workers of other machines need the run's token",
            hint="name a file for it: --token FILE, and copy it to them",
        )
    if not given.lab and not given.server and not given.registrar:
        raise InputError(
            "what is to be loaded?",
            hint="name it: --server https://HOST:PORT, or --registrar sips:HOST:PORT; "
            "or try --lab",
        )
    if not given.lab and _workers(given) and given.phones_from is None:
        raise InputError(
            "which phones?",
            hint="give their certificates with --phones-from FILE.csv, or a folder "
            "with MAC.pem and MAC.key (linekey lab identity writes them)",
        )
    if given.html is not None:
        _refuse_unwritable("--html", given.html)
    if given.csv is not None:
        _refuse_unwritable("--csv", given.csv.with_name(f"{given.csv.name}_stats.csv"))


def _refuse_unwritable(option: str, path: Path) -> None:
    """Before the load, not after it."""
    there = path.exists()
    try:
        path.open("ab").close()
        if not there:
            path.unlink()
    except OSError as error:
        raise InputError(
            f"{option}: cannot write {str(path)!r}: {(error.strerror or '').lower()}",
            hint="give a file in a folder that is there, and where this user may write",
        ) from None


def _refuse_too_few(given: Given) -> None:
    assert given.phones_from is not None
    table = read_table(given.phones_from)
    if len(table.rows) < given.phones and not given.expect:
        raise InputError(
            f"{given.phones_from} has {counted(len(table.rows), 'phone')}, and "
            f"--phones asks for {given.phones:,}",
            hint=f"give --phones {len(table.rows)}, or a longer table",
        )


def _seconds(text: str, option: str) -> float:
    return parse_span(text, option).total_seconds()


def _address(text: str, option: str) -> tuple[str, int]:
    try:
        return parse_host_port(text)
    except ValueError as error:
        raise InputError(f"{option}: {error}", hint="write HOST:PORT") from None
