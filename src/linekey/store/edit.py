"""A change of a phone's record or a layer, as an operator asks for it.

One meaning for the command line, the API and a change of many phones: what is not
named stays as it is. Nothing here checks names of settings: that is for
``catalog.known_settings.refuse_unknown``, which can be insisted against.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Self

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.errors import InputError
from linekey.provisioning.device import Device, DigestCredential, State
from linekey.provisioning.difference import slot_text
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.expired import Expired
from linekey.provisioning.group import parse_group
from linekey.said import say
from linekey.store.device_rows import parse_model, parse_vendor, vendor_of_model


class Stay(Enum):
    """What stands for a value that is not to be changed, where None is a value."""

    STAY = "stay"


STAY = Stay.STAY


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEdit:
    """A change of a record. Raises InputError, when applied, for what cannot be."""

    vendor: str | Stay = STAY
    model: str | Stay | None = STAY
    firmware: str | Stay | None = STAY
    label: str | Stay = STAY
    group: str | Stay | None = STAY
    """Empty or None: in none."""
    generations: Collection[Generation] | Stay | None = STAY
    expired: Expired | Stay | None = STAY
    """What its certificate is worth after its end; None: as its group or CA says."""
    digest: DigestCredential | Stay | None = STAY
    no_token: bool = False
    state: State | Stay = STAY
    reason: str = ""
    """Why it is revoked."""
    settings: tuple[Setting, ...] = ()
    """Set, or set anew."""
    unset: tuple[tuple[str, int | None], ...] = ()

    @classmethod
    def given(cls, **values: Any) -> Self:
        """Make one of options, of which None says that they were not given."""
        return cls(**{name: v for name, v in values.items() if v is not None})

    def apply(self, device: Device, *, new_phone: bool = False, **new: Any) -> Device:
        """Return the changed record; ``new`` are fields that change, too.

        ``new_phone``: the record is made now, and its vendor is only the usual one; a
        model of another maker's then says whose phone it is.
        """
        if self.unset or self.settings:
            layer = new.get("layer", device.layer)
            layer = without(layer, self.unset, str(device.mac))
            new["layer"] = layer.with_settings(*self.settings)
        vendor = device.vendor
        if self.vendor is not STAY:
            new["vendor"] = vendor = parse_vendor(self.vendor)
        elif self.model and self.model is not STAY and new_phone:
            new["vendor"] = vendor = vendor_of_model(self.model, vendor)
        if self.model is not STAY:
            model = self.model and parse_model(self.model, vendor)
            new["model"] = model or None
        if self.firmware is not STAY:
            firmware = None if self.firmware is None else Firmware.parse(self.firmware)
            new["firmware"] = firmware
        if self.label is not STAY:
            new["label"] = self.label
        if self.group is not STAY:
            new["group"] = parse_group(self.group) if self.group else None
        if self.generations is not STAY:
            pinned = None if self.generations is None else frozenset(self.generations)
            new["generations"] = pinned or None
        if self.expired is not STAY:
            new["expired"] = self.expired
        if self.digest is not STAY:
            new["digest"] = self.digest
        if self.no_token:
            new |= {"token_sha256": None, "token_used_at": None}
        if self.state is not STAY:
            new |= {"state": self.state, "revoked_reason": self.reason}
        return replace(device, **new) if new else device


def without(layer: Layer, slots: Collection[tuple[str, int | None]], of: str) -> Layer:
    """Take settings out of a layer. Raises InputError for one that it has not."""
    for name, idx in slots:
        if (name, idx) not in {s.slot for s in layer.settings}:
            raise InputError(
                say(
                    "%(of)s has no setting %(slot_text)s of its own",
                    of=of,
                    slot_text=repr(slot_text(name, idx)),
                ),
                hint=say("linekey device show %(of)s", of=of),
            )
        layer = layer.without_setting(name, idx)
    return layer
