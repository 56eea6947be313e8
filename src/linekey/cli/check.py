"""``linekey check``: would these phones accept this server, and if not, why.

Against a live server, against a chain file that is on no server yet (``--chain``), for
every model and firmware of the catalogue, for one (``--model``), or for the phones of
the registry (``--fleet``). The answer is a table, one JSON document (``--json``), or
one HTML page (``--html FILE``); the exit status is 0 when every phone accepts, 1 for
findings, 2 for wrong usage, 3 when the server could not be reached.
"""

import asyncio
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from linekey.catalog.models import find_model
from linekey.catalog.profile import Profile, all_profiles, newest_firmware, profile
from linekey.catalog.root_lists import known_roots
from linekey.check.assess import Question
from linekey.check.classes import PhoneClass, classes_of
from linekey.check.hellos import read_capture
from linekey.check.page import render_page
from linekey.check.phones import Setup, gather, gather_each
from linekey.check.prober import Limits, Prober
from linekey.check.questions import ask_for
from linekey.check.report import Report
from linekey.check.run import check_answers, check_chain
from linekey.check.target import Target, parse_target
from linekey.cli.certificate_files import read_certificates
from linekey.cli.check_inputs import (
    fleet_entries,
    read_chain,
    read_identity,
    read_settings,
)
from linekey.cli.check_table import print_report
from linekey.cli.opening import JsonOption, StateOption, Verb, make_verb, now, read_file
from linekey.cli.output import console, emit_json, err_console, note
from linekey.errors import InputError, LinekeyError
from linekey.phone.document import PhoneDocument
from linekey.tls.engine import Identity

app = make_verb()


class FailOnChoice(StrEnum):
    """What makes the exit status 1."""

    refused = "refused"
    warning = "warning"


@app.command(cls=Verb)
def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="HOST[:PORT]",
            help="The server, such as prov.example.com or sip.example.com:5061, or a "
            "URL. Port 443 unless given.",
        ),
    ] = "",
    chain: Annotated[
        Path | None,
        typer.Option(
            "--chain",
            metavar="FILE",
            help="Check this chain (PEM, server certificate first) instead of a "
            "server.",
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Host name that the phones connect to. Default: HOST.",
        ),
    ] = "",
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="M", help="Only this model. May be repeated."),
    ] = None,
    firmware: Annotated[
        str, typer.Option("--firmware", metavar="V", help="Only this firmware version.")
    ] = "",
    all_phones: Annotated[
        bool, typer.Option("--all", help="Every model and firmware (the default).")
    ] = False,
    fleet: Annotated[
        bool,
        typer.Option("--fleet", help="The registered phones, with their settings."),
    ] = False,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="DATE",
            help="Check as if today were DATE, such as 2027-01-31.",
        ),
    ] = "",
    phone_clock: Annotated[
        str,
        typer.Option(
            "--phone-clock",
            metavar="DATE",
            help="Time on the phones' clocks, such as 1970-01-01 for phones without a "
            "time server.",
        ),
    ] = "",
    firmware_date: Annotated[
        str,
        typer.Option(
            "--firmware-date",
            metavar="DATE",
            help="Build date of the firmware; it determines the list of root CAs.",
        ),
    ] = "",
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust",
            metavar="FILE",
            help="Certificate that the phones were provisioned with. May be repeated.",
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE.xml",
            help="Phone configuration whose settings and certificates the phones have.",
        ),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option(
            "--identity",
            metavar="FILE",
            help="A phone's certificate chain and key (PEM): send it to the server, "
            "send a request (a URL's path, or /), and wait for a late refusal.",
        ),
    ] = None,
    capture: Annotated[
        Path | None,
        typer.Option(
            "--hello",
            metavar="FILE",
            help="Captured ClientHello (hex or pcap) to send instead of the computed "
            "ones.",
        ),
    ] = None,
    calendar: Annotated[
        bool,
        typer.Option(
            "--calendar",
            help="Also list the days on which phones will stop accepting it.",
        ),
    ] = False,
    json: JsonOption = False,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write the report as an HTML page."
        ),
    ] = None,
    fail_on: Annotated[
        FailOnChoice,
        typer.Option(
            "--fail-on", help="Exit with 1 if a phone refuses, or on any warning."
        ),
    ] = FailOnChoice.refused,
    timeout_s: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="S", help="Seconds allowed for a connection."
        ),
    ] = 5.0,
    per_second: Annotated[
        float,
        typer.Option("--rate", metavar="N", help="At most N connections a second."),
    ] = 20.0,
    state: StateOption = None,
) -> None:
    """Check whether phones would accept a server, and why not.

    Nothing is changed on the server. Start with: `linekey check prov.example.com`. For
    a certificate that is not in use yet: `linekey check --chain new-fullchain.pem
    --name prov.example.com`.
    """
    _refuse_contradictions(target, chain, model, firmware, all_phones, fleet)
    where = parse_target(target) if target else None
    wanted = name or (where.host if where else "")
    if not wanted:
        raise InputError(
            "--chain needs a name",
            hint="give the name that phones connect to: --name prov.example.com",
        )
    started = now()
    clock = _date(phone_clock, "--phone-clock") if phone_clock else None
    judged_at = _date(at, "--at") if at else started
    shown = None if identity is None else read_identity(identity)
    setup = _setup(trust, settings, capture, firmware_date, shown)
    gathered = (
        gather_each(fleet_entries(state, setup), wanted, now=started)
        if fleet
        else gather(_profiles(model or [], firmware), wanted, setup, now=started)
    )
    classes = classes_of(gathered.phones)
    question = Question(
        wanted,
        clock or judged_at,
        known_roots(),
        shown.chain if shown else (),
    )
    if where is None:
        assert chain is not None
        certificates, said = read_chain(chain)
        report = check_chain(
            certificates,
            classes,
            question,
            label=f"{chain.name} as {wanted}",
            checked_at=started,
            phone_clock=clock,
            notes=(*said, *gathered.notes),
            calendar=calendar,
        )
    else:
        report = _ask(
            where,
            classes,
            question,
            shown,
            Limits(answer_s=timeout_s, connect_s=timeout_s, per_second=per_second),
            started=started,
            clock=clock,
            notes=gathered.notes,
            calendar=calendar,
            quiet=json,
        )
    _deliver(report, json=json, html=html)
    raise typer.Exit(report.exit_code(fail_on.value))


