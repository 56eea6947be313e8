"""The verbs of ``linekey phone`` that the phone and its uses bring, and ``screen``.

Rule: they act on the process that runs the phone; one that says it goes alone (802.1X:
a phone logs into the network before anything else) also goes without one.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from linekey.cli.mac_first import MacArgument, MacFirst
from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, StateOption, printable, read_file
from linekey.cli.output import emit_json, err_console, say
from linekey.cli.phone_asking import (
    print_answer,
    running_report,
    tell,
    tell_running,
)
from linekey.cli.phone_text import screen_lines
from linekey.phone.uses.words import WORDS, Parameter, Words

with on_use():
    from linekey.phone.device import DEVICE
    from linekey.phone.edge.disk import PhoneFolder
    from linekey.phone.report import screen_of
    from linekey.phone.uses.all import USES

FindFolder = Callable[[Path | None, str], PhoneFolder]
"""Finds one phone's folder by state folder and MAC (empty: the only one)."""


def add_verbs(app: typer.Typer, find: FindFolder) -> None:
    """Add these verbs to ``linekey phone``."""
    for words in WORDS:
        app.command(words.name, cls=MacFirst)(_function(words, find))

    @app.command(cls=MacFirst)
    def screen(
        mac: MacArgument = "", state: StateOption = None, as_json: JsonOption = False
    ) -> None:
        """Show what is on a running phone's screen, and its keys."""
        document = running_report(find(state, mac))
        if as_json:
            emit_json(screen_of(document))
            return
        for line in screen_lines(document):
            say(line)


def _function(words: Words, find: FindFolder) -> Callable[..., None]:
    """The verb as a function with the signature that Typer reads."""

    def run(mac: str, state: Path | None, as_json: bool, **given: Any) -> None:
        (verb,) = (v for use in (DEVICE, *USES) for v in use.verbs if v.words is words)
        event = verb.event(
            **{p.name: _given(p, given[p.name]) for p in words.parameters}
        )
        folder = find(state, mac)
        answer = (tell if words.alone else tell_running)(folder, event)
        if as_json or verb.found is None:
            print_answer(answer, as_json)
            return
        if answer.ok:
            print_answer(answer, as_json)
        lines, notes = verb.found(answer.details)
        for line in lines:
            say(printable(line))
        for note in notes:
            err_console.print(f"note: {printable(note)}", markup=False)
        if not answer.ok:
            print_answer(answer, as_json)  # what came before it went wrong is above

    types = {
        "mac": (MacArgument, ""),
        **{p.name: _typed(p) for p in words.parameters},
        "state": (StateOption, None),
        "as_json": (JsonOption, False),
    }
    keyword = inspect.Parameter.KEYWORD_ONLY
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, keyword, default=default, annotation=annotation)
            for name, (annotation, default) in types.items()
        ]
    )
    run.__annotations__ = {name: annotation for name, (annotation, _) in types.items()}
    run.__name__, run.__doc__ = words.name, words.help
    return run


def _typed(parameter: Parameter) -> tuple[Any, Any]:
    """Annotation and default of a parameter."""
    kind: Any = {"text": str, "texts": list[str], "number": int, "file": Path}[
        parameter.kind
    ]
    more: dict[str, Any] = {"help": parameter.help}
    if parameter.metavar:
        more["metavar"] = parameter.metavar
    if parameter.kind == "number":
        more["min"] = 1
    default: Any = inspect.Parameter.empty
    if not parameter.required:
        kind, default = (kind, "") if kind is str else (kind | None, None)
    info = (
        typer.Option("--" + parameter.name.replace("_", "-"), **more)
        if parameter.option
        else typer.Argument(**more)
    )
    return Annotated[kind, info], default


def _given(parameter: Parameter, value: Any) -> Any:
    """What a verb gets of a parameter."""
    if parameter.kind == "file":
        return read_file(value)
    return value or [] if parameter.kind == "texts" else value
