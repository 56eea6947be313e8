"""nginx refuses a client certificate in HTTP, after a handshake that ended well."""

import json
import os
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.certificates import ca, key
from tests.conftest import peer_path
from tests.live.test_check_openssl import (
    LEAF,
    MID,
    MIDDLE,
    NAME,
    ROOT,
    SPAN,
    identity_file,
    server,
)  # fmt: skip

from linekey.certs.build import Issuer
from linekey.certs.pem import private_key_to_pem, to_pem

pytestmark = pytest.mark.peer("nginx")

LINEKEY = str(Path(sysconfig.get_path("scripts")) / "linekey")
CONFIGURATION = """\
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/full.pem;
    ssl_certificate_key {folder}/key.pem;
    ssl_client_certificate {folder}/root.pem;
    ssl_verify_client {verify};
    ssl_verify_depth {depth};
    ssl_ciphers DEFAULT:@SECLEVEL={level};
    location / {{ return 204; }}
  }}
}}
"""


@contextmanager
def nginx(
    folder: Path, verify: str = "on", depth: int = 3, level: int = 2
) -> Iterator[int]:
    """nginx in the foreground; its port is free a moment before it takes it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chain = (server(MIDDLE, NAME), MID)
    (folder / "full.pem").write_text("".join(map(to_pem, chain)))
    (folder / "key.pem").write_bytes(private_key_to_pem(LEAF))
    (folder / "root.pem").write_text(to_pem(ROOT.certificate))
    path = folder / "nginx.conf"
    path.write_text(
        CONFIGURATION.format(
            folder=folder, port=port, verify=verify, depth=depth, level=level
        )
    )
    program = peer_path("nginx")
    assert program is not None
    process = subprocess.Popen(
        [program, "-c", str(path), "-e", str(folder / "error.log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(2000):
            if process.poll() is not None:
                assert process.stderr is not None
                pytest.fail(process.stderr.read().decode())
            with socket.socket() as knock:
                knock.settimeout(0.2)
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            os.sched_yield()
        yield port
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()  # type: ignore[union-attr]


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_refusal_in_http_is_seen_and_told(known: bool, tmp_path: Path) -> None:
    issuer = MIDDLE if known else ca("stranger", **SPAN)
    identity = identity_file(tmp_path, issuer)
    with nginx(tmp_path) as port:
        done = subprocess.run(
            [
                LINEKEY, "check", f"{NAME}:{port}", "--model", "D785",
                "--firmware", "10.1.33.33", "--trust", str(tmp_path / "root.pem"),
                "--identity", str(identity), "--json",
            ],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    (row,) = json.loads(done.stdout)["classes"]
    refused = [
        f["rule"] for f in row["findings"] if f["severity"] == "refused" and not f["ok"]
    ]
    if known:
        assert (done.returncode, row["outcome"]) == (0, "accepted")
        assert row["client_certificate"]["status"] == 204
    else:
        assert (done.returncode, row["outcome"]) == (1, "server_refuses")
        assert refused == ["client.refused"]
        assert row["client_certificate"]["status"] == 400


LOW = ca("live low", MIDDLE, **SPAN)


def shown(folder: Path, issuers: tuple[Issuer, ...], bits: int, **how: object) -> Path:
    """An identity file: the leaf, and the certificates of ``issuers`` above it."""
    own = key(f"phone {bits}", "rsa", bits)
    leaf = server(issuers[0], cn=("000413AABBCC",), leaf_key=own, **how)
    path = folder / "phone.pem"
    text = to_pem(leaf) + "".join(to_pem(i.certificate) for i in issuers)
    path.write_bytes(text.encode() + private_key_to_pem(own))
    return path


def tried(folder: Path, port: int, identity: Path) -> tuple[int, dict[str, str]]:
    """The check's status, and its finding on the refusal."""
    done = subprocess.run(
        [
            LINEKEY, "check", f"{NAME}:{port}", "--model", "D785",
            "--firmware", "10.1.33.33", "--trust", str(folder / "root.pem"),
            "--identity", str(identity), "--json",
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    (row,) = json.loads(done.stdout)["classes"]
    found = [f for f in row["findings"] if f["rule"] == "client.refused"]
    return done.returncode, found[0] if found else {}


@pytest.mark.parametrize(
    ("issuers", "bits", "how", "directive", "before", "after"),
    [
        ((LOW, MIDDLE), 2048, {}, "ssl_verify_depth 3", {"depth": 1}, {"depth": 3}),
        ((MIDDLE,), 2048, {}, "ssl_verify_depth 2", {"depth": 0}, {"depth": 2}),
        ((MIDDLE,), 2048, {"hash": "sha1"}, "ssl_ciphers DEFAULT:@SECLEVEL=0",
         {"level": 1}, {"level": 0}),
        ((MIDDLE,), 1024, {}, "ssl_ciphers DEFAULT:@SECLEVEL=1", {}, {"level": 1}),
        ((MIDDLE,), 1024, {"hash": "sha1"}, "ssl_ciphers DEFAULT:@SECLEVEL=0",
         {}, {"level": 0}),
        ((MIDDLE,), 2048, {"extended_key_usage": ["serverAuth"]},
         "extendedKeyUsage = clientAuth", {}, None),
    ],
    ids=["depth", "depth-0", "sha1", "rsa1024", "sha1-rsa1024", "purpose"],
)  # fmt: skip
def test_the_cure_names_the_directive_that_then_lets_the_phone_in(
    issuers: tuple[Issuer, ...],
    bits: int,
    how: dict[str, object],
    directive: str,
    before: dict[str, int],
    after: dict[str, int] | None,
    tmp_path: Path,
) -> None:
    identity = shown(tmp_path, issuers, bits, **how)
    with nginx(tmp_path, **before) as port:
        code, refused = tried(tmp_path, port, identity)
    assert code == 1
    assert directive in refused["cure"].partition("; or, if")[0]
    assert "import the authority" not in refused["cure"]
    if after is not None:
        with nginx(tmp_path, **after) as port:
            assert tried(tmp_path, port, identity) == (0, {})
    else:
        good = shown(tmp_path, issuers, bits, extended_key_usage=["clientAuth"])
        with nginx(tmp_path, **before) as port:
            assert tried(tmp_path, port, good) == (0, {})


def test_all_classes_are_answered_in_under_two_seconds(tmp_path: Path) -> None:
    with nginx(tmp_path, verify="off") as port:
        done = subprocess.run(
            [LINEKEY, "check", f"{NAME}:{port}", "--json"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["elapsed_s"] < 2.0
    hellos = {row["hello"]["origin"] for row in report["classes"]}
    assert report["connections"] <= 6 * len(hellos)
