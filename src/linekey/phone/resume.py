"""Taking up a phone that was switched off: the same device, maybe with new firmware."""

from datetime import datetime

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.errors import InputError
from linekey.phone.events import FirmwareChanged
from linekey.phone.machine import Machine
from linekey.phone.state import PhoneState


def resume(
    kept: PhoneState, model: str, firmware: Firmware | None, now: datetime
) -> PhoneState:
    """The kept phone, with ``firmware`` installed if it is another one.

    ``model`` empty: whichever it is. Raises InputError where the phone is of another
    model, since a MAC is one device's, and for an unknown model or version.
    """
    if model and find_model(model) != kept.profile.model:
        raise InputError(
            f"{kept.mac} is a {kept.profile.model.name}, not a {model}",
            hint="choose another --mac, or leave --model out",
        )
    machine = Machine(kept)
    if firmware is not None:
        machine.handle(FirmwareChanged(firmware), now)
    return machine.state
