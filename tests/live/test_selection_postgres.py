"""What phones' own settings are selected by, on PostgreSQL in SQLite's words."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection
from tests.postgres import running_cluster
from tests.selections import ASKED, OWN, check_settings_found

from linekey.provisioning.document import Setting
from linekey.store.selection import Condition

pytestmark = pytest.mark.peer("postgres")


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with running_cluster() as cluster:
        engine = sa.create_engine(cluster.url("postgres"))
        with engine.connect() as connection:
            connection.exec_driver_sql(
                "CREATE TEMPORARY TABLE devices (mac text, layer text)"
            )
            yield connection
            connection.rollback()
        engine.dispose()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(OWN, max_size=4), min_size=1, max_size=6),
    st.lists(ASKED, min_size=1),
)
def test_settings_are_found_as_by_their_entries(
    connection: Connection, rows: list[list[Setting]], asked: list[Condition]
) -> None:
    with connection.begin_nested() as undone:
        check_settings_found(connection, rows, asked)
        undone.rollback()
