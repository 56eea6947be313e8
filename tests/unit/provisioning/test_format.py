"""In whose format a file is written."""

import pytest

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.format import (
    format_by,
    is_master,
    maker_of_record,
    refuse_unwritten,
)
from linekey.provisioning.resource import CommonFile, PhoneFile, parse_target


def read(target: str) -> PhoneFile | CommonFile:
    found = parse_target(target.encode())
    assert isinstance(found, PhoneFile | CommonFile)
    return found


@pytest.mark.parametrize(
    ("target", "vendor", "model", "maker"),
    [
        ("/000413aabbcc.cfg", "yealink", None, "yealink"),
        ("/000413aabbcc.cfg", "lab-poly", None, "poly"),
        ("/000413aabbcc.cfg", None, "T46U", "yealink"),
        ("/000413aabbcc.cfg", None, "VVX450", "poly"),
        ("/000413aabbcc.cfg", None, None, None),
        ("/000413aabbcc.cfg", None, "D785", None),
        ("/000413aabbcc.xml", None, None, "snom"),
        ("/000413aabbcc.xml", "gigaset", None, "gigaset"),
        ("/cfg000413aabbcc.xml", None, None, "grandstream"),
        ("/SEP000413AABBCC.cnf.xml", "cisco", None, None),
        ("/SEP000413AABBCC.cnf.xml", None, None, None),
    ],
)
def test_record_certificate_and_name_say_it(target, vendor, model, maker) -> None:
    found = format_by(vendor, read(target), model)
    assert (found and found.id) == maker


@pytest.mark.parametrize(
    ("target", "vendor", "master"),
    [
        ("/000413aabbcc.cfg", "poly", True),
        ("/000000000000.cfg", "poly", True),
        ("/000413aabbcc-user.cfg", "poly", False),
        ("/000413aabbcc.cfg", "yealink", False),
        ("/cfg.xml", "grandstream", False),
    ],
)
def test_what_only_names_files_is_told(target, vendor, master) -> None:
    resource = read(target)
    assert is_master(format_by(vendor, resource, None), resource) is master


@pytest.mark.parametrize(
    ("vendor", "model", "maker"),
    [
        ("yealink", None, "yealink"), ("lab-snom", "D785", "snom"), ("", "T46U", "yealink"),
        ("", "D785", "snom"), ("", None, "snom"), ("cisco", None, None),
    ],
)  # fmt: skip
def test_a_record_says_it_too(vendor, model, maker) -> None:
    device = Device(Mac("000413AABBCC"), vendor, model)
    found = maker_of_record(device)
    assert (found and found.id) == maker
    if maker is None:
        with pytest.raises(InputError) as caught:
            refuse_unwritten(device)
        assert "yealink" in caught.value.hint
    else:
        refuse_unwritten(device)
