"""When a firmware was made, as far as a source says so: bounds as bounds.

Hardly any day is known. A version that a public provisioning system's history, a forum
or a press report names was made **not after** the day of that mention, which may be
months later; a few versions have a day before which they cannot have been made. An
upper bound is worth much: such a firmware cannot know a root that came into Mozilla's
list after it.

Rule: nothing is interpolated between versions, since branches live side by side and a
maintenance build may come after a higher number (10.1.169.16 was seen months after
10.1.175.10). ``date_of`` answers with None where not even a bound is known.
"""

from dataclasses import dataclass
from datetime import date

from linekey.catalog.evidence import Confidence, weakest
from linekey.catalog.firmware import Firmware
from linekey.catalog.models import SHA2_FIRMWARE

SOURCES: dict[str, str] = {
    "W": "PBX-WAZO, first commit that names it",
    "X": "PBX-XIVO, branch or merge request that names it",
    "F": "PBX-FUSION, first commit that names it",
    "T": "PBX-TANCREDI, first commit that names it",
    "S": "PBX-FSPBX, first commit that names it",
    "G": "Gemeinschaft 5, issue 51",
    "A": "TRAUD-SNOM",
    "N": "press reports of January 2015 on the security update",
    "K": "secure-computing.net, article on the VPN package",
    "B": "blog.snom.com, 2009",
    "Q": "a captured SIP User-Agent with the build day in it",
}
"""What the letters of ``_TABLE`` stand for; read on 2026-11-28."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of the time in which a firmware was made."""

    day: date
    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class FirmwareDate:
    """What is known of a firmware's date."""

    exact: Bound | None = None
    """The day it was built or published; None: not known."""
    not_before: Bound | None = None
    """It cannot be older than this; None: no bound known."""
    not_after: Bound | None = None
    """It cannot be newer than this; None: no bound known."""
    readings: tuple[str, ...] = ()
    """What the sources leave open."""

    @property
    def source(self) -> str:
        """Every source, in words."""
        bounds = (self.exact, self.not_before, self.not_after)
        return "; ".join(dict.fromkeys(b.source for b in bounds if b is not None))

    @property
    def confidence(self) -> Confidence:
        """The least sure of its parts."""
        bounds = (self.exact, self.not_before, self.not_after)
        return weakest(*(b.confidence for b in bounds if b is not None))


# Version; not before, how sure; not after, how sure; sources. A month without a day is
# taken at the end that says less: its first day below, its last day above.
_TABLE = """
6.5.20        2008-12-01 H  2009-08-14 H  B
7.1.39        2008-12-01 H  2009-08-14 H  B
7.3.14        2008-12-01 H  2009-08-14 H  B
7.3.30        -          -  2012-11-16 M  W
8.3.6         -          -  2012-11-16 M  W
8.4.18        -          -  2012-11-16 M  W
8.4.23        -          -  2012-11-16 M  W
8.4.35        -          -  2012-11-16 H  WG
8.7.3.7       -          -  2014-03-21 M  F
8.7.3.10      -          -  2012-09-23 M  F
8.7.3.15      -          -  2012-11-16 M  W
8.7.3.17      -          -  2014-03-21 M  F
8.7.3.25      2013-03-21 M  2013-11-06 M  WQ
8.7.3.25.5    2013-03-21 M  2014-02-21 M  WQ
8.7.3.25.9    2014-02-21 L  2015-01-15 H  NW
8.7.4.8       -          -  2013-07-09 M  W
8.7.5.8.2     -          -  2014-04-28 M  W
8.7.5.13      -          -  2014-11-10 H  WK
8.7.5.17      2015-01-13 L  2015-04-10 M  W
8.7.5.28      -          -  2015-10-28 M  W
8.7.5.35      -          -  2015-12-16 M  W
8.7.5.44      2015-10-28 L  -          -  W
8.7.5.75      -          -  2021-04-21 M  F
8.9.3.40      -          -  2016-08-24 M  W
8.9.3.60      2016-08-24 L  2017-05-31 H  AW
8.9.3.62      2017-05-01 L  2017-12-15 M  X
8.9.3.80      2017-05-01 L  2018-06-28 H  W
8.9.3.88      -          -  2018-03-31 M  A
8.9.3.96      2018-03-01 M  2018-08-31 M  A
10.1.20.0     -          -  2018-10-23 M  W
10.1.25.0     2018-10-01 L  2020-01-28 M  T
10.1.26.1     -          -  2018-11-28 M  W
10.1.33.33    2018-11-01 L  2019-04-18 M  W
10.1.39.11    -          -  2019-07-19 H  WA
10.1.42.14    -          -  2019-09-30 H  WFA
10.1.46.16    -          -  2019-11-22 M  W
10.1.49.11    2019-11-01 L  2020-06-06 M  W
10.1.51.12    -          -  2020-05-31 H  AW
10.1.54.13    -          -  2020-06-06 M  W
10.1.64.14    2020-06-01 L  2021-03-11 M  W
10.1.73.16    -          -  2021-06-10 M  W
10.1.84.12    -          -  2021-12-13 M  W
10.1.101.11   -          -  2022-02-25 M  W
10.1.119.10   -          -  2022-07-04 M  W
10.1.127.10   -          -  2022-12-15 M  X
10.1.141.13   -          -  2023-02-15 M  W
10.1.152.12   -          -  2023-07-04 M  W
10.1.159.12   -          -  2023-11-13 M  W
10.1.169.16   2023-11-01 L  2024-09-05 M  W
10.1.170.11   -          -  2024-03-18 M  F
10.1.175.10   -          -  2024-04-24 H  FW
10.1.175.16   -          -  2024-09-27 M  W
10.1.184.15   -          -  2024-09-27 M  W
10.1.198.12   -          -  2025-02-27 M  W
10.1.198.19   2025-02-27 L  2025-07-02 M  W
10.1.215.13   -          -  2025-12-22 M  W
10.1.226.13   -          -  2026-07-14 M  S
10.1.226.16   -          -  2026-07-24 M  W
"""

