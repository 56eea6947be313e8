"""XML from anywhere, read without harm.

``parse_xml`` turns bytes into a tree of ``Element`` values. A document type
declaration is refused outright, so no entity is ever defined, expanded or fetched;
size, depth and the number of elements are limited. Everything else that is wrong
raises the one documented error, ``XmlError``, with its line and column.

Rules: nothing here touches the network or a file; text keeps its white space, and
mixed content keeps its order.
"""

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
            hint="check the document with an XML editor; text needs &amp; for &",
        ) from None
    except (LookupError, ValueError) as error:
        raise XmlError(
            f"XML cannot be decoded: {error}", hint="save it as UTF-8"
        ) from None
    assert reader.root is not None  # expat accepts no document without a root
    return reader.root


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

    def _doctype(self, *_: object) -> NoReturn:
        raise XmlError(
            "XML with a document type declaration is refused",
            hint="remove the <!DOCTYPE …> line; phones need none",
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
