"""``linekey phone run``: one virtual phone or several in this process, until Ctrl-C.

Rule: only its words are here; what it does is in ``phone_running``.
"""

from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.opening import (
    PORTS,
    JsonOption,
    StateOption,
)
from linekey.cli.phone_orders import (
    MOST,
)


def run(
    mac: Annotated[
        str,
        typer.Option(
            "--mac", metavar="MAC", help="Its MAC address; with --count the first one."
        ),
    ] = "",
    count: Annotated[
        int,
        typer.Option(
            "--count",
            metavar="N",
            min=1,
            max=MOST,
            help="Run N phones: this MAC address and those that follow it.",
        ),
    ] = 1,
    phones: Annotated[
        Path | None,
        typer.Option(
            "--phones",
            metavar="FILE.csv",
            help="Run the phones of a CSV file, such as device export writes.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Model, such as D785; required the first time.",
        ),
    ] = "",
    firmware: Annotated[
        str,
        typer.Option(
            "--firmware",
            help="Firmware version. Default: as before, else the newest known.",
        ),
    ] = "",
    setting_server: Annotated[
        str,
        typer.Option(
            "--setting-server", metavar="URL", help="Setting server URL, as from DHCP."
        ),
    ] = "",
    identity: Annotated[
        Path | None,
        typer.Option(
            "--identity",
            metavar="FILE",
            help="Built-in certificate with chain and key, PEM. Default: the lab's.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="Its private key, if it is not in --identity."
        ),
    ] = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust",
            metavar="FILE",
            help="Put these certificates on the Server Certificates tab first. May be "
            "repeated.",
        ),
    ] = None,
    clock: Annotated[
        str,
        typer.Option(
            "--clock", metavar="TIME", help="Time on its clock, such as 1970-01-01."
        ),
    ] = "",
    firmware_date: Annotated[
        str,
        typer.Option(
            "--firmware-date",
            metavar="DATE",
            help="Build date, which determines its root CAs.",
        ),
    ] = "",
    web_port: Annotated[
        int | None,
        typer.Option(
            "--web-port",
            metavar="N",
            **PORTS,
            help="Serve its web pages over HTTPS here; with --count the first port.",
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once", help="Stop when it was provisioned once, or could not be."
        ),
    ] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run virtual phones until Ctrl-C. They boot and fetch their configurations.

    What the state folder has of a phone is kept. For example:

        linekey phone run --mac 000413AABBCC --model D785 --once

    Several run in one process, each with its own certificate and folder, until one
    Ctrl-C stops them all. A phone that fails stops no other; the exit status is then 3.

        linekey phone run --mac 000413AABB00 --count 50 --model D785

    A file has a line a phone; its first line names the columns: `mac`, and any of
    `model`, `firmware`, `setting_server`, `identity`, `key`, `clock`, `firmware_date`
    and `web_port`. Options hold where a cell is empty.

        linekey phone run --phones phones.csv --setting-server https://prov.example.com/

    With `--json` how each phone ended is printed when it has stopped: one object, or
    with `--count` or `--phones` a list.
    """
    from linekey.cli.phone_running import carry_out  # more than its help needs

    carry_out(
        mac=mac,
        count=count,
        phones=phones,
        model=model,
        firmware=firmware,
        setting_server=setting_server,
        identity=identity,
        key=key,
        trust=trust,
        clock=clock,
        firmware_date=firmware_date,
        web_port=web_port,
        once=once,
        state=state,
        as_json=as_json,
    )
