"""Settings of a template that is no XML yet: found by their look, tag by tag.

A template need not be well-formed: an ``{if}`` opens an element that two branches
close. Then elements and attributes are read wherever they stand, without asking what
they stand in.

Rule: only for what is known to be a template. Of anything else the grammar's own reader
has the word.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from linekey.lint.template import without_comments
from linekey.makers.grammar import MAX_LINES, Line

_NAME: Final = r"[A-Za-z_\ue000-\uf8ff][\w.\-\ue000-\uf8ff]{0,199}"
_ATTRIBUTE: Final = re.compile(rf"(?<![\w.\-])({_NAME})\s*=\s*\"([^\"<>]*)\"")
_ELEMENT: Final = re.compile(rf"<({_NAME})((?:\s[^<>]*)?)>([^<]*)</\1\s*>")
_EMPTY: Final = re.compile(rf"<({_NAME})((?:\s[^<>]*)?)/>")
_ITEM: Final = re.compile(
    r"<(item)\b([^<>]*)>((?:[^<]|<part\b|</part>)*)</item>", re.IGNORECASE
)
_PART: Final = re.compile(r"<part\b([^<>]*)>([^<]*)</part>", re.IGNORECASE)
_ENTITY: Final = re.compile(
    r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));"
)
_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_SECTIONS: Final = frozenset(
    {"certificate", "file", "fkey", "settings", "phone-settings"}
)


def read_loosely(text: str, grammar: str) -> tuple[Line, ...]:
    """Return what settings a masked template holds, at most MAX_LINES of them.

    ``grammar`` is the id of one of XML: ``snom``, ``poly``, ``grandstream-1`` …
    """
    text = without_comments(text)
    reader = _READERS[grammar.partition("-")[0]]
    starts = _line_starts(text)
    found: list[Line] = []
    for name, value, idx, at in reader(text):
        found.append(Line(name, _unescaped(value), idx, number=starts(at)))
        if len(found) >= MAX_LINES:
            break
    return tuple(found)


_Found = Iterator[tuple[str, str, int | None, int]]


def _poly(text: str) -> _Found:
    for match in _ATTRIBUTE.finditer(text):
        if not match[1].endswith(".set") and match[1] not in _OF_XML:
            yield match[1], match[2], None, match.start()


def _grandstream(text: str) -> _Found:
    for match in _ITEM.finditer(text):
        name = _of(match[2], "name") or ""
        parts = list(_PART.finditer(match[3]))
        for part in parts:
            whole = ".".join(filter(None, (name, _of(part[1], "name"))))
            yield whole, part[2], None, match.start()
        if not parts and name:
            yield name, match[3], None, match.start()
    for match in _ELEMENT.finditer(text):
        if match[1].lower() not in ("item", "part", "mac"):
            yield match[1], match[3], None, match.start()


def _snom(text: str) -> _Found:
    for match in _ELEMENT.finditer(text):
        idx = _of(match[2], "idx") or ""
        number = int(idx) if re.fullmatch(r"[0-9]{1,4}", idx, re.ASCII) else None
        yield match[1], match[3].strip(), number, match.start()
    for match in _EMPTY.finditer(text):
        if match[1].lower() in _SECTIONS and (url := _of(match[2], "url")):
            yield match[1].lower(), url, None, match.start()


_OF_XML: Final = frozenset({"version", "encoding", "standalone", "xmlns"})

_READERS: Final[dict[str, Callable[[str], _Found]]] = {
    "poly": _poly,
    "grandstream": _grandstream,
    "snom": _snom,
}


def _of(attributes: str, name: str) -> str | None:
    found = re.search(
        rf"(?<![\w.-]){name}\s*=\s*(?:\"([^\"]*)\"|'([^']*)')",
        attributes,
        re.IGNORECASE,
    )
    return None if found is None else (found[1] or found[2] or "")


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[1]:
            return _NAMED[match[1]]
        number = int(match[2]) if match[2] else int(match[3], 16)
        return chr(number) if 0 < number < 0xD800 or 0xE000 <= number < 0x110000 else ""

    return _ENTITY.sub(one, text)


def _line_starts(text: str) -> Callable[[int], int]:
    """A function from a place in the text to its line, for places that only rise or
    fall a little."""
    ends = [m.start() for m in re.finditer("\n", text)]

    def line_of(at: int) -> int:
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high) // 2
            if ends[middle] < at:
                low = middle + 1
            else:
                high = middle
        return low + 1

    return line_of
