"""When what was not delivered is tried again."""

from datetime import UTC, datetime, timedelta

from linekey.alerts.retries import ATTEMPTS, PAUSES_S, next_attempt

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_pauses_grow_and_end_after_three_days() -> None:
    pauses = []
    for attempts in range(1, ATTEMPTS):
        at = next_attempt(attempts, NOW, 0.0)
        assert at is not None
        pauses.append((at - NOW).total_seconds())
    assert pauses == sorted(pauses) == list(PAUSES_S)
    assert timedelta(days=2) < timedelta(seconds=sum(pauses)) < timedelta(days=4)
    assert next_attempt(ATTEMPTS, NOW, 0.0) is None


def test_chance_makes_them_differ_and_only_longer() -> None:
    least, most = next_attempt(2, NOW, 0.0), next_attempt(2, NOW, 1.0)
    assert least is not None
    assert most is not None
    assert (least - NOW).total_seconds() == 300
    assert (most - NOW).total_seconds() == 360


def test_a_target_may_ask_for_longer_within_a_day() -> None:
    for asked, expected in ((1.0, 5), (60.0, 60), (1e9, 86_400)):
        at = next_attempt(1, NOW, 0.0, asked)
        assert at is not None
        assert (at - NOW).total_seconds() == expected
