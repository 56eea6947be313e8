"""``linekey test-servers``: correct and faulty TLS servers on this machine.

Each is a real server (openssl, nginx, HAProxy, Kamailio) or, where no real one
misbehaves that way, linekey itself; all on loopback, on free ports, until Ctrl-C.
"""

import difflib
import shlex
import signal
import sys
from contextlib import AsyncExitStack
from typing import Annotated, Any

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, StateOption, make_verb, now
from linekey.cli.output import console, emit_json, note, say, warn
from linekey.errors import InputError, LinekeyError

with on_use():
    import asyncio

    from linekey.lab.servers.catalogue import BY_NAME, CASES
    from linekey.lab.servers.certificates import SERVER_NAME
    from linekey.lab.servers.kinds import KINDS, Case

app = make_verb()


@app.command()
def servers(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Only these servers. Default: all."),
    ] = None,
    listing: Annotated[
        bool,
        typer.Option("--list", help="Describe the servers, but start none."),
    ] = False,
    json: JsonOption = False,
    state: StateOption = None,
) -> None:
    """Run correct and faulty TLS servers on this machine, to test phones against.

    Start with: `linekey test-servers --list`, then
    `linekey test-servers expired wrong-name`. It prints the address of each server, and
    a command that checks it. Ctrl-C stops them all.
    """
    try:
        cases = _find(names or [])
        if listing:
            _list(cases, json=json)
            return
        asyncio.run(_open(cases, named=bool(names), json=json, state=state))
    except KeyboardInterrupt:
        note("stopped")


def _find(names: list[str]) -> list[Case]:
    """The servers of these names, all without any. Raises InputError."""
    for name in names:
        if name not in BY_NAME:
            near = difflib.get_close_matches(name.lower(), BY_NAME, n=5, cutoff=0.5)
            raise InputError(
                f"no such test server: {name!r}",
                hint=f"similar names: {', '.join(near)}"
                if near
                else "linekey test-servers --list lists them all",
            )
    return [BY_NAME[name] for name in dict.fromkeys(names)] or list(CASES)


def _told(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "program": case.program,
        "sentence": case.sentence,
        "called": case.called,
        "asks_for_certificate": case.asks,
        "expected": dict(case.expected),
        "why": case.why,
    }


def _list(cases: list[Case], *, json: bool) -> None:
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
        emit_json({"kinds": kinds, "servers": [_told(c) for c in cases]})
        return
    for case in cases:
        console.print(f"{case.name}  ({case.program})", style="bold", markup=False)
        say(f"  {case.sentence}")
        groups: dict[str, list[str]] = {}
        for kind, outcome in case.expected.items():
            model, firmware = KINDS[kind].phone
            extra = ", authenticating" if KINDS[kind].authenticates else ""
            groups.setdefault(outcome, []).append(f"{model} {firmware}{extra}")
        for outcome, phones in groups.items():
            say(f"  {outcome}: {'; '.join(phones)}")
        if case.why:
            say(f"  Why: {case.why}")
        console.print()


async def _open(cases: list[Case], *, named: bool, json: bool, state: Any) -> None:
    from linekey.lab.authority import LabAuthority
    from linekey.lab.servers.running import HOST, Launcher
    from linekey.store.paths import StateDir

    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    place = StateDir.open(state)
    launcher = Launcher(
        place.root / "test-servers", now(), LabAuthority.open(place.lab)
    )
    root = shlex.quote(str(launcher.root_path))
    rows = []
    async with AsyncExitStack() as stack:
        for case in cases:
            if ended.is_set():
                return
            try:
                running = await stack.enter_async_context(launcher.started(case))
            except LinekeyError as error:
                if named:
                    raise
                warn(f"{case.name} is left out: {error.message}", error.hint)
                continue
            where = f"{HOST}:{running.port}"
            ask = f"linekey check {where} --name {case.called} --trust {root}"
            rows.append({**_told(case), "address": where, "check": ask})
            if not json:
                say(f"{where:<16} {case.name:<22} {case.sentence}")
        if json:
            emit_json({"root": launcher.root_path, "servers": rows})
            sys.stdout.flush()  # whoever reads it from a pipe must not wait for the end
        note("")
        note(f"root CA that phones must trust: {launcher.root_path}")
        note(f"phones use the name {SERVER_NAME}, or 127.0.0.1 for an address as name")
        if rows:
            note(f"try in another terminal: {rows[0]['check']}")
        note("Ctrl-C stops them.")
        await ended.wait()
    note("stopped")
