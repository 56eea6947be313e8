"""Verbs whose first word is a phone's MAC, to be left out where there is one phone."""

from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

from linekey.errors import InputError
from linekey.mac import parse_mac

MacArgument = Annotated[
    str, typer.Argument(metavar="MAC", help="Which phone; may be left out for one.")
]


class MacFirst(TyperCommand):
    """``press 000413AABBCC 3``, or ``press 3``: words are dealt from the left.

    A word that is missing at the end was the MAC; and where the last argument takes any
    number of words, one that is no MAC is the first of those.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put an empty MAC first where none was given."""
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        arguments = [p for p in self.params if isinstance(p, TyperArgument)]
        first, last = arguments[0], arguments[-1]
        word = given.get(first.name or "")
        missing = any(p.required and not given.get(p.name or "") for p in arguments)
        if word and (missing or (last.nargs < 0 and not _is_mac(word))):
            args = ["", *args]
        return super().parse_args(ctx, args)


def _is_mac(text: str) -> bool:
    try:
        parse_mac(text)
    except InputError:
        return False
    return True
