"""Alerts of a running ``linekey serve``: to a web server and to a mail server.

The signatures are checked by the reference implementation of Standard Webhooks, the
mail goes to aiosmtpd. The server's clock is the machine's.
"""

import asyncio
import json
import ssl
from email import message_from_bytes, policy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook as Reference
from tests.live.interop import Recorder
from tests.live.test_serve_command import PROGRAM, clean_environment, serve
from tests.live.test_serve_command import put_server_files as put_files
from tests.receivers import SECRET, identity, receiving

pytestmark = pytest.mark.peer("curl")


def configure(place: Any, **settings: Any) -> None:
    put_files(place)
    usual = {
        "webhook_secret": SECRET, "allowed_networks": ["127.0.0.1"], "wait_s": 0.1,
    }  # fmt: skip
    lines = (
        f"{name} = {json.dumps(value)}" for name, value in (usual | settings).items()
    )
    with (place.state.root / "linekey.toml").open("a") as file:
        file.write("\n[alerts]\n" + "\n".join(lines) + "\n")


async def fetch_other(place: Any, serving: Any) -> None:
    """Ask with one phone's certificate for another one's file."""
    certificate, key = place.identity(place.phone)
    got = await place.curl(
        "--cert", certificate, "--key", key, "-o", "/dev/null", "-w", "%{http_code}",
        "--retry", "30", "--retry-delay", "1", "--retry-connrefused",
        f"{serving.url}/snom710-{place.old_phone}.htm",
    )  # fmt: skip
    assert got.out == "403", got.said


async def alert(place: Any, *words: str) -> tuple[int, Any]:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "alert", *words, "--json", "--state", str(place.state.root),
        stdout=asyncio.subprocess.PIPE, env=clean_environment(), cwd=place.folder,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out)


async def test_a_refused_phone_is_told_once_also_after_a_kill(
    place: Any, tmp_path: Path, record_interop: Recorder
) -> None:
    file, context = identity(tmp_path, "localhost")
    async with receiving(context) as receiver:
        url = f"https://localhost:{receiver.port}/linekey"
        configure(place, webhooks=[url], ca_file=str(file), kinds=["phone.refused"])
        receiver.answer = b"HTTP/1.1 503 Busy\r\n\r\n"
        async with serve(place, "--workers", "2") as serving:
            await fetch_other(place, serving)
            await receiver.until(1)
            await serving.until("message 1 is not delivered")
            serving.process.kill()
        code, found = await alert(place, "list")
        assert code == 0
        (waiting,) = found["messages"]
        assert (waiting["state"], waiting["problem"]) == ("waiting", "it answers 503")
        (held,) = found["holding"]
        assert (held["mac"], held["cause"]) == (str(place.phone), "other_phones_file")
        receiver.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        assert await alert(place, "retry", "--all") == (0, {"waiting": 1})
        # Whoever was killed has the lease for a minute.
        with place.database.write() as connection:
            connection.exec_driver_sql("UPDATE leases SET until_at = 0")
        async with serve(place, "--workers", "2") as serving:
            await serving.until("told https://localhost")
        _, found = await alert(place, "list", "--sent")
        assert [one["state"] for one in found["messages"]] == ["sent"]
    ids = {headers["webhook-id"] for headers, _ in receiver.got}
    assert len(ids) == 1
    headers, body = receiver.got[-1]
    told = Reference(SECRET).verify(body, headers)
    assert told["type"] == "phone.refused"
    assert told["data"]["items"][0]["mac"] == str(place.phone)
    record_interop(
        "Standard Webhooks (Python)",
        "takes the signature of an alert that a killed server sends again",
        version=version("standardwebhooks"),
    )


class Inbox:
    def __init__(self) -> None:
        self.got: list[tuple[Envelope, bool]] = []

    async def handle_DATA(
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        self.got.append((envelope, session.ssl is not None))
        return "250 OK"


async def test_linekey_alert_test_sends_mail_by_starttls(
    place: Any, tmp_path: Path, record_interop: Recorder
) -> None:
    file, context = identity(tmp_path, "localhost")
    inbox, servers = Inbox(), []

    def connected(tls: ssl.SSLContext | None) -> SMTP:
        servers.append(SMTP(inbox, tls_context=tls))
        return servers[-1]

    loop = asyncio.get_running_loop()
    good = await loop.create_server(lambda: connected(context), "127.0.0.1", 0)
    plain = await loop.create_server(lambda: connected(None), "127.0.0.1", 0)
    for server, code in ((good, 0), (plain, 1)):
        configure(
            place, ca_file=str(file), smtp_host="localhost",
            smtp_port=server.sockets[0].getsockname()[1],
            mail_to=["boss@example.com"], mail_from="linekey@example.com",
        )  # fmt: skip
        ran, found = await alert(place, "test")
        assert ran == code, found
        assert found[0]["target"] == "mail to boss@example.com"
    assert found[0]["problem"].startswith("it offers no STARTTLS")
    ((envelope, tls),) = inbox.got
    assert tls
    assert isinstance(envelope.content, bytes)
    got = message_from_bytes(envelope.content, policy=policy.default)
    assert got["Subject"] == "[linekey] linekey's alerts arrive here"
    for server in (good, plain):
        server.close()
    record_interop(
        "aiosmtpd",
        "takes an alert by STARTTLS, and gets none without",
        version=version("aiosmtpd"),
    )
