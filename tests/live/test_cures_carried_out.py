"""Each cure that is printed for a refusal, carried out on the server that it names.

nginx, Apache and HAProxy refuse a phone's certificate; the check and the virtual phone
print a directive; the server's own configuration gets just that, and takes the phone.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import MAC, ca
from tests.conftest import peer_path
from tests.live.peers import free_port, open_folder
from tests.live.test_check_nginx import LOW, shown, tried
from tests.live.test_check_openssl import LEAF, MID, MIDDLE, NAME, ROOT, SPAN, server
from tests.live.test_openssl_lines import Remembering

from linekey.certs.build import Issuer
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.phone.identity import DeviceIdentity, parse_identity
from linekey.phone.state import new_phone

OTHER = ca("live other root", **SPAN)
DIRECTIVES = {
    "nginx": {
        "depth": "ssl_verify_depth", "level": "ssl_ciphers",
        "authority": "ssl_client_certificate",
    },
    "apache": {
        "depth": "SSLVerifyDepth", "level": "SSLCipherSuite",
        "authority": "SSLCACertificateFile",
    },
    "haproxy": {"level": "ciphers", "authority": "ca-file"},
}  # fmt: skip
"""What each cure is called; HAProxy has no depth to set (OpenSSL's own is 100)."""
COMMANDS = {
    "nginx": ("nginx", "-e", "stderr", "-g", "daemon off;", "-c"),
    "apache": ("apache2", "-DFOREGROUND", "-f"),
    "haproxy": ("haproxy", "-db", "-f"),
}
CONFIGURATIONS = {
    "nginx": """\
pid {folder}/pid;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    ssl_verify_client on;
    ssl_client_certificate {folder}/ca.pem;
    ssl_verify_depth {depth};
    ssl_ciphers {level};
    location / {{ return 204; }}
  }}
}}
""",
    "apache": """\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
Listen 127.0.0.1:{port}
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
ErrorLog {folder}/error.log
DocumentRoot {folder}/www
SSLEngine on
SSLCertificateFile {folder}/server.pem
SSLVerifyClient require
SSLCACertificateFile {folder}/ca.pem
SSLVerifyDepth {depth}
SSLCipherSuite {level}
""",
    "haproxy": """\
defaults
  mode http
  timeout client 10s
  timeout connect 10s
  timeout server 10s
frontend phones
  bind 127.0.0.1:{port} ssl crt {folder}/server.pem verify required \
ca-file {folder}/ca.pem ciphers {level}
  http-request return status 204
""",
}
BEFORE = {"depth": "1", "level": "DEFAULT:@SECLEVEL=2"}
CASES: dict[str, tuple[tuple[Issuer, ...], int, dict[str, Any]]] = {
    "depth": ((LOW, MIDDLE), 2048, {}),
    "level": ((MIDDLE,), 1024, {"hash": "sha1"}),
    "authority": ((OTHER,), 2048, {}),
}
"""What the phone shows: the certificates above its own, its key's size, the rest."""


@contextmanager
def serving(
    name: str, folder: Path, values: dict[str, str], *authorities: Issuer
) -> Iterator[int]:
    """One of the three, with these values in its configuration; its port."""
    port = free_port()
    pems = [server(MIDDLE, NAME), MID]
    (folder / "server.pem").write_bytes(
        "".join(map(to_pem, pems)).encode() + private_key_to_pem(LEAF)
    )
    (folder / "ca.pem").write_text("".join(to_pem(a.certificate) for a in authorities))
    (folder / "www").mkdir(exist_ok=True)
    (folder / "www" / "index.html").write_text("here\n")
    path = folder / f"{name}.conf"
    path.write_text(CONFIGURATIONS[name].format(folder=folder, port=port, **values))
    program, *words = COMMANDS[name]
    found = peer_path(name) or program
    with (folder / "said.log").open("w") as said:
        process = subprocess.Popen(
            [found, *words, str(path)], stdout=said, stderr=said, cwd=folder
        )
    try:
        limit = time.monotonic() + 20
        while True:
            told = (folder / "said.log").read_text()
            assert process.poll() is None, told
            assert time.monotonic() < limit, told
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(10)


async def phone_says(port: int, identity: DeviceIdentity) -> tuple[str, str]:
    """What a virtual phone with this identity tells, and its connection's error."""
    state = new_phone(
        MAC, "D785", "10.1.33.33", setting_server=f"https://{NAME}:{port}/",
        builtin=identity, authorities=(ROOT.certificate,),
    )  # fmt: skip
    phone = Remembering(replace(state, server_authentication=True))
    async with asyncio.timeout(30), phone:
        await phone.round_ended()
    told = [n.cure for n in phone.state.notifications]
    told += [document.reason for document in phone.state.fetched]
    return "\n".join(told), phone.report.error


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        pytest.param(name, cause, marks=pytest.mark.peer(name), id=f"{name}-{cause}")
        for name, directives in DIRECTIVES.items()
        for cause in directives
    ],
)
def test_the_printed_directive_lets_the_phone_in(
    name: str, cause: str, tmp_path: Path
) -> None:
    issuers, bits, how = CASES[cause]
    identity = shown(tmp_path, issuers, bits, **how)
    (tmp_path / "root.pem").write_text(to_pem(ROOT.certificate))
    own = parse_identity(identity.read_bytes())
    values, authorities, carried_out = dict(BEFORE), [ROOT], []
    with open_folder() as folder:
        while len(carried_out) <= len(DIRECTIVES[name]):
            with serving(name, folder, values, *authorities) as port:
                code, refused = tried(tmp_path, port, identity)
                told, error = asyncio.run(phone_says(port, own))
            if code == 0:
                break
            cure = refused["cure"].partition("; or, if")[0]
            assert cure.lower() in told.lower()
            step, directive = next(
                (s, d) for s, d in DIRECTIVES[name].items() if f"{d}" in cure
            )
            carried_out.append(step)
            if step == "authority":
                authorities += issuers
                continue
            printed = re.search(rf"{directive} ([^\s;]+)", cure)
            assert printed is not None, cure
            values[step] = printed[1]
    assert (code, refused, error) == (0, {}, "")
    # Apache counts the root, so what it takes at last may need a depth as well
    assert carried_out[0] == cause
    assert set(carried_out[1:]) <= {"depth"}
    assert len(set(carried_out)) == len(carried_out)
