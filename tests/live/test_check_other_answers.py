"""A server answers another hello otherwise: the check asks for it, and a phone agrees."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.certificates import key
from tests.conftest import peer_path
from tests.live.test_check_nginx import NAME
from tests.live.test_check_openssl import (
    DAY,
    LEAF,
    ROOT,
    TODAY,
    check,
    outcome,
    refusals,
    s_server,
    server,
)  # fmt: skip
from tests.live.test_check_prober import Talk, saying, serving
from tests.unit.check.test_assess import ssl3_flight

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.mac import Mac
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.state import new_phone
from linekey.trust.connection import Purpose
from linekey.wire.dialer import DialError, dial

pytestmark = pytest.mark.peer("openssl")

EC = key("live ec", "ec", "secp256r1")
OTHER = key("another")
RIGHT = server(ROOT, NAME)
WRONG = server(ROOT, "other.example.com", leaf_key=OTHER, cn=("other.example.com",))
OLD = ("-cipher", "ALL:@SECLEVEL=0", "-min_protocol", "TLSv1")
SENDS, SENDS_NONE = ("D785", "10.1.33.33"), ("370", "8.7.5.57")


@contextmanager
def by_name(folder: Path, *, default: bool) -> Iterator[int]:
    """A server that shows one certificate to whom names it, and another by default.

    ``default``: the default one is the right one.
    """
    (folder / "named.pem").write_text(to_pem(WRONG if default else RIGHT))
    (folder / "named.key").write_bytes(private_key_to_pem(OTHER if default else LEAF))
    shown, own = (RIGHT, LEAF) if default else (WRONG, OTHER)
    options = (
        "-servername", NAME, "-cert2", "named.pem", "-key2", "named.key", *OLD,
    )  # fmt: skip
    with s_server(folder, (shown,), own, *options) as port:
        yield port


async def phone_meets(phone: tuple[str, str], port: int) -> tuple[bool, str, str]:
    """Whether a virtual phone accepts, whose certificate it saw, what it says of it."""
    model, firmware = phone
    state = new_phone(
        Mac("000413200000"), model, firmware, authorities=(ROOT.certificate,)
    )
    state = replace(state, server_authentication=True)
    offer = VirtualPhone(state).offer()
    try:
        stream = await dial(Purpose.PROVISIONING, NAME, port, offer=offer)
    except DialError as error:
        report = error.report
    else:
        report = stream.report()
        await stream.aclose()
    return report.completed, report.chain[0].label, " ".join(report.notes)


def checked(folder: Path, port: int, phone: tuple[str, str]) -> dict[str, object]:
    (folder / "root.pem").write_text(to_pem(ROOT.certificate))
    (folder / "on.xml").write_text(
        "<settings><phone-settings>"
        "<tls_server_authentication>on</tls_server_authentication>"
        "<check_fqdn_against_server_cert>on</check_fqdn_against_server_cert>"
        "</phone-settings></settings>"
    )
    arguments = ["--trust", str(folder / "root.pem"), "--rate", "200"]
    if phone[1] != SENDS[1]:
        arguments += ["--settings", str(folder / "on.xml")]
    _, report = check(
        f"{NAME}:{port}", "--model", phone[0], "--firmware", phone[1], *arguments
    )
    return outcome(report, *phone)


def said(row: dict[str, object], rule: str) -> list[dict[str, object]]:
    return [f for f in row["findings"] if f["rule"] == rule]  # type: ignore[attr-defined]


@pytest.mark.parametrize("default", [False, True], ids=["named right", "default right"])
def test_phone_and_check_see_the_same_certificate_and_the_doubt_stands_first(
    default: bool, tmp_path: Path
) -> None:
    with by_name(tmp_path, default=default) as port:
        row = checked(tmp_path, port, SENDS)
        completed, label, notes = asyncio.run(phone_meets(SENDS, port))
    shown = WRONG if default else RIGHT
    assert row["path"][0]["label"] == label == shown.label  # type: ignore[index]
    assert (row["outcome"] == "accepted") is completed is not default
    (doubt,) = said(row, "phone.server-name")
    assert row["reason"] == doubt["message"]
    assert row["doubt"] == "depends on whether this firmware sends a server name (SNI)"
    assert "with it the server shows" in row["reason"]
    assert WRONG.label in row["reason"]  # type: ignore[operator]
    assert RIGHT.label in row["reason"]  # type: ignore[operator]
    assert ("linekey check" in notes) is default


@pytest.mark.peer("nginx")
def test_nginxs_default_server_is_what_a_phone_without_a_name_sees(
    tmp_path: Path,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    servers = ""
    for name, default, chain, own in (
        ("other.example.com", " default_server", WRONG, OTHER), (NAME, "", RIGHT, LEAF),
    ):  # fmt: skip
        (tmp_path / f"{name}.pem").write_text(to_pem(chain))
        (tmp_path / f"{name}.key").write_bytes(private_key_to_pem(own))
        servers += (
            f"server {{ listen 127.0.0.1:{port} ssl{default}; server_name {name};"
            f" ssl_certificate {tmp_path}/{name}.pem;"
            f" ssl_certificate_key {tmp_path}/{name}.key;"
            " ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0;"
            " location / { return 204; } }\n"
        )
    folders = "".join(
        f"{kind}_temp_path {tmp_path}/{kind}; "
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {folders}\n{servers}}}\n"
    )
    with running_nginx(tmp_path, port):
        new, old = (checked(tmp_path, port, phone) for phone in (SENDS, SENDS_NONE))
        met = [asyncio.run(phone_meets(phone, port)) for phone in (SENDS, SENDS_NONE)]
    for row, (_, label, _), shown in zip((new, old), met, (RIGHT, WRONG), strict=True):
        assert row["path"][0]["label"] == label == shown.label  # type: ignore[index]
    assert new["doubt"] == "depends on whether this firmware sends a server name (SNI)"


@contextmanager
def running_nginx(folder: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [peer_path("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder)],
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.05)
        yield
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(10)


def test_a_row_without_a_name_is_asked_without_it_and_sees_the_default_one(
    tmp_path: Path,
) -> None:
    with by_name(tmp_path, default=False) as port:
        row = checked(tmp_path, port, SENDS_NONE)
        _, label, _ = asyncio.run(phone_meets(SENDS_NONE, port))
    assert row["hello"]["server_name"] is None  # type: ignore[index]
    assert row["path"][0]["label"] == label == WRONG.label  # type: ignore[index]
    (told,) = said(row, "phone.server-name")
    assert f"without it the server shows {WRONG.label}" in told["message"]
    assert row["doubt"]


def test_a_server_with_one_certificate_is_in_no_doubt(tmp_path: Path) -> None:
    with s_server(tmp_path, (RIGHT,), LEAF, *OLD) as port:
        row = checked(tmp_path, port, SENDS)
    assert row["doubt"] == ""
    (held,) = said(row, "phone.server-name")
    assert held["ok"]
    assert RIGHT.label in held["message"]  # type: ignore[operator]


@pytest.mark.parametrize("bad", ["RSA", "ECDSA"])
def test_a_port_with_two_certificates_is_asked_for_both(
    bad: str, tmp_path: Path
) -> None:
    gone = {"not_before": TODAY - 9 * DAY, "not_after": TODAY - DAY}
    rsa = server(ROOT, NAME, **(gone if bad == "RSA" else {}))
    ec = server(ROOT, NAME, leaf_key=EC, cn=("ec",), **(gone if bad == "ECDSA" else {}))
    (tmp_path / "ec.pem").write_text(to_pem(ec))
    (tmp_path / "ec.key").write_bytes(private_key_to_pem(EC))
    options = ("-dcert", "ec.pem", "-dkey", "ec.key", "-serverpref")
    # the server's own order, with the good one first: that is what phones meet
    first, last = ("ECDSA", "RSA") if bad == "RSA" else ("RSA", "ECDSA")
    order = f"ECDHE-{first}-AES128-GCM-SHA256:ECDHE-{last}-AES128-GCM-SHA256"
    with s_server(tmp_path, (rsa,), LEAF, *options, "-cipher", order) as port:
        row = checked(tmp_path, port, SENDS)
    assert row["outcome"] == "accepted"
    (told,) = said(row, "chain.other-certificate")
    assert not told["ok"]
    assert f"another certificate for {bad} suites" in told["message"]  # type: ignore[operator]
    assert "expired" in told["message"]  # type: ignore[operator]
    assert row["doubt"] == "", "the server's own order leaves no doubt"


def test_a_server_that_follows_the_phones_order_leaves_it_in_doubt(
    tmp_path: Path,
) -> None:
    gone = server(
        ROOT, NAME, leaf_key=EC, not_before=TODAY - 9 * DAY, not_after=TODAY - DAY
    )
    (tmp_path / "ec.pem").write_text(to_pem(gone))
    (tmp_path / "ec.key").write_bytes(private_key_to_pem(EC))
    options = ("-dcert", "ec.pem", "-dkey", "ec.key")
    suites = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
    with s_server(tmp_path, (RIGHT,), LEAF, *options, "-cipher", suites) as port:
        row = checked(tmp_path, port, SENDS)
    (told,) = said(row, "phone.suite-order")
    assert row["reason"] == told["message"]
    assert "expired" in told["message"]  # type: ignore[operator]


# --- a server that hangs up, or is silent


async def silent_to_old(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Not a byte for a hello below TLS 1.2, an alert for any other."""
    hello = await reader.read(4096)
    if hello[9:11] >= b"\x03\x03":
        writer.write(b"\x15\x03\x03\x00\x02\x02\x28")
    else:
        await reader.read(4096)  # until the other end has waited long enough


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


