"""Whose file it is, by what it holds, and what it sets.

Rules: a name proves nothing, so only the content is looked at. A file of a maker that
linekey does not read is told as such, and one of none is no finding but an error. A
template is read by the same readers as a file, after ``template.mask``; where it is
not well-formed until something is put in, by ``loose``.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from linekey.lint.loose import read_loosely
from linekey.lint.template import (
    MARK,
    Masked,
    Placeholder,
    mask,
    without_comments,
)
from linekey.makers.all import MAKERS
from linekey.makers.grammar import Grammar, GrammarError, Line, decoded
from linekey.makers.maker import Maker
from linekey.xmldoc import XmlError

_ROOT: Final = re.compile(r"<([A-Za-z_][\w.:-]{0,60})")
_BY_ROOT: Final = {
    "gs_provision": "grandstream",
    "settings": "snom",
    "phone-settings": "snom",
    "functionkeys": "snom",
    "function-keys": "snom",
    "certificates": "snom",
    "setting-files": "snom",
    "phone_config": "poly",
    "polycomconfig": "poly",
    "application": "poly",
    "localcfg": "poly",
    "sip": "poly",
}
_OTHERS: Final = {
    "flat-profile": "Cisco's",
    "device": "Cisco's",
    "sysconf": "Fanvil's",
    "hl_provision": "Htek's",
    "provisioning": "Gigaset's Maxwell's or DECT base's",
    "parameterlist": "OBi's",
}
_POLY_NAMES: Final = re.compile(
    r"\b(?:reg\.[\w\ue000-\uf8ff]+|device\.(?:prov|sec|auth|sntp|net|set)|voIpProt"
    r"|sec\.(?:TLS|srtp)|tcpIpApp|dir\.corp|attendant|lineKey|prov\.polling|msg\.mwi"
    r"|feature|softkey|call|dialplan|up|se|lcl\.ml)\.[\w.\-\ue000-\uf8ff]{0,200}\s{0,20}=\s{0,20}\""
)
_YEALINK_NAMES: Final = re.compile(
    r"^[ \t]*(?:account\.[\w\ue000-\uf8ff]+|static|linekey|memorykey|programablekey"
    r"|expansion_module|ldap|local_time|lang|security|auto_provision|features|phone"
    r"_setting|network|sip|remote_phonebook|push_xml|action_url|voice)\.[\w.\-"
    r"\ue000-\uf8ff]{1,200}[ \t]{0,40}=",
    re.MULTILINE,
)
_FIRST_LINE: Final = "#!version:1.0.0.1"
_ENOUGH: Final = 3  # keys that look like Yealink's, where no first line says so
_READABLE: Final = (
    "linekey lint reads files of Yealink, Poly, Grandstream, and Snom or Gigaset"
)


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """A file that was read. ``repr`` shows no value."""

    name: str
    maker: Maker
    grammar: Grammar
    lines: tuple[Line, ...]
    """Names and values with a character for each placeholder."""
    masked: Masked
    notes: tuple[str, ...] = ()
    loosely: bool = False
    """Whether it is not well-formed until something is put in."""

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {self.grammar.id}, {len(self.lines)} lines)"

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """What is put in later, in the file's order."""
        return self.masked.placeholders


def read_source(name: str, data: bytes) -> Source:
    """Read a file. Raises InputError (GrammarError, XmlError) for what is none."""
    text = decoded(data)
    if not text.strip():
        raise GrammarError("the file is empty", hint=_READABLE)
    masked = mask(text)
    maker, grammar = recognise(masked.text)
    if not masked.placeholders or maker.id == "yealink":
        lines, notes = _strictly(grammar, maker, data, masked.text)
        if masked.is_template:  # its own lines may stand before the file's first
            notes = tuple(n for n in notes if not n.endswith("must be the first line"))
        return Source(name, maker, grammar, lines, masked, notes)
    try:
        read = grammar.read(_without_declaration(masked.text))
    except (XmlError, GrammarError):
        loose = read_loosely(masked.text, grammar.id) if masked.is_template else ()
        if not loose:
            raise
        return Source(name, maker, grammar, loose, masked, loosely=True)
    lines = _with_places(read.lines, masked.text, grammar)
    return Source(name, maker, grammar, lines, masked, read.notes)


