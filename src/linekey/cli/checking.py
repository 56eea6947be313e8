"""What ``linekey check`` does, once its words are read."""

import asyncio
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import typer

from linekey.catalog.captured import CAPTURED
from linekey.catalog.models import find_model
from linekey.catalog.profile import Profile, all_profiles, newest_firmware, profile
from linekey.catalog.root_lists import known_roots
from linekey.check.assess import Question
from linekey.check.classes import PhoneClass, classes_of
from linekey.check.hellos import Hello, published, read_capture
from linekey.check.page import render_page
from linekey.check.phones import Setup, gather
from linekey.check.prober import Limits, Prober
from linekey.check.questions import ask_for
from linekey.check.report import Report
from linekey.check.run import check_answers, check_chain
from linekey.check.target import Target, parse_target
from linekey.cli.certificate_files import read_certificates
from linekey.cli.check_inputs import (
    fleet_phones,
    read_chain,
    read_identity,
    read_settings,
)
from linekey.cli.check_table import print_report
from linekey.cli.opening import (
    now,
    read_file,
    write_text,
)
from linekey.cli.output import console, emit_json, note
from linekey.cli.progress import progress
from linekey.cli.when import parse_date
from linekey.errors import InputError
from linekey.phone.document import PhoneDocument
from linekey.tls.engine import Identity


def carry_out(
    *,
    target: str,
    chain: Path | None,
    name: str,
    model: list[str] | None,
    firmware: str,
    all_phones: bool,
    fleet: bool,
    at: str,
    phone_clock: str,
    firmware_date: str,
    trust: list[Path] | None,
    settings: Path | None,
    identity: Path | None,
    capture: Path | None,
    calendar: bool,
    json: bool,
    html: Path | None,
    fail_on: Literal["refused", "warning"],
    timeout_s: float,
    per_second: float,
    state: Path | None,
) -> None:
    """Do what ``check`` was asked for."""
    _refuse_contradictions(target, chain, model, firmware, all_phones, fleet)
    where = parse_target(target) if target else None
    wanted = name or (where.host if where else "")
    if not wanted:
        raise InputError(
            "--chain needs a name",
            hint="give the name that phones connect to: --name prov.example.com",
        )
    started = now()
    clock = parse_date(phone_clock, "--phone-clock") if phone_clock else None
    judged_at = parse_date(at, "--at") if at else started
    shown = None if identity is None else read_identity(identity)
    setup = _setup(trust, settings, capture, firmware_date, shown)
    with progress("reading the registry" if fleet else "reading the catalogue"):
        gathered = (
            fleet_phones(state, setup, wanted, now=started)
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
        with progress("judging"):
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
        )
    report = replace(report, of_fleet=fleet)
    _deliver(report, json=json, html=html)
    raise typer.Exit(report.exit_code(fail_on))


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
        _hello(capture) if capture else None,
        # as the virtual phone takes those of the identity that it is given
        maker_authorities=tuple(c for c in shown.chain[1:] if c.is_ca) if shown else (),
    )


def _hello(capture: Path) -> Hello:
    """The hello of a file, or a published one by its id."""
    found = None if capture.exists() else published(str(capture))
    if found is not None:
        return found
    if not capture.exists():
        raise InputError(
            f"no file, and no published hello: {str(capture)!r}",
            hint=f"check the name; published are {', '.join(CAPTURED)}",
        )
    return read_capture(read_file(capture), capture.name)


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
) -> Report:
    with progress(f"asking {where.label}") as seen:
        prober = Prober(limits, told=lambda: seen(1), path=where.path)
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
        write_text(html, render_page(report))
        note(f"wrote {html}: a single file that you can open or send")
    if json:
        emit_json(report.as_dict())
    elif html is None:
        print_report(report)
    else:
        console.print(report.sentence, markup=False)


def _day(text: str, option: str) -> date:
    return parse_date(text, option).date()
