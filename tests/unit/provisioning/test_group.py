import pytest

from linekey.errors import InputError
from linekey.provisioning.group import Group, parse_group, parse_policy


def test_a_name_is_kept_in_one_spelling() -> None:
    assert parse_group(" ACME-Berlin.2 ") == "acme-berlin.2"


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "ä", "a/b", "=a", "a" * 49])
def test_what_is_no_name_is_told(name: str) -> None:
    with pytest.raises(InputError, match="not a group's name"):
        parse_group(name)


def test_a_ca_is_allowed_by_its_key() -> None:
    group = Group("acme", authorities={"certificate": "key"})
    assert group.allows(("other", "key"))
    assert not group.allows(("certificate",))
    assert not group.allows(())
    assert not Group("acme", authorities={}).allows(("key",))
    assert Group("acme").allows(())


def test_a_policy_is_read_and_its_misspelling_told() -> None:
    assert parse_policy("Blanked_for_shared = ON") == ("blanked_for_shared", "on")
    assert parse_policy("blanked_for_shared=default") == ("blanked_for_shared", "")
    with pytest.raises(InputError, match="no policy") as told:
        parse_policy("blanked_for_sharde=on")
    assert "did you mean blanked_for_shared" in told.value.hint
    with pytest.raises(InputError, match="cannot be 'maybe'"):
        parse_policy("blanked_for_shared=maybe")
