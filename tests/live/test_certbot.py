"""Debian's certbot, pebble for an ACME server, and linekey's deploy hook between them.

What docs/howto/certbot.md says to type is what is run here, all of it, with other places:
everything is in folders of the test's own, and nothing touches /etc/letsencrypt.
"""

import contextlib
import json
import os
import pwd
import re
import shlex
import socket
import ssl
import stat
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import certificates
from tests.live.conftest import OLD_PHONE, PHONE
from tests.live.interop import Recorder
from tests.live.test_serve_command import PROGRAM, clean_environment, serve

from linekey.certs.certificate import Certificate
from linekey.certs.pem import parse_bundle, to_pem
from linekey.provisioning.document import CertificateEntry
from linekey.server.server import utc_now
from linekey.store.layers import Layers, Scope

pytestmark = [pytest.mark.peer("certbot"), pytest.mark.peer("pebble")]
NAME = "prov.example.com"
PAGE = (Path(__file__).parents[2] / "docs/howto/certbot.md").read_text("utf-8")
MORE = """\
host = "127.0.0.1"
port = {port}
[status]
port = 0
"""


class Page:
    """The page's blocks, with this test's places instead of the page's."""

    def __init__(self, **places: Path) -> None:
        found = re.findall(r"(?:^ {4,}\S.*\n)+", PAGE, re.MULTILINE)
        self.left = []
        for block in found:
            text = re.sub(r"^ +", "", block, flags=re.MULTILINE).replace("\\\n", "")
            for name, place in places.items():
                text = text.replace(PLACES[name], str(place))
            whole = text.startswith(("#!", "certificate ="))
            self.left += [text] if whole else text.splitlines()

    def take(self, *marks: str) -> str:
        """What holds all of these, and no other line does; it counts as run."""
        (found,) = (one for one in self.left if all(mark in one for mark in marks))
        self.left.remove(found)
        return found

    def words(self, *marks: str) -> list[str]:
        return shlex.split(self.take(*marks))


PLACES = {
    "linekey": "/opt/linekey/bin/linekey",
    "state": "/var/lib/linekey",
    "letsencrypt": "/etc/letsencrypt",
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Acme:
    """One pebble, with a root of its own, as certbot and the test reach it."""

    directory: str
    root: Certificate


@dataclass
class Certbot:
    """certbot's own folders, and what it is always told."""

    folder: Path
    http_port: int
    trusted: Path

    @property
    def live(self) -> Path:
        return self.folder / "config" / "live"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        place = [f"--{d}-dir={self.folder / d}" for d in ("config", "work", "logs")]
        return subprocess.run(
            ["certbot", *words, *place, "--non-interactive"],
            env={**clean_environment(), "REQUESTS_CA_BUNDLE": str(self.trusted)},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def first(self, acme: Acme, words: list[str], *more: str) -> Any:
        """What the page says to type, for this authority and this machine."""
        assert words[0] == "certbot"
        return self.run(
            *words[1:], "--server", acme.directory, "--http-01-address", "127.0.0.1",
            "--http-01-port", str(self.http_port), "--agree-tos",
            "--register-unsafely-without-email", *more,
        )  # fmt: skip


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    environment = {
        **os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0",
    }  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def pebble(folder: Path, http_port: int, trusted: Path) -> Iterator[Acme]:
    folder.mkdir()
    own = certificates.server()
    (folder / "cert.pem").write_text("".join(map(to_pem, own.chain)))
    (folder / "key.pem").write_bytes(own.key_pem)
    dns, port, management = free_port(), free_port(), free_port()
    settings = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(folder / "cert.pem"),
        "privateKey": str(folder / "key.pem"),
        "httpPort": http_port,
        "tlsPort": 1,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (folder / "config.json").write_text(json.dumps({"pebble": settings}))
    names = [
        "pebble-challtestsrv", "-dns01", f"127.0.0.1:{dns}", "-http01", "", "-https01",
        "", "-tlsalpn01", "", "-management", f"127.0.0.1:{free_port()}",
        "-defaultIPv6", "",
    ]  # fmt: skip
    server = [
        "pebble", "-config", str(folder / "config.json"), "-dnsserver", f"127.0.0.1:{dns}",
    ]  # fmt: skip
    context = ssl.create_default_context(cafile=str(trusted))
    root = f"https://127.0.0.1:{management}/roots/0"
    with running(names, folder / "names.log"), running(server, folder / "server.log"):
        until = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(root, context=context) as answer:
                    found = parse_bundle(answer.read()).certificates[0]
                break
            except OSError:
                assert time.monotonic() < until, (folder / "server.log").read_text()
                time.sleep(0.05)
        yield Acme(f"https://127.0.0.1:{port}/dir", found)


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    path = tmp_path / "acme-servers.pem"
    path.write_text(to_pem(certificates.authority().certificate))
    return path


@pytest.fixture
def certbot(tmp_path: Path, trusted: Path) -> Certbot:
    return Certbot(tmp_path / "certbot", free_port(), trusted)


def let_phones_trust(place: Any, *roots: Certificate) -> None:
    entries = [CertificateEntry(root.der) for root in roots]
    Layers(place.database).change(
        Scope.fleet(), lambda layer: layer.with_certificates(*entries),
        utc_now(),
    )  # fmt: skip


def served(port: int, *options: str) -> Certificate:
    """What OpenSSL is shown."""
    said = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME, *options],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
    )  # fmt: skip
    return parse_bundle(said.stdout).certificates[0]


