"""What ``linekey export`` does, once its words are read.

Rules: a file that linekey did not write is never overwritten, and one that is the
operator's from then on (accounts, secrets) is written once. No key is copied.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import typer

from linekey.certs.certificate import Certificate
from linekey.certs.host_names import whole_names
from linekey.cli.export_reach import is_filled, key_advice
from linekey.cli.export_registry import told_of_registry
from linekey.cli.export_watch import Follower, stop_on_signals
from linekey.cli.opening import (
    opened,
    with_state,
)
from linekey.cli.output import emit_json, note, warn
from linekey.cli.progress import progress
from linekey.cli.serve import load_settings, report
from linekey.endpoint import host_port
from linekey.errors import InputError, StorageError
from linekey.export.account import DEBIAN, parse_account
from linekey.export.active import active_phones
from linekey.export.admission import admitted
from linekey.export.needs import ServerKey, fleet_needs
from linekey.export.pass_through import PEER as PASSES_THROUGH
from linekey.export.pass_through import parse_member, pass_through
from linekey.export.peers import PEERS, Peer, find_peer
from linekey.export.render import MARK, Export, check_options, check_trust, export
from linekey.export.request import (
    ClientCertificates,
    Request,
    UnixSocket,
    parse_backend,
    parse_listen,
    parse_name,
    parse_path,
)
from linekey.provisioning.ca_rules import rules_of
from linekey.server.preflight.checks import read_chain
from linekey.server.preflight.export import check_export
from linekey.server.preflight.proxy import SOCKET
from linekey.settings import Settings
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.exported import Exported, note_export, registry_revision
from linekey.store.vendor_cas import VendorCas
from linekey.tls.versions import Version
from linekey.trust.findings import Finding
from linekey.words import choice_hint, counted

PUBLIC_PORT = 443
"""The port that ``linekey serve`` takes its proxy to have, if nobody says another."""
HOME = "/etc/linekey"
"""Where files are taken to lie if nothing else is said."""
_OLDEST = {"1.0": Version.TLS1_0, "1.1": Version.TLS1_1, "1.2": Version.TLS1_2}


def carry_out(
    *,
    peer: str | None,
    out: Path | None,
    name: str | None,
    listen: str | None,
    certificate: list[Path] | None,
    key: list[Path] | None,
    backend: str | None,
    files: Path | None,
    servers: list[str],
    user: str | None,
    client_certificates: ClientCertificates,
    min_version: str | None,
    groups: list[str] | None,
    reload: str | None,
    watch: bool,
    state: Path | None,
    json: bool,
) -> None:
    """Do what ``export`` was asked for."""
    if watch:
        if peer is not None or out is not None:
            raise InputError(
                "--watch follows all exports that were written",
                hint="leave out the server and --out",
            )
        follower = Follower(state, Again().write)
        stop_on_signals(follower.stop)
        follower.run()
        return
    if peer is None:
        raise InputError(
            "no server is named", hint=f"give one of {', '.join(PEERS)}, or --watch"
        )
    options = {
        "out": out,
        "name": name,
        "listen": listen,
        "certificate": certificate or None,
        "key": key or None,
        "backend": backend,
        "files": files,
        "user": user,
        "client_certificates": client_certificates,
        "min_version": min_version,
        "groups": groups,
    }
    wanted = find_peer(peer)
    if servers:
        others = {
            "--name": name,
            "--certificate": certificate or None,
            "--key": key or None,
            "--backend": backend,
            "--files": files,
        }
        unfit = [option for option, value in others.items() if value is not None]
        _pass_through(peer, servers, listen, out, user, unfit, json=json)
        return
    with opened(state) as database:
        read_at = registry_revision(database)
        with progress("reading the registry"):
            request = _request(peer, database, options, report)
        root = database.state.root
    with progress("exporting"):
        made = export(wanted, request)
    kept: list[Path] = []
    if out is not None:
        kept = write_files(made, Path(request.folder)).kept
        told = {
            name: _as_told(value)
            for name, value in (options | {"out": request.folder}).items()
        }
        one = Exported(peer, request.folder, told, reload, read_at, "")
        note_export(root, one.written(read_at, datetime.now(UTC)))
    _show(made, request, written=out is not None, json=json)
    for path in kept:
        note(f"kept unchanged: {path}")
    for text in made.notes:
        warn(text)
    if out is not None:
        _say_next(made, request, root)


def _pass_through(
    peer: str,
    servers: list[str],
    listen: str | None,
    out: Path | None,
    user: str | None,
    unfit: list[str],
    *,
    json: bool,
) -> None:
    """Export a balancer that ends no TLS: it needs nothing of the registry."""
    if peer != PASSES_THROUGH:
        raise InputError(
            f"{find_peer(peer).title} is no balancer that linekey configures",
            hint="haproxy is; or leave out --server",
        )
    if unfit:
        raise InputError(
            f"{unfit[0]} is of no use with --server: HAProxy ends no TLS then",
            hint=f"leave out {unfit[0]}, or --server",
        )
    folder = parse_path(str(absolute(out) if out else f"{HOME}/{peer}"), "folder")
    made = pass_through(
        [parse_member(text) for text in servers],
        listen=parse_listen(listen or "", PUBLIC_PORT),
        folder=folder,
        account=None if user is None else parse_account(user),
    )
    if out is not None:
        write_files(made, Path(folder))
    if json:
        emit_json(_told(made, folder))
    else:
        _show_files(made, folder, written=out is not None)
    for text in made.notes:
        note(text)
    if out is not None:
        for line in made.run:
            note(f"next: {line}")
        note(f"or with systemd: systemctl enable --now {folder}/{made.files[1].name}")


class Again:
    """Writes exports anew, and warns of each only where it did not say so before."""

    def __init__(self) -> None:
        self._said: dict[str, list[Finding]] = {}

    def write(self, database: Database, one: Exported) -> bool:
        """Write an export; say whether a file of it changed. Raises LinekeyError."""
        options = {name: _as_given(name, value) for name, value in one.options.items()}

        def report_new(findings: list[Finding]) -> None:
            known = self._said.get(one.folder, [])
            report([f for f in findings if f.refuses or f not in known])
            self._said[one.folder] = findings

        request = _request(one.peer, database, options, report_new)
        made = export(find_peer(one.peer), request)
        return write_files(made, Path(one.folder)).changed


def _as_told(value: Any) -> Any:
    """An option as JSON has it."""
    if isinstance(value, list):
        return [_as_told(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _as_given(name: str, value: Any) -> Any:
    """The same, back. A single path of certificate and key is an earlier linekey's."""
    if value is None or name not in ("out", "certificate", "key", "files"):
        return value
    if name in ("out", "files"):
        return Path(value)
    return [Path(each) for each in ([value] if isinstance(value, str) else value)]


