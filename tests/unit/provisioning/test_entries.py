"""One setting each; what layers do with them is in ``test_document``."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.catalog.secrecy import is_secret, is_secret_value
from linekey.errors import InputError
from linekey.provisioning.entries import Mark, Setting, setting_of

NAMES = st.sampled_from(["language", "user_pass", "user_pass1", "zzyzx", "api_key"])
VALUES = st.text(alphabet="ab1:/@=&%\"' ", max_size=30) | st.sampled_from(
    ["Basic 12345678", "Bearer abcdefgh", "https://u:pw@h/", "BasicAuthentication12"]
)
MARKS = st.sampled_from([None, Mark.SECRET, Mark.PUBLIC])


@given(NAMES, VALUES, MARKS)
def test_what_was_found_out_once_is_of_this_value_alone(
    name: str, value: str, mark: Mark | None
) -> None:
    setting = Setting(name, value, mark=mark)
    known = name not in ("zzyzx", "api_key")
    expected = (
        mark is Mark.SECRET
        or is_secret_value(value)
        or (is_secret(name) and (known or mark is not Mark.PUBLIC))
    )
    assert setting.secret is setting.secret is expected
    assert setting == Setting(name, value, mark=mark)
    assert hash(setting) == hash(Setting(name, value, mark=mark))
    other = replace(setting, name="language", value="Deutsch", mark=None)
    assert not other.secret
    assert replace(other, mark=Mark.SECRET).secret


def test_the_same_words_are_the_same_setting() -> None:
    assert setting_of("language", "Deutsch") is setting_of("language", "Deutsch")
    assert setting_of("user_name", "1", 1) == Setting("user_name", "1", 1)
    assert setting_of("user_name", "1", 1) != setting_of("user_name", "1", 2)
    for _ in range(2):
        with pytest.raises(InputError, match="not a setting name"):
            setting_of("no name", "")
