"""Test servers' pieces: keys that stay, a group by its formula, programs that are missing."""

import asyncio
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from linekey.certs.pem import private_key_to_pem
from linekey.errors import LinekeyError
from linekey.lab.authority import LabAuthority
from linekey.lab.servers import programs
from linekey.lab.servers.catalogue import BY_NAME
from linekey.lab.servers.certificates import Pki
from linekey.lab.servers.own import flight
from linekey.lab.servers.programs import oakley_1024_pem, program_path
from linekey.lab.servers.running import Launcher
from linekey.tls.messages import (
    CertificateMessage,
    FlightReader,
    ServerHello,
    ServerHelloDone,
)  # fmt: skip

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
# RFC 2409 §6.2 prints the prime; its first and last 128 bits, and some in between
BEGINS, WITHIN, ENDS = (
    "ffffffffffffffffc90fdaa22168c234",
    "8a67cc74020bbea6",
    "49286651ece65381ffffffffffffffff",
)


def test_the_1024_bit_group_is_the_rfcs() -> None:
    begin, *lines, end = oakley_1024_pem().splitlines()
    assert begin.strip("-") == "BEGIN DH PARAMETERS"
    assert end.strip("-") == "END DH PARAMETERS"
    text = b64decode("".join(lines)).hex()
    head, tail = "30818702818100", "020102"  # SEQUENCE, INTEGER; generator 2
    assert text.startswith(head + BEGINS)
    assert text.endswith(ENDS + tail)
    assert WITHIN in text
    assert len(text) == len(head) + 1024 // 4 + len(tail)


def test_the_root_is_the_same_from_one_start_to_the_next(tmp_path: Path) -> None:
    first = Pki(tmp_path / "keys", NOW)
    root, leaf = first.root.certificate, first.make("right").chain[0]
    again = Pki(tmp_path / "keys", NOW.replace(year=2028))
    assert again.root.certificate == root
    assert again.make("right").chain[0] != leaf
    for path in (tmp_path / "keys").glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600
    shown = first.make("right")
    assert private_key_to_pem(shown.key).decode()[40:80] not in repr(shown)


def test_a_scripted_flight_reads_as_a_server_hello_a_chain_and_the_end(
    tmp_path: Path,
) -> None:
    chain = Pki(tmp_path / "keys", NOW).make("right").chain
    hello, certificates, done = FlightReader().feed(flight(0x000A, 0x0301, chain))
    assert isinstance(hello, ServerHello)
    assert (hello.suite_number, hello.version) == (0x000A, 0x0301)
    assert isinstance(certificates, CertificateMessage)
    assert list(certificates.chain_der) == [c.der for c in chain]
    assert isinstance(done, ServerHelloDone)


def test_a_program_that_is_missing_is_told_with_its_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda *_, **__: None)
    with pytest.raises(LinekeyError, match="haproxy is not installed") as caught:
        program_path("haproxy")
    assert "make peers" in caught.value.hint


async def test_a_program_that_ends_at_once_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "program_path", lambda name: "/bin/false")
    lab = LabAuthority.open(tmp_path / "lab")
    launcher = Launcher(tmp_path / "servers", NOW, lab)
    with pytest.raises(LinekeyError, match="ended at once: without a word"):
        async with asyncio.timeout(20), launcher.started(BY_NAME["right"]):
            pytest.fail("it does not run")
    assert not list((tmp_path / "servers").glob("run-*"))
