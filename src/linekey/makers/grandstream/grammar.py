"""Grandstream's files: ``<gs_provision>``, with numbers (1) or names (2).

    <gs_provision version="1"><config version="1">
      <P271>1</P271>
    <gs_provision version="1"><config version="2">
      <item name="account.1.enable">Yes</item>

GRANDSTREAM-GUIDE (H). Some write a name in two parts, ``<item name="account.1"><part
name="enable">`` (PBX-WAZO, L); that is read and not written. A ``<mac>`` may stand
before ``<config>`` and must then be the phone's; it is not written, for a file with
another one would be refused without a word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from linekey.makers.grammar import (
    LIMITS,
    MAX_NOTES,
    GrammarError,
    Line,
    Read,
    last_of_each,
    placeholders_in,
    xml_attribute,
    xml_comment,
    xml_problem,
    xml_text,
)
from linekey.xmldoc import Element, parse_xml

P_CODE: Final = re.compile(r"P[0-9]{1,6}(?:_[0-9]{1,3})?", re.ASCII)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class GrandstreamGrammar:
    """See the module; ``version`` is 1 for numbers, 2 for names."""

    version: int
    content_type: str = "text/xml; charset=utf-8"

    @property
    def id(self) -> str:
        """``grandstream-1`` or ``grandstream-2``."""
        return f"grandstream-{self.version}"

    @property
    def title(self) -> str:
        """For people."""
        kind = "numbers (P-codes)" if self.version == 1 else "names"
        return f"Grandstream's XML with {kind}"

    def problem_of(self, line: Line) -> str:
        """Why a line cannot be written; empty: it can."""
        if self.version == 1 and not P_CODE.fullmatch(line.name):
            return "a setting in this file is a P-code, such as P271"
        if self.version == 2 and not _NAME.fullmatch(line.name):
            return "no setting of Grandstream's looks like this"
        if line.idx is not None:
            return "Grandstream has no idx: each account has settings of its own"
        return xml_problem(line.value)

    def write(self, lines: Sequence[Line], *, comment: str = "") -> bytes:
        """Write a file; the last of lines of one name counts.

        Raises GrammarError for a line that has a problem.
        """
        found = last_of_each(self, lines)
        parts = ['<?xml version="1.0" encoding="UTF-8"?>\n']
        if comment:
            parts.append(f"<!-- {xml_comment(comment)} -->\n")
        parts.append(f'<gs_provision version="1">\n<config version="{self.version}">\n')
        for name, value in found.items():
            if self.version == 1:
                parts.append(f"<{name}>{xml_text(value)}</{name}>\n")
            else:
                text = xml_text(value)
                parts.append(f'<item name="{xml_attribute(name)}">{text}</item>\n')
        parts.append("</config>\n</gs_provision>\n")
        return "".join(parts).encode("utf-8")

    def read(self, data: bytes) -> Read:
        """Read a file of either version."""
        return read(data)


def read(data: bytes) -> Read:
    """Read a file with numbers, names or both. Raises GrammarError or XmlError."""
    root = parse_xml(data, LIMITS)
    if root.name.lower() != "gs_provision":
        raise GrammarError(
            f"<{root.name[:40]}> is no file of Grandstream's",
            hint="its outermost element is <gs_provision>",
        )
    lines: list[Line] = []
    notes: list[str] = []
    configs = [c for c in root.children if c.name.lower() == "config"]
    if not configs:
        notes.append("there is no <config>, so nothing is set")
    for config in configs:
        for element in config.children:
            _element(element, lines, notes)
    text = "\n".join(line.value for line in lines)
    loose = "\n".join(e.text for e in root.walk() if e.children)
    return Read(tuple(lines), tuple(notes), placeholders_in(f"{text}\n{loose}"))


def _element(element: Element, lines: list[Line], notes: list[str]) -> None:
    number = element.line
    if element.name.lower() == "item":
        name = element.attributes.get("name", "")
        parts = [c for c in element.children if c.name.lower() == "part"]
        for part in parts:
            whole = ".".join(filter(None, (name, part.attributes.get("name", ""))))
            lines.append(Line(whole, part.text, number=part.line))
        if not parts and name:
            lines.append(Line(name, element.text, number=number))
        elif not parts and len(notes) < MAX_NOTES:
            notes.append(f"<item> in line {number} has no name")
    elif P_CODE.fullmatch(element.name) or _NAME.fullmatch(element.name):
        lines.append(Line(element.name, element.text, number=number))
    elif len(notes) < MAX_NOTES:
        notes.append(f"<{element.name[:40]}> in line {number} is no setting")


NUMBERS: Final = GrandstreamGrammar(1)
NAMES: Final = GrandstreamGrammar(2)
