"""``linekey check``: would these phones accept this server, and if not, why.

Against a live server, against a chain file that is on no server yet (``--chain``), for
every model and firmware of the catalogue, for one (``--model``), or for the phones of
the registry (``--fleet``). The answer is a table, one JSON document (``--json``), or
one HTML page (``--html FILE``); the exit status is 0 when every phone accepts, 1 for
findings, 2 for wrong usage, 3 when the server could not be reached.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.opening import (
    JsonOption,
    StateOption,
    make_verb,
)

app = make_verb()


class FailOnChoice(StrEnum):
    """What makes the exit status 1."""

    refused = "refused"
    warning = "warning"


@app.command()
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
        typer.Option(
            "--model", metavar="MODEL", help="Only this model. May be repeated."
        ),
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
            help="Captured ClientHello to send instead of the computed ones: raw "
            "bytes, hex, a hex dump, pcap, or what openssl -msg or tshark prints; or "
            "the id of a published one. Of another maker's phone there is no other.",
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
    from linekey.cli.checking import carry_out  # more than its help needs

    carry_out(
        target=target,
        chain=chain,
        name=name,
        model=model,
        firmware=firmware,
        all_phones=all_phones,
        fleet=fleet,
        at=at,
        phone_clock=phone_clock,
        firmware_date=firmware_date,
        trust=trust,
        settings=settings,
        identity=identity,
        capture=capture,
        calendar=calendar,
        json=json,
        html=html,
        fail_on=fail_on.value,
        timeout_s=timeout_s,
        per_second=per_second,
        state=state,
    )
