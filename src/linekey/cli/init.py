"""``linekey init``: from an installed package to a service that can be started."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.cli.opening import JsonOption, make_verb
from linekey.cli.output import emit_json, note, say, warn
from linekey.errors import InputError, LinekeyError

app = make_verb()


@app.command()
def init(
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Host name that phones have in their setting_server. May be repeated.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="PEM file with the server's certificate, then its intermediates: it "
            "is copied to where the server reads it.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM file with that certificate's key."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=256, help="Worker processes. Default: one for each core."
        ),
    ] = None,
    user: Annotated[
        str, typer.Option(metavar="USER", help="System user that the server runs as.")
    ] = "linekey",
    prefix: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Make everything below this folder, for the user who runs this: "
            "without root, without a user of its own, with port 8443.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be made.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Set a server up: its user, folders, first configuration and systemd units.

    As root it makes /etc/linekey for certificate, key and exports, /var/lib/linekey
    for the state folder with linekey.toml, and linekey.service, and prints what to run
    next. It starts nothing. What is there stays, so it can be run again, and after an
    upgrade it brings the units up to date:

        linekey init --name prov.example.com --certificate chain.pem --key key.pem
    """
    from linekey.server.setup.carry_out import carry_out, check_program, look
    from linekey.server.setup.layout import UNITS, unit_text
    from linekey.server.setup.steps import Wanted, next_commands, plan

    if prefix is None and os.geteuid() != 0 and not dry_run:
        raise LinekeyError(
            "only root can make a user and write to /etc",
            hint="sudo linekey init …; see it with --dry-run; or try it in a folder "
            "of yours with --prefix DIR",
        )
    layout = _layout(prefix, user)
    wanted = Wanted(
        names=_names(name or []),
        workers=workers or len(os.sched_getaffinity(0)),
        **_files(certificate, key),
    )
    texts = {unit: unit_text(layout, unit) for unit in UNITS}
    made = plan(layout, look(layout), wanted, texts)
    if not dry_run:
        carry_out(layout, made.steps)
        if layout.is_whole:
            check_program(layout)
    has_certificate = wanted.key_pem is not None or layout.key in look(layout).paths
    following = list(next_commands(layout, has_certificate=has_certificate))
    for sentence, cure in made.warnings:
        warn(sentence, cure)
    if json:
        emit_json(
            {
                "dry_run": dry_run,
                "made": [step.words for step in made.steps if step.does],
                "kept": [step.words for step in made.steps if not step.does],
                "next": following,
            }
        )
        return
    for step in made.steps:
        verb = "would make" if dry_run else "made"
        note(f"{verb}: {step.words}" if step.does else step.words)
    if not any(step.does for step in made.steps):
        note("nothing is to be done")
    note("next:")
    for command in following:
        say(command)


def _layout(prefix: Path | None, user: str) -> Any:
    from linekey.export.account import parse_account
    from linekey.server.setup.carry_out import me
    from linekey.server.setup.layout import below, for_machine, hidden_from_units

    program = Path(sys.executable).parent / "linekey"
    if not program.is_file():
        raise InputError(
            f"there is no program {str(program)!r} that a unit could start",
            hint="install linekey into a virtual environment (docs/howto/install.md)",
        )
    if prefix is not None:
        if user != "linekey":
            raise InputError(
                "with --prefix everything belongs to the user who runs this",
                hint="leave --user out",
            )
        return below(prefix.absolute(), program, me())
    layout = for_machine(program, parse_account(user))
    python = Path(sys.executable).resolve()
    if (hidden := hidden_from_units(program, python)) is not None:
        raise InputError(
            f"the service could not see {str(hidden)!r}: the unit hides home folders "
            "and /tmp",
            hint="install linekey to /opt/linekey with the system's Python "
            "(docs/howto/install.md), and run linekey init from there",
        )
    return layout


def _names(given: list[str]) -> tuple[str, ...]:
    from linekey.export.request import parse_name

    return tuple(map(parse_name, given))


def _files(certificate: Path | None, key: Path | None) -> dict[str, bytes]:
    """Read both, or neither, and make sure that they belong together."""
    if certificate is None and key is None:
        return {}
    if certificate is None or key is None:
        missing = "--certificate" if certificate is None else "--key"
        raise InputError(
            f"{missing} is missing",
            hint="give certificate and key together, or neither",
        )
    from linekey.cli.opening import read_file
    from linekey.server.preflight.checks import read_chain, read_key

    read_key(key, read_chain(certificate), certificate)
    return {"certificate_pem": read_file(certificate), "key_pem": read_file(key)}
