"""A desk gets another phone: its record goes to another MAC, the old one is revoked.

What is the desk's moves: vendor, label, group and layer (settings with their
passwords, function keys, certificates), and the model unless another is given. What is
the old phone's does not: its firmware, its generations of certificates and what they
are worth after their end, which the new one need not have; its one-time token and its
HTTP digest user, since whoever has the old phone has these, and could have the new
one's file by them.

Rule: both records change in one transaction, or none.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer
from linekey.said import say
from linekey.store.device_rows import parse_model, vendor_of_model
from linekey.store.devices import Change, Devices


def replace_phone(
    devices: Devices,
    old: Mac,
    new: Mac,
    now: datetime,
    *,
    model: str | None = None,
    unless: Callable[[Device], None] = lambda device: None,
) -> Device:
    """Give the record of ``old`` to ``new``; return it.

    ``model`` is the new phone's, if it is another one; of another maker's, the record
    is that maker's then, and its neutral settings serve the new phone. Raises
    InputError if ``old`` is not registered, or ``new`` is; for an unknown model; and
    whatever ``unless`` raises, which gets the old record as it is now. Then nothing is
    changed.
    """
    if old == new:
        raise InputError(
            say("%(old)s cannot replace itself", old=old),
            hint=say("give the MAC of the new phone"),
        )

    def parts(connection: Connection) -> Iterator[list[Change]]:
        there = devices.those(connection, [old, new])
        before = there.get(old) or devices.get(old)
        unless(before)
        if new in there:
            raise InputError(
                say("%(new)s is registered already", new=new),
                hint=say(
                    "if its record is not needed: linekey device remove %(new)s",
                    new=new,
                ),
            )
        yield [
            Change(before, _gone(before, new)),
            Change(None, _moved(before, new, model)),
        ]

    devices.apply(parts, now)
    return devices.get(new)


def _gone(before: Device, new: Mac) -> Device:
    reasons = [before.revoked_reason, f"replaced by {new}"]
    return replace(
        before,
        state="revoked",
        revoked_reason="; ".join(filter(None, reasons)),
        token_sha256=None,
        token_used_at=None,
        digest=None,
        layer=Layer(),
    )


def _moved(before: Device, new: Mac, model: str | None) -> Device:
    vendor = before.vendor if model is None else vendor_of_model(model, before.vendor)
    return Device(
        new,
        vendor,
        before.model if model is None else parse_model(model, vendor),
        label=before.label,
        group=before.group,
        layer=before.layer,
    )
