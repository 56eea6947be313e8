"""Settings: perm, idx, who may change what."""

import json

import pytest

from linekey.errors import StorageError
from linekey.phone.settings import MAX_SETTINGS, Origin, PhoneSettings, is_perm


def put(settings: PhoneSettings, value: str, perm: str = "", **more) -> PhoneSettings:
    change = settings.provision("language", value, perm=perm, **more)
    assert change.applied, change.reason
    return change.settings


@pytest.mark.parametrize("perm", ["R", "&", " ", "V", "RV"])
def test_a_read_only_setting_cannot_be_changed_on_the_phone(perm: str) -> None:
    settings = put(PhoneSettings(), "English", perm)
    change = settings.set_by_user("language", "Deutsch")
    assert not change.applied
    assert "read-only" in change.reason
    assert change.settings.get("language") == "English"


@pytest.mark.parametrize("perm", ["RW", "$", ""])
def test_a_writable_setting_is_the_users_until_provisioning_overwrites_it(
    perm: str,
) -> None:
    settings = put(PhoneSettings(), "English", perm)
    settings = settings.set_by_user("language", "Deutsch").settings
    assert settings.get("language") == "Deutsch"
    assert put(settings, "English", perm).get("language") == "English"


def test_an_exclamation_mark_sets_only_what_the_user_has_not_set() -> None:
    settings = put(PhoneSettings(), "English", "!")
    settings = put(settings, "Italiano", "!")
    assert settings.get("language") == "Italiano"
    settings = settings.set_by_user("language", "Deutsch").settings
    change = settings.provision("language", "English", perm="!")
    assert not change.applied
    assert change.settings.get("language") == "Deutsch"
    entry = change.settings.entry("language")
    assert entry is not None
    assert entry.origin is Origin.USER


def test_a_volatile_setting_is_gone_after_a_reboot() -> None:
    settings = put(put(PhoneSettings(), "x", "RWV"), "y", "R", idx=2)
    left = settings.without_volatile()
    assert left.entry("language") is None
    assert left.get("language", 2) == "y"


@pytest.mark.parametrize("perm", ["X", "RR", "VV", "rw", "!!", "R "])
def test_an_unknown_perm_sets_nothing(perm: str) -> None:
    assert not is_perm(perm)
    assert not PhoneSettings().provision("language", "x", perm=perm).applied


def test_idx_keeps_lines_apart_and_the_vendors_spelling_finds_them() -> None:
    settings = PhoneSettings()
    for idx, name in ((1, "401"), (2, "500")):
        settings = settings.provision("user_name", name, idx=idx).settings
    assert settings.get("user_name", 1) == "401"
    assert settings.get("user_name2") == "500"
    assert settings.get("USER_NAME2") == "500"
    assert settings.get("user_name") == ""
    assert [entry.label for entry in settings] == ["user_name1", "user_name2"]


@pytest.mark.parametrize("name", ["user_pass", "webserver_cert", "http_client_pass"])
def test_no_repr_shows_a_secret(name: str) -> None:
    settings = PhoneSettings().provision(name, "hunter2").settings
    entry = settings.entry(name)
    assert entry is not None
    assert "hunter2" not in repr(settings) + repr(entry) + entry.shown


def test_a_phone_holds_only_so_many_settings() -> None:
    full = PhoneSettings(
        {(f"s{n}", None): None for n in range(MAX_SETTINGS)}  # type: ignore[misc]
    )
    change = full.provision("one_more", "x")
    assert not change.applied
    assert str(MAX_SETTINGS) in change.reason


def test_settings_survive_their_own_json() -> None:
    settings = put(PhoneSettings(), "a\nb ü", "!", idx=3)
    again = PhoneSettings.from_list(json.loads(json.dumps(settings.as_list())))
    assert again == settings


@pytest.mark.parametrize("rows", [None, 5, [{}], [{"name": 1}], ["x"]])
def test_broken_settings_are_the_documented_error(rows: object) -> None:
    with pytest.raises(StorageError, match="settings cannot be read"):
        PhoneSettings.from_list(rows)
