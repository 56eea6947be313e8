"""Completion in the shells themselves: typed at a terminal, with the key TAB."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = f"""#!{sys.executable}
from linekey.cli.main import main
main()
"""
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r|\x07")


class Terminal:
    """A shell at a terminal of its own."""

    def __init__(self, words: list[str], home: Path) -> None:
        self.seen = ""
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, close_fds=True,
            start_new_session=True, cwd=home,
            env={"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin", "TERM": "dumb",
                 "PS1": "ready> ", "LINEKEY_STATE": str(home / "state")},
        )  # fmt: skip
        os.close(slave)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], left)[0]:
                read = os.read(self.master, 65536).decode(errors="replace")
                self.seen += _CODES.sub("", read)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self.master)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "linekey"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (tmp_path / "my-chain.pem").touch()
    return tmp_path


def script(shell: str, home: Path) -> str:
    return subprocess.run(
        [home / "bin" / "linekey", "completion", shell],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip


@pytest.fixture
def bash(home: Path) -> Iterator[Terminal]:
    (home / "linekey.bash").write_text(script("bash", home))
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], home)
    terminal.wait_for("ready> ")
    terminal.type(". ./linekey.bash; echo loa''ded\n")
    terminal.wait_for("loaded")
    yield terminal
    terminal.close()


@pytest.fixture
def zsh(home: Path) -> Iterator[Terminal]:
    (home / ".zfunc").mkdir()
    (home / ".zfunc" / "_linekey").write_text(script("zsh", home))
    (home / ".zshrc").write_text(
        "fpath=(~/.zfunc $fpath)\nautoload -U compinit && compinit -u\nPS1='ready> '\n"
    )
    terminal = Terminal(["zsh", "-i"], home)
    terminal.wait_for("ready> ")
    yield terminal
    terminal.close()


@pytest.mark.peer("bash")
def test_bash(bash: Terminal) -> None:
    bash.type("linekey dev\t")
    bash.wait_for("linekey device ")
    bash.type("add 000413AABBCC --mod\t")
    bash.wait_for("--model ")
    bash.type("D78\t")
    bash.wait_for("D785 ")
    bash.type("\x15linekey layer show mo\t")
    bash.wait_for("show model:")
    bash.type("D78\t")
    bash.wait_for("model:D785 ")
    bash.type("\x15linekey check --chain my-\t")
    bash.wait_for("my-chain.pem ")


@pytest.mark.peer("zsh")
def test_zsh(zsh: Terminal) -> None:
    zsh.type("linekey dev\t")
    zsh.wait_for("linekey device ")
    zsh.type("add 000413AABBCC --mod\t")
    zsh.wait_for("--model ")
    zsh.type("D78\t")
    zsh.wait_for("D785 ")
    zsh.type("\x15linekey layer show fle\t")
    zsh.wait_for("show fleet ")
    zsh.type("\x15linekey check --chain my-\t")
    zsh.wait_for("my-chain.pem ")


@pytest.mark.peer("fish")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("linekey dev", ["device\tRegister phones and change their records."]),
        ("linekey device add 000413AABBCC --mod", ["--model"]),
        ("linekey device add 000413AABBCC --model D78", ["D785"]),
        ("linekey layer show fle", ["fleet"]),
        ("linekey check --chain my-", ["my-chain.pem"]),
    ],
)
def test_fish(home: Path, line: str, found: list[str]) -> None:
    at = home / ".config" / "fish" / "completions"
    at.mkdir(parents=True)
    (at / "linekey.fish").write_text(script("fish", home))
    done = subprocess.run(
        ["fish", "-c", f"complete -C '{line}'"],
        env={"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin", "TERM": "dumb"},
        cwd=home, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    shown = done.stdout.splitlines()
    assert [
        s if "\t" in f else s.split("\t")[0] for s, f in zip(shown, found, strict=True)
    ] == found
