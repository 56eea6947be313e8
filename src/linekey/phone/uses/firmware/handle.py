"""Firmware: which file the settings name, whether it is fetched, what it would install.

Rules (SNOM-FILES, Firmware Configuration File, H unless said): ``firmware_status`` is
the URL of a ``<firmware-settings>`` document, whose ``<firmware>`` is the URL of the
file. That element among the settings themselves counts, too, and before it (L: the
vendor forbids it there, public templates do it), and so does a setting ``firmware``
(PBX-TEMPLATES, M). ``update_policy`` (SNOM-SETTING, H): with ``auto_update`` the phone
fetches by itself, after its settings and every ``firmware_interval`` minutes; with
``settings_only`` and ``never_update`` not at all; else when somebody asks (L for
where nothing is set).

This phone installs nothing: it says what a real one would, by the name of the file
(``snomD785-10.1.33.33-SIP-r.bin``, the vendor's form, H). What is in it, it cannot
know. A file that was named by https and came by plain HTTP is refused (linekey's own):
nobody knows what a real phone does, and whoever stands in between may have made it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import unescape

from linekey.digits import digits_of
from linekey.errors import InputError
from linekey.phone.document import parse_document
from linekey.phone.events import Command, Reply, Save, SendLater
from linekey.phone.exposure import open_way
from linekey.phone.own_refusal import cure_of_answer
from linekey.phone.state import PhoneState, Status
from linekey.phone.urls import nested_url, redact_url, settings_urls
from linekey.phone.uses import words
from linekey.phone.uses.firmware.events import (
    FetchFirmware,
    FirmwareFailed,
    FirmwareFetched,
    FirmwareTimeCame,
    FirmwareWanted,
)
from linekey.phone.uses.provisioning.events import RoundEnded
from linekey.phone.uses.use import Button, Document, Request, Result, Row, Use, Verb
from linekey.trust.connection import Purpose
from linekey.trust.http_refusal import HttpRefusal, read_http_refusal

PURPOSE: Final = Purpose("firmware", "Firmware")
SECTION: Final = "firmware-settings"
_NEVER: Final = ("settings_only", "never_update", "never_update_firm")
_MOST_MINUTES: Final = 366 * 24 * 60
_NAME: Final = re.compile(
    r"snom(?P<model>[a-z]*\d+[a-z]*)(?:-(?P<version>\d+(?:\.\d+)+))?", re.IGNORECASE
)
_HOW: Final = "provision firmware_status, the URL of a <firmware-settings> document"


@dataclass(frozen=True, slots=True)
class Looked:
    """What the last look for firmware came to; ``text`` is a sentence."""

    url: str
    """Without what is secret in it."""
    ok: bool
    text: str
    at: datetime
    version: str = ""
    """As the file's name says."""
    size: int = 0
    sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "url": self.url,
            "ok": self.ok,
            "text": self.text,
            "version": self.version,
            "bytes": self.size,
            "sha256": self.sha256,
            "at": self.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class FirmwareFile:
    """Part of the state."""

    last: Looked | None = None
    told: str = ""
    """The URL whose waiting for somebody stands in the log."""


def describe_firmware(state: PhoneState) -> dict[str, Any]:
    """The last look, for pages and JSON."""
    last = state.part(FirmwareFile).last
    return {"firmware_file": None if last is None else last.as_dict()}


def firmware_rows(document: Document) -> list[Row]:
    """The last look in a row."""
    last = document["apps"]["firmware_file"]
    return [] if last is None else [("firmware file", last["text"])]


def _named(state: PhoneState) -> FetchFirmware | None:
    """What to fetch first; None where the settings name nothing. Raises InputError."""
    server = state.setting_server
    base = ""
    if server:
        row = state.profile
        base = settings_urls(server, row.model.user_agent_name, state.mac)[-1]
    section = state.sections.get(SECTION, "")
    file = _file_in(section.encode()) if section else ""
    file = file or state.setting("firmware").strip()
    url = file or state.setting("firmware_status").strip()
    if not url:
        return None
    return FetchFirmware(nested_url(url, base, state.mac), bool(file), asked=False)


