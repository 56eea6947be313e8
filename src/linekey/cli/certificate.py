"""``linekey certificate``: a renewed certificate for the server, or none."""

import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_app,
    now,
    opened,
)
from linekey.cli.operators_command import failure_of
from linekey.cli.output import emit_json, note, say, warn
from linekey.cli.serve import load_settings, report
from linekey.errors import InputError, LinekeyError
from linekey.words import counted

if TYPE_CHECKING:
    from linekey.certs.certificate import Certificate
    from linekey.check.forecast import Event, Forecast
    from linekey.settings import Settings
    from linekey.store.database import Database

app = make_app(
    "Put a renewed certificate in place, unless phones would be lost.\n\n"
    "For example: `linekey certificate deploy --chain fullchain.pem --key privkey.pem`."
)
LINEAGE = "RENEWED_LINEAGE"
"""What certbot tells a deploy hook: the folder with fullchain.pem and privkey.pem."""
USUAL_RELOAD = "systemctl try-reload-or-restart linekey"
_SYSTEMD = Path("/run/systemd/system")
_SEEN_S = 15.0
_AGAIN_S = 0.3
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the phones of the registry say of the new chain."""

    forecast: "Forecast"
    lost: "tuple[Event, ...]"

    @property
    def count(self) -> int:
        """How many would be lost."""
        return len({mac for event in self.lost for mac in event.macs})


@app.callback()
def _certificate() -> None:
    pass  # so that one command alone still has its name


@app.command()
def deploy(
    chain: Annotated[
        Path | None,
        typer.Option(
            metavar="FULLCHAIN.pem",
            help="PEM file: the server's certificate, then its intermediates.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="KEY.pem", help="PEM file: its private key."),
    ] = None,
    certbot: Annotated[
        bool,
        typer.Option(
            "--certbot",
            help="Called as certbot's deploy hook: take fullchain.pem and privkey.pem "
            f"of ${LINEAGE}.",
        ),
    ] = False,
    lineage: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --certbot: do nothing for a certificate of another name.",
        ),
    ] = None,
    allow_lost: Annotated[
        int,
        typer.Option(min=0, help="Deploy even if up to so many phones would be lost."),
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only ask the phones; change nothing.")
    ] = False,
    reload: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="What makes the running server read the new files; '' for nothing. "
            f"Default, where systemd runs: {USUAL_RELOAD}.",
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Check a new certificate with every registered phone, then put it in place.

    It is refused, and the old one stays, if it is unfit (expired, not for the names in
    linekey.toml, not the key's), or if phones that accept the present one would refuse
    it. Certificate and key change in one step, belong to the state folder's owner
    (0640, 0600), and the server is told. Run it as root: certbot's keys are root's.

    Exit status: 0 in place; 1 refused, since phones would be lost; 2 unfit; 3 it could
    not be written, or the running server does not show it.
    """
    from linekey.certs.pem import private_key_to_pem
    from linekey.server.deploy import chain_pem, place_of, put_in_place
    from linekey.server.preflight.checks import read_chain, read_key

    files = _files(chain, key, certbot=certbot, lineage=lineage)
    if files is None:
        return
    at = now()
    with opened(state) as database:
        root = database.state.root
        settings = load_settings(database.state, {})
        new = read_chain(files[0])
        place = None if dry_run else place_of(settings, root, new[0])
        private = read_key(files[1], new, files[0])
        asked = _ask(database, settings, new, at)
        if not json:
            _print(asked)
        if asked.count > allow_lost:
            if json:
                emit_json(_json(asked, new, deployed=False))
            note(
                f"refused: {counted(asked.count, 'phone')} would be lost and "
                f"{allow_lost:,} may be; the old certificate stays in use"
            )
            note(
                "cure what is said above and run this again, or give --allow-lost "
                f"{asked.count}"
            )
            raise typer.Exit(1)
        if place is None:
            if json:
                emit_json(_json(asked, new, deployed=False))
            else:
                say("it would be deployed")
            return
        text, key_pem = chain_pem(new), private_key_to_pem(private)
        same = place.holds(text, key_pem)
        if not same:
            folder = put_in_place(place, new, key_pem, owner=root, at=at)
        else:
            folder = place.link.resolve()
    seen = _tell_server(settings, new[0], reload)
    if json:
        emit_json(
            {**_json(asked, new, deployed=True), "folder": str(folder), "server": seen}
        )
        return
    say(f"{'in place already' if same else 'deployed'}: {folder}")
    say(f"  {new[0].label}, until {new[0].not_after:%Y-%m-%d %H:%M} UTC")
    note(seen)


def _files(
    chain: Path | None, key: Path | None, *, certbot: bool, lineage: str | None
) -> tuple[Path, Path] | None:
    """Which files are new; None: they are another certificate's, and not for us."""
    if not certbot:
        if lineage is not None:
            raise InputError("--lineage needs --certbot", hint="or leave it out")
        if chain is None or key is None:
            raise InputError(
                "which certificate?",
                hint="give --chain FULLCHAIN.pem --key KEY.pem, or --certbot in a hook",
            )
        return chain, key
    if chain is not None or key is not None:
        raise InputError(
            "--certbot takes the files that certbot names", hint="give one or the other"
        )
    folder = os.environ.get(LINEAGE, "")
    if not folder:
        raise InputError(
            f"{LINEAGE} is not set: --certbot is for certbot's deploy hook",
            hint="by hand: --chain /etc/letsencrypt/live/NAME/fullchain.pem --key "
            "/etc/letsencrypt/live/NAME/privkey.pem",
        )
    found = Path(folder)
    if lineage is not None and found.name != lineage:
        note(f"{found.name} was renewed, which is not {lineage}: nothing to do")
        return None
    return found / "fullchain.pem", found / "privkey.pem"


