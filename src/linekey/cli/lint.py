"""``linekey lint``: what weakens a phone, read from a maker's configuration file.

Exit status: 0 nothing that counts, 1 findings, 2 a file that cannot be read. Nothing is
fetched, nothing is changed, and no secret is printed.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, make_verb, now, printable, read_file
from linekey.cli.output import emit_json, note, say, tell_error
from linekey.errors import InputError

with on_use():
    from linekey.cli.check_inputs import read_chain
    from linekey.cli.when import parse_date
    from linekey.lint.judge import Counts, Report, lint
    from linekey.lint.source import Source, read_source
    from linekey.words import counted

app = make_verb()
_FEW = 5  # placeholders that are named in text; --json lists more


@app.command("lint")
def lint_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            help="Configuration files or templates: Yealink, Poly, Grandstream, Snom, "
            "Gigaset.",
        ),
    ],
    chain: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A server's certificate chain (PEM, server certificate first): the "
            "names that the files tell the phone are compared with it.",
        ),
    ] = None,
    at: Annotated[
        str,
        typer.Option(
            metavar="DATE", help="Judge as if today were DATE, such as 2027-01-31."
        ),
    ] = "",
    json: JsonOption = False,
) -> None:
    """Say what weakens the phones that get these files, and how to cure it.

    The maker is recognised by what a file holds, not by its name. Files that belong to
    several phones are best given together: then passwords that they share are found.
    What a template puts in later is named, and nothing is concluded from it. For
    example:

        linekey lint 805ec0a1b2c3.cfg

        linekey lint *.cfg --chain fullchain.pem --json
    """
    moment = parse_date(at, "--at") if at else now()
    certificates, _ = read_chain(chain) if chain is not None else ((), ())
    sources: list[Source] = []
    errors: list[tuple[Path, InputError]] = []
    for file in files:
        try:
            sources.append(read_source(str(file), _read(file)))
        except InputError as error:
            errors.append((file, error))
    reports = lint(sources, moment, certificates)
    found = Counts.of(reports, len(errors))
    if json:
        emit_json(_document(reports, errors, found, moment))
    else:
        for report in reports:
            _print(report)
    for file, problem in errors:
        message = f"{printable(str(file))}: {problem.message}"
        tell_error(InputError(message, hint=problem.hint))
    if not json:
        note(_sum(found))
    raise typer.Exit(found.exit_code)


def _read(file: Path) -> bytes:
    if file.is_dir():
        raise InputError(
            f"{str(file)!r} is a folder", hint="name its files, such as folder/*.cfg"
        )
    return read_file(file)


def _document(
    reports: list[Report],
    errors: list[tuple[Path, InputError]],
    found: Counts,
    moment: datetime,
) -> dict[str, Any]:
    bad = [
        {
            "file": str(file),
            "error": {"message": error.message, "hint": error.hint},
            "findings": [],
        }
        for file, error in errors
    ]
    return {
        "format": 1,
        "at": moment,
        "files": [*(report.as_dict() for report in reports), *bad],
        "warnings": found.warnings,
        "notes": found.notes,
        "unreadable": found.unreadable,
        "rules": dict(sorted(found.by_rule.items())),
    }


def _print(report: Report) -> None:
    source = report.source
    what = [source.grammar.title, counted(len(source.lines), "setting")]
    if source.masked.is_template:
        what.append("a template")
    say(f"{printable(source.name)}: {', '.join(what)}")
    if places := source.placeholders:
        texts = list(dict.fromkeys(one.text for one in places))
        named = ", ".join(map(printable, texts[:_FEW]))
        more = f" and {len(texts) - _FEW} more" if len(texts) > _FEW else ""
        say(f"  put in later, so not judged: {named}{more}")
    for text in source.notes[:_FEW]:
        say(f"  note: {printable(text)}")
    for one in report.findings:
        where = f"line {one.line}" if one.line else "missing"
        shown = f" ({one.detail})" if one.detail else ""
        evidence = f" = {one.evidence}" if one.line else ""
        say(f"  {one.weight}, {where}: {printable(one.setting)}{evidence}")
        say(f"      {one.title}{printable(shown)}")
        say(f"      why: {one.why}")
        say(f"      cure: {printable(one.cure)}")
        say(f"      {one.rule}; {one.source} ({one.confidence})")


def _sum(found: Counts) -> str:
    said = [
        counted(found.files, "file"),
        counted(found.warnings, "warning"),
        counted(found.notes, "note"),
    ]
    if found.unreadable:
        said.append(f"{found.unreadable} not readable")
    return ", ".join(said)
