"""Firmware: fetched over HTTPS as the settings name it."""

from linekey.phone.uses.firmware import events, handle
from linekey.phone.uses.provisioning.events import RoundEnded
from linekey.phone.uses.use import Button, Request, Use, Verb

FIRMWARE = Use(
    name="firmware",
    takes={
        RoundEnded: handle.round_ended,
        events.FirmwareWanted: handle.firmware_wanted,
        events.FirmwareTimeCame: handle.firmware_time_came,
        events.FirmwareFetched: handle.firmware_fetched,
        events.FirmwareFailed: handle.firmware_failed,
    },
    errands=(events.FetchFirmware,),
    requests=(Request("firmware", events.FirmwareWanted),),
    verbs=(
        Verb(
            "firmware",
            "Fetch the firmware that the settings name, and say what it is.\n\nNothing "
            "is installed: the file is judged, counted and hashed, and goes.",
            events.FirmwareWanted,
        ),
    ),
    buttons=(
        Button(
            "firmware",
            lambda *_: events.FirmwareWanted(),
            admin=True,
            told=True,
            label="Fetch the firmware",
            meaning="Fetches the file that the settings name (firmware_status), as an "
            "update would, and says what it is. Nothing is installed.",
        ),
    ),
    describe=handle.describe_firmware,
    rows=handle.firmware_rows,
    title="Firmware",
)
