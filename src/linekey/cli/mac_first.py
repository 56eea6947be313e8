"""Verbs whose first word is a phone's MAC, to be left out where there is one phone."""

from typing import Annotated, Any

import typer
from typer.core import TyperArgument

from linekey.cli.command import Verb
from linekey.mac import is_written_as_mac

MacArgument = Annotated[
    str,
    typer.Argument(
        metavar="MAC",
        help="MAC address, also as --mac MAC; may be left out if there is one phone.",
    ),
]


class MacFirst(Verb):
    """``press 000413AABBCC 3``, or ``press 3``: words are dealt from the left.

    ``--mac 000413AABBCC``, as ``phone run`` has it, stands for the first word.

    A word that is missing at the end was the MAC, unless two or more are wanted and the
    first is one by its form; and where the last argument takes any number of words, one
    that is no MAC is the first of those. An empty word is a word.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put an empty MAC first where none was given."""
        named, args = _named(args)
        if named is not None:
            return super().parse_args(ctx, [named, *args])
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        arguments = [p for p in self.params if isinstance(p, TyperArgument)]
        first, last = arguments[0], arguments[-1]
        word = given.get(first.name or "")
        needed = [p for p in arguments if p.required]
        missing = any(given.get(p.name or "") in (None, ()) for p in needed)
        if isinstance(word, str):
            is_mac = is_written_as_mac(word)
            if missing:
                left_out = not is_mac or len(needed) < 2
            else:
                left_out = last.nargs < 0 and not is_mac
            if left_out:
                args = ["", *args]
        return super().parse_args(ctx, args)


def _named(args: list[str]) -> tuple[str | None, list[str]]:
    """The value of ``--mac``, if it is there with one, and the words without it."""
    for at, word in enumerate(args):
        if word == "--":
            break
        if word == "--mac" and at + 1 < len(args):
            return args[at + 1], [*args[:at], *args[at + 2 :]]
        if word.startswith("--mac="):
            return word.removeprefix("--mac="), [*args[:at], *args[at + 1 :]]
    return None, args
