import re
from datetime import date
from pathlib import Path

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.firmware_dates import SOURCES, date_of, dated_firmwares


def _bounds(version: str) -> tuple[date | None, date | None, date | None]:
    known = date_of(Firmware.parse(version))
    assert known is not None
    return (
        known.not_before and known.not_before.day,
        known.exact and known.exact.day,
        known.not_after and known.not_after.day,
    )


@pytest.mark.parametrize(
    ("version", "not_before", "exact", "not_after"),
    [
        ("6.5.20", date(2008, 12, 1), None, date(2009, 8, 14)),
        ("8.7.3.10", None, None, date(2012, 9, 23)),
        ("8.7.3.19", None, date(2013, 3, 21), date(2013, 8, 27)),
        ("8.7.5.15", None, date(2015, 1, 13), None),
        ("8.7.5.35", None, None, date(2015, 12, 16)),
        ("8.7.5.44", date(2015, 10, 28), None, None),
        ("8.9.3.60", date(2016, 8, 24), None, date(2017, 5, 31)),
        ("10.1.33.33", date(2018, 11, 1), None, date(2019, 4, 18)),
        ("10.1.226.16", date(2016, 2, 11), None, date(2026, 7, 24)),
    ],
)
def test_what_is_known_is_kept_as_bounds(
    version: str, not_before: date | None, exact: date | None, not_after: date | None
) -> None:
    assert _bounds(version) == (not_before, exact, not_after)


def test_the_boot_loaders_day_is_no_bound_of_the_firmware() -> None:
    assert _bounds("10.1.169.16") == (date(2023, 11, 1), None, date(2024, 9, 5))
    known = date_of(Firmware.parse("10.1.169.16"))
    assert known is not None
    assert "boot loader" in known.readings[0]


def test_firmware_with_sha2_is_not_older_than_the_root_it_knows() -> None:
    assert _bounds("10.1.99.9") == (date(2016, 2, 11), None, None)
    assert _bounds("10.1.20.0") == (date(2016, 2, 11), None, date(2018, 10, 23))
    known = date_of(Firmware.parse("10.1.99.9"))
    assert known is not None
    assert known.confidence == "L"


def test_what_no_source_dates_is_unknown_and_nothing_is_interpolated() -> None:
    assert date_of(Firmware.parse("8.7.5.34")) is None
    assert date_of(Firmware.parse("8.4.36")) is None


def test_every_dated_firmware_has_a_source_and_its_bounds_are_in_order() -> None:
    dated = dated_firmwares()
    assert len(dated) == 60
    for known in dated.values():
        assert known.source
        assert known.confidence in "HML"
        days = [b.day for b in (known.not_before, known.exact, known.not_after) if b]
        assert days == sorted(days)


def test_every_letter_of_a_source_is_used() -> None:
    import linekey.catalog.firmware_dates as module

    text = Path(module.__file__).read_text(encoding="utf-8")
    used = set("".join(re.findall(r" ([A-Z]+)$", text, re.MULTILINE)))
    assert used | {"Q", "G"} >= set(SOURCES)
