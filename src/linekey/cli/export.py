"""``linekey export``: another server's whole configuration for mutual TLS with phones.

Rules: a file that linekey did not write is never overwritten, and one that is the
operator's from then on (accounts, secrets) is written once. No key is copied.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.certs.certificate import Certificate
from linekey.cli.export_reach import is_filled, key_advice
from linekey.cli.opening import JsonOption, StateOption, Verb, make_verb, opened
from linekey.cli.output import emit_json, note, warn
from linekey.cli.serve import load_settings, report
from linekey.endpoint import host_port
from linekey.errors import InputError, StorageError
from linekey.export.account import DEBIAN, parse_account
from linekey.export.active import active_phones
from linekey.export.admission import admitted
from linekey.export.needs import ServerKey, fleet_needs
from linekey.export.peers import PEERS, find_peer
from linekey.export.render import MARK, Export, export
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
from linekey.store.vendor_cas import VendorCas
from linekey.tls.versions import Version
from linekey.trust.findings import Finding

app = make_verb()

HOME = "/etc/linekey"
"""Where files are taken to lie if nothing else is said."""
_OLDEST = {"1.0": Version.TLS1_0, "1.1": Version.TLS1_1, "1.2": Version.TLS1_2}


@app.command(cls=Verb)
def export_(
    peer: Annotated[
        str, typer.Argument(metavar="PEER", help=f"The server: {', '.join(PEERS)}.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the files to this folder, ready to run. Default: print them.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="HOST",
            help="Host name that phones use. Default: names in linekey.toml, else the "
            "certificate's name.",
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR:PORT",
            help="Where it listens for phones. Default: all addresses and the usual "
            "port. nginx, haproxy and apache listen on IPv6, too, the others only on "
            "IPv4. On a machine without IPv6 give 0.0.0.0:PORT.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="PEM file: the server's certificate, then its intermediates. Default: "
            f"as in linekey.toml, else {HOME}/server.pem.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="PEM file: its private key. It is not copied, only checked against "
            f"the certificate. Default: as in linekey.toml, else {HOME}/server.key.",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where `linekey serve --behind-proxy` listens: unix:PATH or "
            "http://ADDR:PORT. Any user of this machine can connect to a loopback "
            f"address. Default: as in linekey.toml, else unix:{SOCKET}.",
        ),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Serve the phones' files from this folder, without linekey serve; "
            "each phone gets only its own (nginx, apache).",
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="USER[:GROUP]",
            help="User that the server runs as. Default: the Debian package's.",
        ),
    ] = None,
    client_certificates: Annotated[
        ClientCertificates,
        typer.Option(
            metavar="required|optional",
            help="Whether every phone must send a certificate. optional (kamailio): a "
            "phone without one needs only its SIP password.",
        ),
    ] = "required",
    min_version: Annotated[
        str | None,
        typer.Option(
            metavar="1.0|1.1|1.2",
            help="Oldest TLS version on this port. Default: what the registered phones "
            "need. Below 1.2 it also allows the cipher suites of that time.",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Write the configuration of another server for mutual TLS with phones.

    It needs the CAs in `linekey trust` and the registered phones: the server accepts
    only the TLS versions and cipher suites that these phones need. For example:

        linekey export nginx --out /etc/linekey/nginx --name phones.example.com
    """
    with opened(state) as database:
        options = {
            "out": out,
            "name": name,
            "listen": listen,
            "certificate": certificate,
            "key": key,
            "backend": backend,
            "files": files,
            "user": user,
            "client_certificates": client_certificates,
            "min_version": min_version,
        }
        request, findings = _request(peer, database, options)
    report(findings)
    made = export(find_peer(peer), request)
    kept = [] if out is None else write_files(made, Path(request.folder))
    _show(made, request, written=out is not None, json=json)
    for path in kept:
        note(f"kept unchanged: {path}")
    for text in made.notes:
        warn(text)
    if out is not None:
        _say_next(made, request)


