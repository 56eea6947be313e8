"""What the foreign test servers are told: command lines and configurations.

Each builder writes what its program needs into a folder and returns the command; the
port and all files are given. Programs run with an OpenSSL configuration of security
level 0, because half of them do what level 2 forbids; what a server may speak is said
for each one apart (``Speech``).
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from linekey.certs import der
from linekey.certs.pem import pem_block
from linekey.errors import LinekeyError
from linekey.tls.ffdhe import ffdhe2048_pem

Clients = Literal["no", "right", "wrong", "unnamed"]
"""Is a client certificate demanded: no; of the lab vendor's authorities; of others;
of the lab vendor's, without naming any in the CertificateRequest."""

ANY_SUITE: Final = "ALL:!aNULL:@SECLEVEL=0"
MODERN: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"

_PLACES: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

LEGACY_OPENSSL: Final = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = old
[old]
MinProtocol = TLSv1
CipherString = DEFAULT@SECLEVEL=0
"""


@dataclass(frozen=True, slots=True)
class Speech:
    """How a server speaks TLS: versions as "1.0" … "1.3", suites as OpenSSL writes."""

    lowest: str = "1.0"
    highest: str = "1.3"
    suites: str = ANY_SUITE
    clients: Clients = "no"
    dh_bits: int = 0


@dataclass(frozen=True, slots=True)
class Files:
    """What lies in a server's folder: certificates, key, authorities for clients."""

    folder: Path
    leaf: Path
    above: Path | None
    chain: Path
    key: Path
    combined: Path
    clients: Path


def program_path(name: str) -> str:
    """Where a foreign program lies. Raises LinekeyError if it is not installed."""
    found = shutil.which(name) or shutil.which(name, path=_PLACES)
    if found is None:
        raise LinekeyError(
            f"{name} is not installed",
            hint="install it with the system's packages, or: make peers",
        )
    return found


def command_for(program: str, files: Files, port: int, speech: Speech) -> list[str]:
    """Write the program's configuration, return its command.

    Raises LinekeyError if it is not installed.
    """
    return [program_path(program), *_BUILDERS[program](files, port, speech)]


def _openssl(files: Files, port: int, speech: Speech) -> list[str]:
    words = [
        "s_server", "-accept", f"127.0.0.1:{port}", "-www",
        "-cert", str(files.leaf), "-key", str(files.key),
        "-min_protocol", _openssl_version(speech.lowest),
        "-max_protocol", _openssl_version(speech.highest),
        "-cipher", speech.suites, "-serverpref",
    ]  # fmt: skip
    if files.above is not None:
        words += ["-cert_chain", str(files.above)]
    if speech.dh_bits:
        path = files.folder / "dh.pem"
        path.write_text(_DH[speech.dh_bits]())
        words += ["-dhparam", str(path)]
    if speech.clients != "no":
        option = "-verifyCAfile" if speech.clients == "unnamed" else "-CAfile"
        words += ["-Verify", "3", "-verify_return_error", option, str(files.clients)]
    return words


def _openssl_version(version: str) -> str:
    return "TLSv1" if version == "1.0" else f"TLSv{version}"


def _span(speech: Speech) -> list[str]:
    every = ["1.0", "1.1", "1.2", "1.3"]
    return every[every.index(speech.lowest) : every.index(speech.highest) + 1]


def _nginx(files: Files, port: int, speech: Speech) -> list[str]:
    folder = files.folder
    verify = ""
    if speech.clients != "no":
        verify = (
            f"ssl_client_certificate {files.clients}; ssl_verify_client on; "
            "ssl_verify_depth 3;"
        )
    protocols = " ".join(_openssl_version(v) for v in _span(speech))
    path = folder / "nginx.conf"
    path.write_text(f"""\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {files.chain};
    ssl_certificate_key {files.key};
    ssl_protocols {protocols};
    ssl_ciphers {speech.suites};
    ssl_prefer_server_ciphers on;
    {verify}
    location / {{ return 204; }}
  }}
}}
""")
    return ["-e", "stderr", "-p", str(folder), "-c", str(path)]


def _haproxy(files: Files, port: int, speech: Speech) -> list[str]:
    verify = ""
    if speech.clients != "no":
        verify = f" ca-file {files.clients} verify required"
    path = files.folder / "haproxy.cfg"
    path.write_text(f"""\
global
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend test
  bind 127.0.0.1:{port} ssl crt {files.combined} ssl-min-ver TLSv{speech.lowest} \
ssl-max-ver TLSv{speech.highest} ciphers {speech.suites}{verify}
  http-request return status 204
""")
    return ["-db", "-f", str(path)]


def _kamailio(files: Files, port: int, speech: Speech) -> list[str]:
    folder = files.folder
    verify = "verify_certificate = no\nrequire_certificate = no"
    if speech.clients != "no":
        verify = (
            f"verify_certificate = yes\nrequire_certificate = yes\nverify_depth = 3\n"
            f"ca_list = {files.clients}"
        )
    lowest = _openssl_version(speech.lowest)
    (folder / "tls.cfg").write_text(f"""\
[server:default]
method = {lowest}+
certificate = {files.chain}
private_key = {files.key}
cipher_list = {speech.suites}
{verify}
[client:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
""")
    path = folder / "kamailio.cfg"
    path.write_text(f"""\
#!KAMAILIO
debug=0
log_stderror=yes
children=1
tcp_children=1
enable_tls=yes
listen=tls:127.0.0.1:{port}
loadmodule "tls.so"
loadmodule "sl.so"
modparam("tls", "config", "{folder}/tls.cfg")
request_route {{ sl_send_reply("404", "Only a test server"); exit; }}
""")
    return [
        "-f", str(path), "-DD", "-E", "-m", "32", "-M", "8", "-Y", str(folder / "run"),
        "-w", str(folder),
    ]  # fmt: skip


_BUILDERS: Final[Mapping[str, Callable[[Files, int, Speech], list[str]]]] = {
    "openssl": _openssl,
    "nginx": _nginx,
    "haproxy": _haproxy,
    "kamailio": _kamailio,
}
PROGRAMS: Final = tuple(_BUILDERS)
"""The foreign programs that are test servers."""


def oakley_1024_pem() -> str:
    """A 1024-bit Diffie-Hellman group, PEM: RFC 2409 §6.2, by the RFC's own formula.

    p = 2^1024 − 2^960 − 1 + 2^64 · (⌊2^894 π⌋ + 129093), generator 2.
    """
    prime = 2**1024 - 2**960 - 1 + 2**64 * (_pi_times(894) + 129093)
    text = der.write(der.SEQUENCE, der.write_integer(prime), der.write_integer(2))
    return pem_block("DH PARAMETERS", text)


def _pi_times(bits: int) -> int:
    """⌊2^bits · π⌋ by Machin's formula, with 64 bits to spare."""
    one = 1 << (bits + 64)
    return (16 * _arctan(one, 5) - 4 * _arctan(one, 239)) >> 64


def _arctan(one: int, inverse: int) -> int:
    total = term = one // inverse
    n, sign = 1, 1
    while term:
        term //= inverse * inverse
        n, sign = n + 2, -sign
        total += sign * (term // n)
    return total


_DH: Final[Mapping[int, Callable[[], str]]] = {
    1024: oakley_1024_pem,
    2048: ffdhe2048_pem,
}