def leaf(path: Path) -> Certificate:
    return parse_bundle(path.read_bytes()).certificates[0]


async def test_a_renewal_reaches_the_phones_or_is_refused_before(
    place: Any,
    certbot: Certbot,
    trusted: Path,
    tmp_path: Path,
    record_interop: Recorder,
) -> None:
    port = free_port()
    root = place.state.root
    program, hook, pid = tmp_path / "linekey", tmp_path / "hook", tmp_path / "pid"
    page = Page(linekey=program, state=root, letsencrypt=certbot.folder / "config")
    lines = page.take("certificate =", "names =")
    (root / "linekey.toml").write_text(lines + MORE.format(port=port))
    program.write_text(
        "#!/bin/sh\n"
        f'[ ! -e {pid} ] || set -- "$@" --reload "kill -HUP $(cat {pid})"\n'
        f'exec {shlex.join(PROGRAM)} "$@"\n'
    )
    hook.write_text(page.take("#!/bin/sh"))
    for path in (program, hook):
        path.chmod(0o755)
    nobody = pwd.getpwnam("nobody")
    if os.geteuid() == 0:
        for path in [root, *root.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    current = root / "certificates" / "current"
    with pebble(tmp_path / "one", certbot.http_port, trusted) as acme:
        # No phone knows this authority: the first certificate is refused.
        first = page.words("certbot certonly", "--deploy-hook")
        got = certbot.first(acme, first)
        assert got.returncode == 0  # certbot's word on a failing hook: only words
        assert "Hook 'deploy-hook' reported error code 1" in got.stderr
        assert str(PHONE) in got.stdout + got.stderr
        assert "the old certificate stays in use" in got.stdout + got.stderr
        assert not current.exists()
        let_phones_trust(place, acme.root)
        live = certbot.live / NAME
        deploy = [str(program), *page.words("deploy --chain", f"live/{NAME}")[1:]]
        again = run(*deploy)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "used at the next start" in again.stderr
        for path, mode in (
            (current / "chain.pem", 0o640),
            (current / "key.pem", 0o600),
        ):
            found = path.stat()
            assert stat.S_IMODE(found.st_mode) == mode
            assert found.st_uid == root.stat().st_uid
        async with serve(place) as serving:
            pid.write_text(str(serving.process.pid))
            assert served(port) == leaf(live / "cert.pem")
            got = certbot.run("renew", "--force-renewal", "--no-random-sleep-on-renew")
            assert got.returncode == 0, got.stdout + got.stderr
            renewed = leaf(live / "cert.pem")
            assert served(port) == renewed
            chain, key = place.identity(PHONE)
            asked = await place.run(
                "curl", "-sS", "--noproxy", "*", "--cert", chain, "--key", key,
                "--cacert", str(write(tmp_path / "root.pem", to_pem(acme.root))),
                "--resolve", f"{NAME}:{port}:127.0.0.1",
                f"https://{NAME}:{port}/snomD785-{PHONE}.htm",
            )  # fmt: skip
            assert place.password in asked.out, asked.said
            # ECDSA: the same phone takes it, the old one has no cipher suite for it.
            got = certbot.first(acme, page.words("certbot certonly", "ecdsa"))
            assert got.returncode == 0, got.stdout + got.stderr
            ecdsa = certbot.live / "prov-ecdsa"
            dry = run(str(program), *page.words("--dry-run")[1:], "--json")
            assert dry.returncode == 1, dry.stdout + dry.stderr
            lost = json.loads(dry.stdout)
            assert [e["macs"] for e in lost["events"]] == [[str(OLD_PHONE)]]
            assert lost["kept"] == 1
            # The authority changes its root, as one day each does.
            with pebble(tmp_path / "two", certbot.http_port, trusted) as other:
                got = certbot.first(other, first, "--force-renewal")
                said = got.stdout + got.stderr
                assert "the old certificate stays in use" in said
                assert str(PHONE) in said
                assert leaf(live / "cert.pem") != renewed
                assert served(port) == renewed == leaf(current / "chain.pem")
                let_phones_trust(place, other.root)
                got = run(str(hook), lineage=live)
                assert got.returncode == 0, got.stderr
                assert "shows it" in got.stderr
                assert served(port) == leaf(live / "cert.pem")
            # Another lineage of this machine is none of ours.
            got = run(str(hook), lineage=ecdsa)
            assert got.returncode == 0
            assert "nothing to do" in got.stderr
            assert served(port) == leaf(live / "cert.pem")
            # Back to what was renewed before.
            kept = run(*page.words("ls ")).stdout.split()
            (before,) = (
                name for name in kept
                if name != "current" and leaf(root / "certificates" / name / "chain.pem") == renewed
            )  # fmt: skip
            back = re.sub(r"2026\d+T\d+Z-\w+", before, page.take("20261129T"))
            got = run(str(program), *shlex.split(back)[1:])
            assert got.returncode == 0, got.stderr
            assert served(port) == renewed
        # Both lineages at once, each at its place; renewed, each takes its own.
        lines = page.take("certificate = [") + f'names = ["{NAME}"]\n'
        (root / "linekey.toml").write_text(lines + MORE.format(port=port))
        let_phones_trust(place, acme.root, other.root)
        pid.unlink()
        words = [
            str(program),
            "certificate",
            "deploy",
            "--certbot",
            "--state",
            str(root),
        ]
        for lineage in (live, ecdsa):
            got = run(*words, lineage=lineage)
            assert got.returncode == 0, got.stdout + got.stderr
        async with serve(place) as serving:
            pid.write_text(str(serving.process.pid))
            assert served(port) == leaf(ecdsa / "cert.pem")
            assert served(port, "-sigalgs", "RSA-PSS+SHA256") == leaf(live / "cert.pem")
            got = certbot.run("renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "prov-ecdsa")  # fmt: skip
            assert got.returncode == 0, got.stdout + got.stderr
            got = run(*words, lineage=ecdsa)
            assert got.returncode == 0, got.stdout + got.stderr
            assert served(port) == leaf(ecdsa / "cert.pem")
            assert served(port, "-sigalgs", "RSA-PSS+SHA256") == leaf(live / "cert.pem")
    assert page.left == []


def run(*words: str, lineage: Path | None = None) -> subprocess.CompletedProcess[str]:
    renewed = {} if lineage is None else {"RENEWED_LINEAGE": str(lineage)}
    return subprocess.run(
        words, env={**clean_environment(), **renewed}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
