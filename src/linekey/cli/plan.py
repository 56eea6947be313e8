"""``linekey plan``: how many servers a fleet needs, from measured costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, make_verb, read_file
from linekey.cli.output import emit_json, note, say
from linekey.errors import InputError, StorageError

with on_use():
    from linekey.cli.when import parse_span
    from linekey.plan.capacity import SHARE, Fleet, make_plan
    from linekey.plan.costs import Costs
    from linekey.words import counted

if TYPE_CHECKING:
    from linekey.plan.capacity import Plan

app = make_verb()

_LONG = 500_000
"""Connections, from which on a simulation takes more than some 5 s."""


@app.command()
def plan(
    phones: Annotated[
        int | None, typer.Option(min=1, help="How many phones there are.")
    ] = None,
    within: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Time in which all of them come once, as after a power cut: 30s, 10m.",
        ),
    ] = "10m",
    measured: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Measured costs, as --measure or `python -m bench.costs` wrote them. "
            "Default: measure this machine first, for some 20 seconds.",
        ),
    ] = None,
    measure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Measure this machine, and write the costs to FILE."
        ),
    ] = None,
    wait: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="How long 99 of 100 connections may wait for a worker."
        ),
    ] = "5s",
    connections: Annotated[
        int, typer.Option(min=1, max=20, help="Connections of a phone that boots.")
    ] = 2,
    resumed: Annotated[
        int,
        typer.Option(
            min=0,
            max=100,
            metavar="PERCENT",
            help="How many of the connections after the first resume a TLS session.",
        ),
    ] = 0,
    cores: Annotated[
        int, typer.Option(min=1, max=256, help="Cores of each server.")
    ] = 4,
    spare: Annotated[
        int, typer.Option(min=0, max=100, help="Servers that may be down then.")
    ] = 1,
    uneven: Annotated[
        int,
        typer.Option(
            min=0,
            max=400,
            metavar="PERCENT",
            help="How much more than its share one server may get.",
        ),
    ] = 25,
    asks_a_day: Annotated[
        float,
        typer.Option(
            "--asks-a-day", min=0, help="Requests of a phone on an ordinary day."
        ),
    ] = 2.0,
    keep_days: Annotated[
        int, typer.Option(min=1, help="Days that decisions are kept (log.keep_days).")
    ] = 90,
    json: JsonOption = False,
) -> None:
    """Plan how many servers a fleet needs: cores, memory, rows in the database.

    All phones come once, by chance within a time, as after a power cut. One server with
    its share of them is simulated, and servers are added until 99 of 100 connections
    wait no longer than they may. What a connection costs is measured on this machine,
    or read from a file. For example:

        linekey plan --measure costs.json

        linekey plan --phones 100000 --within 10m --measured costs.json
    """
    if measured is not None and measure is not None:
        raise InputError(
            "--measured reads costs and --measure makes them anew",
            hint="give one of the two",
        )
    if phones is None and measure is None:
        raise InputError(
            "how many phones there are is not known",
            hint="give --phones N, or --measure FILE to measure this machine only",
        )
    fleet = Fleet(
        phones=phones or 1,
        within_s=parse_span(within, "--within").total_seconds(),
        wait_s=parse_span(wait, "--wait").total_seconds(),
        connections=connections,
        resumed=resumed / 100,
        cores=cores,
        spare=spare,
        uneven=uneven / 100,
        asks_a_day=asks_a_day,
        keep_days=keep_days,
    )
    fleet.check()
    if fleet.simulated > _LONG:
        note(f"simulating {fleet.simulated:,} connections: that takes a while")
    if measured is not None:
        text = read_file(measured).decode("utf-8", "replace")
        costs = Costs.parse(text, str(measured))
    else:
        costs = _measure(measure)
    if phones is None:
        if json:
            emit_json(_costs(costs))
        else:
            _say_costs(costs)
        return
    found = make_plan(costs, fleet)
    if json:
        emit_json(as_json(costs, fleet, found))
    else:
        _say_costs(costs)
        _say_plan(fleet, found)


def _measure(file: Path | None) -> "Costs":
    # Here and not above: a plan from a file needs no server.
    from linekey.lab.measure import measure

    if file is not None and file.exists():
        raise InputError(
            f"{str(file)!r} is there already",
            hint="give another name, or move it away",
        )
    if file is not None and not file.parent.is_dir():  # before it is measured
        raise StorageError(
            f"cannot write {str(file)!r}: its folder does not exist",
            hint="give a path that this user may write to",
        )
    note("measuring this machine: a server, and phones that ask it, for some 20 s")
    costs = measure()
    if file is not None:
        try:
            file.write_text(costs.as_json(), encoding="utf-8")
        except OSError as error:
            raise StorageError(
                f"cannot write {str(file)!r}: {(error.strerror or '').lower()}",
                hint="give a path that this user may write to",
            ) from None
        note(f"written: {file}")
    return costs


def as_json(costs: "Costs", fleet: "Fleet", plan: "Plan") -> dict[str, Any]:
    """Return the document of ``--json``; units are in the names."""
    outcome = plan.outcome
    return {
        "costs": _costs(costs),
        "asked": {
            "phones": fleet.phones,
            "within_s": fleet.within_s,
            "wait_s": fleet.wait_s,
            "connections": fleet.connections,
            "resumed": fleet.resumed,
            "think_s": fleet.think_s,
            "cores_a_server": fleet.cores,
            "spare": fleet.spare,
            "uneven": fleet.uneven,
            "keep_alive_s": fleet.keep_alive_s,
            "asks_a_day": fleet.asks_a_day,
            "keep_days": fleet.keep_days,
        },
        "servers": plan.servers,
        "cores": plan.cores,
        "memory_mib_a_server": round(plan.memory_mib),
        "open_connections_a_server": plan.open_connections,
        "phones_a_server": plan.share,
        "wait_99_s": round(outcome.wait_of(SHARE), 3),
        "wait_50_s": round(outcome.wait_of(0.5), 3),
        "last_s": round(outcome.last_s, 1),
        "busy": round(outcome.busy, 3),
        "rows_a_second": round(plan.rows_a_second, 1),
        "rows_a_day": round(plan.rows_a_day),
        "database_mib": round(plan.database_mib),
    }


def _costs(costs: "Costs") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(costs)


def _say_costs(costs: "Costs") -> None:
    say(f"measured on {costs.machine}, {costs.measured_at[:10]}, by {costs.by}:")
    say(
        f"  a phone's first handshake with its request {costs.first_ms:.2f} ms of CPU, "
        f"a later one {costs.whole_ms:.2f} ms, resumed {costs.resumed_ms:.2f} ms"
    )
    say(
        f"  {costs.idle_kib:.1f} KiB an open connection, "
        f"{costs.worker_mib:.0f} MiB a worker"
    )
    say(
        f"  {costs.decision_bytes:.0f} bytes a decision and "
        f"{costs.phone_bytes:.0f} a phone in the database"
    )


def _say_plan(fleet: "Fleet", plan: "Plan") -> None:
    outcome = plan.outcome
    say(
        f"{counted(fleet.phones, 'phone')}, each with "
        f"{counted(fleet.connections, 'connection')} within {fleet.within_s:g} s:"
    )
    spare = f", {fleet.spare} of them spare" if fleet.spare else ""
    say(
        f"  servers       {plan.servers}{spare}, each with "
        f"{counted(fleet.cores, 'core')} and as many workers"
    )
    say(
        f"  memory        {plan.memory_mib:,.0f} MiB for linekey on each, with "
        f"{counted(plan.open_connections, 'connection')} open"
    )
    say(
        f"  a connection  waits {outcome.wait_of(SHARE):.2f} s at most in 99 of 100 "
        f"cases, {outcome.wait_of(0.5):.2f} s in half of them"
    )
    say(
        f"  all served    after {outcome.last_s:,.1f} s, a server's cores "
        f"{outcome.busy:.0%} busy with {counted(plan.share, 'phone')}"
    )
    say(
        f"  database      {plan.rows_a_second:,.0f} rows a second then, "
        f"{plan.rows_a_day:,.0f} on an ordinary day, {plan.database_mib:,.0f} MiB in "
        f"{counted(fleet.keep_days, 'day')} (SQLite; PostgreSQL takes more)"
    )
