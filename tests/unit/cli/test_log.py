import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import linekey.cli.log
from linekey.cli.log import app, log_line
from linekey.mac import Mac
from linekey.provisioning.decision import Decision, Reason
from linekey.store.database import Database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.opening import open_store

MAC, OTHER = Mac("000413AABBCC"), Mac("000413AABBCD")
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def entry(reason: Reason, at: datetime = NOW, mac: Mac = MAC) -> LogEntry:
    decision = Decision(reason, "/snomD785-000413AABBCC.htm", mac, MAC)
    return LogEntry.of_decision(
        decision,
        at=at,
        peer=("192.0.2.7", 4000),
        tls_version="TLSv1.2",
        suite="A_SUITE",
    )


def write(database: Database, *entries: LogEntry) -> None:
    async def all_of_them() -> None:
        async with DecisionLog(database) as log:
            for line in entries:
                await log.record(line)

    asyncio.run(all_of_them())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_store(tmp_path) as database:
        write(
            database,
            entry(Reason.OWN_FILE, NOW - timedelta(days=100)),
            entry(Reason.OTHER_PHONES_FILE, mac=OTHER),
            entry(Reason.REVOKED),
            LogEntry(
                at=NOW, kind="handshake", outcome="refused", reason="hello.not_tls",
                peer="192.0.2.9", detail="this \x1b[31mwas no TLS", cure="look at it",
            ),
        )  # fmt: skip
        yield database


