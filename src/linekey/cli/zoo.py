"""``linekey zoo``: servers of right and wrong on this machine, to be looked at.

Each animal is a real server (openssl, nginx, HAProxy, Kamailio) or, where no real one
misbehaves that way, linekey itself; all on loopback, on free ports, until Ctrl-C.
"""

import asyncio
import difflib
import shlex
import signal
import sys
from contextlib import AsyncExitStack
from typing import Annotated, Any

import typer

from linekey.cli.opening import JsonOption, StateOption, now
from linekey.cli.output import console, emit_json, fail, note, warn
from linekey.errors import InputError, LinekeyError
from linekey.lab.servers.catalogue import ANIMALS, BY_NAME
from linekey.lab.servers.certificates import ZOO_NAME
from linekey.lab.servers.kinds import KINDS, Animal

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def zoo(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME…]", help="Only these animals; all unless given."),
    ] = None,
    listing: Annotated[
        bool,
        typer.Option("--list", help="Tell of the animals and start none."),
    ] = False,
    json: JsonOption = False,
    state: StateOption = None,
) -> None:
    """Servers right and wrong on this machine, to try checks and phones on.

    Start with: `linekey zoo --list`, then `linekey zoo expired wrong-name`. It prints
    where each one is and how to ask it; Ctrl-C sends them all home.
    """
    try:
        animals = _find(names or [])
        if listing:
            _list(animals, json=json)
            return
        asyncio.run(_open(animals, named=bool(names), json=json, state=state))
    except LinekeyError as error:
        fail(error)
    except KeyboardInterrupt:
        note("closed")


def _find(names: list[str]) -> list[Animal]:
    """The animals of these names, all without any. Raises InputError."""
    for name in names:
        if name not in BY_NAME:
            near = difflib.get_close_matches(name.lower(), BY_NAME, n=5, cutoff=0.5)
            raise InputError(
                f"no such animal: {name!r}",
                hint=f"near it: {', '.join(near)}"
                if near
                else "linekey zoo --list names them all",
            )
    return [BY_NAME[name] for name in dict.fromkeys(names)] or list(ANIMALS)


def _told(animal: Animal) -> dict[str, Any]:
    return {
        "name": animal.name,
        "program": animal.program,
        "sentence": animal.sentence,
        "called": animal.called,
        "asks_for_certificate": animal.asks,
        "expected": dict(animal.expected),
        "why": animal.why,
    }


def _list(animals: list[Animal], *, json: bool) -> None:
    if json:
        kinds = {
            name: {
                "model": kind.phone[0],
                "firmware": kind.phone[1],
                "words": kind.words,
                "server_authentication": kind.authenticates or name == "v10",
            }
            for name, kind in KINDS.items()
        }
        emit_json({"kinds": kinds, "animals": [_told(a) for a in animals]})
        return
    for animal in animals:
        console.print(f"{animal.name}  ({animal.program})", style="bold", markup=False)
        console.print(f"  {animal.sentence}", markup=False, soft_wrap=True)
        groups: dict[str, list[str]] = {}
        for kind, outcome in animal.expected.items():
            model, firmware = KINDS[kind].phone
            extra = ", authenticating" if KINDS[kind].authenticates else ""
            groups.setdefault(outcome, []).append(f"{model} {firmware}{extra}")
        for outcome, phones in groups.items():
            console.print(
                f"  {outcome}: {'; '.join(phones)}", markup=False, soft_wrap=True
            )
        if animal.why:
            console.print(f"  Why: {animal.why}", markup=False, soft_wrap=True)
        console.print()


async def _open(animals: list[Animal], *, named: bool, json: bool, state: Any) -> None:
    from linekey.lab.authority import LabAuthority
    from linekey.lab.servers.running import HOST, ZooKeeper
    from linekey.store.paths import StateDir

    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    place = StateDir.open(state)
    keeper = ZooKeeper(place.root / "zoo", now(), LabAuthority.open(place.lab))
    root = shlex.quote(str(keeper.root_path))
    rows = []
    async with AsyncExitStack() as stack:
        for animal in animals:
            if ended.is_set():
                return
            try:
                running = await stack.enter_async_context(keeper.started(animal))
            except LinekeyError as error:
                if named:
                    raise
                warn(f"{animal.name} is left out: {error.message}", error.hint)
                continue
            where = f"{HOST}:{running.port}"
            ask = f"linekey check {where} --name {animal.called} --trust {root}"
            rows.append({**_told(animal), "address": where, "check": ask})
            if not json:
                console.print(
                    f"{where:<16} {animal.name:<22} {animal.sentence}",
                    markup=False,
                    soft_wrap=True,
                )
        if json:
            emit_json({"root": keeper.root_path, "animals": rows})
            sys.stdout.flush()  # whoever reads it from a pipe must not wait for the end
        note("")
        note(f"the root that phones must know: {keeper.root_path}")
        note(f"phones call them {ZOO_NAME}, or 127.0.0.1 where the name is an address")
        if rows:
            note(f"try in another terminal: {rows[0]['check']}")
        note("Ctrl-C closes the zoo.")
        await ended.wait()
    note("closed")
