"""Yealink's files: a first line that says so, then ``key = value``.

    #!version:1.0.0.1
    account.1.user_name = 4711

YEALINK-GUIDE (H): the first line is exactly that; other lines that begin with ``#`` are
comments. Blanks round ``=`` are optional (PBX-TEMPLATES, H). Values are not quoted, and
nothing is escaped: ``=``, ``&``, ``?``, ``,`` and ``@`` stand as they are (H). What a
phone makes of a value that begins with ``"``, ``#`` or ``%``, or of blanks at its ends,
is written nowhere, so such values are not written; ``%NULL%`` resets a key (M).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from linekey.makers.grammar import (
    MAX_LINES,
    MAX_NOTES,
    GrammarError,
    Line,
    Read,
    decoded,
    placeholders_in,
    refuse,
    xml_comment,
)

FIRST_LINE: Final = "#!version:1.0.0.1"
RESET: Final = "%NULL%"
"""A value that sets a key back (PBX-TEMPLATES, M)."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}", re.ASCII)
_READ_KEY = re.compile(r"[^\s=#][^\s=]{0,199}")
_INCLUDE = re.compile(r"include:config\s*(.*)", re.DOTALL)
# Line ends of any reader: what str.splitlines knows, and all other control characters.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class YealinkGrammar:
    """See the module."""

    id: str = "yealink"
    title: str = "Yealink's key = value"
    content_type: str = "text/plain; charset=utf-8"

    def problem_of(self, line: Line) -> str:
        """Why a line cannot be written; empty: it can."""
        value = line.value
        if not _KEY.fullmatch(line.name):
            return "no key of Yealink's looks like this"
        if line.idx is not None:
            return "Yealink writes an account's number into the key, not as an idx"
        if found := _BREAKS.search(value):
            return f"it holds U+{ord(found.group()):04X}, and a value is one line"
        if value != value.strip():
            return "it begins or ends with a blank, which a phone may drop"
        if value[:1] in ('"', "'", "#") or (value[:1] == "%" and value != RESET):
            return f"it begins with {value[0]}: what a phone makes of that is not known"
        return ""

    def write(self, lines: Sequence[Line], *, comment: str = "") -> bytes:
        """Write a file. Raises GrammarError for a line that has a problem."""
        parts = [FIRST_LINE]
        if comment:
            parts.append(f"# {xml_comment(comment)}")
        for line in lines:
            refuse(self, line)
            parts.append(f"{line.name} = {line.value}")
        return ("\n".join(parts) + "\n").encode("utf-8")

    def read(self, data: bytes) -> Read:
        """Read a file, or a boot file, whose includes are lines of that name."""
        text = decoded(data)
        rows = re.split(r"\r\n|\n|\r", text)
        heads = [n for n, row in enumerate(rows, 1) if row.startswith("#!version:")]
        if not heads:
            raise GrammarError(
                "no line '#!version:1.0.0.1', so no phone of Yealink's reads the file",
                hint=f"the first line of each file is {FIRST_LINE}",
            )
        notes: list[str] = []
        if heads[0] != 1:
            notes.append(f"line {heads[0]}: {FIRST_LINE} must be the first line")
        lines: list[Line] = []
        for number, row in enumerate(rows, 1):
            stripped = row.strip()
            if not stripped or stripped.startswith("#"):
                continue
            if len(lines) >= MAX_LINES:
                raise GrammarError(
                    f"the file has more than {MAX_LINES} settings",
                    hint="no phone's configuration is as large",
                )
            if found := _INCLUDE.fullmatch(stripped):
                url = found[1].strip().strip('<>"')
                lines.append(Line("include:config", url, number=number))
                continue
            key, equals, value = stripped.partition("=")
            key = key.strip()
            if not equals or not _READ_KEY.fullmatch(key):
                if len(notes) < MAX_NOTES and not placeholders_in(stripped):
                    notes.append(f"line {number} is no key = value")
                continue
            lines.append(Line(key, value.strip(), number=number))
        return Read(tuple(lines), tuple(notes), placeholders_in(text))


YEALINK: Final = YealinkGrammar()