def run(database: Database, *arguments: str) -> Result:
    state = str(database.state.root)
    result = CliRunner().invoke(app, ["--state", state, *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


def reasons(result: Result) -> list[str]:
    return [line["reason"] for line in json.loads(result.stdout)]


def test_lines_are_for_people_with_the_reason_and_its_cure(database: Database) -> None:
    result = run(database)
    assert result.exit_code == 0
    assert Reason.OTHER_PHONES_FILE.sentence in result.stdout
    assert f"cure: {Reason.OTHER_PHONES_FILE.cure}" in result.stdout
    assert "refused  000413AABBCD  /snomD785-000413AABBCC.htm" in result.stdout
    assert "from 192.0.2.7  TLSv1.2 A_SUITE" in result.stdout
    assert "cure: look at it" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_grant_has_no_cure() -> None:
    assert "cure" not in log_line(entry(Reason.OWN_FILE))


def test_lines_are_chosen(database: Database) -> None:
    everything = ["own_file", "other_phones_file", "revoked", "hello.not_tls"]
    assert reasons(run(database, "--json")) == everything
    assert reasons(run(database, "--json", "--refused")) == everything[1:]
    assert reasons(run(database, "--json", "--limit", "1")) == everything[-1:]
    assert reasons(run(database, "--json", "--limit", "0")) == everything
    assert reasons(run(database, "--json", "--mac", "00:04:13:aa:bb:cd")) == [
        "other_phones_file"
    ]
    since = (NOW - timedelta(days=1)).isoformat()
    assert reasons(run(database, "--json", "--since", since)) == everything[1:]
    assert "no matching entries" in run(database, "--since", "1s").stderr


def test_a_json_line_says_all_there_is(database: Database) -> None:
    line = json.loads(run(database, "--json", "--limit", "2").stdout)[0]
    assert line["sentence"] == Reason.REVOKED.sentence
    assert line["cure"] == Reason.REVOKED.cure
    assert line["mac"] == MAC.digits
    assert line["at"] == "2026-01-31T12:00:00+00:00"


@pytest.mark.parametrize("as_json", [True, False])
def test_following_prints_each_new_line_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    looks = iter(range(4))

    def pass_time(_: float) -> None:
        look = next(looks)
        if look == 3:
            raise KeyboardInterrupt
        write(database, replace(entry(Reason.UNKNOWN_PHONE), detail=f"look {look}"))
        write(database, entry(Reason.OWN_FILE))

    monkeypatch.setattr(linekey.cli.log.time, "sleep", pass_time)
    arguments = ["--follow", "--refused", "--limit", "1"]
    result = run(database, *arguments, *(["--json"] if as_json else []))
    assert result.exit_code == 0
    if as_json:
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert [line["detail"] for line in lines[1:]] == ["look 0", "look 1", "look 2"]
    else:
        assert [result.stdout.count(f"(look {n})") for n in range(3)] == [1, 1, 1]
    assert "own_file" not in result.stdout


def test_pruning_deletes_old_lines(database: Database) -> None:
    age = datetime.now(UTC) - NOW + timedelta(days=50)
    state = ["--state", str(database.state.root)]
    result = CliRunner().invoke(
        app, ["prune", "--older-than", f"{age.days}d", "--json", *state]
    )
    assert json.loads(result.stdout)["deleted"] == 1
    assert "own_file" not in reasons(run(database, "--json"))


def test_pruning_takes_the_state_folder_wherever_it_is_named(
    database: Database,
) -> None:
    result = run(database, "prune", "--older-than", "1s", "--json")
    assert json.loads(result.stdout)["deleted"] == 4
    assert reasons(run(database, "--json")) == []


def test_counted_refusals_say_how_many_from_where_and_until_when(
    database: Database,
) -> None:
    scan = LogEntry(
        at=NOW, kind="handshake", outcome="refused", reason="hello.plain_http",
        peer="198.51.100.7", detail="plain HTTP came",
    )  # fmt: skip
    later = [NOW + timedelta(seconds=n) for n in range(1, 37)]
    write(database, scan, *(replace(scan, at=at) for at in later))
    said = run(database, "--limit", "1").stdout
    until = f"{later[-1].astimezone():%H:%M:%S}"
    assert f"37 times from 198.51.100.0/24 until {until}; this was the first" in said
    (line,) = json.loads(run(database, "--json", "--limit", "1").stdout)
    assert (line["times"], line["network"]) == (37, "198.51.100.0/24")
    assert line["last_at"] == later[-1].isoformat()
    assert line["peer"] == "198.51.100.7"


def test_following_shows_a_counted_line_again_when_its_minute_is_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = LogEntry(
        at=NOW, kind="handshake", outcome="refused", reason="hello.plain_http",
        peer="198.51.100.7", detail="plain HTTP came",
    )  # fmt: skip
    looks = iter(range(5))
    clock = [NOW]

    def pass_time(_: float) -> None:
        look = next(looks)
        if look == 4:
            raise KeyboardInterrupt
        if look < 3:
            write(database, scan)
        else:
            clock[0] = NOW + timedelta(seconds=70)

    monkeypatch.setattr(linekey.cli.log.time, "sleep", pass_time)
    monkeypatch.setattr(linekey.cli.log, "now", lambda: clock[0])
    result = run(database, "--follow", "--json", "--limit", "1")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    shown = [x["times"] for x in lines if x["reason"] == "hello.plain_http"]
    assert shown == [1, 3]


@pytest.mark.parametrize("text", ["", "yesterday", "90", "-1d", "2026-13-01"])
def test_what_is_no_time_is_told(database: Database, text: str) -> None:
    result = run(database, "--since", text)
    assert result.exit_code == 2
    assert "hint: " in result.stderr


def test_a_bad_mac_and_a_missing_state_are_told(
    database: Database, tmp_path: Path
) -> None:
    assert run(database, "--mac", "x").exit_code == 2
    result = CliRunner().invoke(app, ["--state", str(tmp_path / "none")])
    assert result.exit_code == 3


def test_a_cut_list_says_how_many_there_are(database: Database) -> None:
    assert (
        "the newest 1 of 4 entries; --limit 0" in run(database, "--limit", "1").stderr
    )
    assert "newest" not in run(database, "--limit", "0").stderr


def test_one_groups_entries_are_found(database: Database) -> None:
    write(database, replace(entry(Reason.OWN_FILE, NOW, OTHER), group="acme"))
    found = run(database, "--group", "ACME", "--json")
    (line,) = json.loads(found.stdout)
    assert (line["group"], line["mac"]) == ("acme", OTHER.digits)
    assert run(database, "--group", "corp").stdout == ""
    assert run(database, "--group", "no group").exit_code == 2
