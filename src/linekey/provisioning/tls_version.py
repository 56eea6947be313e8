"""Whether a phone speaks an older TLS version than it could.

The TLS matrix says which version is the newest for a model with a firmware (SNOM-TLS);
a phone that comes with less is refused, since nobody but somebody between the two ends
gains from that. TLS 1.2 is enough for every phone.
"""

from functools import lru_cache

from linekey.catalog.firmware import Firmware
from linekey.catalog.matrix import firmwares_of
from linekey.catalog.models import Model, find_model
from linekey.catalog.profile import newest_firmware, profile
from linekey.errors import InputError
from linekey.provisioning.decision import Reason
from linekey.provisioning.second_factor import Answer
from linekey.said import say
from linekey.tls.versions import label_of

TLS1_2 = 0x0303


def is_old(version: int | None) -> bool:
    """Whether the version, as on the wire, is below TLS 1.2; not for an unknown one."""
    return version is not None and version < TLS1_2


def too_old(
    version: int | None, model: Model, firmware: Firmware | None
) -> Answer | None:
    """Why this version is less than the phone speaks; None: it is not."""
    newest = min(_newest_version(model, firmware), TLS1_2)
    if version is None or version >= newest:
        return None
    shown = f"{model.name} {firmware}" if firmware else model.name
    return (
        Reason.TLS_TOO_OLD,
        say(
            "%(version)s, and %(shown)s speaks %(newest)s",
            version=label_of(version),
            shown=shown,
            newest=label_of(newest),
        ),
    )


def nothing_known(model: str | None) -> str:
    """Why nothing is known of a model's TLS; empty where there is no model."""
    if not model:
        return ""
    try:
        found = find_model(model)
    except InputError:
        return say("model %(model)s", model=repr(model))
    return say(
        "model %(name)s: no source tells whether it speaks TLS 1.2, so it has to",
        name=repr(found.name),
    )


@lru_cache(maxsize=1024)
def known_model(name: str | None) -> Model | None:
    """The model of this name, if the TLS matrix has it."""
    if not name:
        return None
    try:
        model = find_model(name)
    except InputError:
        return None
    return model if model.is_known else None


@lru_cache(maxsize=4096)
def _newest_version(model: Model, firmware: Firmware | None) -> int:
    """The newest TLS version the phone speaks.

    Without a firmware it is the oldest known firmware's. For a firmware that this model
    never had, the record is wrong somewhere, and the newest one's counts.
    """
    if firmware is None:
        firmware = firmwares_of(model)[0]
    elif not model.had_branch(firmware.branch):
        firmware = newest_firmware(model)
    return profile(model, firmware).max_version
