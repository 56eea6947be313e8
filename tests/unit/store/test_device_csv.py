import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.catalog.firmware import Firmware
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.document import Setting
from linekey.store.device_csv import parse_device_table, parse_vendor

GOOD = (
    "mac,model,firmware,label,user_name1,user_pass[1],setting_server\n"
    "00:04:13:aa:bb:cc,785,10.1.33.33,Hall,4711,s3cr3t,https://a.example/\n"
    "000413AABBCD,,,,,,\n"
)
FIRST = Mac("000413AABBCC")


def test_a_table_becomes_devices() -> None:
    table = parse_device_table(GOOD.encode())
    assert table.problems == ()
    first, second = table.devices
    assert (first.mac, first.model, first.label) == (FIRST, "D785", "Hall")
    assert first.firmware == Firmware.parse("10.1.33.33")
    assert first.layer.settings == (
        Setting("user_name", "4711", 1),
        Setting("user_pass", "s3cr3t", 1),
        Setting("setting_server", "https://a.example/"),
    )
    assert (second.vendor, second.model, second.layer.settings) == ("snom", None, ())
    assert table.lines == {first.mac: 2, second.mac: 3}


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"),
        GOOD.replace(",", "\t").encode("utf-16"),
        b"sep=;\r\n" + GOOD.replace(",", ";").encode(),
        GOOD.replace("\n", "\n\n").encode(),
        GOOD.replace("Hall", '"Hall"').encode(),
        GOOD.replace("mac,", "MAC ,").encode(),
    ],
    ids=["bom", "semicolon", "utf-16", "sep", "empty lines", "quoted", "capitals"],
)
def test_what_spreadsheet_programs_write_means_the_same(data: bytes) -> None:
    assert parse_device_table(data).devices == parse_device_table(GOOD.encode()).devices


def test_every_bad_row_is_told_with_its_line_and_reason() -> None:
    table = parse_device_table(
        b"mac,model,firmware,vendor,user_pass1\n"
        b"000413AABBCC,D785,10.1,,ok\n"
        b"4.13E+08,,,,x\n"
        b"000413AABBCD,D78,,,x\n"
        b"000413AABBCE,,ten,,x\n"
        b"000413AABBCF,,,snon,x\n"
        b"00:04:13:AA:BB:CC,,,,x\n"
        b",,,,x\n"
        b"000413AABBD0,,,,x,y\n"
        b"000413AABBD1,,,,s3cr3t\x01\n"
    )
    assert [device.mac for device in table.devices] == [FIRST]
    told = {problem.line: problem.reason for problem in table.problems}
    assert told == {
        3: "not a MAC address: '4.13E+08'",
        4: "unknown phone model: 'D78'",
        5: "not a firmware version: 'ten'",
        6: "unknown vendor: 'snon'",
        7: "000413AABBCC is on line 2 already",
        8: "no MAC",
        9: "6 cells, but 5 columns",
        10: "setting 'user_pass' holds U+0001, which no XML document can carry",
    }


def test_a_line_number_counts_the_lines_within_quotes() -> None:
    table = parse_device_table(b'sep=,\nmac,label\n000413AABBCC,"a\nb"\nbad,x\n')
    assert table.devices[0].label == "a\nb"
    assert [problem.line for problem in table.problems] == [5]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"model,label\n", "no column 'mac'"),
        (b"mac,label,mac\n", "column 'mac' is there twice"),
        (b"mac,user_name1,user_name[1]\n", "is there twice"),
        (b"mac,user name\n", "not a setting name"),
        (b"mac,label\n000413AABBCC,caf\xe9\n", "line 2 is not UTF-8"),
        (b"mac\0,label\n", "not a text file"),
        (b'mac,label\n000413AABBCC,"x" y\n', "line 2: "),
    ],
)
def test_what_is_no_table_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_device_table(data)
    assert reason in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(
    ("title", "slot"),
    [
        ("user_name1", ("user_name", 1)),
        ("user_name[12]", ("user_name", 12)),
        ("dns_server1", ("dns_server1", None)),
        ("dkey_directory", ("dkey_directory", None)),
        ("fkey_label[0]", ("fkey_label", 0)),
    ],
)
def test_a_column_names_a_setting_and_its_idx(
    title: str, slot: tuple[str, int | None]
) -> None:
    table = parse_device_table(f"mac,{title}\n000413AABBCC,x\n".encode())
    assert table.devices[0].layer.settings[0].slot == slot


def test_a_model_of_another_vendor_is_taken_as_written() -> None:
    table = parse_device_table(b"mac,vendor,model\n000413AABBCC,Yealink,T46S\n")
    assert (table.devices[0].vendor, table.devices[0].model) == ("yealink", "T46S")


def test_a_misspelled_vendor_is_told_the_near_one() -> None:
    with pytest.raises(InputError) as raised:
        parse_vendor("yealnk")
    assert "did you mean yealink?" in raised.value.hint


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_table_or_the_documented_error(data: bytes) -> None:
    for prefix in (b"", b"mac,label,user_pass1\n"):
        try:
            table = parse_device_table(prefix + data)
        except InputError:
            continue
        assert len({device.mac for device in table.devices}) == len(table.devices)
