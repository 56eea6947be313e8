"""What a phone that nobody registered costs, beside one that is refused.

    python -m bench.pending [--phones 600] [--rounds 3] [--no-write]

``linekey serve`` with one worker on loopback. Each phone has a certificate of its own
and asks twice for its file, each time with a whole handshake; first all of them once,
so that a list of pending phones grows by each, then all of them again. In turn, on a
database of their own each:

    revoked   all are registered and revoked: a refusal as there always was
    refuse    none is registered, and the policy is to refuse: listed, and refused
    waiting   none is registered; each gets a waiting file

The number that counts is CPU of the server for a request beside ``revoked``.
"""

import argparse
import contextlib
import os
import platform
import socket
import ssl
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.fleet import Fleet, make_fleet
from bench.nginx import free_port, wait_for
from bench.process import cpu_seconds, running, settle
from bench.server_vs_nginx import cpu_model, say
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.store.pending import Pending
from linekey.store.vendor_cas import VendorCas, describe_ca

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-pending.md"
LINEKEY = [sys.executable, "-c", "from linekey.cli.main import main; main()"]
CASES = {"revoked": "refuse", "refuse": "refuse", "waiting": "waiting"}
"""Case → policy."""


def make_phones(folder: Path, count: int) -> list[Path]:
    """Certificate and key in one file for each phone, with P-256 keys; made once."""
    files = [folder / f"000413F{n:05X}.pem" for n in range(count)]
    if all(file.exists() for file in (*files, folder / "ca.pem")):
        return files
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    now = datetime.now(UTC).replace(microsecond=0)
    span: dict[str, Any] = {
        "not_before": now - timedelta(days=1),
        "not_after": now + timedelta(days=3650),
    }

    def name(common_name: str) -> Name:
        return Name.build([("O", "LAB Technology AG"), ("CN", common_name)])

    key = new_key("ec", "secp256r1")
    ca = issue(name("LAB Phone 1 SHA-256"), key, None, serial=1, ca=True, **span)
    for number, file in enumerate(files, 2):
        own = new_key("ec", "secp256r1")
        leaf = issue(name(file.stem), own, Issuer(ca, key), serial=number, **span)
        file.touch(mode=0o600)
        file.write_bytes(to_pem(leaf).encode() + private_key_to_pem(own))
    (folder / "ca.pem").write_text(to_pem(ca))
    return files


def fill(state: Path, phones: list[Path], case: str) -> None:
    """Trust the phones' CA, and register and revoke them if they are to be."""
    from linekey.certs.pem import parse_bundle

    now = datetime.now(UTC)
    with open_database(StateDir.open(state)) as database:
        data = (phones[0].parent / "ca.pem").read_bytes()
        cas = [describe_ca(c, now) for c in parse_bundle(data).certificates]
        VendorCas(database).add(cas)
        if case == "revoked":
            Devices(database).add_all(
                [
                    Device(Mac(file.stem), "lab-snom", "D785", state="revoked")
                    for file in phones
                ],
                now,
            )


