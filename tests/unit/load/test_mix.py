"""The mix: what is read, what is refused, and how often a kind comes."""

from collections import Counter

import pytest

from linekey.errors import InputError
from linekey.load.mix import KINDS, Mix


def test_a_mix_is_read_in_the_order_of_a_phones_life_and_written_back() -> None:
    mix = Mix.parse(" keys=3, register,boot , lookup")
    assert mix.text == "boot,register,keys=3,lookup"
    assert Mix.parse(mix.text) == mix
    assert mix.again == {"keys": 3, "lookup": 1}
    assert "boot" in mix
    assert "refresh" not in mix


def test_what_comes_first_is_repeated_only_with_a_weight() -> None:
    assert Mix.parse("boot,register").choose(0.5) is None
    assert Mix.parse("boot=1,register").choose(0.99) == "boot"


@pytest.mark.parametrize("chance", [0.0, 0.999999, 1.0])
def test_every_chance_has_a_kind(chance: float) -> None:
    assert Mix.parse("refresh,keys").choose(chance) in ("refresh", "keys")


def test_kinds_come_by_their_weights() -> None:
    mix = Mix.parse("boot,refresh,keys=3")
    seen = Counter(mix.choose(n / 400) for n in range(400))
    assert seen == {"refresh": 100, "keys": 300}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "--mix is empty", KINDS[0].name),
        ("boot,fly", "no phone does 'fly'", "boot"),
        ("lokup", "'lokup'", "did you mean lookup"),
        ("boot,boot", "boot twice", "once"),
        ("keys=0", "'0' is no weight", "keys=3"),
        ("keys=1001", "'1001' is no weight", "1 to 1000"),
        ("keys=", "is no weight", "keys=3"),
        ("keys=-1", "is no weight", "keys=3"),
    ],
)
def test_what_is_no_mix_is_refused_with_its_cure(
    text: str, message: str, hint: str
) -> None:
    with pytest.raises(InputError) as raised:
        Mix.parse(text)
    assert message in raised.value.message
    assert hint in raised.value.hint
