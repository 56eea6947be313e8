"""Log-in at a certified OpenID Connect provider (npm's oidc-provider), page by page."""

import asyncio
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.browser.console_world import Console, leaf
from tests.conftest import PROVIDER

from linekey.provisioning.group import Group
from linekey.server.counters import Counters
from linekey.server.management import ManagementServer
from linekey.server.server import utc_now
from linekey.settings import parse_settings
from linekey.store.database import open_database
from linekey.store.groups import Groups
from linekey.store.paths import StateDir
from linekey.store.users import Users
from linekey.wire.door.listener import bind

pytestmark = pytest.mark.peer("oidc-provider")


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def issuer() -> Iterator[tuple[str, list[int]]]:
    """A provider on loopback, stopped by its own pid; and ports that it sends back to."""
    port, ports = free_port(), [free_port(), free_port()]
    # The script is ours and may be newer than what was installed beside its library.
    shutil.copyfile(
        Path(__file__).parent / "oidc/provider.mjs", PROVIDER / "provider.mjs"
    )
    process = subprocess.Popen(
        ["node", "provider.mjs", str(port),
         *(f"http://127.0.0.1:{one}/console/provider/back" for one in ports)],
        cwd=PROVIDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield f"http://127.0.0.1:{port}", ports
    process.terminate()
    process.wait(20)
    process.stdout.close()


@contextmanager
def serving(issuer: str, port: int, folder: Path, more: str = "") -> Iterator[Console]:
    base = f"http://127.0.0.1:{port}"
    settings = parse_settings(
        f'[console]\nurl = "{base}"\n[console.oidc]\nissuer = "{issuer}"\n'
        'client_id = "linekey"\nclient_secret = "a-secret-of-this-test"\n'
        f'name = "the office"\n{more}'
    )
    database = open_database(StateDir.open(folder))
    ready, stop = threading.Event(), threading.Event()

    async def run() -> None:
        served = leaf()
        with bind("127.0.0.1", port) as listener:
            async with ManagementServer(
                settings, database, listener, url="https://prov.example.com",
                chain=lambda: (served,), counters=Counters(), clock=utc_now,
            ):  # fmt: skip
                ready.set()
                await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(60)
    try:
        yield Console(f"{base}/console/", database)
    finally:
        stop.set()
        thread.join(30)
        database.close()


@pytest.fixture(scope="module")
def console(
    issuer: tuple[str, list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    name, ports = issuer
    with serving(name, ports[0], tmp_path_factory.mktemp("p") / "state") as found:
        users = Users(found.database)
        users.add("anna", "admin", utc_now(), issuer=name, subject="anna-at-the-office")
        yield found


def at_provider(http: httpx2.Client, answer: httpx2.Response, name: str) -> Any:
    """Fill the provider's own pages in: a name, then consent."""
    for _ in range(4):
        found = re.search(r'action="([^"]*interaction[^"]*)"', answer.text)
        if found is None:
            return answer
        prompt = "login" if 'name="login"' in answer.text else "consent"
        form = {"prompt": prompt, "login": name, "password": "any"}
        answer = http.post(str(answer.url.join(found[1])), data=form)
    return answer


def test_whom_the_provider_names_is_logged_in(console: Console) -> None:
    with httpx2.Client(follow_redirects=True, timeout=30) as http:
        page = http.get(console.url)
        assert "Log in with the office" in page.text
        answer = http.get(console.url + "provider?next=/console/phones")
        back = at_provider(http, answer, "anna-at-the-office")
        assert str(back.url) == console.url + "phones"
        assert back.status_code == 200
        assert "anna" in back.text
        # Again, as for secrets: the provider asks for the password anew.
        answer = http.get(console.url + "provider?again=1&next=/console/users")
        assert 'name="login"' in answer.text
        back = at_provider(http, answer, "anna-at-the-office")
        assert str(back.url) == console.url + "users"
        assert back.status_code == 200


def test_who_is_nobody_here_stays_out(console: Console) -> None:
    with httpx2.Client(follow_redirects=True, timeout=30) as http:
        answer = http.get(console.url + "provider")
        back = at_provider(http, answer, "a-stranger")
        assert back.status_code == 403
        assert "no user here is you" in back.text
        assert "linekey user subject NAME a-stranger" in back.text
        assert str(http.get(console.url).url).startswith(console.url + "log-in")


def test_an_answer_to_another_browser_is_refused(console: Console) -> None:
    with (
        httpx2.Client(follow_redirects=False, timeout=30) as mine,
        httpx2.Client(follow_redirects=False, timeout=30) as other,
    ):
        sent = mine.get(console.url + "provider")
        state = httpx2.URL(sent.headers["location"]).params["state"]
        back = other.get(f"{console.url}provider/back?state={state}&code=x")
        assert back.status_code == 403
        wrong = mine.get(f"{console.url}provider/back?state={state}x&code=x")
        assert wrong.status_code == 403
        mine.get(console.url + "provider")
        denied = mine.get(f"{console.url}provider/back?error=access_denied")
        assert denied.status_code == 403


def test_a_code_that_is_none_is_refused_by_the_provider(console: Console) -> None:
    with httpx2.Client(follow_redirects=False, timeout=30) as http:
        sent = http.get(console.url + "provider")
        target = httpx2.URL(sent.headers["location"])
        issuer = f"http://127.0.0.1:{target.port}"
        query = {"state": target.params["state"], "code": "made-up", "iss": issuer}
        back = http.get(f"{console.url}provider/back", params=query)
        assert back.status_code == 403
        assert "did not log you in" in back.text


def test_roles_and_groups_come_from_the_providers_claims(
    issuer: tuple[str, list[int]], tmp_path: Path
) -> None:
    roles = (
        'scope = "openid groups"\n[console.oidc.roles]\n'
        'phone-admins = "admin"\nacme-it = "helpdesk acme"\n'
    )
    with serving(issuer[0], issuer[1][1], tmp_path / "state", roles) as console:
        Groups(console.database).add(Group("acme"), utc_now())
        for subject, status, role in (
            ("dora:staff:acme-it", 200, ("helpdesk", frozenset({"acme"}))),
            ("emil:phone-admins", 200, ("admin", None)), ("fred:staff", 403, None),
        ):  # fmt: skip
            with httpx2.Client(follow_redirects=True, timeout=30) as http:
                answer = http.get(console.url + "provider")
                back = at_provider(http, answer, subject)
            assert back.status_code == status
            user = Users(console.database).find(subject.partition(":")[0])
            assert (user and (user.role, user.groups)) == role