def _file_in(data: bytes) -> str:
    """The URL that a document gives ``<firmware>``, or nothing. Raises InputError."""
    document = parse_document(data)
    found = [line.value for line in document.settings if line.name == "firmware"]
    for name, text in document.sections:
        if name == SECTION:
            found += re.findall(r"<firmware\b[^>]*>([^<]*)</firmware>", text)
    return next((unescape(text).strip() for text in found if text.strip()), "")


def firmware_wanted(state: PhoneState, event: FirmwareWanted, now: datetime) -> Result:
    """Fetch what is named, for whoever asks."""
    try:
        named = _named(state)
    except InputError as error:
        return state, [Reply(False, f"firmware: {error.message}", error.hint)]
    if named is None:
        return state, [Reply(False, "the settings name no firmware", _HOW)]
    policy = _policy(state)
    if policy in _NEVER:
        why = f"update_policy {policy} keeps the phone from fetching firmware"
        return state, [Reply(False, why, "set it to ask_for_update or auto_update")]
    return state, [FetchFirmware(named.url, named.is_file, asked=True)]


def round_ended(state: PhoneState, event: RoundEnded, now: datetime) -> Result:
    """Fetch what the new settings name, if they let the phone do so by itself."""
    if state.status is not Status.PROVISIONED:
        return state, []
    return _by_itself(state, now)


def _by_itself(state: PhoneState, now: datetime) -> Result:
    try:
        named = _named(state)
    except InputError as error:
        text = f"firmware: {error.message}; {error.hint}"
        return state.with_log(now, PURPOSE, text, level="error"), [Save()]
    if named is None:
        return state, []
    policy = _policy(state)
    if policy == "auto_update":
        if _is_fetched(state, named.url):
            return state, []
        commands: list[Command] = [Save(), named]
        minutes = digits_of(state.setting("firmware_interval"), _MOST_MINUTES)
        if minutes and not named.is_file:
            commands.append(SendLater(minutes * 60.0, FirmwareTimeCame()))
        return state, commands
    part, shown = state.part(FirmwareFile), redact_url(named.url)
    if part.told == shown:
        return state, []
    how = f"update_policy {policy} forbids to fetch it"
    if policy not in _NEVER:
        how = "somebody has to ask for it, as linekey phone firmware does"
    state = state.with_part(FirmwareFile(part.last, shown))
    return state.with_log(now, PURPOSE, f"{shown} is named; {how}"), [Save()]


def _is_fetched(state: PhoneState, url: str) -> bool:
    last = state.part(FirmwareFile).last
    return last is not None and last.ok and last.url == redact_url(url)


def _policy(state: PhoneState) -> str:
    return state.setting("update_policy").strip().lower()


def firmware_failed(state: PhoneState, event: FirmwareFailed, now: datetime) -> Result:
    """Say why no answer came."""
    return _problem(state, event.request, event.reason, event.hint, now)


def firmware_fetched(
    state: PhoneState, event: FirmwareFetched, now: datetime
) -> Result:
    """Read what came: the document goes on to the file, the file is told of."""
    request = event.request
    if event.status != 200:
        hint = "put the file there, or name it where it is"
        reason = f"the server answered {event.status}"
        said = read_http_refusal(event.status, event.body)
        if said is not None:
            reason, hint = f"{reason}: {said.refusal.sentence}", said.refusal.cure
            if said.refusal is HttpRefusal.CERTIFICATE_REFUSED:
                hint = cure_of_answer(state, event.url, now) or hint
        return _problem(state, request, reason, hint, now)
    if urlsplit(request.url).scheme == "https" != urlsplit(event.url).scheme:
        reason = f"it came {open_way((event.url,), authenticates=True)} in the end"
        hint = "let the server redirect to https, or name the https URL itself"
        return _problem(state, request, reason, hint, now)
    if request.is_file:
        return _file_fetched(state, event, now)
    try:
        file = _file_in(event.body)
        if not file:
            raise InputError("it names no <firmware>", hint=_HOW)
        url = nested_url(file, event.url, state.mac)
    except InputError as error:
        return _problem(state, request, error.message, error.hint or _HOW, now)
    text = f"{redact_url(event.url)} names {redact_url(url)}"
    state = state.with_log(now, PURPOSE, text)
    if not request.asked and _is_fetched(state, url):
        return state, [Save()]
    return state, [Save(), FetchFirmware(url, True, request.asked)]


