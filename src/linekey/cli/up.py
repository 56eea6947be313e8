"""``linekey up``: the whole of linekey on one machine, printing what happens."""

import os
import signal
from typing import Annotated, Any

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import PORTS, StateOption, make_verb, with_state
from linekey.cli.output import console, emit_json, err_console, note
from linekey.errors import LinekeyError
from linekey.mac import parse_mac

with on_use():
    import asyncio

app = make_verb()

PORT, STATUS_PORT, PHONE_PORT, SIP_PORT = 8443, 8480, 8444, 8461
_STOP = (signal.SIGINT, signal.SIGTERM)


@app.command()
def up(
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="The virtual phone's model, also Yealink's T46U, Poly's VVX450 or "
            "Grandstream's GRP2614.",
        ),
    ] = "D785",
    firmware: Annotated[
        str | None,
        typer.Option(
            metavar="V",
            help="Its firmware version. Default: 10.1.33.33; of another model, the "
            "newest that is known of it.",
        ),
    ] = None,
    mac: Annotated[
        str | None,
        typer.Option(metavar="MAC", help="Its MAC address. Default: one of the lab's."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(**PORTS, help=f"Port for phones, on loopback. Default: {PORT}."),
    ] = None,
    status_port: Annotated[
        int | None,
        typer.Option(**PORTS, help=f"Port of the status page. Default: {STATUS_PORT}."),
    ] = None,
    web_port: Annotated[
        int | None,
        typer.Option(
            **PORTS,
            help=f"Port of the phone's own HTTPS pages. Default: {PHONE_PORT}.",
        ),
    ] = None,
    sip_port: Annotated[
        int | None,
        typer.Option(
            **PORTS, help=f"Port of the lab's SIP registrar. Default: {SIP_PORT}."
        ),
    ] = None,
    unregistered: Annotated[
        bool,
        typer.Option(
            "--unregistered",
            help="Do not register the phone: it waits for `linekey pending approve`.",
        ),
    ] = False,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Use free ports, and stop when the phone has its configuration.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="With --once: print one JSON document.")
    ] = False,
    state: StateOption = None,
) -> None:
    """Try linekey on this machine: a lab CA, the provisioning server and one phone.

    It needs no preparation: certificates, database and phone are made if they are
    missing. Everything listens on loopback only. The terminal shows who connected, with
    which certificate, what was requested, and why it was granted or refused. Ctrl-C
    stops it.

    Another model: `linekey up --model D715 --firmware 8.9.3.80`, or another maker's:
    `linekey up --model T46U`.
    """
    from linekey.lab.stage import Stage, cast
    from linekey.lab.story import Narrator
    from linekey.store.paths import StateDir
    from linekey.wire.process import new_loop
    from linekey.wire.standard_streams import queued_streams

    free = 0 if once else None
    narrator = Narrator()

    def show(lines: list[Any]) -> None:
        if not json:  # then the document alone speaks
            for line in lines:
                console.print(line, soft_wrap=True)

    if json and not once:
        raise _json_needs_once()
    stage = Stage(
        StateDir.open(state),
        cast(
            model,
            firmware,
            parse_mac(mac) if mac else None,
            port=_port(port, free, PORT),
            status_port=_port(status_port, free, STATUS_PORT),
        ),
        tell_server=lambda entry: show(narrator.server(entry)),
        tell_phone=lambda entry: show(narrator.phone(entry)),
        tell_registrar=lambda at, said: show(narrator.registrar(at, said)),
        web_port=_port(web_port, free, PHONE_PORT),
        sip_port=_port(sip_port, free, SIP_PORT),
        unregistered=unregistered,
        passing=once,
    )
    with (
        queued_streams(stdout=True, on_gone=_end_this),
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        ended = runner.run(_run(stage, once=once, quiet=json))
    if once and ended is None:
        raise LinekeyError(
            "stopped before the phone had its configuration",
            hint="run it again and wait until the phone is provisioned",
        )
    if json:
        emit_json(stage.report())
    elif not once:
        note("stopped")
    if ended is False:
        raise typer.Exit(1)


def _end_this() -> None:
    """Stop in order: whoever read the story, such as ``head``, has enough."""
    os.kill(os.getpid(), signal.SIGTERM)


def _port(given: int | None, free: int | None, usual: int) -> int:
    if given is not None:
        return given
    return usual if free is None else free


def _json_needs_once() -> LinekeyError:
    from linekey.errors import InputError

    return InputError(
        "--json prints one document at the end, so it needs --once",
        hint="add --once; while the lab runs, use linekey log --json",
    )


async def _run(stage: Any, *, once: bool, quiet: bool) -> bool | None:
    """Play until it is over: whether the phone got its configuration, None if stopped.

    The first SIGINT or SIGTERM ends it in order, whenever it comes and even where a
    shell started this in the background, with SIGINT ignored; a second one at once.
    """
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None

    def stop() -> None:
        for number in _STOP:
            loop.remove_signal_handler(number)
        me.cancel()

    for number in _STOP:
        loop.add_signal_handler(number, stop)
    try:
        async with stage:
            if not quiet:
                _introduce(stage)
            await stage.power_on()
            reached = await stage.phone.round_ended()
            if once:
                good: bool = reached.status.value == "provisioned"
                if good:
                    await stage.registered()
                stage.keep_report()
                return good
            _tell_addresses(stage)
            await loop.create_future()
    except asyncio.CancelledError:
        me.uncancel()
    return None


def _introduce(stage: Any) -> None:
    for sentence in stage.made:
        note(f"made: {sentence}")
    row = stage.cast.profile
    note(f"phone: {row.model.title} with {row.firmware}, MAC {stage.cast.mac}")
    note(f"server: {stage.server.url}, state in {stage.state.root}")
    note("")


_OF_A_SNOM = (
    ("linekey phone press 1", "press a function key: the lab's menu opens"),
    ("linekey phone screen", "what the phone's screen shows"),
)


def _tell_addresses(stage: Any) -> None:
    err_console.print()
    for what, url in (
        ("console", stage.log_in_link or stage.server.console_url),
        ("status page", stage.server.status_url),
        ("API", stage.server.api_url),
        ("the phone's pages", stage.phone_url),
        ("for phones", stage.server.url),
        ("registrar (lab)", f"sips:localhost:{stage.registrar.port}"),
        *((("menu (lab)", stage.menu_url),) if stage.has_snoms else ()),
    ):
        err_console.print(f"  {what:<18} {url}", markup=False, style="bold")
    ca = stage.lab.server_root_path
    err_console.print(f"  {'lab server CA':<18} {ca}", markup=False)
    if stage.log_in_link:
        note("the console's link logs you in once, for half an hour; another one:")
        note(f"  {with_state('linekey user link admin', stage.state.root)}")
    err_console.print()
    note("try in another terminal:")
    waiting: tuple[tuple[str, str], ...] = ()
    if stage.unregistered:
        waiting = (
            ("linekey pending list", "the phone waits here, with the code it shows"),
            (f"linekey pending approve {stage.cast.mac}", "register it"),
            ("linekey phone provision", "it asks again, and has its file"),
        )
    for command, does in (
        *waiting,
        ("linekey phone show", "the phone, its settings and its registration"),
        *(_OF_A_SNOM if stage.has_snoms else ()),
        (
            "linekey lab identity 000413AABBCC --out .",
            "a certificate for your own tests",
        ),
    ):
        line = with_state(command, stage.state.root)
        note(f"  {line:<43} {does}")
    note("Ctrl-C stops everything.")
    err_console.print()
