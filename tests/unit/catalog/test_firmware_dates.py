from datetime import date

from linekey.catalog.firmware import Firmware
from linekey.catalog.firmware_dates import date_of, dated_firmwares


def test_the_date_in_a_user_agent_is_a_bound_with_both_readings() -> None:
    known = date_of(Firmware.parse("10.1.169.16"))
    assert known is not None
    assert (known.exact, known.not_before) == (None, date(2019, 2, 25))
    assert len(known.readings) == 2


def test_firmware_with_sha2_is_not_older_than_the_root_it_knows() -> None:
    known = date_of(Firmware.parse("10.1.33.33"))
    assert known is not None
    assert (known.exact, known.not_before) == (None, date(2016, 2, 11))
    assert known.confidence == "L"


def test_what_no_source_dates_is_unknown() -> None:
    assert date_of(Firmware.parse("8.7.5.35")) is None


def test_every_dated_firmware_has_a_source() -> None:
    assert dated_firmwares()
    assert all(d.source and d.confidence for d in dated_firmwares().values())
