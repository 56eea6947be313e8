"""The SIP line of the lab's phone: its settings, and the registrar that takes it.

A Snom's are Snom's own settings; another maker's phone has neutral ones, which the
server writes in the maker's words.

Rule: only what the lab itself wrote is written anew. The registrar's port differs from
run to run, so the lab's own outbound proxy follows it; one that an operator set is
never touched.
"""

import re
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from linekey.certs.certificate import Certificate
from linekey.lab.authority import LabAuthority
from linekey.lab.contexts import lab_contexts
from linekey.lab.registrar import Registrar, Said
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.store.database import Database
from linekey.store.devices import Devices

REALM = "pbx.lab.invalid"
"""The lab's SIP domain; RFC 2606 §2 keeps the name for nobody."""
USER = "100"


class Words(NamedTuple):
    """What the settings of a line are called."""

    user: str
    password: str
    name: str
    host: str
    outbound: str
    tls: str
    """What follows the address of an outbound proxy over TLS."""
    ours: re.Pattern[str]
    """An outbound proxy that the lab wrote."""


SNOM: Final = Words(
    "user_name", "user_pass", "user_realname", "user_host", "user_outbound",
    ";transport=tls",
    re.compile(r"(?:localhost:\d{1,5}|pbx\.lab\.invalid:5061);transport=tls"),
)  # fmt: skip
NEUTRAL: Final = Words(
    "any.account.user", "any.account.password", "any.account.display_name",
    "any.account.registrar", "any.account.outbound", "",
    re.compile(r"localhost:\d{1,5}"),
)  # fmt: skip


def outbound(port: int, words: Words = SNOM) -> Setting:
    """Where the phone's line registers: at this registrar, by its certified name."""
    return Setting(words.outbound, f"localhost:{port}{words.tls}", idx=1)


def line_settings(port: int, words: Words = SNOM) -> tuple[Setting, ...]:
    """The settings of a line at the lab's registrar, with a fresh password."""
    tls = () if words.tls else (Setting("any.account.transport", "tls", idx=1),)
    return (
        Setting(words.name, "Lab Phone", idx=1),
        Setting(words.user, USER, idx=1),
        Setting(words.host, REALM, idx=1),
        Setting(words.password, secrets.token_urlsafe(12), idx=1),
        *tls,
        outbound(port, words),
    )


def words_of(layer: Layer) -> Words:
    """What the settings of the layer's line are called."""
    return SNOM if _value(layer, NEUTRAL.user) is None else NEUTRAL


def follow_port(device: Device, port: int) -> Device:
    """The device with its line at this run's registrar, if the line is the lab's."""
    words = words_of(device.layer)
    value = _value(device.layer, words.outbound)
    if value is None or not words.ours.fullmatch(value):
        return device
    return replace(device, layer=device.layer.with_settings(outbound(port, words)))


def is_at_lab(device: Device, port: int) -> bool:
    """Whether the device's first line registers at this run's registrar."""
    words = words_of(device.layer)
    return _value(device.layer, words.outbound) == outbound(port, words).value


def registrar(
    lab: LabAuthority,
    database: Database,
    mac: Mac,
    listener: socket.socket,
    told: Callable[[Said], None],
    authorities: Sequence[Certificate] = (),
) -> Registrar:
    """The registrar for the lab's phone, by the password in its record.

    It asks for a certificate and takes none that the lab's vendor CA, or one of
    ``authorities``, has not issued; a phone that shows none is let in by its password.
    """

    def password_of(user: str) -> str | None:
        device = Devices(database).find(mac)
        if device is None or device.state != "active":
            return None
        words = words_of(device.layer)
        if _value(device.layer, words.user) != user:
            return None
        return _value(device.layer, words.password)

    contexts = lab_contexts(lab, b"linekey lab sip", authorities)
    return Registrar(contexts, password_of, listener, realm=REALM, told=told)


def _value(layer: Layer, name: str) -> str | None:
    return next(
        (s.value for s in layer.settings if s.name == name and s.idx == 1), None
    )
