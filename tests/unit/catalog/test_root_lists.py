from datetime import date

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.root_lists import in_list_words, lists_for
from linekey.catalog.roots import find_roots, releases, roots_at
from linekey.errors import InputError

NEWEST = releases()[-1].date
OLDEST = releases()[0].date


def test_bounds_of_a_firmware_bound_its_lists() -> None:
    lists = lists_for(Firmware.parse("10.1.33.33"))
    assert lists.oldest_date is not None
    assert date(2018, 1, 1) < lists.oldest_date < lists.newest_date
    assert lists.newest_date <= date(2019, 4, 18)
    assert not lists.certain
    assert "between 2018-11-01 and 2019-04-18" in lists.sentence


def test_an_upper_bound_alone_says_which_roots_a_phone_cannot_know() -> None:
    lists = lists_for(Firmware.parse("8.7.5.35"))
    assert lists.oldest_date == OLDEST
    assert lists.newest_date <= date(2015, 12, 16)
    isrg = find_roots("ISRG Root X1")[0].certificate
    assert isrg in roots_at(NEWEST)
    assert isrg not in lists.newest


def test_without_any_bound_both_ends_of_the_history_are_given() -> None:
    lists = lists_for(Firmware.parse("8.7.5.34"))
    assert (lists.oldest_date, lists.newest_date) == (OLDEST, NEWEST)
    assert "not known" in lists.sentence


def test_a_day_that_is_known_gives_one_list() -> None:
    lists = lists_for(Firmware.parse("8.7.5.15"))
    assert lists.certain
    assert lists.oldest is None
    assert lists.newest_date <= date(2015, 1, 13)


def test_firmware_older_than_the_history_gets_its_first_list() -> None:
    lists = lists_for(Firmware.parse("8.4.18"))
    assert lists.certain
    assert lists.newest_date == OLDEST


def test_today_bounds_what_no_source_bounds() -> None:
    lists = lists_for(Firmware.parse("10.1.999.1"), today=date(2020, 1, 1))
    assert lists.newest_date <= date(2020, 1, 1)


def test_the_operators_word_settles_it() -> None:
    lists = lists_for(Firmware.parse("10.1.33.33"), told=date(2022, 1, 1))
    assert lists.certain
    assert "as you said" in lists.sentence
    with pytest.raises(InputError):
        lists_for(Firmware.parse("10.1.33.33"), told=date(1999, 1, 1))


def test_words_say_when_a_root_was_in_the_list() -> None:
    isrg = find_roots("ISRG Root X1")[0].certificate
    assert in_list_words(isrg).endswith("to today")