def _request(
    peer_name: str,
    database: Database,
    options: dict[str, Any],
    tell: Callable[[list[Finding]], None],
) -> Request:
    """What is to be exported. What ``linekey serve`` would say about it is told first,
    and what refuses it raises there: reading 100,000 phones takes seconds."""
    peer = find_peer(peer_name)
    root = database.state.root
    settings = load_settings(database.state, {})
    out, files = options["out"], options["files"]
    pairs, also_notes = _pairs(peer, options, settings, root)
    pair = pairs[0]
    leaf = pair.leaf
    listen = parse_listen(options["listen"] or "", peer.port)
    backend = options["backend"]
    if backend is not None and files is not None:
        raise InputError(
            "--backend and --files exclude each other",
            hint="with --backend linekey decides who gets which file, with --files "
            "the other server",
        )
    if backend is None and peer.forwards and files is None:
        backend = _backend(settings)
    trusted = VendorCas(database).all()
    check_trust(trusted)
    authorities = tuple(ca.certificate for ca in trusted)
    rules = rules_of((ca.certificate, ca.said) for ca in trusted)
    host = parse_name(options["name"] or _name(settings, leaf))
    account = None if options["user"] is None else parse_account(options["user"])
    oldest = _oldest(options["min_version"])
    folder = parse_path(str(absolute(out) if out else f"{HOME}/{peer.name}"), "folder")
    backend = None if backend is None else parse_backend(backend)
    files = None if files is None else parse_path(str(absolute(files)), "folder")
    check_options(
        peer,
        files=files is not None,
        backend=backend is not None,
        client_certificates=options["client_certificates"],
    )
    findings = [
        finding
        for each in pairs
        for finding in check_export(
            # A phone in 802.1X knows the server's authority, and no name.
            name=None if peer.name == "freeradius" else host,
            host=listen.host,
            chain=each.chain,
            key=Path(each.key),
            vendor_cas=authorities,
            now=datetime.now(UTC),
            rules=rules,
        )
    ]
    tell(list(dict.fromkeys(findings)))
    devices = tuple(Devices(database).all())
    server_key = pair.kind
    also = pairs[1] if len(pairs) > 1 else None
    told = told_of_registry(
        peer.name, database, devices, realm=host, groups=options.get("groups")
    )
    return Request(
        accounts=told.accounts,
        phone_book=told.phone_book,
        account_notes=(*told.notes, *also_notes),
        needs=fleet_needs(
            devices, server_key, oldest=oldest, also_ecdsa=also is not None
        ),
        groups=admitted(devices, server_key),
        account=account,
        authorities=authorities,
        rules=rules,
        phones=active_phones(devices),
        name=host,
        listen=listen,
        folder=folder,
        certificate=pair.certificate,
        key=pair.key,
        also=None if also is None else (also.certificate, also.key),
        backend=backend,
        files=files,
        client_certificates=options["client_certificates"],
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """A certificate and its key, by their paths, and what is read of it."""

    certificate: str
    key: str
    chain: tuple[Certificate, ...]
    """Empty where nothing is there yet and nobody named it."""

    @property
    def leaf(self) -> Certificate | None:
        return self.chain[0] if self.chain else None

    @property
    def kind(self) -> ServerKey:
        return (
            "ECDSA" if self.leaf is not None and self.leaf.key.kind == "ec" else "RSA"
        )


def _pairs(
    peer: Peer, options: dict[str, Any], settings: Settings, root: Path
) -> tuple[list[_Pair], tuple[str, ...]]:
    """The certificates that the peer is to show, RSA's first, and what to say of them.

    Raises InputError for what is no certificate and key, or one of each kind with each.
    """
    given, keys = options["certificate"], options["key"]
    certificates = _paths(given, settings.certificate, root, "server.pem")
    keys = _paths(keys, settings.key, root, "server.key")
    if len(certificates) != len(keys) or len(keys) > 2:
        raise InputError(
            f"{counted(len(certificates), 'certificate')} and "
            f"{counted(len(keys), 'key')} do not belong together",
            hint="give one, or one with an RSA and one with an EC key: --certificate "
            "and --key once for each, in the same order",
        )
    found = [
        _Pair(
            parse_path(certificate, "certificate"),
            parse_path(key, "key"),
            _chain(Path(certificate), required=given is not None),
        )
        for certificate, key in zip(certificates, keys, strict=True)
    ]
    if len(found) == 1:
        return found, ()
    missing = [pair.certificate for pair in found if not pair.chain]
    if missing:
        raise InputError(
            f"there is no certificate in {missing[0]!r}, so what kind it is cannot be "
            "seen",
            hint="put both there, or name one with --certificate and --key",
        )
    if found[0].kind == found[1].kind:
        raise InputError(
            f"both certificates are for {found[0].kind} keys",
            hint="give one with an RSA and one with an EC key, or only one",
        )
    found.sort(key=lambda pair: pair.kind, reverse=True)  # RSA before ECDSA
    if peer.both:
        return found, ()
    return found[:1], (
        f"{peer.title} is given one certificate, RSA's, which every phone can use; "
        f"left out: {found[1].certificate}",
    )


def _oldest(text: str | None) -> Version | None:
    if text is None:
        return None
    if text not in _OLDEST:
        raise InputError(
            f"not a TLS version: {text!r}", hint=choice_hint(text, _OLDEST)
        )
    return _OLDEST[text]


def _backend(settings: Settings) -> str:
    """Where linekey listens by its settings, if they say so."""
    proxy = settings.proxy
    if proxy.unix_socket is None and proxy.behind_proxy and proxy.trusted_proxies:
        host = settings.host if "host" in settings.model_fields_set else "127.0.0.1"
        return f"http://{host_port(host, settings.port)}"
    return f"unix:{proxy.unix_socket or SOCKET}"


def _paths(
    given: list[Path] | None, set_: tuple[Path, ...], root: Path, name: str
) -> list[str]:
    """The files that are given, else those that are set, else the usual one."""
    if given is not None:
        return [str(absolute(path)) for path in given]
    return [str(absolute(root / path)) for path in set_] or [f"{HOME}/{name}"]


def absolute(path: Path) -> Path:
    """The path from the root on, without ``..``: where that leads, links say."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _chain(path: Path, *, required: bool) -> tuple[Certificate, ...]:
    """The server's certificate and what is above it; empty where nothing is there yet
    and nobody named it."""
    return read_chain(path) if required or path.exists() else ()


def _name(settings: Settings, leaf: Certificate | None) -> str:
    names = settings.names or (whole_names(leaf) if leaf else ())
    if not names:
        raise InputError(
            "the host name that phones use is not known",
            hint="give --name HOST, or names in linekey.toml",
        )
    return names[0]


class Written(NamedTuple):
    """What was done with an export's files."""

    kept: list[Path]
    """The operator's, which stayed as they are."""
    changed: bool
    """Whether any other is not as it was."""


def write_files(made: Export, folder: Path) -> Written:
    """Write an export into ``folder``.

    Raises StorageError if that cannot be done, and InputError, before anything is
    written, if a file is there that linekey did not write.
    """
    kept = []
    wanted = []
    for file in made.files:
        path = folder / file.name
        if not path.exists():
            wanted.append((path, file))
        elif file.operators:
            kept.append(path)
        else:
            there = path.read_text(encoding="utf-8", errors="replace")
            if there == file.text:
                continue  # its time tells a server that nothing changed
            if MARK not in there[:400]:
                raise InputError(
                    f"{str(path)!r} exists, and was not written by linekey",
                    hint="give another folder with --out DIR, or move the file away",
                )
            wanted.append((path, file))
    try:
        for name in made.folders:
            (folder / name).mkdir(parents=True, exist_ok=True)
        for path, file in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.new")
            draft.unlink(missing_ok=True)
            mode = 0o600 if file.secret or file.operators else 0o644
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(file.text)
                _as_before(path, stream.fileno(), 0o640 if file.secret else 0o777)
            draft.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write into {str(folder)!r}: {(error.strerror or '').lower()}",
            hint="give a folder that this user may write to, with --out DIR",
        ) from error
    return Written(kept, bool(wanted))


