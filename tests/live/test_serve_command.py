"""``linekey serve`` as a process: what it refuses, how it ends, how it renews."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.lab.server_ca import issue_server
from linekey.server.server import utc_now
from linekey.store.vendor_cas import VendorCas

PROGRAM = [sys.executable, "-c", "from linekey.cli.main import main; main()"]


def put_server_files(place: Any, *, mode: int = 0o600) -> None:
    chain, key = place.lab.server_identity()
    folder = place.state.root
    (folder / "server.pem").write_text("".join(map(to_pem, chain)))
    (folder / "server.key").write_bytes(private_key_to_pem(key))
    (folder / "server.key").chmod(mode)
    (folder / "linekey.toml").write_text(
        'host = "127.0.0.1"\nport = 0\ncertificate = "server.pem"\n'
        'key = "server.key"\nlog_format = "json"\n[status]\nport = 0\n'
    )


def clean_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LINEKEY_")}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200"}


async def try_serve(place: Any, *options: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "serve", "--state", str(place.state.root), "--check", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, (out + err).decode()


class Serving:
    """A running ``linekey serve``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""
        self.status_url = ""
        self.lines: list[str] = []

    async def until(self, pattern: str) -> re.Match[str]:
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            while True:
                line = (await self.process.stderr.readline()).decode()
                assert line, "".join(self.lines)
                self.lines.append(line)
                if found := re.search(pattern, line):
                    return found

    async def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            self.lines.append((await self.process.stderr.read()).decode())
            return await self.process.wait()


@asynccontextmanager
async def serve(
    place: Any, *options: str, own_process: bool = True
) -> AsyncIterator[Serving]:
    """Run it, as it is shipped or with the API in the process that serves phones."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "serve", "--state", str(place.state.root), *options,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env=clean_environment() | {"LINEKEY_STATUS__OWN_PROCESS": str(own_process)},
    )  # fmt: skip
    serving = Serving(process)
    try:
        serving.url = (await serving.until(r"phones: (https://\S+)/")).group(1)
        serving.status_url = (await serving.until(r"status: (https?://\S+)")).group(1)
        await serving.until("Ctrl-C")
        yield serving
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def fetch(place: Any, serving: Serving) -> Any:
    certificate, key = place.identity(place.phone)
    return await place.curl(
        "--cert", certificate, "--key", key, "--retry", "30", "--retry-delay", "1",
        "--retry-all-errors", f"{serving.url}/snomD785-{place.phone}.htm",
    )  # fmt: skip


async def shown_certificate(place: Any, serving: Serving) -> str:
    """The server's certificate, as its status page has it."""
    status = await place.curl(f"{serving.status_url}overview.json")
    return str(json.loads(status.out)["server"]["certificate_sha256"])


