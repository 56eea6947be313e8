"""XML from anywhere, read without harm.

``parse_xml`` turns bytes into a tree of ``Element`` values. A document type
declaration is refused outright, so no entity is ever defined, expanded or fetched;
size, depth and the number of elements are limited. Everything else that is wrong
raises the one documented error, ``XmlError``, with its line and column, and a hint that
fits the fault: documents come from templates and scripts, which break in few ways.

Rules: nothing here touches the network or a file; text keeps its white space, and
mixed content keeps its order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from linekey.errors import InputError


class XmlError(InputError):
    """The document is not well-formed, or breaks one of the limits."""


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """What a document may be at most."""

    size: int = 4 * 1024 * 1024
    """Bytes of the whole document; one with a phone book has some 100 kB."""
    depth: int = 32
    """Elements within elements. Vendor documents are at most 6 deep."""
    elements: int = 100_000
    """Elements in all."""


@dataclass(slots=True)
class Element:
    """One element: name and attributes as written, text and children in order."""

    name: str
    attributes: dict[str, str]
    line: int
    content: list["Element | str"] = field(default_factory=list)

    @property
    def children(self) -> list["Element"]:
        """The elements directly below, in document order."""
        return [item for item in self.content if isinstance(item, Element)]

    @property
    def text(self) -> str:
        """The character data directly below, joined, white space kept."""
        return "".join(item for item in self.content if isinstance(item, str))

    def walk(self) -> Iterator["Element"]:
        """Yield this element and all below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()


def parse_xml(data: bytes, limits: XmlLimits | None = None) -> Element:
    """Read one document and return its root element.

    The encoding is the document's own declaration, else UTF-8. Raises ``XmlError``
    for anything that is not one well-formed document within ``limits``, and for any
    ``<!DOCTYPE``.
    """
    limits = limits or XmlLimits()
    if len(data) > limits.size:
        raise XmlError(
            f"XML document of {len(data)} bytes is over the limit of {limits.size}",
            hint="split it into several documents with <setting-files>",
        )
    reader = _Reader(limits)
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlError(
            f"XML is not well-formed: {expat.ErrorString(error.code)}"
            f" at line {error.lineno}, column {error.offset + 1}",
            hint=_hint(error.code, data, reader),
        ) from None
    except (LookupError, ValueError) as error:
        raise XmlError(
            f"XML cannot be decoded: {error}",
            hint='save it as UTF-8, and declare encoding="UTF-8"',
        ) from None
    assert reader.root is not None  # expat accepts no document without a root
    return reader.root


_CODES = expat.errors.codes
_NEAR = 24
"""Characters of a document that a hint shows."""


_WEB_PAGE = "a web page came instead of a document: open the URL in a browser"


