"""``linekey phone event|press|lookup|screen|dot1x``: the phone's uses of TLS, used.

Rule: they act on the process that runs the phone; 802.1X alone also goes without one,
as a phone logs into the network before anything else.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from linekey.cli.mac_first import MacArgument, MacFirst
from linekey.cli.opening import JsonOption, StateOption, printable, read_file
from linekey.cli.output import console, emit_json, err_console
from linekey.cli.phone_asking import (
    print_answer,
    running_report,
    tell_running,
    with_authorities,
)
from linekey.cli.phone_text import numbers_of, screen_lines
from linekey.digits import digits_of
from linekey.errors import InputError
from linekey.phone.app_events import (
    AppEvent,
    BackPressed,
    BrowserLeft,
    EntryChosen,
    FormSubmitted,
    KeyPressed,
    LogIntoNetwork,
    LookupWanted,
    NamedKeyPressed,
    NetworkLoginWanted,
    SoftKeyPressed,
)
from linekey.phone.app_requests import action_event, network_login
from linekey.phone.edge.disk import PhoneFolder
from linekey.phone.events import Answer
from linekey.phone.keys import is_key_name
from linekey.phone.machine import Machine
from linekey.phone.report import screen_of
from linekey.phone.uses.network.edge import log_in

FindFolder = Callable[[Path | None, str], PhoneFolder]
"""Finds one phone's folder by state folder and MAC (empty: the only one)."""


