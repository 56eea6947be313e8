"""The rule for foreign file servers, held against linekey's own conventions."""

import re
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linekey.export import path_rule
from linekey.mac import Mac
from linekey.provisioning.resource import (
    _CONVENTIONS,
    AbsentFile,
    CertificateFile,
    CommonFile,
    PhoneFile,
    UploadFile,
    parse_target,
)

Whose = Mac | Literal["any", "nobody"]


def whose(path: str) -> Whose:
    """Ask in the order of the configurations."""
    for pattern, answer in (
        (path_rule.NOBODYS, "nobody"),
        (path_rule.COMMON, "any"),
        (path_rule.AMBIGUOUS, "nobody"),
        (path_rule.ZEROS, "any"),
    ):
        if re.search(pattern, path, re.I | re.A):
            return answer  # type: ignore[return-value]
    found = re.search(path_rule.MAC, path, re.I | re.A)
    return Mac(found[0].upper()) if found else "any"


def file_names() -> st.SearchStrategy[str]:
    """Names by linekey's own conventions, each as often as any other."""
    return st.sampled_from(_CONVENTIONS).flatmap(
        lambda convention: st.from_regex(convention.pattern, fullmatch=True)
    )


def folders() -> st.SearchStrategy[str]:
    """Where they are served, and a phone's own folder."""
    own = st.from_regex(r"/[0-9A-Fa-f]{12}/", fullmatch=True)
    return st.sampled_from(["/", "/prov/", "/a/b.c/"]) | own


@settings(max_examples=2000)
@given(folders(), file_names())
def test_what_linekey_gives_to_one_phone_or_to_all_goes_to_the_same(
    folder: str, name: str
) -> None:
    own = len(folder) == 14
    target = parse_target((folder + name).encode())
    answer = whose(folder + name)
    if isinstance(target, PhoneFile | UploadFile):
        expected: set[Whose] = {"any" if target.mac == Mac("0" * 12) else target.mac}
        if isinstance(target, UploadFile):  # which linekey serves to nobody
            expected.add("nobody")
        assert answer in expected
    elif isinstance(target, AbsentFile):  # whoever is let in finds nothing
        assert target.mac is None or answer in (target.mac, "nobody", "any")
    elif isinstance(target, CommonFile):
        assert answer == "any"
    else:
        assert own  # and so there are two different MACs
        assert answer == "nobody"


def test_certificates_are_every_phones() -> None:
    for digits in ("0123456789abcdef" * 4, "00041300000200041300" + "0" * 44):
        path = f"/certificates/{digits}.der"
        assert isinstance(parse_target(path.encode()), CertificateFile)
        assert whose(path) == "any"


@pytest.mark.parametrize(
    "path",
    [
        "/snomD785.htm", "/y000000000066.cfg", "/Y000000000066.boot", "/prov/000000000000.cfg",
        "/000000000000-directory.xml", "/20230101120000.bin", "/fw/snomD785-20231231235959-r.bin",
        "/snomD785-10.1.33.33-SIP-r.bin", "/20230101-120000.log", "/a/2023-01-01/x.bin", "/", "/lang/de.xml",
    ],
)  # fmt: skip
def test_firmware_and_files_of_a_model_are_every_phones(path: str) -> None:
    assert whose(path) == "any"


@pytest.mark.parametrize(
    "path",
    [
        "/snomD715-00-04-13-00-00-02.htm", "/00:04:13:aa:bb:cc.cfg", "/0004.13AA.BBCC.xml", "/000413-aabbcc.cfg",
        "/00_04_13_AA_BB_CC/x", "/spa000413AABBCC.xml", "/snom710000413000002.htm", "/1000413AABBCC.cfg",
        "/000413AABBCC/000413AABBCD.cfg", "/000413AABBCC000413AABBCD", "/000413AABBCC/y000000000066.cfg",
        "/t/0123456789abcdef/snom.htm", "/prov/T/abc", "/spa000413-aabbcc.cfg", "/20230101120000-00:04:13:aa:bb:cc",
    ],
)  # fmt: skip
def test_where_a_mac_may_be_meant_nobody_gets_the_file(path: str) -> None:
    assert whose(path) == "nobody"


@pytest.mark.parametrize(
    "path",
    [
        "/20230101120000-000413AABBCC.bin", "/000413AABBCC-20230101120000.bin", "/20230101120000/000413AABBCC.cfg",
        "/certificates/000413AABBCC.der", "/000413AABBCC/certificates/00.der", "/000413AABBCC/20230101120000.bin",
    ],
)  # fmt: skip
def test_a_mac_beside_other_digits_is_never_every_phones(path: str) -> None:
    assert whose(path) in (Mac("000413AABBCC"), "nobody")


@given(
    st.text("0123456789abcdefxyzY/.-_:t", max_size=30),
    st.text("0123456789abcdefxyzY/.-_:", max_size=30),
)
@example("y", ".cfg")
@example("certificates/", "0" * 52 + ".der")
def test_a_path_with_a_mac_is_never_another_phones(before: str, after: str) -> None:
    mac = "ABCDEF98FEDC"
    assert (
        whose(f"/{before}{mac}{after}") in (Mac(mac), "nobody")
        or re.search(r"(?i)^/certificates/[0-9a-f]{64}\.der$", f"/{before}{mac}{after}")
        or re.search("0{12}", f"{before} {after}")
    )