def workers_of(pid: int) -> list[int]:
    """Its worker processes, by the way multiprocessing starts them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = []
    for child in children:
        # It may have ended meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


async def test_it_starts_with_what_is_safe(place: Any) -> None:
    put_server_files(place)
    code, said = await try_serve(place)
    assert code == 0, said
    assert "would start" in said


async def test_it_names_everything_that_keeps_it_from_starting(place: Any) -> None:
    put_server_files(place, mode=0o644)
    place.state.root.chmod(0o755)
    cas = VendorCas(place.database)
    for ca in cas.all():
        cas.remove(ca.certificate.sha256)
    code, said = await try_serve(place)
    assert code == 2
    for message in ("no vendor CA is trusted", "can read", "can access the state"):
        assert message in said
    for cure in ("linekey trust add", "chmod 600", "chmod 700"):
        assert cure in said
    assert "Traceback" not in said


async def test_a_lab_ca_on_a_public_address_is_refused(place: Any) -> None:
    put_server_files(place)
    code, said = await try_serve(place, "--host", "0.0.0.0")
    assert code == 2
    assert "a lab CA is trusted" in said


async def test_a_key_of_another_certificate_is_refused(place: Any) -> None:
    put_server_files(place)
    _, key = place.identity(place.phone)
    code, said = await try_serve(place, "--key", key)
    assert code == 2
    assert "does not belong to the first certificate" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"hash": "sha1"}, "signed with sha1"), ({"now": "2001"}, "expired on")],
)
async def test_a_server_certificate_no_phone_should_see_is_refused(
    place: Any, changes: dict[str, Any], message: str
) -> None:
    put_server_files(place)
    _, key = place.lab.server_identity()
    when = utc_now()
    if "now" in changes:
        when = when.replace(year=2001)
    leaf = issue_server(
        [], key, place.lab.server, now=when, hash=changes.get("hash", "sha256")
    )
    (place.state.root / "server.pem").write_text(to_pem(leaf))
    code, said = await try_serve(place)
    assert code == 2
    assert message in said


async def test_a_status_page_off_loopback_is_refused(place: Any) -> None:
    put_server_files(place)
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write('host = "0.0.0.0"\n')
    code, said = await try_serve(place)
    assert code == 2
    assert "status.host" in said


async def test_a_port_in_use_is_named_with_its_cure(place: Any) -> None:
    put_server_files(place)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = await try_serve(place, "--port", str(port))
    assert code == 3
    assert "the port is in use" in said
    assert "ss -ltnp" in said


async def test_a_mistyped_setting_is_named_with_the_near_one(place: Any) -> None:
    put_server_files(place)
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write("[limits]\nbody_byte = 1\n")
    code, said = await try_serve(place)
    assert code == 2
    assert "'limits.body_byte'" in said
    assert "did you mean 'limits.body_bytes'?" in said


@pytest.mark.peer("curl")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_and_ends_cleanly(place: Any, number: int) -> None:
    put_server_files(place)
    async with serve(place) as serving:
        got = await fetch(place, serving)
        assert place.password in got.out, got.err
        status = await place.curl(f"{serving.status_url}overview.json")
        assert '"granted":1' in status.out
        assert await serving.end(number) == 0
    said = "".join(serving.lines)
    assert "shut down cleanly" in said
    assert "Traceback" not in said
    assert place.password not in said


@pytest.mark.peer("curl")
async def test_several_workers_serve_are_replaced_and_end_cleanly(place: Any) -> None:
    put_server_files(place)
    async with serve(place, "--workers", "2") as serving:
        assert place.password in (await fetch(place, serving)).out
        workers = workers_of(serving.process.pid)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        await serving.until("started again")
        assert place.password in (await fetch(place, serving)).out
        assert await serving.end() == 0
    assert "Traceback" not in "".join(serving.lines)


@pytest.mark.peer("curl")
async def test_a_renewed_certificate_is_used_after_sighup(place: Any) -> None:
    put_server_files(place)
    async with serve(place) as serving:
        old, _ = place.lab.server_identity()
        assert await shown_certificate(place, serving) == old[0].sha256
        _, key = place.lab.server_identity()
        leaf = issue_server(["renewed.example"], key, place.lab.server, now=utc_now())
        (place.state.root / "server.pem").write_text(to_pem(leaf))
        serving.process.send_signal(signal.SIGHUP)
        await serving.until("using the certificate")
        assert await shown_certificate(place, serving) == leaf.sha256
        port = serving.url.rpartition(":")[2]
        certificate, key_file = place.identity(place.phone)
        got = await place.curl(
            "--cert", certificate, "--key", key_file,
            "--resolve", f"renewed.example:{port}:127.0.0.1",
            f"https://renewed.example:{port}/snomD785-{place.phone}.htm",
        )  # fmt: skip
        assert place.password in got.out, got.err
        (place.state.root / "server.pem").write_text("broken")
        serving.process.send_signal(signal.SIGHUP)
        await serving.until("kept the old certificate")
        assert place.password in (await fetch(place, serving)).out
        assert await serving.end() == 0


@pytest.mark.peer("curl")
async def test_workers_that_start_again_keep_to_the_files_found_fit(place: Any) -> None:
    put_server_files(place)
    async with serve(place, "--workers", "2") as serving:
        assert place.password in (await fetch(place, serving)).out
        _, key = place.lab.server_identity()
        leaf = issue_server(["localhost"], key, place.lab.server, now=utc_now())
        (place.state.root / "server.pem").write_text(to_pem(leaf))
        serving.process.send_signal(signal.SIGHUP)
        await serving.until("using the certificate|started again")
        assert await shown_certificate(place, serving) == leaf.sha256
        (place.state.root / "server.pem").write_text("broken")
        serving.process.send_signal(signal.SIGHUP)
        await serving.until("kept the old certificate")
        for worker in workers_of(serving.process.pid):
            os.kill(worker, signal.SIGKILL)
        await serving.until("started again")
        assert place.password in (await fetch(place, serving)).out
        assert await serving.end() == 0
    assert "cannot stay alive" not in "".join(serving.lines)
