"""docs/reference/cli.md: every verb, argument and option, from the verbs themselves."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer

from linekey.cli.main import VERBS, app

FINDINGS = {
    "up": "with `--once`, the phone did not get its configuration",
    "phone run": "with `--once`, the phone was not provisioned",
    "layer rotate-key": "with `--status`, the rotation is not done",
    "check": "a phone refuses the server, or what `--fail-on` names was found",
}
"""What 1 means, by command; no other command exits with it."""


_TYPES = {"<str>": "TEXT", "<int>": "N", "<int range>": "N", "<float>": "N"}


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
    usage = [words, *(_word(p) for p in arguments)]
    yield f"    {' '.join(usage)}{' [OPTIONS]' if given else ''}"
    yield ""
    if not (arguments or given):
        return
    yield "| | value | default | |"
    yield "|---|---|---|---|"
    for param in (*arguments, *(p for p in given if not p.hidden)):
        yield "| " + " | ".join(_cells(param, context)) + " |"
    yield ""


def _word(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return f"{name} …" if argument.nargs != 1 else name


def _cells(param: Any, context: Any) -> Iterator[str]:
    flag = getattr(param, "is_bool_flag", False)
    metavar = param.metavar or _TYPES.get(kind := param.display_type(context), kind)
    if param.param_type_name == "argument":
        yield f"`{_word(param)}`"
        yield "required" if param.required else ""
    else:
        yield ", ".join(f"`{o}`" for o in (*param.opts, *param.secondary_opts))
        value = metavar.strip("<>").removeprefix("list[").removesuffix("]")
        needed = ", required" if param.required else ""
        yield "" if flag else f"`{_bars(value)}`{needed}"
    default = param.default
    shown = default not in (None, "") and not (flag and default is False)
    yield f"`{getattr(default, 'value', default)}`" if shown else ""
    text = " ".join((param.help or "").split())
    if param.envvar:
        text += f" Environment: `{param.envvar}`."
    yield _bars(text)


def _bars(text: str) -> str:
    return text.replace("|", "\\|")
