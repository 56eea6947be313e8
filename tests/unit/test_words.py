"""Numbers have their nouns, and wrong words are told the right ones."""

from linekey.words import choice_hint, counted


def test_a_number_has_its_noun() -> None:
    assert counted(0, "phone") == "0 phones"
    assert counted(1, "phone") == "1 phone"
    assert counted(1200, "phone") == "1,200 phones"
    assert counted(1, "authority", "authorities") == "1 authority"
    assert counted(2, "authority", "authorities") == "2 authorities"


def test_a_wrong_word_is_told_the_nearest_and_all() -> None:
    roles = ("viewer", "helpdesk", "admin")
    said = choice_hint("Viwer", roles)
    assert said == "did you mean viewer? one of viewer, helpdesk, admin"
    assert choice_hint("x" * 10_000, roles) == "one of viewer, helpdesk, admin"
