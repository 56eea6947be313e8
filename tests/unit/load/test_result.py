"""The report: rates, failures with their cures, and what it says against itself."""

import json
from dataclasses import replace

from linekey.load.mix import Mix
from linekey.load.order import LoadOrder
from linekey.load.outcome import Outcome
from linekey.load.own_time import OwnTime, Tick
from linekey.load.result import Lost, Measured, Requests, Spans, WorkerEnd

ORDER = LoadOrder(
    Mix.parse("boot,register"), 40, 0.0, 30.0, server="https://localhost:8443",
    trust_pem="-----BEGIN CERTIFICATE-----",
)  # fmt: skip


def own(busy: float, under_way: int = 4) -> OwnTime:
    time = OwnTime()
    for _ in range(10):
        time.add(Tick(1.0, busy, 0.0, under_way, 0.002))
    return time


def worker(name: str, registered: int, seconds: float, busy: float = 0.2) -> WorkerEnd:
    spans = {"register": (100.0, 100.0 + seconds, registered)}
    return WorkerEnd(name, 20, 20, own(busy), spans, {"load.shed": "503"})


def measured(*ended: WorkerEnd, lost: tuple[Lost, ...] = ()) -> Measured:
    return Measured(
        "Locust 2.47.0", 30.0, False,
        [Requests("register", 40, 2, 20, 40, 50, 51.26)],
        {("register", "load.shed"): 2}, ended, lost,
    )  # fmt: skip


def test_spans_count_what_went_well_and_keep_the_first_words_of_each_failure() -> None:
    spans = Spans()
    spans.add(Outcome("boot", 12.0, 0.5))
    spans.add(Outcome("boot", 10.0, 1.0))
    spans.add(Outcome("boot", 11.0, 9.0, "load.shed", "first"))
    spans.add(Outcome("boot", 11.0, 9.0, "load.shed", "second"))
    assert spans.spans == {"boot": (10.0, 12.5, 2)}
    assert spans.texts == {"load.shed": "first"}
    said = {"own": own(0.1).as_dict(), "started": 7, **spans.as_dict()}
    end = WorkerEnd.parse("w", 9, json.loads(json.dumps(said)))
    assert end.rate("boot") == 2 / 2.5
    assert end.rate("keys") == 0
    assert (end.phones, end.started) == (9, 7)


def test_rates_of_workers_add_up_without_comparing_their_clocks() -> None:
    late = replace(
        worker("b", 20, 4.0), spans={"register": (9_000.0, 9_004.0, 20)}
    )  # another machine's clock
    assert measured(worker("a", 20, 2.0), late).rate("register") == 15.0


def test_json_has_units_codes_and_cures_and_no_certificates() -> None:
    document = measured(worker("a", 20, 2.0)).as_dict(ORDER)
    assert "trust_pem" not in document["asked"]
    (row,) = document["requests"]
    assert (row["count"], row["failed"], row["a_second"]) == (40, 2, 10.0)
    assert (row["median_ms"], row["p95_ms"], row["p99_ms"], row["max_ms"]) == (20, 40, 50, 51.3)  # fmt: skip
    assert document["registrations_a_second"] == 10.0
    (failure,) = document["failures"]
    assert failure["code"] == "load.shed"
    assert failure["said"] == "503"
    assert "linekey plan" in failure["cure"]
    assert document["own"]["least"] == 0.05
    assert document["own"]["most"] == 0.2
    assert document["warnings"] == []
    json.dumps(document)


def test_what_never_went_well_took_no_time() -> None:
    """No 0 ms for what nobody measured."""
    found = replace(
        measured(worker("a", 0, 2.0)),
        requests=[Requests("boot", 2, 2, 0, 0, 0, 0.0), Requests("tls", 2, 1, 7, 8, 9, 9)],
    )  # fmt: skip
    head, boot, tls = list(found.lines(ORDER))[1:4]
    assert boot.split()[-3:] == ["–"] * 3
    assert tls.endswith("  7 ms    8 ms    9 ms")
    assert len(head) == len(boot) == len(tls)
    none, some = found.as_dict(ORDER)["requests"]
    assert [none[k] for k in ("median_ms", "p95_ms", "p99_ms", "max_ms")] == [None] * 4
    assert (some["median_ms"], some["max_ms"]) == (7, 9)


def test_a_busy_worker_is_said_to_have_set_the_pace() -> None:
    found = measured(worker("a", 20, 2.0), worker("b", 20, 2.0, busy=0.9))
    (warning,) = found.warnings(ORDER)
    assert warning.startswith("the worker b was busy for 90% of the time")
    assert "--workers" in warning


def test_a_large_share_is_said_where_no_worker_was_busy_all_the_time() -> None:
    (warning,) = measured(worker("a", 20, 2.0, busy=0.6)).warnings(ORDER)
    assert warning.startswith("up to 60% of the requests' time was the load's own")


def test_a_lost_worker_and_phones_that_were_not_started_are_named() -> None:
    lost = Lost("b", 20, 12.3, "its process ended with -9")
    short = replace(worker("a", 20, 2.0), started=11)
    gone, few = measured(short, lost=(lost,)).warnings(ORDER)
    assert gone == (
        "the worker b was lost after 12 s: its process ended with -9; what its 20 "
        "phones did is not all counted"
    )
    assert few.startswith("only 11 of 20 phones were started")
    rows = measured(short, lost=(lost,)).as_dict(ORDER)["workers"]
    assert [row["lost"] for row in rows] == [None, "its process ended with -9"]


def test_a_rate_that_was_not_reached_is_said() -> None:
    order = replace(ORDER, mix=Mix.parse("register"), rate=50.0)
    (warning,) = measured(worker("a", 20, 2.0)).warnings(order)
    assert warning.startswith("50 phones a second were asked for, and 10.0")


def test_the_text_says_it_all_in_lines() -> None:
    lines = list(measured(worker("a", 20, 2.0)).lines(ORDER))
    text = "\n".join(lines)
    assert lines[0] == "40 phones for 30 s, from 1 worker, by Locust 2.47.0:"
    assert "  registered " in text
    assert "20 ms   40 ms   50 ms" in text
    assert "failed: 2 × register, load.shed: the server was busy" in text
    assert "the first one said: 503" in text
    assert "the load's own: 5% to 20% of the requests' time" in text


def test_nothing_measured_is_told_without_a_fault() -> None:
    nothing = Measured("Locust", 1.0, True, [], {}, [], [])
    assert nothing.rate("register") == 0
    assert list(nothing.lines(ORDER))
    assert nothing.as_dict(ORDER)["own"]["most"] == 0
