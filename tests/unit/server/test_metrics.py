"""/metrics: every number where Prometheus looks for it, read by its own parser."""

from datetime import UTC, datetime
from math import inf

import pytest
from prometheus_client.parser import text_string_to_metric_families

from linekey.console.facts import AuthorityLine
from linekey.console.watch import Outlook
from linekey.provisioning.decision import Reason
from linekey.server import counters as cells
from linekey.server.counters import Counters
from linekey.server.metrics import Facts, exposition

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CA = AuthorityLine('A "CA"\n', "snom", "sha1", "root", NOW, 0, "ab" * 32)


def read(counters: Counters, facts: Facts) -> dict[tuple[str, ...], float]:
    """Read every sample: its name, and its labels' values by their names → its value."""
    text = exposition(counters, facts).decode()
    return {
        (sample.name, *(v for _, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def counters() -> Counters:
    return Counters(2)


FACTS = Facts(NOW, NOW, [CA])


def test_the_workers_numbers_are_added_up(counters: Counters) -> None:
    for worker, times in ((0, 2), (1, 3)):
        row = counters.row(worker)
        row.add(cells.DECIDED["revoked"], times)
        row.add(cells.DECIDED["proxy.forged"])
        row.add(cells.TURNED_AWAY["hello.ssl2"], times)
        row.add(cells.SERVED["TLSv1.2", "interim"], times)
        row.set(cells.CONNECTIONS, times)
    found = read(counters, FACTS)
    assert found["linekey_decisions_total", "refused", "revoked"] == 5
    assert found["linekey_decisions_total", "refused", "proxy.forged"] == 2
    assert found["linekey_decisions_total", "granted", "own_file"] == 0
    assert found["linekey_door_refusals_total", "hello.ssl2"] == 5
    assert found["linekey_requests_total", "interim", "TLSv1.2"] == 5
    assert found["linekey_open_connections",] == 5


def test_messages_that_are_not_delivered_are_counted(counters: Counters) -> None:
    known = Facts(NOW, NOW, [CA], messages={"waiting": 2, "undelivered": 1})
    found = read(counters, known)
    assert found["linekey_alert_messages", "waiting"] == 2
    assert found["linekey_alert_messages", "undelivered"] == 1
    assert ("linekey_alert_messages", "waiting") not in read(counters, FACTS)


def test_pending_phones_are_counted_by_state(counters: Counters) -> None:
    found = read(counters, Facts(NOW, NOW, [CA], None, {"open": 3, "refused": 1}))
    assert found["linekey_pending_phones", "open"] == 3
    assert found["linekey_pending_phones", "refused"] == 1
    assert ("linekey_pending_phones", "open") not in read(counters, FACTS)


def test_each_reason_is_counted_with_its_outcome(counters: Counters) -> None:
    found = read(counters, FACTS)
    for reason in Reason:
        assert ("linekey_decisions_total", str(reason.outcome), str(reason)) in found


def test_no_two_numbers_share_a_cell(counters: Counters) -> None:
    tables = (
        cells.DECIDED, cells.TURNED_AWAY, cells.SERVED, cells.LINES_LOST,
        cells.UNAVAILABLE,
    )  # fmt: skip
    used = [n for table in tables for n in table.values()]
    used += [*cells.TOOK, cells.TOOK_US, cells.HANDSHAKES, cells.ACCEPTED, cells.SHED]
    used += [cells.DROPPED, cells.CONNECTIONS, cells.HALF_OPEN, cells.SHORT_OF_ROOM]
    assert len(used) == len(set(used))


def test_durations_are_a_histogram_that_adds_up(counters: Counters) -> None:
    row = counters.row(0)
    for seconds in (0.0005, 0.001, 0.0011, 4.0, 99.0):
        row.took(seconds)
    found = read(counters, FACTS)
    name = "linekey_request_duration_seconds"
    buckets = [
        found[f"{name}_bucket", "+Inf" if b == inf else str(b)] for b in cells.BOUNDS_S
    ]
    assert buckets[:2] == [2, 3]
    assert buckets[-2:] == [4, 5]
    assert buckets == sorted(buckets)
    assert found[f"{name}_count",] == 5
    assert found[f"{name}_sum",] == pytest.approx(103.0026)


def test_moments_are_seconds_since_1970(counters: Counters) -> None:
    found = read(counters, FACTS)
    at = NOW.timestamp()
    assert found["linekey_certificate_not_after_timestamp_seconds",] == at
    name = "linekey_vendor_ca_not_after_timestamp_seconds"
    assert found[name, CA.name, "root", CA.sha256, "snom"] == at
    assert found["linekey_database_up",] == 1


def test_a_forecast_is_some_numbers(counters: Counters) -> None:
    outlook = Outlook(NOW, 412, 7, {"accepts": (NOW, 96)})
    found = read(counters, Facts(NOW, NOW, [CA], outlook))
    assert found["linekey_forecast_timestamp_seconds",] == NOW.timestamp()
    assert found["linekey_forecast_phones", "ahead"] == 412
    assert found["linekey_forecast_phones", "already"] == 7
    end = "linekey_forecast_next_end_timestamp_seconds", "accepts"
    assert found[end] == NOW.timestamp()
    assert found["linekey_forecast_next_end_phones", "accepts"] == 96
    assert not [key for key in read(counters, FACTS) if "forecast" in key[0]]


def test_a_database_in_trouble_is_a_number_itself(counters: Counters) -> None:
    found = read(counters, Facts(NOW, NOW, None))
    assert found["linekey_database_up",] == 0
    assert not [key for key in found if "vendor_ca" in key[0]]
