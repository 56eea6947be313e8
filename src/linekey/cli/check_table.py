"""The report of a check in a terminal: one line for all that say the same.

Colour is never alone: each outcome has a mark and words. Text that came from a server
is printed without its control characters.
"""

from typing import Final

from rich.table import Table
from rich.text import Text

from linekey.check.report import ClassResult, Outcome, Report, grouped, phones_in_words
from linekey.cli.opening import printable
from linekey.cli.output import console
from linekey.trust.findings import Finding

_STYLES: Final = {
    Outcome.ACCEPTED: "green",
    Outcome.PHONE_REFUSES: "red",
    Outcome.SERVER_REFUSES: "yellow",
    Outcome.UNREACHABLE: "dim",
    Outcome.UNKNOWN: "magenta",
}
_SEVERITIES: Final = {"refused": ("✗", "red"), "warning": ("!", "yellow")}


def print_report(report: Report) -> None:
    """Print it: a sentence, a line a group, then each group's findings and cures."""
    console.print(Text(printable(report.title), style="bold"))
    console.print(Text(report.sentence[:1].upper() + report.sentence[1:]))
    lines = grouped(report.classes)
    table = Table(show_edge=False, pad_edge=False, header_style="dim")
    for column in ("verdict", "phones", "negotiates", "first reason"):
        table.add_column(column, overflow="fold")
    for group in lines:
        table.add_row(
            _verdict(group[0]),
            Text(_who(report, group)),
            Text(_negotiated(group[0])),
            Text(printable(group[0].reason)),
        )
    console.print(table)
    for group in lines:
        if group[0].failures:
            _print_details(report, group)
    for line in report.notes:
        console.print(Text(f"note: {printable(line)}", style="dim"))
    if report.calendar is not None:
        _print_calendar(report)


def _verdict(result: ClassResult) -> Text:
    style = "yellow" if result.doubt else _STYLES[result.outcome]
    return Text(f"{result.mark} {result.words}", style=style)


def _who(report: Report, group: tuple[ClassResult, ...]) -> str:
    if len(group) == len(report.classes) and len(group) > 1:
        if report.of_fleet:
            return f"all {sum(report.phones.values()):,} phones"
        return f"all {len(group)} classes"
    many = sum(len(result.phones) for result in group)
    if report.of_fleet and many > 1:
        return f"{many:,} phones: {_named(group)}"
    return _named(group)


def _named(group: tuple[ClassResult, ...]) -> str:
    return phones_in_words([pair for result in group for pair in result.phones])


def _negotiated(result: ClassResult) -> str:
    agreed = result.negotiated
    if agreed is None:
        return "–"
    extra = agreed["group"] or (f"DH {agreed['dh_bits']}" if agreed["dh_bits"] else "")
    return f"{agreed['version']} {agreed['suite']}" + (f" {extra}" if extra else "")


def _print_details(report: Report, group: tuple[ClassResult, ...]) -> None:
    result = group[0]
    console.print()
    heading = _verdict(result)
    heading.append(f": {_who(report, group)}", style="bold")
    console.print(heading)
    if result.alert:
        console.print(Text(f"  alert: {result.alert}", style="dim"))
    for finding in result.failures:
        _print_finding(finding)
        if result.outcome is not Outcome.ACCEPTED or result.doubt:
            _print_how(finding)
    if result.outcome is Outcome.ACCEPTED and not result.doubt:
        console.print(
            Text("  (evidence and cures: --json, or --html FILE)", style="dim")
        )
        return
    if result.differs:
        console.print(Text(f"  {printable(result.differs)}", style="dim"))
    for cure in result.cures:
        console.print(Text(f"  {printable(cure.title)}:", style="bold"))
        for line in cure.text.rstrip().splitlines():
            console.print(Text(f"    {printable(line)}"), soft_wrap=True)


def _print_finding(finding: Finding) -> None:
    mark, style = _SEVERITIES.get(finding.severity, ("·", "dim"))
    console.print(Text(f"  {mark} {printable(finding.message)}", style=style))


def _print_how(finding: Finding) -> None:
    if finding.evidence:
        console.print(Text(f"    seen: {printable(finding.evidence)}", style="dim"))
    if finding.cure:
        console.print(Text(f"    cure: {printable(finding.cure)}"))


def _print_calendar(report: Report) -> None:
    console.print()
    table = Table(show_edge=False, pad_edge=False, header_style="dim")
    table.add_column("date")
    table.add_column("what", overflow="fold")
    table.add_column("phones", overflow="fold")
    by_id = {r.id: r for r in report.classes}
    for entry in report.calendar or ():
        phones = [pair for i in entry.breaks for pair in by_id[i].phones]
        if len(entry.breaks) == len(report.classes):
            who = "every phone"
        else:
            who = phones_in_words(phones) or "none"
        table.add_row(
            entry.day.date().isoformat(), Text(printable(entry.sentence)), Text(who)
        )
    console.print(table)
