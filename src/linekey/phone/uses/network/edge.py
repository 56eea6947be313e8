"""Runs the supplicant: 802.1X as the phone does it, without a switch.

``eapol_test`` (of wpa_supplicant) plays phone and switch: it does EAP with the files
that ``ieee8021x`` writes, and carries it to a RADIUS server. ``log_in`` gives the
event that says what came of it, with the certificates the network's server showed.

Rules: eapol_test takes addresses only, so a name is resolved first, IPv4 before IPv6
(L: that is what switches speak to RADIUS servers); the files lie in a folder of their
own, 0700, and are gone when the login is over; nothing of the supplicant's debug
output, which holds keys, reaches a log. The RADIUS secret is an argument of the program
(it takes it no other way), so other users of this machine can see it while it runs:
give a secret that only tests know.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_certificates
from linekey.errors import CertificateError, InputError
from linekey.phone.edge.running import Carrier, RunningPhone
from linekey.phone.events import Errand, Event
from linekey.phone.uses.network.events import LogIntoNetwork, NetworkLoginEnded
from linekey.phone.uses.network.ieee8021x import EapMethod, Supplicant, supplicant
from linekey.tls.versions import Version
from linekey.words import counted

PROGRAM: Final = "eapol_test"
RESOLVE_LIMIT_S: Final = 5
TIME_LIMIT_S: Final = 12
"""Seconds for one login. It takes some 50 ms; the supplicant asks a silent server again
after 3 and after 6 seconds more."""
_MAX_OUTPUT: Final = 4 * 1024 * 1024

_VERSION = re.compile(r"SSL: Using TLS version (TLSv1(?:\.[0-3])?)")
_FAILURE = re.compile(r"TLS: Certificate verification failed, error (\d+) \(([^)]*)\)")
_ALERT = re.compile(
    r"SSL: SSL3 alert: (read \(remote end reported an error\)|write \([^)]*\))"
    r":fatal:([a-z ]+)"
)
_OWN_TLS = re.compile(
    r"OpenSSL: [^\n]*?failed error:[0-9A-F]+:[^:\n]*:[^:\n]*:([^\n]+)"
)
_PACKET: Final = re.compile(r"Received \d+ bytes from RADIUS server")
_FORGED: Final = (
    "did not have correct Message-Authenticator",
    "Invalid Message-Authenticator!",
    "Response Authenticator invalid!",
)
"""What the supplicant says of an answer that was made with another secret."""
_FOLDER_ENV: Final = "XDG_RUNTIME_DIR"


@dataclass(frozen=True, slots=True)
class _Ran:
    code: int
    output: str
    chain: tuple[Certificate, ...]


async def log_in(request: LogIntoNetwork) -> NetworkLoginEnded:
    """Log in once; where only an exception accepts the server, once more with it."""
    program = shutil.which(PROGRAM)
    if program is None:
        return NetworkLoginEnded(
            request,
            False,
            f"there is no {PROGRAM} on this machine, which does EAP for the phone",
            "install it (Debian: eapoltest)",
            tried=False,
        )
    try:
        address = await _resolve(request.host)
    except (OSError, ValueError) as error:  # also TimeoutError; ValueError: a NUL
        return NetworkLoginEnded(
            request,
            False,
            f"the name of the RADIUS server cannot be resolved: {_said(error)}",
            "check the name, or give the server's address",
        )
    try:
        ended = await _log_in(program, request, address, pin=None)
        leaf = ended.chain[0] if ended.chain else None
        if not ended.ok and leaf is not None and leaf in request.excepted:
            ended = await _log_in(program, request, address, pin=leaf)
            note = "the server was accepted by the exception for its certificate"
            if ended.ok:
                ended = replace(ended, notes=(*ended.notes, note))
    except InputError as error:
        return NetworkLoginEnded(request, False, error.message, error.hint, tried=False)
    except OSError as error:
        text = f"the supplicant cannot be run: {_said(error)}"
        hint = f"look whether {program} can be run, and there is room for its files"
        return NetworkLoginEnded(request, False, text, hint, tried=False)
    return ended


async def _resolve(host: str) -> str:
    """The address to call. Raises OSError, TimeoutError and ValueError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(RESOLVE_LIMIT_S):
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    first = min(found, key=lambda row: row[0] != socket.AF_INET)
    return str(first[4][0])


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {RESOLVE_LIMIT_S} s"
    text = error.strerror if isinstance(error, OSError) else ""
    return (text or "no usable host name").lower()


async def _log_in(
    program: str, request: LogIntoNetwork, address: str, pin: Certificate | None
) -> NetworkLoginEnded:
    root = os.environ.get(_FOLDER_ENV) or None
    with tempfile.TemporaryDirectory(prefix="linekey-8021x-", dir=root) as name:
        folder = Path(name)
        written = supplicant(
            request.method,
            request.mac,
            name,
            chain=request.chain,
            key_pem=request.key_pem,
            authorities=request.authorities,
            versions=request.versions,
            suites=request.suites,
            md5_username=request.md5_username,
            md5_password=request.md5_password,
            pinned=pin,
        )
        _write(folder, written)
        ran = await _run(program, request, address, folder)
    return _read(request, address, written, ran)


def _write(folder: Path, written: Supplicant) -> None:
    for name, content in written.files.items():
        path = folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