def ask(context: ssl.SSLContext, port: int, mac: str) -> int:
    """Ask for a phone's file on a connection of its own; return the status."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    with context.wrap_socket(raw, server_hostname="localhost") as tls:
        tls.sendall(
            f"GET /snomD785-{mac}.htm HTTP/1.1\r\nHost: localhost\r\n"
            f"User-Agent: Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 {mac})\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        data = b""
        with contextlib.suppress(ssl.SSLEOFError):
            while part := tls.recv(65536):
                data += part
    return int(data.split(b" ", 2)[1])


def contexts(phones: list[Path], fleet: Fleet) -> Iterator[tuple[str, ssl.SSLContext]]:
    for file in phones:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(fleet.server_authority)
        context.load_cert_chain(file)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        yield file.stem, context


def measure(
    fleet: Fleet,
    phones: list[Path],
    asking: list[tuple[str, ssl.SSLContext]],
    case: str,
) -> tuple[float, float, float]:
    """CPU of the server in ms for a first and a second request, bytes for both."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="lk-pending-") as place:
        folder = Path(place)
        fill(folder, phones, case)
        command = [
            *LINEKEY, "serve", "--state", place, "--host", "127.0.0.1",
            "--port", str(port), "--status-port", "0",
            "--certificate", str(fleet.server_certificate),
            "--key", str(fleet.server_key),
        ]  # fmt: skip
        environment = {**os.environ, "LINEKEY_PENDING__POLICY": CASES[case]}
        before = (folder / "linekey.db").stat().st_size
        wanted = {200} if case == "waiting" else {403}
        spent = []
        with (
            (folder / "stderr").open("w") as stderr,
            running(command, env=environment, stderr=stderr) as process,
        ):
            wait_for(port, 120)
            ask(asking[0][1], port, asking[0][0])
            for _ in range(2):
                settle(process.pid)
                cpu = cpu_seconds(process.pid)
                said = {ask(context, port, mac) for mac, context in asking}
                if said != wanted:
                    told = (folder / "stderr").read_text()[-2000:]
                    raise SystemExit(f"{case}: answered {said}, not {wanted}\n{told}")
                settle(process.pid)
                spent.append(1000 * (cpu_seconds(process.pid) - cpu) / len(asking))
        disk = ((folder / "linekey.db").stat().st_size - before) / len(asking)
        with open_database(StateDir.open(folder)) as database:
            listed = Pending(database).count()
        if listed != (0 if case == "revoked" else len(asking)):
            raise SystemExit(f"{case}: {listed} phones are listed")
        return spent[0], spent[1], disk


Found = dict[str, list[tuple[float, float, float]]]


def page(found: Found, phones: int, rounds: int) -> str:
    rows = []
    for case, measured in found.items():
        cells = []
        for which in range(2):
            own = statistics.median(m[which] for m in measured)
            ratio = statistics.median(
                m[which] / beside[which]
                for m, beside in zip(measured, found["revoked"], strict=True)
            )
            cells.append(f"{own:.2f} ms | **{ratio:.2f}**")
        disk = statistics.median(m[2] for m in measured)
        rows.append(f"| {case} | {' | '.join(cells)} | {disk:.0f} |")
    about = (__doc__ or "").partition("\n    revoked")
    return "\n".join(
        [
            "# What a pending phone costs",
            "",
            "<!-- Made by `python -m bench.pending`. -->",
            "",
            f"Measured on {datetime.now(UTC):%Y-%m-%d}: {cpu_model()}, Python "
            f"{platform.python_version()}, SQLite in the state folder. {phones:,} "
            "phones with a certificate of their own each (P-256) ask one after the "
            "other, each with a whole handshake of TLS 1.2; first all of them once, "
            f"then all of them again. {rounds} rounds in turn; medians, and the median "
            "of the rounds' ratios to `revoked`.",
            "",
            "```",
            "    revoked" + about[2].partition("\n\n")[0],
            "```",
            "",
            "| | CPU, first request | ÷ revoked | CPU, second request | ÷ revoked "
            "| bytes in the database, both |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "What bounds the list is in [pending phones](../howto/pending.md).",
            "",
        ]
    )


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.pending")
    parser.add_argument("--phones", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-write", action="store_true", help="leave the page as is")
    given = parser.parse_args()
    cache = ROOT / ".cache" / "bench"
    fleet = make_fleet(cache / "fleet")
    phones = make_phones(cache / "pending", given.phones)
    asking = list(contexts(phones, fleet))
    found: Found = {case: [] for case in CASES}
    for _ in range(given.rounds):
        for case, measured in found.items():
            measured.append(measure(fleet, phones, asking, case))
            say(f"{case}: %.2f ms, %.2f ms, %.0f bytes" % measured[-1])
    text = page(found, given.phones, given.rounds)
    if given.no_write:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
