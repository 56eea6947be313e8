"""The settings known by name, and what is said of those that are not."""

import pytest

from linekey.catalog.known_settings import (
    Secrecy,
    find_known,
    known_settings,
    near_name,
    refuse_unknown,
    why_unknown,
    written_with_idx,
)
from linekey.errors import InputError


def test_there_is_one_catalogue_with_every_row_in_order() -> None:
    rows = known_settings()
    assert len(rows) >= 1046
    assert [*rows] == sorted(rows)
    assert all(lower == row.name.lower() for lower, row in rows.items())
    assert all(row.confidence in "HML" and row.source for row in rows.values())
    assert sum(bool(row.meaning) for row in rows.values()) >= 94


def test_a_setting_is_known_with_and_without_its_idx() -> None:
    assert find_known("user_name") is find_known("USER_NAME12")
    assert find_known("no_such_setting") is None
    assert find_known("language") is not None
    assert find_known("language1") is None
    assert find_known("dns_server1") is not None


@pytest.mark.parametrize(
    ("name", "secrecy"),
    [
        ("user_pass", Secrecy.SECRET),
        ("keyboard_lock_pw", Secrecy.SECRET),
        ("webservice_cert", Secrecy.SECRET),
        ("setting_server", Secrecy.VALUE),
        ("language", Secrecy.NONE),
        ("encrypt_secrets", Secrecy.NONE),
    ],
)
def test_a_row_says_whether_it_is_a_secret(name: str, secrecy: Secrecy) -> None:
    row = find_known(name)
    assert row is not None
    assert row.secrecy is secrecy


@pytest.mark.parametrize(
    ("name", "idx"),
    [
        ("user_name", 1),
        ("language", None),
        ("use_NTLMv2", None),
        ("user_name", 12),
        ("fkey", 0),
        ("context_key", 3),
        ("tbook_download_interval", 40),
    ],
)
def test_what_a_phone_has_just_so_is_fine(name: str, idx: int | None) -> None:
    assert why_unknown(name, idx) is None


@pytest.mark.parametrize(
    ("name", "idx", "instead"),
    [
        ("setting_serer", None, "setting_server"),
        ("user_nmae", 1, "user_name[1]"),
        ("user_pasword", 2, "user_password[2]"),
        ("user_name", None, "user_name[1]"),
        ("user_name1", None, "user_name[1]"),
        ("USER_NAME", 3, "user_name[3]"),
        ("Language", None, "language"),
        ("language", 1, "language"),
        ("zzqxj", None, ""),
        ("user_name", 0, "user_name[1]"),
        ("user_name", 13, "user_name[12]"),
        ("user_name13", None, "user_name[12]"),
        ("fkey", 128, "fkey[127]"),
        ("context_key", 4, "context_key[3]"),
    ],
)
def test_what_is_odd_is_told_with_what_to_write_instead(
    name: str, idx: int | None, instead: str
) -> None:
    odd = why_unknown(name, idx)
    assert odd is not None
    assert odd.instead == instead
    assert name in odd.reason


@pytest.mark.parametrize(
    ("title", "meant"),
    [("Modell", "model"), ("lable", "label"), ("Vendors", "vendor")],
)
def test_a_columns_name_is_among_the_near_ones(title: str, meant: str) -> None:
    columns = ("mac", "vendor", "model", "firmware", "label")
    assert near_name(title, columns) == meant


def test_an_idx_may_stand_at_the_end_of_a_name() -> None:
    assert written_with_idx("user_name12") == ("user_name", 12)
    assert written_with_idx("dns_server1") is None
    assert written_with_idx("language1") is None


def test_all_unknown_settings_are_told_at_once_with_the_way_to_insist() -> None:
    refuse_unknown([("user_name", 1), ("language", None)])
    with pytest.raises(InputError) as raised:
        refuse_unknown([("setting_serer", None), ("user_host", None)])
    assert "setting_server?" in raised.value.message
    assert "user_host[1]?" in raised.value.message
    assert "--allow-unknown" in raised.value.hint


def test_a_mark_is_the_operators_word_unless_a_known_name_is_near() -> None:
    for name in ("snmp_community", "x_site_code"):
        refuse_unknown([(name, None)], [(name, None)])
        with pytest.raises(InputError):
            refuse_unknown([(name, None)], [("other", None)])
    for slot in (("user_pasword", 1), ("setting_serer", None), ("user_pass", None)):
        with pytest.raises(InputError) as raised:
            refuse_unknown([slot], [slot])
        assert "did you mean" in raised.value.message
