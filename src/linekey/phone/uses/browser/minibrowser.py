"""The minibrowser: XML pages of a server on the phone's screen.

``parse_page`` reads one document into a page value; ``Minibrowser`` is what is shown
and where it came from, and answers every key with what to do next (``Open``, ``Leave``,
``Stay``). It fetches nothing: whoever runs the phone opens the URL and hands the bytes
back.

Rules (SNOM-XML, H unless said): roots ``SnomIPPhone…``; names are
case-insensitive; one object a document, several only in ``SnomIPPhoneBatch``, of which
the first is shown unless the URL's fragment says ``#sub=*[@id="…"]``;
``snom://mb_exit`` leaves, ``snom://mb_nop`` does nothing, and ``phone://`` is the newer
spelling of both; what stands in their fragment (``#numberdial=4711&key=F1``) changes a
real phone, and is only told here. Later firmware also takes the roots without ``Snom``
(M), and ``…IPPhoneSilent``, a page that shows nothing and fetches another (10.1.82.0).
What is typed into a password field stands in the URL that is opened (the vendor's way,
H) and in none that is shown: page and step remember it.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urldefrag, urljoin

from linekey.catalog.secrecy import mask_url
from linekey.digits import digits_of
from linekey.errors import InputError
from linekey.phone.typed import untypable
from linekey.xmldoc import Element, XmlLimits, parse_xml

LIMITS = XmlLimits(size=512 * 1024, depth=8, elements=4_000)
"""A page fills a screen of a few lines; half a megabyte leaves room for images."""
_HISTORY = 20
_TYPED = 200  # passwords that are remembered to be hidden; a page asks for a few
_FASTEST_FETCH_MS = 500  # a page that refetches itself at once would never rest
_SUB = re.compile(r"""sub=\*\[@id=["']?([^"'\]]+)["']?\]""")
_COMMAND = re.compile(
    r"(?:snom|phone)://(?P<command>mb_exit|mb_nop)/?(?:[#?&](?P<actions>.*))?",
    re.IGNORECASE | re.DOTALL,
)


class PageError(InputError):
    """The document is XML, but no page that a minibrowser can show."""


@dataclass(frozen=True, slots=True)
class Link:
    """Something to choose: a menu entry, a directory entry, a soft key."""

    label: str
    url: str
    """Absolute; ``tel:NUMBER`` for a directory entry."""
    key: str = ""
    """The key that fires it (``F1``, ``*``, ``5``); empty for a list entry."""


@dataclass(frozen=True, slots=True)
class Field:
    """One ``InputItem``: a line to type into."""

    label: str
    parameter: str
    """What stands before ``=`` in the query, as written; it may hold several
    parameters (``m=1&value``), which servers rely on."""
    value: str
    flags: str
    """``InputFlags`` in lower case: ``p`` is a password, ``n`` numbers, ``t`` a
    telephone number, ``a`` text."""

    @property
    def is_password(self) -> bool:
        """Whether what is typed must not be readable on the screen."""
        return "p" in self.flags


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it is shown.

    ``kind`` is text, menu, input, directory, image, or silent, which shows nothing.
    """

    kind: str
    url: str = field(repr=False)
    title: str = ""
    prompt: str = ""
    lines: tuple[str, ...] = ()
    entries: tuple[Link, ...] = ()
    fields: tuple[Field, ...] = ()
    submit_url: str = ""
    image_url: str = ""
    image: bytes = b""
    soft_keys: tuple[Link, ...] = ()
    fetch_url: str = ""
    fetch_after_ms: int = 0
    """Milliseconds until ``fetch_url`` is opened by itself; 0 without one."""
    tracked: bool = True
    """Whether *back* returns here (the ``track`` attribute)."""
    typed: tuple[str, ...] = field(default=(), repr=False)
    """What was typed into password fields on the way here; URLs are shown without."""


