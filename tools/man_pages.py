"""docs/man/: a manual page a verb, and linekey(1), from the verbs themselves.

Rule: macros of man(7) that groff and mandoc both know; no date, so that a page changes
only when its command does.
"""

import re
from collections.abc import Iterator
from typing import Any

import typer

from linekey.cli.main import VERBS, app
from tools.cli_page import FINDINGS, commands, row_of, word

_STATUS = (
    ("0", "Done."),
    ("2", "Wrong input: an option, a file, a row of a table."),
    ("3", "Not done: another server, the database or a file of linekey's failed."),
)
_ENVIRONMENT = (
    ("LINEKEY_STATE", "The state folder, where --state is not given."),
    ("NO_COLOR", "If it is not empty, nothing is coloured."),
    ("FORCE_COLOR", "If it is not empty, output is coloured without a terminal, too."),
    ("COLUMNS", "Width of tables and help, where there is no terminal."),
)


def page_paths() -> list[str]:
    """Return the pages' paths: linekey.1 and one for each verb."""
    return [f"docs/man/linekey{end}.1" for end in ("", *(f"-{v}" for v in VERBS))]


def main_page() -> str:
    """Return linekey(1)."""
    return _text(_main())


def verb_page(verb: str) -> str:
    """Return linekey-VERB(1)."""
    return _text(_verb(verb))


def _text(lines: Iterator[str]) -> str:
    kept: list[str] = []
    for line in filter(None, lines):
        if line in (".PP", ".br") and kept[-1].startswith((".SH", ".SS")):
            continue  # a heading begins a paragraph of its own
        kept.append(line)
    return "\n".join(kept) + "\n"


def _head(name: str, line: str) -> Iterator[str]:
    yield '.\\" Made by `make docs` from src/linekey/cli.'
    yield f'.TH {name.upper()} 1 "" linekey "User Commands"'
    yield ".SH NAME"
    yield f"{_escaped(name)} \\- {_prose(line).rstrip('.')}"
    yield ".SH SYNOPSIS"


def _main() -> Iterator[str]:
    command: Any = typer.main.get_command(app)
    first, *rest = _paragraphs(command.help or "")
    yield from _head("linekey", first)
    yield ".B linekey"
    yield ".I COMMAND"
    yield "[OPTIONS]"
    yield ".SH DESCRIPTION"
    yield from _described("\n\n".join(rest))
    yield ".SH COMMANDS"
    for verb, (_, line) in VERBS.items():
        yield from (".TP", f".BR {_escaped(f'linekey-{verb}')} (1)", _prose(line))
    yield from _foot(None)


def _verb(verb: str) -> Iterator[str]:
    found = [(words, c) for words, c in commands() if words.split()[0] == verb]
    top = found[0][1]
    yield from _head(f"linekey-{verb}", VERBS[verb][1])
    for number, (words, command) in enumerate(found):
        if command.callback is not None or not getattr(command, "commands", None):
            yield ".br" if number else ""
            yield from _synopsis(words, command)
    yield ".SH DESCRIPTION"
    yield from _described(top.help or "")
    yield from _options(verb, top, ".SH OPTIONS")
    if len(found) > 1:
        yield ".SH COMMANDS"
        for words, command in found[1:]:
            yield f'.SS "{_escaped(words)}"'
            yield from _described(command.help or "")
            yield from _options(words, command, "")
    yield from _foot(verb)


def _synopsis(words: str, command: Any) -> Iterator[str]:
    yield f".B {_escaped(f'linekey {words}')}"
    given = [p for p in command.params if p.param_type_name == "argument"]
    for param in given:
        shown = _escaped(word(param))
        yield f".I {shown}" if param.required else f"[\\fI{shown}\\fR]"
    if len(given) < len(command.params):
        yield "[OPTIONS]"


def _options(words: str, command: Any, title: str) -> Iterator[str]:
    context = typer.Context(command, info_name=words)
    params = [p for p in command.params if not getattr(p, "hidden", False)]
    if params:
        yield title
    for param in sorted(params, key=lambda p: str(p.param_type_name)):
        row = row_of(param, context)
        style = "I" if row.argument else "B"
        names = ", ".join(f"\\f{style}{_escaped(n)}\\fR" for n in row.names)
        value = f" \\fI{_escaped(row.value)}\\fR" if row.value else ""
        yield from (".TP", names + value, _prose(row.text))
        if row.default:
            yield f"Default: {_escaped(row.default)}."
        if row.required:
            yield "Required."


def _foot(verb: str | None) -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for status, means in _STATUS:
        yield from (".TP", f".B {status}", _prose(means))
    for words, when in FINDINGS.items():
        if verb is None or words.split()[0] == verb:
            which = f" ({_escaped(f'linekey {words}')})" if verb != words else ""
            yield from (".TP", ".B 1", f"{_prose(when.capitalize())}{which}.")
    yield ".SH ENVIRONMENT"
    for name, means in _ENVIRONMENT:
        yield from (".TP", f".B {name}", _prose(means))
    if verb is not None:
        yield ".SH SEE ALSO"
        yield ".BR linekey (1)"


def _paragraphs(text: str) -> list[str]:
    return [p for p in re.split(r"\n\s*\n", text.strip("\n")) if p.strip()]


def _described(text: str) -> Iterator[str]:
    """Markdown as the help texts use it: paragraphs, commands set in, lists."""
    for paragraph in _paragraphs(text):
        lines = paragraph.splitlines()
        if all(line.startswith("    ") for line in lines):
            yield from (".PP", ".RS 4", ".nf")
            yield from (_escaped(line[4:]) for line in lines)
            yield from (".fi", ".RE")
        elif found := re.match(r"\s*(\d+\.|[-*])\s+", paragraph):
            yield from (f".IP {_escaped(found[1])} 4", _prose(paragraph[found.end() :]))
        else:
            yield from (".PP", _prose(paragraph))


def _prose(text: str) -> str:
    """One paragraph on one line; what stands in backticks is bold."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return _line_start(
        "".join(
            f"\\fB{_plain(part)}\\fR" if number % 2 else _plain(part)
            for number, part in enumerate(parts)
        )
    )


def _escaped(text: str) -> str:
    return _line_start(_plain(text))


def _plain(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")


def _line_start(text: str) -> str:
    return f"\\&{text}" if text[:1] in (".", "'") else text
