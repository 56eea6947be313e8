"""A forecast in a terminal: a line for each day and cause, its cure below."""

from rich.text import Text

from linekey.check.forecast import Event, Forecast
from linekey.cli.opening import printable
from linekey.cli.output import console, note
from linekey.words import counted

_SHOWN = 6
_MARKS = {
    "accepts": ("✗", "red"),
    "recognised": ("⊘", "yellow"),
    "begins": ("✓", "green"),
}


def print_forecast(forecast: Forecast) -> None:
    """Print it."""
    horizon = f"{forecast.until:%Y-%m-%d}"
    title = f"{counted(forecast.phones, 'active phone')}, until {horizon}"
    console.print(Text(title, style="bold"))
    if forecast.renewal is not None:
        renewal = forecast.renewal
        lost, gained = (
            sum(event.phones for event in events)
            for events in (renewal.lost, renewal.gained)
        )
        kept = counted(renewal.kept, "phone accepts", "phones accept")
        console.print(
            Text(
                f"{renewal.server}: {kept} it, {lost:,} would be lost, "
                f"{gained:,} gained",
                style="bold",
            )
        )
        print_events((*renewal.lost, *renewal.gained))
    if forecast.already:
        console.print(Text("already:", style="bold"))
        print_events(forecast.already)
    if forecast.events:
        console.print(Text("ahead:", style="bold"))
        print_events(forecast.events)
    elif not forecast.already:
        console.print(Text(f"nothing that they depend on ends before {horizon}"))
    if forecast.careless:
        note(
            f"{counted(forecast.careless, 'phone does', 'phones do')} not authenticate "
            "servers, so any is accepted: turn TLS server authentication on"
        )
    for line in forecast.notes:
        note(f"note: {printable(line)}")


def print_events(events: tuple[Event, ...]) -> None:
    """Print each event with its cause, cure and phones."""
    for event in events:
        mark, style = _MARKS[event.kind]
        console.print(Text(f"{event.at:%Y-%m-%d}  {mark} {event.what}", style=style))
        for name, said in (
            ("cause", event.cause),
            ("given", event.condition),
            ("cure", event.cure),
            ("phones", _macs(event.macs)),
        ):
            if said:
                console.print(Text(f"            {name}: {printable(said)}"))


def _macs(macs: tuple[str, ...]) -> str:
    more = len(macs) - _SHOWN
    shown = ", ".join(macs[:_SHOWN])
    return f"{shown} and {more:,} more (all: --json)" if more > 0 else shown