_EXACT: dict[str, FirmwareDate] = {
    "8.7.3.19": FirmwareDate(
        Bound(date(2013, 3, 21), SOURCES["Q"] + ": snom821/873_19_20130321", "M"),
        not_after=Bound(date(2013, 8, 27), SOURCES["W"], "H"),
    ),
    "8.7.5.15": FirmwareDate(
        Bound(date(2015, 1, 13), SOURCES["N"], "H"),
        readings=(
            "the day it was published; its list of roots is of that day or a little"
            " older",
        ),
    ),
}
_READINGS: dict[str, tuple[str, ...]] = {
    "10.1.169.16": (
        "the Feb 25 2019 in its User-Agent is the boot loader's day: $(uboot_version)"
        " stands in the string's template; it says nothing of the firmware (H)",
    ),
    "10.1.25.0": ("by its number 2018-11-28 at the latest (L); a dump is of 2020",),
    "8.9.3.80": ("2018-03 at the latest, if numbers follow dates (L)",),
}

_SHA2_ROOT = Bound(
    date(2016, 2, 11),
    "the vendor's SHA-2 root, which firmware with SHA-2 knows, is valid from that day",
    "L",
)


def _grade(text: str) -> Confidence:
    if text not in ("H", "M", "L"):
        raise ValueError(f"no grade: {text!r}")
    return text  # type: ignore[return-value]  # one of the three


def _read_table() -> dict[Firmware, FirmwareDate]:
    found = {Firmware.parse(version): dated for version, dated in _EXACT.items()}
    for line in _TABLE.split("\n"):
        if not line:
            continue
        version, *ends, letters = line.split()
        source = "; ".join(SOURCES[letter] for letter in letters)
        after, before = (
            None
            if day == "-"
            else Bound(date.fromisoformat(day), source, _grade(grade))
            for day, grade in (ends[:2], ends[2:])
        )
        found[Firmware.parse(version)] = FirmwareDate(
            not_before=after, not_after=before, readings=_READINGS.get(version, ())
        )
    return found


_NAMED = _read_table()


def date_of(firmware: Firmware) -> FirmwareDate | None:
    """Return what is known of this very version's date, or None for nothing at all.

    Where no source gives a lower bound, firmware with SHA-2 has one all the same: it
    knows the vendor's SHA-2 root (L).
    """
    named = _NAMED.get(firmware)
    if not firmware.is_at_least(SHA2_FIRMWARE):
        return named
    if named is None:
        return FirmwareDate(not_before=_SHA2_ROOT)
    if named.exact is None and named.not_before is None:
        return FirmwareDate(
            not_before=_SHA2_ROOT, not_after=named.not_after, readings=named.readings
        )
    return named


def dated_firmwares() -> dict[Firmware, FirmwareDate]:
    """Return every version that a source names with a date."""
    return dict(_NAMED)