async def hang_up_on_old(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """No word for a hello below TLS 1.2, an alert for any other."""
    hello = await reader.read(4096)
    if hello[9:11] >= b"\x03\x03":
        writer.write(b"\x15\x03\x03\x00\x02\x02\x28")
        await writer.drain()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4096)


async def verdict_of(talk, *arguments: str):  # type: ignore[no-untyped-def]
    async with serving(talk) as port:
        return await asyncio.to_thread(
            check, f"127.0.0.1:{port}", "--rate", "200", *arguments
        )


OLD_ALONE = ("--model", "370", "--firmware", "8.7.5.57")


@pytest.mark.parametrize("arguments", [(), OLD_ALONE], ids=["fleet", "one"])
@pytest.mark.parametrize("talk", [hang_up_on_old, silent_to_old])
async def test_a_server_that_leaves_one_hello_without_a_word_refuses_that_phone(
    talk: Talk, arguments: tuple[str, ...]
) -> None:
    code, report = await verdict_of(talk, "--timeout", "2", *arguments)
    row = outcome(report, "370", "8.7.5.57")
    assert (code, row["outcome"]) == (1, "server_refuses")
    assert refusals(row) == ["tls.alert"]
    assert "answers another hello" in row["reason"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("model", "said"), [(SENDS, "refused"), (SENDS_NONE, "silent")]
)
async def test_a_phone_that_meets_silence_says_that_it_cannot_know_which(
    model: tuple[str, str], said: str
) -> None:
    offer = VirtualPhone(new_phone(Mac("000413200000"), *model)).offer()
    async with serving(silent_to_old) as port:
        with pytest.raises(DialError) as met:
            await dial(
                Purpose.SIP, "127.0.0.1", port, offer=offer, handshake_limit_s=1.0
            )
    assert (met.value.refused, "is silent" in met.value.message) == (
        said == "refused",
        said == "silent",
    )
    assert ("linekey check" in met.value.hint) is (said == "silent")


@pytest.mark.parametrize("arguments", [(), OLD_ALONE], ids=["fleet", "one"])
@pytest.mark.parametrize("talk", [hang_up, silent])
async def test_one_that_answers_no_hello_is_not_reached(
    talk: Talk, arguments: tuple[str, ...]
) -> None:
    code, report = await verdict_of(talk, "--timeout", "1", *arguments)
    assert (code, report["counts"]["unreachable"]) == (3, len(report["classes"]))


async def test_an_ssl_3_server_is_taken_by_the_row_that_speaks_it() -> None:
    async with serving(saying(ssl3_flight((RIGHT,)))) as port:
        arguments = ("--firmware", "8.7.3.25.9", "--rate", "200", "--model", "300")
        code, report = await asyncio.to_thread(check, f"127.0.0.1:{port}", *arguments)
    (row,) = report["classes"]  # type: ignore[misc]
    assert (code, row["outcome"], row["negotiated"]["version"]) == (
        0,
        "accepted",
        "SSLv3",
    )
