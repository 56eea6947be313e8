"""The status page: loopback names only, no scripts, a JSON twin for every page."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from tests.unit.console.web.conftest import english_in, text_of

from linekey.console.facts import (
    AuthorityLine,
    DecisionLine,
    Overview,
    PhoneLine,
    ServerLine,
)
from linekey.console.status import PAGES, StatusPages
from linekey.errors import Cause, StorageError

NOW = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)


def decision(**changes: Any) -> DecisionLine:
    facts: dict[str, Any] = {
        "at": NOW,
        "kind": "request",
        "outcome": "refused",
        "reason": "other_phones_file",
        "sentence": "the certificate is one phone's, and the URL asks for another phone's file",
        "cure": "check the MAC in the phone's setting server URL; write {mac} there",
        "mac": "000413AABBCC",
        "resource": "/snomD785-000413AABBCD.htm",
        "peer": "192.0.2.7",
        "tls": "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256",
    }
    return DecisionLine(**(facts | changes))


class Facts:
    """A source with fixed facts that remembers how it was asked."""

    def __init__(self, lines: Sequence[DecisionLine] = ()) -> None:
        self.lines = lines or [decision()]
        self.asked: dict[str, Any] = {}

    async def overview(self, now: datetime) -> Overview:
        return Overview(
            server=ServerLine(
                url="https://prov.example.com:8443/",
                version="0.1.0",
                started_at=NOW - timedelta(hours=1),
                certificate_names=["prov.example.com"],
                certificate_issuer="CN=Example CA",
                certificate_not_after=NOW + timedelta(days=30),
                certificate_days_left=30,
                certificate_expires_soon=False,
                certificate_sha256="ab" * 32,
            ),
            phones_registered=3,
            phones_seen=2,
            phones_revoked=1,
            outcomes={"granted": 5, "refused": 1},
            handshakes_refused=4,
            latest=self.lines,
            authorities=await self.authorities(now),
            notes=["the certificate expires in 30 days"],
        )

    async def decisions(
        self, *, mac: str | None, refused: bool, limit: int
    ) -> Sequence[DecisionLine]:
        self.asked = {"mac": mac, "refused": refused, "limit": limit}
        return self.lines

    async def phones(self, limit: int) -> Sequence[PhoneLine]:
        return [
            PhoneLine(
                "000413AABBCC",
                "snom",
                "D785",
                "10.1.33.33",
                "<b>desk</b>",
                "active",
                NOW,
                "granted",
                "",
            )
        ]

    async def authorities(self, now: datetime) -> Sequence[AuthorityLine]:
        return [
            AuthorityLine(
                "LAB root", "snom", "sha256", "root", NOW + timedelta(9), 9, "cd" * 32
            )
        ]


async def metrics() -> bytes:
    return b"linekey_things_total 1.0"


def client(
    source: Facts | None = None, host: str = "127.0.0.1:8480"
) -> httpx2.AsyncClient:
    pages = StatusPages(
        source or Facts(),
        clock=lambda: NOW,
        metrics=metrics,
    )
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=pages.app), base_url=f"http://{host}"
    )


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
async def test_every_page_has_a_json_twin_and_loads_nothing_from_elsewhere(
    path: str,
) -> None:
    async with client() as http:
        page = await http.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "script" not in policy
        assert "<script" not in page.text
        assert "style=" not in page.text
        assert "http:" not in page.text
        twin = page.text.partition('class="twin"><a href="')[2].partition('"')[0]
        answer = await http.get(twin)
        assert answer.headers["content-type"] == "application/json"
        assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("path", [*(path for path, _ in PAGES), "/nothing"])
async def test_every_page_is_german_where_the_browser_asks_for_it(path: str) -> None:
    async with client() as http:
        page = await http.get(path, headers={"accept-language": "de-AT,en;q=0.5"})
    assert '<html lang="de">' in page.text
    assert "Zustand dieses linekey-Servers" in page.text
    assert english_in([text_of(page)]) == set()


async def test_what_the_door_saw_is_told_by_its_reason_in_german() -> None:
    saw = decision(reason="hello.ssl2", sentence="the client has RC4 alone", cure="")
    async with client(Facts([saw])) as http:
        shown = [
            text_of(await http.get("/decisions", headers={"accept-language": code}))
            for code in ("en", "de")
        ]
    assert "The client has RC4 alone" in shown[0]
    assert "The client has" not in shown[1]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8480",
        "127.0.0.1.evil.example",
        "localhost.evil.org",
    ],
)
async def test_a_name_that_only_points_at_loopback_is_refused(host: str) -> None:
    async with client(host=host) as http:
        answer = await http.get("/decisions.json")
    assert answer.status_code == 421
    assert "000413" not in answer.text


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "[::1]:8480", "LOCALHOST"]
)
async def test_loopback_names_are_answered(host: str) -> None:
    async with client() as http:
        answer = await http.get("/healthz", headers={"host": host})
    assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize(
    "hosts",
    [
        ["127.0.0.1", "evil.example"],
        ["127.0.0.1", "127.0.0.1"],
        ["127.0.0.1:8480.evil.example"],
        ["127.0.0.1:evil.example"],
        ["[::1]evil.example"],
        ["[::1"],
        ["localhost@evil.example"],
        ["localhost/evil.example"],
        ["127.0.0.1 evil.example"],
    ],
)
async def test_two_hosts_or_one_that_only_begins_with_loopback_are_no_host(
    hosts: list[str],
) -> None:
    async with client() as http:
        answer = await http.get(
            "/decisions.json", headers=[("host", host) for host in hosts]
        )
    assert answer.status_code == 400
    assert "000413" not in answer.text


async def ask_app(target: bytes, *headers: tuple[bytes, bytes]) -> int:
    """The status that the application answers, asked as h11 hands a request on."""
    raw_path, _, query = target.partition(b"?")
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": raw_path.decode(), "raw_path": raw_path, "query_string": query,
        "root_path": "", "headers": list(headers), "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8480),
    }  # fmt: skip
    statuses = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    await StatusPages(Facts(), clock=lambda: NOW).app(scope, receive, send)
    return int(statuses[0])


async def test_a_target_in_absolute_form_says_which_host_is_meant() -> None:
    loopback, evil = (b"host", b"127.0.0.1"), (b"host", b"evil.example")
    assert await ask_app(b"/phones.json", loopback) == 200
    assert await ask_app(b"/phones.json") == 400
    assert await ask_app(b"http://localhost:8480/phones.json?x", evil) == 200
    assert await ask_app(b"http://evil.example/phones.json", loopback) == 421
    assert await ask_app(b"http://localhost@evil.example/phones.json", loopback) == 404


async def test_decisions_are_filtered_by_mac_in_any_spelling_and_by_outcome() -> None:
    source = Facts()
    async with client(source) as http:
        await http.get("/decisions?mac=00:04:13:aa:bb:cc&refused=1")
    assert source.asked == {"mac": "000413AABBCC", "refused": True, "limit": 200}


async def test_what_is_no_mac_is_said_on_the_page_and_in_the_twin() -> None:
    async with client() as http:
        page = await http.get("/decisions", params={"mac": "<script>x"})
        twin = await http.get("/decisions.json", params={"mac": "<script>x"})
    assert "Not a MAC address" in page.text
    assert "<script" not in page.text
    assert twin.status_code == 400
    assert twin.json()["hint"].startswith("write 12 hex digits")


async def test_what_phones_and_operators_wrote_is_escaped() -> None:
    source = Facts([decision(resource="/<img src=x>", mac=None, peer="<i>")])
    async with client(source) as http:
        pages = [(await http.get(path)).text for path, _ in PAGES]
    for text in pages:
        assert "<img" not in text
        assert "<b>desk" not in text
        assert "<i>" not in text


async def test_a_counted_line_says_how_many_from_where_and_until_when() -> None:
    line = decision(
        times=412, network="192.0.2.0/24", last_at=NOW + timedelta(seconds=59)
    )
    async with client(Facts([line])) as browser:
        page = await browser.get("/decisions")
        twin = await browser.get("/decisions.json")
    until = f"{NOW + timedelta(seconds=59):%H:%M:%S}"
    assert (
        f"412 times from 192.0.2.0/24 until {until}; this was the first." in page.text
    )
    (shown,) = twin.json()["decisions"]
    assert (shown["times"], shown["network"]) == (412, "192.0.2.0/24")


async def test_nothing_is_changed_by_any_method() -> None:
    async with client() as http:
        for path, _ in PAGES:
            for method in ("POST", "PUT", "DELETE"):
                assert (await http.request(method, path)).status_code == 405


async def test_unknown_pages_say_so_in_the_shape_that_was_asked() -> None:
    async with client() as http:
        page = await http.get("/nowhere")
        twin = await http.get("/nowhere.json")
    assert page.status_code == twin.status_code == 404
    assert "<h1>Error 404</h1>" in page.text
    assert set(twin.json()) == {"error", "hint"}


async def test_metrics_are_in_prometheus_text() -> None:
    async with client() as http:
        answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.text == "linekey_things_total 1.0"


class Broken(Facts):
    """A source that raises."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def __getattribute__(self, name: str) -> Any:
        if name in ("overview", "phones", "decisions", "authorities"):
            raise object.__getattribute__(self, "error")
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
async def test_where_the_facts_cannot_be_read_the_page_says_why(path: str) -> None:
    error = StorageError("the database is away", hint="start it", cause=Cause.SLOW)
    twin = "/overview.json" if path == "/" else f"{path}.json"
    async with client(Broken(error)) as http:
        page, document = await http.get(path), await http.get(twin)
    for answer in (page, document):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "30"
        assert answer.headers["content-security-policy"].startswith("default-src")
    assert "The database is away. Start it." in page.text
    assert page.headers["content-type"].startswith("text/html")
    assert document.json() == {"error": "the database is away", "hint": "start it"}


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
async def test_a_fault_of_our_own_is_no_500_and_shows_no_text(path: str) -> None:
    secret = "geheim-" + "4711"
    async with client(Broken(ValueError(secret))) as http:
        answer = await http.get(path)
    assert answer.status_code == 503
    assert "A fault of linekey" in answer.text
    assert secret not in answer.text
    assert "Traceback" not in answer.text


async def test_life_needs_no_database() -> None:
    async with client(Broken(ValueError())) as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/metrics")).status_code == 200
