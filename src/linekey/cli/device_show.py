"""``linekey device show``: one phone, what it is told, and the very file it gets.

Rule: no secret is shown: where one is, it says "(set)", or stars in the file.
"""

import sys
from typing import Annotated

import typer

from linekey.cli.anchors import anchors_here, say_lacking
from linekey.cli.layer_text import layer_lines
from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, StateOption, opened, printable
from linekey.cli.output import emit_json, note, say, warn
from linekey.cli.serve import load_settings
from linekey.endpoint import bracketed, host_port
from linekey.errors import InputError
from linekey.mac import parse_mac

with on_use():
    from linekey.provisioning.device import Device
    from linekey.provisioning.document import Layer, merge
    from linekey.provisioning.files import phone_file, server_layer
    from linekey.provisioning.format import maker_of_record, refuse_unwritten
    from linekey.provisioning.other_makers import as_the_phone_reads
    from linekey.provisioning.shown import (
        device_json,
        generations_of,
        merged_json,
        sources,
        token_state,
    )
    from linekey.store.devices import Devices
    from linekey.store.layers import Layers
    from linekey.store.sightings import Sighting, seen_json, sightings_of
    from linekey.trust.anchors import NO_ANCHORS, Anchors

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
            help="Print the file that the phone gets, in its maker's format, with "
            "stars for its secrets.",
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
    parsed = parse_mac(mac)
    with opened(state) as database:
        device = Devices(database).get(parsed)
        seen = sightings_of(database, [device.mac]).get(device.mac)
        layers = Layers(database).of(device) if merged else []
        layers = as_the_phone_reads(layers, device.vendor)
        shared = Layers(database).shared(device) if xml else None
        settings = load_settings(database.state, {}) if xml or merged else None
        folder = database.state.root
    maker = maker_of_record(device)
    anchors = NO_ANCHORS
    if settings is not None and maker is not None and not maker.snom_like:
        anchors = anchors_here(settings, folder)
        if merged:
            layers = [("server", server_layer(anchors, maker)), *layers]
    if settings is not None and shared is not None:
        refuse_unwritten(device)
        name = settings.names[0] if settings.names else "localhost"
        proxy = settings.proxy
        port = proxy.public_port if proxy.behind_proxy else settings.port
        address = bracketed(name) if port == 443 else host_port(name, port)
        file = phone_file(
            device, shared, f"https://{address}", starred=True, anchors=anchors
        )
        sys.stdout.write(file.body.decode())
        if maker is not None and not maker.snom_like:
            _say_of_cas(
                anchors, server_layer(anchors, maker), *shared.all, device.layer
            )
        for skipped in file.skipped:
            warn(f"left out: {skipped}", "correct the setting, or take it out")
        return
    if json:
        extra = {"merged": merged_json(layers)} if merged else {}
        emit_json(device_json(device) | seen_json(seen) | extra)
        return
    facts: list[tuple[str, object]] = [
        ("MAC", device.mac),
        ("vendor", device.vendor),
        ("model", device.model or "not known"),
        ("firmware", device.firmware or "not known"),
        ("label", printable(device.label) or "none"),
        ("group", device.group or "none"),
        ("state", state_text(device)),
        ("generations", ", ".join(generations_of(device) or []) or "by the model"),
        ("expired cert.", device.expired or "as its group or CA says"),
        ("registered", registered_text(device)),
        ("one-time token", token_state(device)),
        ("digest user", device.digest.username if device.digest else "none"),
        ("version", device.version),
        *seen_facts(seen),
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


def _say_of_cas(anchors: Anchors, *layers: Layer) -> None:
    """Say on stderr what the phone may lack to accept this server."""
    held = [e.certificate for layer in layers for e in layer.certificates]
    say_lacking(anchors, held)
    if not held and anchors.public:
        note(
            f"note: no CA is in this file: {anchors.public[0].label} is public, and a "
            "CA that these phones are given counts in place of those built in; if a "
            "phone lacks it: linekey layer certificate MODEL FILE"
        )
    elif not held and not anchors.missing:
        note(
            "note: no CA is in this file, and the phone verifies the server; "
            "unless its CA is built in: linekey layer certificate fleet FILE"
        )


def seen_facts(seen: Sighting | None) -> list[tuple[str, object]]:
    """What its visits said, as lines of its record."""
    if seen is None:
        return [("last seen", "never")]
    ends = seen.certificate_ends_at
    return [
        ("first seen", f"{seen.first_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("last seen", f"{seen.last_at:%Y-%m-%d %H:%M:%S} UTC from {seen.peer}"),
        ("last answer", f"{seen.outcome}: {seen.reason}" if seen.reason else "none"),
        ("last refused", f"{seen.refused_at:%Y-%m-%d %H:%M:%S} UTC")
        if seen.refused_at
        else ("last refused", "never"),
        ("certificate", f"{seen.generation}, ends {ends:%Y-%m-%d}" if ends else "none"),
        ("User-Agent", printable(seen.user_agent or "") or "none"),
    ]


def registered_text(device: Device) -> str:
    """Write when it was registered."""
    at = device.registered_at
    return "not known" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def state_text(device: Device) -> str:
    """Write its state, with the reason if it is revoked."""
    if device.state == "revoked" and device.revoked_reason:
        return f"revoked ({printable(device.revoked_reason)})"
    return device.state
