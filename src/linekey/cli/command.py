"""What every command is made of: its help, its errors, and what is suggested.

Rules: an error is ``error:`` and ``hint:`` on stderr, whoever found it, Typer or
linekey; where ``--json`` was typed it is one JSON document there instead. A word that
is nearly right is answered with the right one, at every level.
"""

import difflib
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.exceptions import TyperException

from linekey.cli.on_use import bring
from linekey.cli.output import fail, fail_usage, set_json_errors
from linekey.cli.values import Value, values_of
from linekey.errors import LinekeyError

_NEAR = 0.6


def near(word: str, known: Iterable[str]) -> str:
    """Return "did you mean …?", or nothing where none of ``known`` is near."""
    found = difflib.get_close_matches(word, list(known), n=3, cutoff=_NEAR)
    return f"did you mean {' or '.join(found)}?" if found else ""


class _Plain:
    """Both classes' own manners; the other base is Typer's class."""

    def main(
        self, args: Sequence[str] | None = None, *rest: Any, **options: Any
    ) -> Any:
        """Run the command line, and say its errors as linekey does."""
        words = sys.argv[1:] if args is None else list(args)
        set_json_errors("--json" in words)
        if not options.pop("standalone_mode", True):
            return super().main(args, *rest, standalone_mode=False, **options)  # type: ignore[misc]
        try:
            code = super().main(args, *rest, standalone_mode=False, **options)  # type: ignore[misc]
        except TyperException as error:
            fail_usage(_sentence(error), _hint(error, words), sys.exit)
        except typer.Abort:
            fail_usage(
                "stopped before it was done",
                "answer the question, or see in --help how to do without it",
                sys.exit,
                code="stopped",
                exit_code=3,
            )
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of ours ends it in words."""
        try:
            return super().invoke(ctx)  # type: ignore[misc]
        except LinekeyError as error:
            fail(error)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, each with what a shell may offer for its value.

        A switch takes no value, so its help names none.
        """
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if isinstance(param, TyperOption) and param.is_flag:
                param.metavar = ""
                if param.name == "help":
                    # Without a default Typer imports Pydantic to convert None.
                    param.default = False
            elif ctx.resilient_parsing and (find := values_of(ctx, param.metavar)):
                param.shell_complete = partial(_offered, find)
        return params


class Verb(_Plain, TyperCommand):
    """A command that does something."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, with all that its module imports on use."""
        bring()
        return super().invoke(ctx)


class Verbs(_Plain, TyperGroup):
    """A command that holds others."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; without any word, print the help and leave as for wrong usage."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), nl=False)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is named, or this one if it does something by itself."""
        if not ctx._protected_args and self.invoke_without_command:
            bring()
        return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command by its name, or fail with the names that are near."""
        word = args[0] if args else ""
        known = self.list_commands(ctx)
        if not (word.startswith("-") or ctx.resilient_parsing or word in known):
            raise _NoSuchVerb(ctx, word, known)
        return super().resolve_command(ctx, args)


class _NoSuchVerb(TyperException):
    exit_code = 2

    def __init__(self, ctx: Any, word: str, known: list[str]) -> None:
        super().__init__(f"{ctx.command_path} has no command {word!r}")
        self.ctx = ctx
        self.hint = near(word, known)


def _offered(
    find: Callable[[str], list[Value]], _ctx: Any, incomplete: str
) -> list[Value]:
    return find(incomplete)


class App(typer.Typer):
    """A Typer app whose commands are all ``Verb``."""

    def command(
        self,
        name: str | None = None,
        *,
        cls: type[TyperCommand] | None = None,
        **o: Any,
    ) -> Callable[[Any], Any]:
        """Declare a command."""
        return super().command(name, cls=cls or Verb, **o)


def _sentence(error: TyperException) -> str:
    """Typer's message as linekey writes one: one line, lower case, no full stop."""
    text = getattr(error, "message", "") if _options(error) else error.format_message()
    text = " ".join(text.split()).rstrip(".")
    text = text.replace(". Choose from: ", "; choose from ").replace("(s)", "")
    text = text.replace("Value error, ", "").replace(": Input should", ": it should")
    return text[:1].lower() + text[1:]


def _options(error: TyperException) -> list[str]:
    return sorted(getattr(error, "possibilities", None) or ())


def _hint(error: TyperException, words: list[str]) -> str:
    found = getattr(error, "hint", "")
    if options := _options(error):
        found = f"did you mean {' or '.join(options)}?"
    param, ctx = getattr(error, "param", None), getattr(error, "ctx", None)
    choices = getattr(getattr(param, "type_descriptor", None), "choices", None)
    if choices:
        known = [str(getattr(choice, "value", choice)) for choice in choices]
        found = near(_given(param, words), known)
    if ctx is None:
        return str(found)
    path = ctx.command_path
    name = getattr(error, "option_name", "")
    if not found and name and isinstance(ctx.command, TyperGroup):
        found = f"options stand after the last word: {path} COMMAND {name}"
    usage = " ".join([path, *ctx.command.collect_usage_pieces(ctx)])
    return found or f"write {usage}; {path} --help explains it"


def _given(param: Any, words: list[str]) -> str:
    """The value that was typed for an option; empty for an argument."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, _, value = word.partition("=")
        if name in param.opts:
            return value or after
    return ""