@dataclass(frozen=True, slots=True)
class Open:
    """Fetch this URL and show what comes; ``typed`` as in ``Page``."""

    url: str = field(repr=False)
    typed: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Dial:
    """Call this number."""

    number: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Close the minibrowser; ``actions`` are what a real phone would do besides."""

    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stay:
    """Nothing happens; ``reason`` says why."""

    reason: str


Step = Open | Dial | Leave | Stay


def parse_page(data: bytes, url: str, typed: tuple[str, ...] = ()) -> Page:
    """Read the document that came from ``url`` (absolute; its fragment counts).

    ``typed``: the passwords that were typed on the way to it.

    Raises ``XmlError`` for broken or hostile XML and ``PageError`` for a document that
    is no page: an unknown root, an empty batch, an image that is not base64.
    """
    root = parse_xml(data, LIMITS)
    kind = _kind(root)
    if kind == "batch":
        root = _of_batch(root, urldefrag(url).fragment)
        kind = _kind(root)
    reader = _READERS.get(kind)
    if reader is None:
        raise PageError(
            f"no minibrowser page begins with <{root.name}>",
            hint="use SnomIPPhoneText, …Menu, …Input, …Directory, …Image, …ImageFile,"
            " …Silent or …Batch as the outermost element",
        )
    base = urldefrag(url).url
    page = reader(root, base, Page(kind=kind, url=url, typed=typed))
    page = replace(
        page,
        title=_words(root, "title"),
        prompt=_words(root, "prompt"),
        soft_keys=tuple(_soft_key(e, base) for e in _all(root, "softkeyitem")),
        tracked=_attribute(root, "track").lower() not in {"no", "off", "false"},
    )
    fetch = _first(root, "fetch")
    if fetch is not None and fetch.text.strip():
        text = _attribute(fetch, "mil").strip()
        wanted = (
            int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        )
        page = replace(
            page,
            fetch_url=_join(base, fetch.text.strip()),
            fetch_after_ms=max(_FASTEST_FETCH_MS, wanted),
        )
    return page


@dataclass(frozen=True, slots=True)
class Minibrowser:
    """What is shown, and the pages behind it. A value: each step gives a new one."""

    page: Page | None = None
    history: tuple[Page, ...] = field(default=())
    silent: Page | None = None
    """A page that shows nothing, whose ``<Fetch>`` is still due."""

    @property
    def due(self) -> Page | None:
        """The page whose ``<Fetch>`` counts now."""
        return self.silent or self.page

    def show(self, page: Page) -> "Minibrowser":
        """Show a page that was fetched; the one before becomes reachable by *back*.

        A silent one leaves on the screen what is there.
        """
        if page.kind == "silent":
            return replace(self, silent=page)
        history = self.history
        if self.page is not None and self.page.tracked:
            history = (*history, self.page)[-_HISTORY:]
        return Minibrowser(page, history)

    def back(self) -> "Minibrowser":
        """Return to the page before; without one, the minibrowser closes."""
        if not self.history:
            return Minibrowser()
        return Minibrowser(self.history[-1], self.history[:-1])

    def choose(self, number: int) -> Step:
        """Choose list entry ``number`` (from 0) of a menu or a directory."""
        if self.page is None or not 0 <= number < len(self.page.entries):
            return Stay("there is no such entry on this page")
        return follow(self.page.entries[number].url, self.page.typed)

    def press(self, key: str) -> Step:
        """Press a soft key, a digit, ``*``, ``#`` or ``CANCEL`` (which goes back)."""
        if self.page is None:
            return Stay("no page is shown")
        for link in self.page.soft_keys:
            if link.key.upper() == key.upper():
                return follow(link.url, self.page.typed)
        number = digits_of(key, len(self.page.entries) + 1) or 0
        if 1 <= number <= len(self.page.entries):
            return self.choose(number - 1)
        return Stay(f"this page gives the key {key!r} no meaning")

    def submit(self, values: tuple[str, ...]) -> Step:
        """Send what was typed: one value for each field of an input page, in order."""
        if self.page is None or self.page.kind != "input":
            return Stay("this page asks for no input")
        if len(values) != len(self.page.fields):
            return Stay(f"this page asks for {len(self.page.fields)} values")
        if odd := next((odd for v in values if (odd := untypable(v))), ""):
            return Stay(f"the character {odd} cannot be typed")
        url, typed = self.page.submit_url, self.page.typed
        for item, value in zip(self.page.fields, values, strict=True):
            joint = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
            url += f"{joint}{item.parameter}={quote(value, safe='')}"
            if item.is_password and value not in typed:
                typed = (*typed, value)[-_TYPED:]
        return follow(url, typed)

    def timer(self) -> Step:
        """The time of the page's ``<Fetch>`` has come."""
        if self.due is None or not self.due.fetch_url:
            return Stay("this page fetches nothing")
        return follow(self.due.fetch_url, self.due.typed)


def follow(url: str, typed: tuple[str, ...] = ()) -> Step:
    """What a URL on a page means: open it, call it, leave, or nothing.

    ``typed`` are the passwords that the URL, or one it leads to, may hold.
    Only ``http``, ``https``, ``tel`` and the two ``phone://`` commands are followed; a
    page of a server never makes the phone read a local file (``file:`` is refused).
    """
    if not url:
        return Stay("the page says to do nothing")
    if command := _COMMAND.fullmatch(url):
        actions = tuple(
            mask_url(part, typed)
            for part in (command["actions"] or "").split("&")
            if part
        )
        if command["command"].lower() == "mb_exit":
            return Leave(actions)
        if actions:
            return Stay(f"a real phone would do: {', '.join(actions)[:200]}")
        return Stay("the page says to do nothing")
    scheme = url.partition(":")[0].lower()
    if scheme == "tel":
        return Dial(mask_url(url[4:], typed))
    if scheme in {"http", "https"}:
        return Open(url, typed)
    if scheme in {"snom", "phone"}:
        return Stay(f"the phone knows {scheme}://mb_exit and {scheme}://mb_nop alone")
    return Stay(f"a page may not open {scheme!r} URLs; use https")