def _as_before(path: Path, descriptor: int, most: int) -> None:
    """Give a file that replaces another its group and rights, up to ``most``."""
    try:
        before = path.stat()
    except FileNotFoundError:
        return
    status = os.fstat(descriptor)
    if (before.st_uid, before.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & most)


def _show(made: Export, request: Request, *, written: bool, json: bool) -> None:
    if json:
        needs = request.needs
        emit_json(
            _told(made, request.folder)
            | {
                "needs": {
                    "phones": needs.phones,
                    "versions": [v.label for v in needs.versions],
                    "suites": [*needs.tls13_suites, *needs.suites],
                    "security_level_0": list(needs.level_0_reasons),
                    "not_served": [
                        {"phones": list(who.phones), "reason": who.reason}
                        for who in needs.unserved
                    ],
                },
            }
        )
        return
    _show_files(made, request.folder, written=written)


def _told(made: Export, folder: str) -> dict[str, Any]:
    return {
        "peer": made.peer,
        "folder": folder,
        "files": [
            {"name": f.name, "purpose": f.purpose, "text": f.text} for f in made.files
        ],
        "prepare": list(made.prepare),
        "run": list(made.run),
        "notes": list(made.notes),
    }


def _show_files(made: Export, folder: str, *, written: bool) -> None:
    for file in made.files:
        if written:
            typer.echo(f"{folder}/{file.name}  {file.purpose}")
        else:
            typer.echo(f"# ==> {folder}/{file.name}\n{file.text}")


