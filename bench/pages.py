"""How long each page of the console takes with a large fleet, on SQLite and PostgreSQL.

    python -m bench.pages [--only SQLite] [--no-write] [--rounds 10]
                          [--phones 100000] [--lines 1000000]

The registry and log of ``bench.manage``, the log's times moved so that its last day is
today's and has 86,400 lines; one `linekey serve`, its pages asked for as a browser
with a session does, one after the other on one connection. Told are the wait and the
server's CPU, which other work on the machine moves less.
"""

import argparse
import contextlib
import http.client
import json
import platform
import re
import shutil
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import sqlalchemy as sa
from tests.postgres import running_cluster

from bench.manage import START, Place, about, make, serving
from bench.server_vs_nginx import cpu_model, say
from linekey.server.server import utc_now
from linekey.store.database import open_database
from linekey.store.paths import StateDir
from linekey.store.schema import decision_log, to_us
from linekey.store.users import Users

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "performance-console.md"
KEPT = ROOT / ".cache" / "bench" / "pages.json"
TARGET_MS = 300
PAGES = {
    "overview": "", "overview, a week": "?span=week", "phones": "phones",
    "phones, by label": "phones?sort=label", "phones, search": "phones?q=room%204711",
    "phones, search that finds none": "phones?q=nowhere",
    "phones refused lately": "phones?refused=1",
    "phones never seen": "phones?seen=never",
    "a phone": "phones/000413000FFF", "a phone's file": "phones/000413000FFF/file",
    "pending": "pending", "decisions": "decisions",
    "decisions, one reason": "decisions?reason=token_used",
    "decisions of one phone": "decisions?mac=000413000FFF",
    "decisions, text that is nowhere": "decisions?q=nowhere",
    "forecast": "forecast", "layers": "layers", "a layer": "layers/fleet",
    "authorities": "authorities", "changes": "changes",
    "changes of one phone": "changes?mac=000413000FFF", "users and tokens": "users",
}  # fmt: skip
FORECAST = "forecast?anew=1"
"""Not of the one that is kept."""


class Browser:
    """One connection with a session."""

    def __init__(self, port: int, token: str) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.cookies: dict[str, str] = {}
        page = self.get(f"link?{urlencode({'token': token})}")
        word = re.search(r'name="form_word" value="([0-9a-f]+)"', page)
        assert word is not None
        self._ask("POST", "link", urlencode({"form_word": word[1], "token": token}))

    def get(self, path: str) -> str:
        """A whole page."""
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: str | None = None) -> str:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookie} if cookie else {}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.http.request(method, f"/console/{path}", body, headers)
        answer = self.http.getresponse()
        text = answer.read().decode()
        place = answer.headers["location"] or ""
        if answer.status not in (200, 303) or "/log-in" in place:
            raise RuntimeError(f"{path}: {answer.status} {text[:500]}")
        for line in answer.headers.get_all("set-cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages")
    parser.add_argument("--phones", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"))
    parser.add_argument("--no-write", action="store_true", help="leave the page as is")
    given = parser.parse_args()
    found = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    with contextlib.ExitStack() as stack:
        names = [given.only] if given.only else ["SQLite", "PostgreSQL"]
        cluster = None
        if "PostgreSQL" in names:
            cluster = stack.enter_context(running_cluster())
        for name in names:
            place = until_now(make(name, given.phones, given.lines, cluster))
            found[name] = {"about": about(given), "pages": measure(place, given.rounds)}
    KEPT.write_text(json.dumps(found, indent=1))
    text = page(found)
    if given.no_write:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def until_now(place: Place) -> Place:
    """The same, copied if it is a file, with the log's end at this moment."""
    if place.url is None:
        folder = place.folder.with_name(f"pages-{place.folder.name}")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(place.folder, folder)
        place = place._replace(folder=folder)
    at = decision_log.c.at
    # Of its own: a statement of linekey's ends after a minute.
    engine = sa.create_engine(place.url or f"sqlite:///{place.folder / 'linekey.db'}")
    with engine.begin() as connection:
        last = connection.execute(sa.select(sa.func.max(at))).scalar_one()
        moved = to_us(utc_now()) - (sa.literal(last, sa.BigInteger) - at) / 20
        connection.execute(
            sa.update(decision_log).values(at=sa.cast(moved, sa.BigInteger))
        )
    if place.url is not None:  # else it soon would be, by autovacuum
        vacuum = engine.execution_options(isolation_level="AUTOCOMMIT")
        with vacuum.connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()
    return place


def measure(place: Place, rounds: int) -> dict[str, list[float]]:
    """Median and longest wait of each page, and its CPU, in milliseconds."""
    with open_database(StateDir.open(place.folder), place.url) as database:
        users = Users(database)
        if "bench" not in {user.name for user in users.all()}:
            users.add("bench", "admin", START)
        token = users.new_link("bench", utc_now())
    found: dict[str, list[float]] = {}
    with serving(place) as api:
        browser = Browser(api.port, token)
        for name, path in {**PAGES, "forecast, made anew": FORECAST}.items():
            turns = 3 if path == FORECAST else rounds
            browser.get(path)
            before, times = api.cpu(), []
            for _ in range(turns):
                began = time.perf_counter()
                browser.get(path)
                times.append(1000 * (time.perf_counter() - began))
            cpu = 1000 * (api.cpu() - before) / turns
            found[name] = [statistics.median(times), max(times), cpu]
            say(f"  {name}: {found[name][0]:.0f} / {max(times):.0f}, CPU {cpu:.0f} ms")
    return found


def page(found: dict[str, dict[str, object]]) -> str:
    """The page of all that was measured."""
    lines = [
        "# How long the console's pages take",
        "",
        "<!-- Made by `python -m bench.pages`. -->",
        "",
        f"{cpu_model()}; Python {platform.python_version()}. One `linekey serve`, its "
        "pages asked for one after the other by a user with a session, each some times "
        f"after a first one. The target is {TARGET_MS} ms a page on a quiet machine, "
        "and 5 s for a forecast that is made anew. Where a table's load is above 2, "
        "the machine had other work and the CPU is the surer number.",
        "",
        "A forecast of all phones is kept and made anew beside, so the page and the "
        "overview show it at once, with its time.",
        "",
    ]
    for name, mine in found.items():
        lines += [f"## {name}", "", f"{mine['about']}.", ""]
        lines += ["| page, ms | median | longest | CPU |", "|---|---|---|---|"]
        pages = mine["pages"]
        assert isinstance(pages, dict)
        for what, numbers in pages.items():
            lines.append(
                f"| {what} | " + " | ".join(f"{n:,.0f}" for n in numbers) + " |"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
