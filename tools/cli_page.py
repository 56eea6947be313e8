"""docs/reference/cli.md: every verb, argument and option, from the verbs themselves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer

from linekey.cli.main import VERBS, app
from linekey.errors import Cause, LinekeyError
from linekey.makers.grammar import GrammarError

FINDINGS = {
    "up": "with `--once`, the phone did not get its configuration",
    "phone run": "with `--once`, a phone was not provisioned",
    "layer rotate-key": "with `--status`, the rotation is not done",
    "check": "a phone refuses the server, or what `--fail-on` names was found",
    "lint": "a file weakens its phones; 2 where a file cannot be read",
    "certificate deploy": "phones would be lost, so nothing was changed",
    "alert test": "a target did not take the message",
    "load": "something failed, or a worker was lost",
    "forecast": "something ends, is refused already, or the new chain loses phones",
}
"""What 1 means, by command; no other command exits with it."""


def error_kinds() -> Iterator[type[LinekeyError]]:
    """Each kind of error that linekey raises, those of pure packages too."""
    assert issubclass(GrammarError, LinekeyError)  # it is loaded, so it is found
    kinds = [LinekeyError]
    for kind in kinds:
        yield kind
        kinds.extend(kind.__subclasses__())


ERROR_CODES = ("usage", "stopped", *sorted({e.code for e in error_kinds()}))
"""What ``code`` of an error in JSON may be."""

_TYPES = {"<str>": "TEXT", "<int>": "N", "<int range>": "N", "<float>": "N"}


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{w}`" for w in words)


def commands() -> Iterator[tuple[str, Any]]:
    """Each command that can be typed, by its words, groups before their own."""
    for verb, (module, _) in VERBS.items():
        yield from _walk(verb, typer.main.get_command(import_module(module).app))


def _walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _walk(f"{words} {name}", inner)


def cli_page() -> str:
    """Return ``docs/reference/cli.md``."""
    return "\n".join(_page()).rstrip() + "\n"


def _page() -> Iterator[str]:
    yield from (
        "# Commands",
        "",
        "<!-- Made by `make docs` from src/linekey/cli. -->",
        "",
        "What each `--help` says, on one page. Results go to stdout; errors (`error:",
        "…`, then `hint: …`) and notes go to stderr. `--json` prints one JSON document",
        "and nothing else.",
        "",
        "Where `--json` was typed, an error is a JSON document, too: the last line of",
        "stderr. The exit status is its `exit`.",
        "",
        '    {"error": {"code": "input", "message": "…", "hint": "…", "exit": 2}}',
        "",
        f"`code` is one of {_listed(ERROR_CODES)}.",
        f"With `storage` there is `cause`, too: {_listed(Cause)}.",
        "",
        "| exit status | means |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | done, with findings: see the next table |",
        "| 2 | wrong input: an option, a file, a row of a table |",
        "| 3 | not done: another server, the database or a file of linekey's failed |",
        "",
        "| command | exits with 1 when |",
        "|---|---|",
        *(f"| `linekey {name}` | {when} |" for name, when in FINDINGS.items()),
        "",
    )
    yield from _options("linekey", typer.main.get_command(app))
    for words, command in commands():
        yield f"{'##' if ' ' not in words else '###'} linekey {words}"
        yield ""
        yield from (line.rstrip() for line in (command.help or "").splitlines())
        yield ""
        yield from _options(f"linekey {words}", command)


def _options(words: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=words)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    given = [p for p in command.params if p.param_type_name == "option"]
    group = bool(getattr(command, "commands", {})) or words == "linekey"
    if group and not given:
        return
    usage = [words, *(word(p) for p in arguments)]
    yield f"    {' '.join(usage)}{' [OPTIONS]' if given else ''}"
    yield ""
    if not (arguments or given):
        return
    yield "| | value | default | |"
    yield "|---|---|---|---|"
    for param in (*arguments, *(p for p in given if not p.hidden)):
        yield "| " + " | ".join(_cells(param, context)) + " |"
    yield ""


@dataclass(frozen=True, slots=True)
class Row:
    """One argument or option, as the pages show it."""

    names: tuple[str, ...]
    value: str
    """What the help calls its value; empty for a switch."""
    required: bool
    default: str
    text: str
    argument: bool


def row_of(param: Any, context: Any) -> Row:
    """Return what is to be said of a parameter."""
    flag = getattr(param, "is_bool_flag", False)
    argument = param.param_type_name == "argument"
    metavar = param.metavar or _TYPES.get(kind := param.display_type(context), kind)
    value = metavar.strip("<>").removeprefix("list[").removesuffix("]")
    default = param.default
    shown = default not in (None, "") and not (flag and default is False)
    text = " ".join((param.help or "").split())
    if param.envvar:
        text += f" Environment: `{param.envvar}`."
    return Row(
        (word(param),) if argument else (*param.opts, *param.secondary_opts),
        "" if flag or argument else value,
        param.required,
        str(getattr(default, "value", default)) if shown else "",
        text,
        argument,
    )


def word(argument: Any) -> str:
    """Return how an argument stands in the usage line."""
    name = argument.metavar or argument.name.upper()
    return name if argument.nargs == 1 or name.endswith("…") else f"{name} …"


def _cells(param: Any, context: Any) -> Iterator[str]:
    row = row_of(param, context)
    yield ", ".join(f"`{name}`" for name in row.names)
    if row.argument:
        yield "required" if row.required else ""
    else:
        needed = ", required" if row.required else ""
        yield f"`{_bars(row.value)}`{needed}" if row.value else ""
    yield f"`{row.default}`" if row.default else ""
    yield _bars(row.text)


def _bars(text: str) -> str:
    return text.replace("|", "\\|")
