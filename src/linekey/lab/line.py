"""The SIP line of the lab's phone: its settings, and the registrar that takes it.

Rule: only what the lab itself wrote is written anew. The registrar's port differs from
run to run, so the lab's own ``user_outbound`` follows it; one that an operator set is
never touched.
"""

import re
import secrets
import socket
from collections.abc import Callable
from dataclasses import replace

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
_OUTBOUND = re.compile(r"(?:localhost:\d{1,5}|pbx\.lab\.invalid:5061);transport=tls")


def outbound(port: int) -> Setting:
    """Where the phone's line registers: at this registrar, by its certified name."""
    return Setting("user_outbound", f"localhost:{port};transport=tls", idx=1)


def line_settings(port: int) -> tuple[Setting, ...]:
    """The settings of a line at the lab's registrar, with a fresh password."""
    return (
        Setting("user_realname", "Lab Phone", idx=1),
        Setting("user_name", USER, idx=1),
        Setting("user_host", REALM, idx=1),
        Setting("user_pass", secrets.token_urlsafe(12), idx=1),
        outbound(port),
    )


def follow_port(device: Device, port: int) -> Device:
    """The device with its line at this run's registrar, if the line is the lab's."""
    value = _value(device.layer, "user_outbound")
    if value is None or not _OUTBOUND.fullmatch(value):
        return device
    return replace(device, layer=device.layer.with_settings(outbound(port)))


def is_at_lab(device: Device, port: int) -> bool:
    """Whether the device's first line registers at this run's registrar."""
    return _value(device.layer, "user_outbound") == outbound(port).value


def registrar(
    lab: LabAuthority,
    database: Database,
    mac: Mac,
    listener: socket.socket,
    told: Callable[[Said], None],
) -> Registrar:
    """The registrar for the lab's phone, by the password in its record.

    It asks for a certificate and takes none that the lab's vendor CA has not issued; a
    phone that shows none is let in by its password.
    """

    def password_of(user: str) -> str | None:
        device = Devices(database).find(mac)
        if device is None or device.state != "active":
            return None
        if _value(device.layer, "user_name") != user:
            return None
        return _value(device.layer, "user_pass")

    contexts = lab_contexts(lab, b"linekey lab sip")
    return Registrar(contexts, password_of, listener, realm=REALM, told=told)


def _value(layer: Layer, name: str) -> str | None:
    return next(
        (s.value for s in layer.settings if s.name == name and s.idx == 1), None
    )
