"""Snom's files as lines: settings, function keys and certificates of its XML.

The server writes Snom's files by ``provisioning.render`` and the virtual phone reads
them by ``phone.document``, with all that they hold. This is for whoever needs no more
than lines, such as the lint: a function key is a line ``fkey`` whose value is type and
value, a certificate one called ``certificate`` with its URL or its base64.
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
    placeholders_in,
    refuse,
    xml_attribute,
    xml_comment,
    xml_problem,
    xml_text,
)
from linekey.xmldoc import Element, parse_xml

FKEY: Final = "fkey"
CERTIFICATE: Final = "certificate"
SETTING_FILE: Final = "file"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_PERMS: Final = frozenset({"", "R", "&", "RW", "$", "!"})
_LISTS: Final = {
    "functionkeys": FKEY,
    "function-keys": FKEY,
    "certificates": CERTIFICATE,
    "setting-files": SETTING_FILE,
}
_ROOTS: Final = frozenset({"settings", "phone-settings", *_LISTS})


@dataclass(frozen=True, slots=True)
class SnomGrammar:
    """See the module."""

    id: str = "snom"
    title: str = "Snom's XML"
    content_type: str = "text/xml; charset=utf-8"

    def problem_of(self, line: Line) -> str:
        """Why a line cannot be written; empty: it can."""
        if not _NAME.fullmatch(line.name) or line.name.lower().startswith("xml"):
            return "no setting of Snom's looks like this"
        if line.perm is not None and line.perm not in _PERMS:
            return "its perm is none of Snom's"
        return xml_problem(line.value)

    def write(self, lines: Sequence[Line], *, comment: str = "") -> bytes:
        """Write settings, and keys and certificates by URL.

        Raises GrammarError for a line that has a problem.
        """
        for line in lines:
            refuse(self, line)
        parts = ['<?xml version="1.0" encoding="utf-8"?>\n<settings>\n']
        if comment:
            parts.append(f"<!-- {xml_comment(comment)} -->\n")
        plain = [n for n in lines if n.name not in (FKEY, CERTIFICATE, SETTING_FILE)]
        if plain:
            parts.append("<phone-settings>\n")
            parts.extend(map(_setting, plain))
            parts.append("</phone-settings>\n")
        keys = [line for line in lines if line.name == FKEY]
        if keys:
            parts.append("<functionKeys>\n")
            parts.extend(map(_setting, keys))
            parts.append("</functionKeys>\n")
        certificates = [line for line in lines if line.name == CERTIFICATE]
        if certificates:
            parts.append("<certificates>\n")
            for line in certificates:
                url = xml_attribute(line.value)
                parts.append(f'<certificate url="{url}" />\n')
            parts.append("</certificates>\n")
        parts.append("</settings>\n")
        return "".join(parts).encode("utf-8")

    def read(self, data: bytes) -> Read:
        """Read a file. Raises GrammarError or XmlError."""
        root = parse_xml(data, LIMITS)
        if root.name.lower() not in _ROOTS:
            raise GrammarError(
                f"<{root.name[:40]}> is no file of Snom's",
                hint="its outermost element is <settings>",
            )
        lines: list[Line] = []
        notes: list[str] = []
        sections = root.children if root.name.lower() == "settings" else [root]
        for section in sections:
            kind = section.name.lower()
            if kind == "phone-settings":
                for element in section.children:
                    _read(element, element.name, lines, notes)
            elif kind in _LISTS:
                for element in section.children:
                    _read(element, _LISTS[kind], lines, notes)
        text = "\n".join(line.value for line in lines)
        loose = "\n".join(e.text for e in root.walk() if e.children)
        return Read(tuple(lines), tuple(notes), placeholders_in(f"{text}\n{loose}"))


def _setting(line: Line) -> str:
    idx = "" if line.idx is None else f' idx="{line.idx}"'
    perm = "" if line.perm is None else f' perm="{xml_attribute(line.perm)}"'
    return f"<{line.name}{idx}{perm}>{xml_text(line.value)}</{line.name}>\n"


def _read(element: Element, name: str, lines: list[Line], notes: list[str]) -> None:
    found = {key.lower(): value for key, value in element.attributes.items()}
    text = found.get("url", "") or element.text.strip()
    idx = found.get("idx")
    number: int | None = None
    if idx is not None:
        if re.fullmatch(r"[0-9]{1,4}", idx, re.ASCII):
            number = int(idx)
        elif len(notes) < MAX_NOTES and not placeholders_in(idx):
            notes.append(f"<{element.name[:40]}> in line {element.line} has an odd idx")
    lines.append(Line(name, text, number, found.get("perm"), element.line))


SNOM: Final = SnomGrammar()