# --- reading ---------------------------------------------------------------------


def _kind(root: Element) -> str:
    name = root.name.rpartition(":")[2].lower()
    return name.removeprefix("snom").removeprefix("ipphone")


def _of_batch(batch: Element, fragment: str) -> Element:
    wanted = _SUB.search(fragment)
    for child in batch.children:
        if wanted is None or _attribute(child, "id") == wanted.group(1):
            return child
    if wanted is None:
        raise PageError("the batch holds no page", hint="put a page inside the batch")
    raise PageError(
        f"the batch holds no page with id {wanted.group(1)!r}",
        hint="give the page that the URL's #sub=… names this id attribute",
    )


def _all(element: Element, name: str) -> list[Element]:
    return [e for e in element.children if e.name.lower() == name]


def _first(element: Element, name: str) -> Element | None:
    return next(iter(_all(element, name)), None)


def _attribute(element: Element, name: str) -> str:
    return next((v for k, v in element.attributes.items() if k.lower() == name), "")


def _words(element: Element, name: str) -> str:
    """Return a child's text, or else the attribute of that name, spaces folded."""
    child = _first(element, name)
    text = child.text if child is not None else _attribute(element, name)
    return " ".join(text.split())


def _link(element: Element, base: str) -> str:
    text = _words(element, "url")
    return _join(base, text) if text else ""


def _join(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:  # an unfinished [IPv6] address
        raise PageError(f"the page names a URL that is none: {url!r}") from None


def _soft_key(element: Element, base: str) -> Link:
    name = _words(element, "name")
    return Link(_words(element, "label") or name, _link(element, base), name)


def _read_text(root: Element, base: str, page: Page) -> Page:
    text = _first(root, "text")
    return replace(page, lines=_lines(text) if text is not None else ())


def _lines(element: Element) -> tuple[str, ...]:
    lines = [""]
    for item in element.content:
        if isinstance(item, str):
            lines[-1] += item
        elif item.name.lower() == "br":
            lines.append("")
        else:  # <b>, <center>, <font> … say how, not what
            inner = _lines(item)
            lines[-1] += inner[0]
            lines.extend(inner[1:])
    return tuple(" ".join(line.split()) for line in lines)


def _read_silent(root: Element, base: str, page: Page) -> Page:
    return replace(page, tracked=False)


def _read_menu(root: Element, base: str, page: Page) -> Page:
    return replace(
        page,
        entries=tuple(
            Link(_words(e, "name"), _link(e, base))
            for e in root.children
            if e.name.lower() in {"menuitem", "menu"}
        ),
    )


def _read_directory(root: Element, base: str, page: Page) -> Page:
    return replace(
        page,
        entries=tuple(
            Link(_words(e, "name"), f"tel:{_words(e, 'telephone')}")
            for e in _all(root, "directoryentry")
        ),
    )


def _read_input(root: Element, base: str, page: Page) -> Page:
    url = _link(root, base)
    if not url:
        raise PageError(
            "the input page says no URL to send to", hint="add <URL>…</URL>"
        )
    items = _all(root, "inputitem")
    return replace(
        page,
        submit_url=url,
        fields=tuple(
            Field(
                _words(e, "displayname"),
                _words(e, "querystringparam"),
                _words(e, "defaultvalue"),
                _words(e, "inputflags").lower(),
            )
            for e in items
        ),
    )


def _read_image_file(root: Element, base: str, page: Page) -> Page:
    url = _link(root, base)
    if not isinstance(follow(url), Open):
        raise PageError(
            "the image has no http or https URL", hint="add <URL>https://…</URL>"
        )
    return replace(page, kind="image", image_url=url)


def _read_image(root: Element, base: str, page: Page) -> Page:
    data = _first(root, "data")
    try:
        image = base64.b64decode(
            "".join(data.text.split()) if data else "", validate=True
        )
    except (binascii.Error, ValueError):
        image = b""
    if not image:
        raise PageError(
            "the image's <Data> is no base64", hint="encode the file as base64"
        )
    return replace(page, image=image)


_READERS = {
    "text": _read_text,
    "menu": _read_menu,
    "input": _read_input,
    "directory": _read_directory,
    "imagefile": _read_image_file,
    "image": _read_image,
    "silent": _read_silent,
}