def _with_places(
    lines: tuple[Line, ...], text: str, grammar: Grammar
) -> tuple[Line, ...]:
    """Lines with the places of Poly's attributes: an element may have many lines."""
    if grammar.id != "poly":
        return lines
    places: dict[str, list[int]] = {}
    for line in read_loosely(text, grammar.id):
        places.setdefault(line.name, []).append(line.number)
    found = []
    for line in lines:
        there = places.get(line.name)
        number = there.pop(0) if there else line.number
        found.append(replace(line, number=number))
    return tuple(found)


def _strictly(
    grammar: Grammar, maker: Maker, data: bytes, text: str
) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Read by the grammar: the bytes as they are, or Yealink's masked text."""
    if maker.id != "yealink":
        read = grammar.read(data)
        return _with_places(read.lines, text, grammar), read.notes
    if re.search(r"^#!version:", text, re.MULTILINE):
        read = grammar.read(text.encode("utf-8", "replace"))
        return read.lines, read.notes
    # A part of a file: with a first line before it, and line numbers as they are.
    read = grammar.read(f"{_FIRST_LINE}\n{text}".encode("utf-8", "replace"))
    lines = tuple(replace(line, number=line.number - 1) for line in read.lines)
    return lines, (f"no line {_FIRST_LINE!r}: a part of a file, or no phone reads it",)


def _without_declaration(text: str) -> bytes:
    """As UTF-8, whatever it declares; a template may have lines before that."""
    start = text.find("<?xml")
    end = text.find("?>", start)
    if 0 <= start < end:
        breaks = "\n" * text.count("\n", start, end)
        text = text[:start] + breaks + text[end + 2 :]
    # Text outside of the outermost element would end the reading.
    first, last = text.find("<"), text.rfind(">")
    before = "\n" * text.count("\n", 0, first)
    return (before + text[first : last + 1]).encode("utf-8", "replace")


def recognise(text: str) -> tuple[Maker, Grammar]:
    """Say whose file a masked text is. Raises GrammarError."""
    if re.search(r"^#!version:", text, re.MULTILINE):
        return _of("yealink")
    bare = without_comments(text)
    root = _ROOT.search(bare)
    name = root[1].lower() if root else ""
    if name in _BY_ROOT:
        return _of(_BY_ROOT[name], bare)
    if name in _OTHERS and not (root and root[1] == "Device"):  # Grandstream's doors
        raise GrammarError(
            f"it is {_OTHERS[name]} file, which linekey does not read yet",
            hint=_READABLE,
        )
    if name in ("html", "!doctype"):
        raise GrammarError(
            "it is a web page", hint="open the URL in a browser, and see what it says"
        )
    if root and len(_POLY_NAMES.findall(bare)) >= 1:
        return _of("poly")
    if len(_YEALINK_NAMES.findall(bare)) >= _ENOUGH:
        return _of("yealink")
    raise GrammarError(
        "it is no maker's configuration that linekey knows", hint=_READABLE
    )


def _of(maker: str, text: str = "") -> tuple[Maker, Grammar]:
    found = MAKERS[maker]
    grammars = found.grammars
    if maker == "grandstream" and len(grammars) > 1:
        named = re.search(r"<config\b[^<>]*version\s*=\s*[\"']2[\"']", text)
        return found, grammars[1 if named else 0]
    return found, grammars[0]


def plain_name(name: str) -> str:
    """A setting's name with 1 in the place of what is put in later, to look it up."""
    return MARK.sub("1", name)
