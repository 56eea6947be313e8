"""What failed beside all others is run once more, alone, and counts if it fails again."""

import json
from pathlib import Path

import pytest
from tools import once_more

TEST = "def test_it():\n    assert {}\n"


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "lastfailed"
    monkeypatch.setattr(once_more, "FAILED", found)
    return found


@pytest.mark.parametrize(("now", "status"), [("True", 0), ("False", 1)])
def test_what_fails_again_fails(
    record: Path,
    tmp_path: Path,
    now: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "test_one.py"
    file.write_text(TEST.format(now))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    record.write_text(json.dumps({f"{file}::test_it": True}))
    assert once_more.main() == status
    out = capfd.readouterr().out
    assert f"{file}::test_it" in out
    assert ("1 passed" if status == 0 else "1 failed") in out


@pytest.mark.parametrize("count", [0, once_more.MOST + 1])
def test_none_and_many_are_not_run(
    record: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.run", lambda args, **_: pytest.fail(f"ran {args}"))
    record.write_text(json.dumps({f"a::{number}": True for number in range(count)}))
    assert once_more.main() == 1


def test_no_record_is_a_failure(record: Path) -> None:
    assert once_more.main() == 1
