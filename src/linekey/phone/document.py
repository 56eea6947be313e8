"""What a provisioning document says, read from its XML.

Rules (SNOM-FILES, H unless said):

- ``<settings>`` holds ``<phone-settings>``, ``<functionKeys>``, ``<certificates>``,
  ``<setting-files>`` and others; each may also be a document of its own. Element names
  are compared in lower case (M: vendor examples write them either way).
- ``<name idx="N" perm="…">value</name>``; white space around a value is layout (L).
- What this phone has no use for (``<tbook>``, ``<dialplan>`` …) is kept as it came.
- One bad line costs that line, and a note; a document that is not well-formed, too
  deep, too large or of a foreign kind costs itself: ``XmlError`` or ``DocumentError``.

Nothing here applies anything: see ``provisioning.round``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from xml.sax.saxutils import escape, quoteattr

from linekey.catalog.secrecy import is_secret, is_secret_value
from linekey.errors import InputError
from linekey.xmldoc import Element, XmlLimits, parse_xml

LIMITS: Final = XmlLimits(size=4 * 1024 * 1024, depth=16, elements=50_000)
"""A phone has some 2,500 settings and a few thousand directory entries."""
MAX_SECTION: Final = 512 * 1024
"""Characters of a section that is only kept."""

KEPT_SECTIONS: Final = frozenset(
    {"tbook", "phone-book", "dialplan", "replacementplan", "uploads", "gui-languages"}
    | {"web-languages", "firmware-settings"}
)
_READ_SECTIONS: Final = frozenset(
    {
        "phone-settings",
        "functionkeys",
        "function-keys",
        "certificates",
        "setting-files",
    }
)


class DocumentError(InputError):
    """The document is XML, but none that a phone reads."""


@dataclass(frozen=True, slots=True)
class SettingLine:
    """``<name idx="N" perm="…">value</name>``."""

    name: str
    value: str
    idx: int | None
    perm: str

    def __repr__(self) -> str:
        hidden = is_secret(self.name) or is_secret_value(self.value)
        value = "********" if hidden else self.value
        return f"SettingLine({self.name!r}, {value!r}, {self.idx!r}, {self.perm!r})"


@dataclass(frozen=True, slots=True)
class FunctionKey:
    """``<fkey idx="0" context="active" label="" perm="">TYPE VALUE</fkey>``.

    ``idx`` counts from 0; ``type`` is ``line``, ``speed``, ``blf``, ``url``, … in lower
    case; ``value`` what follows it, such as the URL.
    """

    idx: int
    type: str
    value: str
    context: str = "active"
    label: str = ""
    perm: str = ""

    def __repr__(self) -> str:
        value = "********" if is_secret_value(self.value) else self.value
        return f"FunctionKey({self.idx}, {self.type!r}, {value!r}, {self.label!r})"


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """One ``<certificate>``: either a URL or the text between its tags."""

    line: int
    url: str = ""
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PhoneDocument:
    """All that a document says, in its order."""

    settings: tuple[SettingLine, ...] = ()
    function_keys: tuple[FunctionKey, ...] = ()
    certificates: tuple[CertificateLine, ...] = ()
    files: tuple[str, ...] = ()
    """URLs as written, of further documents."""
    sections: tuple[tuple[str, str], ...] = ()
    """What is only kept: name in lower case, XML."""
    notes: tuple[str, ...] = ()
    """What was left out and why, a clause each."""

    @classmethod
    def of_settings(cls, values: Mapping[str, str]) -> Self:
        """A document with these settings of the whole phone and nothing else."""
        return cls(tuple(SettingLine(n, v, None, "") for n, v in values.items()))


@dataclass(slots=True)
class _Draft:
    settings: list[SettingLine] = field(default_factory=list)
    function_keys: list[FunctionKey] = field(default_factory=list)
    certificates: list[CertificateLine] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    sections: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def parse_document(data: bytes) -> PhoneDocument:
    """Read one document. Raises XmlError or DocumentError (both InputError)."""
    if not data.strip():
        raise DocumentError("the document is empty")
    root = parse_xml(data, LIMITS)
    draft = _Draft()
    name = root.name.lower()
    if name == "settings":
        for child in root.children:
            _section(child, draft)
    elif name in _READ_SECTIONS or name in KEPT_SECTIONS:
        _section(root, draft)
    else:
        raise DocumentError(
            f"<{root.name[:40]}> is no phone document",
            hint="the root is <settings>, or one of the elements that may stand in it",
        )
    return PhoneDocument(
        tuple(draft.settings),
        tuple(draft.function_keys),
        tuple(draft.certificates),
        tuple(draft.files),
        tuple(draft.sections),
        tuple(draft.notes),
    )


def _section(element: Element, draft: _Draft) -> None:
    match element.name.lower():
        case "phone-settings":
            for child in element.children:
                _setting(child, draft)
        case "functionkeys" | "function-keys":
            for child in element.children:
                _function_key(child, draft)
        case "certificates":
            for child in element.children:
                _certificate(child, draft)
        case "setting-files":
            for child in element.children:
                _file(child, draft)
        case name:
            if name not in KEPT_SECTIONS:
                draft.notes.append(
                    f"<{element.name[:40]}> in line {element.line} is unknown here; "
                    "it is kept"
                )
            text = to_xml(element)
            if len(text) > MAX_SECTION:
                draft.notes.append(
                    f"<{element.name[:40]}> in line {element.line} has {len(text)} "
                    f"characters; more than {MAX_SECTION} are not kept"
                )
            else:
                draft.sections.append((name[:64], text))


def _attribute(element: Element, name: str) -> str | None:
    for key, value in element.attributes.items():
        if key.lower() == name:
            return value
    return None


def _setting(element: Element, draft: _Draft) -> None:
    where = f"<{element.name[:64]}> in line {element.line}"
    value = element.text.strip()
    if element.children:
        pressed = _pressed(element) if is_key_setting(element.name.lower()) else ""
        if not pressed:
            draft.notes.append(f"{where} holds elements, no value; left out")
            return
        value = pressed
    idx = _attribute(element, "idx")
    if idx is not None and not _is_index(idx):
        draft.notes.append(f"{where} has idx {idx[:20]!r}; left out")
        return
    draft.settings.append(
        SettingLine(
            element.name,
            value,
            None if idx is None else int(idx),
            _attribute(element, "perm") or "",
        )
    )


def is_key_setting(name: str) -> bool:
    """Whether a setting (in lower case) says what a key does (``phone.keys``)."""
    return (
        (name.startswith("dkey_") and len(name) > len("dkey_"))
        or name == "context_key"
        or re.fullmatch(r"gui_fkey[1-9]", name) is not None
    )


def _pressed(element: Element) -> str:
    """What a key's XML does when it is pressed, as ``url TARGET``; empty if unknown.

    ``<action><url target="…" when="on press"/></action>``; without ``when`` it is
    read as on press (L). Nested deeper, in ``<general>`` and the like, it counts too.
    """
    for part in element.walk():
        if part.name.lower() != "action":
            continue
        for url in part.children:
            when = (_attribute(url, "when") or "on press").strip().lower()
            target = (_attribute(url, "target") or url.text).strip()
            if url.name.lower() == "url" and when == "on press" and target:
                return f"url {target}"
    return ""


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _function_key(element: Element, draft: _Draft) -> None:
    where = f"<{element.name[:64]}> in line {element.line}"
    if element.name.lower() != "fkey":
        draft.notes.append(f"{where} is no function key; left out")
        return
    idx = _attribute(element, "idx")
    if idx is None or not _is_index(idx):
        draft.notes.append(f"{where} has no usable idx; left out")
        return
    text = element.text.strip()
    if element.children and not text:
        text = _pressed(element)
        if not text:
            draft.notes.append(
                f"{where} is described by elements of which none says a URL for a"
                " press; it is kept as a key that does nothing"
            )
    kind, _, value = text.partition(" ")
    draft.function_keys.append(
        FunctionKey(
            int(idx),
            kind.lower() or "none",
            value.strip(),
            _attribute(element, "context") or "active",
            _attribute(element, "label") or "",
            _attribute(element, "perm") or "",
        )
    )


def _certificate(element: Element, draft: _Draft) -> None:
    where = f"<{element.name[:64]}> in line {element.line}"
    if element.name.lower() != "certificate":
        draft.notes.append(f"{where} is no certificate; left out")
        return
    url = (_attribute(element, "url") or "").strip()
    kind = (_attribute(element, "type") or "").strip().lower()
    text = element.text.strip()
    if kind == "base64":
        if url:
            draft.notes.append(f"{where} has type base64; its url is not looked at")
        draft.certificates.append(CertificateLine(element.line, text=text or " "))
    elif url:
        draft.certificates.append(CertificateLine(element.line, url=url))
    else:
        draft.notes.append(
            f'{where} has neither url nor type="base64"; left out'
            + (f" (type {kind[:20]!r})" if kind else "")
        )


def _file(element: Element, draft: _Draft) -> None:
    url = (_attribute(element, "url") or "").strip()
    if element.name.lower() != "file" or not url:
        draft.notes.append(
            f"<{element.name[:64]}> in line {element.line} names no document; left out"
        )
        return
    draft.files.append(url)


def to_xml(element: Element) -> str:
    """The element as XML again, as it was read."""
    attributes = "".join(f" {k}={quoteattr(v)}" for k, v in element.attributes.items())
    inner = "".join(
        escape(item) if isinstance(item, str) else to_xml(item)
        for item in element.content
    )
    return f"<{element.name}{attributes}>{inner}</{element.name}>"