async def _run(
    program: str, request: LogIntoNetwork, address: str, folder: Path
) -> _Ran:
    digits = str(request.mac).lower()
    mac = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    chain = folder / "server.pem"
    words = [
        f"-c{folder / 'eap.conf'}",
        f"-a{address}",
        f"-p{request.port}",
        f"-s{request.secret}",
        f"-M{mac}",
        f"-t{TIME_LIMIT_S - 2}",
        f"-o{chain}",
    ]
    if request.method is EapMethod.MD5:
        words.append("-n")  # EAP-MD5 makes no keys
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        start_new_session=True,
    )
    assert process.stdout is not None  # a pipe was asked for
    output = b""
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIME_LIMIT_S):
                while part := await process.stdout.read(65536):
                    output = (output + part)[-_MAX_OUTPUT:]
                await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    shown: tuple[Certificate, ...] = ()
    with contextlib.suppress(OSError, CertificateError):
        shown = tuple(parse_certificates(chain.read_bytes()))
    code = process.returncode
    return _Ran(-1 if code is None else code, output.decode("utf-8", "replace"), shown)


def _read(
    request: LogIntoNetwork, address: str, written: Supplicant, ran: _Ran
) -> NetworkLoginEnded:
    """Say in words what the supplicant's output means."""
    output, notes = ran.output, written.notes
    found = _VERSION.search(output)
    version = None
    if found is not None:
        labels = {v.label: v for v in Version}
        version = labels.get(found[1])
    ok = ran.code == 0 and output.rstrip().endswith("SUCCESS")
    method = f"EAP-{request.method.value.upper()}"
    reason, hint = f"the network took the phone ({method})", ""
    if not ok:
        called = request.peer
        if address != request.host:
            called += f" ({address})"
        reason, hint = _why(called, output, shown=bool(ran.chain))
    # The supplicant writes the leaf last, as OpenSSL hands the chain out.
    return NetworkLoginEnded(
        request, ok, reason, hint, _leaf_first(ran.chain), version, notes
    )


def _leaf_first(chain: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """Order a chain: the one that issued none of the others comes first."""
    unique = tuple(dict.fromkeys(chain))
    issuers = {c.issuer.der for c in unique if not c.self_issued}
    leaves = [c for c in unique if c.subject.der not in issuers] or list(unique)
    ordered, rest = leaves[:1], [c for c in unique if c not in leaves[:1]]
    while rest and ordered:
        parent = next(
            (c for c in rest if c.subject.der == ordered[-1].issuer.der), None
        )
        if parent is None:
            break
        ordered.append(parent)
        rest.remove(parent)
    return tuple(ordered)


def _why(called: str, output: str, *, shown: bool) -> tuple[str, str]:
    """Say why it failed, and the cure.

    ``called``: the RADIUS server; ``shown``: it showed a certificate.
    """
    refused = _FAILURE.search(output)
    if refused is not None:
        return (
            f"the certificate of the network's server was refused: {refused[2]}"
            f" (X509 error {refused[1]})",
            "put its CA on the 802.1X tab",
        )
    if "cert hash mismatch" in output.lower():
        return (
            "the network's server shows another certificate than the excepted one",
            "look at the Unknown Certificates tab, and compare its fingerprint",
        )
    alerts = _ALERT.findall(output)
    if alerts:
        side, name = alerts[-1]
        if side.startswith("read"):
            return (
                f"the network's server refused the phone's certificate: {name.strip()}",
                "look at the RADIUS server's log: does it trust the vendor's CA?",
            )
        return (
            f"the phone broke the handshake off: {name.strip()}",
            "compare the versions and suites of both ends",
        )
    if "EAP: Status notification: completion (param=failure)" in output or (
        "CTRL-EVENT-EAP-FAILURE" in output
    ):
        if "write certificate verify" in output or "write finished" in output:
            return (
                "the network refused the phone once it had shown its certificate"
                " (EAP-Failure)",
                "look at the RADIUS server's log: does it trust the vendor's CA, and is"
                " the phone's MAC what it expects?",
            )
        if not shown and "SSL_connect:SSLv3/TLS write client hello" in output:
            return (
                "the network's server took nothing of what the phone offers in TLS"
                " (EAP-Failure after the ClientHello)",
                "compare versions and suites of both ends: linekey models MODEL"
                " --firmware VERSION lists the phone's",
            )
        return (
            "the network refused the phone (EAP-Failure)",
            "look at the RADIUS server's log: user name, MAC rule or password",
        )
    broken = _OWN_TLS.search(output)
    if broken is not None and "EAP-TLS: Failed to initialize SSL" in output:
        return (
            "the supplicant's OpenSSL does not take the phone's certificate, key or"
            f" authorities: {broken[1].strip()}",
            "look at the phone's certificate: linekey phone certificates",
        )
    if "recvmsg[RADIUS]: Connection refused" in output:
        return (
            f"no RADIUS server listens at {called}",
            "check address and port (1812 as a rule), and that the server runs",
        )
    if "Failed to parse IP address" in output or "wpa_init_conf: Assertion" in output:
        return (
            f"{PROGRAM} cannot call the RADIUS server {called}",
            "give an address without an interface, as 192.0.2.5 or 2001:db8::5",
        )
    packets = len(_PACKET.findall(output))
    if not packets:
        return (
            f"the RADIUS server {called} does not answer",
            "check address, port and secret: a wrong secret is met with silence"
            " (RFC 2865 §3)",
        )
    if any(words in output for words in _FORGED):
        return (
            f"the RADIUS server {called} answers, but not with the same secret",
            "give the secret that the server has for this switch's address",
        )
    ended = "the supplicant ended without a login"
    if "EAPOL test timed out" in output:
        ended = "then no more"
    return (
        f"the RADIUS server {called} answered {counted(packets, 'time')}, and {ended}",
        "look at the RADIUS server's log",
    )


async def _carry(phone: RunningPhone, command: LogIntoNetwork) -> Event:
    return await log_in(command)


def _failed(command: LogIntoNetwork, reason: str, hint: str) -> Event:
    return NetworkLoginEnded(command, False, reason, hint)


CARRIES: Mapping[type[Errand], Carrier] = {LogIntoNetwork: Carrier(_carry, _failed)}
