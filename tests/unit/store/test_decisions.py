import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from linekey.mac import Mac
from linekey.provisioning.decision import Decision, Reason
from linekey.store.database import Database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry, count_log, prune_log, read_log, walk_log
from linekey.store.schema import from_us, to_us
from linekey.tls.events import NO_CERTIFICATE
from linekey.wire.door.refusal import Refusal

MAC = Mac("000413AABBCC")
OTHER = Mac("000413AABBCD")
PEER = ("192.0.2.7", 40001)


def decided(now: datetime, reason: Reason, **changes: object) -> LogEntry:
    decision = Decision(reason, "/snomD785-000413AABBCC.htm", MAC, MAC)
    return LogEntry.of_decision(
        replace(decision, **changes),  # type: ignore[arg-type]
        at=now,
        peer=PEER,
        tls_version="TLSv1.2",
        suite="TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        user_agent="Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33)",
    )


async def test_a_decision_comes_back_as_it_was_recorded(
    database: Database, now: datetime
) -> None:
    made = decided(
        now, Reason.OTHER_PHONES_FILE, target_mac=OTHER, detail="asked twice",
        vendor="snom", generation="sha256", leaf_sha256="ab" * 32,
    )  # fmt: skip
    async with DecisionLog(database) as log:
        await log.record(made)
    (line,) = read_log(database)
    assert line.row_id == 1
    assert replace(line, row_id=0) == made
    assert line.at == now
    assert line.sentence == f"{Reason.OTHER_PHONES_FILE.sentence} (asked twice)"
    assert line.remedy == Reason.OTHER_PHONES_FILE.cure
    assert line.as_json()["target_mac"] == OTHER.digits
    assert line.as_json()["at"] == "2026-01-31T12:00:00.123456+00:00"


async def test_a_refused_handshake_keeps_its_own_words(
    database: Database, now: datetime
) -> None:
    refusal = Refusal(
        "handshake", now, PEER, "hello.plain_http", "plain HTTP came", "write https",
        fingerprint="t12d", server_name="phones.example",
    )  # fmt: skip
    async with DecisionLog(database) as log:
        await log.record(LogEntry.of_refusal(refusal))
    (line,) = read_log(database)
    assert (line.kind, line.outcome, line.reason) == (
        "handshake", "refused", "hello.plain_http",
    )  # fmt: skip
    assert (line.sentence, line.remedy) == ("plain HTTP came", "write https")
    assert (line.peer, line.peer_port) == PEER
    assert line.server_name == "phones.example"


def test_a_claimed_mac_is_never_put_down_as_proved(now: datetime) -> None:
    class Verdict:
        mac = MAC

    refusal = Refusal("handshake", now, PEER, "expired", "expired", verdict=Verdict())
    made = LogEntry.of_refusal(refusal)
    assert made.mac is None
    assert made.target_mac == MAC


def test_who_sends_no_certificate_is_on_record_with_the_reasons_own_cure(
    now: datetime,
) -> None:
    made = LogEntry.of_refusal(Refusal("handshake", now, PEER, NO_CERTIFICATE, "none"))
    assert made.reason == Reason.NO_CERTIFICATE
    assert made.remedy == Reason.NO_CERTIFICATE.cure


async def test_a_token_in_a_url_is_never_on_record(
    database: Database, now: datetime
) -> None:
    token = "canary_token_0123456789"
    async with DecisionLog(database) as log:
        await log.record(
            replace(decided(now, Reason.OWN_FILE), resource=f"/t/{token}/x.htm")
        )
    (line,) = read_log(database)
    assert line.resource == "/t/…/x.htm"
    for path in database.state.root.glob("linekey.db*"):
        assert token.encode() not in path.read_bytes()