def _say_next(made: Export, request: Request, root: Path) -> None:
    for pair in request.pairs:
        for path, what in zip(pair, ("certificate", "key"), strict=True):
            if not Path(path).exists():
                note(f"next: put the server's {what} here: {path}")
    if made.reads_key and made.account is not None:
        for _, key in request.pairs:
            if advice := key_advice(Path(key), made.account):
                note(advice)
    for line in (*made.prepare, *made.run):
        filled = made.fills.get(line)
        if filled and is_filled(Path(request.folder) / filled):
            note(f"kept unchanged: {request.folder}/{filled}")
        else:
            note(f"next: {line}")
    for file in made.files:
        if file.name.endswith(".service"):
            note(
                f"or with systemd: systemctl enable --now {request.folder}/{file.name}"
            )
    if request.backend is not None:
        line = with_state(serve_line(made.peer, request), root)
        note(f"and run linekey with it: {line}")


def serve_line(peer: str, request: Request) -> str:
    """The command that serves the proxy of ``request``."""
    backend = request.backend
    words = ["linekey serve"]
    if isinstance(backend, UnixSocket):
        words.append(f"--behind-proxy {quote(f'unix:{backend.path}')}")
        words.append(f"--socket-group {(request.account or DEBIAN[peer]).group}")
    elif backend is not None:
        beside = "127.0.0.1" if backend.host.startswith("127.") else "ADDR"
        words.append(f"--behind-proxy {beside}")
        words.append(f"--host {backend.host} --port {backend.port}")
    if request.listen.port != PUBLIC_PORT:
        words.append(f"--public-port {request.listen.port}")
    words += [f"--certificate {quote(path)}" for path, _ in request.pairs]
    words += [f"--key {quote(path)}" for _, path in request.pairs]
    return " ".join(words)