def _request(
    peer_name: str, database: Database, options: dict[str, Any]
) -> tuple[Request, list[Finding]]:
    """What is to be exported, and what ``linekey serve`` would say about it."""
    peer = find_peer(peer_name)
    root = database.state.root
    settings = load_settings(database.state, {})
    out, files = options["out"], options["files"]
    certificate = _path(
        options["certificate"], settings.certificate, root, "server.pem"
    )
    chain = _chain(Path(certificate), required=options["certificate"] is not None)
    leaf = chain[0] if chain else None
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
    devices = tuple(Devices(database).all())
    trusted = VendorCas(database).all()
    server_key: ServerKey = (
        "ECDSA" if leaf is not None and leaf.key.kind == "ec" else "RSA"
    )
    request = Request(
        needs=fleet_needs(devices, server_key, oldest=_oldest(options["min_version"])),
        groups=admitted(devices, server_key),
        account=None if options["user"] is None else parse_account(options["user"]),
        authorities=tuple(ca.certificate for ca in trusted),
        rules=rules_of((ca.certificate, ca.said) for ca in trusted),
        phones=active_phones(devices),
        name=parse_name(options["name"] or _name(settings, leaf)),
        listen=listen,
        folder=parse_path(
            str(absolute(out) if out else f"{HOME}/{peer.name}"), "folder"
        ),
        certificate=parse_path(certificate, "certificate"),
        key=parse_path(_path(options["key"], settings.key, root, "server.key"), "key"),
        backend=None if backend is None else parse_backend(backend),
        files=None if files is None else parse_path(str(absolute(files)), "folder"),
        client_certificates=options["client_certificates"],
    )
    findings = check_export(
        # A phone in 802.1X knows the server's authority, and no name.
        name=None if peer.name == "freeradius" else request.name,
        host=listen.host,
        chain=chain,
        key=Path(request.key),
        vendor_cas=request.authorities,
        now=datetime.now(UTC),
        rules=request.rules,
    )
    return request, findings


def _oldest(text: str | None) -> Version | None:
    if text is None:
        return None
    if text not in _OLDEST:
        raise InputError(
            f"not a TLS version: {text!r}", hint=f"give one of {', '.join(_OLDEST)}"
        )
    return _OLDEST[text]


def _backend(settings: Settings) -> str:
    """Where linekey listens by its settings, if they say so."""
    proxy = settings.proxy
    if proxy.unix_socket is None and proxy.behind_proxy and proxy.trusted_proxies:
        host = settings.host if "host" in settings.model_fields_set else "127.0.0.1"
        return f"http://{host_port(host, settings.port)}"
    return f"unix:{proxy.unix_socket or SOCKET}"


def _path(given: Path | None, setting: Path | None, root: Path, name: str) -> str:
    if given is not None:
        return str(absolute(given))
    return str(absolute(root / setting)) if setting is not None else f"{HOME}/{name}"


def absolute(path: Path) -> Path:
    """The path from the root on, without ``..``: where that leads, links say."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _chain(path: Path, *, required: bool) -> tuple[Certificate, ...]:
    """The server's certificate and what is above it; empty where nothing is there yet
    and nobody named it."""
    return read_chain(path) if required or path.exists() else ()


def _name(settings: Settings, leaf: Certificate | None) -> str:
    names = settings.names or tuple(
        n for n in (leaf.dns_names if leaf else ()) if "*" not in n
    )
    if not names:
        raise InputError(
            "the host name that phones use is not known",
            hint="give --name HOST, or names in linekey.toml",
        )
    return names[0]


def write_files(made: Export, folder: Path) -> list[Path]:
    """Write an export into ``folder``; return the operator's files that stayed.

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
            mode = 0o600 if file.operators else 0o644
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(file.text)
            draft.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write into {str(folder)!r}: {(error.strerror or '').lower()}",
            hint="give a folder that this user may write to, with --out DIR",
        ) from error
    return kept


def _show(made: Export, request: Request, *, written: bool, json: bool) -> None:
    if json:
        needs = request.needs
        emit_json(
            {
                "peer": made.peer,
                "folder": request.folder,
                "files": [
                    {"name": f.name, "purpose": f.purpose, "text": f.text}
                    for f in made.files
                ],
                "prepare": list(made.prepare),
                "run": list(made.run),
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
                "notes": list(made.notes),
            }
        )
        return
    for file in made.files:
        if written:
            typer.echo(f"{request.folder}/{file.name}  {file.purpose}")
        else:
            typer.echo(f"# ==> {request.folder}/{file.name}\n{file.text}")


def _say_next(made: Export, request: Request) -> None:
    for path, what in ((request.certificate, "certificate"), (request.key, "key")):
        if not Path(path).exists():
            note(f"next: put the server's {what} here: {path}")
    if (
        made.reads_key
        and made.account is not None
        and (advice := key_advice(Path(request.key), made.account))
    ):
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
        note(f"and run linekey with it: {serve_line(made.peer, request)}")


def serve_line(peer: str, request: Request) -> str:
    """The command that serves the proxy of ``request``."""
    backend = request.backend
    words = ["linekey serve"]
    if isinstance(backend, UnixSocket):
        words.append(f"--behind-proxy unix:{backend.path}")
        words.append(f"--socket-group {(request.account or DEBIAN[peer]).group}")
    elif backend is not None:
        beside = "127.0.0.1" if backend.host.startswith("127.") else "ADDR"
        words.append(f"--behind-proxy {beside}")
        words.append(f"--host {backend.host} --port {backend.port}")
    return " ".join([*words, f"--certificate {request.certificate}"])
