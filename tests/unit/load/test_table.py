"""The phones of a load: tables, folders, and what is wrong with them, by line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.errors import InputError
from linekey.load.table import load_identity, read_table


@pytest.fixture(scope="module")
def identity() -> tuple[bytes, bytes]:
    key, now = new_key("ec", "secp256r1"), datetime.now(UTC)
    leaf = issue(
        Name.build([("CN", "000413AABBCC")]), key, None, serial=7,
        not_before=now, not_after=now + timedelta(days=1),
    )  # fmt: skip
    return to_pem(leaf).encode(), private_key_to_pem(key)


def write(folder: Path, text: str) -> Path:
    path = folder / "phones.csv"
    path.write_text(text)
    return path


def test_a_table_names_files_from_where_it_is(
    tmp_path: Path, identity: tuple[bytes, bytes]
) -> None:
    (tmp_path / "one.pem").write_bytes(b"".join(identity))
    table = read_table(
        write(
            tmp_path, "mac,identity,user,password\n00:04:13:aa:bb:cc,one.pem,4711,x\n"
        )
    )
    (row,) = table.rows
    assert (str(row.mac), row.model, row.user) == ("000413AABBCC", "D785", "4711")
    assert "x" not in repr(row.password) or "password" not in repr(row)
    assert load_identity(row).mac == row.mac


def test_a_folder_has_a_phone_for_each_certificate_named_by_a_mac(
    tmp_path: Path, identity: tuple[bytes, bytes]
) -> None:
    pem, key = identity
    (tmp_path / "000413AABBCC.pem").write_bytes(pem)
    (tmp_path / "000413AABBCC.key").write_bytes(key)
    (tmp_path / "ca.pem").write_bytes(pem)
    (row,) = read_table(tmp_path).rows
    assert load_identity(row).leaf.common_names == ("000413AABBCC",)


def test_the_same_phones_have_the_same_digest_wherever_they_lie(tmp_path: Path) -> None:
    text = "mac,identity\n000413000001,a\n000413000002,b\n"
    one = read_table(write(tmp_path, text))
    other = read_table(write(tmp_path, text.replace(",a", ",z")))
    less = read_table(write(tmp_path, text.rpartition("000413000002")[0]))
    assert one.digest == other.digest != less.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column mac"),
        ("mac\n000413000001\n", "no column identity"),
        ("mac,identity\n", "has no phone"),
        ("mac,identity\nfoo,a\n", "line 2"),
        ("mac,identity\n000413000001,\n", "has no identity"),
        ("mac,identity\n000413000001,a\n000413000001,b\n", "line 3: 000413000001 is in line 2"),
        ("mac,identity,model\n000413000001,a,X99\n", "line 2"),
        ("mac,identity,firmware\n000413000001,a,new\n", "line 2"),
        ("mac,identity,pasword\n000413000001,a,x\n", "no column is called 'pasword'"),
        ("mac,identity,mac\n000413000001,a,x\n", "two columns are called 'mac'"),
        ("mac,identity\n000413000001,a,x\n", "line 2: 3 cells, and the first line"),
    ],
)  # fmt: skip
def test_a_table_that_is_wrong_is_refused_with_the_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_table(write(tmp_path, text))


def test_a_column_that_nobody_knows_is_answered_with_the_nearest(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError) as raised:
        read_table(write(tmp_path, "mac,identity,pasword\n000413000001,a,x\n"))
    assert "did you mean password?" in raised.value.hint


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match="the limit is"):
        read_table(Path("/dev/zero"))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="has no phone"):
        read_table(tmp_path)


def test_certificates_that_cannot_be_used_are_named_and_no_key_is_shown(
    tmp_path: Path, identity: tuple[bytes, bytes]
) -> None:
    pem, key = identity
    other = private_key_to_pem(new_key("ec", "secp256r1"))
    cases = {
        "none.pem": (b"", "none.pem"),
        "alone.pem": (pem, "1 certificates and 0 private keys"),
        "two.pem": (pem + key + other, "2 private keys"),
        "foreign.pem": (pem + other, "does not belong"),
        "broken.pem": (pem + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "broken.pem"),
    }  # fmt: skip
    rows = "".join(f"0004130000{n:02},{name}\n" for n, name in enumerate(cases))
    table = read_table(write(tmp_path, f"mac,identity\n{rows}000413000099,gone.pem\n"))
    for row, (data, message) in zip(table.rows, cases.values(), strict=False):
        row.identity.write_bytes(data)
        with pytest.raises(InputError) as raised:
            load_identity(row)
        assert message in raised.value.message
        assert "PRIVATE" not in raised.value.message + raised.value.hint
    with pytest.raises(InputError, match="cannot read"):
        load_identity(table.rows[-1])