def _file_fetched(state: PhoneState, event: FirmwareFetched, now: datetime) -> Result:
    request, row = event.request, state.profile
    name = unquote(urlsplit(event.url).path.rpartition("/")[2])
    found = _NAME.match(name)
    if not event.size:
        hint = "look at the file on the server"
        return _problem(state, request, "the file is empty", hint, now)
    if event.body.lstrip()[:1] == b"<" or "html" in event.content_type.lower():
        hint = "look at what this address gives out; it may be a login or an error page"
        reason = "what came is a page or a document, no firmware"
        return _problem(state, request, reason, hint, now)
    if found and f"snom{found['model']}".lower() != row.model.user_agent_name.lower():
        reason = f"its name says {found['model']}; this is a {row.model.name}"
        hint = "name the file of this model in its firmware document"
        return _problem(state, request, reason, hint, now)
    version = (found["version"] or "") if found else ""
    would = f"a real phone would install {version or 'it'}"
    if version and version == str(row.firmware):
        would = f"the phone runs {version} already"
    elif not version:
        would += ", whose name tells no version"
    text = f"{redact_url(event.url)}: {event.size} bytes; {would}"
    way = open_way((request.url, event.url), authenticates=state.authenticates_servers)
    if way:
        text += f"; it came {way}: whoever stands in between could have replaced it"
    looked = Looked(
        redact_url(request.url), True, text, now, version, event.size, event.sha256
    )
    state = state.with_log(
        now,
        PURPOSE,
        text,
        f"SHA-256 {event.sha256}",
        level="warning" if way else "info",
    )
    return _told(state, looked, "")


def _problem(
    state: PhoneState, request: FetchFirmware, reason: str, hint: str, now: datetime
) -> Result:
    text = f"{redact_url(request.url)}: {reason}"
    state = state.with_log(now, PURPOSE, f"{text}; {hint}", level="error")
    return _told(state, Looked(redact_url(request.url), False, text, now), hint)


def _told(state: PhoneState, looked: Looked, hint: str) -> Result:
    told = state.part(FirmwareFile).told
    state = state.with_part(FirmwareFile(looked, told))
    reply = Reply(looked.ok, looked.text, hint, {"firmware": looked.as_dict()})
    return state, [Save(), reply]


FIRMWARE = Use(
    name="firmware",
    takes={
        RoundEnded: round_ended,
        FirmwareWanted: firmware_wanted,
        FirmwareTimeCame: lambda state, event, now: _by_itself(state, now),
        FirmwareFetched: firmware_fetched,
        FirmwareFailed: firmware_failed,
    },
    errands=(FetchFirmware,),
    requests=(Request("firmware", FirmwareWanted),),
    verbs=(Verb(words.FIRMWARE, FirmwareWanted),),
    buttons=(
        Button(
            "firmware",
            lambda *_: FirmwareWanted(),
            admin=True,
            told=True,
            label="Fetch the firmware",
            meaning="Fetches the file that the settings name (firmware_status), as an "
            "update would, and reports what it is. Nothing is installed.",
        ),
    ),
    describe=describe_firmware,
    rows=firmware_rows,
    title="Firmware",
)
