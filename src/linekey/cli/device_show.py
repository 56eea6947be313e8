"""``linekey device show``: one phone, what it is told, and the very file it gets.

Rule: no secret is shown: where one is, it says "(set)", or stars in the file.
"""

import sys
from typing import Annotated

import typer

from linekey.cli.layer_text import layer_lines
from linekey.cli.opening import JsonOption, StateOption, opened, printable
from linekey.cli.output import emit_json, say
from linekey.cli.serve import load_settings
from linekey.endpoint import bracketed, host_port
from linekey.errors import InputError
from linekey.mac import parse_mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, merge
from linekey.provisioning.service import SharedLayers, phone_file
from linekey.provisioning.shown import (
    device_json,
    generations_of,
    merged_json,
    sources,
    token_state,
)
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope

MacArgument = Annotated[
    str,
    typer.Argument(
        metavar="MAC", help="MAC address: 000413AABBCC or 00:04:13:AA:BB:CC."
    ),
]


def show(
    mac: MacArgument,
    merged: Annotated[
        bool,
        typer.Option(
            "--merged",
            help="Show all that the phone is told, each with the layer it is from.",
        ),
    ] = False,
    xml: Annotated[
        bool,
        typer.Option(
            "--xml",
            help="Print the file that the phone gets, with stars for its secrets.",
        ),
    ] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Show one phone and its own settings. Secrets are shown as "(set)".

    With --xml, a certificate that old firmware fetches by its URL is shown with the
    first name in linekey.toml.
    """
    if xml and (merged or json):
        raise InputError("--xml prints the file alone", hint="leave the other out")
    with opened(state) as database:
        device = Devices(database).get(parse_mac(mac))
        layers = _layers(Layers(database), device) if merged or xml else []
        settings = load_settings(database.state, {}) if xml else None
    if settings is not None:
        shared = SharedLayers(layers[0][1], layers[1][1], (0, 0))
        name = settings.names[0] if settings.names else "localhost"
        proxy = settings.proxy
        port = proxy.public_port if proxy.behind_proxy else settings.port
        address = bracketed(name) if port == 443 else host_port(name, port)
        file = phone_file(device, shared, f"https://{address}", starred=True)
        sys.stdout.write(file.body.decode())
        return
    if json:
        extra = {"merged": merged_json(layers)} if merged else {}
        emit_json(device_json(device) | extra)
        return
    facts: list[tuple[str, object]] = [
        ("MAC", device.mac),
        ("vendor", device.vendor),
        ("model", device.model or "not known"),
        ("firmware", device.firmware or "not known"),
        ("label", printable(device.label) or "none"),
        ("state", state_text(device)),
        ("generations", ", ".join(generations_of(device) or []) or "by the model"),
        ("one-time token", token_state(device)),
        ("digest user", device.digest.username if device.digest else "none"),
        ("version", device.version),
    ]
    for name, value in facts:
        say(f"{name:>14}  {value}")
    if not merged:
        for text in layer_lines(device.layer):
            say(f"{'':>14}  {text}")
        return
    lines = layer_lines(merge(*(layer for _, layer in layers)))
    origin = sources(layers)
    origin += [""] * (len(lines) - len(origin))  # what is unreadable has none
    for text, source in zip(lines, origin, strict=True):
        say(f"{source:>14}  {text}")


def _layers(layers: Layers, device: Device) -> list[tuple[str, Layer]]:
    """The layers that make a device's file, the lowest first."""
    model = f"model:{device.model}"
    return [
        ("fleet", layers.get(Scope.fleet())),
        (model, layers.get(Scope(model))),
        ("device", device.layer),
    ]


def state_text(device: Device) -> str:
    """Write its state, with the reason if it is revoked."""
    if device.state == "revoked" and device.revoked_reason:
        return f"revoked ({printable(device.revoked_reason)})"
    return device.state
