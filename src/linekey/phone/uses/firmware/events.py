"""Firmware: what happens, and what is fetched."""

from dataclasses import dataclass, field

from linekey.phone.events import Errand, Event


@dataclass(frozen=True, slots=True)
class FirmwareWanted(Event):
    """Somebody asks for the firmware that the settings name."""


@dataclass(frozen=True, slots=True)
class FirmwareTimeCame(Event):
    """It is time to look at ``firmware_status`` again."""


@dataclass(frozen=True, slots=True)
class FetchFirmware(Errand):
    """GET it; ``FirmwareFetched`` or ``FirmwareFailed`` answers."""

    url: str = field(repr=False)
    is_file: bool
    """Else it is the document that names the file."""
    asked: bool
    """Whether somebody asked, or the phone does it by itself."""


@dataclass(frozen=True, slots=True)
class FirmwareFetched(Event):
    """An answer came, whatever its status. ``url`` is where from, after redirects."""

    request: FetchFirmware
    status: int
    url: str
    body: bytes = field(repr=False)
    """Of a file, its beginning."""
    size: int
    """Bytes of the whole."""
    sha256: str
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class FirmwareFailed(Event):
    """No answer came; ``reason`` is one clause."""

    request: FetchFirmware
    reason: str
    hint: str = ""