def _refuse_contradictions(
    target: str,
    chain: Path | None,
    model: list[str] | None,
    firmware: str,
    all_phones: bool,
    fleet: bool,
) -> None:
    if bool(target) == (chain is not None):
        raise InputError(
            "give either a server or --chain FILE",
            hint="linekey check prov.example.com, or linekey check --chain FILE --name "
            "prov.example.com",
        )
    if fleet and (model or firmware or all_phones):
        raise InputError(
            "--fleet checks the registered phones",
            hint="leave out --model, --firmware and --all",
        )
    if all_phones and (model or firmware):
        raise InputError(
            "--all excludes --model and --firmware", hint="leave one of them out"
        )


def _profiles(models: list[str], firmware: str) -> list[Profile]:
    """The profiles asked for: every row of the catalogue unless told otherwise."""
    if not models and not firmware:
        return list(all_profiles())
    if not models:
        return [
            p
            for p in (profile(m.model, firmware) for m in _newest_of_each())
            if p.model.had_branch(p.firmware.branch)
        ]
    found = []
    for text in models:
        one = find_model(text)
        if firmware:
            found.append(profile(one, firmware))
        else:
            found += [p for p in all_profiles() if p.model is one] or [
                profile(one, newest_firmware(one))
            ]
    return found


def _newest_of_each() -> list[Profile]:
    return list({p.model.name: p for p in all_profiles()}.values())


def _setup(
    trust: list[Path] | None,
    settings: Path | None,
    capture: Path | None,
    firmware_date: str,
    shown: Identity | None,
) -> Setup:
    certificates = [
        certificate for path in trust or [] for certificate in read_certificates(path)
    ]
    documents: tuple[PhoneDocument, ...] = ()
    if settings is not None:
        document, said = read_settings(settings)
        documents = (document,)
        for line in said:
            note(line)
    return Setup(
        tuple(dict.fromkeys(certificates)),
        documents,
        _day(firmware_date, "--firmware-date") if firmware_date else None,
        read_capture(read_file(capture), capture.name) if capture else None,
        # as the virtual phone takes those of the identity that it is given
        maker_authorities=tuple(c for c in shown.chain[1:] if c.is_ca) if shown else (),
    )


def _ask(
    where: Target,
    classes: tuple[PhoneClass, ...],
    question: Question,
    shown: Identity | None,
    limits: Limits,
    *,
    started: datetime,
    clock: datetime | None,
    notes: tuple[str, ...],
    calendar: bool,
    quiet: bool,
) -> Report:
    from rich.progress import Progress  # costs 30 ms that --chain need not wait for

    with Progress(console=err_console, transient=True, disable=quiet) as progress:
        task = progress.add_task(f"asking {where.label}", total=None)
        prober = Prober(limits, told=lambda: progress.advance(task), path=where.path)
        answers = asyncio.run(
            ask_for(
                prober,
                where.host,
                where.port,
                classes,
                identity=shown,
                name=question.name or where.host,
            )
        )
    return check_answers(
        answers,
        classes,
        question,
        label=where.label,
        host=where.host,
        port=where.port,
        checked_at=started,
        phone_clock=clock,
        notes=(*notes, *_other_addresses(where, prober, question)),
        calendar=calendar,
        elapsed_s=(now() - started).total_seconds(),
    )


def _other_addresses(where: Target, prober: Prober, question: Question) -> list[str]:
    """A name with several addresses may be several servers: only one was asked."""
    if not prober.others:
        return []
    other = Target(prober.others[0], where.port).label
    return [
        f"{where.host} has {len(prober.others) + 1} addresses; only {prober.asked} was "
        f"checked, not {', '.join(prober.others)}: linekey check {other} "
        f"--name {question.name}"
    ]


def _deliver(report: Report, *, json: bool, html: Path | None) -> None:
    if html is not None:
        try:
            html.write_text(render_page(report), encoding="utf-8")
        except OSError as error:
            raise LinekeyError(
                f"cannot write {str(html)!r}: {(error.strerror or str(error)).lower()}",
                hint="give a file in a folder that this user may write to",
            ) from None
        note(f"wrote {html}: a single file that you can open or send")
    if json:
        emit_json(report.as_dict())
    elif html is None:
        print_report(report)
    else:
        console.print(report.sentence, markup=False)


def _day(text: str, option: str) -> date:
    return _date(text, option).date()


def _date(text: str, option: str) -> datetime:
    """``2027-01-31``, or with a time and zone; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option}: not a date: {text!r}",
            hint="write 2027-01-31, or 2027-01-31T12:00:00+02:00",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
