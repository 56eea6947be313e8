"""The neutral vocabulary."""

import pytest

from linekey.errors import InputError
from linekey.makers.terms import TERMS, check, is_term, problem_of


@pytest.mark.parametrize(
    ("name", "idx", "value"),
    [
        ("any.account.user", 1, "4711"),
        ("any.account.registrar", 48, "[2001:db8::1]:5061"),
        ("any.account.registrar", 1, "pbx.example.com"),
        ("any.account.transport", 1, "tls"),
        ("any.account.expires", 1, "3600"),
        ("any.key.type", 400, "blf"),
        ("any.provisioning.url", None, "https://prov.example.com/a"),
        ("any.language", None, "de"),
        ("any.trust.min_tls", None, "1.2"),
        ("any.account.label", 1, ""),
        ("any.provisioning.url", None, "********"),
    ],
)
def test_what_a_term_may_say(name: str, idx: int | None, value: str) -> None:
    assert problem_of(name, idx, value) == ""


@pytest.mark.parametrize(
    ("name", "idx", "value"),
    [
        ("any.account.user", None, "4711"),
        ("any.account.user", 0, "4711"),
        ("any.account.user", 49, "4711"),
        ("any.language", 1, "de"),
        ("any.language", None, "deutsch"),
        ("any.account.transport", 1, "TLS"),
        ("any.account.transport", 1, "sctp"),
        ("any.account.expires", 1, "0"),
        ("any.account.expires", 1, "-5"),
        ("any.account.expires", 1, "٣"),
        ("any.account.registrar", 1, "sip:pbx"),
        ("any.account.registrar", 1, "a b"),
        ("any.account.registrar", 1, "pbx:99999"),
        ("any.provisioning.url", None, "ftp://x/"),
        ("any.provisioning.url", None, "https://u:p@x/"),
        ("any.nonsense", None, "1"),
    ],
)
def test_what_it_may_not(name: str, idx: int | None, value: str) -> None:
    problem = problem_of(name, idx, value)
    assert problem
    assert value not in problem or len(value) < 3
    with pytest.raises(InputError):
        check(name, idx, value)


def test_the_secret_ones_are_four() -> None:
    assert {t.name for t in TERMS.values() if t.secret} == {
        "any.account.password", "any.directory.password",
        "any.provisioning.password", "any.admin.password",
    }  # fmt: skip


def test_terms_are_told_by_their_beginning() -> None:
    assert is_term("any.x")
    assert not is_term("anything")
