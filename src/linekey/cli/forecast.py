"""``linekey forecast``: which phones fail on which day, and what to do before."""

from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_verb,
    now,
    write_text,
)
from linekey.cli.output import emit_json, note
from linekey.cli.progress import progress

app = make_verb()


@app.command()
def forecast(
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Look ahead until then: 2027-12-31, or 90d. Default: 400d.",
        ),
    ] = None,
    chain: Annotated[
        Path | None,
        typer.Option(
            metavar="NEW.pem",
            help="A chain that shall replace the server's: who would be lost with it?",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="HOST",
            help="Host name that phones use for this server. Default: names in "
            "linekey.toml, else the certificate's name.",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST=FILE",
            help="Another server of these phones (SIP, LDAP, …) by its name and its "
            "chain. Repeatable.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Only the phones of this group."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with a timeline."),
    ] = None,
    ics: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a calendar file (iCalendar)."),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Show which phones of the registry stop working when, why, and the cure.

    Two things end: phones stop accepting a server when its chain, or the root they
    prove it with, expires; and they stop being recognised when their maker's CA
    expires. For example: `linekey forecast --chain new-fullchain.pem`.

    Exit status: 0 nothing ends within the horizon; 1 something does, or phones are
    refused already, or the new chain loses some; 2 bad input.
    """
    from linekey.cli.forecast_inputs import look_ahead
    from linekey.cli.forecast_text import print_forecast

    at = now()
    with progress("looking ahead"):
        found = look_ahead(
            state, at=at, until=until, chain=chain, name=name, also=also or [],
            group=group,
        )  # fmt: skip
    if html is not None:
        from linekey.check.forecast_page import render_forecast

        write_text(html, render_forecast(found))
        note(f"wrote {html}: a single file that you can open or send")
    if ics is not None:
        from linekey.check.forecast_calendar import render_calendar

        write_text(ics, render_calendar(found).decode())
        note(f"wrote {ics}: import it into a calendar")
    if json:
        emit_json(found.as_dict())
    elif html is None and ics is None:
        print_forecast(found)
    raise typer.Exit(found.exit_code)
