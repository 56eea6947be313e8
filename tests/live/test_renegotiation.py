"""A server that asks to renegotiate: Apache with ``SSLVerifyClient`` in a ``<Location>``.

It completes the handshake without asking for a certificate, reads the request, and then
wants a second handshake. Phones' OpenSSL follows that; the virtual phone and the check
do not, and say so, whatever the connection is for.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import MAC, NOW, authority, device, server, vendor
from tests.conftest import peer_path
from tests.live.peers import Peer, free_port, open_folder, running
from tests.live.test_check_nginx import LINEKEY
from tests.live.test_openssl_lines import Remembering

from linekey.certs.pem import to_pem
from linekey.export.render import Export
from linekey.phone.document import FunctionKey
from linekey.phone.events import Answer, Event
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.phone.uses.actions.events import ActionHappened, KeyPressed
from linekey.phone.uses.browser.events import EntryChosen
from linekey.phone.uses.directory.events import LookupWanted
from linekey.phone.uses.sip.edge import SipLines
from linekey.phone.uses.sip.lines import Lines
from linekey.phone.uses.sip.registration import LineState
from linekey.trust.client_refusal import LATE_HANDSHAKE
from linekey.trust.connection import Purpose

APACHE = """\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/run/apache.pid
Listen 127.0.0.1:{port}
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
ErrorLog {folder}/run/error.log
DocumentRoot {folder}
SSLEngine on
SSLProtocol TLSv1.2
SSLCertificateFile {folder}/server.pem
SSLCACertificateFile {folder}/vendor.pem
<Location "/closed">
  SSLVerifyClient require
  SSLVerifyDepth 3