def add_verbs(app: typer.Typer, find: FindFolder) -> None:
    """Add these verbs to ``linekey phone``."""

    @app.command(cls=MacFirst)
    def event(
        mac: MacArgument = "",
        *,
        name: Annotated[
            str, typer.Argument(metavar="EVENT", help="incoming, dnd_on, reg_failed …")
        ],
        remote: Annotated[str, typer.Option(help="Who calls: $remote.")] = "",
        local: Annotated[str, typer.Option(help="Who is called: $local.")] = "",
        display_remote: Annotated[
            str, typer.Option(help="The caller's name: $display_remote.")
        ] = "",
        variable: Annotated[
            list[str] | None,
            typer.Option("--variable", metavar="NAME=VALUE", help="Any other."),
        ] = None,
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Let something happen, and the phone fetch the action URL that is set for it.

        A page of minibrowser XML in the answer is shown on the phone's screen.
        """
        variables = {
            "remote": remote,
            "local": local,
            "display_remote": display_remote,
            **dict(_pair(text) for text in variable or []),
        }
        given = {k: v for k, v in variables.items() if v}
        print_answer(tell_running(find(state, mac), action_event(name, given)), as_json)

    @app.command(cls=MacFirst)
    def press(
        mac: MacArgument = "",
        *,
        key: Annotated[
            str,
            typer.Argument(
                metavar="KEY",
                help="A function key's idx (0, 1 …); on a minibrowser page also F1 … "
                "F4, *, #, CANCEL, EXIT.",
            ),
        ],
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Press a function key, or a soft key of the page on the screen."""
        print_answer(tell_running(find(state, mac), key_event(key)), as_json)

    @app.command()
    def screen(
        mac: MacArgument = "", state: StateOption = None, as_json: JsonOption = False
    ) -> None:
        """Print what is on a running phone's screen, and which keys it has."""
        document = running_report(find(state, mac))
        if as_json:
            emit_json(screen_of(document))
            return
        for line in screen_lines(document):
            console.print(line, markup=False, soft_wrap=True)

    @app.command(cls=MacFirst)
    def choose(
        mac: MacArgument = "",
        *,
        number: Annotated[
            int, typer.Argument(metavar="NUMBER", min=1, help="Which entry, from 1.")
        ],
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Choose an entry of the menu or directory on the screen."""
        print_answer(tell_running(find(state, mac), EntryChosen(number - 1)), as_json)

    @app.command(cls=MacFirst)
    def submit(
        mac: MacArgument = "",
        *,
        values: Annotated[
            list[str], typer.Argument(metavar="VALUE", help="One for each field.")
        ],
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Fill in the input page on the screen and send it."""
        print_answer(
            tell_running(find(state, mac), FormSubmitted(tuple(values))), as_json
        )

    @app.command(cls=MacFirst)
    def lookup(
        mac: MacArgument = "",
        *,
        text: Annotated[
            str, typer.Argument(metavar="TEXT", help="A name, or a number.")
        ],
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Look a name or a number up in the phone's LDAP directory."""
        answer = tell_running(find(state, mac), LookupWanted(text))
        if answer.ok or as_json:
            print_answer(answer, as_json)
        found = {} if as_json else answer.details.get("lookup", {})
        for entry in found.get("entries", []):
            line = f"  {entry['name']}  {numbers_of(entry)}"
            console.print(printable(line), markup=False, soft_wrap=True)
        for note in found.get("notes", []):
            err_console.print(f"note: {printable(note)}", markup=False)
        if not answer.ok:
            print_answer(answer, as_json)  # what came before it went wrong is above

    @app.command(cls=MacFirst)
    def dot1x(
        mac: MacArgument = "",
        *,
        radius: Annotated[
            str, typer.Option("--radius", metavar="HOST:PORT", help="RADIUS server.")
        ],
        secret_file: Annotated[
            Path,
            typer.Option(
                "--secret-file", metavar="FILE", help="What it shares with the switch."
            ),
        ],
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Log the phone into the network by 802.1X, at a RADIUS server.

        The phone's EAP settings, certificate and 802.1X tab are used; eapol_test
        plays the switch.
        """
        host, port = _address(radius)
        secret = read_file(secret_file).decode("utf-8", "replace").strip()
        wanted = network_login(host, port, secret)
        folder = find(state, mac)
        act = tell_running if folder.running else _alone
        print_answer(act(folder, wanted), as_json)


def key_event(key: str) -> AppEvent:
    """What a key's name means: a function key's idx, a key of the minibrowser, or a
    dedicated key (``DIRECTORY``, ``dkey_directory``).

    Raises InputError for anything else.
    """
    name = key.strip().upper()
    if name.isascii() and name.isdigit() and len(name) < 4:
        return KeyPressed(int(name))
    if name == "CANCEL":
        return BackPressed()
    if name == "EXIT":
        return BrowserLeft()
    if name in ("*", "#") or (name[:1] == "F" and name[1:].isdigit()):
        return SoftKeyPressed(name)
    if is_key_name(name):
        return NamedKeyPressed(name.lower().removeprefix("dkey_"))
    raise InputError(
        f"no such key: {key!r}",
        hint="a function key's idx, F1 … F4, *, #, CANCEL, EXIT, or a dedicated key, "
        "such as DIRECTORY for dkey_directory",
    )


def _alone(folder: PhoneFolder, event: NetworkLoginWanted) -> Answer:
    """Log in without a running phone."""
    with folder.lock():
        machine = Machine(with_authorities(folder.load()))
        commands = machine.handle(event, datetime.now(UTC))
        for command in list(commands):
            if isinstance(command, LogIntoNetwork):
                ended = asyncio.run(log_in(command))
                commands = machine.handle(ended, datetime.now(UTC))
        folder.save(machine.state)
    answers = [c for c in commands if isinstance(c, Answer)]
    return answers[-1]


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise InputError(f"not NAME=VALUE: {text!r}", hint="such as call-id=77")
    return name.removeprefix("$"), value


def _address(text: str) -> tuple[str, int]:
    host, mark, port = text.rpartition(":")
    if not mark:
        host, port = text, "1812"
    number = digits_of(port, 65536)
    if not host or number is None:
        raise InputError(f"not HOST:PORT: {text!r}", hint="such as 127.0.0.1:1812")
    return host.strip("[]"), number