def _ask(
    database: "Database",
    settings: "Settings",
    new: "tuple[Certificate, ...]",
    at: datetime,
) -> _Asked:
    """Judge the certificate, then let every phone. Raises InputError if it is unfit."""
    from linekey.check.forecast import DEFAULT_AHEAD
    from linekey.check.renewal import unserved
    from linekey.console.forecasting import ahead_of, kinds_of, served_here
    from linekey.provisioning.expired import Expired
    from linekey.server.preflight.checks import check_certificate, read_chain

    findings = check_certificate(
        settings, new, at, beside_rsa=len(settings.certificate) > 1
    )
    report(findings)
    paths = [database.state.root / path for path in settings.certificate]
    present = [read_chain(path) for path in paths if path.is_file()]
    servers = served_here(settings.names, lambda: present or [new])
    label = f"{servers[0].name} with the new certificate"
    both = len(settings.certificate) > 1
    renewed = servers[0].renewed(label, new, beside=both)
    servers = servers if present else []
    found = ahead_of(
        database, servers, at=at, until=at + DEFAULT_AHEAD, renewal=renewed,
        expired=Expired(settings.rules.expired_certificates),
    )  # fmt: skip
    assert found.renewal is not None  # it was asked for
    lost = found.renewal.lost
    if not settings.proxy.behind_proxy:
        told = {mac for event in lost for mac in event.macs}
        kinds = [k for k in kinds_of(database, at) if not told.issuperset(k.macs)]
        lost += unserved(kinds, present, renewed.chains, label=label, at=at)
    no_intermediate = any(f.rule == "chain.no_intermediate" for f in findings)
    if no_intermediate and not found.renewal.kept and not lost:
        raise InputError(
            "the chain has no intermediate, and no registered phone is known to accept "
            "it so",
            hint="give certbot's fullchain.pem, not cert.pem; or append the issuer's "
            "certificate",
        )
    return _Asked(found, lost)


def _print(asked: _Asked) -> None:
    from linekey.cli.forecast_text import print_events

    found = asked.forecast
    assert found.renewal is not None
    say(
        f"{counted(found.phones, 'active phone')}: {found.renewal.kept:,} accept the "
        f"new certificate, {asked.count:,} would be lost"
    )
    print_events(asked.lost)
    if unknown := found.phones - found.judged:
        warn(
            f"nobody knows what {counted(unknown, 'phone')} would say to it: the "
            "model is not in the record, or not in the catalogue",
            "linekey device set MAC --model D785",
        )


def _json(
    asked: _Asked, new: "tuple[Certificate, ...]", *, deployed: bool
) -> dict[str, Any]:
    found = asked.forecast
    assert found.renewal is not None
    return {
        "deployed": deployed,
        "certificate": new[0].label,
        "sha256": new[0].sha256,
        "not_after": new[0].not_after.isoformat(),
        "phones": found.phones,
        "judged": found.judged,
        "kept": found.renewal.kept,
        "lost": asked.count,
        "events": [event.as_dict() for event in asked.lost],
    }


def _tell_server(settings: "Settings", leaf: "Certificate", command: str | None) -> str:
    """Let the server read the files, look whether it shows them, and say so.

    Raises LinekeyError where the command fails, or where a server that runs shows
    another certificate still.
    """
    if command is None:
        command = USUAL_RELOAD if _SYSTEMD.is_dir() else ""
    if command and (said := failure_of(command)):
        raise LinekeyError(
            f"the new certificate is in place, but the server was not told: {command}: "
            f"{said}",
            hint="reload it by hand, and give the right command with --reload",
        )
    host = _ANYWHERE.get(settings.host, settings.host)
    where = f"{host} port {settings.port}"
    until = time.monotonic() + (_SEEN_S if command else 0)
    while True:
        shown = _shown_by(host, settings.port, leaf)
        if shown == leaf.sha256:
            return f"the server at {where} shows it"
        if shown is None:
            return f"no server answers at {where}: it is used at the next start"
        if time.monotonic() >= until:
            break
        time.sleep(_AGAIN_S)
    if not command:
        return (
            f"the server at {where} still shows the old one: reload it (SIGHUP, or "
            "systemctl reload linekey), or give --reload COMMAND"
        )
    raise LinekeyError(
        f"the new certificate is in place, but the server at {where} shows another",
        hint="its log says why (journalctl -u linekey); then reload it again",
    )


def _shown_by(host: str, port: int, leaf: "Certificate") -> str | None:
    """The SHA-256 of the certificate that a server shows to who knows keys of the
    leaf's kind; None: nobody is there."""
    import asyncio

    from linekey.check.prober import Prober, current_hello

    if not port:
        return None
    hello = current_hello("", rsa=leaf.key.kind == "rsa")
    answers = asyncio.run(Prober().ask_all(host, port, [hello]))
    answer = answers[hello.wire_key]
    if answer.chain:
        return answer.chain[0].sha256
    return None
