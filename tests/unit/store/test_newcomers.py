from datetime import timedelta

from tests.pending import NOW, A, B, came

from linekey.store.newcomers import COLUMNS, Newcomers
from linekey.store.sightings import HELD

COUNT = COLUMNS.index("count")


def write(held: Newcomers, *entries) -> list[tuple]:
    rows = held.rows(entries)
    held.commit()
    return rows


def test_a_phone_that_asks_again_and_again_costs_a_row_a_minute() -> None:
    held = Newcomers()
    assert [row[COUNT] for row in write(held, came(A), came(A), came(B))] == [2, 1]
    for n in range(1, 50):
        soon = NOW + timedelta(seconds=n)
        assert write(held, came(A, soon, user_agent=f"x{n}", peer=f"192.0.2.{n}")) == []
    (row,) = write(held, came(A, NOW + HELD))
    assert row[COUNT] == 50, "those that were held and this one"


def test_what_is_new_about_it_is_written_at_once_but_not_again_and_again() -> None:
    held = Newcomers()
    write(held, came(A))
    assert write(held, came(A, group="acme"))
    assert write(held, came(A, group="acme", certificate_sha256="ef" * 32))
    same = {"group": "acme", "certificate_sha256": "ef" * 32}
    assert write(held, came(A, waits=True, **same))
    # A phone asks for the common file and for its own, in turn.
    assert write(held, came(A, **same), came(A, waits=True, **same)) == []
    assert write(held, came(A, **same)) == []


def test_what_was_not_committed_is_written_again_and_counted_once() -> None:
    held = Newcomers()
    assert held.rows([came(A)])[0][COUNT] == 1
    assert held.rows([came(A)])[0][COUNT] == 1
    held.commit()
    assert held.rows([came(A)]) == []
    assert held.rows([came(A)]) == []
    held.commit()
    (row,) = write(held, came(A, NOW + HELD))
    assert row[COUNT] == 2


def test_a_clock_set_back_is_written_at_once() -> None:
    held = Newcomers()
    write(held, came(A))
    assert write(held, came(A, NOW - timedelta(days=1)))


def test_rows_come_in_one_order_and_only_of_newcomers() -> None:
    rows = Newcomers().rows([came(B), came(A), came(B, newcomer=None)])
    assert [row[0] for row in rows] == [A.digits, B.digits]
