"""A command of the operator's is run by no shell, and its failure told in one line."""

from linekey.cli.operators_command import failure_of


def test_what_a_command_says_when_it_fails() -> None:
    assert failure_of("true") == ""
    assert failure_of("false") == "exit status 1"
    assert "no such file" in failure_of("/nonexistent/reload now")
    assert failure_of("ls /nonexistent; echo hidden").startswith("ls: ")
    assert failure_of("echo 'unbalanced") != ""
