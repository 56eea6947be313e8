"""The first word is the phone's MAC, or is not there."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from linekey.cli.mac_first import MacArgument, MacFirst

app = typer.Typer()


@app.command(cls=MacFirst)
def submit(
    mac: MacArgument = "", *, values: Annotated[list[str], typer.Argument()]
) -> None:
    typer.echo(repr((mac, *values)))


@app.command(cls=MacFirst)
def set_it(
    mac: MacArgument = "", *, name: Annotated[str, typer.Argument()], value: Annotated[str, typer.Argument()]
) -> None:  # fmt: skip
    typer.echo(repr((mac, name, value)))


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.stdout.strip() or done.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("submit 000413AABBCC soup", ("000413AABBCC", "soup")),
        ("submit soup bread", ("", "soup", "bread")),
        ("submit 000413AABBCC", ("", "000413AABBCC")),
        ("submit 00:04:13:aa:bb:cc a b", ("00:04:13:aa:bb:cc", "a", "b")),
        ("set-it language Deutsch", ("", "language", "Deutsch")),
        ("set-it 000413AABBCC language Deutsch", ("000413AABBCC", "language", "Deutsch")),
        ("set-it xyz language Deutsch", ("xyz", "language", "Deutsch")),
        ("set-it --mac 000413AABBCC language Deutsch", ("000413AABBCC", "language", "Deutsch")),
        ("set-it language Deutsch --mac=000413AABBCC", ("000413AABBCC", "language", "Deutsch")),
        ("submit --mac 000413AABBCC 000413AABBDD", ("000413AABBCC", "000413AABBDD")),
        ("submit -- --mac", ("", "--mac")),
    ],
)  # fmt: skip
def test_words_are_dealt_from_the_left(words: str, meant: tuple[str, ...]) -> None:
    assert call(*words.split()) == (0, repr(meant))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["set-it", "language", ""], ("", "language", "")),
        (["set-it", "000413AABBCC", "language", ""], ("000413AABBCC", "language", "")),
        (["submit", ""], ("", "")),
        (["submit", "", "soup"], ("", "", "soup")),
        (["submit", "000413AABBCC", ""], ("000413AABBCC", "")),
        (["submit", "FFFFFFFFFFFF", "soup"], ("FFFFFFFFFFFF", "soup")),
    ],
)
def test_an_empty_word_is_a_word(words: list[str], meant: tuple[str, ...]) -> None:
    assert call(*words) == (0, repr(meant))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("submit", "Missing argument"),
        ("set-it 000413AABBCC language", "Missing argument"),
        ("set-it language", "Missing argument"),
        ("set-it a b c d", "unexpected extra argument"),
    ],
)
def test_too_few_and_too_many_words_are_told(words: str, said: str) -> None:
    code, text = call(*words.split())
    assert code == 2
    assert said in text