</Location>
"""

MENU = """\
<?xml version="1.0" encoding="UTF-8"?>
<SnomIPPhoneMenu><Title>Menu</Title>
<MenuItem><Name>In</Name><URL>https://127.0.0.1:{port}/closed/page.xml</URL></MenuItem>
</SnomIPPhoneMenu>
"""


@asynccontextmanager
async def apache() -> AsyncIterator[Peer]:
    """It answers ``/menu.xml`` at once, and asks to renegotiate for ``/closed/…``."""
    with open_folder() as folder:
        port = free_port()
        (folder / "server.pem").write_bytes(server("127.0.0.1").to_pem())
        (folder / "vendor.pem").write_text(
            "".join(to_pem(v.certificate) for v in vendor("sha256"))
        )
        (folder / "menu.xml").write_text(MENU.format(port=port))
        (folder / "apache.conf").write_text(APACHE.format(folder=folder, port=port))
        peer = Peer("apache", port, folder, Export("apache", (), (), (), ()))
        async with running(peer):
            yield peer


def phone(url: str = "", **settings: str) -> PhoneState:
    state = new_phone(
        MAC, "D785", "10.1.33.33", setting_server=url, builtin=device(MAC, "sha256"),
        authorities=(authority().certificate,),
    )  # fmt: skip
    kept = state.settings
    for name, value in settings.items():
        base, _, idx = name.partition("__")
        kept = kept.provision(base, value, idx=int(idx) if idx else None).settings
    return replace(state, settings=kept)


def assert_told(phone: Remembering, said: str, purpose: Purpose) -> None:
    """On the screen, in the log, in the report and to whoever asked."""
    report = phone.report
    assert report.purpose is purpose
    assert report.completed
    assert report.error == LATE_HANDSHAKE.reason
    assert report.hint == LATE_HANDSHAKE.cure
    assert LATE_HANDSHAKE.reason in said
    (shown,) = (n for n in phone.state.notifications if n.purpose is purpose)
    assert LATE_HANDSHAKE.reason in shown.text
    assert "SSLVerifyClient in Apache's <VirtualHost>" in shown.cure
    log = [line for entry in phone.state.log for line in (entry.text, *entry.details)]
    assert any(LATE_HANDSHAKE.reason in line for line in log)
    assert not any("cipher suite" in line for line in log)


@pytest.mark.peer("apache")
async def test_a_setting_server_that_renegotiates_is_told_as_that(
    record_interop: Any,
) -> None:
    async with apache() as peer:
        state = phone(f"https://127.0.0.1:{peer.port}/closed/")
        async with asyncio.timeout(60), Remembering(state, clock=NOW) as running_phone:
            state = await running_phone.round_ended()
    assert state.status is not Status.PROVISIONED
    assert_told(running_phone, state.status_reason, Purpose.PROVISIONING)
    record_interop(
        "apache",
        "SSLVerifyClient in a Location: a renegotiation is refused",
        "refused, told",
    )


@pytest.mark.peer("apache")
@pytest.mark.parametrize(
    ("purpose", "event"),
    [
        (Purpose.ACTION_URL, ActionHappened("dnd_on", asked=True)),
        (Purpose.FUNCTION_KEY, KeyPressed(0)),
        (Purpose.MINIBROWSER, EntryChosen(0)),
    ],
    ids=lambda value: str(value) if isinstance(value, Purpose) else "",
)
async def test_a_page_behind_a_renegotiation_is_told_as_that(
    purpose: Purpose, event: Event, record_interop: Any
) -> None:
    async with apache() as peer:
        closed = f"https://127.0.0.1:{peer.port}/closed/page.xml"
        menu = f"https://127.0.0.1:{peer.port}/menu.xml"
        keys = (FunctionKey(0, "url", closed), FunctionKey(1, "url", menu))
        state = replace(phone(action_dnd_on_url=closed), function_keys=keys)
        async with asyncio.timeout(60), Remembering(state, clock=NOW) as running_phone:
            if purpose is Purpose.MINIBROWSER:
                assert (await running_phone.do(KeyPressed(1))).ok
            answer = await running_phone.do(event)
            await running_phone.wait_for(lambda state: bool(state.notifications))
    assert not answer.ok
    assert_told(running_phone, answer.text, purpose)
    assert answer.hint == LATE_HANDSHAKE.cure
    record_interop(
        "apache",
        f"SSLVerifyClient in a Location: a renegotiation is refused, {purpose}",
        "refused, told",
    )


@asynccontextmanager
async def renegotiating() -> AsyncIterator[int]:
    """``openssl s_server`` that wants a second handshake once it was spoken to."""
    with open_folder() as folder:
        port = free_port()
        (folder / "server.pem").write_bytes(server("127.0.0.1").to_pem())
        program = peer_path("openssl")
        assert program is not None
        process = await asyncio.create_subprocess_exec(
            program, "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_2",
            "-cert", str(folder / "server.pem"), "-key", str(folder / "server.pem"),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        accepting = asyncio.Event()

        async def ask_again() -> None:
            assert process.stdout is not None
            assert process.stdin is not None
            said = b""
            while data := await process.stdout.read(4096):
                said += data
                if b"ACCEPT" in said:
                    accepting.set()
                if re.search(rb"Secure Renegotiation IS supported\n.", said, re.S):
                    process.stdin.write(b"R\n")
                    said = b""

        asking = asyncio.create_task(ask_again())
        try:
            async with asyncio.timeout(20):
                await accepting.wait()
            yield port
        finally:
            process.kill()
            await process.wait()
            await asking


@pytest.mark.peer("openssl")
async def test_a_directory_that_renegotiates_is_told_as_that(
    record_interop: Any,
) -> None:
    async with renegotiating() as port:
        state = phone(
            ldap_server="127.0.0.1", ldap_port=str(port), ldap_over_tls="on",
            ldap_base="dc=phonebook", ldap_search_filter="(cn=%*)",
            ldap_display_name="%cn", ldap_name_attributes="cn",
            ldap_number_attributes="telephoneNumber",
        )  # fmt: skip
        async with asyncio.timeout(60), Remembering(state, clock=NOW) as running_phone:
            answer: Answer = await running_phone.do(LookupWanted("ada"))
            await running_phone.wait_for(lambda state: bool(state.notifications))
    assert not answer.ok
    assert_told(running_phone, answer.text, Purpose.LDAP)
    assert answer.hint == LATE_HANDSHAKE.cure
    record_interop("openssl", "LDAPS: a renegotiation is refused", "refused, told")


@pytest.mark.peer("openssl")
async def test_a_registrar_that_renegotiates_is_told_as_that(
    record_interop: Any,
) -> None:
    def waits(state: PhoneState) -> bool:
        line = state.part(Lines).line(1)
        return line is not None and line.state is LineState.WAITING

    async with renegotiating() as port:
        state = phone(
            user_name__1="4711", user_host__1="127.0.0.1",
            user_outbound__1=f"127.0.0.1:{port};transport=tls",
        )  # fmt: skip
        made = Remembering(state, services=(SipLines(),), clock=NOW)
        async with asyncio.timeout(60), made as running_phone:
            state = await running_phone.wait_for(waits)
            await running_phone.wait_for(lambda state: bool(state.notifications))
    line = state.part(Lines).line(1)
    assert line is not None
    assert_told(running_phone, line.reason, Purpose.SIP)
    record_interop(
        "openssl", "SIP over TLS: a renegotiation is refused", "refused, told"
    )


@pytest.mark.peer("apache")
async def test_the_check_names_a_renegotiation_where_it_makes_the_request(
    tmp_path: Path, record_interop: Any
) -> None:
    """With ``--identity``; without, it makes none, and says what it cannot see."""
    identity, root = tmp_path / "phone.pem", tmp_path / "root.pem"
    identity.write_bytes(device(MAC, "sha256").to_pem())
    root.write_text(to_pem(authority().certificate))

    def found(url: str, *more: str) -> dict[str, Any]:
        done = subprocess.run(
            [
                LINEKEY, "check", url, "--model", "D785", "--firmware", "10.1.33.33",
                "--trust", str(root), "--json", *more,
            ],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        (row,) = json.loads(done.stdout)["classes"]
        assert row["outcome"] == "accepted", row
        (told,) = (f for f in row["findings"] if f["rule"] == "client.asked")
        return dict(told)

    async with apache() as peer:
        url = f"https://127.0.0.1:{peer.port}"
        shown = "--identity", str(identity)
        told = await asyncio.to_thread(found, f"{url}/closed/?a=b c", *shown)
        assert told["severity"] == "warning"
        assert told["message"].startswith(LATE_HANDSHAKE.reason)
        assert told["cure"] == LATE_HANDSHAKE.cure
        for told in (
            await asyncio.to_thread(found, f"{url}/menu.xml", *shown),
            await asyncio.to_thread(found, f"{url}/closed/"),
        ):
            assert told["severity"] == "note"
            assert "--identity" in told["cure"]
    record_interop(
        "apache", "SSLVerifyClient in a Location: the check tells of it", "told"
    )
