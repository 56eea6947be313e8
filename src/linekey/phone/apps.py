"""What the phone's applications show: lines, minibrowser, directory, 802.1X.

``Apps`` is one part of ``PhoneState``: what a person sees of the uses of TLS beyond
provisioning. It is not kept over a restart, as on the phone. ``phone.app_machine``
changes it.

Rule: no password is in any of it, and no URL's user, password or token, nor what was
typed into a password field: pages are shown through ``describe_page``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self

from linekey.catalog.secrecy import mask_url
from linekey.phone.uses.browser.minibrowser import Minibrowser, Page
from linekey.phone.uses.directory.look_up import LookupResult
from linekey.phone.uses.sip.registration import LineState


@dataclass(frozen=True, slots=True)
class LineStatus:
    """One SIP account and where its registration stands."""

    index: int
    """From 1, as ``idx`` of the settings."""
    account: str
    """``sip:user@registrar``; empty where the settings cannot be read."""
    label: str
    """Display name, else the user."""
    peer: str
    """``host:port`` that is called."""
    encrypted: bool
    state: LineState = LineState.IDLE
    reason: str = ""
    """A sentence."""
    until: datetime | None = None
    """When the registrar forgets the phone, unless it registers again before."""
    local_host: str = ""
    """The phone's own address on the connection."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "idx": self.index,
            "account": self.account,
            "label": self.label,
            "peer": self.peer,
            "tls": self.encrypted,
            "state": self.state.value,
            "reason": self.reason,
            "registered_until": self.until and self.until.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Message:
    """What the last key press, event or page came to, for the screen."""

    ok: bool
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class DirectoryView:
    """The last look-up."""

    text: str
    """What was typed."""
    result: LookupResult
    at: datetime


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The last 802.1X login."""

    method: str
    peer: str
    ok: bool
    reason: str
    at: datetime
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Apps:
    """All of them."""

    lines: tuple[LineStatus, ...] = ()
    browser: Minibrowser = field(default_factory=Minibrowser)
    image: bytes = field(default=b"", repr=False)
    """Of the page that is shown, where it has one and it has arrived."""
    serial: int = 0
    """Grows with every page shown or left; a timer of an older page does nothing."""
    asked: int = 0
    """Grows with every page asked for; the answer to an older one is dropped."""
    opening: str = ""
    """The URL that is being fetched for the minibrowser, masked."""
    message: Message | None = None
    directory: DirectoryView | None = None
    """The last look-up, in front of any page until it is closed or a page is shown."""
    network: NetworkView | None = None

    @property
    def in_front(self) -> Literal["directory", "page", "idle"]:
        """What the display shows: what was asked for last."""
        if self.directory is not None:
            return "directory"
        return "idle" if self.browser.page is None else "page"

    def line(self, index: int) -> LineStatus | None:
        """The line of this idx, or None."""
        return next((line for line in self.lines if line.index == index), None)

    def with_line(self, changed: LineStatus) -> Self:
        """The value with this line in the place of the one of its idx."""
        lines = tuple(changed if x.index == changed.index else x for x in self.lines)
        return replace(self, lines=lines)

    def with_browser(self, browser: Minibrowser) -> Self:
        """Show another page, or none."""
        image = browser.page.image if browser.page is not None else b""
        return replace(
            self, browser=browser, image=image, serial=self.serial + 1, opening=""
        )


def describe_page(apps: Apps) -> dict[str, Any] | None:
    """The minibrowser's page for pages and JSON; None when it is closed.

    A field that is a password has no value here.
    """
    page = apps.browser.page
    if page is None:
        return None
    return {
        "kind": page.kind,
        "url": mask_url(page.url, page.typed),
        "title": page.title,
        "prompt": page.prompt,
        "lines": list(page.lines),
        "entries": [_link(page, n) for n in range(len(page.entries))],
        "fields": [
            {
                "label": item.label,
                "value": "" if item.is_password else item.value,
                "flags": item.flags,
                "password": item.is_password,
            }
            for item in page.fields
        ],
        "soft_keys": [{"key": k.key, "label": k.label} for k in page.soft_keys],
        "image": image_type(apps.image),
        "image_url": mask_url(page.image_url, page.typed),
        "fetch_after_ms": page.fetch_after_ms if page.fetch_url else None,
        "depth": len(apps.browser.history),
        "serial": apps.serial,
    }


def _link(page: Page, number: int) -> dict[str, Any]:
    link = page.entries[number]
    telephone = link.url[4:] if link.url.startswith("tel:") else ""
    return {"number": number, "label": link.label, "telephone": telephone}


def describe_directory(view: DirectoryView | None) -> dict[str, Any] | None:
    """The last look-up for pages and JSON."""
    if view is None:
        return None
    return {
        "text": view.text,
        "at": view.at.isoformat(),
        **describe_lookup(view.result),
    }


def describe_lookup(result: LookupResult) -> dict[str, Any]:
    """A look-up's result for JSON."""
    return {
        "entries": [
            {
                "name": entry.name,
                "numbers": [
                    {"attribute": name, "number": number}
                    for name, number in entry.numbers
                ],
                "dn": entry.dn,
            }
            for entry in result.entries
        ],
        "problem": result.problem,
        "cure": result.cure,
        "notes": list(result.notes),
    }


def describe_network(view: NetworkView | None) -> dict[str, Any] | None:
    """The last 802.1X login for pages and JSON."""
    if view is None:
        return None
    return {
        "method": view.method,
        "peer": view.peer,
        "ok": view.ok,
        "reason": view.reason,
        "notes": list(view.notes),
        "at": view.at.isoformat(),
    }


def describe_apps(apps: Apps) -> Mapping[str, Any]:
    """Everything, for ``linekey phone show --json`` and the screen's twin."""
    message = apps.message
    return {
        "lines": [line.as_dict() for line in apps.lines],
        "in_front": apps.in_front,
        "minibrowser": describe_page(apps),
        "opening": apps.opening,
        "message": None
        if message is None
        else {"ok": message.ok, "text": message.text, "hint": message.hint},
        "directory": describe_directory(apps.directory),
        "ieee8021x": describe_network(apps.network),
    }


_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)


def image_type(data: bytes) -> str:
    """The media type by the image's first bytes; empty for one no phone shows.

    The formats are those the vendor names for minibrowser images and key icons (M).
    SVG is none of them: it is a document that may hold scripts.
    """
    return next((kind for mark, kind in _IMAGES if data.startswith(mark)), "")
