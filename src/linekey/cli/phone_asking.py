"""How the verbs of ``linekey phone`` reach a phone: running, or in its folder.

Rule: while a process runs the phone, it alone knows how the phone is; its lines and its
screen are kept in no file.
"""

from datetime import UTC, datetime
from typing import Any

import typer

from linekey.cli.on_use import on_use
from linekey.cli.opening import printable, with_state
from linekey.cli.output import emit_json, note, say
from linekey.errors import StorageError

with on_use():
    import asyncio

    from linekey.phone.edge.disk import PhoneFolder
    from linekey.phone.events import Answer, Errand, Event
    from linekey.phone.machine import Machine
    from linekey.phone.report import describe_phone
    from linekey.phone.requests import to_request
    from linekey.phone.state import PhoneState


def tell_running(folder: PhoneFolder, event: Event) -> Answer:
    """Have the process that runs the phone take an event; what came of it.

    Raises StorageError where the phone does not run.
    """
    from linekey.phone.edge.control import ask  # only to reach a phone

    _must_run(folder)
    return Answer(**ask(folder.control_path, to_request(event)))


def tell(folder: PhoneFolder, event: Event) -> Answer:
    """Have the phone take an event, in its own process or here; what came of it."""
    if folder.running:
        return tell_running(folder, event)
    from linekey.phone.edge.carry import carry_out  # only without a process
    from linekey.phone.edge.runner import VirtualPhone

    with folder.lock():
        machine = Machine(with_authorities(folder.load()))
        commands = machine.handle(event, datetime.now(UTC))
        for errand in [c for c in commands if isinstance(c, Errand)]:
            ended = asyncio.run(carry_out(VirtualPhone(machine.state), errand))
            commands = machine.handle(ended, datetime.now(UTC))
        folder.save(machine.state)
    answers = [c for c in commands if isinstance(c, Answer)]
    return answers[-1] if answers else Answer(True, "done")


def running_report(folder: PhoneFolder) -> dict[str, Any]:
    """``describe_phone`` of this moment, by the process that runs the phone.

    Raises StorageError where the phone does not run.
    """
    from linekey.phone.edge.control import ask  # only to reach a phone

    _must_run(folder)
    answer = Answer(**ask(folder.control_path, {"do": "report"}))
    if not answer.ok:
        raise StorageError(
            f"the process that runs the phone answers: {answer.text}",
            hint="stop it, and run the phone again with this version of linekey",
        )
    return {"running": True, **answer.details}


def report_of(folder: PhoneFolder) -> dict[str, Any]:
    """``describe_phone``, and under ``running`` whether it is of this moment."""
    if folder.running:
        return running_report(folder)
    return {"running": False, **describe_phone(with_authorities(folder.load()))}


def print_answer(answer: Answer, as_json: bool) -> None:
    """Print what came of it; with ``as_json`` also what it brought.

    Raises StorageError where it came to nothing, or leaves with its code after JSON.
    """
    if as_json:
        document = {"ok": answer.ok, "text": answer.text, "hint": answer.hint}
        emit_json({**document, **answer.details})
        if not answer.ok:
            raise typer.Exit(StorageError.exit_code)
        return
    if not answer.ok:
        raise StorageError(printable(answer.text), hint=printable(answer.hint))
    say(printable(answer.text))
    if answer.hint:
        note(f"note: {printable(answer.hint)}")


def with_authorities(phone: PhoneState) -> PhoneState:
    """The phone with its firmware's list of roots, which no folder keeps."""
    return phone.with_usual_roots(phone.maker_authorities)


def _must_run(folder: PhoneFolder) -> None:
    if not folder.running:
        words = f"linekey phone run --mac {folder.path.name}"
        command = with_state(words, folder.path.parents[1])
        raise StorageError(
            f"the phone {folder.path.name} is not running",
            hint=f"run it in another terminal: {command} (the lab's: linekey up)",
        )
