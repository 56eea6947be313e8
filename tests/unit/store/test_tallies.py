"""Counts of wrong passwords: one row a scope, and those forgotten first go first."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from linekey.provisioning.brake import Rule, Tally
from linekey.store.schema import digest_attempts, log_in_attempts
from linekey.store.tallies import keep, prune

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = Rule(free=3, longest_s=60, forget_s=60)


def scopes(database, table) -> dict[str, int]:
    wanted = sa.select(table.c.scope, table.c.wrong)
    with database.read() as connection:
        return dict(map(tuple, connection.execute(wanted)))


@pytest.mark.parametrize("table", [digest_attempts, log_in_attempts])
def test_a_count_takes_the_place_of_the_one_before(database, table) -> None:
    with database.change_uncounted() as connection:
        for wrong in (1, 2):
            keep(connection, table, "a", Tally(wrong, NOW), RULE)
    assert scopes(database, table) == {"a": 2}


@pytest.mark.parametrize("table", [digest_attempts, log_in_attempts])
def test_what_is_forgotten_goes_and_beyond_a_number_what_would_be_first(
    database, table
) -> None:
    with database.change_uncounted() as connection:
        for name, age_s in (("old", 100_000), ("c", 3), ("b", 2), ("a", 1)):
            at = NOW - timedelta(seconds=age_s)
            keep(connection, table, name, Tally(1, at), RULE)
        prune(connection, table, NOW, 2)
    assert scopes(database, table) == {"a": 1, "b": 1}
