"""The lab's minibrowser menu: something for the lab's phone to press a key for.

An HTTPS server on loopback with three pages of minibrowser XML behind the one door, for
the lab only: a menu, what the server knows of the phone by its certificate, and a note
to send. The phone's record has a function key with its URL.

Rule: as ``lab.line``: only the key that the lab itself wrote follows the port, which
differs from run to run; one that an operator changed is never touched.
"""

import logging
import re
import socket
from dataclasses import replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from linekey.lab.authority import LabAuthority
from linekey.lab.contexts import lab_contexts
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey
from linekey.provisioning.identity import VendorTrust, identify
from linekey.settings import LimitSettings
from linekey.wire.asgi_edge import Edge
from linekey.wire.asgi_tls import connection_tls
from linekey.wire.door.listener import Door
from linekey.wire.door.refusal import Refusal

_log = logging.getLogger("linekey.lab")

KEY = 1
"""Idx of the function key; 0 is the line's."""
_URL = re.compile(r"https://localhost:\d{1,5}/menu\.xml")
_CONNECTIONS = 64

_MENU = """<SnomIPPhoneMenu><Title>The lab's menu</Title>
<MenuItem><Name>Who am I?</Name><URL>who.xml</URL></MenuItem>
<MenuItem><Name>Send a note</Name><URL>note.xml</URL></MenuItem>
<SoftKeyItem><Name>F1</Name><Label>Who am I?</Label><URL>who.xml</URL></SoftKeyItem>
</SnomIPPhoneMenu>"""
_NOTE = """<SnomIPPhoneInput><Title>Send a note</Title>
<Prompt>To the lab's server</Prompt><URL>said.xml</URL>
<InputItem><DisplayName>Note</DisplayName><QueryStringParam>text</QueryStringParam><InputFlags>a</InputFlags></InputItem>
</SnomIPPhoneInput>"""


def menu_url(listener: socket.socket) -> str:
    """Where the menu is, by the server's certified name."""
    return f"https://localhost:{listener.getsockname()[1]}/menu.xml"


def menu_key(url: str) -> FunctionKey:
    """The function key that opens the menu."""
    return FunctionKey(KEY, "url", url, label="Lab menu")


def follow_url(device: Device, url: str) -> Device:
    """The device with its key at this run's menu, if the key is the lab's."""
    ours = (
        k
        for k in device.layer.function_keys
        if k.type == "url" and _URL.fullmatch(k.value)
    )
    keys = [replace(key, value=url) for key in ours]
    return replace(device, layer=device.layer.with_function_keys(*keys))


def menu_door(
    lab: LabAuthority, listener: socket.socket, connections: int = _CONNECTIONS
) -> Door:
    """The server on ``listener``, which stays the caller's; a context manager."""
    return Door(
        _app(lab),
        lab_contexts(lab, b"linekey lab menu"),
        listener,
        limits=LimitSettings(half_open=connections // 4, connections=connections),
        on_refused=_refused,
    )


async def _refused(refusals: list[Refusal], dropped: int) -> None:
    for refusal in refusals:
        host, port = refusal.peer
        _log.info("the lab's menu refused %s:%d: %s", host, port, refusal.reason)
    if dropped:
        _log.info("the lab's menu refused %d more", dropped)


def _app(lab: LabAuthority) -> Starlette:
    trust = VendorTrust.from_certificates(
        (*lab.vendor_roots(), *lab.vendor_intermediates())
    )

    async def menu(request: Request) -> Response:
        return _xml(_MENU)

    async def note(request: Request) -> Response:
        return _xml(_NOTE)

    async def said(request: Request) -> Response:
        text = request.query_params.get("text", "")[:500]
        return _text("The lab's server got", text or "an empty note")

    async def who(request: Request) -> Response:
        tls = connection_tls(request.scope)
        assert tls is not None, "the door speaks nothing else"
        found = identify(tls.chain, trust, datetime.now(UTC))
        if found.problem is not None:
            by = "You showed no certificate that says so."
        elif found.mac is None:
            by = "A phone of the lab's vendor; your certificate is shared by many."
        else:
            by = f"MAC {found.mac}, proved by your certificate."
        version = "" if tls.version is None else tls.version.label
        return _text("Who am I?", by, f"{version}, {tls.suite_name}")

    pages = {"/menu.xml": menu, "/note.xml": note, "/said.xml": said, "/who.xml": who}
    return Starlette(
        routes=[Route(path, page) for path, page in pages.items()],
        middleware=[Middleware(Edge, _log)],
    )


def _text(title: str, *lines: str) -> Response:
    shown = "<br/>".join(
        escape("".join(c for c in line if c.isprintable())) for line in lines
    )
    return _xml(
        f"<SnomIPPhoneText><Title>{escape(title)}</Title><Text>{shown}</Text>"
        "</SnomIPPhoneText>"
    )


def _xml(text: str) -> Response:
    return Response(text, media_type="text/xml; charset=utf-8")
