"""What was exported, and from which state of the registry."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from linekey.errors import StorageError
from linekey.store.exported import FILE, Exported, note_export, read_exports

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def one(folder: str, peer: str = "kamailio", **options: str) -> Exported:
    return Exported(peer, folder, dict(options), None, 3, "")


def test_an_export_takes_the_place_of_the_one_to_its_folder(tmp_path: Path) -> None:
    assert read_exports(tmp_path) == []
    note_export(tmp_path, one("/b"))
    note_export(tmp_path, one("/a"))
    note_export(tmp_path, one("/b").written(7, NOW))
    found = read_exports(tmp_path)
    assert [(e.folder, e.revision) for e in found] == [("/a", 3), ("/b", 7)]
    assert found[1].at == "2026-06-01T00:00:00+00:00"


def test_a_proxy_asks_linekey_and_who_serves_files_does_not() -> None:
    assert one("/a").decides_alone
    assert not one("/a", "nginx").decides_alone
    assert one("/a", "nginx", files="/srv").decides_alone


@pytest.mark.parametrize("text", ["", "{", '[{"peer": 1}]', "[1]"])
def test_a_damaged_record_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StorageError, match="cannot be read"):
        read_exports(tmp_path)
