"""Words that messages share: a number with its noun, and what may be chosen."""

import difflib
from collections.abc import Iterable

from linekey.said import say

_NEAR = 0.6
_MOST = 40


def counted(number: int, one: str, many: str = "") -> str:
    """``1 setting``, ``2,000 settings``; ``many`` where an s makes no plural."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def choice_hint(word: str, known: Iterable[str]) -> str:
    """A hint: what is nearest to ``word``, if anything is, and all that is known."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(word[:_MOST].lower(), names, n=1, cutoff=_NEAR)
    known_ones = ", ".join(names)
    if near:
        return say(
            "did you mean %(near)s? one of %(names)s", near=near[0], names=known_ones
        )
    return say("one of %(names)s", names=known_ones)
