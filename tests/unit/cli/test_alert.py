"""``linekey alert``, as it is typed."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from standardwebhooks import Webhook as Reference
from tests.receivers import SECRET, receiving
from typer.testing import CliRunner

from linekey.alerts.kinds import Kind, Noticed
from linekey.alerts.targets import Outcome
from linekey.cli.main import app
from linekey.store import alerts, outbox
from linekey.store.opening import open_store

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def run(state: Path, *arguments: str) -> Result:
    words = ["alert", *arguments, "--state", str(state)]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def run_json(state: Path, *arguments: str) -> Any:
    return json.loads(run(state, *arguments, "--json").stdout)


def write(folder: Path, *lines: str) -> None:
    text = "\n".join(("[alerts]", f'webhook_secret = "{SECRET}"', *lines))
    (folder / "linekey.toml").write_text(text)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with open_store(tmp_path) as database:
        found = Noticed(
            kind=Kind.REFUSED, key="000413AABBCC", cause="expired",
            sentence="the certificate has expired", cure="renew it", since=NOW,
            mac="000413AABBCC",
        )  # fmt: skip
        alerts.see(database, Kind.REFUSED, [found], NOW)
        body = {"type": "phone.refused", "data": {"summary": "1 phone is refused"}}
        with database.write() as connection:
            outbox.put(connection, "msg_1", "phone.refused", body, [("w", "x/…")], NOW)
        (one,) = outbox.due(database, NOW)
        gone = Outcome(False, "it answers 410\x1b[31m", final=True)
        outbox.note(database, one, gone, NOW, 0.0)
    return tmp_path


def test_what_holds_and_what_was_not_delivered_is_listed(state: Path) -> None:
    shown = run(state, "list")
    assert shown.exit_code == 0
    assert "1 hold now" in shown.stdout
    assert "phone.refused  000413AABBCC  the certificate has expired" in shown.stdout
    assert "not told yet" in shown.stdout
    assert r"undelivered  x/…  1 phone is refused  1 attempts: it answers 410\x1b" in (
        shown.stdout
    )
    found = run_json(state, "list")
    assert (found["total"], found["holding"][0]["mac"]) == (1, "000413AABBCC")
    assert found["messages"][0]["state"] == "undelivered"
    assert run_json(state, "list", "--kind", "forecast.changed") == {
        "holding": [], "total": 0, "messages": [],
    }  # fmt: skip


def test_what_was_not_delivered_can_be_put_back(state: Path) -> None:
    assert run(state, "retry").exit_code == 2
    assert run(state, "retry", "7").exit_code == 2
    assert run_json(state, "retry", "1") == {"waiting": 1}
    assert run_json(state, "list")["messages"][0]["state"] == "waiting"
    assert run(state, "retry", "--all").stdout == "1 wait again\n"


def test_a_secret_is_made_that_is_one(state: Path) -> None:
    result = CliRunner().invoke(app, ["alert", "secret"])
    write(state, 'webhooks = ["https://alerts.invalid/"]')
    text = (state / "linekey.toml").read_text()
    (state / "linekey.toml").write_text(text.replace(SECRET, result.stdout.strip()))
    tried = run(state, "test")
    assert tried.exit_code == 1
    assert "no address is known for 'alerts.invalid'" in tried.stdout


async def test_a_test_message_is_sent_to_each_and_told(state: Path) -> None:
    import asyncio

    async with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/S3CRET"
        write(state, f'webhooks = ["{url}", "https://127.0.0.1:1/S3CRET"]')
        refused = await asyncio.to_thread(run, state, "test")
        assert receiver.got == []
        write(state, f'webhooks = ["{url}"]', 'allowed_networks = ["127.0.0.1"]')
        found = await asyncio.to_thread(run_json, state, "test")
    assert refused.exit_code == 1
    assert refused.stdout.count("NOT delivered") == 2
    assert refused.stdout.count("which is not public: not sent") == 2
    assert "S3CRET" not in refused.output
    assert [one["delivered"] for one in found] == [True]
    ((headers, body),) = receiver.got
    assert Reference(SECRET).verify(body, headers)["type"] == "test"


def test_nobody_to_tell_is_told(state: Path) -> None:
    tried = run(state, "test")
    assert tried.exit_code == 2
    assert "nobody to tell" in tried.output
    write(state, 'webhooks = ["https://alerts.invalid/"]', 'ca_file = "no.pem"')
    tried = run(state, "test")
    assert tried.exit_code == 2
    assert "cannot use" in tried.output
    (state / "no.pem").write_text("no certificate")
    assert "holds no certificate" in run(state, "test").output