@pytest.mark.parametrize("field", ["detail", "resource", "server_name", "user_agent"])
@pytest.mark.parametrize(
    "text", ["https://u:{}@h/", "snom/10 x; api-key={} y", "x.htm#access_token={}"]
)
async def test_what_a_peer_sent_is_on_record_without_its_secrets(
    database: Database, now: datetime, field: str, text: str
) -> None:
    line = replace(decided(now, Reason.OWN_FILE), **{field: text.format("canary7f3a")})
    async with DecisionLog(database) as log:
        await log.record(line)
    (found,) = read_log(database)
    assert getattr(found, field) == text.format("…").replace("u:…", "…")
    for path in database.state.root.glob("linekey.db*"):
        assert b"canary7f3a" not in path.read_bytes()


@pytest.fixture
async def filled(database: Database, now: datetime) -> Database:
    async with DecisionLog(database) as log:
        for hours, reason, mac, target in (
            (5, Reason.OWN_FILE, MAC, MAC),
            (4, Reason.OTHER_PHONES_FILE, OTHER, MAC),
            (3, Reason.SECRETS_LEFT_OUT, OTHER, OTHER),
            (2, Reason.REVOKED, MAC, MAC),
            (1, Reason.NO_CERTIFICATE, None, OTHER),
        ):
            await log.record(
                decided(
                    now - timedelta(hours=hours), reason, mac=mac, target_mac=target
                )
            )
    return database


def reasons(lines: list[LogEntry]) -> list[str]:
    return [line.reason for line in lines]


def test_lines_are_found_by_phone_outcome_time_and_number(
    filled: Database, now: datetime
) -> None:
    everything = reasons(read_log(filled))
    assert everything == [
        "own_file", "other_phones_file", "secrets_left_out", "revoked", "no_certificate",
    ]  # fmt: skip
    assert reasons(read_log(filled, mac=MAC)) == [
        "own_file", "other_phones_file", "revoked",
    ]  # fmt: skip
    assert reasons(read_log(filled, refused=True)) == [
        "other_phones_file", "revoked", "no_certificate",
    ]  # fmt: skip
    assert reasons(read_log(filled, limit=2)) == everything[-2:]
    since = now - timedelta(hours=2)
    assert reasons(read_log(filled, since=since)) == everything[-2:]
    assert reasons(read_log(filled, after=4)) == everything[-1:]


def test_pruning_deletes_what_is_older_and_nothing_else(
    filled: Database, now: datetime
) -> None:
    assert prune_log(filled, now - timedelta(hours=3)) == 2
    assert reasons(read_log(filled))[0] == "secrets_left_out"
    assert prune_log(filled, now - timedelta(hours=3)) == 0


async def test_pruning_goes_through_many_pieces(
    database: Database, now: datetime
) -> None:
    async with DecisionLog(database) as log:
        line = decided(now, Reason.OWN_FILE)
        await asyncio.gather(*(log.record(line) for _ in range(1203)))
    assert prune_log(database, now + timedelta(seconds=1)) == 1203
    assert read_log(database) == []


@pytest.mark.parametrize(
    "at",
    [datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
     datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)],
)  # fmt: skip
def test_times_survive_to_the_microsecond(at: datetime) -> None:
    assert from_us(to_us(at)) == at


@pytest.mark.parametrize("walked", [1, 2, 2000])
def test_a_walk_yields_the_same_lines_part_by_part(
    filled: Database, monkeypatch: pytest.MonkeyPatch, walked: int
) -> None:
    monkeypatch.setattr("linekey.store.decisions.WALKED", walked)
    everything = read_log(filled)
    assert len(everything) > 3
    for asked in (
        {}, {"mac": MAC}, {"refused": True}, {"since": everything[-2].at},
        {"since": everything[-2].at, "refused": True},
    ):  # fmt: skip
        for limit in (None, 1, 2, 3, 100):
            found = list(walk_log(filled, limit=limit, **asked))  # type: ignore[arg-type]
            assert found == read_log(filled, limit=limit, **asked)  # type: ignore[arg-type]
        assert count_log(filled, **asked) == len(read_log(filled, **asked))  # type: ignore[arg-type]
