"""When a firmware was made, as far as a source says so.

Almost none does. ``date_of`` therefore answers with bounds, and with None where not
even a bound is known: nothing is interpolated between versions, since branches live
side by side. Whoever needs a list of roots for an unknown date says "unknown" and gives
the answers for both ends, or asks the operator.
"""

from dataclasses import dataclass
from datetime import date

from linekey.catalog.evidence import Confidence
from linekey.catalog.firmware import Firmware
from linekey.catalog.models import SHA2_FIRMWARE


@dataclass(frozen=True, slots=True)
class FirmwareDate:
    """What is known of a firmware's date."""

    exact: date | None
    """The day it was built or published; None: not known."""
    not_before: date | None
    """It cannot be older than this; None: no bound known."""
    source: str
    confidence: Confidence
    readings: tuple[str, ...] = ()


_NAMED: dict[Firmware, FirmwareDate] = {
    Firmware.parse("10.1.169.16"): FirmwareDate(
        None,
        date(2019, 2, 25),
        "facts/snom.md §6: its User-Agent says Feb 25 2019",
        "M",
        (
            "the date stands behind 2010.12-00001-gd311851f1, not behind the firmware's"
            " version: the day of the boot loader, which the firmware is not older than"
            " (what this row holds)",
            "the day on which the firmware itself was built",
        ),
    ),
}

_SHA2_ROOT = FirmwareDate(
    None,
    date(2016, 2, 11),
    "facts/snom.md §1: the vendor's SHA-2 root, which firmware with SHA-2 knows, is"
    " valid from that day",
    "L",
)


def date_of(firmware: Firmware) -> FirmwareDate | None:
    """Return what is known of this very version's date, or None for nothing at all."""
    if named := _NAMED.get(firmware):
        return named
    return _SHA2_ROOT if firmware.is_at_least(SHA2_FIRMWARE) else None


def dated_firmwares() -> dict[Firmware, FirmwareDate]:
    """Return every version that a source names with a date."""
    return dict(_NAMED)
