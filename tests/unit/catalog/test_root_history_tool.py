"""The tool that builds the root history, on releases made here."""

import base64
import importlib.util
import io
import sys
import tarfile
import zipfile
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from linekey.catalog import roots
from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).parents[3] / "tools" / "root_history.py"
    spec = importlib.util.spec_from_file_location("root_history", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["root_history"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    del sys.modules["root_history"]
    return module


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2015.04.28", date(2015, 4, 28)),
        ("2015.9.6.2", date(2015, 9, 6)),
        ("14.05.14", date(2014, 5, 14)),
        ("2026.10.18", date(2026, 10, 18)),
        ("1.0.1", None),
        ("0.0.8", None),
        ("2015.13.1", None),
    ],
)
def test_a_version_tells_its_date(
    tool: ModuleType, version: str, expected: date | None
) -> None:
    assert tool.release_date(version) == expected


def _wheel(folder: Path, version: str, listed: list[Certificate]) -> None:
    with zipfile.ZipFile(
        folder / f"certifi-{version}-py2.py3-none-any.whl", "w"
    ) as archive:
        archive.writestr(
            "certifi/cacert.pem", "# text\n" + "\n".join(map(_pem, listed))
        )
        archive.writestr("certifi/weak.pem", "never read")


def _pem(certificate: Certificate) -> str:
    pem = to_pem(certificate)
    return pem.decode() if isinstance(pem, bytes) else pem


def test_roots_that_come_go_and_return_have_their_spans(
    tool: ModuleType, tmp_path: Path
) -> None:
    a, b, c = roots.roots_at(date(2020, 1, 1))[:3]
    _wheel(tmp_path, "2020.1.1", [a, b, b])
    _wheel(tmp_path, "2020.2.1", [b])
    _wheel(tmp_path, "2020.2.1.1", [b, c])  # the last of its day counts
    _wheel(tmp_path, "2020.3.1", [a, b, c])
    text = _pem(a).encode()
    with tarfile.open(tmp_path / "certifi-1.0.0.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("certifi-1.0.0/certifi/cacert.pem")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    releases = tool.read_releases(tmp_path)
    assert [release.version for release in releases] == [
        "2020.1.1", "2020.2.1.1", "2020.3.1",
    ]  # fmt: skip
    document = tool.history(releases)
    spans = {}
    for entry in document["roots"]:
        der = base64.b64decode(entry["der"])
        spans[Certificate.from_der(der)] = entry["spans"]
    assert spans == {a: [[0, 0], [2, 2]], b: [[0, 2]], c: [[1, 2]]}
    assert tool.pack(document) == tool.pack(document)


def test_a_stranger_in_the_folder_is_named(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "certifi-latest.whl").write_bytes(b"")
    with pytest.raises(SystemExit, match="certifi-latest"):
        tool.read_releases(tmp_path)
