"""What the minibrowser shows, as part of the phone's state.

Rule: no password is in what ``describe_page`` gives, and no URL's user, password or
token, nor what was typed into a password field.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from linekey.catalog.secrecy import mask_url
from linekey.phone.state import PhoneState
from linekey.phone.uses.browser.minibrowser import Minibrowser, Page
from linekey.phone.uses.directory.handle import Directory


@dataclass(frozen=True, slots=True)
class Browsing:
    """Part of the state."""

    browser: Minibrowser = field(default_factory=Minibrowser)
    image: bytes = field(default=b"", repr=False)
    """Of the page that is shown, where it has one and it has arrived."""
    serial: int = 0
    """Grows with every page shown or left; a timer of an older page does nothing."""
    asked: int = 0
    """Grows with every page asked for; the answer to an older one is dropped."""

    def with_browser(self, browser: Minibrowser) -> Self:
        """Show another page, or none."""
        image = browser.page.image if browser.page is not None else b""
        return replace(self, browser=browser, image=image, serial=self.serial + 1)


def in_front(state: PhoneState) -> str:
    """What the display shows, the last look-up or a page: what was asked for last."""
    if state.part(Directory).found is not None:
        return "directory"
    return "idle" if state.part(Browsing).browser.page is None else "page"


def describe_browsing(state: PhoneState) -> dict[str, Any]:
    """For pages and JSON."""
    return {"in_front": in_front(state), "minibrowser": describe_page(state)}


def describe_page(state: PhoneState) -> dict[str, Any] | None:
    """The minibrowser's page for pages and JSON; None when it is closed.

    A field that is a password has no value here.
    """
    now = state.part(Browsing)
    page = now.browser.page
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
        "image": image_type(now.image),
        "image_url": mask_url(page.image_url, page.typed),
        "fetch_after_ms": page.fetch_after_ms if page.fetch_url else None,
        "depth": len(now.browser.history),
        "serial": now.serial,
    }


def _link(page: Page, number: int) -> dict[str, Any]:
    link = page.entries[number]
    telephone = link.url[4:] if link.url.startswith("tel:") else ""
    return {"number": number, "label": link.label, "telephone": telephone}


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
