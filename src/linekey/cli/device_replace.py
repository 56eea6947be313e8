"""``linekey device replace``: a desk gets another phone."""

from typing import Annotated

import typer

from linekey.cli.device_exported import say_who_still_lets_in
from linekey.cli.on_use import on_use
from linekey.cli.opening import JsonOption, StateOption, now, opened, printable
from linekey.cli.output import emit_json, note, say
from linekey.mac import parse_mac

with on_use():
    from linekey.provisioning.shown import device_json
    from linekey.store.devices import Devices
    from linekey.store.passwords import PASSWORDS
    from linekey.store.replace import replace_phone


def replace_(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="MAC of the phone that goes.")
    ],
    new: Annotated[
        str, typer.Argument(metavar="NEW", help="MAC of the phone in its place.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="The new phone's model, if it is another one."
        ),
    ] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Give a phone's record to another phone, and revoke the old one.

    Label, group, settings, function keys and certificates go to the new MAC, in one
    step. Firmware, generations, one-time token and digest user do not: they are the old
    phone's. For example:

        linekey device replace 000413AABBCC 000413AABBDD --model D785
    """
    before, after = parse_mac(old), parse_mac(new)
    with opened(state) as database:
        devices = Devices(database)
        had_digest = devices.get(before).digest is not None
        device = replace_phone(devices, before, after, now(), model=model)
    if json:
        emit_json(device_json(device))
        say_who_still_lets_in(state, str(before))
        return
    said = f"replaced {before} by {after}, {device.model or 'model not known'}"
    say(f"{said}, {printable(device.label)!r}" if device.label else said)
    if had_digest:
        note(f"next: linekey device set {after} --digest USER, as {before} had one")
    if any(s.name in PASSWORDS for s in device.layer.settings):
        note(
            f"{before} still knows the SIP passwords; if it is not in your hands: "
            f"linekey device rotate-passwords {after}"
        )
    say_who_still_lets_in(state, str(before))
