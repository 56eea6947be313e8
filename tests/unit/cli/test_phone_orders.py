"""Which phones run: counted on from one MAC, or of a CSV file."""

import contextlib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.cli.phone_orders import MOST, Order, count_on, read_orders
from linekey.errors import InputError
from linekey.mac import Mac

FIRST = Mac("000413AABB0E")
BASE = Order(FIRST, model="D785", setting_server="https://prov.example/")


def test_macs_and_ports_follow_each_other() -> None:
    made = count_on(Order(FIRST, "D785", web_port=8444), 3)
    assert [(str(o.mac), o.web_port) for o in made] == [
        ("000413AABB0E", 8444), ("000413AABB0F", 8445), ("000413AABB10", 8446),
    ]  # fmt: skip
    assert {o.model for o in made} == {"D785"}
    free = count_on(Order(FIRST, web_port=0), 2)
    assert [o.web_port for o in free] == [0, 0]
    assert [o.web_port for o in count_on(Order(FIRST), 2)] == [None, None]
    assert count_on(Order(FIRST, identity=Path("x")), 1)[0].identity == Path("x")


@pytest.mark.parametrize(
    ("order", "count", "says"),
    [
        (Order(Mac("000413FFFFFF")), 2, "leave the maker's addresses"),
        (Order(Mac("FEFFFFFFFFFF")), 2, "leave the maker's addresses"),
        (Order(FIRST, web_port=65534), 3, "end after 65535"),
        (Order(FIRST, identity=Path("x")), 2, "one phone's certificate"),
    ],
)
def test_what_cannot_be_counted_on_is_said(order: Order, count: int, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        count_on(order, count)
    assert caught.value.hint


def test_a_file_says_what_the_command_line_does_not() -> None:
    data = (
        "MAC;Model;firmware;web-port;clock;firmware_date;identity;label\r\n"
        "00:04:13:aa:bb:01;D715;8.9.3.60;8444;1970-01-01;2015-03-01;one.pem;Foyer\r\n"
        "\r\n"
        "000413AABB02;;;;;;;\r\n"
    ).encode("utf-8-sig")
    (one, two), notes = read_orders(data, BASE)
    assert one == Order(
        Mac("000413AABB01"), "D715", "8.9.3.60", "https://prov.example/",
        identity=Path("one.pem"), clock=datetime(1970, 1, 1, tzinfo=UTC),
        firmware_date=date(2015, 3, 1), web_port=8444,
    )  # fmt: skip
    assert two == Order(Mac("000413AABB02"), "D785", "", "https://prov.example/")
    assert notes == ["not used: label; a phone fetches its settings itself"]


def test_a_column_that_is_nearly_one_is_said() -> None:
    _, notes = read_orders(b"mac,modle\n000413AABB01,D785\n", BASE)
    assert notes == ["column 'modle' is not used; did you mean model?"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column mac"),
        ("# A page\n\ntext\n", "no column mac"),
        ("mac,model\n", "the file has no phone"),
        ("mac,mac\n1,2\n", "'mac' is there twice"),
        ("mac\n000413AABB01\n00-04-13-aa-bb-01\n", "line 3: 000413AABB01 is in line 2"),
        ("mac\nabc\n", "line 2: not a MAC address"),
        ("mac,model\n,D785\n", "line 2: not a MAC address"),
        ("mac\nFFFFFFFFFFFF\n", "line 2: .*broadcast"),
        ("mac\n4.137E+12\n", "line 2: mac: a spreadsheet"),
        ("mac,model\n000413AABB01,X1\n", "line 2: unknown phone model"),
        ("mac,firmware\n000413AABB01,new\n", "line 2: "),
        ("mac,web_port\n000413AABB01,70000\n", "line 2: web_port cannot be"),
        ("mac,web_port\n000413AABB01,8\n000413AABB02,8\n", "both have web_port 8"),
        ("mac,clock\n000413AABB01,noon\n", "line 2: not a time"),
        ("mac,firmware_date\n000413AABB01,May\n", "line 2: not a date"),
        ("mac\n" + "".join(f"000413{n:06X}\n" for n in range(MOST + 1)), "more than 1000"),
        ('mac\n"000413AABB01\n', "line 2"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_whole(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read_orders(text.encode(), BASE)
    assert caught.value.hint


@given(st.binary(max_size=200))
def test_any_bytes_are_phones_or_the_one_error(data: bytes) -> None:
    with contextlib.suppress(InputError):
        read_orders(b"mac,model\n" + data, BASE)
