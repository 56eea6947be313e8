"""Poly's files: XML in which each attribute is a setting.

    <PHONE_CONFIG>
    <ALL
      reg.1.address="4711"
      device.prov.user="…" device.prov.user.set="1"
    />
    </PHONE_CONFIG>

Element names are free, and elements may stand in each other (PBX-TEMPLATES, H). A
``device.*`` setting is applied only with its twin ``….set="1"``, and all of them only
with ``device.set="1"`` (PBX-TEMPLATES, H; the last M), which this writes by itself and
takes away when it reads. A PEM block's line ends are ``&#10;``: bare ones become blanks
(XML 1.0 §3.3.3), after which nothing can be decoded (PBX-FSPBX, M).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from linekey.makers.grammar import (
    LIMITS,
    MAX_LINES,
    GrammarError,
    Line,
    Read,
    last_of_each,
    placeholders_in,
    xml_attribute,
    xml_comment,
    xml_problem,
)
from linekey.xmldoc import parse_xml

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_OTHER_ROOTS: Final = frozenset(
    {"gs_provision", "settings", "flat-profile", "device", "sysconf", "hl_provision"}
)
"""Roots of other makers' files."""
ALL_SET: Final = "device.set"
TWIN: Final = ".set"


@dataclass(frozen=True, slots=True)
class PolyGrammar:
    """See the module. ``root`` and ``element`` are what the two elements are called."""

    id: str = "poly"
    title: str = "Poly's XML attributes"
    content_type: str = "text/xml; charset=utf-8"

    def problem_of(self, line: Line) -> str:
        """Why a line cannot be written; empty: it can."""
        if not _NAME.fullmatch(line.name) or line.name.lower().startswith("xml"):
            return "no attribute of Poly's looks like this"
        if line.idx is not None:
            return "Poly writes a line's number into the name, not as an idx"
        return xml_problem(line.value)

    def write(self, lines: Sequence[Line], *, comment: str = "") -> bytes:
        """Write a file; the last of lines of one name counts.

        Raises GrammarError for a line that has a problem.
        """
        found = last_of_each(self, lines)
        device = [n for n in found if n.startswith("device.") and n != ALL_SET]
        if device:
            found.setdefault(ALL_SET, "1")
        for name in device:
            if not name.endswith(TWIN):
                found.setdefault(name + TWIN, "1")
        return _document("PHONE_CONFIG", "ALL", found, comment)

    def read(self, data: bytes) -> Read:
        """Read a file, or a master, whose attributes are lines like any other."""
        root = parse_xml(data, LIMITS)
        if root.name.lower() in _OTHER_ROOTS:
            raise GrammarError(
                f"<{root.name[:40]}> is no file of Poly's",
                hint="it is another maker's; linekey lint finds out whose by itself",
            )
        lines: list[Line] = []
        values: dict[str, str] = {}
        for element in root.walk():
            for name, value in element.attributes.items():
                if name.startswith("xmlns") or ":" in name:
                    continue
                lines.append(Line(name, value, number=element.line))
                values[name] = value
        if len(lines) > MAX_LINES:
            raise GrammarError(
                f"the file has more than {MAX_LINES} settings",
                hint="no phone's configuration is as large",
            )
        kept = tuple(line for line in lines if not _is_twin(line, values))
        notes = tuple(
            f'{line.name[:80]} has no {TWIN[1:]}="1" beside it and is not applied'
            for line in kept
            if line.name.startswith("device.")
            and not line.name.endswith(TWIN)
            and values.get(line.name + TWIN) != "1"
        )
        text = "\n".join(line.value for line in lines) + "\n" + root.text
        return Read(kept, notes, placeholders_in(text))


def _is_twin(line: Line, values: dict[str, str]) -> bool:
    if line.value != "1" or not line.name.endswith(TWIN):
        return False
    return line.name == ALL_SET or line.name.removesuffix(TWIN) in values


def _document(root: str, element: str, found: dict[str, str], comment: str) -> bytes:
    parts = ['<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n']
    if comment:
        parts.append(f"<!-- {xml_comment(comment)} -->\n")
    parts.append(f"<{root}>\n<{element}")
    parts.extend(f'\n  {n}="{xml_attribute(v)}"' for n, v in found.items())
    parts.append(f"\n/>\n</{root}>\n")
    return "".join(parts).encode("utf-8")


MASTER: Final = "000000000000.cfg"


def master(files: Sequence[str], *, comment: str = "") -> bytes:
    """Write a master file that names further files, the first winning (POLY-UCS, H).

    ``files`` are names such as ``[PHONE_MAC_ADDRESS]-phone.cfg``, which holds a macro
    that the phone fills in. Raises GrammarError for a name with a comma or a blank.
    """
    for name in files:
        if re.search(r"[,\s]", name) or not name or len(name) > MAX_MASTER_NAME:
            raise GrammarError(
                f"{name[:60]!r} cannot stand in CONFIG_FILES",
                hint=f"no comma, no blank, at most {MAX_MASTER_NAME} characters",
            )
    attributes = {
        "APP_FILE_PATH": "",
        "CONFIG_FILES": ", ".join(files),
        "MISC_FILES": "",
        "LOG_FILE_DIRECTORY": "",
        "OVERRIDES_DIRECTORY": "",
        "CONTACTS_DIRECTORY": "",
    }
    parts = ['<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n']
    if comment:
        parts.append(f"<!-- {xml_comment(comment)} -->\n")
    shown = "".join(f' {n}="{xml_attribute(v)}"' for n, v in attributes.items())
    parts.append(f"<APPLICATION{shown} />\n")
    return "".join(parts).encode("utf-8")


MAX_MASTER_NAME: Final = 255
"""Characters of one name in a master (POLY-UCS, SIP 2.0 guide page 14, H)."""

POLY: Final = PolyGrammar()
