"""Sentences that remember what they were made of, to be said in another language.

A ``Said`` is the English sentence and can be used as any text; besides it has the text
that it was made from and the values that were put in. Where a page is in another
language, that text is looked up in the catalogue and the values, which may be sentences
themselves, are put into its translation.

Rule: the text given to ``say`` stands there whole, as a literal: the catalogue is made
from what stands in the source (``tools/console_words.py``).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

Value = str | int
_PLACE = re.compile(r"%\((\w+)\)s")


class Said(str):
    """A sentence, made by ``say``."""

    text: str
    """What it was made from; ``%(name)s`` is the place of a value."""
    values: Mapping[str, Value]


def say(text: str, /, **values: object) -> Said:
    """Make a sentence. A number's thousands are set apart by a comma.

    KeyError where ``text`` has a place for a value that is not given: a bug of ours.
    """
    return made(
        text,
        {
            name: value if isinstance(value, Value) else str(value)
            for name, value in values.items()
        },
    )


def made(text: str, values: Mapping[str, Value]) -> Said:
    """Make a sentence of a text that stands as a literal elsewhere."""
    said = Said(fill(text, values))
    said.text, said.values = text, values
    return said


def mark(text: str) -> str:
    """Mark a text that is translated where it is shown, or given to ``say`` there."""
    return text


def together(parts: Iterable[str]) -> str:
    """Join one or several with ``and``. TypeError for none: a bug of ours."""
    return reduce(
        lambda one, other: say("%(one)s and %(other)s", one=one, other=other), parts
    )


def joined(parts: Iterable[str]) -> str:
    """Join one or several with a semicolon. TypeError for none: a bug of ours."""
    return reduce(
        lambda one, other: say("%(one)s; %(other)s", one=one, other=other), parts
    )


def fill(
    text: str, values: Mapping[str, Value], number: Callable[[int], str] = "{:,}".format
) -> str:
    """Put values into a text's places; what is in a value is no place."""

    def value_of(match: re.Match[str]) -> str:
        value = values[match[1]]
        return value if isinstance(value, str) else number(value)

    return _PLACE.sub(value_of, text)


def swapped(text: str, old: str, new: str) -> str:
    """Put ``new`` for ``old``, in a sentence's values where it is one."""
    if not isinstance(text, Said):
        return text.replace(old, new)
    values = {
        name: swapped(value, old, new) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    return made(text.text, values)


def words_of(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What sentences were made of, and those within them, by sentence: for JSON."""
    found: dict[str, dict[str, Any]] = {}
    waiting = list(texts)
    while waiting:
        said = waiting.pop()
        if isinstance(said, Said) and said not in found:
            found[str(said)] = {"text": said.text, "values": dict(said.values)}
            waiting += [v for v in said.values.values() if isinstance(v, str)]
    return found
