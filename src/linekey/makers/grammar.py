"""How a maker's file is written and read: lines in, bytes out, and back.

A ``Line`` is one setting of the file, whatever the file looks like. A ``Grammar``
writes lines so that no value can add a line, an element or an attribute, and reads
what anybody wrote.

Rules: equal arguments make equal bytes. What a grammar cannot carry costs that line,
which is named (``written``), never the file. ``repr`` shows no secret. A file that is
not of the grammar raises ``GrammarError``; one bad line costs that line and a note.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from linekey.catalog.secrecy import is_secret, is_secret_value
from linekey.errors import InputError
from linekey.xmldoc import XmlLimits

MAX_FILE: Final = 4 * 1024 * 1024
"""Bytes of a file that is read; a complete template of a maker's has some 300 kB."""
MAX_LINES: Final = 50_000
MAX_NOTES: Final = 200
LIMITS: Final = XmlLimits(size=MAX_FILE, depth=32, elements=MAX_LINES)


class GrammarError(InputError):
    """The bytes are not a file of this grammar, or over a limit."""

    code = "grammar"


@dataclass(frozen=True, slots=True, repr=False)
class Line:
    """One setting as the file has it.

    ``idx`` and ``perm`` are Snom's; other makers write an account's number into the
    name. ``number`` is the line of the file it was read from, 0 where it was not read.
    """

    name: str
    value: str
    idx: int | None = None
    perm: str | None = None
    number: int = 0

    @property
    def secret(self) -> bool:
        """Whether the value is a secret, by its name or by what it says."""
        return is_secret(self.name) or is_secret_value(self.value)

    @property
    def slot(self) -> tuple[str, int | None]:
        """What a later line overwrites."""
        return self.name, self.idx

    def __repr__(self) -> str:
        shown = "<secret>" if self.secret else repr(self.value)
        return f"Line({self.name!r}, {shown}, idx={self.idx}, perm={self.perm!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """A file, and which lines it does not have and why, without values."""

    body: bytes
    skipped: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Written({len(self.body)} bytes, skipped={self.skipped!r})"


@dataclass(frozen=True, slots=True)
class Read:
    """What a file says, in its order."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    """What could not be read, a clause each, without values."""
    placeholders: tuple[str, ...] = ()
    """What a template would put in: ``{{ password }}``, ``{$account.1.user_id}``."""


class Grammar(Protocol):
    """One way to write a file."""

    @property
    def id(self) -> str:
        """Short name: ``yealink``, ``poly``, ``grandstream-1`` …"""

    @property
    def title(self) -> str:
        """For people: ``Yealink's key = value``."""

    @property
    def content_type(self) -> str:
        """The HTTP header's value."""

    def problem_of(self, line: Line) -> str:
        """Why the grammar cannot carry a line, a clause without the value; or empty."""

    def write(self, lines: Sequence[Line], *, comment: str = "") -> bytes:
        """Write a file. Raises GrammarError for a line that has a problem."""

    def read(self, data: bytes) -> Read:
        """Read a file. Raises GrammarError, or XmlError of ``xmldoc``."""


def written(grammar: Grammar, lines: Iterable[Line], *, comment: str = "") -> Written:
    """Write what can be written, and name the rest. Never raises."""
    good: list[Line] = []
    skipped: list[str] = []
    for line in lines:
        if problem := grammar.problem_of(line):
            skipped.append(f"{_shown(line)}: {problem}")
        else:
            good.append(line)
    return Written(grammar.write(good, comment=comment), tuple(skipped))


def refuse(grammar: Grammar, line: Line) -> None:
    """Raise GrammarError if the grammar cannot carry a line."""
    if problem := grammar.problem_of(line):
        raise GrammarError(
            f"{_shown(line)}: {problem}",
            hint="change the value, or leave the setting out",
        )


def last_of_each(grammar: Grammar, lines: Iterable[Line]) -> dict[str, str]:
    """Values by name, the last line of a name counting, in the order of the first.

    For grammars in which a name stands once. Raises GrammarError for a line that has a
    problem.
    """
    found: dict[str, str] = {}
    for line in lines:
        refuse(grammar, line)
        found[line.name] = line.value
    return found


def _shown(line: Line) -> str:
    name = line.name if line.name.isprintable() else ascii(line.name)
    return name[:80] if line.idx is None else f"{name[:80]}[{line.idx}]"


_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_problem(value: str) -> str:
    """Why no XML document can carry a value (XML 1.0 §2.2); empty: one can."""
    if found := _NOT_IN_XML.search(value):
        return f"it holds U+{ord(found.group()):04X}, which no XML document can carry"
    return ""


def xml_comment(text: str) -> str:
    """A comment's text that cannot end the comment: letters, digits, blanks, dots."""
    return " ".join(re.sub(r"[^A-Za-z0-9 .:_,]", " ", text).split())


_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        # A reader turns bare white space in an attribute into spaces (XML 1.0 §3.3.3).
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)


def xml_text(text: str) -> str:
    """A value as the text of an element."""
    return text.translate(_IN_TEXT)


def xml_attribute(text: str) -> str:
    """A value as an attribute's, in double quotes."""
    return text.translate(_IN_ATTRIBUTE)


_PLACEHOLDER = re.compile(
    r"\{\{[^{}\n]{1,200}\}\}"  # Jinja, Twig, Handlebars, Blade
    r"|\{%[^%\n]{1,200}%\}"
    r"|\{\$[^{}\n]{1,200}\}"  # Smarty
    r"|\{/?(?:if|else|elseif|foreach|foreachelse|assign|section)\b[^{}\n]{0,200}\}"
    r"|\$\{[^{}\n]{1,200}\}"
    r"|<\?(?!xml\b)(?:php|=).{0,200}?\?>"
    r"|%%[A-Za-z_][\w.-]{0,60}%%"
    r"|@@[A-Za-z_][\w.-]{0,60}@@"
    r"|__[A-Z][A-Z0-9_]{1,60}__",
    re.DOTALL,
)


def placeholders_in(text: str) -> tuple[str, ...]:
    """What of a text a template would replace, each once, in order."""
    found = (" ".join(m.group().split()) for m in _PLACEHOLDER.finditer(text))
    return tuple(dict.fromkeys(found))


def decoded(data: bytes) -> str:
    """A text file's text. Raises GrammarError for one that is too large or no text."""
    if len(data) > MAX_FILE:
        raise GrammarError(
            f"a file of {len(data)} bytes is over the limit of {MAX_FILE}",
            hint="no phone's configuration is as large",
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in data:
        raise GrammarError(
            "the file is binary", hint="give the text file, not a packed one"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