def _hint(code: int, data: bytes, reader: "_Reader") -> str:
    """What to do about a fault, by what stands where it is."""
    at = max(reader.parser.ErrorByteIndex, 0)
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return "the answer is empty: look at the script that makes the document"
    if start[:9].lower() == b"<!doctype" or start[:5].lower() == b"<html":
        return _WEB_PAGE
    if code == _CODES[expat.errors.XML_ERROR_INCORRECT_ENCODING]:
        return (
            "the bytes are in another encoding than the document declares: save it as"
            ' UTF-8, and declare encoding="UTF-8"'
        )
    if not start.startswith(b"<"):
        return (
            f"the document must begin with <, and begins with {_shown(start)}: take"
            " away what the script prints before it"
        )
    if code == _CODES[expat.errors.XML_ERROR_MISPLACED_XML_PI]:
        return (
            "the declaration <?xml … ?> must be the very first bytes: take away the"
            " blanks, line breaks or text before it (in PHP: before <?php and behind"
            " ?>, in every included file)"
        )
    if code == _CODES[expat.errors.XML_ERROR_TAG_MISMATCH]:
        name = reader.stack[-1].name[:60] if reader.stack else ""
        what = _unclosed(reader, "is closed by another name")
        return f"{what}: close it with </{name}>"
    if code in (
        _CODES[expat.errors.XML_ERROR_NO_ELEMENTS],
        _CODES[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
        _CODES[expat.errors.XML_ERROR_PARTIAL_CHAR],
    ):
        what = _unclosed(reader, "is never closed")
        return f"{what}; the document ends in the middle: was it cut off?"
    if code == _CODES[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]:
        return (
            f"behind the end of the document stands {_shown(data[at:])}: one document"
            " has one outermost element, and a script must print nothing behind it"
        )
    if code == _CODES[expat.errors.XML_ERROR_UNDEFINED_ENTITY]:
        return (
            "XML knows &amp; &lt; &gt; &quot; and &apos; alone: write others as"
            " numbers, &#160; for &nbsp;, and &amp; for a mere &"
        )
    if code == _CODES[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]:
        return "an attribute stands twice in one element: take one of them out"
    return _invalid(code, data, at)


def _invalid(code: int, data: bytes, at: int) -> str:
    """For a character that cannot stand where it stands."""
    unknown = code == _CODES[expat.errors.XML_ERROR_UNKNOWN_ENCODING]
    around = data[max(0, at - 1) : at + 2]
    if unknown or _broken_utf8(data, at):
        return (
            "the bytes are not in the encoding that the document declares (UTF-8 where"
            " it declares none), most likely Latin-1: save it as UTF-8, or declare"
            ' encoding="ISO-8859-1"'
        )
    if any(byte < 0x20 and byte not in b"\t\n\r" for byte in around):
        return "a control character stands there, which XML does not allow: take it out"
    tag = data[data.rfind(b"<", 0, at + 1) + 1 : at + 1]
    if tag.startswith(b"!--"):
        return "-- may not stand inside a comment: take it out, or write another line"
    line = data[data.rfind(b"\n", 0, at) + 1 : at + 1]
    if b"&" in line.rpartition(b";")[2] or data[at : at + 1] == b"&":
        return "text and attributes need &amp; for &, also in URLs: a=1&amp;b=2"
    if re.fullmatch(rb"[A-Za-z_][^<>]*=\s*[^\s\"'<>=]", tag):
        return 'the value of an attribute stands in quotes: idx="1"'
    if re.fullmatch(rb"/?[A-Za-z_][^<>\"'=]*\s[^<>\"'=]*>?", tag):
        return (
            "an element's name has no blanks, and what follows it is an attribute with"
            ' a value: <user_name idx="1">'
        )
    if re.fullmatch(rb"/?[0-9.-]", tag):
        return (
            "an element's name begins with a letter or _; where < is text, it needs"
            " &lt;"
        )
    if b"<" in around:
        return "text needs &lt; for <"
    return "check the document with an XML editor; text needs &amp; for &, &lt; for <"


def _broken_utf8(data: bytes, at: int) -> bool:
    """Whether the bytes around ``at`` are not ASCII and no UTF-8 either."""
    piece = data[max(0, at - 4) : at + 4]
    if piece.isascii():
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return abs(error.start - at) <= 4
    return False


def _unclosed(reader: "_Reader", what: str) -> str:
    if not reader.stack:
        return "an element is not closed"
    element = reader.stack[-1]
    return f"<{element.name[:60]}> of line {element.line} {what}"


def _shown(data: bytes) -> str:
    text = data[:_NEAR].decode("utf-8", "replace")
    return repr("".join(c if c.isprintable() else " " for c in text))


class _Reader:
    def __init__(self, limits: XmlLimits) -> None:
        self.limits = limits
        self.root: Element | None = None
        self.stack: list[Element] = []
        self.count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _doctype(self, name: str, *_: object) -> NoReturn:
        raise XmlError(
            "XML with a document type declaration is refused",
            hint=_WEB_PAGE
            if name.lower() == "html"
            else "remove the <!DOCTYPE …> line; phones need none",
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        self.count += 1
        if self.count > self.limits.elements:
            raise XmlError(
                f"XML has more than {self.limits.elements} elements (line {line})",
                hint="split it into several documents with <setting-files>",
            )
        if len(self.stack) >= self.limits.depth:
            raise XmlError(
                f"XML is nested more than {self.limits.depth} deep (line {line})",
                hint="phones' documents are at most 6 deep",
            )
        element = Element(name, attributes, line)
        if self.stack:
            self.stack[-1].content.append(element)
        else:
            self.root = element
        self.stack.append(element)

    def _end(self, _: str) -> None:
        self.stack.pop()

    def _text(self, text: str) -> None:
        if self.stack:
            self.stack[-1].content.append(text)
