"""A maker's files: which the phone asks for, in which order, and what they say.

Rules, each with its source in ``makers`` and on the fidelity page:

- Yealink (V81 and later): its boot file, else the boot file of all phones; where one
  came, its includes and nothing else. Else the model's file and its own. Before V81
  there is no boot file. A missing file is asked for three times (M).
- Poly: its master, else the master of all phones; what the master names; then the files
  of the phone's own changes, licences and directory. The first file that the master
  names wins (H).
- Grandstream: packed, its own, the model's, all phones': the first that comes ends the
  list, unless P8467 is 1 (GRANDSTREAM-GUIDE; which of them ends it, M).
- All: nothing is applied before all files are in (Yealink, M; the others, L); later
  files win over earlier ones, but for Poly's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from linekey.catalog.profile import Profile
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.makers.all import maker_of
from linekey.makers.grammar import Line
from linekey.makers.maker import FileKind, Maker
from linekey.phone.document import PhoneDocument, SettingLine
from linekey.phone.makers.trust import read_trust
from linekey.phone.settings import PhoneSettings
from linekey.phone.urls import parse_url

MAX_LOG: Final = 64 * 1024
"""Characters of a log that are sent; a limit of linekey's."""
_LOGS: Final[Mapping[str, Mapping[str, str]]] = {
    "poly": {"boot": "{mac}-boot.log", "app": "{mac}-app.log"},
}
"""Which logs a maker's phone sends as it starts a round, and at its end."""
BOOT_FROM: Final = 81
"""Yealink's version, the second number of its firmware, from which there is a boot
file (YEALINK-GUIDE, H)."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One file that a phone asks for by itself.

    ``ends`` are the kinds of files that are not asked for any more once it came, of
    those that stand after it.
    """

    pattern: str
    kind: FileKind
    ends: frozenset[FileKind] = frozenset()


_EVERY: Final = frozenset(FileKind)
_PLAIN: Final = (
    Ask("y{number}.cfg", FileKind.COMMON),
    Ask("{mac}.cfg", FileKind.OWN),
)
ORDERS: Final[Mapping[str, tuple[Ask, ...]]] = {
    "yealink": (
        Ask("{mac}.boot", FileKind.MASTER, _EVERY),
        Ask("y000000000000.boot", FileKind.MASTER, _EVERY),
        *_PLAIN,
    ),
    "poly": (
        Ask("{mac}.cfg", FileKind.MASTER, frozenset({FileKind.MASTER})),
        Ask("000000000000.cfg", FileKind.MASTER),
        Ask("{mac}-phone.cfg", FileKind.LOCAL),
        Ask("{mac}-web.cfg", FileKind.LOCAL),
        Ask("000000000000-license.cfg", FileKind.COMMON),
        Ask("{mac}-license.cfg", FileKind.COMMON),
        Ask("{mac}-directory.xml", FileKind.LOCAL),
        Ask("000000000000-directory.xml", FileKind.COMMON),
    ),
    "grandstream": (
        Ask("cfg{mac}", FileKind.PACKED, _EVERY),
        Ask("cfg{mac}.xml", FileKind.OWN, _EVERY),
        Ask("cfg{model}.xml", FileKind.COMMON, _EVERY),
        Ask("cfg.xml", FileKind.COMMON, _EVERY),
    ),
}
TRIES: Final[Mapping[str, int]] = {"yealink": 3}
"""How often a missing file is asked for; once where a maker is not named."""
_FIRST_WINS: Final = frozenset({"poly"})
_DIRECTORY: Final = re.compile(r"-(?:directory|calls)\.xml$")
_IS_FILE: Final = re.compile(r"[^/]+\.(?:cfg|boot|xml)$", re.IGNORECASE)
_MASTER_NAMES: Final = re.compile(r"CONFIG_FILES(?:_\w+)?", re.IGNORECASE)


def other_maker(row: Profile) -> Maker | None:
    """The maker of a phone that does not read Snom's files; None: it does."""
    if row.model.is_known:
        return None
    found = maker_of(row.model.maker)
    return None if found is None or found.snom_like else found


