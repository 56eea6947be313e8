"""Sentences with what they were made of."""

import copy
import json
import pickle

import pytest

from linekey.said import fill, say, together, words_of


def test_a_sentence_is_a_text_and_knows_what_it_was_made_of() -> None:
    said = say("%(count)s phones of %(who)s", count=1970, who="snom")
    assert said == "1,970 phones of snom"
    assert json.dumps([said]) == '["1,970 phones of snom"]'
    assert (said.text, said.values["count"]) == ("%(count)s phones of %(who)s", 1970)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_a_copy_knows_it_too(copied: object) -> None:
    said = copied(say("of %(vendor)s", vendor="snom"))  # type: ignore[operator]
    assert words_of([said]) == {
        "of snom": {"text": "of %(vendor)s", "values": {"vendor": "snom"}}
    }


def test_what_is_in_a_value_is_no_place() -> None:
    assert say("%(a)s, 100 %, %(b)s", a="%(b)s", b=2) == "%(b)s, 100 %, 2"
    assert fill("%(n)s", {"n": 1970}, lambda n: f"{n:,}".replace(",", ".")) == "1.970"
    with pytest.raises(KeyError):
        say("%(a)s")


def test_sentences_within_sentences_are_known_each() -> None:
    ends = together([say("%(c)s expires", c="A"), say("%(c)s expires", c="B")])
    words = words_of(["no sentence", "", say("%(what)s: %(why)s", what=ends, why="x")])
    assert set(words) == {
        "A expires and B expires: x", "A expires and B expires", "A expires",
        "B expires",
    }  # fmt: skip
    assert together(["A"]) == "A"
    assert together(("A", "B", "C")) == "A and B and C"
