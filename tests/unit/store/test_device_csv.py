import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.catalog.firmware import Firmware
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.document import Layer, Mark, Setting
from linekey.store.device_csv import MAX_PROBLEMS, parse_device_table
from linekey.store.device_rows import DISABLED, parse_vendor

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
        3: "a spreadsheet has written the MAC as a number: '4.13E+08'",
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
        (b"mac,user name\n", "column 'user name': did you mean user_name[1]?"),
        (b"MAC Address,model\n", "column 'MAC Address': did you mean mac?"),
        (b"mac,set!!\n", "not a setting name"),
        (b"mac|model\n000413AABBCC|D785\n", "the columns are separated by '|'"),
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


FUSIONPBX = (
    "device_uuid,device_mac_address,device_label,device_vendor,device_model,"
    "device_enabled,device_template,device_description,line_number,server_address,"
    "display_name,user_id,auth_id,password,sip_port,sip_transport,register_expires\n"
    "u1,00-04-13-aa-bb-cc,front,snom,D785,true,snom/D785,2nd floor,2,sip.example.com,"
    "Hall,4711,auth,s3cr3t,5061,tls,120\n"
    "u2,00-15-65-aa-bb-cc,,Yealink,T46S,false,yealink/t46s,,1,sip.example.com,"
    "Hall,4712,,s3cr3t,5061,tls,120\n"
)


def test_a_fusionpbx_table_is_read_by_its_own_names() -> None:
    table = parse_device_table(FUSIONPBX.encode())
    assert table.problems == ()
    snom, yealink = table.devices
    assert (snom.vendor, snom.model, snom.state) == ("snom", "D785", "active")
    assert snom.label == "front, 2nd floor"
    values = {s.slot: s.value for s in snom.layer.settings}
    assert values == {
        ("user_realname", 2): "Hall",
        ("user_name", 2): "4711",
        ("user_pname", 2): "auth",
        ("user_pass", 2): "s3cr3t",
        ("user_expiry", 2): "120",
        ("user_host", 2): "sip.example.com",
        ("user_outbound", 2): "sip.example.com:5061;transport=tls",
    }
    assert (yealink.vendor, yealink.model) == ("yealink", "T46S")
    assert (yealink.state, yealink.revoked_reason) == ("revoked", DISABLED)
    assert {s.slot: s.value for s in yealink.layer.settings} == {
        ("any.account.display_name", 1): "Hall",
        ("any.account.user", 1): "4712",
        ("any.account.password", 1): "s3cr3t",
        ("any.account.expires", 1): "120",
        ("any.account.registrar", 1): "sip.example.com:5061",
        ("any.account.transport", 1): "tls",
    }
    read, disabled = table.notes
    assert "device_vendor as vendor" in read
    assert "password as user_pass[LINE]" in read
    assert "left out: device_uuid" in read
    assert "1 disabled in the table, revoked here: 001565AABBCC" in disabled


def test_the_vendor_of_a_template_counts_where_no_column_names_one() -> None:
    table = parse_device_table(
        b"device_uuid,mac,device_template\nu,001565AABBCC,yealink/t46s\n"
    )
    assert (table.devices[0].vendor, table.devices[0].model) == ("yealink", "T46S")


def test_a_wazo_table_is_read_by_its_own_names() -> None:
    table = parse_device_table(
        b"id,tenant_uuid,mac,ip,sn,vendor,model,version,plugin,status,description\n"
        b"x,y,00:04:13:aa:bb:cc,10.0.0.9,,Snom,D785,10.1.33.33,wazo-snom,configured,Hall\n"
    )
    (device,) = table.devices
    assert (device.vendor, device.model, str(device.firmware)) == (
        "snom", "D785", "10.1.33.33"
    )  # fmt: skip
    assert (device.label, device.layer) == ("Hall", Layer())
    assert "wazo" in table.notes[0]
    assert "plugin" in table.notes[0]


def test_a_freepbx_table_has_a_row_for_each_line_of_a_phone() -> None:
    table = parse_device_table(
        b"mac,brand,model,ext,line,name,devinfo_secret,devinfo_dtmfmode,voicemail\n"
        b"000413AABBCC,Snom,D785,4711,1,Hall,s3cr3t,rfc4733,default\n"
        b"000413AABBCC,Snom,D785,4712,2,Hall 2,s4cr3t,rfc4733,default\n"
    )
    assert table.problems == ()
    (device,) = table.devices
    values = {s.slot: s.value for s in device.layer.settings}
    assert values[("user_name", 1)] == "4711"
    assert values[("user_pass", 2)] == "s4cr3t"
    again = parse_device_table(
        b"mac,brand,ext,line\n000413AABBCC,Snom,1,1\n000413AABBCC,Snom,2,1\n"
    )
    assert [problem.line for problem in again.problems] == [3]


@pytest.mark.parametrize(
    ("title", "near"),
    [
        ("Modell", "model"),
        ("MAC-Adresse", "did you mean mac?"),
        ("lable", "label"),
        ("Password", "user_pass[1]"),
        ("setting_serer", "setting_server"),
        ("user_name", "user_name[1]"),
        ("USER_NAME[2]", "user_name[2]"),
        ("zzqxj", ""),
    ],
)
def test_an_unknown_column_is_refused_with_the_nearest_known_name(
    title: str, near: str
) -> None:
    data = f"mac,{title},language\n000413AABBCC,s3cr3t,x\n".encode()
    with pytest.raises(InputError) as raised:
        parse_device_table(data)
    assert repr(title) in raised.value.message
    assert ("did you mean" in raised.value.message) is bool(near)
    assert near in raised.value.message
    assert "--allow-unknown" in raised.value.hint
    assert "s3cr3t" not in raised.value.message + raised.value.hint
    (device,) = parse_device_table(data, allow_unknown=True).devices
    assert [s.value for s in device.layer.settings] == ["s3cr3t", "x"]