def files_of(
    maker: Maker, row: Profile, mac: Mac, server: str, settings: PhoneSettings
) -> list[tuple[str, Ask]]:
    """The URLs of a round, in order. Raises InputError for what is no URL.

    ``server`` is the address that the phone was given: a folder, or a file, which is
    then asked for alone.
    """
    given = server.strip()
    url = parse_url(given if "://" in given else f"http://{given}")
    if _IS_FILE.search(url.path):
        only = Ask(url.path.rpartition("/")[2], FileKind.OWN)
        return [(urlunsplit(url._replace(fragment="")), only)]
    folder = url.path.rstrip("/")
    asks = ORDERS[maker.id]
    if maker.id == "yealink" and row.firmware.numbers[1] < BOOT_FROM:
        asks = _PLAIN
    if maker.id == "grandstream" and settings.get("P8467").strip() == "1":
        asks = tuple(replace(ask, ends=frozenset()) for ask in asks)
    found = []
    for ask in asks:
        name = _filled(ask.pattern, row, mac)
        if name:
            path = f"{folder}/{name}"
            found.append((urlunsplit(url._replace(path=path, fragment="")), ask))
    return found


def log_url(maker: Maker | None, mac: Mac, server: str, which: str) -> str:
    """Where a phone sends its log; empty: it sends none. ``which``: boot or app.

    Raises InputError for a server that is no URL.
    """
    name = _LOGS.get("" if maker is None else maker.id, {}).get(which, "")
    if not name:
        return ""
    given = server.strip()
    url = parse_url(given if "://" in given else f"http://{given}")
    folder = url.path.rstrip("/")
    if _IS_FILE.search(url.path):
        folder = url.path.rpartition("/")[0]
    path = f"{folder}/{name.replace('{mac}', mac.digits.lower())}"
    return urlunsplit(url._replace(path=path, query="", fragment=""))


def _filled(pattern: str, row: Profile, mac: Mac) -> str:
    """A file's name; empty where the model has none that is known."""
    code = row.model.code.partition(" ")[0]
    if "{number}" in pattern:
        return pattern.replace("{number}", code.zfill(12)) if code else ""
    if "{model}" in pattern:
        return pattern.replace("{model}", code) if code else ""
    return pattern.replace("{mac}", mac.digits.lower())


def is_own(maker: Maker, url: str, mac: Mac) -> bool:
    """Whether a URL names the file that is this phone's alone."""
    name = urlsplit(url).path.rpartition("/")[2].lower()
    return any(
        name == file.pattern.replace("{mac}", mac.digits.lower())
        for file in maker.files
        if file.kind is FileKind.OWN
    )


def in_order_of_weight(
    maker: Maker, documents: Sequence[tuple[str, PhoneDocument]]
) -> list[tuple[str, PhoneDocument]]:
    """The documents of a round with their URLs, in the order to apply them in."""
    return list(documents[::-1] if maker.id in _FIRST_WINS else documents)


def read_file(maker: Maker, url: str, data: bytes, mac: Mac) -> PhoneDocument:
    """What a file says, in the phone's own words and neutral terms.

    Raises InputError for one that is none of the maker's grammar, and for a packed one.
    """
    name = urlsplit(url).path.rpartition("/")[2]
    if _DIRECTORY.search(name):
        return PhoneDocument(notes=("the directory is not read",))
    if maker.id == "grandstream" and not name.lower().endswith(".xml"):
        raise InputError(
            "a packed file is not read here", hint="serve the XML file beside it"
        )
    read = maker.grammar.read(data)
    terms, rest = maker.terms_of(read.lines)
    trust = read_trust(maker.id, read.lines)
    nested: list[str] = []
    own: list[Line] = []
    for line in rest:
        if line.name == "include:config":
            nested.append(line.value)
        elif maker.id == "poly" and _MASTER_NAMES.fullmatch(line.name):
            parts = (part.strip() for part in line.value.split(","))
            nested += [_macros(part, mac) for part in parts if part]
        else:
            own.append(line)
    notes = list(read.notes)
    if read.placeholders:
        shown = ", ".join(read.placeholders[:3])
        notes.append(f"it has a template's placeholders in it: {shown}")
    return PhoneDocument(
        settings=(
            *(SettingLine(t.name, t.value, t.idx, "") for t in terms),
            *trust.settings,
            *(SettingLine(n.name, n.value, None, "") for n in own if n.value),
        ),
        certificates=trust.certificates,
        files=tuple(nested),
        notes=tuple(notes),
    )


def _macros(text: str, mac: Mac) -> str:
    return re.sub(
        r"\[PHONE_MAC_ADDRESS\]", mac.digits.lower(), text, flags=re.IGNORECASE
    )
