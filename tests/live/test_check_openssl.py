"""``linekey check`` against real openssl servers, set up right and wrong."""

import json
import os
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.certificates import DAY, ca, key, leaf

from linekey.catalog.profile import profile
from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.certs.pem import PrivateKey, private_key_to_pem, to_pem
from linekey.tls.engine import Accept, ClientEngine, client_context
from linekey.tls.hello import build_client_hello

pytestmark = pytest.mark.peer("openssl")

TODAY = datetime.now(UTC).replace(microsecond=0)
SPAN = {"not_before": TODAY - DAY, "not_after": TODAY + 800 * DAY}
ROOT = ca("live root", **SPAN)
MIDDLE = ca("live middle", ROOT, **SPAN)
NAME = "localhost"
LINEKEY = str(Path(sysconfig.get_path("scripts")) / "linekey")


def server(
    issuer: Issuer | None, *dns: str, leaf_key: PrivateKey | None = None, **kw: object
) -> Certificate:
    fields: dict[str, object] = {
        "not_before": TODAY - DAY,
        "not_after": TODAY + 90 * DAY,
    }
    fields.update(kw)
    return leaf(issuer, *dns, leaf_key=leaf_key, **fields)  # type: ignore[arg-type]


@contextmanager
def s_server(
    folder: Path,
    chain: tuple[Certificate, ...],
    server_key: PrivateKey,
    *options: str,
) -> Iterator[int]:
    """``openssl s_server`` on a port of its own choice; stopped at the end."""
    (folder / "cert.pem").write_text(to_pem(chain[0]))
    (folder / "chain.pem").write_text("".join(map(to_pem, chain[1:])))
    (folder / "key.pem").write_bytes(private_key_to_pem(server_key))
    command = [
        "openssl", "s_server", "-accept", "127.0.0.1:0", "-www",
        "-cert", "cert.pem", "-key", "key.pem",
    ]  # fmt: skip
    if len(chain) > 1:
        command += ["-cert_chain", "chain.pem"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b"ACCEPT "):
                port = int(line.rsplit(b":", 1)[1])
                break
        else:
            pytest.fail("openssl s_server did not start")
        yield port
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def check(*arguments: str) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [LINEKEY, "check", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def outcome(report: dict[str, object], model: str, firmware: str) -> dict[str, object]:
    for row in report["classes"]:  # type: ignore[attr-defined]
        if {"model": model, "firmware": firmware} in row["phones"]:
            return row  # type: ignore[no-any-return]
    raise AssertionError(f"{model} {firmware} is in no class")


def refusals(row: dict[str, object]) -> list[str]:
    return [
        f["rule"]
        for f in row["findings"]  # type: ignore[attr-defined]
        if not f["ok"] and f["severity"] == "refused"
    ]


NEW, OLD, TLS10 = ("D785", "10.1.33.33"), ("D715", "8.7.5.35"), ("370", "8.7.5.57")
SSL3 = ("300", "8.7.3.25.9")


@dataclass(frozen=True)
class Case:
    """One server, and what a new phone, and an old one, must make of it."""

    id: str
    chain: tuple[Certificate, ...]
    key: PrivateKey
    options: tuple[str, ...]
    new: tuple[str, tuple[str, ...]]
    old: str
    tls10: str


LEAF = key("leaf")
EC = key("live ec", "ec", "secp256r1")
MID = MIDDLE.certificate
CASES = (
    Case("right", (server(MIDDLE, NAME), MID), LEAF, (), ("accepted", ()),
           "accepted", "server_refuses"),
    Case("right, old versions too", (server(MIDDLE, NAME), MID), LEAF,
           ("-cipher", "ALL:@SECLEVEL=0", "-min_protocol", "TLSv1"),
           ("accepted", ()), "accepted", "accepted"),
    Case("expired", (server(MIDDLE, NAME, not_before=TODAY - 9 * DAY,
                              not_after=TODAY - DAY), MID), LEAF, (),
           ("phone_refuses", ("chain.expired",)), "accepted", "server_refuses"),
    Case("wrong name", (server(MIDDLE, "other.example.com"), MID), LEAF, (),
           ("phone_refuses", ("name.mismatch",)), "accepted", "server_refuses"),
    Case("no intermediate", (server(MIDDLE, NAME),), LEAF, (),
           ("phone_refuses", ("chain.incomplete",)), "accepted", "server_refuses"),
    Case("self-signed", (server(None, NAME),), LEAF, (),
           ("phone_refuses", ("chain.self-signed",)), "accepted", "server_refuses"),
    Case("ec only", (server(MIDDLE, NAME, leaf_key=EC), MID), EC, (),
           ("accepted", ()), "accepted", "server_refuses"),
    Case("for clients only", (server(MIDDLE, NAME,
                                       extended_key_usage=["clientAuth"]), MID),
           LEAF, (), ("phone_refuses", ("chain.purpose",)), "accepted",
           "server_refuses"),
    Case("tls 1.3 only", (server(MIDDLE, NAME), MID), LEAF, ("-tls1_3",),
           ("server_refuses", ("tls.version",)), "server_refuses", "server_refuses"),
    Case("cn only", (server(MIDDLE, cn=(NAME,)), MID), LEAF, (), ("accepted", ()),
           "accepted", "server_refuses"),
    Case("sha-1 leaf", (server(MIDDLE, NAME, hash="sha1"), MID), LEAF,
           ("-cipher", "DEFAULT:@SECLEVEL=0", "-min_protocol", "TLSv1"), ("accepted", ()), "accepted",
           "accepted"),
    Case("version 1", (server(MIDDLE, cn=(NAME,), version=1, key_ids=False), MID),
           LEAF, (), ("accepted", ()), "accepted", "server_refuses"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda a: a.id)
def test_each_server_is_judged_as_it_must_be(case: Case, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(to_pem(ROOT.certificate))
    with s_server(tmp_path, case.chain, case.key, *case.options) as port:
        code, report = check(
            f"{NAME}:{port}", "--trust", str(tmp_path / "root.pem"), "--rate", "200"
        )
    new, old, tls10, ssl3 = (
        outcome(report, *phone) for phone in (NEW, OLD, TLS10, SSL3)
    )
    assert (new["outcome"], tuple(refusals(new))) == case.new
    assert old["outcome"] == case.old
    assert tls10["outcome"] == case.tls10
    assert ssl3["outcome"] == "server_refuses"  # no OpenSSL speaks 3DES any more
    assert code == 1
    # each hello once, and at most five variants of it
    hellos = {row["hello"]["origin"] for row in report["classes"]}  # type: ignore[attr-defined]
    assert report["connections"] <= 6 * len(hellos)  # type: ignore[operator]


def test_one_phone_that_accepts_is_exit_status_0(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(to_pem(ROOT.certificate))
    chain = (server(MIDDLE, NAME), MID)
    with s_server(tmp_path, chain, LEAF) as port:
        code, report = check(
            f"{NAME}:{port}", "--model", "D785", "--firmware", "10.1.33.33",
            "--trust", str(tmp_path / "root.pem"), "--calendar",
        )  # fmt: skip
    assert code == 0
    assert report["calendar"]


def identity_file(folder: Path, issuer: Issuer) -> Path:
    own = key("live phone")
    certificate = server(issuer, cn=("000413AABBCC",), leaf_key=own)
    path = folder / "phone.pem"
    path.write_text(to_pem(certificate) + to_pem(issuer.certificate))
    with path.open("ab") as file:
        file.write(private_key_to_pem(own))
    return path


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_demanded_client_certificate_is_tried_for_real(
    known: bool, tmp_path: Path
) -> None:
    (tmp_path / "root.pem").write_text(to_pem(ROOT.certificate))
    issuer = MIDDLE if known else ca("stranger", **SPAN)
    identity = identity_file(tmp_path, issuer)
    chain = (server(MIDDLE, NAME), MID)
    options = ("-Verify", "3", "-verify_return_error", "-CAfile", "root.pem")
    with s_server(tmp_path, chain, LEAF, *options) as port:
        code, report = check(
            f"{NAME}:{port}", "--model", "D785", "--firmware", "10.1.33.33",
            "--trust", str(tmp_path / "root.pem"), "--identity", str(identity),
        )  # fmt: skip
    (row,) = report["classes"]  # type: ignore[misc]
    assert row["client_certificate"]["tried"]
    if known:
        assert (code, row["outcome"]) == (0, "accepted")
        assert row["client_certificate"]["status"] == 200
    else:
        assert (code, row["outcome"]) == (1, "server_refuses")
        assert refusals(row) == ["client.refused"]


def test_a_captured_tls_1_3_hello_gets_its_answer_from_a_real_handshake(
    tmp_path: Path,
) -> None:
    (tmp_path / "root.pem").write_text(to_pem(ROOT.certificate))
    context = client_context(verify=lambda chain: Accept())
    capture = tmp_path / "hello.hex"
    hello = ClientEngine(context, server_name=NAME).take_output()
    capture.write_text(hello.hex(" "))
    chain = (server(MIDDLE, "other.example.com"), MID)
    with s_server(tmp_path, chain, LEAF, "-tls1_3") as port:
        code, report = check(
            f"{NAME}:{port}", "--model", "D785", "--firmware", "10.1.33.33",
            "--trust", str(tmp_path / "root.pem"), "--hello", str(capture),
        )  # fmt: skip
    (row,) = report["classes"]  # type: ignore[misc]
    assert row["hello"]["origin"] == "captured: hello.hex"
    assert row["negotiated"]["version"] == "TLSv1.3"
    assert len(row["path"]) == 3
    assert refusals(row) == ["name.mismatch"]
    assert code == 1


def test_a_tls_1_3_server_that_demands_a_certificate_is_told(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(to_pem(ROOT.certificate))
    context = client_context(verify=lambda chain: Accept())
    capture = tmp_path / "hello.bin"
    capture.write_bytes(ClientEngine(context, server_name=NAME).take_output())
    options = ("-Verify", "3", "-CAfile", "root.pem", "-tls1_3")
    with s_server(tmp_path, (server(MIDDLE, NAME), MID), LEAF, *options) as port:
        _, report = check(
            f"{NAME}:{port}", "--model", "D785", "--firmware", "10.1.33.33",
            "--trust", str(tmp_path / "root.pem"), "--hello", str(capture),
        )  # fmt: skip
    (row,) = report["classes"]  # type: ignore[misc]
    assert row["client_certificate"]["asked"]


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_tls_1_3_server_refuses_after_the_handshake_and_that_is_seen(
    known: bool, tmp_path: Path
) -> None:
    (tmp_path / "root.pem").write_text(to_pem(ROOT.certificate))
    identity = identity_file(tmp_path, MIDDLE if known else ca("stranger", **SPAN))
    context = client_context(verify=lambda chain: Accept())
    capture = tmp_path / "hello.bin"
    capture.write_bytes(ClientEngine(context, server_name=NAME).take_output())
    options = ("-Verify", "3", "-verify_return_error", "-CAfile", "root.pem", "-tls1_3")
    with s_server(tmp_path, (server(MIDDLE, NAME), MID), LEAF, *options) as port:
        _, report = check(
            f"{NAME}:{port}", "--model", "D785", "--firmware", "10.1.33.33",
            "--trust", str(tmp_path / "root.pem"), "--hello", str(capture),
            "--identity", str(identity),
        )  # fmt: skip
    (row,) = report["classes"]  # type: ignore[misc]
    if known:
        assert row["outcome"] == "accepted"
    else:
        assert row["outcome"] == "server_refuses"
        assert refusals(row) == ["client.refused"]
        assert "after the handshake" in row["reason"]


def test_nobody_there_is_exit_status_3(tmp_path: Path) -> None:
    with s_server(tmp_path, (server(None, NAME),), LEAF) as port:
        pass
    code, report = check(f"127.0.0.1:{port}")
    assert code == 3
    assert report["counts"]["unreachable"] == len(report["classes"])  # type: ignore[arg-type,index]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["localhost", "--chain", "x.pem"],
        ["--chain", "/nonexistent.pem", "--name", "x"],
        ["--chain", "x.pem"],
        ["localhost", "--model", "D78"],
        ["localhost", "--at", "soon"],
        ["localhost", "--fleet", "--all"],
        ["local host"],
    ],
)
def test_wrong_usage_is_exit_status_2_with_a_hint(arguments: list[str]) -> None:
    done = subprocess.run(
        [LINEKEY, "check", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_chain_that_is_not_deployed_is_judged_and_the_page_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "full.pem"
    path.write_text("".join(map(to_pem, (server(MIDDLE, NAME), MID))))
    page = tmp_path / "report.html"
    code, report = check("--chain", str(path), "--name", NAME, "--html", str(page))
    assert code == 1
    assert report["target"]["kind"] == "chain"  # type: ignore[index]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("form", ["raw", "hex"])
def test_another_makers_phone_is_judged_by_its_captured_hello(
    tmp_path: Path, form: str
) -> None:
    """First unknown; with its hello, all but its CAs; with the CA, all."""
    leaf_key = key("other maker")
    chain = (server(MIDDLE, NAME, leaf_key=leaf_key), MIDDLE.certificate)
    hello = build_client_hello(
        replace(profile("D785", "10.1.33.33").client_hello(NAME), random=b"\x01" * 32)
    )
    captured = tmp_path / "hello"
    captured.write_bytes(hello if form == "raw" else hello.hex().encode())
    root = tmp_path / "root.pem"
    root.write_text(to_pem(ROOT.certificate))
    with s_server(tmp_path, chain, leaf_key) as port:
        where = (f"localhost:{port}", "--model", "T46U")
        unknown = check(*where)[1]
        assert unknown["counts"]["unknown"] == 1
        assert unknown["connections"] == 0
        untrusted = check(*where, "--hello", str(captured))[1]
        assert untrusted["classes"][0]["outcome"] == "phone_refuses"
        assert untrusted["classes"][0]["negotiated"]["version"] == "TLSv1.2"
        known = check(*where, "--hello", str(captured), "--trust", str(root))[1]
        assert known["classes"][0]["outcome"] == "accepted"
        assert known["classes"][0]["hello"]["origin"] == "captured: hello"