@pytest.mark.parametrize(
    ("mac", "what"),
    [
        ("4,137E+12", "as a number"),
        ("4.13E12", "as a number"),
        ("413AABBCC", "taken zeros"),
        ("4130000", "taken zeros"),
        ("413730012.0", "as a number"),
        ("413730012,00", "as a number"),
    ],
)
def test_what_a_spreadsheet_broke_is_said_to_be_that(mac: str, what: str) -> None:
    table = parse_device_table(f'mac,label\n"{mac}",x\n'.encode())
    (problem,) = table.problems
    assert what in problem.reason
    assert "spreadsheet" in problem.reason
    assert "text" in problem.cure


@pytest.mark.parametrize("cell", ["4,137E+12", "1.5E+10", "#NAME?", "#REF!", "#WERT!"])
def test_a_value_that_a_spreadsheet_broke_is_refused_and_not_repeated(
    cell: str,
) -> None:
    table = parse_device_table(f'mac;user_pass1\n000413AABBCC;"{cell}"\n'.encode())
    (problem,) = table.problems
    assert "spreadsheet" in problem.reason
    assert "user_pass[1]" in problem.reason
    assert cell not in problem.reason.replace("4.137E+12", "")


def test_a_cell_that_shows_text_by_a_formula_is_that_text() -> None:
    (device,) = parse_device_table(
        b'mac,user_name1,label\n"=""000413AABBCC""","=""0100""",="Hall"\n'
    ).devices
    assert device.mac == Mac("000413AABBCC")
    assert [s.value for s in device.layer.settings] == ["0100"]
    assert device.label == "Hall"


def test_extensions_and_secrets_beside_macs_are_read_as_freepbx_calls_them() -> None:
    table = parse_device_table(
        b"extension,name,secret,mac,template,model\n"
        b"100,Alice,s3cret,000413AABBCC,default,D785\n"
    )
    (device,) = table.devices
    values = {s.slot: s.value for s in device.layer.settings}
    assert values == {
        ("user_name", 1): "100",
        ("user_realname", 1): "Alice",
        ("user_pass", 1): "s3cret",
    }
    assert "FreePBX" in table.notes[0]


def test_the_operator_names_columns_that_hold_secrets() -> None:
    data = b"mac,phone_name,user_name1\n000413AABBCC,s3cr3t,4711\n"
    secret = [("phone_name", None), ("user_name", 1)]
    (device,) = parse_device_table(data, secret=secret).devices
    assert all(s.mark is Mark.SECRET for s in device.layer.settings)
    (device,) = parse_device_table(data).devices
    assert all(s.mark is None for s in device.layer.settings)
    for wrong in ("user_name", "nothing", "mac"):
        with pytest.raises(InputError, match=wrong):
            parse_device_table(data, secret=[(wrong, None)])


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


@pytest.mark.parametrize("title", ["user_name[13]", "user_name13", "user_name[0]"])
def test_a_column_for_an_account_that_no_phone_has_is_refused(title: str) -> None:
    data = f"mac,{title}\n000413AABBCC,x\n".encode()
    with pytest.raises(InputError, match="it is 1 to 12 for this setting") as raised:
        parse_device_table(data)
    assert "did you mean user_name[1" in raised.value.message


def test_bad_rows_without_end_are_told_up_to_a_number() -> None:
    table = parse_device_table(b"mac\n" + b"nonsense\n" * (MAX_PROBLEMS * 3))
    assert len(table.problems) == MAX_PROBLEMS + 1
    assert "not looked at" in table.problems[-1].reason


def test_phones_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linekey.store.device_csv.MAX_PHONES", 3)
    rows = b"".join(b"00041300000%d\n" % n for n in range(4))
    assert len(parse_device_table(b"mac\n" + rows[:39]).rows) == 3
    with pytest.raises(InputError, match="more than 3 phones") as caught:
        parse_device_table(b"mac\n" + rows)
    assert "split" in caught.value.hint


def test_neutral_settings_and_other_makers_have_columns() -> None:
    table = parse_device_table(
        b"mac,model,any.account.user[1],yealink:account.1.label,account.2.label\n"
        b"001565AABBCC,T46U,4711,Hall,Yard\n000413AABBCC,D785,4712,,\n"
    )
    assert table.problems == ()
    yealink, snom = table.devices
    assert (yealink.vendor, snom.vendor) == ("yealink", "snom")
    assert {s.slot: s.value for s in yealink.layer.settings} == {
        ("any.account.user", 1): "4711",
        ("yealink:account.1.label", None): "Hall",
        ("account.2.label", None): "Yard",
    }


@pytest.mark.parametrize(
    "column",
    ["any.account.usr[1]", "yealnk:account.1.label", "yealink:account.1.lable"],
)
def test_a_misspelt_one_is_refused_with_what_is_near(column: str) -> None:
    with pytest.raises(InputError, match="did you mean"):
        parse_device_table(f"mac,{column}\n001565AABBCC,x\n".encode())


def test_a_neutral_value_that_cannot_be_is_a_bad_row_and_not_repeated() -> None:
    table = parse_device_table(
        b"mac,any.account.transport[1]\n001565AABBCC,geheim\n000413AABBCC,tls\n"
    )
    (problem,) = table.problems
    assert "udp, tcp, tls" in problem.reason
    assert "geheim" not in problem.reason
